"""
Any two session stores as one: the first decides, the second follows.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

import siprec.store.adapter  # noqa: F401 - so that ISnapshotStore(store) works
from siprec.ids import NodeID
from siprec.session.model import Claimed, NodeLease, SessionData
from siprec.store.backlog import Backlog
from siprec.store.follower import Follower
from siprec.store.interfaces import (
    ISessionStore,
    SessionIDs,
    SessionNotFound,
    StoreError,
    StoreUnavailable,
)
from siprec.store.mirror import LeaseMirror, ifThere

__all__ = ["BackupSessionStore"]

_T = TypeVar("_T")
_Leases = list[NodeLease]

_log = Logger()


@implementer(ISessionStore)
class BackupSessionStore:
    """
    A session store that survives the loss of one of its two.

    Every write is the primary's: it succeeds or fails as it does there, and
    not before.  What was written follows into the second store from a bounded
    backlog; what did not fit, and whatever happened while one of the two was
    away, is found later by comparing them by version.  So a primary that lost
    its last writes, or everything, gets them back; but not what was deleted:
    both stores remember deletions, for at least as long as a copy could live.

    A read asks the second store only when the primary does not answer, never
    when it says that there is nothing; and only the primary can say that.
    So while the primary is away, what the second store does not have is
    unavailable, not absent, and its lists may lack what was written last.
    """

    def __init__(
        self,
        primary: ISessionStore,
        second: ISessionStore,
        clock: IReactorTime,
        limit: int = 10_000,
        retry: float = 5.0,
        remember: float = 86400.0,
    ) -> None:
        """
        @param primary: its C{nodeID} is this store's.  Both are closed with
            this store.
        @param limit: most sessions of which the backlog keeps a change, and
            most of which it keeps a deletion.
        @param retry: seconds to wait before a store that did not answer is
            asked again for the sake of the second.
        @param remember: seconds for which deletions are remembered; at least
            the longest time to live of a record.
        """
        self.nodeID = primary.nodeID
        self.timeout = primary.timeout + second.timeout
        self._primary = primary
        self._second = second
        self._backlog = Backlog(limit, clock.seconds)
        self._follower = Follower(primary, second, clock, remember, retry, self._backlog)
        self._remember = remember
        self._fallbacks = 0
        self._leases = LeaseMirror(second)

    def store(self, data: SessionData, ttl: float) -> Deferred[SessionData]:
        """
        See L{ISessionStore.store}.
        """
        return self._written(self._primary.store(data, ttl))

    def get(self, sessionID: str) -> Deferred[SessionData]:
        """
        See L{ISessionStore.get}.
        """

        async def fromSecond() -> SessionData:
            if self._backlog.deleted(sessionID):
                raise SessionNotFound(sessionID)
            copy = self._backlog.copy(sessionID)
            if copy is not None:
                return copy
            try:
                return await self._second.get(sessionID)
            except SessionNotFound:
                raise StoreUnavailable("the second store may not have heard of it") from None

        return self._read(self._primary.get(sessionID), fromSecond)

    def update(self, data: SessionData, ttl: float) -> Deferred[SessionData]:
        """
        See L{ISessionStore.update}.
        """
        return self._written(self._primary.update(data, ttl))

    def delete(
        self, sessionID: str, epoch: int | None = None, remember: float = 0.0
    ) -> Deferred[bool]:
        """
        See L{ISessionStore.delete}.  It is remembered for as long as this
        store remembers all deletions, or longer.
        """

        def deleted(result: bool) -> bool:
            self._follow(self._backlog.delete(sessionID))
            return result

        call = self._primary.delete(sessionID, epoch, max(remember, self._remember))
        return self._watched(call).addCallback(deleted)

    def list(self, node: NodeID | None = None) -> Deferred[SessionIDs]:
        """
        See L{ISessionStore.list}.
        """
        return self._readList(
            lambda store: store.list(node), lambda data: node in (None, data.nodeID)
        )

    def exists(self, sessionID: str) -> Deferred[bool]:
        """
        See L{ISessionStore.exists}.
        """

        async def fromSecond() -> bool:
            if self._backlog.deleted(sessionID):
                return False
            if self._backlog.copy(sessionID) or await self._second.exists(sessionID):
                return True
            raise StoreUnavailable("the second store may not have heard of it")

        return self._read(self._primary.exists(sessionID), fromSecond)

    def extend(self, sessionID: str, ttl: float, epoch: int) -> Deferred[None]:
        """
        See L{ISessionStore.extend}.
        """

        def extended(result: None) -> None:
            self._follow(self._backlog.extend(sessionID, ttl, epoch))

        return self._watched(self._primary.extend(sessionID, ttl, epoch)).addCallback(extended)

    def listByCallID(self, callID: str) -> Deferred[SessionIDs]:
        """
        See L{ISessionStore.listByCallID}.
        """
        return self._readList(
            lambda store: store.listByCallID(callID), lambda data: data.callID == callID
        )

    def listBySession(self, communicationSessionID: str) -> Deferred[SessionIDs]:
        """
        See L{ISessionStore.listBySession}.
        """
        return self._readList(
            lambda store: store.listBySession(communicationSessionID),
            lambda data: communicationSessionID in data.sessions,
        )

    def listByCorrelation(self, key: str) -> Deferred[SessionIDs]:
        """
        See L{ISessionStore.listByCorrelation}.
        """
        return self._readList(
            lambda store: store.listByCorrelation(key), lambda data: key in data.correlations
        )

    def claim(self, sessionID: str, node: NodeID, epoch: int) -> Deferred[SessionData]:
        """
        See L{ISessionStore.claim}.
        """
        return self._written(self._primary.claim(sessionID, node, epoch))

    def owners(self) -> Deferred[dict[NodeID, int]]:
        """
        See L{ISessionStore.owners}.
        """

        async def fromSecond() -> dict[NodeID, int]:
            return await self._second.owners()

        return self._read(self._primary.owners(), fromSecond)

    def claimFrom(
        self, owner: NodeID, node: NodeID, limit: int, instance: str = ""
    ) -> Deferred[Claimed]:
        """
        See L{ISessionStore.claimFrom}.
        """

        def claimed(result: Claimed) -> Claimed:
            for data in result.records:
                self._follow(self._backlog.write(data, data.remaining))
            if instance:
                self._leases.end(owner, instance)
            return result

        call = self._primary.claimFrom(owner, node, limit, instance)
        return self._watched(call).addCallback(claimed)

    def replicate(self, data: SessionData, ttl: float) -> Deferred[bool]:
        """
        See L{ISessionStore.replicate}.
        """

        def replicated(written: bool) -> bool:
            if written:
                self._follow(self._backlog.write(data, ttl))
            return written

        return self._watched(self._primary.replicate(data, ttl)).addCallback(replicated)

    def heartbeat(self, lease: NodeLease, ttl: float) -> Deferred[bool]:
        """
        See L{ISessionStore.heartbeat}.  The second store gets the lease even
        if the primary does not answer (and this fails): else every node would
        look dead there after a while.
        """

        def away(failure: Failure) -> Failure:
            if failure.check(StoreUnavailable):
                self._leases.renew(lease, ttl, decided=False)
            return failure

        def renewed(had: bool) -> bool:
            self._leases.renew(lease, ttl, decided=True)
            return had

        return self._watched(self._primary.heartbeat(lease, ttl)).addCallbacks(renewed, away)

    def nodes(self) -> Deferred[_Leases]:
        """
        See L{ISessionStore.nodes}.
        """

        async def fromSecond() -> _Leases:
            return await self._second.nodes()

        return self._read(self._primary.nodes(), fromSecond)

    def release(self, nodeID: NodeID, instance: str) -> Deferred[None]:
        """
        See L{ISessionStore.release}.
        """

        async def inBoth() -> None:
            try:
                await self._watched(self._primary.release(nodeID, instance))
            finally:
                await ifThere(self._second.release(nodeID, instance))

        return Deferred.fromCoroutine(inBoth())

    def stats(self) -> Deferred[dict[str, Any]]:
        """
        See L{ISessionStore.stats}.  Beside what the store that answers says:
        C{primary} and C{second}, what each says or C{None}; C{pending}, the
        steps that the second store has still to be told, and C{lag}, seconds
        that the oldest of them is late; C{comparing}, whether there may be
        others; C{dropped}, steps that did not fit; C{followed}, C{restored},
        C{buried}, C{failed}, sessions as L{Follower.counts} has them;
        C{fallbacks}, reads that the second store answered.
        """
        return Deferred.fromCoroutine(self._stats())

    def cleanup(self) -> Deferred[int]:
        """
        See L{ISessionStore.cleanup}: in both, as far as the second answers.
        """

        async def inBoth() -> int:
            removed = await self._watched(self._primary.cleanup())
            return removed + (await ifThere(self._second.cleanup()) or 0)

        return Deferred.fromCoroutine(inBoth())

    def health(self) -> Deferred[bool]:
        """
        See L{ISessionStore.health}: the primary's, as it takes the writes.
        """
        return self._watched(self._primary.health())

    def close(self) -> Deferred[None]:
        """
        See L{ISessionStore.close}.  The second store is told first what it
        has still to be told, if it answers.
        """

        async def both() -> None:
            await self._follower.stop()
            await gatherResults([self._primary.close(), self._second.close()])

        return Deferred.fromCoroutine(both())

    def _written(self, call: Deferred[SessionData]) -> Deferred[SessionData]:
        def written(data: SessionData) -> SessionData:
            self._follow(self._backlog.write(data, data.remaining))
            return data

        return self._watched(call).addCallback(written)

    def _follow(self, fitted: bool) -> None:
        if not fitted:
            self._follower.missed()
        self._follower.wake()

    def _watched(self, call: Deferred[_T]) -> Deferred[_T]:
        """
        Notice when the primary does not answer: a write may have been made
        all the same, and when it is back it may have lost some.
        """

        def answered(result: _T) -> _T:
            self._follower.wake()
            return result

        def failed(failure: Failure) -> Failure:
            if failure.check(StoreUnavailable):
                self._follower.missed()
            else:
                self._follower.wake()
            return failure

        return call.addCallbacks(answered, failed)

    def _read(
        self, call: Deferred[_T], fromSecond: Callable[[], Coroutine[Deferred[Any], Any, _T]]
    ) -> Deferred[_T]:
        async def either() -> _T:
            try:
                return await self._watched(call)
            except StoreUnavailable as away:
                try:
                    result = await fromSecond()
                except SessionNotFound:
                    raise
                except StoreError:
                    raise away from None
                self._fallbacks += 1
                return result

        return Deferred.fromCoroutine(either())

    def _readList(
        self,
        ask: Callable[[ISessionStore], Deferred[SessionIDs]],
        wanted: Callable[[SessionData], bool],
    ) -> Deferred[SessionIDs]:
        async def fromSecond() -> SessionIDs:
            return self._backlog.corrected(await ask(self._second), wanted)

        return self._read(ask(self._primary), fromSecond)

    async def _stats(self) -> dict[str, Any]:
        second = await ifThere(self._second.stats())
        try:
            primary = await self._watched(self._primary.stats())
        except StoreUnavailable:
            if second is None:
                raise
            primary = None
        return {
            **(primary or second or {}),
            "provider": "backup",
            "primary": primary,
            "second": second,
            "pending": len(self._backlog),
            "lag": self._backlog.age(),
            "comparing": self._follower.behind,
            "dropped": self._backlog.dropped,
            "fallbacks": self._fallbacks,
            **self._follower.counts,
        }
