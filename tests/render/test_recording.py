"""
Tests of L{siprec.render.recording}.
"""

import json
import os
import random
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
import soundfile
from attrs import evolve, frozen
from numpy.typing import NDArray
from twisted.trial.unittest import SynchronousTestCase

from siprec.render import decode, recording
from siprec.render.decode import G711
from siprec.render.recording import RenderError, renderDirectory
from siprec.session.manifest import NAME, readManifest, withRendering
from siprec.session.model import Format
from tests.render.journals import (
    PCMA,
    PCMU,
    Packet,
    audioOf,
    expected,
    linear,
    talk,
    writeRecording,
)

_ONE = ((PCMU,),)
_TWO = ((PCMU,), (PCMU,))


class _RecordingCase(SynchronousTestCase):
    def setUp(self) -> None:
        """
        Name a folder for a recording.
        """
        self.directory = self.mktemp()

    def render(
        self,
        *legs: Sequence[Packet],
        end: float | None = None,
        streams: Sequence[Sequence[Format]] | None = None,
    ) -> dict[str, Any]:
        """
        @param legs: the packets of each stream.
        @return: the rendering, after a turn through JSON.
        """
        journals = {f"1-{index}.rtpdump": leg for index, leg in enumerate(legs)}
        writeRecording(self.directory, journals, streams=streams or [(PCMU,)] * len(legs), end=end)
        found: dict[str, Any] = json.loads(json.dumps(renderDirectory(self.directory)))
        return found

    def assertAudio(self, *channels: NDArray[np.int16]) -> None:
        """
        The audio file is exactly this.
        """
        found = audioOf(self.directory)
        self.assertEqual(found.shape, (len(channels), len(channels[0])))
        for channel, wanted in enumerate(channels):
            np.testing.assert_array_equal(found[channel], wanted, f"channel {channel}")


