"""
Tests of L{siprec.render.audio}.
"""

import hashlib
import os
import time

import numpy as np
import soundfile
from twisted.trial.unittest import SynchronousTestCase

from siprec.render import audio
from siprec.render.audio import AudioError, Track, Window, writeAudio
from tests.render.journals import audioOf


class TrackTests(SynchronousTestCase):
    """
    The samples of one channel.
    """

    def setUp(self) -> None:
        """
        Make a track.
        """
        self.directory = self.mktemp()
        os.mkdir(self.directory)
        self.track = Track.create(self.directory, 10)
        self.addCleanup(self.track.close)

    def test_places(self) -> None:
        """
        Samples are at their places in any order, over what was there; all else is
        silence.
        """
        self.track.write(6, np.array([1, 2], np.int16))
        self.track.write(2, np.array([3, 4], np.int16))
        self.track.write(3, np.array([5], np.int16))
        self.assertEqual(self.track.read(0, 10).tolist(), [0, 0, 3, 5, 0, 0, 1, 2, 0, 0])

    def test_window(self) -> None:
        """
        A window is a part of a track, from a place on.
        """
        self.track.write(0, np.arange(10, dtype=np.int16))
        window = Window(self.track, 3, 5)
        self.assertEqual(window.frames, 5)
        self.assertEqual(window.read(1, 3).tolist(), [4, 5, 6])

    def test_outside(self) -> None:
        """
        What is before the begin or after the end is dropped.
        """
        for place in (-20, -2, 8, 10, 30):
            self.track.write(place, np.array([1, 2, 3, 4], np.int16))
        self.assertEqual(self.track.read(0, 10).tolist(), [3, 4, 0, 0, 0, 0, 0, 0, 1, 2])

    def test_noName(self) -> None:
        """
        A track is no file that anybody sees.
        """
        self.assertEqual(os.listdir(self.directory), [])


class LongTrackTests(TrackTests):
    """
    The samples of one channel that is too long to be kept in memory.
    """

    def setUp(self) -> None:
        """
        Make a track that is a file.
        """
        self.patch(audio, "SHORT", 19)
        super().setUp()
        self.assertIsNone(self.track._samples)


class WriteTests(SynchronousTestCase):
    """
    The audio file.
    """

    def setUp(self) -> None:
        """
        Make a directory and two tracks.
        """
        self.directory = self.mktemp()
        os.mkdir(self.directory)
        self.tracks = [Track.create(self.directory, 1000) for _ in range(2)]
        for channel, track in enumerate(self.tracks):
            self.addCleanup(track.close)
            track.write(channel, np.arange(500, dtype=np.int16) - 250)

    def test_file(self) -> None:
        """
        16-bit WAV, one channel per track, in their order; the digest is that of the
        file, and nothing else is left.
        """
        digest = writeAudio(self.directory, "audio.wav", self.tracks, 8000)
        self.assertEqual(os.listdir(self.directory), ["audio.wav"])
        path = os.path.join(self.directory, "audio.wav")
        with open(path, "rb") as file:
            self.assertEqual(hashlib.sha256(file.read()).hexdigest(), digest)
        info = soundfile.info(path)
        self.assertEqual(
            (info.format, info.subtype, info.samplerate, info.channels, info.frames),
            ("WAV", "PCM_16", 8000, 2, 1000),
        )
        samples = audioOf(self.directory)
        for channel, track in enumerate(self.tracks):
            np.testing.assert_array_equal(samples[channel], track.read(0, 1000))

    def test_empty(self) -> None:
        """
        A file without samples is a valid one.
        """
        track = Track.create(self.directory, 0)
        self.addCleanup(track.close)
        writeAudio(self.directory, "audio.wav", [track], 8000)
        self.assertEqual(audioOf(self.directory).shape, (1, 0))

    def test_blocks(self) -> None:
        """
        A file of several blocks is the same as one of a single block.
        """
        whole = writeAudio(self.directory, "audio.wav", self.tracks, 8000)
        self.patch(audio, "_BLOCK", 14)
        self.assertEqual(writeAudio(self.directory, "audio.wav", self.tracks, 8000), whole)

    def test_RF64(self) -> None:
        """
        What is too long for the 32-bit lengths of WAV is RF64.
        """
        writeAudio(self.directory, "audio.wav", self.tracks, 8000, limit=3999)
        with open(os.path.join(self.directory, "audio.wav"), "rb") as file:
            self.assertEqual(file.read(4), b"RF64")
        self.assertEqual(audioOf(self.directory).shape, (2, 1000))
        writeAudio(self.directory, "audio.wav", self.tracks, 8000, limit=4000)
        with open(os.path.join(self.directory, "audio.wav"), "rb") as file:
            self.assertEqual(file.read(4), b"RIFF")

    def test_failure(self) -> None:
        """
        If it cannot be written, the file from before stays and nothing is left over.
        """
        digest = writeAudio(self.directory, "audio.wav", self.tracks, 8000)

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        self.patch(audio, "_fill", full)
        error = self.assertRaises(
            AudioError, writeAudio, self.directory, "audio.wav", self.tracks, 8000
        )
        self.assertIn("No space left", str(error))
        self.assertEqual(os.listdir(self.directory), ["audio.wav"])
        with open(os.path.join(self.directory, "audio.wav"), "rb") as file:
            self.assertEqual(hashlib.sha256(file.read()).hexdigest(), digest)

    def test_noRoom(self) -> None:
        """
        Where the library does not say that the disk is full, it is found out; where it
        is not, that is not said.
        """

        def broken(*_: object) -> None:
            raise soundfile.SoundFileError("System error.")

        def write(descriptor: int, data: bytes, position: int) -> int:
            if position > 1000:
                raise OSError(28, "No space left on device")
            return os.write(descriptor, data[:2000])

        self.patch(audio, "_fill", broken)
        arguments = self.directory, "audio.wav", self.tracks, 8000
        error = self.assertRaises(AudioError, writeAudio, *arguments)
        self.assertIn("System error", str(error))
        self.patch(os, "pwrite", write)
        error = self.assertRaises(AudioError, writeAudio, *arguments)
        self.assertIn("No space left", str(error))
        self.assertEqual(os.listdir(self.directory), [])

    def test_noDirectory(self) -> None:
        """
        A folder that is not there is an error that names the file.
        """
        where = os.path.join(self.directory, "gone")
        error = self.assertRaises(AudioError, writeAudio, where, "audio.wav", self.tracks, 8000)
        self.assertIn(os.path.join(where, "audio.wav"), str(error))

    def test_stale(self) -> None:
        """
        What a killed process has left is removed once it is old, and only that.
        """
        old, new = (".audio.wav.1-a.unfinished", ".audio.wav.2-b.unfinished")
        for name in (old, new, "1-0.rtpdump"):
            with open(os.path.join(self.directory, name), "wb"):
                pass
        hours = time.time() - 7200
        os.utime(os.path.join(self.directory, old), (hours, hours))
        os.utime(os.path.join(self.directory, "1-0.rtpdump"), (hours, hours))
        writeAudio(self.directory, "audio.wav", self.tracks, 8000)
        self.assertEqual(
            sorted(os.listdir(self.directory)), sorted([new, "1-0.rtpdump", "audio.wav"])
        )
