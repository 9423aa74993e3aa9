"""
Tests of L{siprec.cluster.takeover}: the sessions of a dead node.
"""

from __future__ import annotations

from siprec.cluster.takeover import AT_ONCE, BATCH
from siprec.store.interfaces import SessionNotFound
from tests.cluster.takeovercase import N3, TakeoverCase
from tests.store.samples import N1, N2, makeData


class OneSurvivorTests(TakeoverCase):
    """
    C{n2} is the only one that is left.
    """

    def test_takesAll(self) -> None:
        """
        It takes all, the newest first, a batch at a time with a turn for the
        rest of the node in between, each in the next epoch.
        """
        self.own(45)
        self.two.takeover.nodeDied(N1)
        self.assertEqual(self.two.keys, [f"k{number:03}" for number in range(44, 24, -1)])
        self.pass_(0.1)
        self.assertEqual(self.two.keys, [f"k{number:03}" for number in range(44, -1, -1)])
        self.assertEqual({epoch for _, epoch, _ in self.two.taken}, {2})
        self.assertEqual(self.two.store.calls, ["owners", *["claimFrom"] * 3])
        self.assertEqual((self.two.takeover.claimed, len(self.owned(N2))), (45, 45))

    def test_room(self) -> None:
        """
        So many are taken up at once; more are claimed when there is room, and
        not before.
        """
        self.own(150)
        self.two.held = []
        self.two.takeover.nodeDied(N1)
        self.pass_(1)
        self.assertEqual(len(self.two.taken), AT_ONCE)
        self.two.held.pop(0).callback(None)
        self.assertEqual(len(self.two.taken), AT_ONCE + BATCH)
        for _ in range(BATCH):
            self.two.held.pop(0).callback(None)
        self.assertEqual(len(self.two.taken), AT_ONCE + 2 * BATCH)

    def test_rush(self) -> None:
        """
        Until all are claimed, what was claimed before waits with all that is not
        urgent.
        """
        self.own(45)
        held = self.two.store.held = []
        self.two.takeover.nodeDied(N1)
        held.pop(0)()  # how many there are
        waiting = []
        for count in (20, 40):
            held.pop(0)()
            waiting.append(self.two.rush.whenOver())
            self.pass_(0.1)
            self.assertEqual((len(self.two.taken), len(held)), (count, 1))
        for each in waiting:
            self.assertNoResult(each)
        self.two.store.letGo()
        self.assertEqual(len(self.two.taken), 45)
        for each in waiting:
            self.successResultOf(each)

    def test_rushWaits(self) -> None:
        """
        Nobody is kept waiting by what waits itself: for room, or for the store.
        """
        self.own(150)
        self.two.held = []
        self.two.takeover.nodeDied(N1)
        self.pass_(1)
        self.assertEqual(len(self.two.taken), AT_ONCE)
        self.successResultOf(self.two.rush.whenOver())
        self.two.store.away = True
        self.two.held.pop(0).callback(None)
        self.successResultOf(self.two.rush.whenOver())
        self.two.store.away = False
        self.pass_(1)

    def test_nothing(self) -> None:
        """
        The lease of a node that had nothing is ended all the same, so that
        another process can have it.
        """
        self.lease()
        self.two.takeover.nodeDied(N1, "i1")
        self.assertEqual(self.memory.nodes(), [])
        self.assertEqual(self.two.store.calls, ["owners", "claimFrom"])

    def test_lives(self) -> None:
        """
        Nothing is taken from a node that has a lease, unless it is that of the
        process that has ended.
        """
        self.own(5)
        self.lease()
        self.two.takeover.nodeDied(N1)
        self.two.takeover.nodeDied(N1, "other")
        self.assertEqual(self.two.keys, [])
        self.two.takeover.nodeDied(N1, "i1")
        self.assertEqual(len(self.two.keys), 5)

    def test_comesBack(self) -> None:
        """
        If another process of the node takes its lease meanwhile, the rest is
        that one's.
        """
        self.own(45)
        self.two.takeover.nodeDied(N1, "i1")
        self.lease("next")
        self.pass_(10)
        self.assertEqual((len(self.owned(N2)), len(self.owned(N1))), (20, 25))

    def test_wasNotDead(self) -> None:
        """
        So it is if that very process renews its lease: it was not dead.
        """
        self.own(45)
        self.lease()
        self.two.takeover.nodeDied(N1, "i1")
        self.lease("i1")
        self.pass_(10)
        self.assertEqual((len(self.owned(N2)), len(self.owned(N1))), (20, 25))

    def test_diesAgain(self) -> None:
        """
        If the next process ends as well while the first is taken over, that
        goes on.
        """
        self.own(45)
        self.two.takeover.nodeDied(N1, "i1")
        self.lease("next")
        self.two.takeover.nodeDied(N1, "next")
        self.pass_(1)
        self.assertEqual(len(self.owned(N2)), 45)
        self.assertEqual(self.memory.nodes(), [])

    def test_diesAgainMeanwhile(self) -> None:
        """
        So it does if the end of the next process is told while the store is
        just finding that it has the lease.
        """
        self.own(45)
        self.lease("i1")
        self.two.takeover.nodeDied(N1, "i1")
        self.lease("next")
        self.two.store.held = []
        self.pass_(0.1)
        self.two.takeover.nodeDied(N1, "next")
        self.two.store.letGo()
        self.pass_(1)
        self.assertEqual(len(self.owned(N2)), 45)

    def test_diesAgainDuringAClaim(self) -> None:
        """
        What is told of its process while a batch is claimed is of the lease
        after that.
        """
        self.own(45)
        self.two.takeover.nodeDied(N1, "i1")
        self.two.store.held = []
        self.pass_(0.0625)
        self.two.takeover.nodeDied(N1, "next")
        self.two.store.letGo()
        self.lease("next")
        self.pass_(1)
        self.assertEqual(len(self.owned(N2)), 45)

    def test_twice(self) -> None:
        """
        To be told twice of a death changes nothing; nor does the death of this
        node itself.
        """
        self.own(45)
        self.memory.store(makeData("mine", nodeID=N2), 1000.0)
        for _ in range(2):
            self.two.takeover.nodeDied(N1)
            self.two.takeover.nodeDied(N2)
        self.pass_(1)
        self.assertEqual(len(self.two.keys), 45)
        self.assertEqual(self.two.store.calls.count("claimFrom"), 3)

    def test_notReady(self) -> None:
        """
        A node that cannot take calls up claims none, and no more of them when
        it cannot any more.
        """
        self.own(45)
        self.two.ready = False
        self.two.takeover.nodeDied(N1)
        self.assertEqual(self.two.store.calls, [])
        self.two.ready = True
        self.two.takeover.nodeDied(N1)
        self.two.ready = False
        self.pass_(5)
        self.assertEqual(len(self.two.keys), 20)

    def test_notTakenUp(self) -> None:
        """
        What cannot be taken up is logged, and in nobody's way.
        """
        self.own(2)
        self.two.error = ZeroDivisionError()
        self.two.takeover.nodeDied(N1)
        self.assertEqual(len(self.two.keys), 2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.assertIsNone(self.two.takeover.beingTakenUp("k000"))

    def test_otherFailure(self) -> None:
        """
        What the store should not say ends it, and is logged; it can be begun
        again.
        """
        self.own(2)
        self.two.store.errors["claimFrom"] = SessionNotFound("x")
        self.two.takeover.nodeDied(N1)
        self.assertEqual(len(self.flushLoggedErrors(SessionNotFound)), 1)
        del self.two.store.errors["claimFrom"]
        self.two.takeover.nodeDied(N1)
        self.assertEqual(len(self.two.keys), 2)

    def test_outage(self) -> None:
        """
        While the store is away it is asked every half second; then it goes on
        where it was, and what is known of the process is still known.
        """
        self.own(45)
        self.lease()
        self.two.store.away = True
        self.two.takeover.nodeDied(N1, "i1")
        self.pass_(10.2)
        self.assertEqual(self.two.store.calls.count("owners"), 21)
        self.two.store.away = False
        self.pass_(0.5)
        self.assertEqual(len(self.two.keys), 45)


class TwoSurvivorsTests(TakeoverCase):
    """
    C{n2} and C{n3} are left.
    """

    def bothSee(self, sessions: int = 0) -> None:
        """
        Both see at once that C{n1} has died.

        @param sessions: how many it had, as far as they know.
        """
        for each in (self.two, self.three):
            each.takeover.nodeDied(N1, "i1", sessions)

    def test_race(self) -> None:
        """
        Each takes its share, no session twice, and together all.  Who comes
        second finds fewer, and what is left by that goes a bit later.
        """
        self.own(100)
        self.lease()
        self.two.others, self.three.others = [0], [0]
        self.bothSee()
        self.pass_(0.125)
        self.assertEqual((len(self.two.keys), len(self.three.keys)), (50, 40))
        self.pass_(0.25)
        self.assertEqual(len(self.two.keys) + len(self.three.keys), 100)
        self.assertEqual(len({*self.two.keys, *self.three.keys}), 100)

    def test_raceKnown(self) -> None:
        """
        Where both know how many there were, nothing is left over, though one is
        faster.
        """
        self.own(100)
        self.lease()
        self.two.others, self.three.others = [0], [0]
        self.bothSee(100)
        self.pass_(0.0625)
        self.assertEqual((len(self.two.keys), len(self.three.keys)), (50, 50))

    def test_raceOutOfDate(self) -> None:
        """
        If there are fewer, or more, by now, all are taken all the same.
        """
        for known in (20, 300):
            self.setUp()
            self.own(100)
            self.bothSee(known)
            self.pass_(0.25)
            self.assertEqual(len({*self.two.keys, *self.three.keys}), 100)

    def test_byLoad(self) -> None:
        """
        Who has more to do takes less.
        """
        self.own(100)
        self.two.own, self.two.others, self.three.others = 60, [0], [60]
        self.bothSee()
        self.pass_(0.5)
        self.assertEqual((len(self.two.keys), len(self.three.keys)), (20, 80))

    def test_loaded(self) -> None:
        """
        Who has too much already leaves all to the others.
        """
        self.own(50)
        self.two.own, self.two.others, self.three.others = 60, [0], [60]
        self.bothSee()
        self.pass_(1)
        self.assertEqual((len(self.two.keys), len(self.three.keys)), (0, 50))

    def test_nobodyElse(self) -> None:
        """
        What the others have not begun to take within a tenth of a second, this
        node takes, too, at full speed.
        """
        self.own(100)
        self.two.others = [0]
        self.two.takeover.nodeDied(N1)
        self.pass_(0.09375)
        self.assertEqual(len(self.two.keys), 50)
        self.pass_(0.1875)
        self.assertEqual(len(self.two.keys), 100)

    def test_bothTooModest(self) -> None:
        """
        Two that each believe the other to have less to do leave nothing.
        """
        self.own(40)
        self.two.own, self.two.others = 60, [0]
        self.three.own, self.three.others = 60, [0]
        self.bothSee()
        self.pass_(0.075)
        self.assertEqual((len(self.two.keys), len(self.three.keys)), (0, 0))
        self.pass_(0.15)
        self.assertEqual(len(self.two.keys) + len(self.three.keys), 40)
        self.assertEqual(len({*self.two.keys, *self.three.keys}), 40)

    def test_oneDiesMeanwhile(self) -> None:
        """
        What a survivor had claimed when it died goes on at the other, in the
        epoch after that.
        """
        self.own(100)
        self.two.others, self.three.others = [0], [0]
        self.three.held = []
        self.bothSee()
        self.stop(self.three)
        self.assertEqual(len(self.three.keys), 20)
        self.pass_(1)
        self.two.others = []
        self.two.takeover.nodeDied(N3)
        self.pass_(1)
        self.assertEqual(len(self.owned(N2)), 100)
        self.assertEqual(
            [epoch for key, epoch, _ in self.two.taken if key in self.three.keys], [3] * 20
        )

    def test_lostAndBack(self) -> None:
        """
        A session that went to another node and came back while it was being
        taken up is taken up anew after that, once.
        """
        self.own(1)
        self.two.held = []
        self.two.takeover.nodeDied(N1)
        self.memory.claim("k000", N3, 2)
        self.two.takeover.nodeDied(N3)
        self.assertEqual(self.two.taken, [("k000", 2, 0.0)])
        self.two.held.pop().callback(None)
        self.assertEqual(self.two.taken, [("k000", 2, 0.0), ("k000", 4, 0.0)])
        self.assertIsNotNone(self.two.takeover.beingTakenUp("k000"))
