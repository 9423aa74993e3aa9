"""
Tests of L{siprec.session.recovery}.
"""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from siprec.ids import RecordingID
from siprec.metrics import Metrics
from siprec.session.interfaces import RendererStopped
from siprec.session.manifest import Manifest, describe, formatTime, readManifest, writeManifest
from siprec.session.model import Segment
from siprec.session.recovery import Recovery, close, lastArrival
from siprec.session.running import Orphan, RunningRecordings
from siprec.testing.control import ImmediateWorkers
from tests.render.journals import audioOf, talk, writeJournal
from tests.session.recordings import NODE, OTHER, START, START_TEXT, FakeRenderer, identity, session
from tests.session.servicecase import metric
from tests.session.test_manifest import KEYS, STREAM_KEYS

NOW = START + 3600
LAST = START + 0.98  # of 50 packets


class RecoveryTestCase(SynchronousTestCase):
    """
    A node has died.
    """

    def setUp(self) -> None:
        self.root = os.path.abspath(self.mktemp())
        self.running = RunningRecordings(self.root, NODE)
        self.running.acquire()
        self.addCleanup(self.running.release)
        self.renderer, self.metrics = FakeRenderer(), Metrics("1.2.3", NODE)
        self.recovery = Recovery(
            self.running, self.renderer, ImmediateWorkers(), lambda: NOW, self.metrics
        )

    def leave(
        self, number: int = 0, journals: tuple[str, ...] = ("1-0.rtpdump",), **changes: Any
    ) -> str:
        """
        Leave a recording behind as a dead node does.

        @return: its directory.
        """
        recording = session(self.root, number, **changes)
        os.makedirs(recording.directory)
        self.running.add(recording.id, recording.directory)
        for name in journals:
            writeJournal(os.path.join(recording.directory, name), talk(50))
        writeManifest(recording.directory, describe(recording), durable=False)
        return recording.directory

    def recover(self) -> None:
        """
        Do what the next start does.
        """
        orphans = self.running.orphans()
        self.successResultOf(Deferred.fromCoroutine(self.recovery.run(orphans)))

    def recovered(self, directory: str) -> Manifest:
        """
        @return: the manifest after the next start.
        """
        self.recover()
        return readManifest(directory)

    def markers(self) -> list[str]:
        """
        @return: the ids that are marked still.
        """
        return sorted(os.listdir(os.path.join(self.root, ".running", NODE)))

    def events(self, manifest: Manifest) -> list[str]:
        """
        @return: the types of a manifest's events.
        """
        return [each["type"] for each in manifest["events"]]

    def orphan(self, number: int = 0) -> Orphan:
        """
        @return: one that was left.
        """
        return Orphan(NODE, identity(number), session(self.root, number).directory)


