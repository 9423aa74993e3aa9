"""
Tests of L{siprec.cluster.membership}: a lease runs out.
"""

from __future__ import annotations

from twisted.logger import LogLevel, capturedLogs

from siprec.cluster.interfaces import Liveness
from siprec.cluster.membership import Standing
from tests.cluster.membershipcase import N3, MembershipCase
from tests.store.samples import N2


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
