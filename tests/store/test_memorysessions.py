"""
Tests of L{siprec.store.memorysessions}; that it keeps the contract of all
session stores is tested in L{tests.store.test_memory}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.store.errors import SessionDeleted, SessionNotFound
from siprec.store.memorysessions import SessionMemory
from tests.store.contract import makeData, makeLease


class SessionMemoryTests(SynchronousTestCase):
    """
    Times are exact, and nothing is kept longer than it has to be.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.memory = SessionMemory(self.clock.seconds)

    def test_exactTimes(self) -> None:
        """
        A record is there up to its last moment, and gone in it; cleaning up
        finds it then.
        """
        self.memory.store(makeData("a"), 10.0)
        self.clock.advance(9.75)
        self.assertEqual(self.memory.get("a").remaining, 0.25)
        self.assertEqual(self.memory.cleanup(), 0)
        self.clock.advance(0.25)
        self.assertEqual(self.memory.cleanup(), 1)
        self.assertRaises(SessionNotFound, self.memory.get, "a")

    def test_exactLease(self) -> None:
        """
        So is a lease.
        """
        self.memory.heartbeat(makeLease(), 10.0)
        self.clock.advance(9.75)
        self.assertEqual([each.expires for each in self.memory.nodes()], [10.0])
        self.clock.advance(0.25)
        self.assertEqual(self.memory.nodes(), [])

    def test_forgotten(self) -> None:
        """
        A deletion is remembered no longer than asked.
        """
        copy = makeData("a", version=1, epoch=1)
        self.memory.delete("a", None, 10.0)
        self.clock.advance(9.75)
        self.assertRaises(SessionDeleted, self.memory.replicate, copy, 10.0)
        self.clock.advance(0.25)
        self.assertTrue(self.memory.replicate(copy, 10.0))

    def test_cleanup(self) -> None:
        """
        Cleaning up leaves nothing of records, leases and deletions whose time
        has passed, not even in the indexes.
        """
        empty = repr(self.memory)
        self.memory.store(makeData("a"), 10.0)
        self.memory.delete("b", None, 10.0)
        self.memory.heartbeat(makeLease(), 10.0)
        self.assertNotEqual(repr(self.memory), empty)
        self.clock.advance(10)
        self.assertEqual(self.memory.cleanup(), 1)
        self.assertEqual(repr(self.memory), empty)
