"""
Tests of L{siprec.session.manifest}.
"""

from __future__ import annotations

import json
import os

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from siprec.session.manifest import (
    BadManifest,
    Manifest,
    describe,
    formatTime,
    isWhole,
    nodeChangeSeconds,
    readManifest,
    syncDirectory,
    withRendering,
    writeManifest,
)
from siprec.session.model import Segment, Speaker
from tests.session.recordings import NODE, START, START_TEXT, session

# The contract with everybody who reads recordings.
KEYS = {
    *("schema", "id", "state", "callID", "sessions", "startTime", "endTime", "duration"),
    *("nodes", "participants", "streams", "segments", "gaps", "events", "paused", "sip"),
    *("vendor", "metadata", "audio", "endReason", "timeline"),
}
STREAM_KEYS = {
    *("index", "label", "channel", "participant", "codec", "payloadType", "clockRate", "ssrcs"),
    *("packets", "lost", "duplicates", "reordered", "jitter", "firstPacket", "lastPacket"),
    *("clock", "formats", "kind", "speakers"),
}


class DescribeTests(SynchronousTestCase):
    """
    What the manifest says before anything is rendered.
    """

    def test_keys(self) -> None:
        """
        Every key of the contract is there from the beginning.
        """
        manifest = describe(session("/r"))
        self.assertEqual(manifest.keys(), KEYS)
        self.assertLessEqual(STREAM_KEYS, manifest["streams"][0].keys())
        self.assertEqual(manifest["segments"][0].keys(), {"node", "epoch", "start", "end", "files"})
        self.assertEqual(manifest["participants"][0].keys(), {"id", "name", "aor", "streams"})
        self.assertLessEqual({"file", "time", "mode", "status"}, manifest["metadata"][0].keys())

    def test_values(self) -> None:
        """
        Times are text, and what is not known yet is null.
        """
        manifest = describe(session("/r"))
        self.assertEqual(manifest["schema"], 1)
        self.assertEqual(manifest["state"], "recording")
        self.assertEqual(manifest["startTime"], START_TEXT)
        self.assertEqual(manifest["nodes"], ["node-a"])
        self.assertEqual(manifest["segments"][0]["start"], START_TEXT)
        for key in ("endTime", "duration", "audio", "endReason"):
            self.assertIsNone(manifest[key])

    def test_end(self) -> None:
        """
        The end and the events have the same form of time.
        """
        events = ({"time": START, "type": "bye", "reason": "Q.850"},)
        recording = session(
            "/r",
            endTime=START + 1.5,
            endReason="bye",
            events=events,
            segments=(Segment(NODE, 1, START, START + 1),),
        )
        manifest = describe(recording)
        self.assertEqual(manifest["endTime"], "2026-01-05T09:00:01.500000Z")
        self.assertEqual(manifest["segments"][0]["end"], "2026-01-05T09:00:01.000000Z")
        self.assertEqual(
            manifest["events"], [{"time": START_TEXT, "type": "bye", "reason": "Q.850"}]
        )

    def test_speakers(self) -> None:
        """
        Whoever is still heard at the end was heard until then.
        """
        recording = session("/r")
        first, second = recording.streams
        speakers = (Speaker("p1", "1", START, START + 1, "label"), Speaker("p2", "1", START + 1))
        recording = evolve(recording, streams=(evolve(first, speakers=speakers), second))
        described = describe(recording)["streams"][0]["speakers"]
        self.assertEqual(
            described[0],
            {
                "participant": "p1",
                "label": "1",
                "start": START_TEXT,
                "end": "2026-01-05T09:00:01.000000Z",
                "confidence": "label",
            },
        )
        self.assertIsNone(described[1]["end"])
        over = describe(evolve(recording, endTime=START + 3))["streams"][0]["speakers"]
        self.assertEqual(
            [each["end"][17:23] for each in over],
            ["01.000", "03.000"],
        )

    def test_timeline(self) -> None:
        """
        What the metadata told is in the timeline, and not among the events.
        """
        joined = {"time": START + 1, "type": "participantJoined", "participant": "p1"}
        manifest = describe(session("/r", history=(joined,)))
        self.assertEqual(manifest["events"], [])
        [entry] = manifest["timeline"]
        self.assertEqual((entry["at"], entry["type"], entry["participant"]), (1.0, "join", "p1"))

    def test_codec(self) -> None:
        """
        The first accepted format is the stream's until the packets tell which
        one it was; a stream of which nothing is known has none.
        """
        recording = session("/r")
        first, second = recording.streams
        recording = evolve(recording, streams=(first, evolve(second, formats=())))
        one, two = describe(recording)["streams"]
        self.assertEqual((one["codec"], one["payloadType"], one["clockRate"]), ("PCMU", 0, 8000))
        self.assertEqual([each["payloadType"] for each in one["formats"]], [0, 8])
        self.assertEqual((two["codec"], two["formats"]), (None, []))


