"""
Tests of L{siprec.cluster.lostclaims}.
"""

from __future__ import annotations

from twisted.logger import capturedLogs

from siprec.cluster.takeover import Takeover
from siprec.store.interfaces import CorruptRecord
from tests.cluster.takeovercase import N3, TakeoverCase
from tests.store.samples import N1, N2, makeData


class LostClaimTests(TakeoverCase):
    """
    The answer to a claim does not come.
    """

    def lose(self) -> None:
        """
        C{n2} claims the first batch, and does not know.
        """
        self.two.store.unanswered.add(len(self.two.store.calls) + 1)
        self.two.takeover.nodeDied(N1)
        self.assertEqual((self.two.keys, len(self.owned(N2))), ([], 20))

    def test_found(self) -> None:
        """
        What it has taken is found when the store answers, and taken up once,
        beside what is claimed then.
        """
        self.own(45)
        self.lose()
        self.pass_(1)
        self.assertEqual(sorted(self.two.keys), [f"k{number:03}" for number in range(45)])
        self.assertEqual({epoch for _, epoch, _ in self.two.taken}, {2})
        self.assertEqual(self.two.takeover.claimed, 45)
        self.pass_(10)
        self.assertEqual(self.two.store.calls.count("list"), 2)
        self.assertEqual(self.two.store.calls.count("get"), 20)

    def test_single(self) -> None:
        """
        So is one that was claimed for its peer.
        """
        (record,) = self.own(1)
        self.two.store.unanswered.add(1)
        self.successResultOf(self.two.takeover.claim(record))
        self.assertEqual((self.two.keys, self.owned(N2)), ([], ["k000"]))
        self.pass_(0.55)
        self.assertEqual(self.two.taken, [("k000", 2, 0.5)])
        self.pass_(5)

    def test_late(self) -> None:
        """
        A claim may have been on its way for longer than the store was asked
        what there is: it is looked once more five seconds later.
        """
        (record,) = self.own(1)
        self.two.store.failing.add(1)
        self.successResultOf(self.two.takeover.claim(record))
        self.pass_(1)
        self.memory.claim("k000", N2, 1)
        self.pass_(5)
        self.assertEqual([time for *_, time in self.two.taken], [5.5])

    def test_outage(self) -> None:
        """
        As long as the store is away it is asked every half second.
        """
        (record,) = self.own(1)
        self.two.store.unanswered.add(1)
        self.successResultOf(self.two.takeover.claim(record))
        self.two.store.away = True
        self.pass_(10.2)
        self.assertEqual(self.two.store.calls.count("list"), 20)
        self.two.store.away = False
        self.pass_(0.5)
        self.assertEqual([key for key, *_ in self.two.taken], ["k000"])
        self.pass_(5)

    def test_outageInTheMiddle(self) -> None:
        """
        So it is if the store goes away while what was found is read.
        """
        (record,) = self.own(1)
        self.two.store.unanswered.add(1)
        self.two.store.failing.add(3)
        self.successResultOf(self.two.takeover.claim(record))
        self.pass_(1.1)
        self.assertEqual(self.two.taken, [("k000", 2, 1.0)])
        self.pass_(5)

    def test_known(self) -> None:
        """
        What this node has, what it began itself, and what is another's by now
        is left alone; so is what cannot be read, which is logged.
        """
        (record,) = self.own(1)
        self.memory.store(makeData("begun", nodeID=N2), 1000.0)
        self.memory.store(makeData("has", nodeID=N2), 1000.0)
        self.two.has.add("has")
        self.two.store.unanswered.add(1)
        self.successResultOf(self.two.takeover.claim(record))
        self.two.store.errors["get"] = CorruptRecord("k000", "damaged")
        with capturedLogs() as logs:
            self.pass_(1)
        self.assertEqual(
            self.messages(logs).count("{recording}: not taken up: {why}"),
            2,
        )
        del self.two.store.errors["get"]
        self.pass_(3)
        self.two.store.held = []
        self.pass_(1.6)
        self.memory.claim("k000", N3, 2)
        self.two.store.letGo()
        self.assertEqual(self.two.keys, [])

    def test_anothersMeanwhile(self) -> None:
        """
        What another node claims between the two questions is that one's.
        """
        (record,) = self.own(1)
        self.two.store.unanswered.add(1)
        self.successResultOf(self.two.takeover.claim(record))
        self.two.store.held = []
        self.pass_(0.55)
        self.two.store.held.pop()()
        self.memory.claim("k000", N3, 2)
        self.two.store.letGo()
        self.assertEqual(self.two.keys, [])
        self.pass_(5)

    def test_notBesideAClaim(self) -> None:
        """
        A claim that is under way is no lost one: its sessions are taken up by
        its answer, once.
        """
        (record, _) = self.own(2)
        self.two.store.unanswered.add(1)
        self.successResultOf(self.two.takeover.claim(record))
        self.pass_(0.25)
        self.two.store.held = []
        self.two.takeover.nodeDied(N1)
        self.two.store.held.pop()()
        self.pass_(1)
        self.assertEqual(self.two.store.calls[2:], ["owners", "claimFrom"])
        self.two.store.letGo()
        self.pass_(6)
        self.assertEqual(sorted(self.two.keys), ["k000", "k001"])

    def test_stopped(self) -> None:
        """
        The stop cuts the search short, and what is found after it is not begun.
        """
        (record, second) = self.own(2)
        for each in (record, second):
            self.two.store.unanswered.add(len(self.two.store.calls) + 1)
            self.successResultOf(self.two.takeover.claim(each))
        self.two.store.held = []
        self.pass_(0.55)
        stopped = self.two.takeover.stopService()
        self.assertNoResult(stopped)
        self.two.store.letGo()
        self.successResultOf(stopped)
        self.assertEqual(self.two.keys, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_unasked(self) -> None:
        """
        Where nobody says what this node has, nothing is taken for lost.
        """
        (record,) = self.own(1)
        self.two.takeover = Takeover(
            self.two.store,
            self.clock,
            N2,
            lambda record: self.fail("taken up"),
            lambda: (0, []),
            lambda: True,
        )
        self.two.takeover.startService()
        self.two.store.unanswered.add(1)
        self.successResultOf(self.two.takeover.claim(record))
        self.pass_(10)
        self.assertEqual((self.two.takeover.claimed, self.owned(N2)), (0, ["k000"]))

    def test_notReady(self) -> None:
        """
        A node that cannot take calls up does not look for them: they are
        another's when its lease is over.
        """
        (record,) = self.own(1)
        self.two.store.unanswered.add(1)
        self.successResultOf(self.two.takeover.claim(record))
        self.two.ready = False
        self.pass_(10)
        self.assertNotIn("list", self.two.store.calls)

    def test_fault(self) -> None:
        """
        A fault of ours is logged, and the next claim that is lost is looked for.
        """
        (record, second) = self.own(2)
        self.two.store.unanswered.add(1)
        self.successResultOf(self.two.takeover.claim(record))
        self.two.store.errors["list"] = ZeroDivisionError()
        self.pass_(1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        del self.two.store.errors["list"]
        self.two.store.unanswered.add(len(self.two.store.calls) + 1)
        self.successResultOf(self.two.takeover.claim(second))
        self.pass_(6)
        self.assertEqual(sorted(self.two.keys), ["k000", "k001"])
