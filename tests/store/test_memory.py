"""
Tests of L{siprec.store.memory}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.ids import NodeID
from siprec.store.interfaces import StoreUnavailable
from siprec.store.memory import MemorySessionStore, MemorySnapshotStore
from siprec.store.memorysessions import SessionMemory
from tests.store.contract import (
    makeData,
    makeSessionStoreTests,
    makeSnapshot,
    makeSnapshotStoreTests,
)
from tests.store.providers import MemoryProvider


class MemoryContractTests(makeSnapshotStoreTests(MemorySnapshotStore)):  # type: ignore[misc]
    """
    The memory store keeps the contract of all stores.
    """


class ClearTests(SynchronousTestCase):
    """
    The end of a node is the end of its memory.
    """

    def test_clear(self) -> None:
        """
        After C{clear} nothing is left.
        """
        store = MemorySnapshotStore()
        self.successResultOf(store.save("k", makeSnapshot()))
        store.clear()
        self.assertEqual(self.successResultOf(store.list()), [])


class SessionContractTests(makeSessionStoreTests(lambda test: MemoryProvider())):  # type: ignore[misc]
    """
    The session store in memory keeps the contract of all session stores.
    """


class SessionMemoryTests(SynchronousTestCase):
    """
    What only this provider does.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = MemorySessionStore(self.clock, NodeID("n1"))

    def test_ownMemory(self) -> None:
        """
        A memory that is not shared is another's for no one, and gone with the
        store; a shared one stays for the others.
        """
        memory = SessionMemory(self.clock.seconds)
        one, two = (MemorySessionStore(self.clock, NodeID(n), memory) for n in ("n1", "n2"))
        self.successResultOf(one.store(makeData("a"), 10.0))
        self.successResultOf(one.close())
        self.failureResultOf(one.get("a"), StoreUnavailable)
        self.assertTrue(self.successResultOf(two.exists("a")))
        self.assertFalse(self.successResultOf(self.store.exists("a")))
