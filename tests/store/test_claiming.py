"""
Tests of L{siprec.store.claiming}.
"""

from __future__ import annotations

from attrs import evolve
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from siprec.session.model import Claimed
from siprec.store.claiming import MOST, checkClaim, claimedRecords
from siprec.store.codec import encode, encodeLease
from siprec.store.errors import LeaseHeld
from tests.store.samples import N1, N2, makeData, makeLease


class ClaimingTests(SynchronousTestCase):
    """
    What may be asked, and what the answer of the script means.
    """

    def test_check(self) -> None:
        """
        One to L{MOST} records can be taken over, from another node.
        """
        for limit in (1, MOST):
            checkClaim(N1, N2, limit)
        for limit in (0, -1, MOST + 1):
            self.assertRaisesRegex(ValueError, str(limit), checkClaim, N1, N2, limit)
        self.assertRaisesRegex(ValueError, "n1", checkClaim, N1, N1, 1)

    def test_records(self) -> None:
        """
        Records are those of the new owner, in order.
        """
        found = [[key, encode(makeData(key.decode())), 4, 2, 1500] for key in (b"b", b"a")]
        claimed = claimedRecords([b"claimed", 7, 0, b"", found], N1, N2)
        expected = [makeData(key, nodeID=N2, version=4, epoch=2) for key in ("b", "a")]
        self.assertEqual(claimed, Claimed(tuple(expected), 7))
        self.assertEqual([each.remaining for each in claimed.records], [1.5, 1.5])

    def test_unreadable(self) -> None:
        """
        One that cannot be decoded after all is left out, and logged with whose
        it was.
        """
        blobs = {b"a": encode(makeData("a")), b"b": b"\xc1", b"c": encode(makeData("other"))}
        found = [[key, blob, 4, 2, 1500] for key, blob in blobs.items()]
        with capturedLogs() as logs:
            claimed = claimedRecords([b"claimed", 3, 0, b"", found], N1, N2)
        self.assertEqual(([each.sessionID for each in claimed.records], claimed.left), (["a"], 3))
        self.assertEqual(
            [(each["recording"], each["owner"]) for each in logs], [("b", N1), ("c", N1)]
        )

    def test_steppedOver(self) -> None:
        """
        How many are left with their owner is logged when there is nothing else
        any more, not each time.
        """
        for last, expected in ((b"x", []), (b"", [2])):
            with capturedLogs() as logs:
                claimedRecords([b"claimed", 0, 2, last, []], N1, N2)
            self.assertEqual([each["count"] for each in logs], expected)

    def test_held(self) -> None:
        """
        The owner lives: its lease is told.
        """
        answer = [b"held", b"i1", encodeLease(makeLease()), 5500]
        error = self.assertRaises(LeaseHeld, claimedRecords, answer, N1, N2)
        self.assertEqual(error.holder, evolve(makeLease(), expires=5.5))
