"""
A node's part in its cluster: everything that has to do with the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.logger import Logger

from siprec.cluster.addresses import Addresses
from siprec.cluster.continuing import Continuation
from siprec.cluster.drain import DRAINING, Drain, Emptying, takers
from siprec.cluster.gate import Gate
from siprec.cluster.handover import Giver
from siprec.cluster.isolation import Isolation
from siprec.cluster.leftovers import Leftovers
from siprec.cluster.links import LEASE_KEY, ClusterLinks
from siprec.cluster.membership import Listeners, Member, Membership
from siprec.cluster.ownership import Ownership
from siprec.cluster.places import Places
from siprec.cluster.relay import Relay
from siprec.cluster.segments import Segments
from siprec.cluster.takeover import Takeover
from siprec.cluster.taking import Taker
from siprec.cluster.wakefulness import Wakefulness
from siprec.cluster.witnesses import Witnesses
from siprec.config import Settings
from siprec.ids import NodeID
from siprec.recorder import Recorder
from siprec.session.interfaces import IRenderer, IWorkers
from siprec.session.model import NodeLease, SessionData
from siprec.session.recordings import Recordings
from siprec.session.recovery import Recovery
from siprec.session.running import Orphan, RunningRecordings
from siprec.session.service import SessionService
from siprec.sip.interfaces import IServerTransaction
from siprec.sip.layer import SipLayer
from siprec.sip.message import Request
from siprec.sip.transport import TransportService
from siprec.store.interfaces import StoreError

__all__ = ["Cluster"]

log = Logger()

#: Kinds of messages between nodes: a process ends; it wants its addresses back.
LEAVING, ARRIVING = "cluster.leaving", "cluster.arriving"

# Beats of the heart for which a lease holds.
_BEATS = 3

# A first INVITE is repeated for 64*T1 (RFC 3261 section 17.1.1.2): so long after
# a node has died one of its calls may still knock at another's door.
_KNOCKS = 32.0

# Seconds that others have to give addresses back.
_PATIENCE = 2.0


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
    takeover: Takeover = field(init=False)
    addresses: Addresses = field(init=False)
    relay: Relay = field(init=False)
    giver: Giver = field(init=False)
    taker: Taker = field(init=False)
    drain: Drain = field(init=False)
    emptying: Emptying = field(init=False)
    leftovers: Leftovers = field(init=False)
    ownership: Ownership = field(init=False)
    _coming: set[str] = field(factory=set, init=False)
    segments: Segments = field(init=False)
    isolation: Isolation = field(init=False)
    witnesses: Witnesses = field(init=False)
    _met: dict[NodeID, NodeLease] = field(factory=dict, init=False)
    _unsettledUntil: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        settings, clock, state = self._settings, self._reactor, self._state
        node, store = settings.node.id, state.store
        beat = settings.session.heartbeatInterval
        self.witnesses = Witnesses(
            self.links, node, lambda: list(self.membership.living), self.leaseOf
        )
        self.membership = Membership(
            store,
            clock,
            node,
            Listeners(self._joined, self._suspected, self._died, self._orphaned),
            self.witnesses,
            interval=beat,
            confirm=settings.cluster.confirmTime,
            grace=2 * _BEATS * beat,
        )
        self.takeover = Takeover(
            store, clock, node, self._takeUp, self._loads, self._mayTakeOver, known=self._knows
        )
        self.addresses = Addresses(self._transport, self._places, clock)
        self.relay = Relay(
            self.gate,
            store,
            self.links,
            clock,
            node,
            self,
            self._transport.ours,
            wakefulness=self.wakefulness,
        )
        self.giver = Giver(
            node,
            store,
            state.adapter,
            self.links,
            self._recordings,
            self._recorder,
            clock,
            isDead=self.isDead,
            isComing=self._isComing,
            ways=settings.cluster.mediaTakeover,
            onClosed=lambda key, folder: self.segments.segmentClosed(key, folder),
        )
        self.taker = Taker(
            node,
            store,
            state.adapter,
            self.links,
            self.continuation,
            self._recordings,
            self._recorder,
            clock,
            self._mayTake,
            self._takeUp,
        )
        self.drain = Drain(
            self._recorder,
            self.giver,
            clock,
            lambda: self.membership.living.values(),
            lambda: bool(self._coming),
        )
        self.emptying = Emptying(self.drain, self._recorder, clock)
        self.ownership = Ownership(node, store, self._recorder, clock, self.fenced)
        self.segments = Segments(
            links=self.links,
            members=lambda: list(self.membership.living),
            node=node,
            root=settings.recordings.directory,
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
        self.leftovers = Leftovers(
            store, self._running, self._workers, clock, node, self.isDead, self._recover
        )
        self.isolation = Isolation(
            clock,
            lambda: state.heartbeat.lastBeat,
            lambda: self.links.lastHeard,
            lambda: bool(self.membership.living),
            _BEATS * beat,
        )
        self.links.handle(LEAVING, self._peerLeaves)
        self.links.handle(ARRIVING, self._peerArrives)

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
        try:
            leases = await self._state.store.nodes()
            owners = await self._state.store.owners()
        except StoreError as error:
            log.info("addresses not asked back: {why}", why=str(error))
            return
        self._met = {each.nodeID: each for each in leases}
        if owners.keys() - self._met.keys():
            self._unsettle()
        self._met.pop(self._settings.node.id, None)
        asked = [self.links.request(node, ARRIVING, None, _PATIENCE) for node in self._met]
        for success, result in await DeferredList(asked, consumeErrors=True):
            if not success:
                log.info("addresses not asked back: {why}", why=result.getErrorMessage())

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
        living = list(self.membership.living)
        telling = [self.links.request(node, LEAVING, None, _PATIENCE) for node in living]
        await DeferredList(telling, consumeErrors=True)

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

    def leaseOf(self, node: NodeID) -> NodeLease | None:
        """
        @return: the last lease that was seen of a node.
        """
        return self.membership.leaseOf(node) or self._met.get(node)

    async def giveAway(self, until: float) -> None:
        """
        Have the others take all calls of this node.

        @param until: when to stop trying, by the clock.
        """
        await self.drain.run(until)
        # What they do not have of it yet lies on this node's disk.
        await self.segments.offered(until)

    async def ours(self, orphans: list[Orphan]) -> list[Orphan]:
        """
        @param orphans: what an earlier life of this node left on the disk.
        @return: those that no other node goes on with or waits for.
        """
        await self.membership.lookNow()
        wanted = await self.segments.wanted(orphans)
        return await self.leftovers.ours([each for each in orphans if each.id not in wanted])

    def _recover(self, orphans: list[Orphan]) -> Deferred[None]:
        return Deferred.fromCoroutine(self._recovery.run(orphans)).addErrback(
            lambda failure: log.failure("recovery failed", failure)
        )

    # What membership tells.

    def _joined(self, lease: NodeLease) -> None:
        self.counters["joined"] += 1
        self.addresses.giveBack(lease.nodeID, lease)
        self.segments.nodeJoined(lease.nodeID)

    def _suspected(self, lease: NodeLease) -> None:
        self.counters["suspected"] += 1

    def _died(self, member: Member) -> None:
        lease = member.lease
        self.counters["died"] += 1
        self._unsettle()
        self.giver.nodeDied(lease.nodeID)
        self.takeover.nodeDied(lease.nodeID, lease.instance if member.certain else "")
        self.addresses.take(lease)

    def _orphaned(self, node: NodeID) -> None:
        Deferred.fromCoroutine(self._adopt(node)).addErrback(
            lambda failure: log.failure("{node}: calls not taken over", failure, node=node)
        )

    async def _adopt(self, node: NodeID) -> None:
        """
        Take over calls of a node that this one has never seen alive: it may have
        lost the store before this one began.
        """
        if await self.witnesses.haveSeen(node):
            log.info("{node}: has no lease, but others know that it lives", node=node)
        elif self.running:
            self._unsettle()
            self.takeover.nodeDied(node)

    def _unsettle(self) -> None:
        self._unsettledUntil = self._reactor.seconds() + _KNOCKS

    def _peerLeaves(self, peer: Any, body: Any) -> None:
        lease = self.leaseOf(peer.nodeID)
        self.membership.left(peer.nodeID, peer.instance)
        if lease is not None:
            # Peers of calls that it gave away may still send there.
            self.addresses.take(lease)

    def _peerArrives(self, peer: Any, body: Any) -> Deferred[None]:
        return self.addresses.giveBack(peer.nodeID)

    # What the take-over needs.

    def _takeUp(self, record: SessionData) -> Deferred[None]:
        key = record.sessionID
        if key in self.giver.underWay:
            # Who was to take it has died.  It goes on here as if nothing had been.
            return succeed(None)
        self._state.adapter.learn(record)
        lease = None
        if record.snapshot is not None:
            lease = self.membership.leaseOf(record.snapshot.recording.segments[-1].node)
        self._coming.add(key)

        def taken(result: object) -> object:
            self._coming.discard(key)
            if self._recordings.draining and self.running:
                self.emptying.begin()
            return result

        taking = Deferred.fromCoroutine(self.continuation.takeOver(record, lease))
        return taking.addBoth(taken)

    def _isComing(self, key: str) -> bool:
        return key in self._coming or self.taker.beingTaken(key) is not None

    def _loads(self) -> tuple[int, list[int]]:
        others = [each.sessions for each in self.membership.living.values()]
        return len(self._recordings.recordings), others

    def _knows(self, key: str) -> bool:
        return (
            key in self._recordings.recordings
            or self.takeover.beingTakenUp(key) is not None
            or key in self.giver.underWay
            or key in self.taker.underWay
        )

    def _mayTake(self) -> bool:
        return not self._recordings.draining and self.wakefulness.awake

    def _mayTakeOver(self) -> bool:
        """
        A node that drains leaves the calls of a dead one to the others; where
        there is none, it is all that these calls have.
        """
        if self._recordings.draining and takers(self.membership.living.values()):
            return False
        return self.wakefulness.awake

    # What the relay needs; see L{siprec.cluster.relay.Owners}.

    def has(self, request: Request) -> bool:
        """
        See L{Owners.has}.
        """
        return self._layer.has(request) or self._recorder.has(request)

    def unsettled(self) -> bool:
        """
        See L{Owners.unsettled}.
        """
        return self._reactor.seconds() < self._unsettledUntil or bool(self.addresses.held)

    def beingTakenUp(self, key: str) -> Deferred[None] | None:
        """
        See L{Owners.beingTakenUp}.
        """
        for part in (self.takeover.beingTakenUp, self.giver.beingGiven, self.taker.beingTaken):
            waiting = part(key)
            if waiting is not None:
                return waiting
        return None

    def isDead(self, node: NodeID) -> bool:
        """
        See L{Owners.isDead}.
        """
        return bool(self.running) and self.membership.isDead(node)

    def claim(self, record: SessionData) -> Deferred[None]:
        """
        See L{Owners.claim}.
        """
        return self.takeover.claim(record)

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

    # What wakefulness needs.

    def verify(self) -> Deferred[None]:
        """
        Compare the calls of this node with the store, and let go of those that
        are another node's now.
        """
        return Deferred.fromCoroutine(self.ownership.verify())

    def fenced(self, key: str) -> None:
        """
        Another node owns a call: let go of it without a word, unless it was to
        take it and turns out not to have it.
        """
        asking = self.giver.isAnothers(key).addCallback(self._isAnothers, key)
        asking.addErrback(lambda failure: log.failure("{key}: not let go", failure, key=key))

    def _isAnothers(self, really: bool, key: str) -> None:
        if really:
            if key in self._recordings.recordings:
                # Each write that is under way finds it out again.
                self.counters["fenced"] += 1
            self._state.adapter.forget(key)
            self._recorder.letGo(key)
