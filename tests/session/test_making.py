"""
Tests of L{siprec.session.making}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.session.making import Making, made
from siprec.session.postponed import Postponed


class MakingTests(SynchronousTestCase):
    """
    The directory of a call that begins.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.postponed = Postponed(self.clock, lambda: 0)
        self.told: list[str] = []
        self.failure: Exception | None = None
        self.making = Making(self.postponed, self.make, lambda: False)
        self.making.onFailed = lambda: self.told.append("failed")

    async def make(self) -> None:
        """
        Make it, or fail.
        """
        if self.failure is not None:
            raise self.failure
        self.told.append("made")

    def begin(self, busy: bool) -> Deferred[None]:
        """
        Begin, while others wait or not.
        """
        if busy:
            for _ in range(20):
                self.postponed.turn()
        return Deferred.fromCoroutine(self.making.begin())

    def done(self) -> Deferred[None]:
        """
        Wait for it.
        """
        return Deferred.fromCoroutine(self.making.done())

    def test_before(self) -> None:
        """
        Where few wait, it is made before the call is answered.
        """
        self.successResultOf(self.begin(busy=False))
        self.assertEqual((self.told, self.making.wanted), (["made"], False))
        self.successResultOf(self.done())

    def test_refused(self) -> None:
        """
        If it cannot be made then, the call need not be answered.
        """
        self.failure = OSError("no room")
        self.failureResultOf(self.begin(busy=False), OSError)
        self.assertEqual((self.told, self.making.failed), ([], False))

    def test_after(self) -> None:
        """
        Where many wait, it is made when there is time; who needs it waits.
        """
        self.successResultOf(self.begin(busy=True))
        self.assertEqual((self.told, self.making.wanted), ([], True))
        waiting = [self.done(), self.done()]
        self.assertNoResult(waiting[0])
        self.clock.advance(0)
        for each in waiting:
            self.successResultOf(each)
        self.assertEqual((self.told, self.making.wanted), (["made"], False))
        self.successResultOf(self.done())

    def test_failed(self) -> None:
        """
        If it cannot be made then, the log and the owner of the call are told; nobody waits
        any more.
        """
        self.failure = OSError("no room")
        self.begin(busy=True)
        waiting = self.done()
        self.clock.advance(0)
        self.successResultOf(waiting)
        self.assertEqual((self.told, self.making.failed), (["failed"], True))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_unwanted(self) -> None:
        """
        What is another node's by then is not made.
        """
        self.begin(busy=True)
        waiting = self.done()
        self.making.wanted = False
        self.clock.advance(0)
        self.successResultOf(waiting)
        self.assertEqual(self.told, [])

    def test_made(self) -> None:
        """
        Of a directory that is there already nothing is to be waited for.
        """
        making = made()
        self.assertEqual((making.wanted, making.failed), (False, False))
        self.successResultOf(Deferred.fromCoroutine(making.done()))
        making.onFailed()
        self.successResultOf(Deferred.fromCoroutine(making.begin()))
