"""
Tests of L{siprec.store.adapter}: when others write the same records, or nobody can.
"""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred

from siprec.session.model import CallSnapshot
from siprec.store.adapter import SnapshotAdapter
from siprec.store.interfaces import (
    CorruptRecord,
    NotOwner,
    SessionDeleted,
    StoreUnavailable,
    VersionConflict,
)
from siprec.store.memory import MemorySessionStore
from tests.store.contract import makeData, makeSnapshot
from tests.store.samples import N1, N2
from tests.store.test_adapter import AdapterTestCase


class ConflictTests(AdapterTestCase):
    """
    A save is made once it is known to be ours to make.
    """

    def test_oneRoundTrip(self) -> None:
        """
        Saves of a call cost one call of the store each.
        """
        for _ in range(3):
            self.save()
        self.assertEqual(self.shaky.calls, ["store", "update", "update"])

    def test_lostAnswers(self) -> None:
        """
        A save that was made though its answer was lost is followed by one that
        succeeds: the first of a call, and a later one.
        """
        self.shaky.unanswered = {0}
        self.failureResultOf(self.adapter.save("a", makeSnapshot("a")), StoreUnavailable)
        self.save()
        self.assertEqual(self.shaky.calls, ["store", "store", "get", "update"])
        self.shaky.unanswered = {4}
        self.failureResultOf(self.adapter.save("a", makeSnapshot("a")), StoreUnavailable)
        later = evolve(makeSnapshot("a"), lastActivity=2000.0)
        self.save(later)
        self.assertEqual(self.load(), later)

    def test_inTurn(self) -> None:
        """
        Of two saves under way at once, the later one stays, even if the first
        has to be tried again.
        """
        self.save()
        self.memory.update(self.memory.get("a"), 100.0)
        self.shaky.held = []
        snapshots = [evolve(makeSnapshot("a"), lastActivity=float(each)) for each in range(3)]
        calls = [self.adapter.save("a", each) for each in snapshots]
        other = self.adapter.save("b", makeSnapshot("b"))
        self.assertEqual(self.shaky.calls, ["store", "update", "store"])
        self.shaky.letGo()
        for call in [*calls, other]:
            self.successResultOf(call)
        self.assertEqual(self.load(), snapshots[-1])
        self.assertEqual(self.adapter._turns, {})

    def test_turnGivenUp(self) -> None:
        """
        Who does not wait for its turn any more holds up nobody.
        """
        self.shaky.held = []
        first = self.adapter.save("a", makeSnapshot("a"))
        second = self.adapter.save("a", evolve(makeSnapshot("a"), lastActivity=2.0))
        third = self.adapter.save("a", last := evolve(makeSnapshot("a"), lastActivity=3.0))
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.shaky.letGo()
        for call in (first, third):
            self.successResultOf(call)
        self.assertEqual(self.load(), last)
        self.assertEqual(self.adapter._turns, {})

    def test_takenOver(self) -> None:
        """
        Once another node has the call, this one neither saves nor deletes it;
        it can still load it.
        """
        self.save()
        self.memory.claim("a", N2, 1)
        claimed = self.memory.get("a")
        for _ in range(2):
            for call in (self.adapter.save("a", makeSnapshot("a")), self.adapter.delete("a")):
                error = self.failureResultOf(call, NotOwner).value
                self.assertEqual((error.owner, error.epoch), (N2, 2))
        self.assertEqual(self.memory.get("a"), claimed)
        self.assertEqual(self.load(), makeSnapshot("a"))
        self.failureResultOf(self.adapter.save("a", makeSnapshot("a")), NotOwner)

    def test_takenOverByUs(self) -> None:
        """
        A call that this node has claimed is saved in its new epoch, and
        deleted.
        """
        other = SnapshotAdapter(self.shaky, N2)
        self.successResultOf(other.save("a", makeSnapshot("a")))
        self.load()
        self.memory.claim("a", N1, 1)
        self.save()
        self.assertEqual((self.memory.get("a").epoch, self.memory.get("a").version), (2, 3))
        self.memory.claim("a", N1, 2)
        self.save()
        self.memory.claim("a", N1, 3)
        self.successResultOf(self.adapter.delete("a"))
        self.assertFalse(self.memory.exists("a"))

    def test_storeLostIt(self) -> None:
        """
        A call whose record the store has lost is saved again, in the epoch
        that it had.
        """
        self.save()
        self.memory.claim("a", N1, 1)
        self.save()
        self.memory.delete("a", None, 0.0)
        self.save()
        data = self.memory.get("a")
        self.assertEqual((data.epoch, data.version), (2, 4))
        self.save()
        self.assertEqual(self.memory.get("a").version, 5)

    def test_lostAndRestored(self) -> None:
        """
        If the lost record is back when the call is saved, that one is written
        on.
        """
        self.save()
        data = self.memory.get("a")
        self.memory.delete("a", None, 0.0)
        self.shaky.held = []
        call = self.adapter.save("a", makeSnapshot("a"))
        (update,) = self.shaky.held
        self.shaky.held = []
        update()
        self.memory.replicate(evolve(data, version=8), 100.0)
        self.shaky.letGo()
        self.successResultOf(call)
        self.assertEqual(self.memory.get("a").version, 9)

    def test_lostWhileLookedAt(self) -> None:
        """
        A record that goes away between a conflict and the look at it is saved
        anew.
        """
        self.memory.store(makeData("a"), 100.0)
        self.shaky.held = []
        call = self.adapter.save("a", makeSnapshot("a"))
        (store,) = self.shaky.held
        self.shaky.held = []
        store()
        self.memory.delete("a", None, 0.0)
        self.shaky.letGo()
        self.successResultOf(call)
        self.assertEqual(self.memory.get("a").version, 1)

    def test_endedElsewhere(self) -> None:
        """
        A node that slept while another took its call over and ended it does
        not bring the call back.
        """
        self.save()
        self.memory.claim("a", N2, 1)
        other = SnapshotAdapter(MemorySessionStore(self.clock, N2, self.memory))
        self.successResultOf(other.delete("a"))
        self.failureResultOf(self.adapter.save("a", makeSnapshot("a")), SessionDeleted)
        self.assertFalse(self.memory.exists("a"))

    def test_neverEnding(self) -> None:
        """
        A save that meets another writer each time gives up and says so.
        """
        self.save()
        self.shaky.errors["update"] = VersionConflict("a", 1, 2)
        self.failureResultOf(self.adapter.save("a", makeSnapshot("a")), VersionConflict)
        self.assertEqual(self.shaky.calls.count("update"), 8)


