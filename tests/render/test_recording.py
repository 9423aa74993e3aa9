"""
Tests of L{siprec.render.recording}.
"""

import os
import random

import numpy as np
from attrs import evolve

from siprec.render.recording import renderDirectory
from siprec.session.manifest import readManifest, withRendering, writeManifest
from tests.render.journals import (
    PCMA,
    PCMU,
    audioOf,
    expected,
    linear,
    talk,
    writeRecording,
)
from tests.render.recordingcase import RecordingCase, seconds
from tests.render.test_sessions import entry


class RenderTests(RecordingCase):
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
                        "clock": "arrivals",
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
                        "clock": "arrivals",
                    },
                ],
                "gaps": [],
                "events": [],
                "missing": [],
                "audio": {
                    "file": "audio.wav",
                    "sampleRate": 8000,
                    "channels": 2,
                    "format": "wav",
                    "layout": "channels",
                    "encoding": "PCM_16",
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
        silent = sum(seconds(gap["end"]) - seconds(gap["start"]) for gap in found["gaps"])
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

    def test_J3_announcedPause(self) -> None:
        """
        If the peer had said so, that is a pause and no loss, though both numbers have
        jumped; a loss before it is one.
        """
        before = [each for number, each in enumerate(talk(100)) if number != 50]
        after = talk(100, sequence=1177, timestamp=50_000 + 16_000 + 12_320, begin=3.54, seed=2)
        found = self.render(
            [*before, *after], events=[(1.9, "streamPaused", 0), (3.6, "streamResumed", 0)]
        )
        self.assertEqual(found["streams"][0]["lost"], 1)
        self.assertEqual(
            [(gap["start"][17:23], gap["end"][17:23], gap["cause"]) for gap in found["gaps"]],
            [("01.000", "01.020", "loss"), ("02.000", "03.540", "pause")],
        )

    def test_J3_operatorPause(self) -> None:
        """
        What an operator paused, while the peer went on, is a pause of every stream and no
        loss, however long it was; what comes after it is at its place to the sample.
        """
        whole = talk(4000)
        late = [each for each in talk(4000) if each.sequence - whole[0].sequence >= 3900]
        legs = [[*whole[:100], *late], [*whole[:100], *whole[150:200]]]
        pauses = [(2.0, "recordingPaused", 0), (78.0, "recordingResumed", 0)]
        found = self.render(*legs, events=pauses, end=80.0)
        self.assertEqual([each["lost"] for each in found["streams"]], [0, 0])
        self.assertEqual({each["cause"] for each in found["gaps"]}, {"pause"})
        [gap] = [each for each in found["gaps"] if each["stream"] == 0]
        self.assertEqual((gap["start"][14:23], gap["end"][14:23]), ("00:02.000", "01:18.000"))
        self.assertNotIn("sequenceRestarted", [each["type"] for each in found["events"]])

    def test_A16_pauseWithoutJump(self) -> None:
        """
        A pause after which the numbers go on as if nothing had been is silence just the
        same; so is one that is not resumed, to the end of the call.
        """
        before = talk(100)
        after = talk(100, sequence=1100, timestamp=50_000 + 40_000, begin=5.0, seed=2)
        pauses = [(2.0, "streamHeld", 0), (5.0, "streamReleased", 0), (7.0, "streamPaused", 0)]
        found = self.render([*before, *after], events=pauses, end=9.0)
        self.assertEqual(
            [(gap["start"][17:23], gap["end"][17:23], gap["cause"]) for gap in found["gaps"]],
            [("02.000", "05.000", "hold"), ("07.000", "09.000", "pause")],
        )
        self.assertEqual(found["streams"][0]["lost"], 0)

    def test_shortPause(self) -> None:
        """
        A pause within one second shows by its numbers.
        """
        packets = [each for number, each in enumerate(talk(100)) if not 10 <= number < 25]
        pause = [(0.2, "streamPaused", 0), (0.5, "streamResumed", 0)]
        found = self.render(packets, events=pause)
        self.assertEqual(
            [(gap["start"][17:23], gap["end"][17:23], gap["cause"]) for gap in found["gaps"]],
            [("00.200", "00.500", "pause")],
        )
        self.assertEqual(found["streams"][0]["lost"], 0)

    def test_split(self) -> None:
        """
        A recording of two communication sessions also gives a file of each, cut at the
        times that the metadata tells.
        """
        packets = talk(200)
        writeRecording(self.directory, {"1-0.rtpdump": packets}, end=4.0)
        manifest = readManifest(self.directory)
        manifest["timeline"] = [
            entry(0, "S1"),
            entry(1.5, "S1", "sessionEnded", stated=1.25),
            entry(2, "S2"),
        ]
        writeManifest(self.directory, manifest)
        found = renderDirectory(self.directory, split="session")
        parts = found["audio"]["parts"]
        self.assertEqual(
            [(each["session"], each["file"], each["duration"]) for each in parts],
            [("S1", "audio-1.wav", 1.25), ("S2", "audio-2.wav", 2.0)],
        )
        self.assertEqual(parts[1]["start"], "2026-01-05T09:00:02.000000Z")
        whole = audioOf(self.directory)[0]
        np.testing.assert_array_equal(audioOf(self.directory, "audio-1.wav")[0], whole[:10_000])
        np.testing.assert_array_equal(audioOf(self.directory, "audio-2.wav")[0], whole[16_000:])
        self.assertNotIn("parts", renderDirectory(self.directory)["audio"])

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
        self.assertEqual(found["streams"][0]["packets"], 300)
        self.assertEqual(found["streams"][0]["duplicates"], 0)
        self.assertEqual(found["events"], [])
