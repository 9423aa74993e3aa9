"""
SIP over UDP (RFC 3261 section 18).
"""

import errno
import ipaddress
import socket
from collections import Counter, OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from attrs import define, field
from twisted.internet.error import MessageLengthError
from twisted.internet.interfaces import ISystemHandle
from twisted.internet.protocol import DatagramProtocol

from siprec.sip.asked import AskedSocket
from siprec.sip.errors import BadMessage
from siprec.sip.flow import Flow, Witness, unseen
from siprec.sip.framing import parseDatagram
from siprec.sip.interfaces import FlowGone, IMessageReceiver
from siprec.sip.matching import plainHost
from siprec.sip.message import Request, Response
from siprec.sip.stun import BadStun, answerTo, isStun

#: Any datagram there can be.  Twisted cuts at 8,192 bytes if not told otherwise.
MAX_DATAGRAM = 65535

# Room for a burst of INVITEs with metadata; the kernel grants what it allows.
_RECEIVE_BUFFER = 4 << 20
# The network is full, not broken: as with any loss, a timer repairs it.
_BUSY = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS})
# Octets; nobody finds two datagrams with the same.
_DIGEST = 32


def isWildcard(host: str) -> bool:
    """
    @return: whether this address stands for all addresses of the machine.
    """
    return host in ("", "0.0.0.0", "::")


def facingAddress(host: str) -> str | None:
    """
    Ask the kernel which of our addresses it sends from to a peer.  No packet
    is sent.

    @param host: an IP address.
    @return: C{None} if there is no way to the peer.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
        except OSError:
            return None
        address: str = probe.getsockname()[0]
    return address


@define(eq=False, repr=False)
class FacingAddresses:
    """
    Remembers L{facingAddress}es for a while: addresses move, and peers that
    send from ever new addresses must not fill the memory.
    """

    _seconds: Callable[[], float]
    _ask: Callable[[str], str | None] = facingAddress
    _lifetime: float = 30.0
    _limit: int = 4096
    _known: dict[str, tuple[float, str | None]] = field(factory=dict, init=False)

    def get(self, host: str) -> str | None:
        """
        @return: as L{facingAddress}, at most C{lifetime} seconds old.
        """
        now = self._seconds()
        until, address = self._known.get(host, (now, None))
        if until > now:
            return address
        if len(self._known) >= self._limit:
            self._known.clear()
        address = self._ask(host)
        self._known[host] = (now + self._lifetime, address)
        return address


@define(eq=False, repr=False)
class RecentInvites:
    """
    Parses datagrams, and knows the last INVITEs again: who waits for an answer longer
    than half a second sends the same once more, and does so when there is most to do.

    @ivar limit: how many are remembered, at 300 a second those of the last three.
    @ivar longest: octets of one that is.
    """

    limit: int = 1024
    longest: int = 8192
    _known: OrderedDict[bytes, Request] = field(factory=OrderedDict, init=False)

    def parse(self, data: bytes) -> Request | Response | None:
        """
        See L{parseDatagram}.
        """
        if not data.startswith(b"INVITE ") or len(data) > self.longest:
            return parseDatagram(data)
        # The datagram itself would be a twenty-fifth of what a call holds.
        key = blake2b(data, digest_size=_DIGEST).digest()
        known = self._known.get(key)
        if known is not None:
            return known
        message = parseDatagram(data)
        if isinstance(message, Request):
            self._known[key] = message
            if len(self._known) > self.limit:
                self._known.popitem(last=False)
        return message


class DatagramListener(DatagramProtocol):
    """
    One UDP socket.

    @ivar address: the host (maybe the wildcard) and the port it is bound to.
    """

    transport: Any

    def __init__(
        self,
        receiver: IMessageReceiver,
        facing: FacingAddresses,
        counters: Counter[str],
        witness: Witness = unseen,
    ) -> None:
        self.address = ("", 0)
        self._receiver = receiver
        self._facing = facing
        self._asked: AskedSocket | None = None
        self._counters = counters
        self._witness = witness
        self._recent = RecentInvites()

    def startProtocol(self) -> None:
        """
        The socket is bound.
        """
        bound = self.transport.getHost()
        self.address = (bound.host, bound.port)
        if ISystemHandle.providedBy(self.transport):
            handle: Any = self.transport.getHandle()
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            if isWildcard(bound.host) and isinstance(handle, socket.socket):
                # The port reads by what stands there.
                port: Any = self.transport
                self._asked = port.socket = AskedSocket(handle)

    def flow(self, remote: tuple[str, int], asked: str = "") -> Flow:
        """
        @param asked: the address of ours that the peer has used.
        @return: the flow from this socket to a peer.  A wildcard is replaced
            with that, or with the address the kernel sends from, which is the
            one a peer can be told.
        """
        host, port = self.address
        if isWildcard(host):
            host = asked or self._facing.get(remote[0]) or host
        return Flow("UDP", (host, port), remote)

    def reaches(self, host: str) -> bool:
        """
        @return: whether a peer with this IP address can be sent to.
        """
        ours = self.address[0]
        # A socket for all of IPv6 takes and sends IPv4 as well (Linux).
        return (":" in ours) == (":" in host) or ours == "::"

    def datagramReceived(self, data: bytes, addr: tuple[str, int]) -> None:
        """
        One datagram came.
        """
        remote = (plainHost(addr[0]), addr[1])
        asked = "" if self._asked is None else self._asked.local
        if isStun(data):
            self._stun(data, remote, asked)
            return
        flow = self.flow(remote, asked)
        try:
            message = self._recent.parse(data)
        except BadMessage as error:
            self._witness(flow, False, data)
            self._receiver.badMessage(error, flow)
            return
        if message is None:
            self._counters["keepalives"] += 1
        else:
            self._witness(flow, False, data)
            self._receiver.messageReceived(message, flow)

    def _stun(self, data: bytes, remote: tuple[str, int], asked: str) -> None:
        try:
            answer = answerTo(data, *remote)
            if answer is not None:
                self.send(answer, remote, asked)
        except (BadStun, FlowGone):
            self._counters["badStun"] += 1
        else:
            self._counters["stun"] += 1

    def send(self, data: bytes, remote: tuple[str, int], local: str = "") -> None:
        """
        Send one datagram.

        @param local: from this address of ours, if it is one.
        @raise FlowGone: the network refuses it.
        """
        host, port = remote
        if self.address[0] == "::" and ":" not in host:
            host = f"::ffff:{ipaddress.IPv4Address(host)}"
        if self.transport is None:
            raise FlowGone("the UDP socket is closed")
        try:
            if not (self._asked and local and self._asked.sendFrom(local, data, (host, port))):
                self.transport.write(data, (host, port))
        except MessageLengthError as error:
            raise FlowGone(f"{len(data)} bytes are too many for UDP") from error
        except OSError as error:
            if error.errno not in _BUSY:
                raise FlowGone(f"UDP to {remote[0]}: {error}") from error
            self._counters["sendBufferFull"] += 1
