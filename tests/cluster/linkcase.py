"""
Two links that are connected, for tests.
"""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.handshake import Handshake, HandshakeError
from siprec.cluster.link import Link, LinkSurroundings, Peer
from siprec.ids import NodeID
from tests.cluster.network import MemoryNetwork

A, B = Peer(NodeID("a"), "a1"), Peer(NodeID("b"), "b1")
KEY = b"k" * 32


@define(eq=False)
class Side:
    """
    One node, and what its links tell it.

    @ivar answers: by kind; an exception is raised.
    @ivar asked: peer, kind and body of each request and notice.
    """

    clock: IReactorTime
    answers: dict[str, Any] = field(factory=dict)
    asked: list[tuple[Peer, str, Any]] = field(factory=list)
    connected: list[Link] = field(factory=list)
    opened: list[Link] = field(factory=list)
    refused: list[HandshakeError] = field(factory=list)
    closed: list[Link] = field(factory=list)

    @property
    def around(self) -> LinkSurroundings:
        """
        What its links share.
        """
        return LinkSurroundings(
            self.clock,
            self._answer,
            self.connected.append,
            self.opened.append,
            lambda link, error: self.refused.append(error),
            self.closed.append,
        )

    def _answer(self, peer: Peer, kind: str, body: Any) -> Any:
        self.asked.append((peer, kind, body))
        answer = self.answers[kind]
        if isinstance(answer, Exception):
            raise answer
        return answer


class LinkCase(SynchronousTestCase):
    """
    C{near} has connected to C{far}.

    @ivar ends: the transports of both.
    """

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.nearSide, self.farSide = Side(self.network), Side(self.network)
        self.addCleanup(self.checkTimers)

    def checkTimers(self) -> None:
        """
        At the end no timer runs.
        """
        self.network.pass_(0)
        self.assertEqual(self.network.getDelayedCalls(), [])

    def makeNear(self, key: bytes = KEY) -> Link:
        """
        @return: the link of C{A}, not connected.
        """
        return Link(Handshake.connecting(A, B, key), self.nearSide.around, ours=True)

    def makeFar(self) -> Link:
        """
        @return: the link of C{B}, not connected.
        """
        return Link(Handshake.listening(B, KEY), self.farSide.around, ours=False)

    def join(self) -> None:
        """
        Connect both, and let them authenticate each other.
        """
        self.near, self.far = self.makeNear(), self.makeFar()
        self.ends = self.network.join(self.near, self.far)
        self.addCleanup(self.near.abort)
        self.network.settle()
