"""
What the parts of a cluster's node promise each other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from enum import Enum
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from zope.interface import Interface

from siprec.ids import NodeID
from siprec.session.model import NodeLease, SessionData
from siprec.sip.message import Request

__all__ = ["IClusterLinks", "Liveness", "Owners"]


class Liveness(Enum):
    """
    What is known of one life of a node's process.

    C{ALIVE}: it answered.  C{REFUSED}: nobody listens at its port.  C{OTHER}: another
    instance, or another node, says that it is there.  C{SILENT}: nothing is known: it
    is frozen or cut off, or what is there is no node of this cluster.
    """

    ALIVE = "alive"
    REFUSED = "refused"
    SILENT = "silent"
    OTHER = "other"


class IClusterLinks(Interface):
    """
    Connections to the other nodes.
    """

    def keep(nodes: Iterable[NodeID]) -> None:
        """
        Hold a connection open to each of these nodes, and to no others for
        longer than they are used.
        """

    def probe(lease: NodeLease, timeout: float) -> Deferred[Liveness]:
        """
        See whether the process that wrote a lease still lives.

        @param timeout: longest wait, in seconds.
        @return: never fails.
        """

    def handle(kind: str, answer: Callable[[Any, Any], Any]) -> None:
        """
        @param answer: called with the peer (C{nodeID} and C{instance}) and the
            body of each request or notice of this kind; returns the body of the
            answer, or a Deferred of it.
        """

    def request(node: NodeID, kind: str, body: Any, timeout: float = 5.0) -> Deferred[Any]:
        """
        Ask another node something.

        @param body: plain values.
        @return: fires with the body of its answer; fails with C{Unreachable},
            C{PeerFailed} or C{TimeoutError}.
        """

    def notify(node: NodeID, kind: str, body: Any) -> Deferred[None]:
        """
        Tell another node something.

        @return: fires when it has been sent, not when it has come; fails with
            C{Unreachable}.
        """


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

    def isSure(self) -> bool:
        """
        @return: whether a dialog that is not in the store does not exist.
        """

    def others(self) -> Collection[NodeID]:
        """
        @return: the other nodes, as far as they live.
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
