"""
Tests of L{siprec.cluster.underway}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.underway import UnderWay


class UnderWayTests(SynchronousTestCase):
    """
    Who wants a call that is on its way waits until it is clear who has it.
    """

    def setUp(self) -> None:
        self.calls = UnderWay()

    def test_nothing(self) -> None:
        """
        For a call that is not on its way nobody waits.
        """
        self.assertIsNone(self.calls.whenClear("a"))
        self.calls.end("a")
        self.assertNotIn("a", self.calls)
        self.assertEqual(len(self.calls), 0)

    def test_waiting(self) -> None:
        """
        All who wait for a call are told at once, and only they.
        """
        self.calls.begin("a")
        self.calls.begin("b")
        self.assertEqual((list(self.calls), len(self.calls)), (["a", "b"], 2))
        waiting = [self.calls.whenClear(key) for key in "aab"]
        first, second, other = [each for each in waiting if each is not None]
        self.calls.end("a")
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertNoResult(other)
        self.assertNotIn("a", self.calls)
        self.assertIn("b", self.calls)

    def test_cancelled(self) -> None:
        """
        One who waits no more is not in the way of others.
        """
        self.calls.begin("a")
        first, second = self.calls.whenClear("a"), self.calls.whenClear("a")
        assert first is not None and second is not None
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.calls.end("a")
        self.successResultOf(second)

    def test_again(self) -> None:
        """
        One who is told may set the same call on its way again.
        """
        self.calls.begin("a")
        waiting = self.calls.whenClear("a")
        assert waiting is not None
        waiting.addCallback(lambda _: self.calls.begin("a"))
        self.calls.end("a")
        self.assertIn("a", self.calls)