class RenderTests(_RecordingCase):
    """
    A recording's folder becomes audio.
    """

    def test_twoLegs(self) -> None:
        """
        Two legs, PCMU and PCMA, are two channels in the order of the streams, each
        to the sample; the result says all that the manifest wants of it.
        """
        caller, callee = talk(500), talk(400, seed=2, begin=1.0, ssrc=0xBEEF, payloadType=8)
        found = self.render(caller, callee, streams=[(PCMU,), (PCMA,)], end=12.5)
        self.assertAudio(
            expected(100_000, (0, caller)), expected(100_000, (8000, callee), codec="PCMA")
        )
        digest = found["audio"].pop("sha256")
        self.assertRegex(digest, "^[0-9a-f]{64}$")
        self.assertEqual(
            found,
            {
                "duration": 12.5,
                "streams": [
                    {
                        "index": 0,
                        "codec": "PCMU",
                        "payloadType": 0,
                        "clockRate": 8000,
                        "ssrcs": ["0x1a2b3c4d"],
                        "packets": 500,
                        "lost": 0,
                        "duplicates": 0,
                        "reordered": 0,
                        "jitter": 0.0,
                        "firstPacket": "2026-01-05T09:00:00.000000Z",
                        "lastPacket": "2026-01-05T09:00:09.980000Z",
                    },
                    {
                        "index": 1,
                        "codec": "PCMA",
                        "payloadType": 8,
                        "clockRate": 8000,
                        "ssrcs": ["0x0000beef"],
                        "packets": 400,
                        "lost": 0,
                        "duplicates": 0,
                        "reordered": 0,
                        "jitter": 0.0,
                        "firstPacket": "2026-01-05T09:00:01.000000Z",
                        "lastPacket": "2026-01-05T09:00:08.980000Z",
                    },
                ],
                "gaps": [],
                "events": [],
                "audio": {
                    "file": "audio.wav",
                    "sampleRate": 8000,
                    "channels": 2,
                    "startTime": "2026-01-05T09:00:00.000000Z",
                    "duration": 12.5,
                },
            },
        )
        whole = withRendering(readManifest(self.directory), found, "complete")
        self.assertEqual([each["packets"] for each in whole["streams"]], [500, 400])

    def test_E13_lateLeg(self) -> None:
        """
        A leg that starts two seconds later lies two seconds later, and jitter at its
        start does not move it.
        """
        jitter = [0.18, 0.16, 0.12, 0.06] + [0.0] * 396
        late = talk(400, begin=2.0, seed=2, ssrc=2, jitter=jitter)
        self.render(talk(500), late)
        self.assertAudio(expected(80_000, (0, talk(500))), expected(80_000, (16_000, late)))

    def test_E5_wraps(self) -> None:
        """
        Sequence numbers and timestamps wrap within a call without a trace.
        """
        packets = talk(500, sequence=65_300, timestamp=0xFFFFFFFF - 40_000)
        found = self.render(packets)
        self.assertAudio(linear(packets))
        self.assertEqual(found["streams"][0]["lost"], 0)

    def test_E5_disturbed(self) -> None:
        """
        With 5 % of the packets reordered, 2 % lost and 1 % twice, each sample that
        came is at its place and the rest is silence; all of it is counted, and each
        loss is a gap.
        """
        dice = random.Random(4)
        packets, lost = talk(2000), {7, 8}
        lost |= set(dice.sample(range(20, 1980), 38))
        kept = [each for number, each in enumerate(packets) if number not in lost]
        twice = dice.sample(kept, 20)
        late = {each.sequence for each in dice.sample(kept[10:-10], 100)}
        sent = [
            evolve(each, arrival=each.arrival + (0.045 if each.sequence in late else 0))
            for each in kept
        ] + [evolve(each, arrival=each.arrival + 0.062) for each in twice]
        found = self.render(sent, end=40.0)
        pieces = [(160 * (each.sequence - 1000), [each]) for each in kept]
        self.assertAudio(expected(320_000, *pieces))
        (stream,) = found["streams"]
        self.assertEqual((stream["packets"], stream["lost"], stream["duplicates"]), (1980, 40, 20))
        highest, reordered = 0, 0
        seen: set[int] = set()
        for each in sorted(sent, key=lambda packet: packet.arrival):
            reordered += each.sequence < highest and each.sequence not in seen
            seen.add(each.sequence)
            highest = max(highest, each.sequence)
        self.assertEqual(stream["reordered"], reordered)
        self.assertGreater(reordered, 80)
        silent = sum(_seconds(gap["end"]) - _seconds(gap["start"]) for gap in found["gaps"])
        self.assertAlmostEqual(silent, 40 * 0.02, 4)
        self.assertEqual(
            found["gaps"][0],
            {
                "start": "2026-01-05T09:00:00.140000Z",
                "end": "2026-01-05T09:00:00.180000Z",
                "stream": 0,
                "cause": "loss",
            },
        )

    def test_E4_pause(self) -> None:
        """
        A jump of the timestamp with sequence numbers that go on (DTX) is silence, no
        loss and no gap.
        """
        before = talk(100)
        after = talk(100, sequence=1100, timestamp=50_000 + 40_000, begin=5.0, seed=2)
        found = self.render([*before, *after])
        self.assertAudio(expected(56_000, (0, before), (40_000, after)))
        self.assertEqual((found["streams"][0]["lost"], found["gaps"]), (0, []))

    def test_J3_pause(self) -> None:
        """
        After a pause of 1.54 s both numbers have jumped by what was not sent: it
        becomes silence of the right length.
        """
        before = talk(100)
        after = talk(100, sequence=1177, timestamp=50_000 + 16_000 + 12_320, begin=3.54, seed=2)
        found = self.render([*before, *after])
        self.assertAudio(expected(44_320, (0, before), (28_320, after)))
        self.assertEqual(found["streams"][0]["lost"], 77)
        self.assertEqual(
            [(gap["start"], gap["end"]) for gap in found["gaps"]],
            [("2026-01-05T09:00:02.000000Z", "2026-01-05T09:00:03.540000Z")],
        )

    def test_E6_newSource(self) -> None:
        """
        A new SSRC is placed by its arrival, and told.
        """
        before = talk(100)
        after = talk(100, ssrc=0xC0FFEE, sequence=9, timestamp=77, begin=2.5, seed=2)
        found = self.render([*before, *after])
        self.assertAudio(expected(36_000, (0, before), (20_000, after)))
        self.assertEqual(found["streams"][0]["ssrcs"], ["0x1a2b3c4d", "0x00c0ffee"])
        self.assertEqual(
            found["events"],
            [
                {
                    "time": "2026-01-05T09:00:02.500000Z",
                    "type": "sourceChanged",
                    "stream": 0,
                    "ssrc": "0x00c0ffee",
                    "previous": "0x1a2b3c4d",
                }
            ],
        )

    def test_restarts(self) -> None:
        """
        Sequence numbers, or timestamps, that begin anew are told too.
        """
        one = talk(100)
        two = talk(100, sequence=30_000, timestamp=5, begin=2.0, seed=2)
        three = talk(100, sequence=30_100, timestamp=3_000_000_000, begin=4.0, seed=3)
        found = self.render([*one, *two, *three])
        self.assertAudio(linear([*one, *two, *three]))
        self.assertEqual(
            [(event["type"], event["time"][17:23]) for event in found["events"]],
            [("sequenceRestarted", "02.000"), ("timestampRestarted", "04.000")],
        )
        self.assertEqual(found["streams"][0]["lost"], 0)

    def test_E13_skew(self) -> None:
        """
        Two legs whose clocks are off by 100 ppm to either side stay within 20 ms of
        the truth for an hour.
        """
        legs = []
        for number, skew in enumerate((1e-4, -1e-4)):
            jitter = np.random.default_rng(number).exponential(0.004, 997).tolist()
            packets = talk(180_000, ssrc=number, skew=skew, jitter=jitter)
            # A click in each minute; silence else, which the clicks stand out of.
            legs.append(
                [
                    evolve(
                        each,
                        payload=b"\x00" * 160 if each.sequence % 3000 == 1000 else b"\xff" * 160,
                    )
                    for each in packets
                ]
            )
        found = self.render(*legs)
        corrected = [(each["type"], each["count"] > 80) for each in found["events"]]
        self.assertEqual(corrected, [("driftCorrected", True)] * 2)
        for channel, skew in zip(audioOf(self.directory), (1e-4, -1e-4), strict=True):
            clicks = np.flatnonzero(np.diff((channel != 0).astype(np.int8)) == 1) + 1
            clicks = np.concatenate(([0], clicks)) if channel[0] else clicks
            self.assertEqual(len(clicks), 60)
            truth = np.arange(60) * 60 / (1 + skew)
            self.assertLess(np.abs(clicks / 8000 - truth).max(), 0.015)

    def test_earlyMedia(self) -> None:
        """
        What came before the recording's begin is kept: the audio begins earlier,
        and says so; the other leg keeps its place.
        """
        early, other = talk(200, begin=-1.5), talk(100, seed=2, ssrc=2)
        found = self.render(early, other, end=3.0)
        self.assertAudio(expected(36_000, (0, early)), expected(36_000, (12_000, other)))
        self.assertEqual(found["audio"]["startTime"], "2026-01-05T08:59:58.500000Z")
        self.assertEqual((found["duration"], found["audio"]["duration"]), (4.5, 4.5))

    def test_end(self) -> None:
        """
        The audio goes on to the end of the call, or to that of the last packet if
        it is later, or if nobody knows when the call ended.
        """
        for end, frames in ((None, 16_000), (1.0, 16_000), (3.0, 24_000)):
            self.render(talk(100), end=end)
            self.assertAudio(expected(frames, (0, talk(100))))

    def test_segments(self) -> None:
        """
        Journals of several nodes are one stream, also one that a crash kept out of
        the manifest.
        """
        packets = talk(300)
        writeRecording(
            self.directory, {"1-0.rtpdump": packets[:150], "2-0.rtpdump": packets[100:200]}
        )
        extra = self.mktemp()
        writeRecording(extra, {"10-0.rtpdump": packets[190:]})
        name = os.path.join(extra, "10-0.rtpdump")
        os.rename(name, os.path.join(self.directory, "10-0.rtpdump"))
        found = renderDirectory(self.directory)
        self.assertAudio(linear(packets))
        self.assertEqual(found["streams"][0]["duplicates"], 60)
        self.assertEqual(found["events"], [])


