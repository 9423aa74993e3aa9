"""
Tests of L{siprec.session.disk}.
"""

from __future__ import annotations

import os

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.session.disk import INTERVAL, Disk


class DiskTests(SynchronousTestCase):
    """
    A directory on some disk.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.root = os.path.abspath(self.mktemp())
        os.makedirs(self.root)
        self.disk = Disk(self.root, self.clock)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def start(self) -> None:
        """
        Look at the disk until the test ends.
        """
        self.disk.startService()
        self.addCleanup(self.disk.stopService)

    def test_notLooked(self) -> None:
        """
        Before the first look nothing is known, and then nobody waits for one.
        """
        self.assertIsNone(self.disk.free)
        self.assertFalse(self.successResultOf(self.disk.nextLook()))

    def test_free(self) -> None:
        """
        What is free for this program is known from the start on.
        """
        self.start()
        assert self.disk.free is not None
        found = os.statvfs(self.root)
        self.assertLessEqual(self.disk.free, found.f_blocks * found.f_frsize)
        self.assertGreater(self.disk.free, 0)

    def test_again(self) -> None:
        """
        It is looked at every two seconds: a directory that went away, and one
        that is back, are seen then.
        """
        self.start()
        os.rename(self.root, f"{self.root}-away")
        self.clock.advance(INTERVAL - 0.1)
        self.assertIsNotNone(self.disk.free)
        self.clock.advance(0.1)
        self.assertIsNone(self.disk.free)
        os.rename(f"{self.root}-away", self.root)
        self.clock.advance(INTERVAL)
        self.assertIsNotNone(self.disk.free)

    def test_file(self) -> None:
        """
        A file in the place of the directory has no room for recordings.
        """
        os.rmdir(self.root)
        with open(self.root, "w"):
            pass
        self.start()
        self.assertIsNone(self.disk.free)

    def test_nextLook(self) -> None:
        """
        All who wait for the next look are told of it, once.
        """
        self.start()
        looks = [self.disk.nextLook(), self.disk.nextLook()]
        for each in looks:
            self.assertNoResult(each)
        self.clock.advance(INTERVAL)
        self.assertEqual([self.successResultOf(each) for each in looks], [True, True])

    def test_stop(self) -> None:
        """
        Who waits when it stops learns that there is no next look.
        """
        self.disk.startService()
        look = self.disk.nextLook()
        self.disk.stopService()
        self.assertFalse(self.successResultOf(look))
        self.assertFalse(self.successResultOf(self.disk.nextLook()))

    def test_stopTwice(self) -> None:
        """
        One that does not run can be stopped.
        """
        self.disk.stopService()
        self.disk.stopService()