class RenderingTests(SynchronousTestCase):
    """
    What the journals told.
    """

    rendering = {
        "duration": 2.5,
        "streams": [{"index": 1, "packets": 7, "codec": "PCMA"}],
        "gaps": [{"start": START_TEXT, "end": START_TEXT, "stream": 1, "cause": "loss"}],
        "events": [{"time": "2026-01-05T09:00:01.000000Z", "type": "sourceChanged", "stream": 1}],
        "audio": {"file": "audio.wav"},
    }

    def test_merged(self) -> None:
        """
        Each stream gets what was found for its index; the others, and the
        manifest given, are as before.
        """
        before = describe(session("/r"))
        manifest = withRendering(before, self.rendering, "complete")
        self.assertEqual(manifest.keys(), KEYS)
        self.assertEqual(manifest["state"], "complete")
        self.assertEqual(manifest["duration"], 2.5)
        self.assertEqual([each["packets"] for each in manifest["streams"]], [0, 7])
        self.assertEqual([each["codec"] for each in manifest["streams"]], ["PCMU", "PCMA"])
        self.assertEqual(manifest["streams"][1]["label"], "2")
        self.assertEqual(before["state"], "recording")
        self.assertEqual(before["streams"][1]["packets"], 0)

    def test_twice(self) -> None:
        """
        Rendering again replaces what the first rendering found: nothing is in
        it twice.
        """
        events = tuple({"time": START + each, "type": "note"} for each in (0, 2))
        before = describe(session("/r", events=events))
        once = withRendering(before, self.rendering, "complete")
        self.assertEqual(
            [each["type"] for each in once["events"]], ["note", "sourceChanged", "note"]
        )
        self.assertEqual(withRendering(once, self.rendering, "complete"), once)


class NodeChangeTests(SynchronousTestCase):
    """
    Gaps from one segment to the next: the first ends 10 s after the start, the
    second begins at 13 s.
    """

    def _cause(self, begin: float, end: float, left: float | None = START + 10) -> str:
        segments = (Segment(NODE, 1, START, left), Segment(NODE, 2, START + 13, START + 20))
        gap = {
            "start": formatTime(START + begin),
            "end": formatTime(START + end),
            "stream": 0,
            "cause": "loss",
        }
        rendering = {**RenderingTests.rendering, "gaps": [gap]}
        before = describe(session("/r", segments=segments))
        [found] = withRendering(before, rendering, "complete")["gaps"]
        self.assertEqual({**found, "cause": "loss"}, gap)
        self.assertEqual(gap["cause"], "loss")
        return str(found["cause"])

    def test_between(self) -> None:
        """
        What is missing while nobody captured is missing because of that.
        """
        for begin, end in ((10.0, 13.0), (10.1, 12.9), (12.0, 14.0)):
            self.assertEqual(self._cause(begin, end), "nodeChange", (begin, end))

    def test_lastVisit(self) -> None:
        """
        The streams of a node that dies do not end in the same moment: one may
        have been visited a little earlier than the others.
        """
        self.assertEqual(self._cause(9.7, 13.0), "nodeChange")

    def test_loss(self) -> None:
        """
        What was missing before the end, or is missing after the begin, is lost.
        """
        for begin, end in ((5.0, 6.0), (5.0, 13.0), (9.7, 9.9), (13.0, 14.0), (15.0, 16.0)):
            self.assertEqual(self._cause(begin, end), "loss", (begin, end))

    def test_open(self) -> None:
        """
        A segment without an end says nothing of what follows it.
        """
        self.assertEqual(self._cause(10.0, 13.0, None), "loss")


class NodeChangeSecondsTests(SynchronousTestCase):
    """
    How long streams were without media because the call changed its node.
    """

    def _seconds(self, *gaps: tuple[float, float, str]) -> float:
        found = [
            {"start": formatTime(START + begin), "end": formatTime(START + end), "cause": cause}
            for begin, end, cause in gaps
        ]
        return nodeChangeSeconds({**describe(session("/r")), "gaps": found})

    def test_sum(self) -> None:
        """
        The gaps of all streams are added up; other causes do not count.
        """
        change = "nodeChange"
        self.assertEqual(self._seconds(), 0)
        self.assertAlmostEqual(
            self._seconds((1, 1.5, change), (1, 1.25, change), (2, 9, "loss")), 0.75
        )

    def test_backwards(self) -> None:
        """
        One that ends before it begins, as a clock was set, is none.
        """
        self.assertEqual(self._seconds((2, 1, "nodeChange")), 0)


