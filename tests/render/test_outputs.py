"""
Tests of L{siprec.render.outputs}.
"""

import hashlib
import json
import os
from typing import Any

import numpy as np
import soundfile
from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from siprec.render.form import Form
from siprec.render.outputs import namesOf
from siprec.render.recording import renderDirectory
from siprec.session.manifest import readManifest, writeManifest
from siprec.session.model import Format
from tests.render.journals import PCMA, PCMU, audioOf, expected, talk, writeRecording


class OutputTests(SynchronousTestCase):
    """
    The files of a recording.
    """

    def setUp(self) -> None:
        """
        Record two people, one of them a second later.
        """
        self.directory = self.mktemp()
        self.caller, self.callee = talk(100), talk(50, begin=1.0, ssrc=7, seed=2)
        self.channels = (
            expected(16_000, (0, self.caller)),
            expected(16_000, (8000, self.callee)),
        )

    def render(self, form: Form, second: Format = PCMU) -> dict[str, Any]:
        """
        @return: the manifest's C{audio}.
        """
        callee = [evolve(each, payloadType=second.payloadType) for each in self.callee]
        journals = {"1-0.rtpdump": self.caller, "1-1.rtpdump": callee}
        writeRecording(self.directory, journals, streams=((PCMU,), (second,)))
        audio: dict[str, Any] = renderDirectory(self.directory, form)["audio"]
        for each in audio.get("files", [audio]):
            with open(os.path.join(self.directory, each["file"]), "rb") as file:
                self.assertEqual(hashlib.sha256(file.read()).hexdigest(), each["sha256"])
        return audio

    def info(self, name: str) -> tuple[object, ...]:
        """
        @return: what another program says of a file.
        """
        info = soundfile.info(os.path.join(self.directory, name))
        return info.format, info.subtype, info.samplerate, info.channels, info.frames

    def test_flac(self) -> None:
        """
        FLAC has every sample.
        """
        audio = self.render(Form("flac"))
        self.assertEqual(
            (audio["file"], audio["format"], audio["encoding"], audio["channels"]),
            ("audio.flac", "flac", "PCM_16", 2),
        )
        np.testing.assert_array_equal(audioOf(self.directory, "audio.flac"), self.channels)

    def test_lossy(self) -> None:
        """
        Ogg Opus and MP3 files have the length and the channels, and sound alike.
        """
        for form, name, format in (
            (Form("opus"), "audio.ogg", ("OGG", "OPUS", 8000, 2, 16_000)),
            (Form("mp3"), "audio.mp3", ("MP3", "MPEG_LAYER_III", 8000, 2, 16_000)),
        ):
            self.assertEqual(self.render(form)["file"], name)
            self.assertEqual(self.info(name), format)
            found = audioOf(self.directory, name).astype(np.float64)
            for channel, wanted in zip(found, self.channels, strict=True):
                # Noise is the worst that can be asked of them; it stays where it was.
                self.assertGreater(np.corrcoef(channel, wanted)[0, 1], 0.5)

    def test_g711(self) -> None:
        """
        G.711 stays as it came, octet for octet, with silence of the law between.
        """
        audio = self.render(Form("g711"))
        self.assertEqual((audio["format"], audio["encoding"]), ("g711", "PCMU"))
        self.assertEqual(self.info("audio.wav"), ("WAV", "ULAW", 8000, 2, 16_000))
        with open(os.path.join(self.directory, "audio.wav"), "rb") as file:
            octets = np.frombuffer(file.read()[-32_000:], np.uint8).reshape(-1, 2)
        self.assertEqual(octets[:, 0].tobytes(), b"".join(each.payload for each in self.caller))
        second = bytes([0xFF]) * 8000 + b"".join(each.payload for each in self.callee)
        self.assertEqual(octets[:, 1].tobytes(), second)

    def test_g711Mixed(self) -> None:
        """
        What is not of one law, or is mixed, becomes a WAV file of linear samples, and
        the manifest says so.
        """
        audio = self.render(Form("g711"), second=PCMA)
        self.assertEqual((audio["format"], audio["encoding"]), ("wav", "PCM_16"))
        np.testing.assert_array_equal(
            audioOf(self.directory)[1], expected(16_000, (8000, self.callee), codec="PCMA")
        )
        audio = self.render(Form("g711", "mixed"))
        self.assertEqual((audio["format"], audio["encoding"]), ("wav", "PCM_16"))

    def test_streams(self) -> None:
        """
        A file for each stream, aligned and of the same length; the first one stands for
        them where one is asked for.
        """
        audio = self.render(Form(layout="streams"))
        self.assertEqual((audio["file"], audio["channels"]), ("audio.0.wav", 1))
        self.assertEqual(
            [(each["stream"], each["file"]) for each in audio["files"]],
            [(0, "audio.0.wav"), (1, "audio.1.wav")],
        )
        for each, wanted in zip(audio["files"], self.channels, strict=True):
            np.testing.assert_array_equal(audioOf(self.directory, each["file"])[0], wanted)
        self.assertNotIn("audio.wav", os.listdir(self.directory))

    def test_mixed(self) -> None:
        """
        All in one channel.
        """
        audio = self.render(Form(layout="mixed"))
        self.assertEqual((audio["layout"], audio["channels"]), ("mixed", 1))
        [mixed] = audioOf(self.directory).astype(np.float64)
        for wanted in self.channels:
            self.assertGreater(np.corrcoef(mixed, wanted)[0, 1], 0.3)

    def test_tooManyChannels(self) -> None:
        """
        What has no room for all channels gets a file for each stream.
        """
        legs = {f"1-{index}.rtpdump": talk(5, ssrc=index, seed=index) for index in range(3)}
        writeRecording(self.directory, legs, streams=((PCMU,),) * 3)
        audio = renderDirectory(self.directory, Form("mp3"))["audio"]
        self.assertEqual(audio["layout"], "streams")
        self.assertEqual(
            [each["file"] for each in audio["files"]],
            ["audio.0.mp3", "audio.1.mp3", "audio.2.mp3"],
        )

    def test_nothing(self) -> None:
        """
        A recording without a packet is an empty WAV file, which any other format could
        not be.
        """
        writeRecording(self.directory, {})
        audio = renderDirectory(self.directory, Form("opus", "streams", peaks=True))["audio"]
        self.assertEqual((audio["format"], audio["file"]), ("wav", "audio.0.wav"))
        self.assertEqual(self.info("audio.0.wav")[3:], (1, 0))
        self.assertEqual(self.peaks("audio.peaks.json")["length"], 0)

    def test_noStreams(self) -> None:
        """
        A recording without a stream is one file with one channel.
        """
        writeRecording(self.directory, {}, streams=())
        audio = renderDirectory(self.directory, Form("g711", "streams"))["audio"]
        self.assertEqual((audio["file"], audio["channels"]), ("audio.wav", 1))

    def peaks(self, name: str) -> dict[str, Any]:
        """
        @return: what a waveform is drawn from.
        """
        with open(os.path.join(self.directory, name), "rb") as file:
            found: dict[str, Any] = json.load(file)
        return found

    def test_peaks(self) -> None:
        """
        The peaks are of the samples that are heard, whatever the format.
        """
        found = []
        for format in ("wav", "g711", "opus"):
            audio = self.render(Form(format, peaks=True))
            self.assertEqual(audio["peaks"], "audio.peaks.json")
            found.append(self.peaks("audio.peaks.json"))
        self.assertEqual(found[0], found[1])
        self.assertEqual(found[0], found[2])
        self.assertEqual((found[0]["channels"], found[0]["length"]), (2, 63))
        pairs = np.array(found[0]["data"]).reshape(63, 2, 2)
        first = self.channels[0][:256] >> 8
        self.assertEqual(pairs[0, 0].tolist(), [first.min(), first.max()])
        self.assertEqual(pairs[0, 1].tolist(), [0, 0])

    def test_parts(self) -> None:
        """
        The file of each communication session has the form of the whole.
        """
        form = Form("flac", "streams", peaks=True)
        self.render(form)
        self.session("2026-01-05T09:00:01.000000Z")
        audio = renderDirectory(self.directory, form, split="session")["audio"]
        [part] = audio["parts"]
        self.assertEqual((part["session"], part["peaks"]), ("S", "audio-1.peaks.json"))
        for each, wanted in zip(part["files"], self.channels, strict=True):
            found = audioOf(self.directory, each["file"])[0]
            np.testing.assert_array_equal(found, wanted[8000:])
        names = {name for name in os.listdir(self.directory) if name.startswith("audio")}
        self.assertEqual(namesOf(audio), names)

    def test_emptyPart(self) -> None:
        """
        A part without a sample is an empty WAV file, beside the others of G.711.
        """
        self.render(Form("g711"))
        self.session("2026-01-05T09:00:02.000000Z")
        audio = renderDirectory(self.directory, Form("g711"), split="session")["audio"]
        self.assertEqual(audio["encoding"], "PCMU")
        [part] = audio["parts"]
        self.assertEqual((part["encoding"], part["duration"]), ("PCM_16", 0.0))
        self.assertEqual(self.info("audio-1.wav"), ("WAV", "PCM_16", 8000, 2, 0))

    def session(self, time: str) -> None:
        """
        Have a communication session begin then.
        """
        manifest = readManifest(self.directory)
        manifest["timeline"] = [
            {
                "time": time,
                "type": "session",
                "source": "metadata",
                "event": "sessionStarted",
                "session": "S",
            }
        ]
        writeManifest(self.directory, manifest, durable=False)

    def test_names(self) -> None:
        """
        No file outside the folder is the recording's.
        """
        self.assertEqual(namesOf(None), set())
        audio = {"file": "../x.wav", "peaks": "audio.peaks.json"}
        self.assertEqual(namesOf(audio), {"audio.peaks.json"})
