"""
The session service: owns the life of every recording on this node, and what
the node has in its store.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable
from typing import Any, cast

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec import __version__
from siprec.ids import NodeID
from siprec.ids import nodeID as checkedNodeID
from siprec.rounds import Rounds
from siprec.session.cleaning import CleaningService
from siprec.session.heartbeat import HeartbeatService
from siprec.session.keeper import SnapshotKeeper
from siprec.session.liveness import LivenessService, Signs
from siprec.session.model import CallSnapshot, NodeLease
from siprec.session.processes import thisProcess
from siprec.session.recordings import Recordings
from siprec.store.adapter import SnapshotAdapter
from siprec.store.interfaces import (
    ISessionStore,
    ISnapshotStore,
    LeaseHeld,
    SessionNotFound,
    StoreError,
)

__all__ = ["SessionService"]

log = Logger()

#: Seconds after which every call is saved again: well within the time to live
#: of a record, which is a day.
_SAVE_AGAIN = 6 * 3600.0


def _nowhere() -> tuple[str, ...]:
    """
    No peer can reach this node.
    """
    return ()


def _nothingAtAll() -> None:
    """
    Nobody wants to know.
    """


def _nothing(key: str) -> None:
    """
    Nobody wants to know.
    """


@define(eq=False, repr=False, slots=False)
class SessionService(Service):
    """
    Sessions on one node: their recordings; the node's lease, renewed in one
    call for each beat; their snapshots, one write at a time for each, of the
    last; the end of those that give no sign of life; and the removal of what
    has expired in the store.

    What the rest of a node is to it are callbacks.  A program that has no such
    rest leaves them out: then what it gives to L{save} is all the calls there
    are, C{lastActivity} is their sign of life, and one that is dead is deleted.

    @ivar store: the rich store, for C{nodeID}; it is closed at the end.
    @ivar nodeID: this node.
    @ivar heartbeatInterval: seconds between two beats; the lease is three.
    @ivar cleanupInterval: seconds between two removals of what has expired and
        of orphaned index entries.
    @ivar sessionTimeout: seconds without any sign of life after which a
        session is ended.
    @ivar recordings: what begins, keeps and ends recordings on this node, which
        starts and stops with the service; C{None} where only the state is kept.
    @ivar keeper: writes snapshots, and waits for a store that is away.
    @ivar snapshots: the same store as the SIP side sees it.
    @ivar adapter: the same, for who claims calls of other nodes.
    @ivar instance: of this process: a lease with another one is somebody else's.
    """

    store: ISessionStore
    _clock: IReactorTime
    nodeID: NodeID = field(converter=checkedNodeID)
    heartbeatInterval: float = 1.0
    cleanupInterval: float = 300.0
    sessionTimeout: float = 3600.0
    recordings: Recordings | None = field(default=None, kw_only=True)
    # Gives seconds since the Unix epoch; a reactor's clock does, too.
    _now: Callable[[], float] = field(kw_only=True)
    # Gives where peers reach the node.
    _addresses: Callable[[], tuple[str, ...]] = field(default=_nowhere, kw_only=True)
    # Gives the signs of life of every call.
    _signs: Callable[[], Iterable[Signs]] = field(kw_only=True)
    # Says how many calls there are: at each beat, so that must not cost more with more of them.
    _count: Callable[[], int] = field(kw_only=True)
    # Saves every call anew.
    _saveAll: Callable[[], Deferred[Any]] = field(kw_only=True)
    # Called with a call's key once another node has that call.
    _onFenced: Callable[[str], None] = field(default=_nothing, kw_only=True)
    # Called with the key of a call that has given no sign of life.
    _onDead: Callable[[str], None] = field(kw_only=True)
    # Called when this node's lease was over for a while, so that others may have
    # taken it for dead.
    _onLapsed: Callable[[], None] = field(default=_nothingAtAll, kw_only=True)
    # Gives what else other nodes should read in the lease.
    _leaseData: Callable[[], dict[str, Any]] = field(default=dict, kw_only=True)
    adapter: SnapshotAdapter = field(init=False)
    snapshots: ISnapshotStore = field(init=False)
    keeper: SnapshotKeeper = field(init=False)
    heartbeat: HeartbeatService = field(init=False)
    cleaning: CleaningService = field(init=False)
    liveness: LivenessService = field(init=False)
    instance: str = field(factory=lambda: uuid.uuid4().hex, kw_only=True)
    _process: dict[str, Any] = field(factory=thisProcess, init=False)
    # The last snapshot of each call that was given to us.
    _given: dict[str, CallSnapshot] = field(factory=dict, init=False)
    _again: Rounds = field(init=False)
    _saving: bool = field(default=False, init=False)

    @_now.default
    def _clockSeconds(self) -> Callable[[], float]:
        return self._clock.seconds

    @_again.default
    def _makeAgain(self) -> Rounds:
        return Rounds(self._clock, _SAVE_AGAIN, self.saveAgain, "calls were not saved again")

    @_signs.default
    def _givenSigns(self) -> Callable[[], Iterable[Signs]]:
        return lambda: [Signs(key, None, each.lastActivity) for key, each in self._given.items()]

    @_count.default
    def _countGiven(self) -> Callable[[], int]:
        return lambda: len(self._given)

    @_saveAll.default
    def _saveGiven(self) -> Callable[[], Deferred[Any]]:
        return lambda: DeferredList(
            [self.keeper.save(key, each) for key, each in self._given.items()]
        )

    @_onDead.default
    def _endGiven(self) -> Callable[[str], None]:
        def end(key: str) -> None:
            self.delete(key)

        return end

    def __attrs_post_init__(self) -> None:
        """
        @raise ValueError: the store is for another node.
        """
        if self.nodeID != self.store.nodeID:
            raise ValueError(f"node {self.nodeID}: the store is for node {self.store.nodeID}")
        # By adaptation, as any program that embeds the store may do it.
        self.snapshots = ISnapshotStore(self.store)
        self.adapter = cast(SnapshotAdapter, self.snapshots)
        self.keeper = SnapshotKeeper(
            self.snapshots, self._clock, self._fenced, patience=max(self.store.timeout, 0.1)
        )
        self.heartbeat = HeartbeatService(
            self.store,
            self._clock,
            self._lease,
            self.heartbeatInterval,
            onLost=self._lost,
            onBack=self.saveAgain,
            onLapsed=self._onLapsed,
        )
        self.cleaning = CleaningService(self.store, self._clock, self.cleanupInterval)
        self.liveness = LivenessService(
            self._signs, self._clock, self._now, self.sessionTimeout, onDead=self._onDead
        )

    def _lease(self) -> NodeLease:
        return NodeLease(
            nodeID=self.nodeID,
            instance=self.instance,
            host=os.uname().nodename,
            pid=os.getpid(),
            addresses=self._addresses(),
            sessions=self._count(),
            version=__version__,
            data={**self._process, **self._leaseData()},
        )

    def _fenced(self, key: str) -> None:
        self._given.pop(key, None)
        self._onFenced(key)

    def _lost(self, holder: NodeLease) -> None:
        log.critical(
            "node {node}: host {host}, process {pid} says that it is this node, too",
            node=holder.nodeID,
            host=holder.host,
            pid=holder.pid,
        )

    async def begin(self) -> None:
        """
        Become this node in the store, too, and start.

        @raise siprec.store.interfaces.LeaseHeld: another live process is this
            node.  A store that is away is no reason not to start.
        """
        try:
            await self.heartbeat.acquire()
        except LeaseHeld:
            await self.store.close()
            raise
        self.startService()

    def startService(self) -> None:
        """
        Start without asking first whether another process is this node; the
        first beat finds out, and says so in the log.
        """
        super().startService()
        if self.recordings is not None:
            self.recordings.startService()
        for part in (self.keeper, self.heartbeat, self.cleaning, self.liveness):
            part.startService()
        self._again.start(now=False)

    def save(self, key: str, snapshot: CallSnapshot) -> Deferred[None]:
        """
        Keep a call's snapshot, in place of the one before; for programs that
        have no recordings here.

        @return: see L{SnapshotKeeper.save}.  It never fails.
        """
        self._given[key] = snapshot
        return self.keeper.save(key, snapshot)

    def delete(self, key: str) -> Deferred[None]:
        """
        Forget a call that was given to L{save}.

        @return: see L{SnapshotKeeper.delete}.  It never fails.
        """
        self._given.pop(key, None)
        return self.keeper.delete(key)

    def saveAgain(self) -> None:
        """
        Save every call anew, unless that is under way.
        """
        if self._saving:
            return
        self._saving = True

        def saved(result: object) -> None:
            self._saving = False
            if isinstance(result, Failure):
                log.failure("calls were not saved again", result)

        self._saveAll().addBoth(saved)

    async def mine(self) -> list[CallSnapshot]:
        """
        @return: the calls that this node had when its process ended, as far as
            the store can say.
        """
        try:
            keys = await self.snapshots.list()
        except StoreError as error:
            log.error("calls of before are not taken up: {why}", why=str(error))
            return []
        found = []
        for key in keys:
            try:
                found.append(await self.snapshots.load(key))
            except SessionNotFound:
                continue
            except StoreError as error:
                # One record that cannot be read must not keep back the others.
                log.error("{recording}: not taken up: {why}", recording=key, why=str(error))
        return found

    def nodes(self) -> Deferred[list[NodeLease]]:
        """
        @return: fires with the lease of each live node; with our own alone
            while the store is away.
        """

        def away(failure: Failure) -> list[NodeLease]:
            failure.trap(StoreError)
            return [self._lease()]

        return self.store.nodes().addErrback(away)

    def stopService(self) -> Deferred[None]:
        """
        Write what is left, give the lease back, and close the store.  Whoever
        owns the dialogs of the recordings has ended them before.

        @return: fires when all of it has been tried.
        """
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self._again.stop()
        if self.recordings is not None:
            # First: what waits for room on the disk gives up now, and its
            # snapshot can still be deleted.
            await self.recordings.stopService()
        parts = (self.liveness, self.cleaning, self.keeper, self.heartbeat)
        await DeferredList([part.stopService() for part in parts], consumeErrors=True)
        try:
            await self.store.close()
        except StoreError as error:
            log.info("store: {why}", why=str(error))

    def notes(self) -> list[str]:
        """
        @return: what an operator should know of the store, though calls are
            taken all the same.
        """
        if not self.keeper.away:
            return []
        return [f"the store is away: {self.keeper.waiting} writes wait for it"]
