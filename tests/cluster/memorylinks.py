"""
Links between nodes of a test, without connections.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from siprec.cluster.errors import LinkLost, PeerFailed, UnknownKind, Unreachable
from siprec.cluster.handshake import Peer
from siprec.cluster.interfaces import IClusterLinks, Liveness
from siprec.cluster.pending import tookTooLong
from siprec.cluster.wire import pack, unpack
from siprec.ids import NodeID
from siprec.session.model import NodeLease

__all__ = ["MemoryLinks"]


@implementer(IClusterLinks)
@define(eq=False)
class MemoryLinks:
    """
    One node's end.

    @ivar others: the links of all nodes, by node.
    @ivar away: whether nobody can be reached from here, nor reach this node.
    @ivar asked: kind and body of all that came in.
    @ivar spoil: what is made of answers of this node, by kind; it may raise.
    @ivar held: answers of this node that wait, if it is a list.
    """

    node: NodeID
    clock: IReactorTime
    others: dict[NodeID, MemoryLinks]
    away: bool = False
    asked: list[tuple[str, Any]] = field(factory=list)
    spoil: dict[str, Callable[[Any], Any]] = field(factory=dict)
    held: list[Deferred[None]] | None = None
    _answers: dict[str, Callable[[Any, Any], Any]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.others[self.node] = self

    def keep(self, nodes: Iterable[NodeID]) -> None:
        """
        See L{IClusterLinks.keep}.
        """

    def probe(self, lease: NodeLease, timeout: float) -> Deferred[Liveness]:
        """
        See L{IClusterLinks.probe}.
        """
        other = self.others.get(lease.nodeID)
        gone = other is None or other.away
        return succeed(Liveness.REFUSED if gone else Liveness.ALIVE)

    def handle(self, kind: str, answer: Callable[[Any, Any], Any]) -> None:
        """
        See L{IClusterLinks.handle}.
        """
        self._answers[kind] = answer

    def request(self, node: NodeID, kind: str, body: Any, timeout: float = 5.0) -> Deferred[Any]:
        """
        See L{IClusterLinks.request}.
        """
        other = self.others.get(node)
        if other is None or other.away or self.away:
            return fail(Unreachable(node, "the test says so"))
        answered: Deferred[Any] = Deferred()
        answered.addTimeout(timeout, self.clock, tookTooLong)
        other.come(Peer(self.node, f"{self.node}1"), kind, body).addBoth(
            lambda result: None if answered.called else answered.callback(result)
        )
        return answered

    def notify(self, node: NodeID, kind: str, body: Any) -> Deferred[None]:
        """
        See L{IClusterLinks.notify}.
        """
        other = self.others.get(node)
        if other is None or other.away or self.away:
            return fail(Unreachable(node, "the test says so"))
        other.come(Peer(self.node, f"{self.node}1"), kind, body).addErrback(lambda _: None)
        return succeed(None)

    def come(self, peer: Peer, kind: str, body: Any) -> Deferred[Any]:
        """
        Answer another node.
        """
        self.asked.append((kind, unpack(pack(body))))

        def answer(_: None) -> Any:
            if kind not in self._answers:
                raise UnknownKind(kind)
            return self._answers[kind](peer, unpack(pack(body)))

        def failed(failure: Failure) -> Failure:
            if failure.check(LinkLost, TimeoutError):
                return failure
            value = failure.value
            return Failure(PeerFailed(type(value).__name__, str(value)))

        done: Deferred[Any] = succeed(None)
        if self.held is not None:
            done = Deferred()
            self.held.append(done)
        done.addCallback(lambda _: maybeDeferred(answer, None))
        done.addCallback(self.spoil.get(kind, lambda found: found))
        done.addCallback(lambda found: unpack(pack(found)))
        return done.addErrback(failed)
