"""
Tests of L{siprec.cluster.takeover}: single sessions, and the end.
"""

from __future__ import annotations

from twisted.internet.defer import fail
from twisted.logger import LogLevel, capturedLogs

from siprec.cluster.takeover import AT_ONCE
from tests.cluster.takeovercase import N3, TakeoverCase
from tests.store.samples import N1, N2


class ClaimTests(TakeoverCase):
    """
    The peer of a session asks for it.
    """

    def test_claim(self) -> None:
        """
        It is claimed alone, and the answer comes when it is taken up.
        """
        record, _ = self.own(2)
        self.two.held = []
        claimed = self.two.takeover.claim(record)
        self.assertEqual((self.two.keys, self.owned(N2)), (["k000"], ["k000"]))
        waiting = self.two.takeover.beingTakenUp("k000")
        assert waiting is not None
        self.assertNoResult(claimed)
        self.two.held.pop().callback(None)
        self.successResultOf(claimed)
        self.successResultOf(waiting)
        self.assertIsNone(self.two.takeover.beingTakenUp("k000"))

    def test_askedTwice(self) -> None:
        """
        If two requests come for it, both wait until it is taken up.
        """
        (record,) = self.own(1)
        self.two.held = []
        self.two.store.held = []
        claims = [self.two.takeover.claim(record) for _ in range(2)]
        self.two.store.letGo()
        for each in claims:
            self.assertNoResult(each)
        self.assertEqual(self.two.keys, ["k000"])
        self.two.held.pop().callback(None)
        for each in claims:
            self.successResultOf(each)

    def test_anothers(self) -> None:
        """
        Where another node was faster, or it is over, there is nothing to wait
        for.
        """
        first, second = self.own(2)
        self.memory.claim("k000", N3, 1)
        self.memory.delete("k001", None, 0)
        self.successResultOf(self.two.takeover.claim(first))
        self.successResultOf(self.two.takeover.claim(second))
        self.assertEqual(self.two.keys, [])

    def test_lives(self) -> None:
        """
        Nothing is claimed of a node that has a lease: it may have come back
        since it was found dead.
        """
        (record,) = self.own(1)
        self.lease("next")
        self.lease("i9", N3)
        self.successResultOf(self.two.takeover.claim(record))
        self.assertEqual((self.two.keys, self.two.store.calls), ([], ["nodes"]))

    def test_lastLease(self) -> None:
        """
        The lease of the process that has ended keeps nobody, also where the
        take-over has not got to it yet.
        """
        records = self.own(5)
        self.lease()
        self.two.own, self.two.others = 60, [0]
        self.two.takeover.nodeDied(N1, "i1")
        self.successResultOf(self.two.takeover.claim(records[0]))
        self.assertEqual(self.two.keys, ["k000"])
        self.memory.release(N1, "i1")
        self.lease("next")
        self.successResultOf(self.two.takeover.claim(records[1]))
        self.assertEqual(self.two.keys, ["k000"])

    def test_notNow(self) -> None:
        """
        A node that cannot take it up, or has stopped, does not claim it, also
        if that comes while it asks.
        """
        (record,) = self.own(1)
        self.two.ready = False
        self.successResultOf(self.two.takeover.claim(record))
        self.two.ready = True
        self.two.store.held = []
        claimed = self.two.takeover.claim(record)
        stopped = self.two.takeover.stopService()
        self.assertNoResult(stopped)
        self.two.store.letGo()
        self.successResultOf(claimed)
        self.successResultOf(stopped)
        self.successResultOf(self.two.takeover.claim(record))
        self.assertEqual((self.owned(N1), self.two.store.calls), (["k000"], ["nodes"]))

    def test_fault(self) -> None:
        """
        A fault of ours is logged; it does not fail.
        """
        (record,) = self.own(1)
        self.two.store.errors["claim"] = ZeroDivisionError()
        self.successResultOf(self.two.takeover.claim(record))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_unavailable(self) -> None:
        """
        Without the store it is not claimed now.
        """
        (record,) = self.own(1)
        self.two.store.away = True
        self.successResultOf(self.two.takeover.claim(record))
        self.assertEqual(self.owned(N1), ["k000"])


class FailedTests(TakeoverCase):
    """
    Taking up fails later.
    """

    def test_failsLater(self) -> None:
        """
        Who waits for a session that cannot be taken up is let go.
        """
        (record,) = self.own(1)
        self.two.held = []
        claimed = self.two.takeover.claim(record)
        fail(ZeroDivisionError()).chainDeferred(self.two.held.pop())
        self.successResultOf(claimed)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class StopTests(TakeoverCase):
    """
    The end, in the middle of everything.
    """

    def test_notRunning(self) -> None:
        """
        Who does not run takes nothing.
        """
        self.own(1)
        self.successResultOf(self.two.takeover.stopService())
        self.two.takeover.nodeDied(N1)
        self.assertEqual(self.two.store.calls, [])

    def test_waits(self) -> None:
        """
        The stop waits for what is being taken up, and claims nothing more.
        """
        self.own(150)
        self.two.held = []
        self.two.takeover.nodeDied(N1)
        self.pass_(1)
        stopped = self.two.takeover.stopService()
        for done in self.two.held:
            self.assertNoResult(stopped)
            done.callback(None)
        self.successResultOf(stopped)
        self.two.held = None
        self.assertEqual(len(self.owned(N2)), AT_ONCE)

    def test_inPauses(self) -> None:
        """
        A pause is cut short: between two batches, while the others are left
        time, and while the store is away.
        """
        for own, away in ((0, False), (60, False), (0, True)):
            self.own(45)
            self.two.own, self.two.others, self.two.store.away = own, [], away
            if own:
                self.two.others = [0]
            self.two.takeover.nodeDied(N1)
            self.successResultOf(self.two.takeover.stopService())
            self.assertEqual(self.clock.getDelayedCalls(), [])
            for key in self.memory.list(None):
                self.memory.delete(key, None, 0)
            self.two.takeover.startService()

    def test_answersLater(self) -> None:
        """
        What was claimed when the stop came, and is known of only after it, is
        not begun: this node's lease ends, and it is another's.
        """
        self.own(5)
        self.two.takeover.nodeDied(N3)
        self.two.store.held = []
        self.two.takeover.nodeDied(N1)
        owners = self.two.store.held.pop()
        owners()
        stopped = self.two.takeover.stopService()
        with capturedLogs() as logs:
            self.two.store.letGo()
        self.successResultOf(stopped)
        self.assertEqual((self.two.keys, len(self.owned(N2))), ([], 5))
        self.assertEqual([each["log_level"] for each in logs], [LogLevel.warn])

    def test_beforeTheClaim(self) -> None:
        """
        What the stop finds about to be claimed is left where it is.
        """
        self.own(5)
        self.two.store.held = []
        self.two.takeover.nodeDied(N1)
        stopped = self.two.takeover.stopService()
        self.two.store.letGo()
        self.successResultOf(stopped)
        self.assertEqual((len(self.owned(N1)), self.two.store.calls), (5, ["owners"]))

    def test_beginsAgainNoMore(self) -> None:
        """
        What would have to be taken up anew is not, after the stop.
        """
        self.own(1)
        self.two.held = []
        self.two.takeover.nodeDied(N1)
        self.memory.claim("k000", N3, 2)
        self.two.takeover.nodeDied(N3)
        stopped = self.two.takeover.stopService()
        self.two.held.pop().callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.two.taken, [("k000", 2, 0.0)])
