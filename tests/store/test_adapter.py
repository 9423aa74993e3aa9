"""
Tests of L{siprec.store.adapter}.
"""

from __future__ import annotations

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.session.model import CallSnapshot, SessionData
from siprec.store.adapter import TIME_TO_LIVE, SnapshotAdapter
from siprec.store.backup import BackupSessionStore
from siprec.store.interfaces import (
    ISnapshotStore,
    SessionNotFound,
)
from siprec.store.memory import MemorySessionStore
from siprec.store.memorysessions import SessionMemory
from tests.store.contract import makeData, makeSnapshot, makeSnapshotStoreTests
from tests.store.samples import N1, N2
from tests.store.shaky import ShakyStore


def overMemory() -> ISnapshotStore:
    """
    @return: the adapter over an empty memory.
    """
    return ISnapshotStore(MemorySessionStore(Clock(), N1))


def overBackup() -> ISnapshotStore:
    """
    @return: the adapter over two empty memories.
    """
    clock = Clock()
    primary, second = MemorySessionStore(clock, N1), MemorySessionStore(clock, N1)
    return ISnapshotStore(BackupSessionStore(primary, second, clock))


class MemoryContractTests(makeSnapshotStoreTests(overMemory)):  # type: ignore[misc]
    """
    The adapter over a memory keeps the contract of snapshot stores.
    """


class BackupContractTests(makeSnapshotStoreTests(overBackup)):  # type: ignore[misc]
    """
    The adapter over two stores keeps the contract of snapshot stores.
    """


class AdapterTestCase(SynchronousTestCase):
    """
    An adapter over a store that can be made not to answer.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.memory = SessionMemory(self.clock.seconds)
        self.shaky = ShakyStore(MemorySessionStore(self.clock, N1, self.memory))
        self.adapter = self.adapt()

    def adapt(self) -> SnapshotAdapter:
        """
        @return: an adapter as a node has it after a new start.
        """
        return SnapshotAdapter(self.shaky, ttl=100.0, now=lambda: 5000.0)

    def save(self, snapshot: CallSnapshot | None = None, key: str = "a") -> None:
        """
        A save succeeds.
        """
        call = self.adapter.save(key, snapshot or makeSnapshot(key))
        self.assertIsNone(self.successResultOf(call))

    def load(self, key: str = "a") -> CallSnapshot:
        """
        @return: what a load fires with.
        """
        snapshot: CallSnapshot = self.successResultOf(self.adapter.load(key))
        return snapshot


class RecordTests(AdapterTestCase):
    """
    What the adapter makes of a snapshot.
    """

    def test_lifted(self) -> None:
        """
        What is searched for is lifted out of the snapshot: who it is, where it
        lies, its communication sessions, vendor fields and correlation keys.
        """
        snapshot = makeSnapshot("a")
        recording = evolve(
            snapshot.recording,
            state="finishing",
            sessions=("s1", "s2"),
            vendor={"ucid": ["0001"]},
            correlations=("session:s1", "ucid:0001"),
        )
        snapshot = evolve(snapshot, recording=recording)
        self.save(snapshot)
        self.assertEqual(
            self.memory.get("a"),
            SessionData(
                sessionID="a",
                callID="c1@src.example",
                status="finishing",
                startTime=1000.25,
                lastUpdate=5000.0,
                recordingPath="/r/2026/01/05/a",
                nodeID=N1,
                snapshot=snapshot,
                sessions=("s1", "s2"),
                metadata={"queue": "sales"},
                vendor={"ucid": ["0001"]},
                correlations=("session:s1", "ucid:0001"),
                version=1,
                epoch=1,
            ),
        )
        self.assertEqual(self.memory.listBySession("s2"), ["a"])

    def test_lifetime(self) -> None:
        """
        Each save gives the record its time to live anew.
        """
        self.save()
        self.clock.advance(99)
        self.save()
        self.clock.advance(99)
        self.assertEqual(self.load(), makeSnapshot("a"))

    def test_defaults(self) -> None:
        """
        By adaptation it is for the store's node, and a record lives for a day.
        """
        adapter = ISnapshotStore(self.shaky)
        self.successResultOf(adapter.save("a", makeSnapshot("a")))
        data = self.memory.get("a")
        self.assertEqual((data.nodeID, data.remaining), (N1, TIME_TO_LIVE))

    def test_onlyOwn(self) -> None:
        """
        Only the calls of this node are listed.
        """
        self.save()
        self.memory.store(makeData("b", nodeID=N2), 100.0)
        self.assertEqual(self.successResultOf(self.adapter.list()), ["a"])

    def test_withoutSnapshot(self) -> None:
        """
        A record that another layer made without a snapshot is no snapshot; it
        gets one by a save, which keeps what was there.
        """
        self.memory.store(makeData("a", metadata={"case": 7}), 100.0)
        self.failureResultOf(self.adapter.load("a"), SessionNotFound)
        self.save()
        self.assertEqual(self.memory.get("a").metadata, {"case": 7, "queue": "sales"})
        self.assertEqual(self.memory.get("a").version, 2)


class MetadataTests(AdapterTestCase):
    """
    The free metadata belong to those who put them there.
    """

    def put(self, **metadata: object) -> None:
        """
        A program changes the record through the rich layer.
        """
        data = self.memory.get("a")
        self.memory.update(evolve(data, metadata=metadata), 100.0)

    def test_othersStay(self) -> None:
        """
        What a program puts into the record survives each save, even where it
        has changed what the snapshot said at first.
        """
        self.save()
        self.put(queue="support", case=7)
        self.save(evolve(makeSnapshot("a"), lastActivity=2000.0))
        self.assertEqual(self.memory.get("a").metadata, {"queue": "support", "case": 7})
        self.assertEqual(self.load().metadata, {"queue": "sales"})

    def test_changesFollow(self) -> None:
        """
        What changes in the snapshot's metadata changes in the record's.
        """
        self.save()
        self.put(queue="sales", case=7)
        self.save(evolve(makeSnapshot("a"), metadata={"queue": "billing", "agent": "x"}))
        self.assertEqual(
            self.memory.get("a").metadata, {"queue": "billing", "agent": "x", "case": 7}
        )
        self.save(evolve(makeSnapshot("a"), metadata={"agent": "x"}))
        self.assertEqual(self.memory.get("a").metadata, {"agent": "x", "case": 7})

    def test_afterRestart(self) -> None:
        """
        The same holds for an adapter that did not write the record itself,
        whether it has loaded it or not.
        """
        self.save()
        self.put(queue="sales", case=7)
        for agent in ("x", "y"):
            self.adapter = self.adapt()
            if agent == "y":
                self.load()
            self.save(evolve(makeSnapshot("a"), metadata={"agent": agent}))
            self.assertEqual(self.memory.get("a").metadata, {"agent": agent, "case": 7})
