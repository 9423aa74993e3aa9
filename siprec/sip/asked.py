"""
At which of our addresses a datagram came, and how to answer from that one: a
socket that is bound to all of them would answer from the address that the system
sends from by itself (RFC 3261 section 18.2.2, RFC 3581 section 4).
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from functools import lru_cache
from typing import Any

__all__ = ["AskedSocket"]

# Of Linux (ip(7), ipv6(7)); Python names the second pair only.
_IP_PKTINFO = 8
_RECVPKTINFO, _PKTINFO = socket.IPV6_RECVPKTINFO, socket.IPV6_PKTINFO

# Interface, the address that is ours, the one in the packet; address, interface.
_INFO, _INFO6 = struct.Struct("=I4s4s"), struct.Struct("=16sI")
_SPACE = socket.CMSG_SPACE(_INFO6.size) + socket.CMSG_SPACE(_INFO.size)

# Addresses of ours that are remembered.
_MOST = 256

# The address is not ours, or not any more.
_NOT_OURS = frozenset({errno.EADDRNOTAVAIL, errno.EINVAL, errno.ENETUNREACH, errno.ENODEV})


class AskedSocket:
    """
    Stands for a UDP socket that is bound to the wildcard; it is used in its
    place.

    @ivar local: the address of ours that the last datagram came to; empty: it is
        not known.
    """

    def __init__(self, wrapped: socket.socket) -> None:
        self.local = ""
        self._socket = wrapped
        self._six = wrapped.family == socket.AF_INET6
        if self._six:
            wrapped.setsockopt(socket.IPPROTO_IPV6, _RECVPKTINFO, 1)
        else:
            wrapped.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)

    def recvfrom(self, size: int) -> tuple[bytes, Any]:
        """
        As of C{socket.socket}; sets L{local}.
        """
        data, ancillary, _, address = self._socket.recvmsg(size, _SPACE)
        self.local = next(filter(None, map(_localOf, ancillary)), "")
        return data, address

    def sendFrom(self, local: str, data: bytes, remote: tuple[str, int]) -> bool:
        """
        Send a datagram from one of our addresses.

        @param local: an IP address.
        @param remote: of the socket's family.
        @return: whether it could be; if not, that address is not ours.
        @raise OSError: it could not for another reason.
        """
        try:
            self._socket.sendmsg([data], [_fromLocal(local, self._six)], 0, remote)
        except OSError as error:
            if error.errno not in _NOT_OURS:
                raise
            return False
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


# Each datagram asks for one of these few.
@lru_cache(_MOST)
def _fromLocal(local: str, six: bool) -> tuple[int, int, bytes]:
    """
    @return: what is to stand beside a datagram that leaves from an address.
    """
    address = ipaddress.ip_address(local.partition("%")[0])
    if not six:
        return socket.IPPROTO_IP, _IP_PKTINFO, _INFO.pack(0, address.packed, bytes(4))
    if address.version == 4:
        address = ipaddress.ip_address(f"::ffff:{address}")
    return socket.IPPROTO_IPV6, _PKTINFO, _INFO6.pack(address.packed, 0)


@lru_cache(_MOST)
def _localOf(item: tuple[int, int, bytes]) -> str:
    """
    @return: the address in one piece of what comes beside a datagram.
    """
    level, kind, data = item
    if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO) and len(data) >= _INFO.size:
        return str(ipaddress.IPv4Address(_INFO.unpack_from(data)[1]))
    if (level, kind) == (socket.IPPROTO_IPV6, _PKTINFO) and len(data) >= _INFO6.size:
        found = ipaddress.IPv6Address(_INFO6.unpack_from(data)[0])
        return str(found.ipv4_mapped or found)
    return ""