class RecordingTests(RecoveryTestCase):
    """
    A call was running.
    """

    def test_incomplete(self) -> None:
        """
        It ends with its last packet, its segments are closed, and it has audio
        of all that was captured; since more may have come, it is incomplete.
        """
        directory = self.leave()
        manifest = self.recovered(directory)
        self.assertEqual(manifest.keys(), KEYS)
        self.assertEqual((manifest["state"], manifest["endReason"]), ("incomplete", "nodeDied"))
        self.assertEqual(manifest["endTime"], formatTime(LAST))
        [segment] = manifest["segments"]
        self.assertEqual((segment["end"], segment["files"]), (formatTime(LAST), ["1-0.rtpdump"]))
        [event] = manifest["events"]
        self.assertEqual(event, {"time": formatTime(NOW), "type": "recovered", "node": "node-a"})
        self.assertEqual([each["packets"] for each in manifest["streams"]], [50, 0])
        self.assertEqual(audioOf(directory).shape, (2, 8000))
        self.assertEqual(self.markers(), [])
        self.assertEqual(metric(self.metrics, 'siprec_recordings_total{state="incomplete"}'), 1)
        self.assertEqual(metric(self.metrics, 'siprec_renders_total{result="ok"}'), 1)

    def test_onFinished(self) -> None:
        """
        Who wants to know is told when its manifest is on the disk, and of one that needed
        nothing but its marker removed; before that is.
        """
        told: list[tuple[str, Manifest]] = []

        def finished(directory: str, manifest: Manifest) -> Deferred[None]:
            self.assertIn(manifest["id"], self.markers())
            told.append((directory, manifest))
            return succeed(None)

        self.recovery.onFinished = finished
        directory = self.leave()
        manifest = self.recovered(directory)
        self.assertEqual(told, [(directory, manifest)])
        self.running.add(identity(0), directory)
        self.recover()
        self.assertEqual(told[1:], [(directory, manifest)])

    def test_J7_nothingCame(self) -> None:
        """
        Without a packet it ends where it began.
        """
        manifest = self.recovered(self.leave(journals=()))
        self.assertEqual((manifest["state"], manifest["duration"]), ("incomplete", 0.0))
        self.assertEqual(manifest["endTime"], START_TEXT)
        self.assertEqual(manifest["segments"][0]["files"], [])

    def test_withAnotherNode(self) -> None:
        """
        Journals of a segment that another node has ended stay in the list, and are
        named as missing where they are not here; those of which nobody knows whether
        they ever were are not.
        """
        ended = Segment(OTHER, 1, START - 9, START, ("1-0.rtpdump",))
        running = Segment(NODE, 2, START, files=("2-0.rtpdump", "2-1.rtpdump"))
        manifest = self.recovered(self.leave(journals=("2-0.rtpdump",), segments=(ended, running)))
        files = [each["files"] for each in manifest["segments"]]
        self.assertEqual(files, [["1-0.rtpdump"], ["2-0.rtpdump"]])
        self.assertEqual(manifest["segments"][0]["end"], START_TEXT)
        self.assertEqual(
            manifest["missing"], [{"segment": 1, "node": OTHER, "files": ["1-0.rtpdump"]}]
        )

    def test_newerThanManifest(self) -> None:
        """
        A journal, and a stream, that came after the last manifest was written
        are in the recording.
        """
        directory = self.leave(journals=("1-0.rtpdump", "1-1.rtpdump", "1-2.rtpdump"))
        manifest = readManifest(directory)
        manifest["segments"][0]["files"] = ["1-0.rtpdump"]
        writeManifest(directory, manifest)
        manifest = self.recovered(directory)
        names = ["1-0.rtpdump", "1-1.rtpdump", "1-2.rtpdump"]
        self.assertEqual(manifest["segments"][0]["files"], names)
        self.assertEqual([each["packets"] for each in manifest["streams"]], [50, 50, 50])
        self.assertEqual([each["label"] for each in manifest["streams"]], ["1", "2", None])
        self.assertEqual(audioOf(directory).shape, (3, 8000))

    def test_unreadableJournal(self) -> None:
        """
        A journal that is none does not hide the others.
        """
        directory = self.leave(journals=("1-1.rtpdump",))
        with open(os.path.join(directory, "1-0.rtpdump"), "w") as file:
            file.write("nothing")
        with open(os.path.join(directory, "notes.txt"), "w") as file:
            file.write("nothing")
        with capturedLogs() as logs:
            self.assertEqual(lastArrival(directory), LAST)
        self.assertEqual([each["file"] for each in logs], ["1-0.rtpdump"])

    def test_diedAgain(self) -> None:
        """
        If the recovering node dies as well, the next one goes on from there:
        the end stays as it was found, and is noted once.
        """
        directory = self.leave()
        self.renderer.failure = RendererStopped()
        manifest = self.recovered(directory)
        self.assertEqual((manifest["state"], manifest["audio"]), ("finishing", None))
        self.assertEqual(self.markers(), [identity()])
        self.renderer.failure = None
        manifest = self.recovered(directory)
        self.assertEqual(manifest["state"], "incomplete")
        self.assertEqual(self.events(manifest), ["recovered"])
        self.assertEqual(self.markers(), [])


class FinishingTests(RecoveryTestCase):
    """
    A call had come to its end.
    """

    segments = (Segment(NODE, 1, START, START + 1, ("1-0.rtpdump",)),)

    def test_complete(self) -> None:
        """
        Where only the audio was missing, the recording is complete.
        """
        directory = self.leave(
            state="finishing", endTime=START + 1, endReason="bye", segments=self.segments
        )
        manifest = self.recovered(directory)
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))
        self.assertEqual(manifest["endTime"], formatTime(START + 1))
        self.assertEqual(manifest["events"], [])
        self.assertEqual(audioOf(directory).shape, (2, 8000))
        self.assertEqual(self.markers(), [])

    def test_lostPackets(self) -> None:
        """
        Not where a journal could not be written.
        """
        directory = self.leave(
            state="finishing",
            endTime=START + 1,
            endReason="bye",
            segments=self.segments,
            events=({"time": START, "type": "journalError"},),
        )
        self.assertEqual(self.recovered(directory)["state"], "incomplete")

    def test_withinLastPackets(self) -> None:
        """
        Nor where the node died before it had closed the journals: the last
        packets may be missing.  How the call ended is known, though.
        """
        directory = self.leave(state="finishing", endTime=START + 1, endReason="bye")
        manifest = self.recovered(directory)
        self.assertEqual((manifest["state"], manifest["endReason"]), ("incomplete", "bye"))
        self.assertEqual(manifest["segments"][0]["end"], formatTime(START + 1))
        self.assertEqual(manifest["segments"][0]["files"], ["1-0.rtpdump"])
        self.assertEqual(self.events(manifest), ["recovered"])

    def test_markedOnly(self) -> None:
        """
        One that is complete but for its marker is not rendered again.
        """
        directory = self.leave(state="complete", endReason="bye", segments=self.segments)
        before = readManifest(directory)
        self.assertEqual(self.recovered(directory), before)
        self.assertEqual(self.renderer.directories, [])
        self.assertEqual(self.markers(), [])


