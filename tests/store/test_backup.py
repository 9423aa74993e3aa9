"""
Tests of L{siprec.store.backup}.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from siprec.store.interfaces import (
    CorruptRecord,
    LeaseHeld,
    SessionNotFound,
    StoreUnavailable,
)
from tests.store.backupcase import BackupTestCase
from tests.store.contract import makeData, makeLease, makeSessionStoreTests
from tests.store.providers import BackupProvider
from tests.store.samples import N1, N2


class BackupContractTests(makeSessionStoreTests(lambda test: BackupProvider())):  # type: ignore[misc]
    """
    Two stores as one keep the contract of all session stores.
    """


class PrimaryAwayTests(BackupTestCase):
    """
    While the primary is away, the second store is read, and nothing written.
    """

    def test_reads(self) -> None:
        """
        Every kind of read is answered by the second store, and counted.
        """
        a = self.create("a")
        self.successResultOf(self.store.heartbeat(makeLease(), 60.0))
        self.primary.away = True
        reads: list[tuple[Deferred[Any], object]] = [
            (self.store.get("a"), a),
            (self.store.exists("a"), True),
            (self.store.list(), ["a"]),
            (self.store.list(N2), []),
            (self.store.listByCallID("c1@src.example"), ["a"]),
            (self.store.listBySession("cs1"), ["a"]),
        ]
        for read, expected in reads:
            self.assertEqual(self.successResultOf(read), expected)
        (lease,) = self.successResultOf(self.store.nodes())
        self.assertEqual(lease.instance, "i1")
        stats = self.stats()
        self.assertEqual((stats["fallbacks"], stats["sessions"]), (7, 1))
        self.assertIsNone(stats["primary"])

    def test_neverOnNotFound(self) -> None:
        """
        What the primary says is not there, is not there, whatever the second
        store has; the same holds for a record that cannot be read.
        """
        self.create("z")
        self.secondMemory.store(makeData("a"), 500.0)
        self.failureResultOf(self.store.get("a"), SessionNotFound)
        self.assertFalse(self.successResultOf(self.store.exists("a")))
        self.assertEqual(self.successResultOf(self.store.list()), ["z"])
        self.primary.errors["get"] = CorruptRecord("z", "garbage")
        self.failureResultOf(self.store.get("z"), CorruptRecord)
        self.assertEqual(self.stats()["fallbacks"], 0)

    def test_notFoundIsUnknown(self) -> None:
        """
        What the second store does not have, or cannot read, is unavailable: it
        may not have heard of it.
        """
        self.create("a")
        self.primary.away = True
        self.failureResultOf(self.store.get("b"), StoreUnavailable)
        self.failureResultOf(self.store.exists("b"), StoreUnavailable)
        self.second.errors["get"] = CorruptRecord("a", "garbage")
        self.failureResultOf(self.store.get("a"), StoreUnavailable)

    def test_bothAway(self) -> None:
        """
        With both away, every call says so.
        """
        a = self.create("a")
        self.primary.away = self.second.away = True
        lease = makeLease()
        calls: list[Deferred[Any]] = [
            self.store.get("a"),
            self.store.exists("a"),
            self.store.list(),
            self.store.listByCallID("x"),
            self.store.listBySession("x"),
            self.store.listByCorrelation("x"),
            self.store.owners(),
            self.store.claimFrom(N1, N2, 25),
            self.store.nodes(),
            self.store.stats(),
            self.store.health(),
            self.store.cleanup(),
            self.store.store(makeData("b"), 9.0),
            self.store.update(a, 9.0),
            self.store.delete("a"),
            self.store.extend("a", 9.0, 1),
            self.store.claim("a", N2, 1),
            self.store.replicate(a, 9.0),
            self.store.heartbeat(lease, 9.0),
            self.store.release(N1, "i1"),
        ]
        for call in calls:
            self.failureResultOf(call, StoreUnavailable)

    def test_writesFail(self) -> None:
        """
        Writes fail, and are not made in the second store: it does not decide.
        """
        a = self.create("a")
        self.primary.away = True
        writes: list[Deferred[Any]] = [
            self.store.store(makeData("b"), 9.0),
            self.store.update(a, 9.0),
            self.store.delete("a"),
            self.store.extend("a", 9.0, 1),
            self.store.claim("a", N2, 1),
            self.store.claimFrom(N1, N2, 25, "i1"),
            self.store.replicate(evolve(a, version=9), 9.0),
            self.store.cleanup(),
            self.store.health(),
        ]
        for call in writes:
            self.failureResultOf(call, StoreUnavailable)
        self.assertEqual(self.secondMemory.list(None), ["a"])
        self.assertEqual(self.secondMemory.get("a"), a)
        self.primary.away = False
        self.clock.advance(5)
        self.assertSame("a")

    def test_readsWhatWaits(self) -> None:
        """
        What this node has written and deleted is read so, even where the
        second store has not been told yet.
        """
        a = self.create("a", callID="x", sessions=("s1",))
        self.create("b", callID="x", sessions=("s1",))
        self.second.away = True
        a = self.change(a, callID="y", sessions=("s2",), nodeID=N2)
        self.successResultOf(self.store.delete("b"))
        c = self.create("c", callID="x", sessions=("s1",))
        self.second.away, self.primary.away = False, True
        self.assertEqual(self.successResultOf(self.store.get("a")), a)
        self.assertEqual(self.successResultOf(self.store.get("c")), c)
        self.failureResultOf(self.store.get("b"), SessionNotFound)
        self.assertTrue(self.successResultOf(self.store.exists("c")))
        self.assertFalse(self.successResultOf(self.store.exists("b")))
        for call, expected in (
            (self.store.list(), ["a", "c"]),
            (self.store.list(N1), ["c"]),
            (self.store.list(N2), ["a"]),
            (self.store.listByCallID("x"), ["c"]),
            (self.store.listByCallID("y"), ["a"]),
            (self.store.listBySession("s1"), ["c"]),
            (self.store.listBySession("s2"), ["a"]),
        ):
            self.assertEqual(self.successResultOf(call), expected)

    def test_lostWrites(self) -> None:
        """
        A primary that comes back without its last writes, or with nothing at
        all, gets back what the second store has, but nothing that was deleted.
        """
        a, b = self.create("a"), self.create("b")
        old = self.create("old")
        self.successResultOf(self.store.delete("b"))
        self.change(a, status="finishing")
        self.primary.away = True
        self.failureResultOf(self.store.health(), StoreUnavailable)
        self.clock.advance(30)
        self.primary.away = False
        for key in ("a", "old"):
            self.primaryMemory.delete(key, None, 0.0)
        # As from an old copy of its memory: version 1, and no deletion.
        self.primaryMemory._deleted.clear()
        self.primaryMemory.replicate(a, 470.0)
        self.clock.advance(5)
        self.assertSame("a", "old")
        self.assertEqual(self.primaryMemory.get("a").status, "finishing")
        self.assertEqual(self.primaryMemory.get("old"), old)
        self.failureResultOf(self.store.get(b.sessionID), SessionNotFound)
        self.assertEqual(self.stats()["restored"], 2)

    def test_lostWithDeletionWaiting(self) -> None:
        """
        A deletion that the second store has not heard of is not undone by a
        primary that comes back empty: it is told first.
        """
        self.create("a")
        self.second.away = True
        self.successResultOf(self.store.delete("a"))
        self.primaryMemory._deleted.clear()
        self.second.away = False
        self.clock.advance(5)
        self.assertSame()

    def test_deletedElsewhere(self) -> None:
        """
        A node that compares does not bring back what another has deleted in
        the primary, which remembers it.
        """
        self.create("a")
        self.primaryMemory.delete("a", None, 1000.0)
        self.connect(N2)
        self.failureResultOf(self.store.get("a"), SessionNotFound)
        self.assertSame()
        self.assertEqual(self.stats()["buried"], 1)

    def test_nothingLivesForEver(self) -> None:
        """
        Records that expire do so in both, however often they are compared.
        """
        self.create("a", ttl=60.0)
        for _ in range(12):
            self.primary.away = True
            self.failureResultOf(self.store.health(), StoreUnavailable)
            self.primary.away = False
            self.clock.advance(5)
        self.assertSame()


class LeaseTests(BackupTestCase):
    """
    Leases are the primary's, too.
    """

    def test_mirrored(self) -> None:
        """
        A lease is in both stores, and given up in both.
        """
        self.successResultOf(self.store.heartbeat(makeLease(), 60.0))
        self.assertEqual(len(self.secondMemory.nodes()), 1)
        self.successResultOf(self.store.release(N1, "i1"))
        self.assertEqual(self.secondMemory.nodes(), [])
        self.assertEqual(self.primaryMemory.nodes(), [])

    def test_aliveWhileAway(self) -> None:
        """
        With the primary away a heartbeat fails, but shows in the second store,
        so that nobody takes the node for dead.
        """
        self.successResultOf(self.store.heartbeat(makeLease(), 3.0))
        self.primary.away = True
        for _ in range(5):
            self.clock.advance(1)
            self.failureResultOf(self.store.heartbeat(makeLease(), 3.0), StoreUnavailable)
        self.assertEqual(len(self.successResultOf(self.store.nodes())), 1)

    def test_held(self) -> None:
        """
        A lease that another process holds in the primary is not overwritten in
        the second store.
        """
        self.primaryMemory.heartbeat(makeLease(instance="other"), 60.0)
        self.failureResultOf(self.store.heartbeat(makeLease(), 60.0), LeaseHeld)
        self.assertEqual(self.secondMemory.nodes(), [])

    def test_primaryDecides(self) -> None:
        """
        An old lease in the second store gives way to the one that the primary
        has granted; while the primary is away, it does not.
        """
        self.secondMemory.heartbeat(makeLease(instance="old"), 60.0)
        self.primary.away = True
        self.failureResultOf(self.store.heartbeat(makeLease(), 60.0), StoreUnavailable)
        self.assertEqual([each.instance for each in self.secondMemory.nodes()], ["old"])
        self.primary.away = False
        self.successResultOf(self.store.heartbeat(makeLease(), 60.0))
        self.assertEqual([each.instance for each in self.secondMemory.nodes()], ["i1"])

    def test_doesNotPileUp(self) -> None:
        """
        A lease goes to the second store only when the one before has arrived.
        """
        self.successResultOf(self.store.heartbeat(makeLease(), 60.0))
        self.second.held = []
        for _ in range(5):
            self.successResultOf(self.store.heartbeat(makeLease(), 60.0))
        self.assertEqual(len(self.second.held), 1)
        self.second.letGo()
        self.successResultOf(self.store.heartbeat(makeLease(), 60.0))
        self.assertEqual(self.second.calls.count("heartbeat"), 3)

    def test_refused(self) -> None:
        """
        A lease that the second store refuses is reported; heartbeats go on.
        """
        self.second.errors["heartbeat"] = TypeError("no plain value")
        for _ in range(2):
            self.successResultOf(self.store.heartbeat(makeLease(), 60.0))
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 2)


class CareTests(BackupTestCase):
    """
    The rest of a store's life.
    """

    def test_names(self) -> None:
        """
        The store is the primary's node's; a call may have to wait for both.
        """
        self.assertEqual((self.store.nodeID, self.store.timeout), (N1, 0.0))

    def test_cleanup(self) -> None:
        """
        Both are cleaned up, the second as far as it answers.
        """
        for ttl in (5.0, 50.0):
            self.create(f"a{ttl}", ttl=ttl)
        self.clock.advance(10)
        self.assertEqual(self.successResultOf(self.store.cleanup()), 2)
        self.clock.advance(50)
        self.second.away = True
        self.assertEqual(self.successResultOf(self.store.cleanup()), 1)

    def test_health(self) -> None:
        """
        The store is well while its primary is.
        """
        self.second.away = True
        self.assertTrue(self.successResultOf(self.store.health()))
        self.primary.away = True
        self.failureResultOf(self.store.health(), StoreUnavailable)
