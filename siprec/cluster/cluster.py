"""
A node's part in its cluster: everything that has to do with the others.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.logger import Logger

from siprec.cluster.addresses import Addresses
from siprec.cluster.belief import Belief
from siprec.cluster.continuing import Continuation
from siprec.cluster.drain import DRAINING, Drain
from siprec.cluster.gate import Gate
from siprec.cluster.handover import Giver, Taker
from siprec.cluster.isolation import Isolation
from siprec.cluster.leftovers import Leftovers
from siprec.cluster.links import LEASE_KEY, ClusterLinks
from siprec.cluster.membership import Listeners, Member, Membership
from siprec.cluster.places import Places
from siprec.cluster.relay import Relay
from siprec.cluster.takeover import Takeover
from siprec.cluster.wakefulness import Wakefulness
from siprec.cluster.witnesses import Witnesses
from siprec.config import Settings
from siprec.ids import NodeID
from siprec.recorder import Recorder
from siprec.session.interfaces import IWorkers
from siprec.session.model import NodeLease, SessionData
from siprec.session.recordings import Recordings
from siprec.session.recovery import Recovery
from siprec.session.running import RunningRecordings
from siprec.session.service import SessionService
from siprec.sip.interfaces import IServerTransaction
from siprec.sip.layer import SipLayer
from siprec.sip.message import Request
from siprec.sip.transport import TransportService
from siprec.store.interfaces import SessionNotFound, StoreError

__all__ = ["Cluster"]

log = Logger()

#: Kinds of messages between nodes: a process ends; it wants its addresses back.
LEAVING, ARRIVING = "cluster.leaving", "cluster.arriving"

# Beats of the heart for which a lease holds.
_BEATS = 3

# A first INVITE is repeated for 64*T1 (RFC 3261 section 17.1.1.2): so long after
# a node has died one of its calls may still knock at another's door.
_KNOCKS = 32.0

# How often, and how many seconds apart, a node that woke up asks the store what
# is still its own.
_ASKS, _BETWEEN = 6, 0.5

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
    leftovers: Leftovers = field(init=False)
    isolation: Isolation = field(init=False)
    witnesses: Witnesses = field(init=False)
    belief: Belief = field(init=False)
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
        self.takeover = Takeover(store, clock, node, self._takeUp, self._loads, self._mayTake)
        self.addresses = Addresses(self._transport, self._places, clock)
        self.relay = Relay(self.gate, store, self.links, clock, node, self, self._transport.ours)
        self.giver = Giver(
            node,
            store,
            state.adapter,
            self.links,
            self._recordings,
            self._recorder,
            clock,
            byAddress=settings.cluster.mediaTakeover[0] == "address",
        )
        self.taker = Taker(
            node,
            store,
            state.adapter,
            self.links,
            self.continuation,
            self._recordings,
            self._recorder,
            self._mayTake,
        )
        self.drain = Drain(
            self._recorder, self.giver, clock, lambda: self.membership.living.values()
        )
        self.leftovers = Leftovers(
            store,
            self._running,
            self._workers,
            clock,
            node,
            self.isDead,
            lambda orphans: Deferred.fromCoroutine(self._recovery.run(orphans)),
        )
        self.belief = Belief(clock, lambda: state.heartbeat.lastBeat, beat, 2 * _BEATS * beat)
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
        parts: tuple[Any, ...] = (
            *(self.wakefulness, self.takeover, self.addresses),
            *(self.membership, self.leftovers),
        )
        for part in parts:
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
        parts: tuple[Any, ...] = (
            *(self.leftovers, self.membership, self.takeover),
            *(self.addresses, self.wakefulness),
        )
        await DeferredList([part.stopService() for part in parts], consumeErrors=True)
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

    # What membership tells.

    def _joined(self, lease: NodeLease) -> None:
        self.counters["joined"] += 1
        self.addresses.giveBack(lease.nodeID)

    def _suspected(self, lease: NodeLease) -> None:
        self.counters["suspected"] += 1

    def _died(self, member: Member) -> None:
        lease = member.lease
        self.counters["died"] += 1
        self._unsettle()
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
        self._state.adapter.learn(record)
        lease = None
        if record.snapshot is not None:
            lease = self.membership.leaseOf(record.snapshot.recording.segments[-1].node)
        return Deferred.fromCoroutine(self.continuation.takeOver(record, lease))

    def _loads(self) -> tuple[int, list[int]]:
        others = [each.sessions for each in self.membership.living.values()]
        return len(self._recordings.recordings), others

    def _mayTake(self) -> bool:
        return not self._recordings.draining and self.wakefulness.awake

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
        return self.takeover.beingTakenUp(key) or self.giver.beingGiven(key)

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

    def isUncertain(self, request: Request) -> bool:
        """
        @return: whether a dialog that is not here, nor in the store, may be
            somewhere all the same.
        """
        return self.relay.isUncertain(request) or not self.belief.isDue()

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
        return Deferred.fromCoroutine(self._verify())

    async def _verify(self) -> None:
        for _ in range(_ASKS):
            try:
                owned = set(await self._state.store.list(self._settings.node.id))
                break
            except StoreError as error:
                log.info("calls not compared yet: {why}", why=str(error))
                await deferLater(self._reactor, _BETWEEN)
        else:
            return  # nobody can have claimed anything either, as far as can be known
        for call in list(self._recorder.calls.values()):
            if call.live is not None and call.live.recording.id not in owned:
                await self._compare(call.live.recording.id)

    async def _compare(self, key: str) -> None:
        try:
            record = await self._state.store.get(key)
        except SessionNotFound:
            # Not written yet, lost by the store, or ended by who had taken it:
            # the write finds out.
            call = self._recorder.callOf(key)
            if call is not None:
                await call.save()
        except StoreError as error:
            log.info("{recording}: not compared: {why}", recording=key, why=str(error))
        else:
            if record.nodeID != self._settings.node.id:
                self.fenced(key)

    def fenced(self, key: str) -> None:
        """
        Another node has a call: let go of it without a word.
        """
        if key in self._recordings.recordings:
            # Each write that is under way finds it out again.
            self.counters["fenced"] += 1
        self._state.adapter.forget(key)
        self._recorder.letGo(key)


def newKey() -> bytes:
    """
    @return: what this life of the process proves itself with.
    """
    return secrets.token_bytes(32)


def readSecret(path: str) -> bytes | None:
    """
    @return: the cluster's secret; C{None} if there is none.
    @raise OSError: it cannot be read.
    @raise ValueError: it is too short to be one.
    """
    if not path:
        return None
    with open(os.path.expanduser(path), "rb") as file:
        secret = file.read().strip()
    if len(secret) < 16:
        raise ValueError(f"cluster.secret_file = {path!r}: expected at least 16 octets")
    return secret
