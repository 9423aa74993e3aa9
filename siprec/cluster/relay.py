"""
Requests in dialogs that another node has: they are passed on to it, and its
responses come back the same way.

The relay keeps no transactions: each copy of a request is passed on, and the
owner's transaction layer treats it as its own, with the addresses that it really
came by.  The connection between the nodes carries what a Via would (RFC 3261
section 16.11), so that a copy that reaches the owner itself is known as one.

What has come from a node is never passed on again: a node that does not have the
dialog says so, and the one that asked looks where it is now.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from siprec.cluster.asking import Asking
from siprec.cluster.interfaces import IClusterLinks, Owners
from siprec.cluster.passing import packed, packedFlow, unpackedRequest, unpackedResponse
from siprec.cluster.wakefulness import Wakefulness
from siprec.cluster.whereabouts import DialogID, Place, Whereabouts, dialogOf, namesDialog
from siprec.ids import NodeID
from siprec.sip.errors import BadMessage, SipError
from siprec.sip.flow import Flow
from siprec.sip.headers import Via
from siprec.sip.interfaces import FlowGone, IMessageReceiver, ISipTransport
from siprec.sip.message import Request, Response
from siprec.store.interfaces import ISessionStore, StoreError

__all__ = ["IN", "OUT", "Relay"]

log = Logger()

#: Kinds of messages between nodes: a request for a dialog of the other node,
#: answered with whether it is that; what is to be sent for it.
IN, OUT = "sip.in", "sip.out"

# How many dialogs may be looked up at once: a flood of invented ones must not
# become one of the store.
_MOST_LOOKUPS = 200

# How many dialogs may have requests that wait, for an answer or for a take-over,
# and how many each.
_MOST_QUEUES, _MOST_QUEUED = 2000, 16

# How often it is looked where a dialog is, for one request, and how many seconds
# are left to a node that does not answer, to come back or to be found dead.
_LOOKS, _PAUSE = 3, 1.0


@implementer(IMessageReceiver, ISipTransport)
@define(eq=False, repr=False)
class Relay:
    """
    Stands between the transport and the transaction layer.  Requests of one
    dialog stay in the order in which they came.

    @ivar receiver: the layer; set once it is there.
    @ivar counters: requests C{relayed} to other nodes and C{received} from them,
        C{refused} of those as their dialogs are not here, C{found} by asking every
        node, C{unanswered} as nobody knew of them, C{overflow}: too many at once.
    """

    _transport: ISipTransport
    _store: ISessionStore
    _links: IClusterLinks
    _clock: IReactorTime
    _node: NodeID
    _owners: Owners
    # Gives a flow from this node to the peer of one of another node.
    _ours: Callable[[Flow], Flow]
    # What other nodes send comes by no gate.
    _wakefulness: Wakefulness | None = None
    receiver: IMessageReceiver = field(init=False)
    counters: Counter[str] = field(factory=Counter, init=False)
    _where: Whereabouts = field(init=False)
    _asking: Asking = field(init=False)
    _queues: dict[DialogID, deque[tuple[Request, Flow]]] = field(factory=dict, init=False)
    _uncertain: set[DialogID] = field(factory=set, init=False)
    _pauses: set[Deferred[None]] = field(factory=set, init=False)
    _stopped: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._where = Whereabouts(self._store, self._clock)
        self._asking = Asking(self._links, self._owners.others)
        self._links.handle(IN, self._relayedRequest)
        self._links.handle(OUT, self._relayedResponse)

    def stop(self) -> None:
        """
        Wait for no node any more.
        """
        self._stopped = True
        for pause in list(self._pauses):
            pause.cancel()

    def isUncertain(self, request: Request) -> bool:
        """
        @return: whether there may be such a dialog although this node does not
            know it: the peer must not be told that there is none.
        """
        return dialogOf(request) in self._uncertain

    # From the network.

    def messageReceived(self, message: Request | Response, flow: Flow) -> None:
        """
        See L{IMessageReceiver.messageReceived}.
        """
        if isinstance(message, Response):
            self.receiver.messageReceived(message, flow)
            return
        dialog = dialogOf(message)
        queue = self._queues.get(dialog)
        if queue is not None:
            if len(queue) < _MOST_QUEUED:
                queue.append((message, flow))
            else:
                self.counters["overflow"] += 1
        elif not self._isForeign(message):
            self.receiver.messageReceived(message, flow)
        elif len(self._queues) >= _MOST_QUEUES or (
            self._where.lookups >= _MOST_LOOKUPS and self._where.remembered(message) is None
        ):
            self._overflow(message, flow)
        else:
            self._queues[dialog] = deque([(message, flow)])
            Deferred.fromCoroutine(self._work(dialog)).addErrback(self._broken)

    def badMessage(self, error: BadMessage, flow: Flow) -> None:
        """
        See L{IMessageReceiver.badMessage}.
        """
        self.receiver.badMessage(error, flow)

    def _isForeign(self, request: Request) -> bool:
        """
        @return: whether it may belong to another node.
        """
        if self._owners.has(request):
            return False
        begins = request.toTag is None and request.method in ("INVITE", "CANCEL")
        return self._where.isElsewhere(request) or (begins and self._owners.unsettled())

    def _overflow(self, request: Request, flow: Flow) -> None:
        self.counters["overflow"] += 1
        # By itself a peer repeats only what it sends over UDP; and to record a
        # call twice is better than not to record it.
        if flow.reliable or request.toTag is None:
            self._give(request, flow, uncertain=True)

    async def _work(self, dialog: DialogID) -> None:
        queue = self._queues[dialog]
        try:
            while queue:
                request, flow = queue.popleft()
                try:
                    await self._route(request, flow)
                except Exception:
                    log.failure("{callID}: request not passed on", callID=request.callID)
                    self._give(request, flow, uncertain=True)
        finally:
            del self._queues[dialog]

    async def _route(self, request: Request, flow: Flow) -> None:
        """
        Bring a request to where its dialog is.
        """
        place = self._where.remembered(request)
        if place is not None and self._owners.isDead(place.owner):
            place = None
        denied: set[NodeID] = set()
        # What a node has sent here was looked for there.
        for _ in range(0 if flow.relay else _LOOKS):
            if self._owners.has(request):
                break  # it was taken up for the request before this one
            try:
                place = place or await self._where.find(request)
            except StoreError as error:
                log.warn("{callID}: owner not known: {why}", callID=request.callID, why=str(error))
                break
            if place is None:
                if not self._owners.isSure() and await self._isTaken(request, flow):
                    return
                self._give(request, flow, uncertain=False)
                return
            if await self._toOwner(request, flow, place, denied):
                return
            place = None
        if flow.relay or not await self._isTaken(request, flow):
            self._give(request, flow, uncertain=True)

    async def _isTaken(self, request: Request, flow: Flow) -> bool:
        """
        Offer a request to every node, as the store does not say whose it is.

        @return: whether one of them has it.
        """
        if self._owners.has(request):
            return False
        taker = await self._asking.find(IN, packed(request, flow, key=""))
        if taker is None:
            return False
        self.counters["found"] += 1
        self._where.remember(request, Place(taker, ""))
        return True

    async def _toOwner(
        self, request: Request, flow: Flow, place: Place, denied: set[NodeID]
    ) -> bool:
        """
        @param denied: nodes that have said of themselves that they do not have it.
        @return: whether nothing more is to be done; else the dialog is elsewhere
            by now, or its node may be dead.
        """
        record, owner = place.record, place.owner
        if record is None or (owner != self._node and not self._owners.isDead(owner)):
            return await self._pass(request, flow, place, denied)
        taking = self._owners.beingTakenUp(place.key)
        if taking is not None:
            await taking
        elif owner != self._node:
            await self._owners.claim(record)
        elif not self._owners.has(request) and place.isOver:
            # Nobody will take it up: only the files are still being finished.
            self._give(request, flow, uncertain=False)
            return True
        if not self._owners.has(request):
            if owner == self._node:
                await self._denied(owner, denied)
            return False
        self._give(request, flow, uncertain=False)
        return True

    async def _pass(self, request: Request, flow: Flow, place: Place, denied: set[NodeID]) -> bool:
        """
        @return: whether the owner has taken the request.
        """
        body = packed(request, flow, place.key)
        try:
            taken = await self._links.request(place.owner, IN, body) is True
        except Exception as error:
            log.info(
                "{callID}: {method} not passed on to {owner}: {why}",
                callID=request.callID,
                method=request.method,
                owner=place.owner,
                why=str(error) or type(error).__name__,
            )
            self._where.forget(request)
            await self._pause()
            return False
        if not taken:
            self._where.forget(request)
            await self._denied(place.owner, denied)
            return False
        self.counters["relayed"] += 1
        if place.record is not None:
            self._where.remember(request, place)
        return True

    def _give(self, request: Request, flow: Flow, uncertain: bool) -> None:
        """
        Give a request to this node's own layer after all.
        """
        dialog = dialogOf(request)
        if uncertain and namesDialog(request) and not self._owners.has(request):
            self.counters["unanswered"] += 1
            self._uncertain.add(dialog)
        try:
            self.receiver.messageReceived(request, flow)
        finally:
            self._uncertain.discard(dialog)

    async def _denied(self, owner: NodeID, denied: set[NodeID]) -> None:
        # It has just given the call away; or, if the store insists, is about to have it.
        if owner in denied:
            await self._pause()
        denied.add(owner)

    async def _pause(self) -> None:
        if self._stopped:
            return
        pause: Deferred[None] = deferLater(self._clock, _PAUSE)
        self._pauses.add(pause)
        # Cancelled by the stop: then there is nothing to wait for.
        await pause.addErrback(lambda failure: None)
        self._pauses.discard(pause)

    def _broken(self, failure: Failure) -> None:
        log.failure("a request was not passed on", failure)

    # From other nodes.

    def _relayedRequest(self, peer: Any, body: Any) -> Deferred[bool]:
        request, flow, key = unpackedRequest(body)
        self.counters["received"] += 1
        flow = evolve(flow, relay=peer.nodeID)
        return Deferred.fromCoroutine(self._take(request, flow, key))

    async def _take(self, request: Request, flow: Flow, key: str) -> bool:
        """
        @return: whether the request is one for this node.
        """
        if self._wakefulness is not None:
            await self._wakefulness.whenAwake()
        # First of all: a call has its requests in their order once it is here.
        taking = self._owners.beingTakenUp(key)
        if taking is not None:
            await taking
        if not self._owners.has(request):
            self.counters["refused"] += 1
            return False
        self.receiver.messageReceived(request, flow)
        return True

    def _relayedResponse(self, peer: Any, body: Any) -> Deferred[None]:
        response, flow, data = unpackedResponse(body)
        # As a response of this node's own (RFC 3261 section 18.2.2).
        sending = self._transport.reply(response.via, flow)
        return sending.addCallback(self._transport.send, data).addErrback(self._unsent)

    def _unsent(self, failure: Failure) -> None:
        failure.trap(FlowGone)
        log.info("response of another node not sent: {why}", why=failure.getErrorMessage())

    # To the network.

    def send(self, flow: Flow, data: bytes) -> None:
        """
        See L{ISipTransport.send}.
        """
        if not flow.relay:
            self._transport.send(flow, data)
            return
        if self._wakefulness is not None and not self._wakefulness.awake:
            return
        body = {"flow": packedFlow(flow), "data": data}
        telling = self._links.notify(NodeID(flow.relay), OUT, body)
        telling.addErrback(
            # The peer asks again, and perhaps by another way.
            lambda failure: log.info(
                "response not passed back to {node}: {why}",
                node=flow.relay,
                why=failure.getErrorMessage(),
            )
        )

    def connect(self, transport: str, host: str, port: int, name: str = "") -> Deferred[Flow]:
        """
        See L{ISipTransport.connect}.
        """
        return self._transport.connect(transport, host, port, name)

    def reply(self, via: Via, flow: Flow) -> Deferred[Flow]:
        """
        See L{ISipTransport.reply}: of a request that came by another node, that
        node knows best how the response gets back.
        """
        return succeed(flow) if flow.relay else self._transport.reply(via, flow)

    def advertised(self, flow: Flow) -> tuple[str, int]:
        """
        See L{ISipTransport.advertised}: this node's own address, by whatever
        node a message came.
        """
        if flow.relay:
            try:
                flow = self._ours(evolve(flow, relay="", connection=0))
            except SipError:
                flow = evolve(flow, relay="")
        return self._transport.advertised(flow)
