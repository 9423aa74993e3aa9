"""
Tests of L{siprec.render.recording}: where something is missing or wrong.
"""

import os
from unittest.mock import patch

import numpy as np
import soundfile
from attrs import evolve

from siprec.render import audio, decode, recording
from siprec.render.recording import RenderError, renderDirectory
from siprec.session.manifest import NAME
from siprec.session.model import Format
from tests.render.journals import (
    audioOf,
    linear,
    talk,
    writeRecording,
)
from tests.render.recordingcase import TWO, RecordingCase, wide


class LackTests(RecordingCase):
    """
    What is not there, or not right.
    """

    def test_J7_noPackets(self) -> None:
        """
        Without a packet it is a recording of length 0 that says so, no error.
        """
        found = self.render([], [], end=7.0)
        self.assertEqual(found["duration"], 0.0)
        self.assertEqual(audioOf(self.directory).shape, (2, 0))
        self.assertEqual([each["packets"] for each in found["streams"]], [0, 0])
        (one, _) = found["streams"]
        self.assertEqual((one["firstPacket"], one["codec"], one["ssrcs"]), (None, "PCMU", []))

    def test_noStreams(self) -> None:
        """
        Without a stream there is an empty file all the same.
        """
        found = self.render(streams=[])
        self.assertEqual((found["duration"], found["audio"]["channels"]), (0.0, 1))
        self.assertEqual(audioOf(self.directory).shape, (1, 0))

    def test_silentChannel(self) -> None:
        """
        A stream without packets is a silent channel.
        """
        self.render([], talk(50))
        self.assertAudio(np.zeros(8000, np.int16), linear(talk(50)))

    def test_journals(self) -> None:
        """
        Journals that are torn or missing are told, and the rest is rendered.
        """
        writeRecording(
            self.directory,
            {"1-0.rtpdump": talk(100), "1-1.rtpdump": talk(100, seed=2)},
            streams=TWO,
        )
        path = os.path.join(self.directory, "1-0.rtpdump")
        os.truncate(path, os.path.getsize(path) - 1)
        os.unlink(os.path.join(self.directory, "1-1.rtpdump"))
        found = renderDirectory(self.directory)
        self.assertAudio(linear(talk(100)[:99]), np.zeros(15_840, np.int16))
        self.assertEqual(
            found["events"],
            [
                {
                    "time": "2026-01-05T09:00:00.000000Z",
                    "type": "journalUnreadable",
                    "stream": 0,
                    "file": "1-0.rtpdump",
                    "reason": "its last 179 octets are no whole packet",
                },
                {
                    "time": "2026-01-05T09:00:00.000000Z",
                    "type": "journalUnreadable",
                    "stream": 1,
                    "file": "1-1.rtpdump",
                    "reason": "it is not there",
                },
            ],
        )

    def test_notDecoded(self) -> None:
        """
        Audio that cannot be decoded is silence of its length, and an event names it;
        its journal stays.
        """
        packets = [evolve(each, payloadType=96) for each in talk(100, begin=1.0)]
        packets[7] = evolve(packets[7], payloadType=111)
        evs = Format(96, "EVS", 16000)
        found = self.render(packets, streams=[(evs,)])
        (channel,) = audioOf(self.directory)
        self.assertEqual(int(np.abs(channel).max()), 0)
        self.assertGreater(found["duration"], 1.0)
        self.assertEqual(
            [
                (event["type"], event["payloadType"], event["codec"], event["packets"])
                for event in found["events"]
                if event["type"] == "payloadNotDecoded"
            ],
            [("payloadNotDecoded", 96, "EVS", 99), ("payloadNotDecoded", 111, None, 1)],
        )
        self.assertEqual(found["streams"][0]["codec"], "EVS")
        self.assertTrue(os.path.exists(os.path.join(self.directory, "1-0.rtpdump")))

    def test_onlyEvents(self) -> None:
        """
        A stream of nothing but events is as long as it took.
        """
        event = Format(101, "telephone-event", 8000)
        packets = [evolve(each, payloadType=101) for each in talk(51)]
        found = self.render(packets, streams=[(event,)])
        self.assertEqual((found["duration"], found["events"]), (1.0, []))

    def test_manyEvents(self) -> None:
        """
        Events without end are listed up to a number; the last one says how many are
        left out.
        """
        packets = [
            packet
            for each in range(20)
            for packet in talk(3, ssrc=each, begin=each * 0.06, sequence=each)
        ]
        with patch("siprec.render.events.MAX_EVENTS", 5):
            found = self.render(packets)
        changes = [event for event in found["events"] if event["type"] == "sourceChanged"]
        self.assertEqual([event.get("omitted") for event in changes], [None] * 5 + [13])

    def test_manySources(self) -> None:
        """
        Packets of sources beyond any number are counted, and told to be ignored.
        """
        with patch("siprec.render.sequence.MAX_RUNS", 2):
            found = self.render([evolve(each, ssrc=number) for number, each in enumerate(talk(20))])
        self.assertEqual(found["streams"][0]["packets"], 20)
        self.assertEqual(
            [(event["type"], event["count"]) for event in found["events"]],
            [("packetsIgnored", 18)],
        )

    def test_manyGaps(self) -> None:
        """
        Gaps that were forgotten, or are too many for one stream, are counted.
        """
        with patch.object(recording, "MAX_GAPS", 2):
            found = self.render(talk(20)[::2])
        self.assertEqual(len(found["gaps"]), 2)
        self.assertEqual([event["count"] for event in found["events"]], [7])
        with patch("siprec.render.runs.MAX_GAPS", 2):
            found = self.render(talk(20)[::2])
        self.assertEqual(len(found["gaps"]), 2)
        self.assertEqual(
            [(event["type"], event["count"]) for event in found["events"]], [("gapsOmitted", 7)]
        )

    def test_manifest(self) -> None:
        """
        A manifest that is missing, no JSON, or incomplete is an error that names the
        folder; nothing is written.
        """
        error = self.assertRaises(RenderError, renderDirectory, self.directory)
        self.assertIn(self.directory, str(error))
        os.mkdir(self.directory)
        for text in ("no", '{"schema": 1}', '{"schema": 1, "startTime": 7, "streams": []}'):
            with open(os.path.join(self.directory, NAME), "w") as file:
                file.write(text)
            error = self.assertRaises(RenderError, renderDirectory, self.directory)
            self.assertIn(self.directory, str(error))
        self.assertEqual(os.listdir(self.directory), [NAME])

    def test_tooLong(self) -> None:
        """
        A clock that is wrong by months is an error, not a file of months.
        """
        error = self.assertRaises(RenderError, self.render, talk(5), end=40 * 86400.0)
        self.assertIn("3456000 seconds of audio", str(error))
        self.assertNotIn("audio.wav", os.listdir(self.directory))

    def test_diskFull(self) -> None:
        """
        An error of the disk is a L{RenderError}, with the channels as well as with the file.
        """

        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        self.patch(os, "fsync", full)
        self._failsForRoom()
        self.patch(audio, "SHORT", 0)
        self.patch(os, "pwrite", full)
        self._failsForRoom()

    def _failsForRoom(self) -> None:
        error = self.assertRaises(RenderError, self.render, talk(5))
        self.assertIn("No space left", str(error))
        self.assertEqual(sorted(os.listdir(self.directory)), ["1-0.rtpdump", "recording.json"])

    def test_otherRate(self) -> None:
        """
        The file has the rate of what was decoded.
        """
        decoders = {**decode._DECODERS, ("L8", 16000): wide()}
        with patch.object(decode, "_DECODERS", decoders):
            packets = [evolve(each, payloadType=97) for each in talk(50)]
            found = self.render(packets, streams=((Format(97, "L8", 16000),),))
        self.assertEqual(found["audio"]["sampleRate"], 16000)
        info = soundfile.info(os.path.join(self.directory, "audio.wav"))
        self.assertEqual(info.samplerate, 16000)
