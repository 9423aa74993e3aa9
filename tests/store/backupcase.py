"""
Two stores as one, with both of its connections in the hands of the test.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.ids import NodeID
from siprec.session.model import SessionData
from siprec.store.backup import BackupSessionStore
from siprec.store.memory import MemorySessionStore
from siprec.store.memorysessions import SessionMemory
from tests.store.contract import makeData
from tests.store.samples import N1
from tests.store.shaky import ShakyStore


class BackupTestCase(SynchronousTestCase):
    """
    Two memories behind connections that the test can break.
    """

    limit = 100

    def setUp(self) -> None:
        self.clock = Clock()
        self.primaryMemory = SessionMemory(self.clock.seconds)
        self.secondMemory = SessionMemory(self.clock.seconds)
        # It runs when the stores have been closed.
        self.addCleanup(self.assertNoTimers, self.clock)
        self.connect()

    def connect(self, nodeID: NodeID = N1) -> None:
        """
        A node starts: it has connections and a backlog of its own.
        """
        self.primary = ShakyStore(MemorySessionStore(self.clock, nodeID, self.primaryMemory))
        self.second = ShakyStore(MemorySessionStore(self.clock, nodeID, self.secondMemory))
        primary: Any = self.primary
        second: Any = self.second
        self.store = BackupSessionStore(
            primary, second, self.clock, limit=self.limit, retry=5.0, remember=1000.0
        )
        self.addCleanup(self.closed, self.store)

    def closed(self, store: BackupSessionStore) -> None:
        """
        A store can be closed.
        """
        self.primary.held = self.second.held = None
        self.successResultOf(store.close())

    def assertNoTimers(self, clock: Clock) -> None:
        """
        Nothing is left to be called.
        """
        self.assertEqual(clock.getDelayedCalls(), [])

    def create(self, key: str = "a", ttl: float = 500.0, **fields: Any) -> SessionData:
        """
        @return: a new record, as stored.
        """
        data: SessionData = self.successResultOf(self.store.store(makeData(key, **fields), ttl))
        return data

    def change(self, data: SessionData, **fields: Any) -> SessionData:
        """
        @return: the record as it is after a write.
        """
        changed: SessionData = self.successResultOf(
            self.store.update(evolve(data, **fields), 500.0)
        )
        return changed

    def stats(self) -> dict[str, Any]:
        """
        @return: what the store says of itself.
        """
        stats: dict[str, Any] = self.successResultOf(self.store.stats())
        return stats

    def assertSame(self, *keys: str) -> None:
        """
        Both stores have these records, equal and with the same time left, and
        there is nothing left to be done.
        """
        for memory in (self.primaryMemory, self.secondMemory):
            self.assertEqual(sorted(memory.list(None)), sorted(keys))
        for key in keys:
            one, two = self.primaryMemory.get(key), self.secondMemory.get(key)
            self.assertEqual(one, two)
            self.assertApproximates(one.remaining, two.remaining, 1.0)
        stats = self.stats()
        self.assertEqual(
            (stats["pending"], stats["lag"], stats["comparing"]), (0, 0.0, False), stats
        )