class WholeTests(SynchronousTestCase):
    """
    Whether anything but the audio can be missing.
    """

    def setUp(self) -> None:
        segments = (Segment(NODE, 1, START, START + 1),)
        self.manifest = describe(session("/r", segments=segments, endReason="bye"))

    def test_whole(self) -> None:
        """
        A recording that came to its end is whole, with or without audio.
        """
        self.assertTrue(isWhole(self.manifest))

    def test_open(self) -> None:
        """
        A segment without an end may lack packets.
        """
        self.manifest["segments"][0]["end"] = None
        self.assertFalse(isWhole(self.manifest))

    def test_journals(self) -> None:
        """
        A packet that is in no journal is missing, and so may be those of a
        journal that could not be written to the disk.
        """
        self.assertFalse(isWhole({**self.manifest, "streams": [{"index": 0, "unwritten": 1}]}))
        event = {"time": START_TEXT, "type": "journalError"}
        self.assertFalse(isWhole({**self.manifest, "events": [event]}))

    def test_recovered(self) -> None:
        """
        What a dead node had not yet taken from the kernel is missing.
        """
        self.manifest["events"].append({"time": START_TEXT, "type": "recovered"})
        self.assertFalse(isWhole(self.manifest))


class FileTests(SynchronousTestCase):
    """
    C{recording.json} on the disk.
    """

    def setUp(self) -> None:
        self.directory = self.mktemp()
        os.makedirs(self.directory)

    def raw(self) -> bytes:
        with open(os.path.join(self.directory, "recording.json"), "rb") as file:
            return file.read()

    def test_roundTrip(self) -> None:
        """
        What was written is read; text of any language stays readable.
        """
        manifest = describe(session("/r", vendor={"type": "Ānn 日本"}))
        for durable in (True, False):
            writeManifest(self.directory, manifest, durable=durable)
            self.assertEqual(readManifest(self.directory), manifest)
        self.assertIn("Ānn 日本".encode(), self.raw())
        self.assertEqual(os.listdir(self.directory), ["recording.json"])

    def test_lines(self) -> None:
        """
        One that is finished is in lines, for people; one that will be replaced soon is
        not.
        """
        for state, lines in (("recording", 1), ("finishing", 1), ("complete", 2)):
            writeManifest(self.directory, describe(session("/r", state=state)))
            self.assertEqual(min(self.raw().count(b"\n"), 2), lines)

    def test_foreignBytes(self) -> None:
        """
        Bytes of a header that are no UTF-8 survive, in a file that is valid
        JSON and valid UTF-8, whatever stands before them.
        """
        for head in (b"caf", b"back\\", b'quote"', b"\\\\"):
            received = head + b"\xe9\xff\x80"
            text = received.decode("utf-8", "surrogateescape")
            manifest = describe(session("/r", sip={"headers": {"X-Name": [text]}}))
            writeManifest(self.directory, manifest)
            self.raw().decode("utf-8")
            value = json.loads(self.raw())["sip"]["headers"]["X-Name"][0]
            self.assertEqual(value.encode("utf-8", "surrogateescape"), received)
            again = readManifest(self.directory)
            writeManifest(self.directory, again)
            self.assertEqual(readManifest(self.directory), manifest)

    def test_atomic(self) -> None:
        """
        A write that fails leaves the manifest as it was, and no temporary.
        """
        old = describe(session("/r"))
        writeManifest(self.directory, old)
        path = os.path.join(self.directory, "recording.json")
        # Neither a link to nowhere nor a device can be written.
        for target in ("/dev/full", os.path.join(self.directory, "nowhere", "file")):
            os.symlink(target, f"{path}.new")
            self.assertRaises(OSError, writeManifest, self.directory, {**old, "state": "complete"})
            self.assertEqual(readManifest(self.directory), old)
            if os.path.lexists(f"{path}.new"):
                os.unlink(f"{path}.new")
        self.assertEqual(os.listdir(self.directory), ["recording.json"])

    def test_temporaryRemoved(self) -> None:
        """
        Also one that was written but could not take the manifest's place.
        """
        os.makedirs(os.path.join(self.directory, "recording.json", "in the way"))
        self.assertRaises(OSError, writeManifest, self.directory, describe(session("/r")))
        self.assertEqual(os.listdir(self.directory), ["recording.json"])

    def test_bad(self) -> None:
        """
        What is not ours is refused, and says which directory and why.
        """
        for raw, why in (
            (b"{", "not JSON"),
            (b"\xff", "not JSON"),
            (b"[]", "schema"),
            (b"{}", "schema"),
            (b'{"schema": 2}', "schema"),
        ):
            with open(os.path.join(self.directory, "recording.json"), "wb") as file:
                file.write(raw)
            error = self.assertRaises(BadManifest, readManifest, self.directory)
            self.assertIn(why, str(error))
            self.assertIn(self.directory, str(error))

    def test_absent(self) -> None:
        """
        There is a difference between none and a bad one.
        """
        self.assertRaises(FileNotFoundError, readManifest, self.directory)
        self.assertRaises(OSError, writeManifest, self.mktemp(), Manifest())
        self.assertRaises(OSError, syncDirectory, self.mktemp())
