"""
Work on one recording, one after the other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredLock, succeed

from siprec.ids import RecordingID

__all__ = ["Turns", "answering", "ended"]


@define(eq=False, repr=False)
class Turns:
    """
    A lock for each recording that is being worked on.
    """

    _locks: dict[RecordingID, DeferredLock] = field(factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._locks)

    @asynccontextmanager
    async def of(self, recording: RecordingID) -> AsyncIterator[None]:
        """
        Enter when nobody else is at work on that recording.
        """
        lock = self._locks.setdefault(recording, DeferredLock())
        await lock.acquire()
        try:
            yield
        finally:
            # Whoever waits may have been, and gone, when this returns.
            lock.release()
            if not lock.locked and self._locks.get(recording) is lock:
                del self._locks[recording]


def answering(
    ready: Callable[[], Deferred[None]], answer: Callable[[Any, Any], Coroutine[Any, Any, Any]]
) -> Callable[[Any, Any], Deferred[Any]]:
    """
    @param ready: gives what fires when this node can answer.
    @return: C{answer} as C{IClusterLinks.handle} takes it.
    """

    async def answered(peer: Any, body: Any) -> Any:
        await ready()
        return await answer(peer, body)

    return lambda peer, body: Deferred.fromCoroutine(answered(peer, body))


def ended(done: Deferred[None]) -> Deferred[None]:
    """
    @return: fires when something has ended; to cancel it is not in the way of others
        who wait.
    """
    if done.called and not done.paused:
        return succeed(None)
    copy: Deferred[None] = Deferred()

    def over(result: object) -> object:
        if not copy.called:
            copy.callback(None)
        return result

    done.addBoth(over)
    return copy
