"""
Recordings that a process left unfinished on the disk: whose they are now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from siprec.ids import NodeID
from siprec.rounds import Rounds
from siprec.session.interfaces import IWorkers
from siprec.session.running import Orphan, RunningRecordings
from siprec.store.interfaces import CorruptRecord, ISessionStore, SessionNotFound, StoreError

__all__ = ["Leftovers"]

log = Logger()

# Seconds until a store that is away is asked again, and between two looks at
# what nodes left that do not come back.
_AGAIN, _INTERVAL = 2.0, 60.0


@define(eq=False, repr=False, slots=False)
class Leftovers(Service):
    """
    Keeps apart what is to be finished here, what another node goes on with, and
    what a dead node left on a disk that all of them share.
    """

    _store: ISessionStore
    _running: RunningRecordings
    _workers: IWorkers
    _clock: IReactorTime
    _node: NodeID
    # Whether a node is dead, as far as this one can tell.
    _isDead: Callable[[NodeID], bool]
    # Finishes recordings from what lies on the disk.
    _recover: Callable[[list[Orphan]], Deferred[None]]
    _rounds: Rounds = field(init=False)
    _pause: Deferred[None] | None = field(default=None, init=False)

    @_rounds.default
    def _makeRounds(self) -> Rounds:
        return Rounds(self._clock, _INTERVAL, self._adopt, "leftovers not seen")

    def startService(self) -> None:
        """
        See L{twisted.application.service.IService.startService}.
        """
        super().startService()
        self._rounds.start(now=False)

    def stopService(self) -> Deferred[None]:
        """
        @return: fires when the look that is under way has ended.
        """
        super().stopService()
        if self._pause is not None:
            self._pause.cancel()
        return self._rounds.stop()

    async def ours(self, orphans: Iterable[Orphan]) -> list[Orphan]:
        """
        @param orphans: what an earlier life of this node left.
        @return: those that no node goes on with.  As long as the store does not
            say, it is waited: to finish another node's recording would ruin it.
        """
        found = []
        for orphan in orphans:
            nobodys = await self._isNobodys(orphan)
            if nobodys:
                found.append(orphan)
            elif nobodys is not None:
                await self._workers.run(self._running.forget, self._node, orphan.id)
        return found

    async def _isNobodys(self, orphan: Orphan) -> bool | None:
        """
        @return: C{None}: the node stopped before the store said; the marker is
            there at the next start.
        """
        while self.running:
            try:
                record = await self._store.get(orphan.id)
            except (SessionNotFound, CorruptRecord):
                return True  # or no node can go on with it
            except StoreError as error:
                log.info(
                    "{recording}: not finished yet: {why}", recording=orphan.id, why=str(error)
                )
            else:
                return record.nodeID == self._node
            await self._wait()
        return None

    async def _wait(self) -> None:
        if self.running:
            self._pause = deferLater(self._clock, _AGAIN)
            with suppress(CancelledError):
                await self._pause
            self._pause = None

    async def _adopt(self) -> None:
        for orphan in await self._workers.run(self._running.left):
            if not self.running:
                return
            if not self._isDead(orphan.node):
                continue
            try:
                # As long as there is a record, who claims it finishes it.
                if await self._store.exists(orphan.id):
                    continue
            except StoreError:
                return
            if await self._workers.run(self._running.adopt, orphan):
                log.info(
                    "{recording}: left by {node}, finished here",
                    recording=orphan.id,
                    node=orphan.node,
                )
                await self._recover([orphan])
