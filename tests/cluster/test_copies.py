"""
Tests of L{siprec.cluster.copies}.
"""

from __future__ import annotations

import os
from typing import Any

from siprec.cluster.copies import Copies, Copy, NoCopy, keep, reopen
from siprec.cluster.segmentfiles import NotHeld, digests
from siprec.cluster.waiting import WaitingRecordings
from siprec.session.manifest import formatTime, writeManifest
from siprec.session.running import Orphan
from tests.cluster.segmentscase import A, B, SegmentsCase
from tests.session.recordings import START, identity

NOW = START + 500


class CopiesCase(SegmentsCase):
    """
    What is at C{b}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.marks = WaitingRecordings(self.b.root)
        self.marks.open()
        self.copies = Copies(B, self.marks, self.b.running, lambda: NOW)
        self.orphan = Orphan(B, identity(), self.b.directory())

    def change(self, **changes: Any) -> None:
        """
        Change the manifest.
        """
        writeManifest(self.b.directory(), {**self.b.manifest(), **changes})


class KeepTests(CopiesCase):
    """
    L{keep} and L{reopen}.
    """

    def test_kept(self) -> None:
        """
        The manifest says what it is and since when, and says it once.
        """
        self.copy()
        self.assertEqual(keep(self.orphan, (B,), NOW), NOW)
        self.assertEqual(keep(self.orphan, (B,), NOW + 5), NOW)
        manifest = self.b.manifest()
        self.assertEqual((manifest["state"], manifest["endReason"]), ("incomplete", "takenOver"))
        self.assertEqual(manifest["events"], [{"time": formatTime(NOW), "type": "leftToOther"}])

    def test_reopened(self) -> None:
        """
        One that nobody wants is as it was, but remembers since when it was kept.
        """
        self.copy()
        keep(self.orphan, (B,), NOW)
        reopen(self.orphan.directory)
        manifest = self.b.manifest()
        self.assertEqual((manifest["state"], manifest["endReason"]), ("recording", None))
        self.assertEqual(keep(self.orphan, (B,), NOW + 5), NOW)

    def test_notReopened(self) -> None:
        """
        What is no copy is left alone, as is what has no manifest.
        """
        self.copy()
        before = self.b.manifest()
        reopen(self.orphan.directory)
        self.assertEqual(self.b.manifest(), before)
        os.unlink(os.path.join(self.orphan.directory, "recording.json"))
        reopen(self.orphan.directory)
        self.assertNotIn("recording.json", self.b.files())

    def test_noManifest(self) -> None:
        """
        A copy that has lost its manifest has one again.
        """
        self.copy()
        os.unlink(os.path.join(self.orphan.directory, "recording.json"))
        self.assertEqual(keep(self.orphan, (B,), NOW), NOW)
        self.assertEqual(self.b.manifest()["endReason"], "takenOver")

    def test_noCopy(self) -> None:
        """
        What was finished is none, nor what another node has written last, nor what
        makes no sense.
        """
        self.copy()
        wrong: list[dict[str, Any]] = [
            {"state": "complete"},
            {"state": "incomplete", "endReason": "nodeDied"},
            {"segments": []},
            {"segments": [{"node": "a"}]},
            {"events": None},
        ]
        good = self.b.manifest()
        for changes in wrong:
            writeManifest(self.b.directory(), {**good, **changes})
            before = self.b.manifest()
            self.assertRaises(NoCopy, keep, self.orphan, (B,), NOW)
            self.assertEqual(self.b.manifest(), before)


class CopiesTests(CopiesCase):
    """
    L{Copies}.
    """

    def keep(self) -> None:
        """
        Another node asks for what is here.
        """
        copy = self.copies.mark(identity(), self.b.directory())
        if copy is not None:
            self.copies.kept[identity()] = copy

    def test_keep(self) -> None:
        """
        A copy is marked as unfinished, so that the next start finds it again.
        """
        self.copy()
        self.assertEqual(self.copies.find(identity()), self.b.directory())
        for _ in range(2):
            self.keep()
        self.assertEqual(self.b.markers(), [identity()])
        self.assertEqual(self.copies.kept[identity()], Copy(self.orphan, NOW))
        self.assertFalse(self.copies.isBeingWritten(identity()))
        self.assertEqual(self.copies.find(identity()), self.b.directory())

    def test_own(self) -> None:
        """
        A recording in its own right is offered too, but not marked.
        """
        self.copy()
        self.change(state="complete")
        self.keep()
        self.assertEqual((self.b.markers(), self.copies.kept), ([], {}))
        self.assertEqual(
            [each.name for each in self.copies.offers(self.b.directory())],
            ["1-0.rtpdump", "metadata-1.xml"],
        )

    def test_written(self) -> None:
        """
        What is marked as unfinished, and is not kept, is being written.
        """
        self.copy()
        self.b.running.add(identity(), self.b.directory())
        self.assertTrue(self.copies.isBeingWritten(identity()))
        self.copies.forget(identity())
        self.assertFalse(self.copies.isBeingWritten(identity()))

    def test_unknown(self) -> None:
        """
        There need not be such a recording.
        """
        self.assertIsNone(self.copies.find(identity()))
        self.assertTrue(self.copies.isThere())

    def test_remove(self) -> None:
        """
        A copy goes with its marks.
        """
        self.copy()
        self.keep()
        held = digests(self.b.directory(), ["1-0.rtpdump", "metadata-1.xml"])
        self.assertRaises(NotHeld, self.copies.remove, identity(), self.b.directory(), {})
        self.copies.remove(identity(), self.b.directory(), held)
        self.assertEqual((self.b.files(), self.b.markers()), ([], []))

    def test_notRemoved(self) -> None:
        """
        Nothing else is removed: not what is not kept, or not marked as a copy, or was
        finished here meanwhile.
        """
        self.copy()
        directory = self.b.directory()
        held = digests(directory, ["1-0.rtpdump", "metadata-1.xml"])
        self.assertRaises(NoCopy, self.copies.remove, identity(), directory, held)
        self.copies.kept[identity()] = Copy(self.orphan, None)
        self.assertRaises(NoCopy, self.copies.remove, identity(), directory, held)
        self.copies.kept.clear()
        self.keep()
        self.change(state="complete", endReason="bye")
        self.assertRaises(NoCopy, self.copies.remove, identity(), directory, held)
        self.assertIn("1-0.rtpdump", self.b.files())

    def test_removeWithoutManifest(self) -> None:
        """
        A copy whose manifest is damaged can go: all else is with the other node.
        """
        self.copy()
        self.keep()
        directory = self.b.directory()
        held = digests(directory, ["1-0.rtpdump", "metadata-1.xml"])
        with open(os.path.join(directory, "recording.json"), "w") as file:
            file.write("{")
        self.copies.remove(identity(), directory, held)
        self.assertEqual(self.b.files(), [])

    def test_orphanOfAnother(self) -> None:
        """
        What was adopted of another node on the same disk can be a copy, too.
        """
        self.copy()
        adopted = Orphan(A, identity(), self.b.directory())
        self.change(segments=[{**self.b.manifest()["segments"][0], "node": "a"}])
        self.copies.kept[identity()] = Copy(adopted, None)
        self.keep()
        self.assertEqual(self.copies.kept[identity()], Copy(adopted, NOW))
