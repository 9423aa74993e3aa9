"""
The minimal store layer over the rich one: C{ISnapshotStore(sessionStore)}.

Importing this module registers the adapter; the modules of the providers do.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.components import registerAdapter
from zope.interface import implementer

from siprec.ids import NodeID
from siprec.session.model import CallSnapshot, SessionData
from siprec.store.interfaces import (
    ISessionStore,
    ISnapshotStore,
    NotOwner,
    SessionNotFound,
    StoreError,
    VersionConflict,
)

__all__ = ["TIME_TO_LIVE", "SnapshotAdapter"]

#: Seconds that a record outlives its last change: a day, so that a call can be
#: finished from its journals after a long outage of its node.
TIME_TO_LIVE = 86400.0

# Seconds for which a deletion is remembered: long enough for a node that slept
# through it to wake up and save the call once more.
_REMEMBER = 3600.0

# How often a write that met another is tried again.  To lose this many races
# in a row, others must write the same call without end.
_ATTEMPTS = 8

_T = TypeVar("_T")


@implementer(ISnapshotStore)
class SnapshotAdapter:
    """
    Snapshots of one node's calls, kept as records of a session store.

    Beyond the failures that L{ISnapshotStore} names, C{save} and C{delete} fail
    with L{NotOwner} once another node has the call, C{save} with
    C{SessionDeleted} once another node has ended it, and each method about one
    call with C{CorruptRecord} where its record has to be read and cannot be.
    """

    def __init__(
        self,
        store: ISessionStore,
        nodeID: NodeID | None = None,
        ttl: float = TIME_TO_LIVE,
        now: Callable[[], float] = time.time,
    ) -> None:
        """
        @param store: whose owner closes it.
        @param nodeID: whose calls these are; C{None}: the store's own.
        @param ttl: seconds that a record outlives its last save.
        @param now: seconds since the epoch, for C{lastUpdate}.
        """
        self._store = store
        self._nodeID = store.nodeID if nodeID is None else nodeID
        self._ttl = ttl
        self._now = now
        # The calls of this node, as read or written last: the version and epoch
        # to write with, and what of the record is not the snapshot's.
        self._known: dict[str, SessionData] = {}
        # Of each call that something is done with, who waits to be next.
        self._turns: dict[str, deque[Deferred[None]]] = {}

    def save(self, key: str, snapshot: CallSnapshot) -> Deferred[None]:
        """
        See L{ISnapshotStore.save}.  C{SessionData.metadata} follows the changes
        of C{snapshot.metadata}; what others have put there stays.
        """
        return self._inTurn(key, lambda: self._save(key, snapshot))

    def load(self, key: str) -> Deferred[CallSnapshot]:
        """
        See L{ISnapshotStore.load}.  A record without a snapshot is not found.
        The call of another node is loaded, too: its node may be dead.
        """
        return self._inTurn(key, lambda: self._load(key))

    def delete(self, key: str) -> Deferred[None]:
        """
        See L{ISnapshotStore.delete}.
        """
        return self._inTurn(key, lambda: self._delete(key))

    def list(self) -> Deferred[list[str]]:
        """
        See L{ISnapshotStore.list}: only the calls of this node, which are all
        that it may write.
        """
        return self._store.list(self._nodeID)

    def learn(self, data: SessionData) -> None:
        """
        A record has become this node's by a claim: the next save writes it as
        it is there.
        """
        self._known[data.sessionID] = data

    def forget(self, key: str) -> None:
        """
        A record has become another node's.
        """
        self._known.pop(key, None)

    def _inTurn(self, key: str, step: Callable[[], Coroutine[Any, Any, _T]]) -> Deferred[_T]:
        """
        Do one thing at a time with each call: of two saves, the later one is
        what stays, even where the first has to be tried again.
        """
        return Deferred.fromCoroutine(self._afterOthers(key, step))

    async def _afterOthers(self, key: str, step: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        waiting = self._turns.get(key)
        if waiting is None:
            waiting = self._turns[key] = deque()
        else:
            turn: Deferred[None] = Deferred()
            waiting.append(turn)
            try:
                await turn
            except CancelledError:
                waiting.remove(turn)
                raise
        try:
            return await step()
        finally:
            if waiting:
                waiting.popleft().callback(None)
            else:
                del self._turns[key]

    async def _save(self, key: str, snapshot: CallSnapshot) -> None:
        for _ in range(_ATTEMPTS):
            try:
                known = self._known.get(key)
                if known is None:
                    written = await self._store.store(self._data(key, snapshot, None), self._ttl)
                else:
                    written = await self._write(self._data(key, snapshot, known))
                self._known[key] = written
                return
            except (VersionConflict, NotOwner) as error:
                # A write that was never answered may have been made, others of
                # this node may write, or it has taken the call over.
                conflict: StoreError = error
            try:
                await self._own(key)
            except SessionNotFound:
                self._known.pop(key, None)
        raise conflict

    async def _write(self, data: SessionData) -> SessionData:
        """
        Write a record that was there when we last looked.
        """
        try:
            return await self._store.update(data, self._ttl)
        except SessionNotFound:
            # The store has lost it, or it expired: the call goes on, in the
            # epoch that it had.  But where another node took it over and ended
            # it, while this process slept, the store remembers that.
            copy = evolve(data, version=data.version + 1)
            if await self._store.replicate(copy, self._ttl):
                return copy
            raise VersionConflict(data.sessionID, data.version, copy.version) from None

    async def _load(self, key: str) -> CallSnapshot:
        data = await self._store.get(key)
        if data.nodeID == self._nodeID:
            self._known[key] = data
        if data.snapshot is None:
            raise SessionNotFound(key)
        return data.snapshot

    async def _delete(self, key: str) -> None:
        try:
            known = self._known.pop(key, None) or await self._own(key)
            try:
                await self._store.delete(key, known.epoch, _REMEMBER)
            except NotOwner:
                known = await self._own(key)
                await self._store.delete(key, known.epoch, _REMEMBER)
        except SessionNotFound:
            pass
        self._known.pop(key, None)

    async def _own(self, key: str) -> SessionData:
        """
        Read a record that is to be changed.

        @raise NotOwner: it belongs to another node.
        """
        data = await self._store.get(key)
        if data.nodeID != self._nodeID:
            self._known.pop(key, None)
            raise NotOwner(key, data.nodeID, data.epoch)
        self._known[key] = data
        return data

    def _data(self, key: str, snapshot: CallSnapshot, known: SessionData | None) -> SessionData:
        recording = snapshot.recording
        before = None if known is None else known.snapshot
        return SessionData(
            sessionID=key,
            # A recording that goes on in another dialog is found by that.
            callID=snapshot.dialog.callID or recording.callID,
            status=recording.state,
            startTime=recording.startTime,
            lastUpdate=self._now(),
            recordingPath=recording.directory,
            nodeID=self._nodeID,
            snapshot=snapshot,
            sessions=recording.sessions,
            metadata=_carried(
                {} if known is None else known.metadata,
                {} if before is None else before.metadata,
                snapshot.metadata,
            ),
            vendor=recording.vendor,
            correlations=recording.correlations,
            version=0 if known is None else known.version,
            epoch=0 if known is None else known.epoch,
        )


def _carried(
    stored: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]
) -> Mapping[str, Any]:
    """
    @param stored: a record's metadata, which others may have changed.
    @param before: the metadata of the snapshot in it.
    @param after: those of the snapshot that follows.
    @return: the record's metadata with the difference of the two made in it.
    """
    dropped = before.keys() - after.keys()
    changed = {
        name: value for name, value in after.items() if name not in before or before[name] != value
    }
    return {name: value for name, value in stored.items() if name not in dropped} | changed


registerAdapter(SnapshotAdapter, ISessionStore, ISnapshotStore)
