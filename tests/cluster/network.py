"""
A network in memory, for nodes that share a clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError, ConnectionLost, ConnectionRefusedError
from twisted.internet.interfaces import IListeningPort, IReactorTCP, IReactorTime, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

Place = tuple[str, int]


@implementer(ITCPTransport)
class MemoryTransport(StringTransport):
    """
    One end of a connection in memory.

    @ivar frozen: what is sent from here does not arrive until it is thawed; neither
        does the news that this end was closed.
    @ivar full: it takes what is written, but wants no more after that.
    """

    def __init__(self, network: MemoryNetwork, host: Place, peer: Place) -> None:
        super().__init__(IPv4Address("TCP", *host), IPv4Address("TCP", *peer), lenient=True)
        self.network = network
        self.protocol: Any = None
        self.other: MemoryTransport | None = None
        self.frozen = False
        self.full = False
        self.ended = False
        self.options: list[str] = []

    def write(self, data: bytes) -> None:
        """
        See L{ITCPTransport}.
        """
        super().write(data)
        other = self.other
        if other is not None and not self.disconnecting:
            self._later(lambda: None if other.ended else other.protocol.dataReceived(data))
        if self.full and self.producer is not None:
            self.producer.pauseProducing()

    def loseConnection(self) -> None:
        """
        See L{ITCPTransport}.
        """
        if self.disconnecting:
            return
        super().loseConnection()
        self._later(lambda: self.end(Failure(connectionDone.value)))

    def abortConnection(self) -> None:
        """
        See L{ITCPTransport}.
        """
        super().abortConnection()
        self._later(lambda: self.end(Failure(ConnectionLost())))

    def end(self, reason: Failure) -> None:
        """
        The connection is no more, and both ends notice.
        """
        if self.ended:
            return
        self.ended = self.disconnecting = True
        if self.other is not None:
            other = self.other
            self._later(lambda: other.end(reason))
        self.protocol.connectionLost(reason)

    def thaw(self) -> None:
        """
        What was held back arrives.
        """
        self.frozen = False
        self.network.deliver(self.network.held.pop(self, []))

    def _later(self, call: Callable[[], None]) -> None:
        if self.frozen:
            self.network.held.setdefault(self, []).append(call)
        else:
            self.network.deliver([call])

    def loseWriteConnection(self) -> None:
        """
        See L{ITCPTransport}; not used.
        """
        raise NotImplementedError

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """
        See L{ITCPTransport}.
        """
        self.options.append("keepalive")

    def setTcpNoDelay(self, enabled: bool) -> None:
        """
        See L{ITCPTransport}.
        """
        self.options.append("nodelay")

    def getTcpKeepAlive(self) -> bool:
        """
        See L{ITCPTransport}.
        """
        return "keepalive" in self.options

    def getTcpNoDelay(self) -> bool:
        """
        See L{ITCPTransport}.
        """
        return "nodelay" in self.options


@implementer(IListeningPort)
@define(eq=False)
class MemoryPort:
    """
    Something listens.
    """

    network: MemoryNetwork
    place: Place
    factory: Any
    closeError: Exception | None = None

    def startListening(self) -> None:
        """
        See L{IListeningPort}.
        """
        self.network.ports[self.place] = self

    def stopListening(self) -> Deferred[None]:
        """
        See L{IListeningPort}.
        """
        self.network.ports.pop(self.place, None)
        if self.closeError is not None:
            raise self.closeError
        return succeed(None)

    def getHost(self) -> IPv4Address:
        """
        See L{IListeningPort}.
        """
        return IPv4Address("TCP", *self.place)


@define(eq=False)
class _Connector:
    """
    An attempt to connect.
    """

    factory: Any
    given: bool = False

    def stopConnecting(self) -> None:
        """
        See L{twisted.internet.interfaces.IConnector}.
        """
        self.given = True
        self.factory.clientConnectionFailed(self, Failure(ConnectionLost()))

    def getDestination(self) -> None:
        """
        See L{twisted.internet.interfaces.IConnector}.
        """


@implementer(IReactorTCP, IReactorTime)
@define(eq=False)
class MemoryNetwork(Clock):
    """
    What C{reactor} is to all nodes of a test.

    @ivar ports: what listens, by address.
    @ivar connections: both ends of each, in the order of connecting; the one that
        connected first.
    @ivar held: what frozen transports hold back.
    @ivar lost: addresses from which nothing comes back.
    @ivar accepting: addresses where the kernel accepts, and nobody ever answers.
    """

    ports: dict[Place, MemoryPort] = field(factory=dict)
    connections: list[tuple[MemoryTransport, MemoryTransport]] = field(factory=list)
    held: dict[MemoryTransport, list[Callable[[], None]]] = field(factory=dict)
    lost: set[Place] = field(factory=set)
    accepting: set[Place] = field(factory=set)
    _pending: deque[Callable[[], None]] = field(factory=deque)
    _number: int = 40000

    def __attrs_post_init__(self) -> None:
        super().__init__()

    def deliver(self, calls: list[Callable[[], None]]) -> None:
        """
        Have something happen at the next L{settle}.
        """
        self._pending.extend(calls)

    def settle(self) -> None:
        """
        Deliver all that is under way.
        """
        while self._pending:
            self._pending.popleft()()

    def pass_(self, seconds: float, step: float = 0.05) -> None:
        """
        Let time pass, and deliver what is sent meanwhile.
        """
        self.settle()
        for _ in range(round(seconds / step)):
            self.advance(step)
            self.settle()

    def listenTCP(
        self, port: int, factory: Any, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """
        See L{IReactorTCP}.
        """
        place = (interface, port or self._next())
        if place in self.ports:
            raise CannotListenError(interface, port, OSError("in use"))
        opened = MemoryPort(self, place, factory)
        opened.startListening()
        return opened

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float = 30, bindAddress: Any = None
    ) -> Any:
        """
        See L{IReactorTCP}.
        """
        connector = _Connector(factory)
        factory.startedConnecting(connector)
        if (host, port) not in self.lost:
            self.deliver([lambda: self._arrive(connector, (host, port))])
        return connector

    def _arrive(self, connector: _Connector, place: Place) -> None:
        if connector.given:
            return
        connector.given = True
        listening = self.ports.get(place)
        if listening is None and place not in self.accepting:
            reason = Failure(ConnectionRefusedError("refused"))
            connector.factory.clientConnectionFailed(connector, reason)
            return
        near = connector.factory.buildProtocol(IPv4Address("TCP", *place))
        far = None
        if listening is not None:
            far = listening.factory.buildProtocol(IPv4Address("TCP", "192.0.2.200", 1))
        self.join(near, far, place)

    def join(
        self, near: Any, far: Any, place: Place = ("192.0.2.9", 7000)
    ) -> tuple[MemoryTransport, MemoryTransport]:
        """
        Connect two protocols.

        @param near: the one that connects, C{far} the one at C{place}; C{None}: the
            kernel accepts, and nobody answers.
        @return: the ends of the connection.
        """
        source = ("192.0.2.200", self._next())
        ends = MemoryTransport(self, source, place), MemoryTransport(self, place, source)
        self.connections.append(ends)
        ends[0].protocol, ends[1].protocol = near, far
        if far is not None:
            ends[0].other, ends[1].other = ends[1], ends[0]
            far.makeConnection(ends[1])
        near.makeConnection(ends[0])
        return ends

    def _next(self) -> int:
        self._number += 1
        return self._number
