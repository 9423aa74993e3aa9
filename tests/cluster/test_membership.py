"""
Tests of L{siprec.cluster.membership}: nodes come and go, and who is told.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from siprec.cluster.interfaces import Liveness
from siprec.ids import NodeID
from tests.cluster.membershipcase import N3, MembershipCase
from tests.store.samples import N1, N2


class JoiningTests(MembershipCase):
    """
    Nodes turn up and go.
    """

    def test_joined(self) -> None:
        """
        Each other node is told of once, when its lease is seen first; this node
        is none of them.  The neighbours in the ring are kept connected.
        """
        self.beat(N1, "i1")
        self.start(N2, seconds=2)
        self.beat(N3, "i3")
        self.pass_(2)
        self.assertEqual(self.told(), [(0, "joined", N2), (3, "joined", N3)])
        self.assertEqual(sorted(self.membership.living), [N2, N3])
        self.assertEqual(self.links.kept, [[N2], [N2, N3]])
        lease = self.membership.leaseOf(N2)
        assert lease is not None
        self.assertEqual((lease.instance, lease.expires), ("i2", self.member().lease.expires))
        self.assertIsNone(self.membership.leaseOf(NodeID("n4")))

    def test_lookNow(self) -> None:
        """
        A look out of turn shows what has just come.
        """
        self.start(seconds=0.5)
        self.beat()
        self.successResultOf(self.membership.lookNow())
        self.assertEqual(self.told(), [(0.5, "joined", N2)])

    def test_looksDoNotOverlap(self) -> None:
        """
        A look begins when the one before has ended, so that an older answer
        never comes after a newer one.
        """
        self.start()
        self.store.held = []
        first, second = self.membership.lookNow(), self.membership.lookNow()
        self.assertEqual(len(self.store.held), 1)
        self.beat()
        self.store.letGo()
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual(self.told(), [(0, "joined", N2)])

    def test_anotherInstance(self) -> None:
        """
        A node that was started again is another process: it has joined, without
        the old one being told dead.
        """
        self.start(N2, seconds=1)
        self.memory.release(N2, "i2")
        self.beat(N2, "next")
        self.pass_(1)
        self.assertEqual(self.told(), [(0, "joined", N2), (2, "joined", N2)])
        self.assertEqual(self.member().lease.instance, "next")

    def test_left(self) -> None:
        """
        A node that says good-bye is no member any more, and nobody's death; the
        lease that it still has for a moment brings it not back.
        """
        self.start(N2, seconds=1)
        self.told()
        self.membership.left(N2, "other")
        self.assertIn(N2, self.membership.members)
        for _ in range(2):
            self.membership.left(N2, "i2")
            self.assertEqual(self.membership.members, {})
        self.pass_(1)
        self.freeze()
        self.pass_(8)
        self.assertEqual((self.told(), self.membership.members), ([], {}))
        self.assertEqual(self.links.kept[-1], [])
        self.assertTrue(self.membership.isDead(N2))

    def test_leftBeforeSeen(self) -> None:
        """
        A good-bye counts as well if it comes before its node was seen; another
        process of that node is welcome.
        """
        self.start(seconds=0.5)
        self.membership.left(N2, "i2")
        self.beat()
        self.pass_(2)
        self.assertEqual(self.told(), [])
        self.memory.release(N2, "i2")
        self.beat(N2, "next")
        self.pass_(1)
        self.assertEqual(self.told(), [(3, "joined", N2)])

    def test_isDead(self) -> None:
        """
        A node that was never seen is dead once it has had the time to be seen;
        this one never is; without looks nobody is.
        """
        unknown = NodeID("n9")
        self.assertFalse(self.membership.isDead(unknown))
        self.start(N2, seconds=5.9)
        self.assertFalse(self.membership.isDead(unknown))
        self.pass_(0.2)
        self.assertTrue(self.membership.isDead(unknown))
        self.assertFalse(self.membership.isDead(N1))
        self.assertFalse(self.membership.isDead(N2))
        self.successResultOf(self.membership.stopService())
        self.assertFalse(self.membership.isDead(unknown))

    def test_foundDead(self) -> None:
        """
        A process that has ended before it was seen first does not join: it is
        dead at once.
        """
        self.gone.add("i2")
        self.start(N2)
        self.assertEqual(self.told(), [(0, "died", N2, True)])

    def test_processEnds(self) -> None:
        """
        That a process of this machine has ended is seen at the next look, and
        needs no connection.
        """
        self.membership = self.make(None)
        self.start(N2, seconds=1.5)
        self.gone.add("i2")
        self.pass_(1)
        self.assertEqual(self.told(), [(0, "joined", N2), (2, "died", N2, True)])

    def test_forgotten(self) -> None:
        """
        A dead node is remembered for an hour.
        """
        self.start(N2, seconds=1)
        self.gone.add("i2")
        self.freeze()
        self.pass_(10)
        self.assertIn(N2, self.membership.members)
        self.clock.advance(3600)
        self.assertNotIn(N2, self.membership.members)
        self.ticks = round(self.clock.seconds() / 0.05)


class ListenerTests(MembershipCase):
    """
    Those who are told call back, or fail.
    """

    def test_raises(self) -> None:
        """
        What a listener raises is logged, and keeps nobody else from being told.
        """

        def fail(event: str) -> None:
            raise ZeroDivisionError

        self.react = fail
        self.links.alive["i2"] = Liveness.REFUSED
        self.own(NodeID("n4"), "a")
        self.start(N2, N3, seconds=6.5)
        self.membership.broken(N2)
        self.assertEqual(
            [(event, node) for _, event, node, *_ in self.told()],
            [
                ("joined", N2),
                ("joined", N3),
                ("orphaned", "n4"),
                ("suspected", N2),
                ("died", N2),
            ],
        )
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 5)

    def test_links(self) -> None:
        """
        Connections that fail keep nobody from being told either.
        """
        self.start(seconds=0.5)
        del self.links.kept
        self.beat()
        self.pass_(1)
        self.assertEqual(self.told(), [(1, "joined", N2)])
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)

    def test_stopsInTheMiddle(self) -> None:
        """
        After a stop by a listener nobody is told anything.
        """
        stopped: list[Deferred[None]] = []

        def stop(event: str) -> None:
            stopped.append(self.membership.stopService())

        self.react = stop
        self.start(N2, N3)
        self.assertEqual(self.told(), [(0, "joined", N2)])
        self.successResultOf(stopped[0])

    def test_stopsAtOrphans(self) -> None:
        """
        Nor of calls without a node.
        """
        self.own(N2, "a")
        self.own(N3, "b")
        self.react = lambda event: self.addCleanup(
            self.successResultOf, self.membership.stopService()
        )
        self.start(seconds=10)
        self.assertEqual(self.told(), [(6, "orphaned", N2)])

    def test_callsBack(self) -> None:
        """
        A listener may look again, say good-bye for a node, or report another
        break.
        """

        def again(event: str) -> None:
            self.membership.lookNow()
            self.membership.broken(N2)
            if event == "died":
                self.membership.left(N2, "i2")

        self.react = again
        self.links.alive["i2"] = Liveness.REFUSED
        self.start(N2)
        self.assertEqual(
            self.told(), [(0, "joined", N2), (0, "suspected", N2), (0, "died", N2, True)]
        )
        self.assertEqual(self.membership.members, {})


class StopTests(MembershipCase):
    """
    The end.
    """

    def test_notStarted(self) -> None:
        """
        Who does not run looks at nothing.
        """
        self.successResultOf(self.membership.lookNow())
        self.membership.broken(N2)
        self.successResultOf(self.membership.stopService())
        self.assertEqual(self.store.calls, [])

    def test_waits(self) -> None:
        """
        The stop waits for the look and the question that are under way, of
        which nothing comes.
        """
        self.start(N2, seconds=8)
        self.freeze()
        self.links.held = []
        self.pass_(3)
        later = self.membership.lookNow()
        stopped = self.membership.stopService()
        self.assertNoResult(stopped)
        self.links.held[0].callback(Liveness.REFUSED)
        self.successResultOf(stopped)
        self.successResultOf(later)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.told()[1:], [])

    def test_answerAfterStop(self) -> None:
        """
        What the store says after the stop is passed over.
        """
        self.start(N2, seconds=0.5)
        self.store.held = []
        self.pass_(0.5)
        self.beat(N3, "i3")
        stopped = self.membership.stopService()
        self.store.letGo()
        self.successResultOf(stopped)
        self.assertEqual(self.told(), [(0, "joined", N2)])

    def test_again(self) -> None:
        """
        It can be started again, with another time of grace.
        """
        self.start(N2, seconds=8)
        self.successResultOf(self.membership.stopService())
        self.membership.startService()
        self.assertFalse(self.membership.isDead(NodeID("n9")))
        self.pass_(1)
        self.assertEqual(self.told(), [(0, "joined", N2)])
