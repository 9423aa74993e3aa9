"""
Fakes of sockets and of the transaction layer above them, for the tests of the
SIP transport.
"""

import errno
import socket
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError, MessageLengthError
from twisted.internet.interfaces import (
    IListeningPort,
    IReactorUDP,
    ISystemHandle,
    ITCPTransport,
    IUDPTransport,
)
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from zope.interface import implementer

from siprec.sip.errors import BadMessage
from siprec.sip.flow import Flow
from siprec.sip.interfaces import IMessageReceiver
from siprec.sip.message import Request, Response
from tests.sip.traffic import request

HERE = IPv4Address("TCP", "192.0.2.9", 5060)
THERE = IPv4Address("TCP", "192.0.2.7", 40000)


def _nothing() -> None:
    """
    No reaction.
    """


def wire(method: str = "OPTIONS") -> bytes:
    """
    @return: a whole message, as bytes.
    """
    return request(method).serialize()


@implementer(IMessageReceiver)
@define(eq=False)
class Receiver:
    """
    Keeps what a transport has received.

    @ivar react: is called each time.
    """

    messages: list[tuple[Request | Response, Flow]] = field(factory=list)
    bad: list[tuple[BadMessage, Flow]] = field(factory=list)
    react: Callable[[], None] = _nothing

    def messageReceived(self, message: Request | Response, flow: Flow) -> None:
        """
        See L{IMessageReceiver}.
        """
        self.messages.append((message, flow))
        self.react()

    def badMessage(self, error: BadMessage, flow: Flow) -> None:
        """
        See L{IMessageReceiver}.
        """
        self.bad.append((error, flow))
        self.react()


@define(eq=False)
class SocketOptions:
    """
    Stands for a socket object of which only options are set.
    """

    options: list[tuple[int, int, int]] = field(factory=list)

    def setsockopt(self, level: int, name: int, value: int) -> None:
        """
        See L{socket.socket}.
        """
        self.options.append((level, name, value))


@implementer(IListeningPort, IUDPTransport, ISystemHandle)
class MemoryDatagramPort:
    """
    A UDP socket that keeps what is sent.

    @ivar error: what C{write} raises, if anything.
    @ivar closeError: what C{stopListening} fails with, if anything.
    """

    def __init__(self, port: int, protocol: DatagramProtocol, interface: str, maxSize: int) -> None:
        kind = IPv6Address if ":" in interface else IPv4Address
        self.host = kind("UDP", interface or "0.0.0.0", port or 49152)
        self.protocol = protocol
        self.maxSize = maxSize
        self.handle = SocketOptions()
        self.sent: list[tuple[bytes, tuple[str, int]]] = []
        self.error: Exception | None = None
        self.closeError: Exception | None = None
        self.listening = False

    def startListening(self) -> None:
        """
        See L{IListeningPort}.
        """
        self.listening = True
        self.protocol.makeConnection(self)

    def stopListening(self) -> Deferred[None]:
        """
        See L{IListeningPort}.
        """
        self.listening = False
        self.protocol.doStop()
        return succeed(None) if self.closeError is None else fail(self.closeError)

    def getHost(self) -> Any:
        """
        See L{IListeningPort}.
        """
        return self.host

    def getHandle(self) -> Any:
        """
        See L{ISystemHandle}.
        """
        return self.handle

    def write(self, packet: bytes, addr: tuple[str, int] | None = None) -> None:
        """
        See L{IUDPTransport}; it refuses what the kernel would.
        """
        if self.error is not None:
            raise self.error
        if len(packet) > 65507:
            raise MessageLengthError("message too long")
        assert addr is not None
        family = socket.AF_INET6 if isinstance(self.host, IPv6Address) else socket.AF_INET
        try:
            socket.inet_pton(family, addr[0])
        except OSError as error:
            raise OSError(errno.EINVAL, "address of another family") from error
        self.sent.append((packet, addr))

    def connect(self, host: str, port: int) -> None:
        """
        See L{IUDPTransport}; not used.
        """
        raise NotImplementedError

    def setBroadcastAllowed(self, enabled: bool) -> None:
        """
        See L{IUDPTransport}; not used.
        """
        raise NotImplementedError

    def getBroadcastAllowed(self) -> bool:
        """
        See L{IUDPTransport}.
        """
        return False


@implementer(IReactorUDP)
class SocketReactor(MemoryReactorClock):
    """
    Twisted's reactor without a network, with UDP as well.

    @ivar used: ports that cannot be listened on.
    """

    def __init__(self) -> None:
        super().__init__()
        self.udpPorts: list[MemoryDatagramPort] = []
        self.used: set[int] = set()

    def listenUDP(
        self, port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192
    ) -> IListeningPort:
        """
        See L{IReactorUDP}.
        """
        if port in self.used:
            raise CannotListenError(interface, port, OSError(errno.EADDRINUSE, "in use"))
        opened = MemoryDatagramPort(port, protocol, interface, maxPacketSize)
        opened.startListening()
        self.udpPorts.append(opened)
        return opened

    def listenTCP(
        self, port: int, factory: Any, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """
        See L{twisted.internet.interfaces.IReactorTCP}.
        """
        if port in self.used:
            raise CannotListenError(interface, port, OSError(errno.EADDRINUSE, "in use"))
        listening: IListeningPort = super().listenTCP(port, factory, backlog, interface)
        return listening


@implementer(ITCPTransport)
class TCPTransport(StringTransport):
    """
    A string transport with the options of TCP.
    """

    def __init__(self, host: IPv4Address = HERE, peer: IPv4Address = THERE) -> None:
        super().__init__(host, peer)
        self.options: list[tuple[str, bool]] = []

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """
        See L{ITCPTransport}.
        """
        self.options.append(("keepalive", enabled))

    def setTcpNoDelay(self, enabled: bool) -> None:
        """
        See L{ITCPTransport}.
        """
        self.options.append(("nodelay", enabled))

    def getTcpKeepAlive(self) -> bool:
        """
        See L{ITCPTransport}.
        """
        return ("keepalive", True) in self.options

    def getTcpNoDelay(self) -> bool:
        """
        See L{ITCPTransport}.
        """
        return ("nodelay", True) in self.options

    def loseWriteConnection(self) -> None:
        """
        See L{ITCPTransport}.
        """
        self.options.append(("halfClosed", True))

    @property
    def halfClosed(self) -> bool:
        """
        Whether the sending side was closed.
        """
        return ("halfClosed", True) in self.options
