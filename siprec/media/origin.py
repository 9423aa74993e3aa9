"""
Where packets come from, and where those of a stream may.

An address is compared as the kernel writes it beside a packet: as the words of a
C{sockaddr}, without its port.  So numpy can look at many at once
(L{siprec.media.sifting}).
"""

import socket
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Literal

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

__all__ = [
    "ANYBODY",
    "CLOSED",
    "FOUR",
    "NAME",
    "OPEN",
    "SIX",
    "WAITING",
    "Expected",
    "How",
    "Key",
    "hostOf",
    "keyOf",
    "keysOf",
    "maskOf",
    "nameOf",
    "strangers",
]

#: What one packet's address takes: the words of C{struct sockaddr_in6}, and room.
NAME = np.dtype([("head", np.int64), ("high", np.int64), ("low", np.int64), ("scope", np.int64)])

#: An address in words: family (with it, for IPv4, the address), and the two halves of
#: an IPv6 address, else zeros.
Key = tuple[int, int, int]

#: See L{Expected}.
How = Literal["latch", "sdp", "any", "wait"]

_WORDS = struct.Struct("=qqq")


def _words(octets: bytes) -> Key:
    head, high, low = _WORDS.unpack(octets.ljust(_WORDS.size, b"\0"))
    return head, high, low


def _masked(head: bytes) -> int:
    return _words(head)[0]


#: What of the first word is compared, by family.
FOUR, SIX = _masked(b"\xff\xff\0\0\xff\xff\xff\xff"), _masked(b"\xff\xff\0\0\0\0\0\0")
_FAMILY_SIX = _masked(struct.pack("=H", socket.AF_INET6))

#: Mask and address of who takes everybody's packets, and nobody's.
OPEN: tuple[int, Key] = (0, (0, 0, 0))
CLOSED: tuple[int, Key] = (-1, (0, 0, 0))


@frozen
class Expected:
    """
    Who may send on a stream.

    @ivar how: C{"latch"}: C{host}, or else who is found to send; C{"sdp"}: C{host} only;
        C{"any"}: whoever does; C{"wait"}: that will be said later, and until then what
        comes is held.
    @ivar host: an IP literal; anything else names nobody.
    @ivar control: the same, of who sends RTCP besides.
    """

    how: How
    host: str = ""
    control: str = ""

    @property
    def named(self) -> bool:
        """
        Whether C{host} is one single host.
        """
        return _single(self.host) is not None


#: Whoever does, and what is known before anything was said.
ANYBODY, WAITING = Expected("any"), Expected("wait")


def _single(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return None if address.is_unspecified or address.is_multicast else address


def keyOf(host: str, family: int) -> Key | None:
    """
    @param family: of the socket: one for IPv6 tells IPv4 addresses in mapped form.
    @return: the address of C{host} as packets would carry it; C{None}: it is not one
        single host, or none that can reach such a socket.
    """
    address = _single(host)
    if address is None:
        return None
    head = struct.pack("=HH", family, 0)
    if family == socket.AF_INET6:
        mapped = bytes(10) + b"\xff\xff" + address.packed
        return _words(head + bytes(4) + (mapped if address.version == 4 else address.packed))
    return _words(head + address.packed) if address.version == 4 else None


def keysOf(names: NDArray[np.void]) -> list[Key]:
    """
    @param names: of type L{NAME}, one for each packet.
    @return: their addresses.
    """
    return [
        (head & SIX, high, low) if head & SIX == _FAMILY_SIX else (head & FOUR, 0, 0)
        for head, high, low, _ in names.tolist()
    ]


def maskOf(key: Key) -> int:
    """
    @return: what of the first word of a packet's address is compared with C{key}.
    """
    return SIX if key[0] == _FAMILY_SIX else FOUR


def nameOf(host: str, family: int) -> tuple[int, int, int, int]:
    """
    @return: what the kernel would write for a packet from C{host}.
    """
    return *(keyOf(host, family) or (0, 0, 0)), 0


def hostOf(key: Key) -> str:
    """
    @return: the address as text.
    """
    octets = _WORDS.pack(*key)
    if key[0] != _FAMILY_SIX:
        return str(IPv4Address(octets[4:8]))
    address = IPv6Address(octets[8:24])
    return str(address.ipv4_mapped or address)


def strangers(
    names: NDArray[np.void],
    counts: NDArray[np.int64],
    rows: NDArray[np.int64],
    expected: NDArray[np.void],
) -> NDArray[np.bool_] | None:
    """
    @param names: of type L{NAME}, one for each packet.
    @param counts: how many packets there are in each run of them.
    @param rows: the row in C{expected} of each run.
    @param expected: with C{mask}, C{head}, C{high} and C{low}: see L{maskOf}; a mask of
        0 takes everybody's.
    @return: for each packet whether it comes from somebody else; C{None}: none does.
    """
    masks = expected["mask"][rows]
    if not masks.any():
        return None
    head = names["head"] & masks.repeat(counts)
    found: NDArray[np.bool_] = head != expected["head"][rows].repeat(counts)
    six = masks == SIX
    if six.any():
        apart = names["high"] != expected["high"][rows].repeat(counts)
        apart |= names["low"] != expected["low"][rows].repeat(counts)
        found |= apart & six.repeat(counts)
    return found if found.any() else None