class LostManifestTests(RecoveryTestCase):
    """
    The manifest is missing or damaged.
    """

    def test_rebuilt(self) -> None:
        """
        It is rebuilt from the journals' names, with every key; the audio is
        made by guessing.
        """
        journals = ("1-0.rtpdump", "1-1.rtpdump", "2-1.rtpdump")
        for number, raw in enumerate((None, b"", b"{", b'{"schema": 99}')):
            directory = self.leave(number, journals)
            path = os.path.join(directory, "recording.json")
            os.unlink(path)
            if raw is not None:
                with open(path, "wb") as file:
                    file.write(raw)
            for name in ("notes.rtpdump", "1-x.rtpdump", "metadata-1.xml"):
                os.symlink("/dev/null", os.path.join(directory, name))
            manifest = self.recovered(directory)
            self.assertEqual(manifest.keys(), KEYS)
            self.assertEqual(manifest["state"], "incomplete")
            self.assertEqual(manifest["startTime"], START_TEXT)
            self.assertEqual(manifest["endTime"], formatTime(LAST))
            self.assertIsNone(manifest["callID"])
            self.assertEqual(manifest["nodes"], ["node-a"])
            self.assertEqual(
                [each["files"] for each in manifest["segments"]],
                [["1-0.rtpdump", "1-1.rtpdump"], ["2-1.rtpdump"]],
            )
            self.assertEqual(self.events(manifest), ["manifestLost", "recovered"])
            self.assertLessEqual(STREAM_KEYS, manifest["streams"][0].keys())
            self.assertEqual([each["codec"] for each in manifest["streams"]], ["PCMU", "PCMU"])
            audio = audioOf(directory)
            self.assertEqual(audio.shape, (2, 8000))
            self.assertTrue(audio[0].any())
            self.assertEqual(self.markers(), [])

    def test_nothingCame(self) -> None:
        """
        A directory with nothing in it is a recording of length 0.
        """
        directory = self.leave(journals=())
        os.unlink(os.path.join(directory, "recording.json"))
        manifest = self.recovered(directory)
        self.assertEqual((manifest["state"], manifest["streams"]), ("incomplete", []))
        self.assertEqual(len(manifest["segments"]), 1)

    def test_noDirectory(self) -> None:
        """
        A marker without a directory is removed: the node died before it had
        made one.
        """
        self.running.add(identity(), f"{self.root}/2026/01/05/{identity()}")
        self.recover()
        self.assertEqual(self.markers(), [])
        self.assertEqual(self.renderer.directories, [])
        self.assertIsNone(close(self.orphan(), NOW))


class TroubleTests(RecoveryTestCase):
    """
    Not everything can be recovered.
    """

    def test_oneBroken(self) -> None:
        """
        One that cannot be read keeps its marker and does not stop the others.
        """
        broken = self.leave(0)
        os.unlink(f"{broken}/recording.json")
        os.makedirs(f"{broken}/recording.json")
        good = self.leave(1)
        self.assertEqual(self.recovered(good)["state"], "incomplete")
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertEqual(self.markers(), [identity(0)])

    def test_damaged(self) -> None:
        """
        The same for a manifest of our schema that lacks what ours have.
        """
        with open(f"{self.leave(0)}/recording.json", "w") as file:
            file.write('{"schema": 1}')
        self.assertEqual(self.recovered(self.leave(1))["state"], "incomplete")
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_renderFailure(self) -> None:
        """
        What cannot be rendered says why, and is not tried at each start.
        """
        directory = self.leave()
        self.renderer.failure = ValueError("out of paper")
        manifest = self.recovered(directory)
        self.assertEqual(manifest["state"], "incomplete")
        self.assertEqual(self.events(manifest), ["recovered", "renderFailed"])
        self.assertEqual(manifest["events"][1]["reason"], "out of paper")
        self.assertEqual(manifest["endTime"], formatTime(LAST))
        self.assertEqual(self.markers(), [])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(metric(self.metrics, 'siprec_renders_total{result="failed"}'), 1)

    def test_diskFull(self) -> None:
        """
        Audio for which there is no room is left to the next start.
        """
        directory = self.leave()
        self.renderer.failure = OSError(errno.ENOSPC, "full")
        self.assertEqual(self.recovered(directory)["state"], "finishing")
        self.assertEqual(self.markers(), [identity()])
        self.renderer.failure = ValueError("Disk quota exceeded")
        self.recover()
        self.assertEqual(self.markers(), [identity()])
        self.renderer.failure = None
        self.assertEqual(self.recovered(directory)["state"], "incomplete")
        self.assertEqual(len(self.flushLoggedErrors()), 2)

    def test_nodeStops(self) -> None:
        """
        When the node stops, the rest stays marked for its next start.
        """
        for number in range(3):
            self.leave(number)
        self.renderer.failure = RendererStopped()
        self.recover()
        self.assertEqual(len(self.renderer.directories), 1)
        self.assertEqual(self.markers(), [RecordingID(identity(each)) for each in range(3)])
