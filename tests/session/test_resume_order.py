"""
Tests of L{siprec.session.resume}: what comes first.
"""

from __future__ import annotations

import os
import shutil

from siprec.session.manifest import readManifest, writeManifest
from siprec.session.recordings import NoRoom
from tests.session.recordings import NODE, OTHER, START, HeldWorkers
from tests.session.test_resume import ResumeTestCase


class OrderTests(ResumeTestCase):
    """
    What comes first while the workers are busy with other calls.
    """

    def setUp(self) -> None:
        super().setUp()
        self.workers = HeldWorkers()
        self.die()

    def tearDown(self) -> None:
        self.workers.work()

    def test_captureFirst(self) -> None:
        """
        The capture begins when the names in the directory are known, and with a
        number that no journal has; what is in the files comes later.
        """
        os.rename(self.path("1-1.rtpdump"), self.path("4-1.rtpdump"))
        resuming = self.resuming()
        self.assertEqual((len(self.ports.taken), self.capture.attached), (2, []))
        self.workers.work()
        attached = [os.path.basename(each.path) for each in self.capture.attached]
        self.assertEqual(attached, ["5-0.rtpdump", "5-1.rtpdump"])
        self.assertNoResult(resuming)
        self.workers.work()
        live = self.successResultOf(resuming)
        ends = [each.end for each in live.recording.segments]
        self.assertEqual(ends[-1], None)
        self.assertTrue(all(end is not None and end > START + 1.9 for end in ends[:-1]), ends)

    def test_heldUp(self) -> None:
        """
        A segment of which only the manifest knows has its number, even if the process
        that opened it has no packet yet.
        """
        manifest = readManifest(self.directory)
        [first] = manifest["segments"]
        manifest["segments"].append({**first, "node": OTHER, "files": ["2-0.rtpdump"]})
        writeManifest(self.directory, manifest)
        resuming = self.resuming()
        self.workers.work()
        self.workers.work()
        segments = self.successResultOf(resuming).recording.segments
        self.assertEqual([each.node for each in segments], [NODE, OTHER, NODE])
        self.assertEqual(
            [each.files for each in segments],
            [("1-0.rtpdump", "1-1.rtpdump"), (), ("3-0.rtpdump", "3-1.rtpdump")],
        )

    def test_failsLater(self) -> None:
        """
        Files that cannot be read end the capture that has begun.
        """
        resuming = self.resuming()
        self.workers.work()
        shutil.rmtree(self.directory)
        self.workers.work()
        self.assertIn(self.directory, str(self.failureResultOf(resuming, NoRoom).value))
        self.assertEqual((self.ports.taken, self.capture.attached), ([], []))
        self.assertEqual(self.service.recordings, {})

    def test_journalFails(self) -> None:
        """
        What goes wrong with a journal meanwhile is in the manifest all the same.
        """
        resuming = self.resuming()
        self.workers.work()
        self.capture.attached[1].error = "No space left on device"
        self.workers.work()
        event = self.successResultOf(resuming).recording.events[-2]
        self.assertEqual(
            (event["type"], event["file"], event["reason"]),
            ("journalError", "2-1.rtpdump", "No space left on device"),
        )
