"""
Nodes that pass requests on to each other: two relays, a store and what is
around them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from siprec.cluster.errors import Unreachable
from siprec.cluster.handshake import Peer
from siprec.cluster.interfaces import IClusterLinks, Liveness
from siprec.cluster.relay import Relay
from siprec.cluster.wire import pack, unpack
from siprec.ids import NodeID, newTag
from siprec.session.model import CallSnapshot, NodeLease, SessionData
from siprec.sip.errors import BadMessage
from siprec.sip.flow import Flow
from siprec.sip.interfaces import IMessageReceiver
from siprec.sip.message import Request, Response
from siprec.store.memory import MemorySessionStore
from siprec.store.memorysessions import SessionMemory
from siprec.testing.fakes import FakeSipTransport
from tests.session.recordings import dialog, session
from tests.sip.traffic import UDP, request
from tests.store.shaky import ShakyStore

A, B, C = NodeID("a"), NodeID("b"), NodeID("c")
TAG = newTag()
CALL_ID = "call-1"


@implementer(IClusterLinks)
@define(eq=False)
class FakeLinks:
    """
    Brings messages to the other nodes of the test at once.

    @ivar others: the links of all nodes, by name.
    @ivar gone: nodes that cannot be reached.
    @ivar asked: node, kind and body of each request and notice, in order.
    @ivar held: if a list, requests are brought when the test calls what is put
        there.
    """

    node: NodeID
    others: dict[NodeID, FakeLinks]
    answers: dict[str, Callable[[Any, Any], Any]] = field(factory=dict)
    gone: set[NodeID] = field(factory=set)
    asked: list[tuple[NodeID, str, Any]] = field(factory=list)
    held: list[Callable[[], object]] | None = None

    def keep(self, nodes: Iterable[NodeID]) -> None:
        """
        See L{IClusterLinks.keep}.
        """

    def probe(self, lease: NodeLease, timeout: float) -> Deferred[Liveness]:
        """
        See L{IClusterLinks.probe}.
        """
        return succeed(Liveness.SILENT)

    def handle(self, kind: str, answer: Callable[[Any, Any], Any]) -> None:
        """
        See L{IClusterLinks.handle}.
        """
        self.answers[kind] = answer

    def request(self, node: NodeID, kind: str, body: Any, timeout: float = 5.0) -> Deferred[Any]:
        """
        See L{IClusterLinks.request}.
        """
        self.asked.append((node, kind, body))
        if self.held is None:
            return maybeDeferred(self._bring, node, kind, body)
        answer: Deferred[Any] = Deferred()
        self.held.append(lambda: maybeDeferred(self._bring, node, kind, body).chainDeferred(answer))
        return answer

    def notify(self, node: NodeID, kind: str, body: Any) -> Deferred[None]:
        """
        See L{IClusterLinks.notify}.
        """
        return self.request(node, kind, body).addCallback(lambda _: None)

    def _bring(self, node: NodeID, kind: str, body: Any) -> Any:
        if node in self.gone:
            raise Unreachable(node, "the test says so")
        return self.others[node].answers[kind](Peer(self.node, "1"), unpack(pack(body)))


@implementer(IMessageReceiver)
@define(eq=False)
class Layer:
    """
    Keeps what it is given.

    @ivar got: the messages and what they came by.
    @ivar uncertain: for each request, what the relay said of its dialog.
    """

    relay: Relay
    got: list[tuple[Request | Response, Flow]] = field(factory=list)
    uncertain: list[bool] = field(factory=list)
    bad: list[BadMessage] = field(factory=list)

    def messageReceived(self, message: Request | Response, flow: Flow) -> None:
        """
        See L{IMessageReceiver.messageReceived}.
        """
        self.got.append((message, flow))
        if isinstance(message, Request):
            self.uncertain.append(self.relay.isUncertain(message))

    def badMessage(self, error: BadMessage, flow: Flow) -> None:
        """
        See L{IMessageReceiver.badMessage}.
        """
        self.bad.append(error)


@define(eq=False)
class FakeOwners:
    """
    What a node knows; see L{siprec.cluster.interfaces.Owners}.

    @ivar mine: Call-IDs of the calls that are here.
    @ivar taking: the calls that are being taken up, by key.
    @ivar sure: whether the store can be believed.
    @ivar living: the other nodes.
    @ivar claims: the records that were to be claimed, with the outcome that the
        test gives.
    """

    mine: set[str] = field(factory=set)
    taking: dict[str, list[Deferred[None]]] = field(factory=dict)
    dead: set[NodeID] = field(factory=set)
    afterDeath: bool = False
    sure: bool = True
    living: list[NodeID] = field(factory=list)
    claims: list[tuple[SessionData, Deferred[None]]] = field(factory=list)

    def has(self, request: Request) -> bool:
        """
        See L{siprec.cluster.interfaces.Owners.has}.
        """
        return request.callID in self.mine

    def unsettled(self) -> bool:
        """
        See L{siprec.cluster.interfaces.Owners.unsettled}.
        """
        return self.afterDeath

    def isSure(self) -> bool:
        """
        See L{siprec.cluster.interfaces.Owners.isSure}.
        """
        return self.sure

    def others(self) -> list[NodeID]:
        """
        See L{siprec.cluster.interfaces.Owners.others}.
        """
        return self.living

    def beingTakenUp(self, key: str) -> Deferred[None] | None:
        """
        See L{siprec.cluster.interfaces.Owners.beingTakenUp}.
        """
        if key not in self.taking:
            return None
        done: Deferred[None] = Deferred()
        self.taking[key].append(done)
        return done

    def isDead(self, node: NodeID) -> bool:
        """
        See L{siprec.cluster.interfaces.Owners.isDead}.
        """
        return node in self.dead

    def claim(self, record: SessionData) -> Deferred[None]:
        """
        See L{siprec.cluster.interfaces.Owners.claim}.
        """
        done: Deferred[None] = Deferred()
        self.claims.append((record, done))
        return done

    def takenUp(self, key: str) -> None:
        """
        What was being taken up is, or is not.
        """
        for waiter in self.taking.pop(key):
            waiter.callback(None)


@define(eq=False)
class Node:
    """
    One node.
    """

    relay: Relay
    layer: Layer
    transport: FakeSipTransport
    links: FakeLinks
    owners: FakeOwners
    store: ShakyStore

    def methods(self) -> list[str]:
        """
        @return: the methods of what its layer was given since this was last asked.
        """
        got = [each.method for each, _ in self.layer.got if isinstance(each, Request)]
        self.layer.got.clear()
        return got

    def told(self) -> list[bool]:
        """
        @return: for each of those, whether its dialog may be somewhere.
        """
        told, self.layer.uncertain = self.layer.uncertain, []
        return told


class RelayCase(SynchronousTestCase):
    """
    Nodes A, B and C; a call with the tag L{TAG} of the peer at 192.0.2.7.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.memory = SessionMemory(self.clock.seconds)
        self.every: dict[NodeID, FakeLinks] = {}
        self.a, self.b, self.c = map(self.node, (A, B, C))
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def node(self, name: NodeID, **more: Any) -> Node:
        """
        Start a node.
        """
        store = ShakyStore(MemorySessionStore(self.clock, name, self.memory))
        links = self.every[name] = FakeLinks(name, self.every)
        transport = FakeSipTransport(local=(f"192.0.2.{10 + ord(name) - ord('a')}", 5060))
        owners = FakeOwners()

        def ours(flow: Flow) -> Flow:
            return evolve(flow, local=transport.local)

        relay = Relay(transport, store, links, self.clock, name, owners, ours, **more)
        layer = Layer(relay)
        relay.receiver = layer
        return Node(relay, layer, transport, links, owners, store)

    def record(self, owner: NodeID = B, number: int = 1, **changes: Any) -> SessionData:
        """
        Put the call into the store.
        """
        recording = evolve(session("/r", number), callID=CALL_ID, **changes)
        info = evolve(
            dialog(), callID=CALL_ID, localTag=TAG, remoteTag="src1", localCSeq=1, remoteCSeq=2
        )
        data = SessionData(
            sessionID=recording.id,
            callID=CALL_ID,
            status=recording.state,
            startTime=0.0,
            lastUpdate=0.0,
            recordingPath=recording.directory,
            nodeID=owner,
            snapshot=CallSnapshot(recording, info, lastActivity=0.0),
        )
        store = MemorySessionStore(self.clock, owner, self.memory)
        return self.successResultOf(store.store(data, 3600.0))

    def claimed(self, record: SessionData, node: NodeID) -> SessionData:
        """
        Another node has the call now.
        """
        store = MemorySessionStore(self.clock, node, self.memory)
        return self.successResultOf(store.claim(record.sessionID, node, record.epoch))

    def comes(self, node: Node, *requests: Request, flow: Flow = UDP) -> None:
        """
        These requests come from the network.
        """
        for each in requests:
            node.relay.messageReceived(each, flow)


def ask(method: str = "BYE", number: int = 3, tag: str | None = TAG) -> Request:
    """
    @return: a request in the dialog.
    """
    via = f"SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK{method}{number}"
    return request(method, via=via, number=number, toTag=tag)


def takingOver(method: str = "INVITE", tag: str | None = None, wanted: str = TAG) -> Request:
    """
    @return: a request of a new call that is to replace the one with L{TAG}.
    """
    found = request(method, number=1, toTag=tag)
    headers = found.headers.replacing("Call-ID", "call-2")
    if method == "INVITE":
        headers = headers.adding("Replaces", f"{CALL_ID};to-tag={wanted};from-tag=src1")
    return evolve(found, headers=headers)


__all__ = [
    "CALL_ID",
    "TAG",
    "A",
    "B",
    "C",
    "FakeLinks",
    "FakeOwners",
    "Layer",
    "Node",
    "RelayCase",
    "ask",
    "takingOver",
]
