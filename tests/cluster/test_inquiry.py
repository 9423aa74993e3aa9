"""
Tests of L{siprec.cluster.inquiry}: connections that break.
"""

from __future__ import annotations

from siprec.cluster.interfaces import Liveness
from siprec.cluster.membership import Standing
from tests.cluster.membershipcase import N3, MembershipCase
from tests.store.samples import N2


class BrokenTests(MembershipCase):
    """
    The connection to C{n2} breaks.
    """

    def setUp(self) -> None:
        super().setUp()
        self.start(N2, N3, seconds=8)
        self.told()
        self.links.probes.clear()

    def test_ended(self) -> None:
        """
        A node whose port refuses is dead at once, however long its lease holds.
        """
        self.links.alive["i2"] = Liveness.REFUSED
        self.membership.broken(N2)
        self.assertEqual(self.told(), [(8, "suspected", N2), (8, "died", N2, True)])
        self.assertEqual(self.links.kept[-1], [N3])
        self.membership.broken(N2)
        self.assertEqual(self.told(), [])

    def test_processEnded(self) -> None:
        """
        One whose process on this machine is gone need not be asked.
        """
        self.gone.add("i2")
        self.membership.broken(N2)
        self.assertEqual(self.told(), [(8, "suspected", N2), (8, "died", N2, True)])
        self.assertEqual(self.links.probes, [])

    def test_lives(self) -> None:
        """
        One that answers lives; only its connection was lost.
        """
        self.links.alive["i2"] = Liveness.ALIVE
        self.membership.broken(N2)
        self.assertIs(self.standing(), Standing.ALIVE)
        self.pass_(5)
        self.assertEqual(self.told(), [(8, "suspected", N2)])

    def test_endsMeanwhile(self) -> None:
        """
        One that is just ending is looked at again and again.
        """
        self.links.alive["i2"] = Liveness.OTHER
        self.membership.broken(N2)
        self.pass_(0.1)
        self.assertIs(self.standing(), Standing.SUSPECTED)
        self.links.alive["i2"] = Liveness.REFUSED
        self.pass_(0.05)
        self.assertEqual(self.told(), [(8, "suspected", N2), (8.15, "died", N2, True)])

    def test_silent(self) -> None:
        """
        If nothing is found within the time for it, it stays suspected until its
        lease runs out.
        """
        self.membership.broken(N2)
        self.freeze()
        self.pass_(0.4)
        self.assertEqual(self.links.probes, [(8, "i2", 0.3)])
        self.assertIs(self.standing(), Standing.SUSPECTED)
        self.assertIn(N2, self.membership.living)
        self.pass_(5)
        self.assertEqual(self.told(), [(8, "suspected", N2), (10.6, "died", N2, False)])

    def test_renewalOnItsWay(self) -> None:
        """
        One renewal that is seen after the connection broke may be from before;
        the second shows that the node lives.
        """
        self.membership.broken(N2)
        self.pass_(1.5)
        self.assertIs(self.standing(), Standing.SUSPECTED)
        self.pass_(1)
        self.assertIs(self.standing(), Standing.ALIVE)
        self.assertEqual(self.told(), [(8, "suspected", N2)])

    def test_breaksAgain(self) -> None:
        """
        A second break while the first is looked into makes that last longer,
        and what was found before it counts no more.
        """
        self.links.held = []
        self.membership.broken(N2)
        self.pass_(0.2)
        self.membership.broken(N2)
        first, self.links.held = self.links.held, None
        self.links.alive["i2"] = Liveness.REFUSED
        first[0].callback(Liveness.ALIVE)
        self.assertEqual(self.links.probes, [(8, "i2", 0.3), (8.2, "i2", 0.3)])
        self.assertEqual(self.told(), [(8, "suspected", N2), (8.2, "died", N2, True)])

    def test_breaksLater(self) -> None:
        """
        One that is suspected still is looked at once more when another
        connection breaks.
        """
        self.membership.broken(N2)
        self.pass_(0.5)
        self.links.alive["i2"] = Liveness.REFUSED
        self.membership.broken(N2)
        self.assertEqual(
            self.told(), [(8, "suspected", N2), (8.5, "suspected", N2), (8.5, "died", N2, True)]
        )

    def test_isolated(self) -> None:
        """
        So is one that is isolated; if it answers, that is what it stays.
        """
        self.links.alive["i2"] = Liveness.ALIVE
        self.freeze()
        self.pass_(5.5)
        self.membership.broken(N2)
        self.assertIs(self.standing(), Standing.ISOLATED)
        self.links.alive["i2"] = Liveness.REFUSED
        self.membership.broken(N2)
        self.assertEqual(
            self.told(),
            [(13.5, "suspected", N2), (13.5, "suspected", N2), (13.5, "died", N2, True)],
        )

    def test_lastBeatOfTheDead(self) -> None:
        """
        The last beat of a process that has ended, seen afterwards, does not
        bring it back.
        """
        self.links.alive["i2"] = Liveness.REFUSED
        self.pass_(0.6)
        self.membership.broken(N2)
        self.freeze()
        self.pass_(10)
        self.assertEqual(self.told(), [(8.6, "suspected", N2), (8.6, "died", N2, True)])

    def test_deadAndYetAlive(self) -> None:
        """
        One that was taken for certainly dead and renews its lease twice has
        joined again; not so if its process is seen to be gone.
        """
        self.links.alive["i2"] = Liveness.REFUSED
        self.membership.broken(N2)
        self.memory.release(N2, "i2")  # who takes its calls over ends it
        self.told()
        self.pass_(1.5)
        self.assertTrue(self.membership.isDead(N2))
        self.gone.add("i2")
        self.pass_(3)
        self.assertTrue(self.membership.isDead(N2))
        self.gone.clear()
        self.pass_(0.5)
        self.assertEqual(self.told(), [(13, "joined", N2)])
        self.assertFalse(self.member().certain)
        self.assertEqual(self.links.kept[-1], [N2, N3])

    def test_nextInstance(self) -> None:
        """
        A new process of the node joins, also while the end of the old one is
        still a question; what comes out of that is nobody's death.
        """
        self.links.held = []
        self.membership.broken(N2)
        self.memory.release(N2, "i2")
        self.beat(N2, "next")
        self.successResultOf(self.membership.lookNow())
        self.links.held[0].callback(Liveness.REFUSED)
        self.assertEqual(self.told(), [(8, "suspected", N2), (8, "joined", N2)])
        self.assertFalse(self.membership.isDead(N2))

    def test_stopped(self) -> None:
        """
        The stop cuts short the pause between two looks, and waits for one that
        is under way; nothing comes of either.
        """
        self.links.alive["i2"] = Liveness.OTHER
        self.membership.broken(N2)
        self.links.held = []
        self.membership.broken(N3)
        stopped = self.membership.stopService()
        self.assertNoResult(stopped)
        self.links.held[0].callback(Liveness.REFUSED)
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.told(), [(8, "suspected", N2), (8, "suspected", N3)])

    def test_stoppedByListener(self) -> None:
        """
        A listener that stops all when it hears of the break: then nobody is
        asked.
        """
        self.react = lambda event: self.addCleanup(
            self.successResultOf, self.membership.stopService()
        )
        self.membership.broken(N2)
        self.assertEqual(self.links.probes, [])

    def test_unknown(self) -> None:
        """
        A break of a connection to nobody in particular is nothing.
        """
        self.membership.left(N2, "i2")
        self.membership.broken(N2)
        self.assertEqual(self.told(), [])

    def test_faulty(self) -> None:
        """
        Connections that do not keep what they promise are logged; the node is
        looked at by its lease.
        """
        self.links.error = ZeroDivisionError()
        self.membership.broken(N2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIs(self.standing(), Standing.SUSPECTED)
        self.pass_(3)
        self.assertIs(self.standing(), Standing.ALIVE)


class NoLinksTests(MembershipCase):
    """
    Nodes that hold no connections to each other.
    """

    def test_silent(self) -> None:
        """
        A node of which the process cannot be seen has only its lease.
        """
        self.membership = self.make(None)
        self.start(N2, seconds=8)
        self.membership.broken(N2)
        self.pass_(0.4)
        self.freeze()
        self.pass_(4)
        self.assertEqual(self.told()[1:], [(8, "suspected", N2), (10.6, "died", N2, False)])
        self.assertEqual(self.links.probes, [])