class LackTests(_RecordingCase):
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
            streams=_TWO,
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
        opus = Format(96, "opus", 48000, 2)
        found = self.render(packets, streams=[(opus,)])
        (channel,) = audioOf(self.directory)
        self.assertEqual(int(np.abs(channel).max()), 0)
        self.assertGreater(found["duration"], 1.0)
        self.assertEqual(
            [
                (event["type"], event["payloadType"], event["codec"], event["packets"])
                for event in found["events"]
                if event["type"] == "payloadNotDecoded"
            ],
            [("payloadNotDecoded", 96, "opus", 99), ("payloadNotDecoded", 111, None, 1)],
        )
        self.assertEqual(found["streams"][0]["codec"], "opus")
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
        with patch.object(recording, "MAX_EVENTS", 5):
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
        with patch("siprec.render.sequence.MAX_GAPS", 2):
            found = self.render(talk(20)[::2])
        self.assertEqual(len(found["gaps"]), 2)
        self.assertEqual(
            [(event["type"], event["count"]) for event in found["events"]], [("gapsOmitted", 7)]
        )

    def test_format(self) -> None:
        """
        Another format than WAV is refused.
        """
        error = self.assertRaises(RenderError, renderDirectory, self.directory, "mp3")
        self.assertEqual(str(error), "cannot write 'mp3': the format is 'wav'")

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

    def test_rates(self) -> None:
        """
        Streams of different sample rates are refused, clearly.
        """
        wide = {**decode._DECODERS, ("L8", 16000): _wide()}
        with patch.object(decode, "_DECODERS", wide):
            streams = ((PCMU,), (Format(97, "L8", 16000),))
            packets = [evolve(each, payloadType=97) for each in talk(5)]
            error = self.assertRaises(RenderError, self.render, talk(5), packets, streams=streams)
            self.assertIn("several rates: [8000, 16000]", str(error))

    def test_diskFull(self) -> None:
        """
        An error of the disk is a L{RenderError}.
        """

        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        self.patch(os, "pwrite", full)
        error = self.assertRaises(RenderError, self.render, talk(5))
        self.assertIn("No space left", str(error))
        self.assertNotIn("audio.wav", os.listdir(self.directory))

    def test_otherRate(self) -> None:
        """
        The file has the rate of what was decoded.
        """
        wide = {**decode._DECODERS, ("L8", 16000): _wide()}
        with patch.object(decode, "_DECODERS", wide):
            packets = [evolve(each, payloadType=97) for each in talk(50)]
            found = self.render(packets, streams=((Format(97, "L8", 16000),),))
        self.assertEqual(found["audio"]["sampleRate"], 16000)
        info = soundfile.info(os.path.join(self.directory, "audio.wav"))
        self.assertEqual(info.samplerate, 16000)


@frozen(eq=False)
class _Wide(G711):
    sampleRate: int = 16000


def _wide() -> G711:
    return _Wide(np.arange(256, dtype=np.int16))


def _seconds(text: str) -> float:
    minutes, seconds = text[14:-1].split(":")
    return int(minutes) * 60 + float(seconds)
