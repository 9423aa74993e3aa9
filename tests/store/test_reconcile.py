"""
Tests of L{siprec.store.reconcile}.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.session.model import SessionData
from siprec.store.interfaces import (
    CorruptRecord,
    SessionDeleted,
    SessionNotFound,
    StoreUnavailable,
)
from siprec.store.memory import MemorySessionStore
from siprec.store.memorysessions import SessionMemory
from siprec.store.reconcile import Outcome, reconcile
from tests.store.contract import makeData
from tests.store.samples import N1, N2
from tests.store.shaky import ShakyStore


class ReconcileTests(SynchronousTestCase):
    """
    Afterwards, both stores say the same of a session.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.primary = SessionMemory(self.clock.seconds)
        self.second = SessionMemory(self.clock.seconds)
        self.stores = [
            ShakyStore(MemorySessionStore(self.clock, N1, memory))
            for memory in (self.primary, self.second)
        ]

    def begin(self) -> Deferred[Outcome]:
        """
        @return: what reconciling fires with.
        """
        primary: Any
        second: Any
        primary, second = self.stores
        return Deferred.fromCoroutine(reconcile("a", primary, second, 60.0))

    def becomes(self, outcome: Outcome) -> None:
        """
        Reconciling has this outcome; a second time, nothing is left to do.
        """
        self.assertIs(self.successResultOf(self.begin()), outcome)
        self.assertIs(self.successResultOf(self.begin()), Outcome.SAME)
        self.assertEqual(self.primary.list(None), self.second.list(None))
        for key in self.primary.list(None):
            self.assertEqual(self.primary.get(key), self.second.get(key))

    def test_nothing(self) -> None:
        """
        A session that is in neither, or the same in both, is left as it is.
        """
        self.becomes(Outcome.SAME)
        for memory in (self.primary, self.second):
            memory.store(makeData("a"), 100.0)
        self.becomes(Outcome.SAME)

    def test_missingInSecond(self) -> None:
        """
        What only the primary has is copied, with the time it has left.
        """
        self.primary.store(makeData("a"), 100.0)
        self.clock.advance(40)
        self.becomes(Outcome.FOLLOWED)
        self.assertEqual(self.second.get("a").remaining, 60.0)

    def test_newerInPrimary(self) -> None:
        """
        A newer record replaces the copy.
        """
        self.primary.replicate(makeData("a", version=1, epoch=2, nodeID=N2), 100.0)
        self.second.replicate(makeData("a", version=7, epoch=1), 100.0)
        self.becomes(Outcome.FOLLOWED)
        self.assertEqual(self.second.list(N2), ["a"])

    def test_missingInPrimary(self) -> None:
        """
        A primary that has lost a record gets it back, with the time it has
        left: it does not live for ever by going to and fro.
        """
        self.second.replicate(makeData("a", version=7, epoch=2), 100.0)
        self.clock.advance(40)
        self.becomes(Outcome.RESTORED)
        self.assertEqual(self.primary.get("a").remaining, 60.0)

    def test_newerInSecond(self) -> None:
        """
        A primary that has lost its last writes gets them back.
        """
        self.primary.replicate(makeData("a", version=5, epoch=2), 100.0)
        self.second.replicate(makeData("a", version=7, epoch=2), 100.0)
        self.becomes(Outcome.RESTORED)

    def test_deleted(self) -> None:
        """
        What the primary remembers as deleted is deleted in the second store,
        which remembers it, too.
        """
        for memory in (self.primary, self.second):
            memory.store(makeData("a"), 100.0)
        self.primary.delete("a", None, 60.0)
        self.becomes(Outcome.BURIED)
        copy = makeData("a", version=9, epoch=9)
        self.assertRaises(SessionDeleted, self.second.replicate, copy, 100.0)

    def test_createdAgain(self) -> None:
        """
        What lives in the primary is copied even where the second store
        remembers a deletion of it.
        """
        self.second.delete("a", None, 60.0)
        stored = self.primary.store(makeData("a"), 100.0)
        self.primary.update(stored, 100.0)
        self.becomes(Outcome.FOLLOWED)
        self.assertEqual(self.second.get("a").version, 2)

    def test_moreTime(self) -> None:
        """
        Where only the time to live differs, the second store's is extended,
        and never cut.
        """
        for memory in (self.primary, self.second):
            memory.store(makeData("a"), 100.0)
        self.primary.extend("a", 300.0, 1)
        self.becomes(Outcome.FOLLOWED)
        self.assertEqual(self.second.get("a").remaining, 300.0)
        self.primary.extend("a", 10.0, 1)
        self.becomes(Outcome.SAME)
        self.assertEqual(self.second.get("a").remaining, 300.0)

    def test_unavailable(self) -> None:
        """
        Where either does not answer, at whatever call, nothing is taken for
        absent; a later try comes to the end.
        """
        for newer, side, number in ((1, 0, 0), (1, 0, 1), (1, 1, 0), (0, 1, 0), (0, 1, 1)):
            self.setUp()
            for memory in (self.primary, self.second):
                memory.store(makeData("a"), 100.0)
            (self.primary, self.second)[newer].update(self.primary.get("a"), 100.0)
            self.stores[side].failing = {number}
            self.failureResultOf(self.begin(), StoreUnavailable)
            self.becomes((Outcome.FOLLOWED, Outcome.RESTORED)[newer])

    def test_corrupt(self) -> None:
        """
        A record that cannot be read is left alone, in both.
        """
        self.second.store(makeData("a"), 100.0)
        self.stores[0].errors["get"] = CorruptRecord("a", "garbage")
        self.failureResultOf(self.begin(), CorruptRecord)
        self.assertEqual(self.primary.list(None), [])

    def step(self, number: int) -> None:
        """
        Make the one call that waits, of this store.
        """
        held = self.stores[number].held
        assert held is not None
        self.stores[number].held = []
        (call,) = held
        call()

    def test_deletedMeanwhile(self) -> None:
        """
        A session that ends in both stores while they are compared is not
        brought back by what was read before.
        """
        self.primary.store(makeData("a"), 100.0)
        self.stores[1].held = []
        call = self.begin()
        self.step(1)
        for memory in (self.primary, self.second):
            memory.delete("a", None, 60.0)
        self.step(1)
        self.assertIs(self.successResultOf(call), Outcome.SAME)
        self.assertRaises(SessionNotFound, self.second.get, "a")

    def test_deletedLate(self) -> None:
        """
        Nor if it ends at the very last: after it was created again, and found
        to be alive.
        """
        self.second.delete("a", None, 60.0)
        self.primary.store(makeData("a"), 100.0)
        self.stores[1].held = []
        call = self.begin()
        self.step(1)  # get
        self.step(1)  # replicate: it remembers a deletion
        for memory in (self.primary, self.second):
            memory.delete("a", None, 60.0)
        self.step(1)  # store
        self.step(1)  # replicate
        self.step(1)  # delete
        self.assertIs(self.successResultOf(call), Outcome.BURIED)
        self.assertRaises(SessionNotFound, self.second.get, "a")

    def test_changedMeanwhile(self) -> None:
        """
        What the two stores are told by others meanwhile stays.
        """
        self.primary.store(makeData("a"), 100.0)
        self.second.replicate(makeData("a", version=3, epoch=1), 100.0)
        self.stores[0].held = []
        call = self.begin()
        self.step(0)  # get
        self.primary.replicate(makeData("a", version=4, epoch=1), 100.0)
        self.step(0)  # replicate
        self.assertIs(self.successResultOf(call), Outcome.SAME)
        self.assertEqual(self.primary.get("a").version, 4)

    def test_gone(self) -> None:
        """
        What ends before it could be given more time needs none.
        """
        for memory in (self.primary, self.second):
            memory.store(makeData("a"), 100.0)
        self.primary.extend("a", 300.0, 1)
        self.stores[1].held = []
        call = self.begin()
        self.step(1)  # get
        self.second.delete("a", None, 0.0)
        self.step(1)  # extend
        self.assertIs(self.successResultOf(call), Outcome.SAME)

    def test_atItsEnd(self) -> None:
        """
        A record in its last moment is not copied to and fro.
        """

        class Ending(SessionMemory):
            """
            A memory whose records have just no time left.
            """

            def get(self, sessionID: str) -> SessionData:
                return evolve(super().get(sessionID), remaining=0.0)

        for number in range(2):
            self.setUp()
            ending = Ending(self.clock.seconds)
            ending.store(makeData("a"), 100.0)
            self.stores[number] = ShakyStore(MemorySessionStore(self.clock, N1, ending))
            self.assertIs(self.successResultOf(self.begin()), Outcome.SAME)
            self.assertEqual(self.primary.list(None) + self.second.list(None), [])
