"""
The calls of a dead node go on at the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.cluster.shares import share
from siprec.ids import NodeID
from siprec.session.model import SessionData
from siprec.store.interfaces import (
    ISessionStore,
    LeaseHeld,
    StoreError,
    StoreUnavailable,
)

__all__ = ["Takeover", "TakeoverListener"]

log = Logger()

#: Sessions that one claim takes: few enough that the reactor gets its turn in
#: between, and that several survivors share even a small number of calls.
BATCH = 20

#: Sessions that are being taken up at once.
AT_ONCE = 100

# Seconds that this node leaves to the others what is their share, before it
# takes some of that, too: they may be busy, or have died as well, and a call
# without a node loses its media.
_LEAVE = 0.1

# Seconds after which a store that is away is asked again.
_AGAIN = 0.5


class TakeoverListener(Protocol):
    """
    Who is told how it goes.
    """

    def claimed(self, count: int) -> None:
        """
        So many sessions are this node's now.
        """


@define(eq=False, repr=False, slots=False)
class Takeover(Service):
    """
    Claims the sessions of dead nodes, a few at a time, and has each taken up.

    @ivar claimed: how many sessions have been claimed since the start.
    """

    _store: ISessionStore
    _clock: IReactorTime
    _node: NodeID
    # Takes up a session that is this node's now.  It must not fail.
    _takeUp: Callable[[SessionData], Deferred[None]]
    # Gives how many sessions this node has, and each other one that lives.
    _loads: Callable[[], tuple[int, Iterable[int]]]
    # Whether this node can take calls up at all: one that drains does not.
    _ready: Callable[[], bool]
    claimed: int = field(default=0, init=False)
    _underWay: dict[str, list[Deferred[None]]] = field(factory=dict, init=False)
    _runs: dict[NodeID, Deferred[None]] = field(factory=dict, init=False)
    _pauses: set[Deferred[None]] = field(factory=set, init=False)
    _room: list[Deferred[None]] = field(factory=list, init=False)

    def stopService(self) -> Deferred[None]:
        """
        @return: fires when what is under way has ended.
        """
        super().stopService()
        for pause in list(self._pauses):
            pause.cancel()
        waiting = [*self._runs.values(), *(self.beingTakenUp(key) for key in self._underWay)]
        ends = [Deferred.fromCoroutine(_after(each)) for each in waiting if each is not None]
        return DeferredList(ends).addCallback(lambda _: None)

    def nodeDied(self, owner: NodeID, instance: str = "") -> None:
        """
        Take over the sessions of a node, as far as the others leave them.
        Where that is under way, nothing more is done.

        @param instance: of the process that is known to have ended; empty:
            its lease has to be over.
        """
        if not self.running or owner in self._runs:
            return
        run = Deferred.fromCoroutine(self._run(owner, instance))
        if run.called:
            run.addErrback(self._broken, owner)
            return
        self._runs[owner] = run

        def ended(result: object) -> None:
            self._runs.pop(owner, None)
            if isinstance(result, Failure):
                self._broken(result, owner)

        run.addBoth(ended)

    def beingTakenUp(self, key: str) -> Deferred[None] | None:
        """
        @return: fires when a session that was claimed has been taken up, or
            cannot be; C{None} if it is not being taken up.
        """
        waiters = self._underWay.get(key)
        if waiters is None:
            return None
        done: Deferred[None] = Deferred()
        waiters.append(done)
        return done

    def claim(self, record: SessionData) -> Deferred[None]:
        """
        Take over one session, out of turn: its peer has asked for it.

        @param record: as it is in the store.
        @return: fires when it is taken up, or cannot be, or another node has
            it.  It never fails.
        """
        return Deferred.fromCoroutine(self._claim(record))

    async def _claim(self, record: SessionData) -> None:
        try:
            claimed = await self._store.claim(record.sessionID, self._node, record.epoch)
        except StoreError as error:
            log.info("{recording}: not claimed: {why}", recording=record.sessionID, why=str(error))
            return
        self._begin([claimed])
        taking = self.beingTakenUp(claimed.sessionID)
        if taking is not None:
            await taking

    async def _run(self, owner: NodeID, instance: str) -> None:
        taken = 0
        quota: int | None = None
        while self.running and self._ready():
            try:
                if quota is None:
                    quota = await self._quota(owner)
                batch = min(max(quota - taken, 1), BATCH)
                claimed = await self._store.claimFrom(owner, self._node, batch, instance)
            except LeaseHeld as error:
                log.info(
                    "{owner}: lives, process {pid} has its lease",
                    owner=owner,
                    pid=error.holder.pid,
                )
                return
            except StoreUnavailable as error:
                log.warn("{owner}: calls not claimed yet: {why}", owner=owner, why=str(error))
                quota = None
                await self._pause(_AGAIN)
                continue
            taken += len(claimed.records)
            self._begin(claimed.records)
            if not claimed.left:
                break
            if taken >= quota:
                await self._pause(_LEAVE)
                quota = taken + BATCH
            await self._whenRoom()

    async def _quota(self, owner: NodeID) -> int:
        orphans = (await self._store.owners()).get(owner, 0)
        own, others = self._loads()
        return share(own, others, orphans)

    def _begin(self, records: Iterable[SessionData]) -> None:
        records = list(records)
        self.claimed += len(records)
        for record in records:
            log.info(
                "{recording}: claimed, epoch {epoch}",
                recording=record.sessionID,
                epoch=record.epoch,
                callID=record.callID,
            )
            self._underWay[record.sessionID] = []
        for record in records:
            self._takeUp(record).addErrback(self._failed, record).addCallback(self._ended, record)

    def _failed(self, failure: Failure, record: SessionData) -> None:
        log.failure("{recording}: not taken up", failure, recording=record.sessionID)

    def _ended(self, _: None, record: SessionData) -> None:
        for waiter in self._underWay.pop(record.sessionID, []):
            waiter.callback(None)
        if len(self._underWay) < AT_ONCE:
            room, self._room = self._room, []
            for each in room:
                each.callback(None)

    def _whenRoom(self) -> Deferred[None]:
        if len(self._underWay) < AT_ONCE:
            # A turn for everything else, which lives on.
            return self._pause(0)
        room: Deferred[None] = Deferred()
        self._room.append(room)
        return room

    def _pause(self, seconds: float) -> Deferred[None]:
        pause: Deferred[None] = deferLater(self._clock, seconds)
        self._pauses.add(pause)

        def over(result: object) -> None:
            # Cancelled by the stop, after which nothing is claimed.
            self._pauses.discard(pause)

        return pause.addBoth(over)

    def _broken(self, failure: Failure, owner: NodeID) -> None:
        log.failure("{owner}: calls not taken over", failure, owner=owner)


async def _after(done: Deferred[None]) -> None:
    """
    Wait without being in the way of others who do.
    """
    await _tapped(done)


def _tapped(done: Deferred[None]) -> Deferred[None]:
    if done.called:
        return succeed(None)
    copy: Deferred[None] = Deferred()

    def over(result: object) -> object:
        copy.callback(None)
        return result

    done.addBoth(over)
    return copy
