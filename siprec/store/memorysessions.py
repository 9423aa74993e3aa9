"""
The rules of a session store, over dictionaries: the reference for all providers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, evolve, field, frozen

from siprec.ids import NodeID
from siprec.session.model import Claimed, NodeLease, SessionData
from siprec.store.claiming import checkClaim
from siprec.store.errors import (
    LeaseHeld,
    NotOwner,
    SessionDeleted,
    SessionNotFound,
    VersionConflict,
)

__all__ = ["SessionMemory"]

# Inside a class with a method "list", the name of the type is taken.
_Keys = list[str]
_Leases = list[NodeLease]


@frozen
class _Record:
    data: SessionData
    expires: float


@define(eq=False, repr=False)
class _Index:
    """
    Which sessions have which values.
    """

    _sessions: dict[str, set[str]] = field(factory=dict, init=False)

    def add(self, sessionID: str, values: Iterable[str]) -> None:
        """
        From now on the session has these values, too.
        """
        for value in values:
            self._sessions.setdefault(value, set()).add(sessionID)

    def remove(self, sessionID: str, values: Iterable[str]) -> None:
        """
        The session has these values no more.
        """
        for value in values:
            sessions = self._sessions[value]
            sessions.discard(sessionID)
            if not sessions:
                del self._sessions[value]

    def find(self, value: str) -> _Keys:
        """
        @return: the sessions that have the value.
        """
        return [*self._sessions.get(value, ())]

    def values(self) -> _Keys:
        """
        @return: every value that a session has.
        """
        return [*self._sessions]


def _lifetime(ttl: float) -> float:
    if not ttl > 0:
        raise ValueError(f"a time to live is above 0 seconds, not {ttl}")
    return ttl


@define(eq=False)
class SessionMemory:
    """
    What the stores of several nodes in one process have in common.  Each
    method does at once what the one of C{ISessionStore} promises; they fail by
    raising.

    @ivar _seconds: the clock of times to live and leases.
    """

    _seconds: Callable[[], float]
    _records: dict[str, _Record] = field(factory=dict, init=False)
    _deleted: dict[str, float] = field(factory=dict, init=False)
    _leases: dict[NodeID, NodeLease] = field(factory=dict, init=False)
    _byNode: _Index = field(factory=_Index, init=False)
    _byCallID: _Index = field(factory=_Index, init=False)
    _bySession: _Index = field(factory=_Index, init=False)
    _byCorrelation: _Index = field(factory=_Index, init=False)

    def store(self, data: SessionData, ttl: float) -> SessionData:
        """
        See C{ISessionStore.store}.
        """
        found = self._living(data.sessionID)
        if found is not None:
            raise VersionConflict(data.sessionID, 0, found.version)
        stored = self._write(data, ttl, version=1, epoch=1)
        self._deleted.pop(data.sessionID, None)
        return stored

    def get(self, sessionID: str) -> SessionData:
        """
        See C{ISessionStore.get}.
        """
        data = self._found(sessionID)
        left = self._records[sessionID].expires - self._seconds()
        return evolve(data, remaining=left)

    def update(self, data: SessionData, ttl: float) -> SessionData:
        """
        See C{ISessionStore.update}.
        """
        found = self._owned(data.sessionID, data.epoch)
        if (found.version, found.epoch) != (data.version, data.epoch):
            raise VersionConflict(data.sessionID, data.version, found.version)
        return self._write(data, ttl, version=data.version + 1)

    def delete(self, sessionID: str, epoch: int | None, remember: float) -> bool:
        """
        See C{ISessionStore.delete}.
        """
        found = self._living(sessionID)
        if found is not None:
            if epoch is not None:
                self._owned(sessionID, epoch)
            self._drop(sessionID)
        if remember > 0:
            self._deleted[sessionID] = self._seconds() + remember
        return found is not None

    def list(self, node: NodeID | None) -> _Keys:
        """
        See C{ISessionStore.list}.
        """
        return self._livingOnes([*self._records] if node is None else self._byNode.find(node))

    def exists(self, sessionID: str) -> bool:
        """
        See C{ISessionStore.exists}.
        """
        return self._living(sessionID) is not None

    def extend(self, sessionID: str, ttl: float, epoch: int) -> None:
        """
        See C{ISessionStore.extend}.
        """
        data = self._owned(sessionID, epoch)
        expires = self._seconds() + _lifetime(ttl)
        self._records[sessionID] = _Record(data, expires)

    def listByCallID(self, callID: str) -> _Keys:
        """
        See C{ISessionStore.listByCallID}.
        """
        return self._livingOnes(self._byCallID.find(callID))

    def listBySession(self, communicationSessionID: str) -> _Keys:
        """
        See C{ISessionStore.listBySession}.
        """
        return self._livingOnes(self._bySession.find(communicationSessionID))

    def listByCorrelation(self, key: str) -> _Keys:
        """
        See C{ISessionStore.listByCorrelation}.
        """
        return self._livingOnes(self._byCorrelation.find(key))

    def claim(self, sessionID: str, node: NodeID, epoch: int) -> SessionData:
        """
        See C{ISessionStore.claim}.
        """
        found = self.get(sessionID)
        if found.epoch != epoch:
            raise NotOwner(sessionID, found.nodeID, found.epoch)
        version = found.version + 1
        return self._write(found, found.remaining, nodeID=node, version=version, epoch=epoch + 1)

    def owners(self) -> dict[NodeID, int]:
        """
        See C{ISessionStore.owners}.
        """
        counts = {NodeID(name): len(self.list(NodeID(name))) for name in self._byNode.values()}
        return {node: count for node, count in counts.items() if count}

    def claimFrom(self, owner: NodeID, node: NodeID, limit: int, instance: str) -> Claimed:
        """
        See C{ISessionStore.claimFrom}.
        """
        checkClaim(owner, node, limit)
        lease = self._leases.get(owner)
        if lease is not None and lease.expires > self._seconds():
            if not instance or lease.instance != instance:
                raise LeaseHeld(lease)
            del self._leases[owner]
        owned = self.list(owner)
        owned.sort(key=lambda key: (self._records[key].expires, key), reverse=True)
        taken = [self.claim(key, node, self._records[key].data.epoch) for key in owned[:limit]]
        return Claimed(tuple(taken), len(owned) - len(taken))

    def replicate(self, data: SessionData, ttl: float) -> bool:
        """
        See C{ISessionStore.replicate}.
        """
        if self._deleted.get(data.sessionID, 0.0) > self._seconds():
            raise SessionDeleted(data.sessionID)
        found = self._living(data.sessionID)
        if found is not None and (found.epoch, found.version) >= (data.epoch, data.version):
            return False
        self._write(data, ttl)
        return True

    def heartbeat(self, lease: NodeLease, ttl: float) -> bool:
        """
        See C{ISessionStore.heartbeat}.
        """
        now = self._seconds()
        holder = self._leases.get(lease.nodeID)
        if holder is not None and holder.instance != lease.instance and holder.expires > now:
            raise LeaseHeld(holder)
        self._leases[lease.nodeID] = evolve(lease, expires=now + _lifetime(ttl))
        return holder is not None and holder.expires > now

    def nodes(self) -> _Leases:
        """
        See C{ISessionStore.nodes}.
        """
        now = self._seconds()
        return [lease for lease in self._leases.values() if lease.expires > now]

    def release(self, nodeID: NodeID, instance: str) -> None:
        """
        See C{ISessionStore.release}.
        """
        holder = self._leases.get(nodeID)
        if holder is not None and holder.instance == instance:
            del self._leases[nodeID]

    def stats(self) -> dict[str, Any]:
        """
        See C{ISessionStore.stats}.
        """
        return {
            "provider": "memory",
            "sessions": len(self.list(None)),
            "nodes": len(self.nodes()),
            "latency": 0.0,
        }

    def cleanup(self) -> int:
        """
        See C{ISessionStore.cleanup}.  One pass: it takes milliseconds, and an
        index entry cannot be without its record here.
        """
        now = self._seconds()
        records = [key for key, record in self._records.items() if record.expires <= now]
        for key in records:
            self._drop(key)
        for key in [key for key, until in self._deleted.items() if until <= now]:
            del self._deleted[key]
        for nodeID in [nodeID for nodeID, lease in self._leases.items() if lease.expires <= now]:
            del self._leases[nodeID]
        return len(records)

    def _living(self, sessionID: str) -> SessionData | None:
        record = self._records.get(sessionID)
        if record is None:
            return None
        if record.expires <= self._seconds():
            self._drop(sessionID)
            return None
        return record.data

    def _livingOnes(self, sessionIDs: _Keys) -> _Keys:
        return [each for each in sessionIDs if self._living(each) is not None]

    def _found(self, sessionID: str) -> SessionData:
        data = self._living(sessionID)
        if data is None:
            raise SessionNotFound(sessionID)
        return data

    def _owned(self, sessionID: str, epoch: int) -> SessionData:
        data = self._found(sessionID)
        if data.epoch > epoch:
            raise NotOwner(sessionID, data.nodeID, data.epoch)
        return data

    def _write(self, data: SessionData, ttl: float, **changes: Any) -> SessionData:
        expires = self._seconds() + _lifetime(ttl)
        data = evolve(data, remaining=ttl, **changes)
        key = data.sessionID
        if key in self._records:
            self._drop(key)
        self._records[key] = _Record(data, expires)
        self._byNode.add(key, [data.nodeID])
        self._byCallID.add(key, [data.callID])
        self._bySession.add(key, {*data.sessions})
        self._byCorrelation.add(key, {*data.correlations})
        return data

    def _drop(self, sessionID: str) -> None:
        data = self._records.pop(sessionID).data
        self._byNode.remove(sessionID, [data.nodeID])
        self._byCallID.remove(sessionID, [data.callID])
        self._bySession.remove(sessionID, {*data.sessions})
        self._byCorrelation.remove(sessionID, {*data.correlations})