class FailureTests(AdapterTestCase):
    """
    No failure of the store is taken for another.
    """

    def calls(self) -> list[Deferred[None] | Deferred[CallSnapshot] | Deferred[list[str]]]:
        """
        @return: one of each.
        """
        return [
            self.adapter.save("a", makeSnapshot("a")),
            self.adapter.load("a"),
            self.adapter.delete("a"),
            self.adapter.list(),
        ]

    def test_away(self) -> None:
        """
        Each method fails with L{StoreUnavailable} while the store is away, and
        works when it is back.
        """
        self.shaky.away = True
        for call in self.calls():
            self.failureResultOf(call, StoreUnavailable)
        self.shaky.away = False
        self.save()
        self.assertEqual(self.load(), makeSnapshot("a"))

    def test_corrupt(self) -> None:
        """
        A record that cannot be read is left alone: it is neither loaded nor
        written over nor deleted.
        """
        self.memory.store(makeData("a"), 100.0)
        self.shaky.errors["get"] = CorruptRecord("a", "garbage")
        for call in self.calls()[:3]:
            self.failureResultOf(call, CorruptRecord)
        self.assertEqual(self.memory.get("a"), makeData("a", version=1, epoch=1))

    def test_deleteUnknown(self) -> None:
        """
        A call that this adapter has not seen is deleted if it is this node's.
        """
        self.save()
        self.adapter = self.adapt()
        self.assertIsNone(self.successResultOf(self.adapter.delete("a")))
        self.assertFalse(self.memory.exists("a"))
