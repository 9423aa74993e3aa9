"""
Which calls of a node that slept are still its own.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from siprec.ids import NodeID
from siprec.recorder import Recorder
from siprec.store.interfaces import ISessionStore, SessionNotFound, StoreError

__all__ = ["Ownership"]

log = Logger()

# How often, and how many seconds apart, the store is asked.
_ASKS, _BETWEEN = 6, 0.5


@define(eq=False, repr=False)
class Ownership:
    """
    Compares the calls of a node with what the store says of them.
    """

    _node: NodeID
    _store: ISessionStore
    _recorder: Recorder
    _clock: IReactorTime
    # Lets go of a call that another node has.
    _fenced: Callable[[str], None]

    async def verify(self) -> None:
        """
        Let go of the calls that are another node's now.  As long as the store
        is away nobody can have claimed any, as far as can be known.
        """
        for _ in range(_ASKS):
            try:
                owned = set(await self._store.list(self._node))
                break
            except StoreError as error:
                log.info("calls not compared yet: {why}", why=str(error))
                await deferLater(self._clock, _BETWEEN)
        else:
            return
        for call in list(self._recorder.calls.values()):
            if call.live is not None and call.live.recording.id not in owned:
                await self._compare(call.live.recording.id)

    async def _compare(self, key: str) -> None:
        try:
            record = await self._store.get(key)
        except SessionNotFound:
            # Not written yet, lost by the store, or ended by who had taken it:
            # the write finds out.
            call = self._recorder.callOf(key)
            if call is not None:
                await call.save()
        except StoreError as error:
            log.info("{recording}: not compared: {why}", recording=key, why=str(error))
        else:
            if record.nodeID != self._node:
                self._fenced(key)
