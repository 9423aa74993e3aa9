"""
Taking over from a dead node, in L{siprec.store.backup}.
"""

from __future__ import annotations

from attrs import evolve

from siprec.session.model import Claimed
from siprec.store.interfaces import LeaseHeld, NotOwner, SessionDeleted, StoreUnavailable
from tests.store.backupcase import BackupTestCase
from tests.store.contract import makeLease
from tests.store.samples import N1, N2


class TakeoverTests(BackupTestCase):
    """
    The primary decides; the second store follows.
    """

    def take(self, limit: int = 25, instance: str = "") -> Claimed:
        """
        @return: what node 2 got.
        """
        claimed: Claimed = self.successResultOf(self.store.claimFrom(N1, N2, limit, instance))
        return claimed

    def test_follows(self) -> None:
        """
        What was taken over has its new owner in the second store, too, and what
        was not has the old one there.
        """
        for key in ("a", "b", "c"):
            self.create(key, correlations=("group:g",))
        self.assertEqual(self.take(2).left, 1)
        self.assertSame("a", "b", "c")
        self.assertEqual(self.secondMemory.owners(), {N1: 1, N2: 2})
        self.assertEqual(len(self.secondMemory.listByCorrelation("group:g")), 3)

    def test_lease(self) -> None:
        """
        A lease that is ended is ended in both; one that holds in the primary
        holds, whatever the second store has.
        """
        self.create("a")
        self.successResultOf(self.store.heartbeat(makeLease(), 60.0))
        self.secondMemory.release(N1, "i1")
        self.failureResultOf(self.store.claimFrom(N1, N2, 25), LeaseHeld)
        self.secondMemory.heartbeat(makeLease(), 60.0)
        self.assertEqual(len(self.take(25, "i1").records), 1)
        self.assertEqual((self.primaryMemory.nodes(), self.secondMemory.nodes()), ([], []))

    def test_secondAway(self) -> None:
        """
        Nobody waits for a second store that is away: it is told later.
        """
        self.create("a")
        self.second.away = True
        self.assertEqual(len(self.take(25, "i1").records), 1)
        self.second.away = False
        self.clock.advance(5)
        self.assertSame("a")
        self.assertEqual(self.secondMemory.owners(), {N2: 1})

    def test_primaryAway(self) -> None:
        """
        While the primary is away nothing is taken over, but who owns what is
        still known, from the second store.
        """
        self.create("a", correlations=("ucid:1",))
        self.primary.away = True
        self.failureResultOf(self.store.claimFrom(N1, N2, 25), StoreUnavailable)
        self.assertEqual(self.successResultOf(self.store.owners()), {N1: 1})
        self.assertEqual(self.successResultOf(self.store.listByCorrelation("ucid:1")), ["a"])
        self.assertEqual(self.secondMemory.owners(), {N1: 1})

    def test_correlationsThatWait(self) -> None:
        """
        A change of correlation keys that the second store has not been told
        yet is read so.
        """
        a = self.create("a", correlations=("ucid:1",))
        self.second.away = True
        self.change(a, correlations=("ucid:2",))
        self.second.away, self.primary.away = False, True
        for key, expected in (("ucid:1", []), ("ucid:2", ["a"])):
            found = self.successResultOf(self.store.listByCorrelation(key))
            self.assertEqual(found, expected)

    def test_unanswered(self) -> None:
        """
        Where the primary's answer is lost, the second store learns by comparing
        what was taken over.
        """
        self.create("a")
        self.primary.unanswered.add(len(self.primary.calls))
        self.failureResultOf(self.store.claimFrom(N1, N2, 25), StoreUnavailable)
        self.clock.advance(5)
        self.assertSame("a")
        self.assertEqual(self.secondMemory.owners(), {N2: 1})

    def test_lateStepsOfTheDead(self) -> None:
        """
        What the dead node had still to tell the second store, and tells it when
        it wakes up, changes nothing that was taken over since, nor brings it
        back.
        """
        dead = self.store
        a, b, c = self.create("a"), self.create("b"), self.create("c")
        late = self.second
        late.away = True
        a = self.change(a, status="finishing")
        self.successResultOf(dead.extend("b", 700.0, 1))
        self.connect(N2)
        claimed = {each.sessionID: each for each in self.take().records}
        self.assertEqual(claimed["a"], evolve(a, nodeID=N2, version=3, epoch=2))
        self.successResultOf(self.store.delete("c", 2))
        late.away = False
        self.clock.advance(5)
        self.assertSame("a", "b")
        self.assertEqual(self.secondMemory.owners(), {N2: 2})
        for stored in (a, b):
            self.failureResultOf(dead.update(stored, 500.0), NotOwner)
        for memory in (self.primaryMemory, self.secondMemory):
            self.assertRaises(SessionDeleted, memory.replicate, c, 500.0)

    def test_lostClaim(self) -> None:
        """
        A primary that lost its last writes gets back what was taken over, with
        its new owner.
        """
        a = self.create("a", correlations=("group:g",))
        (claimed,) = self.take().records
        self.primaryMemory.delete("a", None, 0.0)
        self.primaryMemory.replicate(a, 470.0)
        self.primary.failing.add(len(self.primary.calls))
        self.failureResultOf(self.store.health(), StoreUnavailable)
        self.clock.advance(5)
        self.assertSame("a")
        self.assertEqual(self.primaryMemory.get("a"), claimed)
        self.assertEqual(self.primaryMemory.listByCorrelation("group:g"), ["a"])
