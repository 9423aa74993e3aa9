"""
Tests of L{siprec.session.files}.
"""

from __future__ import annotations

import os

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.session.files import (
    RecordingFiles,
    createRecording,
    removeRecording,
    removeUnused,
)
from siprec.session.interfaces import IRenderer, IWorkers
from siprec.session.manifest import Manifest, describe, readManifest
from siprec.session.running import RunningRecordings
from siprec.store.interfaces import ISnapshotStore
from tests.session.recordings import (
    NODE,
    FakeRenderer,
    FakeStore,
    HeldWorkers,
    session,
)


class FakeTests(SynchronousTestCase):
    """
    The fakes of these tests are what they stand for.
    """

    def test_interfaces(self) -> None:
        """
        They provide the interfaces.
        """
        verifyObject(IWorkers, HeldWorkers())
        verifyObject(IRenderer, FakeRenderer())
        verifyObject(ISnapshotStore, FakeStore())

    def test_store(self) -> None:
        """
        The store keeps and lists nothing while it is away.
        """
        store = FakeStore()
        self.assertEqual(self.successResultOf(store.list()), [])
        store.away = True
        self.failureResultOf(store.list())
        self.failureResultOf(store.load("x"))


class CreateTests(SynchronousTestCase):
    """
    The begin of a recording on disk.
    """

    def setUp(self) -> None:
        self.root = os.path.abspath(self.mktemp())
        self.running = RunningRecordings(self.root, NODE)
        self.running.acquire()
        self.addCleanup(self.running.release)
        self.recording = session(self.root)
        self.manifest = describe(self.recording)

    def markers(self) -> list[str]:
        return os.listdir(os.path.join(self.root, ".running", NODE))

    def create(self, *documents: tuple[str, bytes]) -> None:
        createRecording(self.recording, self.manifest, list(documents), self.running)

    def test_created(self) -> None:
        """
        Marker, directory, documents byte for byte, manifest.
        """
        self.create(("metadata-1.xml", b"\xff\0<"))
        self.assertEqual(self.markers(), [self.recording.id])
        self.assertEqual(readManifest(self.recording.directory), self.manifest)
        with open(os.path.join(self.recording.directory, "metadata-1.xml"), "rb") as file:
            self.assertEqual(file.read(), b"\xff\0<")

    def test_removed(self) -> None:
        """
        Undoing it leaves nothing; so does undoing it twice.
        """
        self.create(("metadata-1.xml", b""))
        for _ in range(2):
            removeRecording(self.recording, self.running)
            self.assertFalse(os.path.exists(self.recording.directory))
            self.assertEqual(self.markers(), [])

    def test_noMarker(self) -> None:
        """
        If the marker cannot be written there is neither marker nor directory.
        """
        marker = os.path.join(self.root, ".running", NODE, self.recording.id)
        os.symlink("/dev/full", marker)
        self.assertRaises(OSError, self.create)
        self.assertEqual(self.markers(), [])
        self.assertFalse(os.path.exists(self.recording.directory))

    def test_noDirectory(self) -> None:
        """
        If the directory cannot be made there is no marker.
        """
        with open(os.path.join(self.root, "2026"), "w"):
            pass
        self.assertRaises(OSError, self.create)
        self.assertEqual(self.markers(), [])

    def test_noDocument(self) -> None:
        """
        If a document cannot be written nothing of the others is left either.
        """
        self.assertRaises(OSError, self.create, ("1.xml", b""), ("no/2.xml", b""))
        self.assertEqual(self.markers(), [])
        self.assertFalse(os.path.exists(self.recording.directory))

    def test_noJSON(self) -> None:
        """
        The same for an error that nothing had foreseen.
        """
        self.manifest["sip"] = object()
        self.assertRaises(TypeError, self.create)
        self.assertEqual(self.markers(), [])
        self.assertFalse(os.path.exists(self.recording.directory))

    def test_inTheWay(self) -> None:
        """
        A directory that was there before is not ours to remove.
        """
        os.makedirs(os.path.join(self.recording.directory))
        with open(os.path.join(self.recording.directory, "1-0.rtpdump"), "w"):
            pass
        self.assertRaises(OSError, self.create)
        self.assertEqual(os.listdir(self.recording.directory), ["1-0.rtpdump"])


class UnusedTests(SynchronousTestCase):
    """
    The removal of a directory into which nothing was recorded.
    """

    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.makedirs(self.directory)

    def put(self, name: str) -> None:
        """
        Make a file.
        """
        with open(os.path.join(self.directory, name), "w"):
            pass

    def test_unused(self) -> None:
        """
        With a manifest or without, it is removed, and it may be gone already.
        """
        for names in ((), ("recording.json",)):
            os.makedirs(self.directory, exist_ok=True)
            for name in names:
                self.put(name)
            for _ in range(2):
                self.assertTrue(removeUnused(self.directory))
                self.assertFalse(os.path.exists(self.directory))

    def test_used(self) -> None:
        """
        With anything else in it, it stays as it is.
        """
        for name in ("1-0.rtpdump", "metadata-1.xml", "notes"):
            self.put("recording.json")
            self.put(name)
            self.assertFalse(removeUnused(self.directory))
            self.assertEqual(sorted(os.listdir(self.directory)), sorted(["recording.json", name]))
            os.unlink(os.path.join(self.directory, name))

    def test_error(self) -> None:
        """
        What cannot be removed is an error.
        """
        os.rmdir(self.directory)
        with open(self.directory, "w"):
            pass
        self.assertRaises(OSError, removeUnused, self.directory)


