"""
A node's part in its cluster: everything that has to do with the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.logger import Logger

from siprec.cluster.addresses import Addresses
from siprec.cluster.belief import Belief
from siprec.cluster.coming import Coming
from siprec.cluster.continuing import Continuation
from siprec.cluster.drain import DRAINING, Drain, Emptying
from siprec.cluster.fencing import Fencing
from siprec.cluster.gate import Gate
from siprec.cluster.greetings import ARRIVING, LEAVING, Greetings
from siprec.cluster.handover import Giver
from siprec.cluster.isolation import Isolation
from siprec.cluster.knowledge import Knowledge
from siprec.cluster.leftovers import Leftovers
from siprec.cluster.links import LEASE_KEY, ClusterLinks
from siprec.cluster.membership import Listeners, Membership
from siprec.cluster.news import News
from siprec.cluster.ownership import Ownership
from siprec.cluster.places import Places
from siprec.cluster.relay import Relay
from siprec.cluster.segments import Segments
from siprec.cluster.takeover import Takeover
from siprec.cluster.taking import Taker
from siprec.cluster.wakefulness import Wakefulness
from siprec.cluster.witnesses import Witnesses
from siprec.config import Settings
from siprec.ids import NodeID, isOurTag
from siprec.recorder import Recorder
from siprec.session.interfaces import IRenderer, IWorkers
from siprec.session.recordings import Recordings
from siprec.session.recovery import Recovery
from siprec.session.running import Orphan, RunningRecordings
from siprec.session.service import SessionService
from siprec.sip.interfaces import IServerTransaction
from siprec.sip.layer import SipLayer
from siprec.sip.message import Request
from siprec.sip.transport import TransportService

__all__ = ["ARRIVING", "LEAVING", "Cluster"]

log = Logger()

# Beats of the heart for which a lease holds.
_BEATS = 3


@define(eq=False, repr=False, slots=False)
class Cluster(Service):
    """
    Puts the parts together and tells each what the others have found out.

    @ivar counters: what happened, by name, for the metrics.
    """

    _settings: Settings
    _reactor: Any
    _state: SessionService
    _recordings: Recordings
    _recorder: Recorder
    _layer: SipLayer
    _transport: TransportService
    _running: RunningRecordings
    _workers: IWorkers
    _renderer: IRenderer
    _recovery: Recovery
    continuation: Continuation
    _places: Places
    _now: Callable[[], float]
    links: ClusterLinks
    wakefulness: Wakefulness
    gate: Gate
    counters: Counter[str] = field(factory=Counter, init=False)
    membership: Membership = field(init=False)
    coming: Coming = field(init=False)
    takeover: Takeover = field(init=False)
    addresses: Addresses = field(init=False)
    giver: Giver = field(init=False)
    taker: Taker = field(init=False)
    knowledge: Knowledge = field(init=False)
    greetings: Greetings = field(init=False)
    relay: Relay = field(init=False)
    drain: Drain = field(init=False)
    emptying: Emptying = field(init=False)
    leftovers: Leftovers = field(init=False)
    fencing: Fencing = field(init=False)
    ownership: Ownership = field(init=False)
    news: News = field(init=False)
    segments: Segments = field(init=False)
    isolation: Isolation = field(init=False)
    witnesses: Witnesses = field(init=False)
    belief: Belief = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._makeSight()
        self._makeTakers()
        self._makeKnowledge()
        self._makeDrain()
        self._makeDiskParts()
        self.news = News(
            self.counters,
            self.addresses,
            self.segments,
            self.giver,
            self.takeover,
            self.knowledge,
            self.witnesses,
            lambda: bool(self.running),
        )

    def _makeSight(self) -> None:
        # Who else is there, and is this node there for them?
        settings, clock, state = self._settings, self._reactor, self._state
        node, beat = settings.node.id, settings.session.heartbeatInterval
        living, leaseOf = self._living, lambda other: self.greetings.leaseOf(other)
        self.witnesses = Witnesses(self.links, node, living, leaseOf, clock)
        self.membership = Membership(
            state.store,
            clock,
            node,
            Listeners(
                lambda lease: self.news.joined(lease),
                lambda lease: self.news.suspected(lease),
                lambda member: self.news.died(member),
                lambda orphan: self.news.orphaned(orphan),
            ),
            self.witnesses,
            interval=beat,
            confirm=settings.cluster.confirmTime,
            grace=2 * _BEATS * beat,
        )
        self.addresses = Addresses(self._transport, self._places, clock)
        self.belief = Belief(clock, lambda: state.heartbeat.lastBeat, beat, 2 * _BEATS * beat)
        self.isolation = Isolation(
            clock,
            lambda: state.heartbeat.lastBeat,
            lambda: self.links.lastHeard,
            lambda: bool(self.membership.living),
            _BEATS * beat,
        )

    def _makeTakers(self) -> None:
        # Calls that come from other nodes, or go to them.
        node, clock, state = self._settings.node.id, self._reactor, self._state
        self.coming = coming = Coming(
            state.adapter,
            self._recordings,
            self.continuation,
            self.membership,
            self.wakefulness,
            lambda key: key in self.giver.underWay,
            lambda key: self.taker.beingTaken(key) is not None,
            lambda: bool(self.running),
            lambda: self.emptying.begin(),
        )
        self.takeover = Takeover(
            state.store,
            clock,
            node,
            coming.takeUp,
            coming.loads,
            coming.mayTakeOver,
            known=lambda key: self.knowledge.knows(key),
            rush=self.continuation.rush,
        )
        self.giver = Giver(
            node,
            state.store,
            state.adapter,
            self.links,
            self._recordings,
            self._recorder,
            clock,
            isDead=lambda other: self.knowledge.isDead(other),
            isComing=coming.has,
            ways=self._settings.cluster.mediaTakeover,
            onClosed=lambda key, folder: self.segments.segmentClosed(key, folder),
        )
        self.taker = Taker(
            node,
            state.store,
            state.adapter,
            self.links,
            self.continuation,
            self._recordings,
            self._recorder,
            clock,
            coming.mayTake,
            coming.takeUp,
        )

    def _makeKnowledge(self) -> None:
        # Where a call is, and who must know that.
        clock, store, node = self._reactor, self._state.store, self._settings.node.id
        self.knowledge = Knowledge(
            clock,
            self._layer,
            self._recorder,
            self._recordings,
            self.membership,
            self.addresses,
            self.takeover,
            self.giver,
            self.taker,
            self.belief,
            lambda: bool(self.running),
        )
        self.relay = Relay(
            self.gate,
            store,
            self.links,
            clock,
            node,
            self.knowledge,
            self._transport.ours,
            wakefulness=self.wakefulness,
        )
        self.greetings = Greetings(
            node, store, self.links, self.membership, self.addresses, self.knowledge.unsettle
        )
        self.fencing = Fencing(
            self.counters, self.giver, self._recordings, self._recorder, self._state.adapter
        )
        self.ownership = Ownership(node, store, self._recorder, clock, self.fencing.fenced)

    def _makeDrain(self) -> None:
        self.drain = Drain(
            self._recorder,
            self.giver,
            self._reactor,
            lambda: self.membership.living.values(),
            lambda: bool(self.coming.keys),
        )
        self.emptying = Emptying(self.drain, self._recorder, self._reactor)

    def _makeDiskParts(self) -> None:
        # What the disks of several nodes have of a recording.
        clock, store, node = self._reactor, self._state.store, self._settings.node.id
        self.segments = Segments(
            links=self.links,
            members=self._living,
            node=node,
            root=self._settings.recordings.directory,
            running=self._running,
            recordings=self._recordings,
            workers=self._workers,
            renderer=self._renderer,
            store=store,
            clock=clock,
            now=self._now,
            recover=self._recover,
        )
        self._recordings.onFinished = self.segments.recordingFinished
        self._recovery.onFinished = self.segments.recordingFinished
        isDead, recover = self.knowledge.isDead, self._recover
        self.leftovers = Leftovers(
            store, self._running, self._workers, clock, node, isDead, recover
        )

    # The service.

    @property
    def _parts(self) -> tuple[Any, ...]:
        first = (self.wakefulness, self.takeover, self.addresses)
        return (*first, self.membership, self.leftovers, self.segments)

    def open(self) -> None:
        """
        Listen for other nodes, before they read in our lease where.

        @raise siprec.cluster.errors.CannotListen: that cannot be.
        """
        self.links.startService()

    def startService(self) -> None:
        """
        Look at the others; L{open} comes first.
        """
        super().startService()
        for part in self._parts:
            part.startService()
        self.isolation.startService()

    async def arrive(self) -> None:
        """
        Have the addresses of this node back, in case others listen there
        since its last process died.
        """
        await self.greetings.arrive()

    async def leave(self) -> None:
        """
        Take nothing more over, and say good-bye.
        """
        if not self.running:
            return
        super().stopService()
        self.relay.stop()
        self.taker.stop()
        self.emptying.stop()
        stopping = [part.stopService() for part in reversed(self._parts)]
        await DeferredList(stopping, consumeErrors=True)
        await self.giver.left()
        await self.greetings.leave()

    def close(self) -> Deferred[None]:
        """
        @return: fires when the connections to other nodes are closed.
        """
        self.isolation.stopService()
        return self.links.stopService()

    def leaseData(self) -> dict[str, Any]:
        """
        @return: what other nodes read of this one in its lease.
        """
        data: dict[str, Any] = {LEASE_KEY: self.links.leaseData()} if self.links.running else {}
        if self._recordings.draining:
            data[DRAINING] = True
        return data

    async def giveAway(self, until: float) -> None:
        """
        Have the others take all calls of this node.

        @param until: when to stop trying, by the clock.
        """
        await self.drain.run(until)
        # What they do not have of it yet lies on this node's disk, once it is closed.
        left = self.giver.left()
        with suppress(TimeoutError):
            await left.addTimeout(max(until - self._reactor.seconds(), 0.0), self._reactor)
        await self.segments.offered(until)

    async def ours(self, orphans: list[Orphan]) -> list[Orphan]:
        """
        @param orphans: what an earlier life of this node left on the disk.
        @return: those that no other node goes on with or waits for.
        """
        await self.membership.lookNow()
        wanted = await self.segments.wanted(orphans)
        return await self.leftovers.ours([each for each in orphans if each.id not in wanted])

    def _living(self) -> list[NodeID]:
        return list(self.membership.living)

    def _recover(self, orphans: list[Orphan]) -> Deferred[None]:
        return Deferred.fromCoroutine(self._recovery.run(orphans)).addErrback(
            lambda failure: log.failure("recovery failed", failure)
        )

    # What the SIP side needs.

    def isUncertain(self, request: Request) -> bool:
        """
        @return: whether a dialog that is not here, nor in the store, may be
            somewhere all the same.
        """
        unknown = isOurTag(request.toTag or "") and not self.knowledge.isSure()
        return unknown or self.relay.isUncertain(request)

    def passOn(self, transaction: IServerTransaction) -> None:
        """
        A request that this node was about to answer is for another node.
        """
        self._layer.forget(transaction.received)
        self.relay.messageReceived(transaction.received, transaction.flow)

    def moves(self) -> dict[str, int]:
        """
        @return: how often media was moved by a re-INVITE, or the peer refused.
        """
        moves = self._recorder.moves
        return {name: moves[name] for name in ("moved", "refused")}

    def verify(self) -> Deferred[None]:
        """
        Compare the calls of this node with the store, and let go of those that
        are another node's now.
        """
        return Deferred.fromCoroutine(self.ownership.verify())

    def fenced(self, key: str) -> None:
        """
        Another node owns a call; see L{Fencing.fenced}.
        """
        self.fencing.fenced(key)
