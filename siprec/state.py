"""
What a node has in its store: its lease, its calls' snapshots, and what keeps
them in order.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec import __version__
from siprec.config import Settings
from siprec.session.cleaning import CleaningService
from siprec.session.heartbeat import HeartbeatService
from siprec.session.keeper import SnapshotKeeper
from siprec.session.liveness import LivenessService, Signs
from siprec.session.model import CallSnapshot, NodeLease
from siprec.session.processes import thisProcess
from siprec.store.interfaces import (
    ISessionStore,
    ISnapshotStore,
    LeaseHeld,
    SessionNotFound,
    StoreError,
)

log = Logger()

#: Seconds after which every call is saved again: well within the time to live
#: of a record, which is a day.
_SAVE_AGAIN = 6 * 3600.0


@define(eq=False, repr=False)
class Callbacks:
    """
    What the rest of the node is to this part of it.

    @ivar addresses: gives where peers reach the node.
    @ivar signs: gives the signs of life of every call.
    @ivar saveAll: saves every call anew.
    @ivar fenced: called with a call's key once another node has that call.
    @ivar dead: called with the key of a call that has given no sign of life for
        C{session.timeout}.
    """

    addresses: Callable[[], tuple[str, ...]]
    signs: Callable[[], Iterable[Signs]]
    saveAll: Callable[[], Deferred[None]]
    fenced: Callable[[str], None]
    dead: Callable[[str], None]


@define(eq=False, repr=False, slots=False)
class State(Service):
    """
    @ivar store: the rich store; the session service writes by C{keeper} alone.
    @ivar snapshots: the same store as the SIP side sees it.
    """

    store: ISessionStore
    keeper: SnapshotKeeper
    heartbeat: HeartbeatService
    cleaning: CleaningService
    liveness: LivenessService
    _lease: Callable[[], NodeLease]
    _clock: IReactorTime
    _saveAll: Callable[[], Deferred[None]]
    snapshots: ISnapshotStore = field(init=False)
    _again: LoopingCall | None = field(default=None, init=False)
    _saving: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.snapshots = ISnapshotStore(self.store)

    async def begin(self) -> None:
        """
        Become this node in the store, too.

        @raise siprec.store.interfaces.LeaseHeld: another live process is this
            node.  A store that is away is no reason not to start.
        """
        try:
            await self.heartbeat.acquire()
        except LeaseHeld:
            await self.store.close()
            raise
        self.startService()
        for part in (self.keeper, self.heartbeat, self.cleaning, self.liveness):
            part.startService()
        self._again = LoopingCall(self.saveAgain)
        self._again.clock = self._clock
        self._again.start(_SAVE_AGAIN, now=False)

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
        Write what is left, give the lease back, and close the store.

        @return: fires when all of it has been tried.
        """
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._again is not None:
            self._again.stop()
        self.liveness.stopService()
        self.cleaning.stopService()
        stopping = [self.keeper.stopService(), self.heartbeat.stopService()]
        await DeferredList(stopping, consumeErrors=True)
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


def makeState(
    reactor: Any,
    settings: Settings,
    store: ISessionStore,
    now: Callable[[], float],
    rest: Callbacks,
) -> State:
    """
    @param store: see L{siprec.store.opening.openStore}.
    @param now: gives seconds since the Unix epoch.
    """
    instance = uuid.uuid4().hex
    process = thisProcess()

    def lease() -> NodeLease:
        signs = list(rest.signs())
        return NodeLease(
            nodeID=settings.node.id,
            instance=instance,
            host=os.uname().nodename,
            pid=os.getpid(),
            addresses=rest.addresses(),
            sessions=len(signs),
            version=__version__,
            data=process,
        )

    def lost(holder: NodeLease) -> None:
        log.critical(
            "node {node}: host {host}, process {pid} says that it is this node, too",
            node=holder.nodeID,
            host=holder.host,
            pid=holder.pid,
        )

    session = settings.session
    state = State(
        store=store,
        keeper=SnapshotKeeper(
            ISnapshotStore(store), reactor, rest.fenced, patience=max(store.timeout, 0.1)
        ),
        heartbeat=HeartbeatService(
            store,
            reactor,
            lease,
            session.heartbeatInterval,
            onLost=lost,
            onBack=lambda: state.saveAgain(),
        ),
        lease=lease,
        clock=reactor,
        saveAll=rest.saveAll,
        cleaning=CleaningService(store, reactor, session.cleanupInterval),
        liveness=LivenessService(rest.signs, reactor, now, session.timeout, onDead=rest.dead),
    )
    return state
