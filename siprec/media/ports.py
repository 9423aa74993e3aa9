"""
Pairs of UDP ports for media: an even one for RTP and the odd one after it for RTCP
(RFC 3550 section 11; some session border controllers check the parity).
"""

import ctypes
import errno
import os
import secrets
import socket
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any

from attrs import define, field, frozen
from twisted.logger import Logger
from zope.interface import implementer

from siprec.media.batch import askForControl
from siprec.media.interfaces import IPortPair, IPortPool

__all__ = ["NoFreePorts", "PortPair", "PortPool", "disconnect", "enlarge", "openSocket"]

log = Logger()

_SO_RCVBUFFORCE = 33  # asm-generic/socket.h; Python does not name it
#: The kernel doubles it: 1 MiB holds a second of 50 packets even where each takes a
#: 16 KiB buffer of the network driver.
_RECEIVE_BUFFER = 512 * 1024
#: One second of 50 packets at 4 KiB each, which is what a common driver takes.
_LEAST_BUFFER = 200 * 1024
#: That of the discard service (RFC 863), from which nobody sends.
_DISCARD = 9


class NoFreePorts(Exception):
    """
    Every pair of the range is in use or cooling down.
    """


@implementer(IPortPair)
@frozen(eq=False)
class PortPair:
    """
    See L{IPortPair}.
    """

    host: str
    rtpPort: int
    rtcpPort: int
    rtp: socket.socket
    rtcp: socket.socket


def openSocket(host: str, port: int, shared: bool = False) -> socket.socket:
    """
    @param shared: whether another process may be bound there too, if it says so.
    @return: a UDP socket bound there, non-blocking, that tells arrival times and drops.
    @raise OSError: it cannot be bound.
    """
    # The number of an interface may be another one by now.
    resolve = _resolved.__wrapped__ if "%" in host else _resolved
    family, (numeric, _, *scope) = resolve(host)
    address = (numeric, port, *scope)
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        askForControl(sock)
        if shared:
            _allowOthers(sock, True)
        sock.bind(address)
        if shared:
            _allowOthers(sock, False)  # only the one that gives its ports away now
    except OSError:
        sock.close()
        raise
    return sock


# There are few of them, and each call asks four times.
@lru_cache(maxsize=64)
def _resolved(host: str) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    """
    @return: the family of an address, and what C{bind} wants of it.
    @raise OSError: it is none.
    """
    # Numeric only, so that nothing is asked of a name server.
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, 0, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )[0]
    except socket.gaierror as error:
        raise OSError(errno.EADDRNOTAVAIL, f"no IP address: {error.strerror}", host) from error
    return family, address


def _allowOthers(sock: socket.socket, allowed: bool) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(allowed))


def disconnect(sock: socket.socket) -> None:
    """
    Undo C{connect}: the socket takes packets from anybody again.

    @raise OSError: it is closed.
    """
    # AF_UNSPEC is 0; Python has no address of that family.
    nowhere = ctypes.create_string_buffer(16)
    if ctypes.CDLL(None, use_errno=True).connect(sock.fileno(), nowhere, len(nowhere)):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def enlarge(sock: socket.socket) -> int:
    """
    @return: the octets that the kernel gives now.
    """
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


