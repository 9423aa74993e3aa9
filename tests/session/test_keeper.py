"""
Tests of L{siprec.session.keeper}; with a store that goes away in
L{tests.session.test_keeper_away}.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from siprec.session.keeper import SnapshotKeeper
from siprec.store.interfaces import CorruptRecord, ISnapshotStore, NotOwner, SessionDeleted
from siprec.store.memory import MemorySessionStore
from siprec.store.memorysessions import SessionMemory
from tests.session.keepercase import AWAY, KeeperCase, SlowStore
from tests.store.contract import makeSnapshotStoreTests
from tests.store.samples import N1, N2, makeSnapshot
from tests.store.shaky import ShakyStore


class FakeTests(makeSnapshotStoreTests(SlowStore)):  # type: ignore[misc]
    """
    The store of these tests is a store.
    """


class WritingTests(KeeperCase):
    """
    The store is there.
    """

    def test_save(self) -> None:
        """
        A save fires when the store has answered, not before.
        """
        self.store.held = True
        done = self.keeper.save("a", self.version(1))
        self.assertNoResult(done)
        self.assertEqual(self.keeper.waiting, 1)
        self.store.open[0].succeed()
        self.assertIsNone(self.successResultOf(done))
        self.assertEqual(self.stored("a"), 1)
        self.assertEqual((self.keeper.waiting, self.keeper.written, self.keeper.failed), (0, 1, 0))
        self.assertFalse(self.keeper.away)

    def test_delete(self) -> None:
        """
        What is deleted is no longer in the store.
        """
        self.successResultOf(self.keeper.save("a", self.snapshot))
        self.assertIsNone(self.successResultOf(self.keeper.delete("a")))
        self.assertEqual(self.successResultOf(self.store.list()), [])

    def test_burst(self) -> None:
        """
        However many saves of one call come while a write is under way, one
        more write is made, of the last; each fires when it or a later one is in
        the store.
        """
        self.store.held = True
        done = [self.keeper.save("a", self.version(n)) for n in range(5)]
        self.assertEqual(len(self.store.open), 1)
        self.store.open[0].succeed()
        self.successResultOf(done[0])
        for each in done[1:]:
            self.assertNoResult(each)
        self.assertEqual((self.stored("a"), len(self.store.open)), (0, 2))
        self.store.open[1].succeed()
        for each in done[1:]:
            self.successResultOf(each)
        self.assertEqual((self.stored("a"), self.keeper.written), (4, 2))

    def test_callsDoNotWaitForEachOther(self) -> None:
        """
        Writes of different calls are under way at the same time.
        """
        self.store.held = True
        first, second = self.keeper.save("a", self.snapshot), self.keeper.save("b", self.snapshot)
        self.store.open[1].succeed()
        self.successResultOf(second)
        self.assertNoResult(first)

    def test_deleteIsNotOvertaken(self) -> None:
        """
        A delete waits for the save of the same call that is under way, and
        takes the place of a save that is not.
        """
        self.store.held = True
        self.keeper.save("a", self.version(1))
        superseded = self.keeper.save("a", self.version(2))
        deleted = self.keeper.delete("a")
        self.store.open[0].succeed()
        self.assertEqual(self.store.made, [("save", "a"), ("delete", "a")])
        self.store.open[1].succeed()
        self.successResultOf(deleted)
        self.successResultOf(superseded)
        self.assertEqual(self.successResultOf(self.store.list()), [])

    def test_saveAfterDelete(self) -> None:
        """
        The last word counts, and it may be a save.
        """
        self.store.held = True
        self.keeper.delete("a")
        self.keeper.delete("a")
        done = self.keeper.save("a", self.version(3))
        self.store.open[0].succeed()
        self.store.open[1].succeed()
        self.successResultOf(done)
        self.assertEqual(self.store.made, [("delete", "a"), ("save", "a")])
        self.assertEqual(self.stored("a"), 3)

    def test_patience(self) -> None:
        """
        A save behind another one waits no longer than the store's timeout in
        all; its write is made all the same.
        """
        self.store.held = True
        self.keeper.save("a", self.version(1))
        self.clock.advance(1.5)
        done = self.keeper.save("a", self.version(2))
        self.store.open[0].succeed()
        self.clock.advance(1.9)
        self.assertNoResult(done)
        self.clock.advance(0.1)
        self.assertIsNone(self.successResultOf(done))
        self.assertFalse(self.keeper.away)
        self.store.open[1].succeed()
        self.assertEqual(self.stored("a"), 2)

    def test_cancelled(self) -> None:
        """
        Who waits may give up; the write goes on.
        """
        self.store.held = True
        done = self.keeper.save("a", self.version(1))
        done.addErrback(lambda failure: None)
        done.cancel()
        self.store.open[0].succeed()
        self.assertEqual(self.stored("a"), 1)

    def test_notStarted(self) -> None:
        """
        Before the start of the service writes are made, and tried again from
        the start on.
        """
        keeper = self.makeKeeper(self.store)
        self.successResultOf(keeper.save("a", self.version(1)))
        self.assertEqual(self.stored("a"), 1)
        self.store.away = True
        self.successResultOf(keeper.save("a", self.version(2)))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.store.away = False
        keeper.startService()
        self.clock.advance(1)
        self.assertEqual(self.stored("a"), 2)
        self.successResultOf(keeper.stopService())


@implementer(ISnapshotStore)
@define(eq=False)
class _Raising(SlowStore):
    """
    A store with a mistake in it.
    """

    def _call(self, name: str, key: str, make: Callable[[], Deferred[None]]) -> Deferred[None]:
        raise TypeError("a mistake")


class RefusedTests(KeeperCase):
    """
    The store is there, and says no.
    """

    def test_fenced(self) -> None:
        """
        When another node has the call, or has ended it, its owner is told
        before who waits for the write, and what waits is dropped.
        """
        order: list[str] = []
        for error in (NotOwner("a", N2, 2), SessionDeleted("a")):
            self.store.held = True
            first = self.keeper.save("a", self.version(1))
            first.addCallback(lambda _: order.append(f"told after {self.fenced}"))
            second = self.keeper.save("a", self.version(2))
            self.store.open.pop().fail(error)
            self.successResultOf(first)
            self.successResultOf(second)
            self.assertEqual((self.fenced, self.store.open), (["a"], []))
            self.assertEqual(order, ["told after ['a']"])
            self.fenced.clear()
            order.clear()
        self.assertEqual((self.keeper.waiting, self.keeper.failed, self.keeper.away), (0, 0, False))

    def test_fencedDelete(self) -> None:
        """
        It is the same with a delete.
        """
        self.store.errors["a"] = NotOwner("a", N2, 2)
        self.successResultOf(self.keeper.delete("a"))
        self.assertEqual(self.fenced, ["a"])

    def test_onFencedFails(self) -> None:
        """
        An owner that fails to let go does no harm here.
        """

        def clumsy(key: str) -> None:
            raise KeyError(key)

        keeper = SnapshotKeeper(self.store, self.clock, clumsy)
        self.store.errors["a"] = NotOwner("a", N2, 2)
        self.successResultOf(keeper.save("a", self.snapshot))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.successResultOf(keeper.save("b", self.snapshot))
        self.assertEqual(keeper.waiting, 0)

    def test_refused(self) -> None:
        """
        Any other failure costs that write, a log entry and a count; the next
        write of the call is made.
        """
        self.store.errors["a"] = CorruptRecord("a", "of another program")
        self.successResultOf(self.keeper.save("a", self.version(1)))
        self.store.errors["a"] = ValueError("not to be encoded")
        self.successResultOf(self.keeper.delete("a"))
        self.assertEqual((self.keeper.failed, self.keeper.waiting, self.fenced), (2, 0, []))
        self.assertEqual(len(self.flushLoggedErrors(CorruptRecord)), 1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        del self.store.errors["a"]
        self.successResultOf(self.keeper.save("a", self.version(2)))
        self.assertEqual(self.stored("a"), 2)

    def test_refusedBeforeALaterOne(self) -> None:
        """
        A later write is made although the one before it was refused.
        """
        self.store.held = True
        first = self.keeper.save("a", self.version(1))
        second = self.keeper.save("a", self.version(2))
        self.store.open[0].fail(ValueError("not to be encoded"))
        self.successResultOf(first)
        self.assertNoResult(second)
        self.store.open[1].succeed()
        self.successResultOf(second)
        self.assertEqual(self.stored("a"), 2)
        self.flushLoggedErrors(ValueError)

    def test_raises(self) -> None:
        """
        A store that raises instead of failing is no exception.
        """
        keeper = self.makeKeeper(_Raising())
        self.successResultOf(keeper.save("a", self.snapshot))
        self.assertEqual(keeper.failed, 1)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)


class AdapterTests(SynchronousTestCase):
    """
    Over a session store, through the adapter, as in a node.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.memory = SessionMemory(self.clock.seconds)
        self.shaky = ShakyStore(MemorySessionStore(self.clock, N1, self.memory))
        self.other = MemorySessionStore(self.clock, N2, self.memory)
        self.fenced: list[str] = []
        self.keeper = SnapshotKeeper(ISnapshotStore(self.shaky), self.clock, self.fenced.append)
        self.keeper.startService()
        self.snapshot = makeSnapshot()
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(self.keeper.stopService)

    def test_outage(self) -> None:
        """
        After an outage the records are those of the calls that still go on, as
        they were last.
        """
        for key in ("a", "b"):
            self.successResultOf(self.keeper.save(key, self.snapshot))
        self.shaky.away = True
        last = evolve(self.snapshot, lastActivity=2000.0)
        for key in ("a", "c"):
            self.successResultOf(self.keeper.save(key, last))
        self.successResultOf(self.keeper.delete("b"))
        self.clock.advance(30)
        self.shaky.away = False
        self.clock.advance(5)
        store = ISnapshotStore(self.other)
        for key in ("a", "c"):
            self.assertEqual(self.successResultOf(store.load(key)), last)
        found: list[str] = self.successResultOf(self.other.list())
        self.assertEqual(sorted(found), ["a", "c"])

    def test_takenOver(self) -> None:
        """
        What another node claimed during the outage is let go, and its record
        stays as that node left it.
        """
        self.successResultOf(self.keeper.save("a", self.snapshot))
        self.shaky.away = True
        self.successResultOf(self.keeper.save("a", evolve(self.snapshot, lastActivity=2000.0)))
        claimed = self.successResultOf(self.other.claim("a", N2, 1))
        self.shaky.away = False
        self.clock.advance(1)
        self.assertEqual(self.fenced, ["a"])
        self.assertEqual(self.successResultOf(self.other.get("a")), claimed)


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["save", "save", "delete", "answer", "answer", "fail", "wait"]),
        st.integers(0, 5),
    ),
    max_size=40,
)


