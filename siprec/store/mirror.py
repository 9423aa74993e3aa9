"""
Leases in a second store: what the first has granted, as far as the second answers.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from siprec.ids import NodeID
from siprec.session.model import NodeLease
from siprec.store.interfaces import ISessionStore, LeaseHeld, StoreUnavailable

__all__ = ["LeaseMirror", "ifThere"]

_T = TypeVar("_T")

_log = Logger()


@define(eq=False, repr=False)
class LeaseMirror:
    """
    Brings leases into a second store; nobody waits for it.
    """

    _second: ISessionStore
    _mirroring: bool = field(default=False, init=False)

    def renew(self, lease: NodeLease, ttl: float, decided: bool) -> None:
        """
        Bring a lease there, unless the one before is still on its way: it will
        be renewed soon anyway.

        @param decided: the first store has granted it.
        """
        if self._mirroring:
            return

        def done(result: None) -> None:
            self._mirroring = False

        self._mirroring = True
        _logged(self._renew(lease, ttl, decided)).addCallback(done)

    def end(self, nodeID: NodeID, instance: str) -> None:
        """
        The first store has ended the lease of a process that is dead.
        """
        _logged(self._end(nodeID, instance))

    async def _renew(self, lease: NodeLease, ttl: float, decided: bool) -> None:
        try:
            await ifThere(self._second.heartbeat(lease, ttl))
        except LeaseHeld as held:
            if decided:
                await self._end(held.holder.nodeID, held.holder.instance)
                await ifThere(self._second.heartbeat(lease, ttl))

    async def _end(self, nodeID: NodeID, instance: str) -> None:
        await ifThere(self._second.release(nodeID, instance))


def _logged(step: Coroutine[Deferred[Any], Any, None]) -> Deferred[None]:
    def failed(failure: Any) -> None:
        _log.failure("a lease was not copied", failure)

    return Deferred.fromCoroutine(step).addErrback(failed)


async def ifThere(call: Deferred[_T]) -> _T | None:
    """
    @return: what a store answers; C{None} if it does not.
    """
    try:
        return await call
    except StoreUnavailable:
        return None
