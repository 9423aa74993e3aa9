"""
Connections between nodes that are in one process, and their clocks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from siprec.cluster.errors import LinkLost, PeerFailed, UnknownKind, Unreachable
from siprec.cluster.handshake import Peer
from siprec.cluster.interfaces import IClusterLinks, Liveness
from siprec.cluster.pending import tookTooLong
from siprec.cluster.wire import pack, unpack
from siprec.ids import NodeID
from siprec.session.model import NodeLease


@implementer(IReactorTime)
@define(eq=False)
class NodeClock:
    """
    The common clock, as one process has it.

    @ivar dead: whether the process has ended: then nothing happens in it.
    """

    common: Clock
    dead: bool = False
    _calls: list[IDelayedCall] = field(factory=list)

    def seconds(self) -> float:
        """
        See L{IReactorTime.seconds}.
        """
        return self.common.seconds()

    def callLater(
        self, delay: float, callable: Callable[..., Any], *args: object, **kwargs: object
    ) -> IDelayedCall:
        """
        See L{IReactorTime.callLater}.
        """
        call = self.common.callLater(delay, self._run, callable, args, kwargs)
        self._calls = [each for each in self._calls if each.active()]
        self._calls.append(call)
        return call

    def _run(self, callable: Callable[..., Any], args: Any, kwargs: Any) -> None:
        if not self.dead:
            callable(*args, **kwargs)

    def getDelayedCalls(self) -> list[IDelayedCall]:
        """
        See L{IReactorTime.getDelayedCalls}.
        """
        return [each for each in self._calls if each.active()]

    def kill(self) -> None:
        """
        The process ends without a word.
        """
        self.dead = True
        for each in self.getDelayedCalls():
            each.cancel()


@define(eq=False)
class Wires:
    """
    What is between the nodes.

    @ivar ends: each node's end, by node.
    @ivar lives: how many processes there have been of each node.
    @ivar cut: pairs of nodes that do not reach each other.
    @ivar deaf: pairs of which the first one's answers do not come to the second.
    """

    clock: Clock
    ends: dict[NodeID, WireEnd] = field(factory=dict)
    lives: Counter[NodeID] = field(factory=Counter)
    cut: set[frozenset[NodeID]] = field(factory=set)
    deaf: set[tuple[NodeID, NodeID]] = field(factory=set)


@implementer(IClusterLinks)
@define(eq=False)
class WireEnd:
    """
    One node's connections to the others.

    @ivar running: whether somebody listens there.
    @ivar asked: node, kind and body of each request and notice from here.
    @ivar onAsked: called with each of them before it is delivered.
    @ivar onBroken: called with a node to which the connection is lost.
    @ivar handlers: what answers, by kind.
    """

    node: NodeID
    wires: Wires
    clock: IReactorTime
    instance: str
    running: bool = True
    asked: list[tuple[NodeID, str, Any]] = field(factory=list)
    onAsked: Callable[[NodeID, str], None] = field(default=lambda node, kind: None)
    onBroken: Callable[[NodeID], None] = field(default=lambda node: None)
    handlers: dict[str, Callable[[Any, Any], Any]] = field(factory=dict)
    _waiting: dict[Deferred[Any], NodeID] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.wires.ends[self.node] = self

    @property
    def lastHeard(self) -> float | None:
        """
        When another node was heard last: just now, if one could be.
        """
        others = (each for each in self.wires.ends.values() if each is not self and each.running)
        return self.clock.seconds() if self.running and any(others) else None

    def leaseData(self) -> dict[str, Any]:
        """
        @return: that it is reached.
        """
        return {"address": f"{self.node}:1"}

    def startService(self) -> None:
        """
        Listen.
        """
        self.running = True

    def stopService(self) -> Deferred[None]:
        """
        Listen no more.
        """
        self.running = False
        return succeed(None)

    def keep(self, nodes: Iterable[NodeID]) -> None:
        """
        See L{IClusterLinks.keep}.
        """

    def probe(self, lease: NodeLease, timeout: float) -> Deferred[Liveness]:
        """
        See L{IClusterLinks.probe}.
        """
        if not self.wires.ends[lease.nodeID].running:
            return succeed(Liveness.REFUSED)
        if self._reaches(lease.nodeID):
            return succeed(Liveness.ALIVE)
        found: Deferred[Liveness] = Deferred()
        self.clock.callLater(timeout, found.callback, Liveness.SILENT)
        return found

    def handle(self, kind: str, answer: Callable[[Any, Any], Any]) -> None:
        """
        See L{IClusterLinks.handle}.
        """
        self.handlers[kind] = answer

    def _reaches(self, node: NodeID) -> bool:
        other = self.wires.ends.get(node)
        cut = frozenset((self.node, node)) in self.wires.cut
        return other is not None and other.running and self.running and not cut

    def request(self, node: NodeID, kind: str, body: Any, timeout: float = 5.0) -> Deferred[Any]:
        """
        See L{IClusterLinks.request}.
        """
        self.onAsked(node, kind)
        self.asked.append((node, kind, body))
        if not self._reaches(node):
            return fail(Unreachable(node, "the test says so"))
        answered: Deferred[Any] = Deferred()
        self._waiting[answered] = node

        def forget(result: Any) -> Any:
            self._waiting.pop(answered, None)
            return result

        answered.addTimeout(timeout, self.clock, tookTooLong).addBoth(forget)

        def arrive(result: Any) -> None:
            heard = self.running and (node, self.node) not in self.wires.deaf
            if answered in self._waiting and heard:
                answered.callback(result)

        self.wires.ends[node].come(self.node, kind, body).addBoth(arrive)
        return answered

    def notify(self, node: NodeID, kind: str, body: Any) -> Deferred[None]:
        """
        See L{IClusterLinks.notify}.
        """
        self.onAsked(node, kind)
        self.asked.append((node, kind, body))
        if not self._reaches(node):
            return fail(Unreachable(node, "the test says so"))
        self.wires.ends[node].come(self.node, kind, body).addErrback(lambda _: None)
        return succeed(None)

    def come(self, node: NodeID, kind: str, body: Any) -> Deferred[Any]:
        """
        Answer another node.
        """

        def answer() -> Any:
            if kind not in self.handlers:
                raise UnknownKind(kind)
            return self.handlers[kind](
                Peer(node, self.wires.ends[node].instance), unpack(pack(body))
            )

        def failed(failure: Failure) -> Failure:
            return Failure(PeerFailed(type(failure.value).__name__, str(failure.value)))

        done = maybeDeferred(answer)
        return done.addCallback(lambda found: unpack(pack(found))).addErrback(failed)

    def broken(self, node: NodeID) -> None:
        """
        The connection to a node is lost: so is what it was asked for.
        """
        for answered in [each for each, whom in self._waiting.items() if whom == node]:
            answered.errback(LinkLost("the connection broke"))
        self.onBroken(node)
