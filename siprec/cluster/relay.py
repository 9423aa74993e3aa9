"""
Requests in dialogs that another node has: they are passed on to it, and its
responses come back the same way.

The relay keeps no transactions: each copy of a request is passed on, and the
owner's transaction layer treats it as its own, with the addresses that it really
came by.  The connection between the nodes carries what a Via would (RFC 3261
section 16.11), so that a copy that reaches the owner itself is known as one.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from siprec.cluster.interfaces import IClusterLinks
from siprec.ids import NodeID
from siprec.session.model import DialogInfo, SessionData
from siprec.sip.errors import BadMessage, SipError
from siprec.sip.flow import Flow
from siprec.sip.framing import parseDatagram
from siprec.sip.headers import Via
from siprec.sip.interfaces import FlowGone, IMessageReceiver, ISipTransport
from siprec.sip.matching import replyAddress
from siprec.sip.message import Request, Response
from siprec.store.interfaces import ISessionStore, SessionNotFound, StoreError

__all__ = ["IN", "OUT", "Owners", "Relay"]

log = Logger()

#: Kinds of messages between nodes: a request for a dialog of the other node;
#: what is to be sent for it.
IN, OUT = "sip.in", "sip.out"

#: What a dialog is known by: Call-ID, our tag, the peer's.
DialogID = tuple[str, str, str]

# Seconds for which the owner of a dialog is remembered.
_REMEMBER = 10.0

# How many dialogs are remembered, and how many may be looked up at once: a
# flood of invented ones must not become one of the store.
_MOST_KNOWN, _MOST_LOOKUPS = 5000, 200


class Owners(Protocol):
    """
    What the relay needs to know of the node and its cluster.
    """

    def has(self, request: Request) -> bool:
        """
        @return: whether this node has the request's dialog or transaction.
        """

    def unsettled(self) -> bool:
        """
        @return: whether a call may have lost its node so shortly ago that the
            peer still repeats its first INVITE.
        """

    def beingTakenUp(self, key: str) -> Deferred[None] | None:
        """
        @return: fires when this node has taken up that call, or has failed to;
            C{None} if it does neither.
        """

    def isDead(self, node: NodeID) -> bool:
        """
        @return: whether that node is dead.
        """

    def claim(self, record: SessionData) -> Deferred[None]:
        """
        Take over a call of a dead node.

        @return: fires when it is taken up, or somebody else has it; never fails.
        """


@implementer(IMessageReceiver, ISipTransport)
@define(eq=False, repr=False)
class Relay:
    """
    Stands between the transport and the transaction layer.

    @ivar receiver: the layer; set once it is there.
    @ivar counters: requests C{relayed} and C{received} from other nodes,
        C{unanswered} as nobody could be asked about them, C{overflow}.
    """

    _transport: ISipTransport
    _store: ISessionStore
    _links: IClusterLinks
    _clock: IReactorTime
    _node: NodeID
    _owners: Owners
    # Gives a flow from this node to the peer of one of another node.
    _ours: Callable[[Flow], Flow]
    receiver: IMessageReceiver = field(init=False)
    counters: Counter[str] = field(factory=Counter, init=False)
    _known: OrderedDict[DialogID, tuple[NodeID, float]] = field(factory=OrderedDict, init=False)
    _uncertain: set[DialogID] = field(factory=set, init=False)
    _lookups: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._links.handle(IN, self._relayedRequest)
        self._links.handle(OUT, self._relayedResponse)

    def isUncertain(self, request: Request) -> bool:
        """
        @return: whether there may be such a dialog although this node does not
            know it: the peer must not be told that there is none.
        """
        return _dialogOf(request) in self._uncertain

    # From the network.

    def messageReceived(self, message: Request | Response, flow: Flow) -> None:
        """
        See L{IMessageReceiver.messageReceived}.
        """
        if isinstance(message, Response) or not self._isForeign(message):
            self.receiver.messageReceived(message, flow)
            return
        known = self._known.get(_dialogOf(message))
        if known is not None and known[1] > self._clock.seconds():
            Deferred.fromCoroutine(self._pass(message, flow, known[0])).addErrback(self._broken)
        elif self._lookups >= _MOST_LOOKUPS:
            self.counters["overflow"] += 1
        else:
            Deferred.fromCoroutine(self._find(message, flow)).addErrback(self._broken)

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
        if request.toTag is not None:
            return True
        return request.method in ("INVITE", "CANCEL") and self._owners.unsettled()

    async def _find(self, request: Request, flow: Flow) -> None:
        self._lookups += 1
        try:
            record = await self._recordOf(request)
        except StoreError as error:
            log.warn("{callID}: owner not known: {why}", callID=request.callID, why=str(error))
            self._give(request, flow, uncertain=True)
            return
        finally:
            self._lookups -= 1
        if record is None:
            self._give(request, flow, uncertain=False)
        else:
            await self._toOwner(request, flow, record)

    async def _recordOf(self, request: Request) -> SessionData | None:
        """
        @return: the record of the request's dialog, or C{None} if there is none.
        @raise StoreError: that cannot be known.
        """
        for key in await self._store.listByCallID(request.callID):
            try:
                record = await self._store.get(key)
            except SessionNotFound:
                continue
            if record.snapshot is not None and _isOf(request, record.snapshot.dialog):
                return record
        return None

    async def _toOwner(self, request: Request, flow: Flow, record: SessionData) -> None:
        owner = record.nodeID
        if owner != self._node and not self._owners.isDead(owner):
            if request.toTag is not None:
                self._remember(_dialogOf(request), owner)
            await self._pass(request, flow, owner)
            return
        taking = self._owners.beingTakenUp(record.sessionID)
        if taking is None and owner != self._node:
            taking = self._owners.claim(record)
        if taking is not None:
            await taking
        # If somebody else was faster, the peer's next copy goes there.
        self._give(request, flow, uncertain=not self._owners.has(request))

    async def _pass(self, request: Request, flow: Flow, owner: NodeID) -> None:
        body = {"message": request.serialize(), "flow": _plain(flow)}
        try:
            await self._links.notify(owner, IN, body)
        except Exception as error:
            log.info(
                "{callID}: {method} not passed on to {owner}: {why}",
                callID=request.callID,
                method=request.method,
                owner=owner,
                why=str(error),
            )
            self._known.pop(_dialogOf(request), None)
            self._give(request, flow, uncertain=True)
        else:
            self.counters["relayed"] += 1

    def _give(self, request: Request, flow: Flow, uncertain: bool) -> None:
        """
        Give a request to this node's own layer after all.
        """
        dialog = _dialogOf(request)
        if uncertain and not self._owners.has(request):
            self.counters["unanswered"] += 1
            self._uncertain.add(dialog)
        try:
            self.receiver.messageReceived(request, flow)
        finally:
            self._uncertain.discard(dialog)

    def _remember(self, dialog: DialogID, owner: NodeID) -> None:
        self._known[dialog] = (owner, self._clock.seconds() + _REMEMBER)
        self._known.move_to_end(dialog)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    def _broken(self, failure: Any) -> None:
        log.failure("a request was not passed on", failure)

    # From other nodes.

    def _relayedRequest(self, peer: Any, body: Any) -> None:
        message = parseDatagram(body["message"])
        if isinstance(message, Request):
            self.counters["received"] += 1
            self.receiver.messageReceived(message, evolve(_flow(body["flow"]), relay=peer.nodeID))

    def _relayedResponse(self, peer: Any, body: Any) -> Deferred[None]:
        flow, data = _flow(body["flow"]), body["data"]
        try:
            self._transport.send(flow, data)
        except FlowGone:
            if flow.transport == "UDP":
                raise
            # As for a response of our own (RFC 3261 section 18.2.2).
            again = self._transport.connect(flow.transport, *flow.remote)
            return again.addCallback(self._transport.send, data)
        return succeed(None)

    # To the network.

    def send(self, flow: Flow, data: bytes) -> None:
        """
        See L{ISipTransport.send}.
        """
        if not flow.relay:
            self._transport.send(flow, data)
            return
        telling = self._links.notify(NodeID(flow.relay), OUT, {"flow": _plain(flow), "data": data})
        telling.addErrback(
            # The peer asks again, and perhaps by another way.
            lambda failure: log.info(
                "response not passed back to {node}: {why}",
                node=flow.relay,
                why=failure.getErrorMessage(),
            )
        )

    def connect(self, transport: str, host: str, port: int) -> Deferred[Flow]:
        """
        See L{ISipTransport.connect}.
        """
        return self._transport.connect(transport, host, port)

    def reply(self, via: Via, flow: Flow) -> Deferred[Flow]:
        """
        See L{ISipTransport.reply}.
        """
        if not flow.relay:
            return self._transport.reply(via, flow)
        if flow.transport != "UDP":
            return succeed(flow)
        return succeed(evolve(flow, remote=replyAddress(via, flow)))

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


def _dialogOf(request: Request) -> DialogID:
    return (request.callID, request.toTag or "", request.fromTag or "")


def _isOf(request: Request, dialog: DialogInfo) -> bool:
    """
    @return: whether a request is one of the dialog, or the one that made it.
    """
    if (request.callID, request.fromTag or "") != (dialog.callID, dialog.remoteTag):
        return False
    if request.toTag is None:
        # Another INVITE of that Call-ID would be another call.
        return request.cseq.number == dialog.remoteCSeq
    return request.toTag == dialog.localTag


def _plain(flow: Flow) -> list[Any]:
    return [flow.transport, *flow.local, *flow.remote, flow.connection]


def _flow(plain: Any) -> Flow:
    transport, localHost, localPort, remoteHost, remotePort, connection = plain
    return Flow(transport, (localHost, localPort), (remoteHost, remotePort), connection)
