"""
Tests of L{siprec.cluster.membership}: the store is away, and calls without a node.
"""

from __future__ import annotations

from siprec.cluster.interfaces import Liveness
from siprec.cluster.membership import Standing
from siprec.store.interfaces import SessionNotFound
from tests.cluster.membershipcase import N3, MembershipCase
from tests.store.samples import N1, N2


class OutageTests(MembershipCase):
    """
    The store is away.
    """

    def setUp(self) -> None:
        super().setUp()
        self.membership = self.make(None)

    def test_noAnswer(self) -> None:
        """
        Without the store nobody is dead, and for six seconds after its first
        answer nobody is for want of a lease: the others renew theirs first.
        """
        self.start(N2, N3, seconds=8)
        self.store.away = True
        self.freeze(N2)
        self.freeze(N3)
        self.pass_(60)  # the last look without an answer is at 68
        self.store.away = False
        self.beat(N3, "i3")
        self.pass_(6.5)
        self.assertEqual(self.told()[2:], [])
        self.assertFalse(self.membership.isDead(N2))
        self.pass_(1)
        self.assertEqual(self.told(), [(75, "died", N2, False)])

    def test_start(self) -> None:
        """
        So it is after the start.
        """
        self.own(N3, "a")
        self.start(N2, seconds=0.5)
        self.freeze()
        self.pass_(5)
        self.assertEqual(self.told(), [(0, "joined", N2)])
        self.pass_(0.5)
        self.assertEqual(self.told(), [(6, "died", N2, False), (6, "orphaned", N3)])

    def test_certainInGrace(self) -> None:
        """
        A process that is known to have ended is dead, grace or not.
        """
        self.start(N2, seconds=0.5)
        self.freeze()
        self.pass_(3)
        self.gone.add("i2")
        self.pass_(1)
        self.assertEqual(self.told()[1:], [(4, "died", N2, True)])

    def test_aliveInGrace(self) -> None:
        """
        A node that has not renewed its lease yet after an outage is not called
        isolated if it answers.
        """
        self.membership = self.make(self.links)
        self.links.alive["i2"] = Liveness.ALIVE
        self.start(N2, seconds=0.5)
        self.freeze()
        self.pass_(5)
        self.assertIs(self.standing(), Standing.ALIVE)
        self.pass_(1)
        self.assertIs(self.standing(), Standing.ISOLATED)

    def test_slowStore(self) -> None:
        """
        From an answer that took more than a second nobody is dead: the store
        may have stood still, and kept the others from renewing their leases.
        """
        self.start(N2, seconds=8)
        self.freeze()
        self.pass_(2.5)
        self.store.held = []
        self.pass_(1.5)
        self.store.letGo()
        self.assertIs(self.standing(), Standing.ALIVE)
        self.pass_(0.5)
        self.assertEqual(self.told()[1:], [])
        self.pass_(0.5)
        self.assertEqual(self.told(), [(13, "died", N2, False)])

    def test_failures(self) -> None:
        """
        Another failure of the store is one of the looks, and a fault of ours is
        logged; the next look is made all the same.
        """
        self.start()
        self.store.errors["nodes"] = SessionNotFound("x")
        self.pass_(1)
        self.store.errors["nodes"] = ZeroDivisionError()
        self.pass_(1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        del self.store.errors["nodes"]
        self.beat()
        self.pass_(1)
        self.assertEqual(self.told(), [(3, "joined", N2)])


class OrphanTests(MembershipCase):
    """
    Calls whose node does not live.
    """

    def test_orphaned(self) -> None:
        """
        After the start, and then every five seconds, it is looked for calls of
        nodes without a lease.  They are told of when there are more or fewer.
        """
        self.start(N2, seconds=1)
        self.own(N1, "mine")
        self.own(N2, "its")
        self.own(N3, "a", "b")
        self.pass_(9.5)
        self.assertEqual(self.told()[1:], [(6, "orphaned", N3)])
        self.assertEqual(self.store.calls.count("owners"), 1)
        self.memory.delete("a", None, 0)
        self.pass_(5)
        self.assertEqual(self.told(), [(11, "orphaned", N3)])
        self.assertEqual(self.store.calls.count("owners"), 2)

    def test_unreadable(self) -> None:
        """
        As long as it is the same number, it is told more and more seldom.
        """
        self.own(N3, "a")
        self.start(seconds=100)
        self.assertEqual([time for time, *_ in self.told()], [6, 16, 36, 76])

    def test_deadMember(self) -> None:
        """
        The calls that a dead member still has are told of, too; those of one
        that is isolated are its own.
        """
        self.links.alive = {"i2": Liveness.ALIVE, "i3": Liveness.REFUSED}
        self.own(N2, "a")
        self.own(N3, "b")
        self.start(N2, N3, seconds=8)
        self.freeze(N2)
        self.freeze(N3)
        self.pass_(10)
        self.assertEqual(self.told()[2:], [(9.5, "died", N3, True), (11, "orphaned", N3)])

    def test_hasALease(self) -> None:
        """
        A node that has a lease has its calls, also if it has said good-bye.
        """
        self.own(N2, "a")
        self.start(N2, seconds=1)
        self.membership.left(N2, "i2")
        self.pass_(11)
        self.assertEqual(self.told()[1:], [])

    def test_joinsMeanwhile(self) -> None:
        """
        A node that takes its lease and its first call between the two questions
        to the store is not taken for dead: calls are counted first.
        """
        self.start(seconds=5.9)
        self.store.calls.clear()
        self.store.held = []
        self.pass_(0.1)
        self.assertEqual(self.store.calls, ["owners"])
        (owners,), self.store.held = self.store.held, []
        owners()
        self.beat()
        self.own(N2, "a")
        self.store.letGo()
        self.assertEqual(self.told(), [(6, "joined", N2)])