class AnyOrderTests(KeeperCase):
    """
    Whatever comes in whatever order.
    """

    @settings(deadline=None, database=None)
    @given(_STEPS)
    def test_lastWordCounts(self, steps: list[tuple[str, int]]) -> None:
        """
        In the end the store has what was wanted last of each call and nothing
        else, everyone who waited was told, and there was never more than one
        write of a call under way.
        """
        clock, store = Clock(), SlowStore(held=True)
        keeper = SnapshotKeeper(store, clock, self.fenced.append)
        keeper.startService()
        wanted: dict[str, int] = {}
        told: list[Deferred[None]] = []
        for number, (step, which) in enumerate(steps):
            key = "abc"[which % 3]
            if step == "save":
                wanted[key] = number
                told.append(keeper.save(key, self.version(number)))
            elif step == "delete":
                wanted.pop(key, None)
                told.append(keeper.delete(key))
            elif step == "wait":
                clock.advance(which)
            elif store.open:
                call = store.open.pop(which % len(store.open))
                if step == "answer":
                    call.succeed()
                else:
                    call.fail(AWAY)
            keys = [call.key for call in store.open]
            self.assertEqual(len(keys), len({*keys}))
        for _ in range(20):
            while store.open:
                store.open.pop().succeed()
            clock.advance(5)
        for each in told:
            self.successResultOf(each)
        self.assertEqual((keeper.waiting, keeper.away), (0, False))
        self.store = store
        self.assertEqual({key: self.stored(key) for key in self.keys()}, wanted)
        self.successResultOf(keeper.stopService())
        self.assertEqual(clock.getDelayedCalls(), [])
