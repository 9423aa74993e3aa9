"""
Tests of L{siprec.cluster.membership}: what the leases tell.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs

from siprec.cluster.interfaces import Liveness
from siprec.cluster.membership import Standing
from siprec.ids import NodeID
from siprec.store.interfaces import SessionNotFound
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


class SilenceTests(MembershipCase):
    """
    A lease runs out.
    """

    def test_frozen(self) -> None:
        """
        A node that stands still is dead within a tenth of a second after its
        lease has run out: it is asked half a second before that may be, and the
        lease is looked at more often from then on, and not earlier.
        """
        self.start(N2, seconds=8)
        self.freeze()  # its last beat was at 7.55
        self.store.calls.clear()
        self.pass_(1.45)
        self.assertEqual(self.store.calls, ["nodes"])
        self.pass_(5)
        self.assertEqual(self.told()[1:], [(10.6, "died", N2, False)])
        self.assertEqual(self.links.probes, [(9.5, "i2", 0.5)])
        self.assertTrue(self.membership.isDead(N2))
        self.assertEqual((self.membership.living, self.links.kept[-1]), ({}, []))
        # 8, 9, 9.5, 10, ten steps, then one a second, with that at owners.
        self.assertLess(self.store.calls.count("nodes"), 20)

    def test_regularBeats(self) -> None:
        """
        As long as all renew their leases, there is one look a second, and
        nobody is asked.
        """
        self.start(N2, N3, seconds=5.5)
        self.assertEqual(self.store.calls, ["nodes"] * 6)
        self.assertEqual(self.links.probes, [])

    def test_frozenAndBack(self) -> None:
        """
        A process that was silent and renews its lease has joined again, at its
        first renewal.
        """
        self.start(N2, seconds=8)
        self.freeze()
        self.pass_(4)
        self.told()
        self.beat()
        self.pass_(1)
        self.assertEqual(self.told(), [(13, "joined", N2)])
        self.assertFalse(self.membership.isDead(N2))
        self.assertEqual(self.links.kept[-1], [N2])

    def test_lateBeat(self) -> None:
        """
        A beat that is late but in time changes nothing.
        """
        self.start(N2, seconds=8)
        self.freeze()
        self.pass_(2.4)
        self.beat()
        self.pass_(10)
        self.assertEqual(self.told(), [(0, "joined", N2)])
        self.assertEqual(self.links.probes, [(9.5, "i2", 0.5)])

    def test_endedWhenAsked(self) -> None:
        """
        One whose port refuses when it is asked need not be waited for.
        """
        self.links.alive["i2"] = Liveness.REFUSED
        self.start(N2, seconds=8)
        self.freeze()
        self.pass_(2)
        self.assertEqual(self.told()[1:], [(9.5, "died", N2, True)])

    def test_leaseEnded(self) -> None:
        """
        Where somebody else has ended the lease, it is asked then: dead when it
        refuses.
        """
        self.links.alive["i2"] = Liveness.REFUSED
        self.start(N2, seconds=8)
        self.freeze()
        self.memory.release(N2, "i2")
        self.pass_(1)
        self.assertEqual(self.told()[1:], [(9, "died", N2, True)])

    def test_otherAtItsPort(self) -> None:
        """
        Without a lease, another process at its port is no sign that it lives.
        """
        self.links.alive["i2"] = Liveness.OTHER
        self.start(N2, seconds=8)
        self.freeze()
        self.pass_(4)
        self.assertEqual(self.told()[1:], [(10.6, "died", N2, False)])

    def test_isolated(self) -> None:
        """
        A node without a lease that answers lives, and is warned of once; it is
        asked at each look.  It is itself again when it renews its lease.
        """
        self.links.alive["i2"] = Liveness.ALIVE
        self.start(N2, seconds=8)
        self.freeze()
        self.own(N2, "a")
        with capturedLogs() as logs:
            self.pass_(20)
        self.assertIs(self.standing(), Standing.ISOLATED)
        self.assertIn(N2, self.membership.living)
        warned = [each for each in logs if each["log_level"] is LogLevel.warn]
        self.assertEqual(len(warned), 1)
        times = [time for time, *_ in self.links.probes]
        self.assertEqual(times[:4], [9.5, 11, 12, 13])
        self.beat()
        self.pass_(1)
        self.assertIs(self.standing(), Standing.ALIVE)
        self.assertEqual(self.told(), [(0, "joined", N2)])

    def test_isolatedAndSilent(self) -> None:
        """
        The answers of an isolated node hold as long as a lease: three seconds
        after the last one it is dead.
        """
        self.links.alive["i2"] = Liveness.ALIVE
        self.start(N2, seconds=8)
        self.freeze()
        self.pass_(7.5)  # it has answered at 15
        del self.links.alive["i2"]
        self.pass_(2)
        self.assertIs(self.standing(), Standing.ISOLATED)
        self.pass_(2)
        self.assertEqual(self.told()[1:], [(18.5, "died", N2, False)])

    def test_isolatedEnds(self) -> None:
        """
        An isolated node whose port refuses is dead at the next look.
        """
        self.links.alive["i2"] = Liveness.ALIVE
        self.start(N2, seconds=8)
        self.freeze()
        self.pass_(7.5)
        self.links.alive["i2"] = Liveness.REFUSED
        self.pass_(1)
        self.assertEqual(self.told()[1:], [(16, "died", N2, True)])

    def test_backWhileAsked(self) -> None:
        """
        A node that says good-bye, or is started again, while it is asked is not
        dead.
        """
        self.start(N2, N3, seconds=8)
        self.links.held = []
        self.freeze(N2)
        self.freeze(N3)
        self.pass_(3)
        self.assertEqual(len(self.links.held), 2)
        self.membership.left(N2, "i2")
        self.beat(N3, "next")
        held, self.links.held = self.links.held, None
        for each in held:
            each.callback(Liveness.REFUSED)
        self.pass_(1)
        self.assertEqual(self.told()[2:], [(11, "died", N3, True), (11, "joined", N3)])

    def test_stoodStill(self) -> None:
        """
        That nobody has answered while this process itself stood still means
        nothing: it asks once more, and judges nobody by leases that ran out
        meanwhile before the grace is over.
        """
        self.start(N2, seconds=8)
        self.freeze()
        self.pass_(1.6)
        self.clock.advance(20)
        self.links.alive["i2"] = Liveness.ALIVE
        self.ticks = round(self.clock.seconds() / 0.05)
        self.pass_(2)
        self.assertIs(self.standing(), Standing.ALIVE)
        self.assertEqual([instance for _, instance, _ in self.links.probes[:2]], ["i2", "i2"])
        self.beat()
        self.pass_(8)
        self.assertEqual(self.told(), [(0, "joined", N2)])


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
