"""
Tests of L{siprec.cluster.belief}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.belief import Belief


class BeliefTests(SynchronousTestCase):
    """
    When a store that does not have something is right.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(100)
        self.lastBeat: float | None = 100.0
        self.belief = Belief(self.clock, lambda: self.lastBeat)

    def test_beating(self) -> None:
        """
        While it takes beats it is.
        """
        for _ in range(10):
            self.assertTrue(self.belief.isDue())
            self.clock.advance(1.1)
            self.assertTrue(self.belief.isDue())
            self.lastBeat = self.clock.seconds()

    def test_late(self) -> None:
        """
        A store that has taken no beat when one was due may be away, or just back.
        """
        self.clock.advance(1.5)
        self.assertFalse(self.belief.isDue())
        self.lastBeat = self.clock.seconds()
        self.assertTrue(self.belief.isDue())

    def test_lapsed(self) -> None:
        """
        One that has lost the lease may have lost calls: others have six seconds
        to write theirs.
        """
        self.belief.lapsed()
        for _ in range(6):
            self.assertFalse(self.belief.isDue())
            self.clock.advance(1)
            self.lastBeat = self.clock.seconds()
        self.assertTrue(self.belief.isDue())

    def test_never(self) -> None:
        """
        A store that was never there knows nothing.
        """
        self.lastBeat = None
        self.assertFalse(self.belief.isDue())
