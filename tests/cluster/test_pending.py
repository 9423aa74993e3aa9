"""
Tests of L{siprec.cluster.pending}.
"""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.pending import Pending


class PendingTests(SynchronousTestCase):
    """
    Those who wait.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.pending = Pending(self.clock)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(lambda: self.assertEqual(len(self.pending), 0))

    def test_answer(self) -> None:
        """
        Each gets its own answer, once; an answer that nobody waits for is dropped.
        """
        one, two = self.pending.wait(1, 5), self.pending.wait(2, 5)
        self.assertEqual(len(self.pending), 2)
        for answer in ("b", "again"):
            self.pending.answer(2, answer)
        self.pending.refuse(1, ValueError("no"))
        self.pending.refuse(1, ValueError("again"))
        self.assertEqual(self.successResultOf(two), "b")
        self.failureResultOf(one, ValueError)

    def test_timeout(self) -> None:
        """
        Nobody waits longer than asked for, and a late answer is dropped.
        """
        waiter = self.pending.wait(1, 5)
        self.clock.advance(4.99)
        self.assertNoResult(waiter)
        self.clock.advance(0.01)
        failure = self.failureResultOf(waiter, TimeoutError)
        self.assertEqual(failure.getErrorMessage(), "no answer within 5 s")
        self.pending.answer(1, "late")

    def test_cancel(self) -> None:
        """
        Who does not want to wait any more is forgotten.
        """
        waiter = self.pending.wait(1, 5)
        waiter.cancel()
        self.failureResultOf(waiter, CancelledError)

    def test_fail(self) -> None:
        """
        All fail together, even if one of them cancels another.
        """
        waiters: list[Deferred[object]] = [self.pending.wait(number, 5) for number in range(3)]

        def cancelLast(failure: object) -> object:
            waiters[2].cancel()
            return failure

        waiters[0].addErrback(cancelLast)
        self.pending.fail(ValueError("gone"))
        self.failureResultOf(waiters[0], ValueError)
        self.failureResultOf(waiters[1], ValueError)
        self.failureResultOf(waiters[2], CancelledError)