class FilesTests(SynchronousTestCase):
    """
    The files of a recording that runs.
    """

    def setUp(self) -> None:
        root = os.path.abspath(self.mktemp())
        self.recording = session(root)
        self.directory = self.recording.directory
        os.makedirs(self.directory)
        self.workers = HeldWorkers()
        self.errors: list[Failure] = []
        self.number = 0
        self.described: list[int] = []
        self.files = RecordingFiles(self.directory, self.workers, self.describe, self.errors.append)

    def describe(self) -> Manifest:
        """
        @return: the manifest with the number of the last change.
        """
        self.described.append(self.number)
        return {**describe(self.recording), "number": self.number}

    def change(self, times: int = 1) -> None:
        """
        Change something, and say so.
        """
        for _ in range(times):
            self.number += 1
            self.files.manifestChanged()

    def onDisk(self) -> int:
        """
        @return: the number of the change that is on the disk.
        """
        number: int = readManifest(self.directory)["number"]
        return number

    def breakDirectory(self) -> None:
        """
        Make that nothing can be written.
        """
        os.rename(self.directory, f"{self.directory}.away")

    def mendDirectory(self) -> None:
        """
        Undo L{breakDirectory}.
        """
        os.rename(f"{self.directory}.away", self.directory)

    def test_unsynced(self) -> None:
        """
        Until it was handed to the disk a manifest would not outlive a power cut; once one
        was, it is only replaced by another one that does.
        """
        synced: list[str] = []
        self.patch(os, "fsync", lambda number: synced.append("fsync"))
        self.assertTrue(self.files.unsynced)
        self.change()
        self.workers.work()
        self.assertEqual(synced, [])
        self.files.syncing()
        self.assertFalse(self.files.unsynced)
        self.change()
        self.workers.work()
        self.assertEqual(synced, ["fsync"])
        self.assertTrue(self.files.unsynced)
        done = self.files.finish(self.describe())
        self.workers.work()
        self.successResultOf(done)
        self.assertFalse(self.files.unsynced)

    def test_unfinished(self) -> None:
        """
        The last manifest of all takes away what an earlier process had not finished.
        """
        names = (".audio.wav.1-a.unfinished", "metadata-9.xml.new")
        for name in names:
            with open(f"{self.directory}/{name}", "w"):
                pass
        self.change()
        self.workers.work()
        self.assertLess(set(names), set(os.listdir(self.directory)))
        done = self.files.finish(self.describe())
        self.workers.work()
        self.successResultOf(done)
        self.assertEqual(os.listdir(self.directory), ["recording.json"])

    def test_documentInTheWay(self) -> None:
        """
        A document that cannot be written leaves nothing behind.
        """
        os.makedirs(f"{self.directory}/metadata-2.xml/in the way")
        self.files.writeDocument("metadata-2.xml", b"<x/>")
        self.workers.work()
        self.assertEqual(len(self.errors), 1)
        self.assertNotIn("metadata-2.xml.new", os.listdir(self.directory))

    def test_discard(self) -> None:
        """
        A directory that was made for nothing is removed after all writes that are
        under way; there is none later.
        """
        self.files.isNew = True
        self.change(3)
        discarded = self.files.discard()
        self.assertNoResult(discarded)
        while self.workers.work():
            pass
        self.assertTrue(self.successResultOf(discarded))
        self.assertFalse(os.path.exists(self.directory))

    def test_notNew(self) -> None:
        """
        One that was there before stays.
        """
        self.assertFalse(self.successResultOf(self.files.discard()))
        self.assertTrue(os.path.exists(self.directory))

    def test_burst(self) -> None:
        """
        While a write is at work, any number of changes is one write: of the
        last.
        """
        self.change(100)
        self.assertEqual(self.described, [1])
        self.assertEqual(self.workers.work(), 1)
        self.assertEqual(self.onDisk(), 1)
        self.assertEqual(self.workers.work(), 1)
        self.assertEqual(self.onDisk(), 100)
        self.assertEqual(self.described, [1, 100])
        self.assertEqual(self.workers.work(), 0)

    def test_changeWithinWrite(self) -> None:
        """
        A change that comes while a write is at work is not lost.
        """
        self.change()
        self.change()
        self.workers.work()
        self.change()
        self.workers.work()
        self.assertEqual(self.onDisk(), 2)
        self.workers.work()
        self.assertEqual(self.onDisk(), 3)

    def test_order(self) -> None:
        """
        Writes do not overtake each other: the final one comes after all that
        was asked for before, and only one is at work at a time.
        """
        self.change(2)
        finished = self.files.finish({**self.describe(), "number": -1})
        for expected in (1, 2):
            self.assertEqual(len(self.workers.waiting), 1)
            self.assertNoResult(finished)
            self.workers.work()
            self.assertEqual(self.onDisk(), expected)
        self.workers.work()
        self.successResultOf(finished)
        self.assertEqual(self.onDisk(), -1)

    def test_document(self) -> None:
        """
        A document is on the disk before the manifest that names it.
        """
        self.files.writeDocument("metadata-1.xml", b"<a/>")
        self.assertEqual(os.listdir(self.directory), [])
        self.workers.work()
        with open(os.path.join(self.directory, "metadata-1.xml"), "rb") as file:
            self.assertEqual(file.read(), b"<a/>")
        self.assertEqual(self.onDisk(), 0)

    def test_error(self) -> None:
        """
        What cannot be written is told, and tried again with the next change:
        the manifest and the document.
        """
        self.breakDirectory()
        self.files.writeDocument("metadata-1.xml", b"<a/>")
        self.workers.work()
        [failure] = self.errors
        failure.trap(OSError)
        self.mendDirectory()
        self.assertEqual(os.listdir(self.directory), [])
        self.change()
        self.workers.work()
        self.assertEqual(sorted(os.listdir(self.directory)), ["metadata-1.xml", "recording.json"])
        self.assertEqual(self.onDisk(), 1)
        self.assertEqual(len(self.errors), 1)

    def test_writtenOnce(self) -> None:
        """
        A document that is on the disk is not written again.
        """
        self.files.writeDocument("metadata-1.xml", b"<a/>")
        self.workers.work()
        os.unlink(os.path.join(self.directory, "metadata-1.xml"))
        self.change()
        self.workers.work()
        self.assertEqual(os.listdir(self.directory), ["recording.json"])

    def test_badDescription(self) -> None:
        """
        An error in describing the recording is told as well, and does not
        stop the writes after it.
        """
        self.recording = None  # type: ignore[assignment]
        self.change()
        [failure] = self.errors
        failure.trap(AttributeError)
        self.assertEqual(self.workers.waiting, [])
        self.recording = session("/r")
        self.change()
        self.workers.work()
        self.assertEqual(self.onDisk(), 2)

    def test_finish(self) -> None:
        """
        The final write takes with it what could not be written before; that a
        document was deleted by hand does not hold it up.
        """
        self.breakDirectory()
        self.files.writeDocument("metadata-2.xml", b"<b/>")
        self.workers.work()
        self.mendDirectory()
        finished = self.files.finish({**self.describe(), "number": -1})
        self.workers.work()
        self.successResultOf(finished)
        self.assertEqual(sorted(os.listdir(self.directory)), ["metadata-2.xml", "recording.json"])

    def test_settled(self) -> None:
        """
        What has settled is not written again.
        """
        self.files.settled()
        self.change()
        self.files.writeDocument("late.xml", b"<late/>")
        self.assertEqual((self.workers.waiting, self.described), ([], []))

    def test_settledMeanwhile(self) -> None:
        """
        Nor are changes that wait for their turn then.
        """
        self.change()
        self.change()
        self.files.settled()
        while self.workers.waiting:
            self.workers.work()
        self.assertEqual(self.onDisk(), 1)

    def test_final(self) -> None:
        """
        After a manifest of a recording that is finished nothing is written but another one
        of the kind: what happens to the node meanwhile must not take its place.
        """
        final = {**describe(self.recording), "state": "complete", "number": 5}
        self.files.finish(final)
        self.change()
        while self.workers.waiting:
            self.workers.work()
        self.assertEqual(self.onDisk(), 5)
        self.files.finish({**final, "number": 6})
        self.workers.work()
        self.assertEqual(self.onDisk(), 6)

    def test_syncers(self) -> None:
        """
        What waits for the disk keeps no other recording waiting: it is done elsewhere.
        """
        self.files.syncers = syncers = HeldWorkers()
        self.change(1)
        self.workers.work()
        finished = self.files.finish({**self.describe(), "number": -1})
        self.assertEqual(self.workers.waiting, [])
        syncers.work()
        self.successResultOf(finished)
        self.assertEqual(self.onDisk(), -1)

    def test_finishFails(self) -> None:
        """
        If the final write fails, whoever asked for it is told, and can ask
        again.
        """
        self.breakDirectory()
        finished = self.files.finish(self.describe())
        self.workers.work()
        self.failureResultOf(finished, OSError)
        self.assertEqual(self.errors, [])
        self.mendDirectory()
        again = self.files.finish(self.describe())
        self.workers.work()
        self.successResultOf(again)
