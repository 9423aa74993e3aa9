"""
The store of a node that has no other: this process's memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, execute, fail, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

import siprec.store.adapter  # noqa: F401 - so that ISnapshotStore(store) works
from siprec.ids import NodeID
from siprec.session.model import CallSnapshot, Claimed, NodeLease, SessionData
from siprec.store.interfaces import (
    ISessionStore,
    ISnapshotStore,
    SessionIDs,
    SessionNotFound,
    StoreUnavailable,
)
from siprec.store.memorysessions import SessionMemory

__all__ = ["MemorySessionStore", "MemorySnapshotStore"]

_T = TypeVar("_T")
_Leases = list[NodeLease]


@implementer(ISnapshotStore)
@define(eq=False, repr=False)
class MemorySnapshotStore:
    """
    Snapshots in a dictionary.  Snapshots are immutable, so they are kept as
    they are, without a copy.
    """

    _snapshots: dict[str, CallSnapshot] = field(factory=dict, init=False)

    def save(self, key: str, snapshot: CallSnapshot) -> Deferred[None]:
        """
        See L{ISnapshotStore.save}.
        """
        self._snapshots[key] = snapshot
        return succeed(None)

    def load(self, key: str) -> Deferred[CallSnapshot]:
        """
        See L{ISnapshotStore.load}.
        """
        try:
            return succeed(self._snapshots[key])
        except KeyError:
            return fail(SessionNotFound(key))

    def delete(self, key: str) -> Deferred[None]:
        """
        See L{ISnapshotStore.delete}.
        """
        self._snapshots.pop(key, None)
        return succeed(None)

    def list(self) -> Deferred[list[str]]:
        """
        See L{ISnapshotStore.list}.
        """
        return succeed(list(self._snapshots))

    def clear(self) -> None:
        """
        Forget everything: the node is stopping.
        """
        self._snapshots.clear()


@implementer(ISessionStore)
class MemorySessionStore:
    """
    Sessions in the memory of this process: for a node that has no other store,
    and for tests of several nodes, which share one memory.  Data are immutable,
    so they are kept as they are.

    @ivar timeout: 0, as every call is answered at once.
    """

    def __init__(
        self, clock: IReactorTime, nodeID: NodeID, memory: SessionMemory | None = None
    ) -> None:
        """
        @param clock: by which records and leases expire.
        @param memory: shared with the stores of other nodes; C{None}: one of
            its own, of which nothing is left after L{close}.
        """
        self.nodeID = nodeID
        self.timeout = 0.0
        self._memory: SessionMemory | None = memory or SessionMemory(clock.seconds)

    def store(self, data: SessionData, ttl: float) -> Deferred[SessionData]:
        """
        See L{ISessionStore.store}.
        """
        return self._do(lambda memory: memory.store(data, ttl))

    def get(self, sessionID: str) -> Deferred[SessionData]:
        """
        See L{ISessionStore.get}.
        """
        return self._do(lambda memory: memory.get(sessionID))

    def update(self, data: SessionData, ttl: float) -> Deferred[SessionData]:
        """
        See L{ISessionStore.update}.
        """
        return self._do(lambda memory: memory.update(data, ttl))

    def delete(
        self, sessionID: str, epoch: int | None = None, remember: float = 0.0
    ) -> Deferred[bool]:
        """
        See L{ISessionStore.delete}.
        """
        return self._do(lambda memory: memory.delete(sessionID, epoch, remember))

    def list(self, node: NodeID | None = None) -> Deferred[SessionIDs]:
        """
        See L{ISessionStore.list}.
        """
        return self._do(lambda memory: memory.list(node))

    def exists(self, sessionID: str) -> Deferred[bool]:
        """
        See L{ISessionStore.exists}.
        """
        return self._do(lambda memory: memory.exists(sessionID))

    def extend(self, sessionID: str, ttl: float, epoch: int) -> Deferred[None]:
        """
        See L{ISessionStore.extend}.
        """
        return self._do(lambda memory: memory.extend(sessionID, ttl, epoch))

    def listByCallID(self, callID: str) -> Deferred[SessionIDs]:
        """
        See L{ISessionStore.listByCallID}.
        """
        return self._do(lambda memory: memory.listByCallID(callID))

    def listBySession(self, communicationSessionID: str) -> Deferred[SessionIDs]:
        """
        See L{ISessionStore.listBySession}.
        """
        return self._do(lambda memory: memory.listBySession(communicationSessionID))

    def listByCorrelation(self, key: str) -> Deferred[SessionIDs]:
        """
        See L{ISessionStore.listByCorrelation}.
        """
        return self._do(lambda memory: memory.listByCorrelation(key))

    def claim(self, sessionID: str, node: NodeID, epoch: int) -> Deferred[SessionData]:
        """
        See L{ISessionStore.claim}.
        """
        return self._do(lambda memory: memory.claim(sessionID, node, epoch))

    def owners(self) -> Deferred[dict[NodeID, int]]:
        """
        See L{ISessionStore.owners}.
        """
        return self._do(lambda memory: memory.owners())

    def claimFrom(
        self, owner: NodeID, node: NodeID, limit: int, instance: str = ""
    ) -> Deferred[Claimed]:
        """
        See L{ISessionStore.claimFrom}.
        """
        return self._do(lambda memory: memory.claimFrom(owner, node, limit, instance))

    def replicate(self, data: SessionData, ttl: float) -> Deferred[bool]:
        """
        See L{ISessionStore.replicate}.
        """
        return self._do(lambda memory: memory.replicate(data, ttl))

    def heartbeat(self, lease: NodeLease, ttl: float) -> Deferred[bool]:
        """
        See L{ISessionStore.heartbeat}.
        """
        return self._do(lambda memory: memory.heartbeat(lease, ttl))

    def nodes(self) -> Deferred[_Leases]:
        """
        See L{ISessionStore.nodes}.
        """
        return self._do(lambda memory: memory.nodes())

    def release(self, nodeID: NodeID, instance: str) -> Deferred[None]:
        """
        See L{ISessionStore.release}.
        """
        return self._do(lambda memory: memory.release(nodeID, instance))

    def stats(self) -> Deferred[dict[str, Any]]:
        """
        See L{ISessionStore.stats}.
        """
        return self._do(lambda memory: memory.stats())

    def cleanup(self) -> Deferred[int]:
        """
        See L{ISessionStore.cleanup}.
        """
        return self._do(lambda memory: memory.cleanup())

    def health(self) -> Deferred[bool]:
        """
        See L{ISessionStore.health}.
        """
        return self._do(lambda memory: True)

    def close(self) -> Deferred[None]:
        """
        See L{ISessionStore.close}.
        """
        self._memory = None
        return succeed(None)

    def _do(self, operation: Callable[[SessionMemory], _T]) -> Deferred[_T]:
        if self._memory is None:
            return fail(StoreUnavailable("the store is closed"))
        return execute(operation, self._memory)
