"""
Tests of L{siprec.cluster.members}.
"""

import math

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.members import Member, Standing
from tests.store.samples import makeLease

LEASE, PATIENCE = 3.0, 0.5


class MemberTests(SynchronousTestCase):
    """
    What is known of a node.
    """

    def setUp(self) -> None:
        self.member = Member(makeLease(), Standing.ALIVE, 0.0)
        self.member.seen(evolve(makeLease(), expires=100.0), 9.0, 10.0)

    def test_renewal(self) -> None:
        """
        Another time at which its lease expires is a renewal, be it an earlier
        one, as after another store has taken over; the same one is none.
        """
        self.member.seen(evolve(makeLease(), expires=100.0), 10.0, 11.0)
        self.assertEqual((self.member.renewals, self.member.renewedAfter), (1, 9.0))
        self.member.seen(evolve(makeLease(), expires=50.0), 11.0, 12.0)
        self.assertEqual((self.member.renewals, self.member.renewedAfter), (2, 11.0))
        self.assertEqual((self.member.renewedBefore, self.member.lease.expires), (12.0, 50.0))

    def test_hasProven(self) -> None:
        """
        One renewal shows that a node lives of which only nothing was heard; two
        that one does whose connection broke, or whose process seemed to have
        ended.  They count from when that was thought.
        """
        for standing, certain, needed in (
            (Standing.DEAD, False, 1),
            (Standing.ISOLATED, False, 1),
            (Standing.SUSPECTED, False, 2),
            (Standing.DEAD, True, 2),
        ):
            self.member.become(standing, 20.0, certain)
            self.assertEqual((self.member.since, self.member.certain), (20.0, certain))
            count = 0
            while not self.member.hasProven:
                count += 1
                expires = self.member.lease.expires + 1
                self.member.seen(evolve(makeLease(), expires=expires), 0.0, 0.0)
            self.assertEqual(count, needed)

    def test_turns(self) -> None:
        """
        Its lease is looked at when it should be asked, when the lease may run
        out, and every tenth of a second until it must have.
        """
        for now, turn in (
            (10.0, 11.5),
            (11.5, 12.0),
            (11.4995, 12.0),
            (12.0, 12.1),
            (13.05, 13.15),
        ):
            self.assertEqual(round(self.member.nextTurn(now, LEASE, PATIENCE), 6), turn)

    def test_over(self) -> None:
        """
        After that, the looks that are made anyway are enough.
        """
        self.assertEqual(self.member.nextTurn(13.2, LEASE, PATIENCE), math.inf)

    def test_due(self) -> None:
        """
        It is asked as soon as its lease might run out before it has answered.
        """
        for now, due in ((11.4, False), (11.4995, True), (20.0, True)):
            self.assertEqual(self.member.isDue(now, LEASE, PATIENCE), due)

    def test_withoutLease(self) -> None:
        """
        Of a node that has no lease there is nothing to wait for.
        """
        for standing in (Standing.ISOLATED, Standing.DEAD):
            self.member.become(standing, 11.0)
            self.assertFalse(self.member.isDue(20.0, LEASE, PATIENCE))
            self.assertEqual(self.member.nextTurn(10.0, LEASE, PATIENCE), math.inf)
