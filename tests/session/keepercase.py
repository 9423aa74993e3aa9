"""
A snapshot store whose answers a test gives, and a keeper over it.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from siprec.session.keeper import SnapshotKeeper
from siprec.session.model import CallSnapshot
from siprec.store.interfaces import ISnapshotStore, StoreUnavailable
from siprec.store.memory import MemorySnapshotStore
from tests.store.samples import makeSnapshot

__all__ = ["AWAY", "KeeperCase", "SlowStore"]


#: What a store that is away fails with.
AWAY = StoreUnavailable("no answer in 2 s")


@define(eq=False)
class SlowCall:
    """
    A call to a store that the test has not answered yet.
    """

    name: str
    key: str
    _make: Callable[[], Deferred[None]]
    answer: Deferred[None] = field(factory=Deferred)

    def succeed(self) -> None:
        """
        It is made, and the answer comes.
        """
        self._make().chainDeferred(self.answer)

    def fail(self, error: Exception) -> None:
        """
        It is not made.
        """
        self.answer.errback(error)


@implementer(ISnapshotStore)
@define(eq=False)
class SlowStore:
    """
    Snapshots in memory, behind a connection in the hands of the test.

    @ivar held: whether C{save} and C{delete} wait until the test answers them.
    @ivar away: nothing reaches the store.
    @ivar errors: what calls about a key fail with.
    @ivar made: names and keys of all C{save} and C{delete}.
    @ivar open: those that have no answer yet.
    """

    snapshots: MemorySnapshotStore = field(factory=MemorySnapshotStore)
    held: bool = False
    away: bool = False
    errors: dict[str, Exception] = field(factory=dict)
    made: list[tuple[str, str]] = field(factory=list)
    open: list[SlowCall] = field(factory=list)

    def save(self, key: str, snapshot: CallSnapshot) -> Deferred[None]:
        return self._call("save", key, lambda: self.snapshots.save(key, snapshot))

    def load(self, key: str) -> Deferred[CallSnapshot]:
        return self.snapshots.load(key)

    def delete(self, key: str) -> Deferred[None]:
        return self._call("delete", key, lambda: self.snapshots.delete(key))

    def list(self) -> Deferred[list[str]]:
        return self.snapshots.list()

    def _call(self, name: str, key: str, make: Callable[[], Deferred[None]]) -> Deferred[None]:
        self.made.append((name, key))
        if self.away:
            return fail(StoreUnavailable("away"))
        if key in self.errors:
            return fail(self.errors[key])
        if not self.held:
            return make()
        call = SlowCall(name, key, make)
        self.open.append(call)
        return call.answer


class KeeperCase(SynchronousTestCase):
    """
    A keeper over a store in the hands of the test.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = SlowStore()
        self.fenced: list[str] = []
        self.keeper = self.makeKeeper(self.store)
        self.keeper.startService()
        self.snapshot = makeSnapshot()

    def tearDown(self) -> None:
        self.store.away = self.store.held = False
        for call in self.store.open:
            if not call.answer.called:
                call.succeed()
        stopped = self.keeper.stopService()
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def makeKeeper(self, store: ISnapshotStore) -> SnapshotKeeper:
        """
        @return: a keeper that is not started.
        """
        return SnapshotKeeper(store, self.clock, onFenced=self.fenced.append)

    def version(self, number: int) -> CallSnapshot:
        """
        @return: a snapshot that can be told from others.
        """
        return evolve(self.snapshot, lastActivity=float(number))

    def keys(self) -> list[str]:
        """
        @return: the keys in the store, sorted.
        """
        found: list[str] = self.successResultOf(self.store.list())
        return sorted(found)

    def stored(self, key: str) -> int:
        """
        @return: which version of the key is in the store.
        """
        return int(self.successResultOf(self.store.load(key)).lastActivity)

    def loseStore(self, key: str = "lost") -> None:
        """
        Have the keeper find out that the store is away.
        """
        self.store.away = True
        self.successResultOf(self.keeper.save(key, self.snapshot))