@implementer(IPortPool)
@define(eq=False, repr=False)
class PortPool:
    """
    The pairs of one range.  A pair is used once at a time, whatever the host.

    Free ports are handed out in a random order, and each again only after all
    others: who goes on sending to a call that is over shall not be recorded in the
    next one.

    @ivar _seconds: a clock that does not go back.
    @ivar _cooldown: seconds from the release of a pair to its next use.
    """

    _lowPort: int
    _highPort: int
    _seconds: Callable[[], float]
    _cooldown: float = 10.0
    _openSocket: Callable[[str, int, bool], socket.socket] = field(default=openSocket, kw_only=True)
    _disconnect: Callable[[socket.socket], None] = field(default=disconnect, kw_only=True)
    _free: OrderedDict[int, None] = field(init=False)
    _cooling: deque[tuple[float, int]] = field(factory=deque, init=False)
    _ready: dict[int, float] = field(factory=dict, init=False)
    _used: Counter[int] = field(factory=Counter, init=False)
    _warned: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        if not 1 <= self._lowPort < self._highPort <= 65535:
            raise ValueError(f"{self._lowPort}-{self._highPort}: not a range of ports")
        ports = list(range(self._lowPort + self._lowPort % 2, self._highPort, 2))
        if not ports:
            raise ValueError(f"{self._lowPort}-{self._highPort}: no even port with its odd one")
        # Ordered by what is drawn at once: a shuffle draws for each, which takes longer.
        drawn = memoryview(secrets.token_bytes(8 * len(ports))).cast("Q")
        self._free = OrderedDict.fromkeys(
            port for _, port in sorted(zip(drawn, ports, strict=True))
        )

    @property
    def free(self) -> int:
        """
        See L{IPortPool}.
        """
        self._warmUp()
        return len(self._free)

    def _warmUp(self) -> None:
        now = self._seconds()
        while self._cooling and self._cooling[0][0] <= now:
            at, port = self._cooling.popleft()
            # Else it was claimed meanwhile, and perhaps released once more.
            if self._ready.get(port) == at:
                del self._ready[port]
                self._free[port] = None

    def _cool(self, port: int) -> None:
        self._ready[port] = at = self._seconds() + self._cooldown
        self._cooling.append((at, port))

    def allocate(self, host: str) -> PortPair:
        """
        See L{IPortPool}.
        """
        self._warmUp()
        while self._free:
            port, _ = self._free.popitem(last=False)
            try:
                return self._bind(host, port)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    self._free[port] = None
                    raise
                self._cool(port)  # some other process has it: try again later
        raise NoFreePorts(f"no free pair in {self._lowPort}-{self._highPort}")

    def claim(self, host: str, rtpPort: int, shared: bool = False) -> PortPair:
        """
        See L{IPortPool}.
        """
        if rtpPort % 2 or not 2 <= rtpPort <= 65534:
            raise ValueError(f"{rtpPort}: not an even port")
        pair = self._bind(host, rtpPort, shared)
        self._free.pop(rtpPort, None)
        self._ready.pop(rtpPort, None)
        return pair

    def share(self, pair: IPortPair) -> None:
        """
        See L{IPortPool}.
        """
        try:
            for sock in (pair.rtp, pair.rtcp):
                _allowOthers(sock, True)
        except OSError:
            self._undo(pair, lambda sock: _allowOthers(sock, False))
            raise

    def divert(self, pair: IPortPair) -> None:
        """
        See L{IPortPool}.
        """
        try:
            for sock in (pair.rtp, pair.rtcp):
                # A socket gets nothing but what its peer sends.  Its own address can
                # be reached from it wherever it is bound; IPv6 has a scope, too.
                host, _, *scope = sock.getsockname()
                sock.connect((host, _DISCARD, *scope))
        except OSError:
            self._undo(pair, self._disconnect)
            raise

    def unshare(self, pair: IPortPair) -> None:
        """
        See L{IPortPool}.
        """
        for sock in (pair.rtp, pair.rtcp):
            self._disconnect(sock)
            _allowOthers(sock, False)

    def _undo(self, pair: IPortPair, step: Callable[[socket.socket], None]) -> None:
        for sock in (pair.rtp, pair.rtcp):
            with suppress(OSError):  # the first failure is the one to tell
                step(sock)

    def release(self, pair: IPortPair, used: bool = True) -> None:
        """
        See L{IPortPool}.
        """
        if pair.rtp.fileno() < 0:
            return
        pair.rtp.close()
        pair.rtcp.close()
        port = pair.rtpPort
        self._used[port] -= 1
        if not self._used[port]:
            del self._used[port]
            if not self._lowPort <= port < self._highPort:
                return
            if used:
                self._cool(port)
            else:
                # Nobody has been told of it, so nobody will send to it.
                self._free[port] = None

    def _bind(self, host: str, port: int, shared: bool = False) -> PortPair:
        rtp = self._openSocket(host, port, shared)
        try:
            rtcp = self._openSocket(host, port + 1, shared)
        except OSError:
            rtp.close()
            raise
        size = enlarge(rtp)
        if size < _LEAST_BUFFER and not self._warned:
            self._warned = True
            log.warn(
                "receive buffers of {size} octets may not hold one second of media: raise"
                " the sysctl net.core.rmem_max to {wanted}",
                size=size,
                wanted=_RECEIVE_BUFFER,
            )
        self._used[port] += 1
        return PortPair(host, port, port + 1, rtp, rtcp)
