"""
Tests of L{siprec.session.syncing}.
"""

from __future__ import annotations

import os
import shutil

from twisted.logger import capturedLogs

from siprec.session import syncing
from siprec.session.live import LiveRecording
from siprec.session.syncing import Syncing, syncRecordings
from tests.session.recordings import HeldWorkers
from tests.session.servicecase import ServiceTestCase


class SyncingTests(ServiceTestCase):
    """
    Recordings run, and are handed to the disk every five seconds.
    """

    def setUp(self) -> None:
        super().setUp()
        self.held = HeldWorkers()
        self.syncing = self.make(5.0)
        self.addCleanup(self.stop)

    def make(self, period: float) -> Syncing:
        """
        @return: what does it; it runs until the test ends.
        """
        made = Syncing(
            self.clock,
            self.held,
            self.running,
            lambda: self.service.recordings.values(),
            period,
        )
        made.startService()
        return made

    def unsynced(self, live: LiveRecording) -> bool:
        """
        @return: whether a power cut would lose something.
        """
        assert live.files is not None
        return live.files.unsynced

    def stop(self) -> None:
        """
        Stop it.
        """
        while self.held.work():
            pass
        self.successResultOf(self.syncing.stopService())

    def test_changed(self) -> None:
        """
        All that has changed is handed over at once, and nothing if nothing has.
        """
        first, second = self.begin(), self.begin()
        self.clock.advance(5.0)
        self.assertTrue(self.held.work())
        self.assertFalse(self.unsynced(first) or self.unsynced(second))
        self.clock.advance(5.0)
        self.assertEqual(self.held.waiting, [])
        second.event("something")
        self.assertTrue(self.unsynced(second))
        self.clock.advance(5.0)
        self.assertEqual(len(self.held.waiting), 1)

    def test_slowDisk(self) -> None:
        """
        The next time is not before the last one has ended, what changed meanwhile is
        not forgotten, and how long the longest took is known.
        """
        live = self.begin()
        self.clock.advance(5.0)
        live.event("something")
        self.clock.pump([1.0] * 20)
        self.assertEqual(len(self.held.waiting), 1)
        self.held.work()
        self.assertEqual(self.syncing.longest, 20.0)
        self.assertTrue(self.unsynced(live))
        self.clock.advance(5.0)
        self.assertEqual(len(self.held.waiting), 1)

    def test_never(self) -> None:
        """
        With a period of 0 the system decides.
        """
        self.successResultOf(self.syncing.stopService())
        self.syncing = self.make(0.0)
        self.begin()
        self.clock.advance(60.0)
        self.assertEqual(self.held.waiting, [])

    def test_failure(self) -> None:
        """
        What could not be synced is tried again.
        """
        live = self.begin()
        shutil.rmtree(live.recording.directory)
        with capturedLogs() as logs:
            self.clock.advance(5.0)
            self.held.work()
        self.assertTrue(self.unsynced(live))
        self.assertEqual([each["directory"] for each in logs], [live.recording.directory])

    def test_markersGone(self) -> None:
        """
        Without the markers nothing counts as synced, since nobody would look for it.
        """
        live = self.begin()
        shutil.rmtree(os.path.join(self.root, ".running"))
        directory = live.recording.directory
        with capturedLogs() as logs:
            self.assertEqual(syncRecordings([directory], self.running), [directory])
        self.assertEqual(len(logs), 1)

    def test_parentGone(self) -> None:
        """
        The folders above are part of it, and files that are no longer there are not.
        """
        live = self.begin()
        directory = live.recording.directory
        os.symlink(f"{directory}/nothing", f"{directory}/metadata-9.xml")
        self.assertEqual(syncRecordings([directory], self.running), [])

        def sync(path: str) -> None:
            if path == os.path.dirname(directory):
                raise OSError(5, "broken")

        self.patch(syncing, "syncDirectory", sync)
        with capturedLogs() as logs:
            self.assertEqual(syncRecordings([directory], self.running), [directory])
        self.assertEqual([each["directory"] for each in logs], [os.path.dirname(directory)])
