"""
The calls of a dead node go on at the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, DeferredLock, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.cluster.lostclaims import LostClaims
from siprec.cluster.pauses import Pauses
from siprec.cluster.rush import Rush
from siprec.cluster.shares import share
from siprec.cluster.underway import UnderWay
from siprec.ids import NodeID
from siprec.session.model import SessionData
from siprec.store.interfaces import (
    ISessionStore,
    LeaseHeld,
    NotOwner,
    StoreError,
    StoreUnavailable,
)

__all__ = ["Takeover"]

log = Logger()

#: Sessions that one claim takes: few enough that the reactor gets its turn in
#: between, and that several survivors share even a small number of calls.
BATCH = 20

#: Sessions that are being taken up at once.
AT_ONCE = 100

# Seconds that this node leaves to the others what is their share, before it
# takes that, too: they may be busy, or have died as well.
_LEAVE = 0.1

# Seconds after which a store that is away is asked again.
_AGAIN = 0.5


def _all(key: str) -> bool:
    """
    There is nothing to find.
    """
    return True


@define(eq=False, repr=False)
class _Run:
    """
    The take-over of one node.

    @ivar instance: of the process that is known to have ended, until its lease
        is; empty: its lease has to be over.
    @ivar sessions: how many the node had, until that has been used.
    @ivar done: fires at the end.
    @ivar quota: how many sessions this node takes before it leaves the others
        time.
    @ivar settled: whether that is worked out.
    @ivar left: how many sessions there were when that was last known.
    """

    owner: NodeID
    instance: str
    sessions: int = 0
    done: Deferred[None] = field(factory=Deferred, init=False)
    quota: int = field(default=0, init=False)
    settled: bool = field(default=False, init=False)
    left: int | None = field(default=None, init=False)


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
    # Whether this node has the session, is about to, or is just ending it.  A
    # record of this node that it does not know is the work of a claim whose answer
    # was lost.
    _known: Callable[[str], bool] = _all
    _rush: Rush = field(factory=Rush)
    claimed: int = field(default=0, init=False)
    _underWay: UnderWay = field(factory=UnderWay, init=False)
    _runs: dict[NodeID, _Run] = field(factory=dict, init=False)
    _claims: set[Deferred[None]] = field(factory=set, init=False)
    _room: list[Deferred[None]] = field(factory=list, init=False)
    _turn: DeferredLock = field(factory=DeferredLock, init=False)
    _pauses: Pauses = field(init=False)
    _lost: LostClaims = field(init=False)

    @_pauses.default
    def _makePauses(self) -> Pauses:
        return Pauses(self._clock, lambda: bool(self.running))

    @_lost.default
    def _makeLost(self) -> LostClaims:
        return LostClaims(
            self._store,
            self._node,
            self._pauses,
            self._turn,
            self._mayClaim,
            self._has,
            self._begin,
        )

    def stopService(self) -> Deferred[None]:
        """
        Claim nothing more.

        @return: fires when what is under way has ended.
        """
        super().stopService()
        self._pauses.end()
        self._makeRoom()
        ends = [each.done for each in self._runs.values()]
        ends += [each for each in map(self.beingTakenUp, self._underWay) if each is not None]
        ends += [*self._claims, *self._lost.underWay]
        return DeferredList(ends).addCallback(lambda _: None)

    def nodeDied(self, owner: NodeID, instance: str = "", sessions: int = 0) -> None:
        """
        Take over the sessions of a node, as far as the others leave them.
        Where that is under way, only what is known of its process is new.

        @param instance: of the process that is known to have ended; empty:
            its lease has to be over.
        @param sessions: how many it had when that was last known.
        """
        if not self.running or owner == self._node:
            return
        run = self._runs.get(owner)
        if run is not None:
            run.instance = instance or run.instance
            return
        run = self._runs[owner] = _Run(owner, instance, sessions)
        ended = Deferred.fromCoroutine(self._take(run)).addErrback(self._broken, owner)
        ended.addCallback(self._over, run)

    def beingTakenUp(self, key: str) -> Deferred[None] | None:
        """
        @return: fires when a session that was claimed has been taken up, or
            cannot be; C{None} if it is not being taken up.
        """
        return self._underWay.whenClear(key)

    def claim(self, record: SessionData) -> Deferred[None]:
        """
        Take over one session of a dead node, out of turn: its peer has asked
        for it.

        @param record: as it is in the store.
        @return: fires when it is taken up, or cannot be, or its node has come
            back, or another node has it.  It never fails.
        """
        done: Deferred[None] = Deferred()
        self._claims.add(done)

        def ended(_: None) -> None:
            self._claims.discard(done)
            done.callback(None)

        Deferred.fromCoroutine(self._claim(record)).addErrback(
            lambda failure: log.failure(
                "{recording}: not claimed", failure, recording=record.sessionID
            )
        ).addCallback(ended)
        return done

    async def _claim(self, record: SessionData) -> None:
        key = record.sessionID
        try:
            # The record was read before: its node had a lease when it wrote it.
            if not self._mayClaim() or await self._lives(record.nodeID):
                return
            await self._claimOne(key, record.epoch)
        except NotOwner as error:
            # Ours, if its peer has asked twice: then it is being taken up.
            log.info("{recording}: {owner} has it", recording=key, owner=error.owner)
        except StoreError as error:
            log.info("{recording}: not claimed: {why}", recording=key, why=str(error))
            if isinstance(error, StoreUnavailable):
                self._lost.search()
        taking = self.beingTakenUp(key)
        if taking is not None:
            await taking

    async def _claimOne(self, key: str, epoch: int) -> None:
        await self._turn.acquire()
        try:
            if self._mayClaim():
                self._begin([await self._store.claim(key, self._node, epoch)])
        finally:
            self._turn.release()

    def _mayClaim(self) -> bool:
        return bool(self.running) and self._ready()

    async def _lives(self, node: NodeID) -> bool:
        run = self._runs.get(node)
        ended = run.instance if run is not None else ""
        for lease in await self._store.nodes():
            if lease.nodeID == node and (not ended or lease.instance != ended):
                log.info("{owner}: lives, process {pid} has its lease", owner=node, pid=lease.pid)
                return True
        return False

    # A dead node.

    async def _take(self, run: _Run) -> None:
        while self._mayClaim():
            instance = run.instance
            try:
                if not await self._takeSome(run, instance):
                    return
            except LeaseHeld as error:
                if run.instance not in ("", instance) and error.holder.instance == run.instance:
                    continue  # it came back, and has ended again
                log.info(
                    "{owner}: lives, process {pid} has its lease",
                    owner=run.owner,
                    pid=error.holder.pid,
                )
                return
            except StoreUnavailable as error:
                log.warn("{owner}: calls not claimed yet: {why}", owner=run.owner, why=str(error))
                run.settled, run.left = False, None
                self._rush.end(run)
                self._lost.search()
                await self._pauses.wait(_AGAIN)

    async def _takeSome(self, run: _Run, instance: str) -> bool:
        """
        @return: whether there may be more.
        """
        if not run.settled:
            run.quota, run.settled = await self._quota(run), True
        if run.quota <= 0:
            self._rush.end(run)
            await self._pauses.wait(_LEAVE)
            run.settled = False
            return True
        self._rush.begin(run)
        run.left = await self._claimBatch(run, min(run.quota, BATCH), instance)
        if not run.left:
            return False
        if len(self._underWay) >= AT_ONCE:
            self._rush.end(run)
        await self._whenRoom()
        return True

    async def _claimBatch(self, run: _Run, most: int, instance: str) -> int:
        """
        @return: how many are left.
        """
        await self._turn.acquire()
        try:
            if not self._mayClaim():
                return 0
            claimed = await self._store.claimFrom(run.owner, self._node, most, instance)
            if run.instance == instance:
                # Its lease is over: one that is there from now on is of a process
                # that lives.
                run.instance = ""
            self._begin(claimed.records)
            run.quota -= len(claimed.records)
            return claimed.left
        finally:
            self._turn.release()

    async def _quota(self, run: _Run) -> int:
        """
        @return: how many sessions to take now; 0: leave them to the others.
        """
        orphans = (await self._store.owners()).get(run.owner, 0)
        before, run.left = run.left, orphans
        if not orphans:
            return 1  # its lease is ended, and records may have come meanwhile
        if before is not None and orphans >= before:
            return orphans  # nobody else takes them
        own, others = self._loads()
        # Others may have begun: this node's part is one of all that there were.
        every, run.sessions = max(orphans, run.sessions), 0
        return share(own, others, every)

    def _over(self, _: None, run: _Run) -> None:
        del self._runs[run.owner]
        self._rush.end(run)
        run.done.callback(None)

    def _broken(self, failure: Failure, owner: NodeID) -> None:
        log.failure("{owner}: calls not taken over", failure, owner=owner)

    # What is claimed.

    def _has(self, key: str) -> bool:
        return key in self._underWay or self._known(key)

    def _begin(self, records: Iterable[SessionData]) -> None:
        records = list(records)
        self.claimed += len(records)
        if records and not self.running:
            # They are another's once this node's lease is over.
            log.warn("{count} calls claimed in the stop are left", count=len(records))
            return
        for record in records:
            log.info(
                "{recording}: claimed, epoch {epoch}",
                recording=record.sessionID,
                epoch=record.epoch,
                callID=record.callID,
            )
        self._launch(records)

    def _launch(self, records: Iterable[SessionData]) -> None:
        fresh = []
        for record in records:
            earlier = self.beingTakenUp(record.sessionID)
            if earlier is None:
                self._underWay.begin(record.sessionID)
                fresh.append(record)
            else:
                # It was lost to another node and came back, before that was seen.
                earlier.addCallback(self._launchAgain, record)
        for record in fresh:
            self._start(record)

    def _launchAgain(self, _: None, record: SessionData) -> None:
        if self.running:
            self._launch([record])

    def _start(self, record: SessionData) -> None:
        taken = maybeDeferred(self._takeUp, record)
        taken.addErrback(self._failed, record).addCallback(self._ended, record)

    def _failed(self, failure: Failure, record: SessionData) -> None:
        log.failure("{recording}: not taken up", failure, recording=record.sessionID)

    def _ended(self, _: None, record: SessionData) -> None:
        self._underWay.end(record.sessionID)
        if len(self._underWay) < AT_ONCE:
            self._makeRoom()

    def _makeRoom(self) -> None:
        room, self._room = self._room, []
        for each in room:
            each.callback(None)

    def _whenRoom(self) -> Deferred[None]:
        if len(self._underWay) < AT_ONCE or not self.running:
            # A turn for everything else, which lives on.
            return self._pauses.wait(0)
        room: Deferred[None] = Deferred()
        self._room.append(room)
        return room
