"""
Tests of L{siprec.store.answers}.
"""

from __future__ import annotations

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from siprec.store.answers import checked, fromBytes, holder, leases, record, toBytes
from siprec.store.codec import encode, encodeLease
from siprec.store.errors import (
    CorruptRecord,
    NotOwner,
    SessionDeleted,
    SessionNotFound,
    VersionConflict,
)
from tests.store.samples import makeData, makeLease


class AnswersTests(SynchronousTestCase):
    """
    What scripts return is a value or a failure.
    """

    def test_failures(self) -> None:
        """
        Each kind of failure has its exception; what is none is given back.
        """
        for answer, kind in (
            ([b"absent"], SessionNotFound),
            ([b"unreadable", b"\xff why"], CorruptRecord),
            ([b"owner", 2, b"n2"], NotOwner),
            ([b"conflict", 3], VersionConflict),
            ([b"deleted"], SessionDeleted),
        ):
            self.assertEqual(self.assertRaises(kind, checked, answer, "k", 1).key, "k")
        self.assertEqual(checked([b"stored", 1], "k"), [b"stored", 1])

    def test_record(self) -> None:
        """
        A record is that of its key, or corrupt.
        """
        answer = [b"record", encode(makeData("k")), 4, 2, b"n2", 1500]
        data = record(answer, "k")
        self.assertEqual((data.version, data.epoch, data.nodeID, data.remaining), (4, 2, "n2", 1.5))
        self.assertRaises(CorruptRecord, record, answer, "other")

    def test_holder(self) -> None:
        """
        Who holds a lease is known at least by instance.
        """
        lease = makeLease()
        known = holder(lease.nodeID, b"i", encodeLease(lease), 9.5)
        self.assertEqual((known.host, known.expires), (lease.host, 9.5))
        unknown = holder(lease.nodeID, b"i", b"\xc1", 9.5)
        self.assertEqual((unknown.instance, unknown.host, unknown.pid), ("i", "unknown", 0))

    def test_leases(self) -> None:
        """
        Leases come with when they expire, in seconds; what cannot be read is
        logged.
        """
        lease = makeLease()
        with capturedLogs() as logs:
            found = leases([[b"n1", encodeLease(lease), b"5500"], [b"n2", b"", b"1"]])
        self.assertEqual(found, [evolve(lease, expires=5.5)])
        self.assertEqual([each["node"] for each in logs], ["n2"])

    @given(st.text(st.characters(exclude_categories=())))
    def test_names(self, name: str) -> None:
        """
        Every name survives, lone surrogates included.
        """
        self.assertEqual(fromBytes(toBytes(name)), name)

    def test_foreignNames(self) -> None:
        """
        Bytes that we did not write can still be shown.
        """
        self.assertEqual(fromBytes(b"\xffx"), "\\xffx")
