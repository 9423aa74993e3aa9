"""
Tests of L{siprec.cluster.isolation}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.isolation import Isolation


class IsolationTests(SynchronousTestCase):
    """
    A node that nobody can hear, and that has no lease, is cut off.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.lastBeat: float | None = 1000.0
        self.lastHeard: float | None = 1000.0
        self.peers = True
        self.isolation = Isolation(
            self.clock, lambda: self.lastBeat, lambda: self.lastHeard, lambda: self.peers
        )
        self.isolation.startService()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        """
        Nothing is left of it.
        """
        self.successResultOf(self.isolation.stopService())
        self.successResultOf(self.isolation.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def wait(self, seconds: float, beats: bool = False, heard: bool = False) -> None:
        """
        Let time go by in which the store, or another node, is reached.
        """
        for _ in range(round(seconds / 0.25)):
            self.clock.advance(0.25)
            if beats:
                self.lastBeat = self.clock.seconds()
            if heard:
                self.lastHeard = self.clock.seconds()

    def test_both(self) -> None:
        """
        It is cut off when its lease is over and nobody was heard at three
        looks; before, others cannot have taken anything.  The log says so once.
        """
        with capturedLogs() as logs:
            self.wait(2.75)
            self.assertFalse(self.isolation.isCutOff())
            self.wait(0.5)
            self.assertTrue(self.isolation.isCutOff())
            self.wait(60)
        self.assertEqual([each["log_level"] for each in logs], [LogLevel.warn])
        self.assertEqual(self.isolation.times, 1)

    def test_one(self) -> None:
        """
        A node that reaches the store has a lease, and one that others hear is
        asked by them before they take anything.
        """
        self.wait(60, beats=True)
        self.assertFalse(self.isolation.isCutOff())
        self.wait(60, heard=True)
        self.assertFalse(self.isolation.isCutOff())
        self.wait(1.25)
        self.assertFalse(self.isolation.isCutOff())
        self.wait(0.75)
        self.assertTrue(self.isolation.isCutOff())

    def test_noConnection(self) -> None:
        """
        Without a connection nobody is heard.
        """
        self.lastHeard = None
        self.wait(3.25)
        self.assertTrue(self.isolation.isCutOff())

    def test_alone(self) -> None:
        """
        Where there is no other node nobody can take anything.
        """
        self.peers = False
        self.wait(60)
        self.assertFalse(self.isolation.isCutOff())

    def test_neverInTheStore(self) -> None:
        """
        Calls of a node that the store has never known are not in it.
        """
        self.lastBeat = None
        self.wait(60)
        self.assertFalse(self.isolation.isCutOff())

    def test_heardAgain(self) -> None:
        """
        Others that are heard again may have taken the calls meanwhile: only
        the store knows.  Once it has taken a beat, nothing is assumed.
        """
        self.wait(10)
        self.wait(10, heard=True)
        self.assertTrue(self.isolation.isCutOff())
        self.lastBeat = self.clock.seconds()
        self.assertFalse(self.isolation.isCutOff())
        self.wait(10, heard=True)
        self.assertFalse(self.isolation.isCutOff())
        self.wait(10)
        self.assertTrue(self.isolation.isCutOff())
        self.assertEqual(self.isolation.times, 2)

    def test_frozen(self) -> None:
        """
        A process that stood still has heard nobody in that time, and that says
        nothing of the others.
        """
        self.wait(1, heard=True)
        self.clock.rightNow += 60
        self.clock.advance(0)
        self.assertFalse(self.isolation.isCutOff())
        self.wait(1, heard=True)
        self.assertFalse(self.isolation.isCutOff())
