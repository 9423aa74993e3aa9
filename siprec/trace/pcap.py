"""
SIP messages as packets in a file that Wireshark opens.

What the node has are messages: the packets around them are made up.  A datagram is in
one packet; what came or went by a stream, TLS as well, is in segments of TCP that
follow each other, in clear text.
"""

from __future__ import annotations

import ipaddress
import struct
from collections import OrderedDict
from collections.abc import Iterator

from attrs import define, field

from siprec.trace.wire import TracedMessage

__all__ = ["End", "PcapWriter", "datagram", "endOf"]

# The classic format, in microseconds; each packet begins with its IP header.
_MAGIC, _VERSION, _SNAP_LENGTH, _RAW_IP = 0xA1B2C3D4, (2, 4), 262144, 101
_TCP, _UDP = 6, 17
_PUSH_ACK = 0x18
_HOPS = 64
_DONT_FRAGMENT = 0x4000
# The length of a packet has 16 bits, with the headers that are in it.
_SEGMENT = 60000
_DATAGRAM = {4: 65535 - 20 - 8, 6: 65535 - 8}
# So many connections are remembered; one that is forgotten begins anew.
_CONNECTIONS = 4096

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_End = tuple[_Address, int]

#: An address and a port.
End = _End


def endOf(host: str, port: int, version: int | None = None) -> End:
    """
    @param version: of IP, in which it is to be written; C{None}: its own.
    @return: the address, of zeros if C{host} is none.
    """
    address = _address(host) or ipaddress.IPv4Address(0)
    return (_asV6(address) if version == 6 else address), port


def datagram(micros: int, source: End, target: End, data: bytes) -> bytes:
    """
    @param micros: when it came, microseconds since the epoch.
    @param target: with an address of the same version as C{source}.
    @return: the record of a datagram, cut where no packet is longer.
    """
    data = data[: _DATAGRAM[source[0].version]]
    return _record(micros, _ip(_UDP, source[0], target[0], _udp(source, target, data)))


def _record(micros: int, packet: bytes) -> bytes:
    size = len(packet)
    return struct.pack("<IIII", *divmod(micros, 1_000_000), size, size) + packet


@define(eq=False, repr=False)
class PcapWriter:
    """
    Makes the octets of one file.
    """

    _next: OrderedDict[tuple[object, ...], dict[bool, int]] = field(factory=OrderedDict, init=False)

    def head(self) -> bytes:
        """
        @return: what the file begins with.
        """
        return struct.pack("<IHHiIII", _MAGIC, *_VERSION, 0, 0, _SNAP_LENGTH, _RAW_IP)

    def packets(self, message: TracedMessage) -> bytes:
        """
        @return: the packets of a message.
        """
        local, remote = _ends(message)
        source, target = (local, remote) if message.sent else (remote, local)
        bodies = self._bodies(message, source, target)
        micros = round(message.time * 1_000_000)
        return b"".join(
            _record(micros, _ip(protocol, source[0], target[0], body)) for protocol, body in bodies
        )

    def _bodies(
        self, message: TracedMessage, source: _End, target: _End
    ) -> Iterator[tuple[int, bytes]]:
        data = message.data
        if message.transport == "UDP":
            yield _UDP, _udp(source, target, data[: _DATAGRAM[source[0].version]])
            return
        numbers = self._numbers(message)
        for start in range(0, len(data), _SEGMENT):
            part = data[start : start + _SEGMENT]
            sequence, acknowledged = numbers[message.sent], numbers[not message.sent]
            yield _TCP, _tcp(source, target, sequence, acknowledged, part)
            numbers[message.sent] = (sequence + len(part)) & 0xFFFFFFFF

    def _numbers(self, message: TracedMessage) -> dict[bool, int]:
        key = (message.connection, message.local, message.remote)
        numbers = self._next.setdefault(key, {True: 1, False: 1})
        self._next.move_to_end(key)
        if len(self._next) > _CONNECTIONS:
            self._next.popitem(last=False)
        return numbers


def _ends(message: TracedMessage) -> tuple[_End, _End]:
    """
    @return: of the node and of the peer, both with addresses of the same version.
    """
    local, remote = _address(message.local[0]), _address(message.remote[0])
    if remote is None:
        remote = ipaddress.IPv4Address(0)
    if local is None or (local.version != remote.version and int(local) == 0):
        # A socket for all addresses, and no way to the peer any more.
        local = type(remote)(0)
    if local.version != remote.version:
        local, remote = _asV6(local), _asV6(remote)
    return (local, message.local[1]), (remote, message.remote[1])


def _address(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _asV6(address: _Address) -> ipaddress.IPv6Address:
    if isinstance(address, ipaddress.IPv6Address):
        return address
    return ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)


def _ip(protocol: int, source: _Address, target: _Address, body: bytes) -> bytes:
    if source.version == 6:
        head = struct.pack("!IHBB", 6 << 28, len(body), protocol, _HOPS)
        return head + source.packed + target.packed + body
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, _DONT_FRAGMENT, _HOPS, protocol, 0)
    head += source.packed + target.packed
    return head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + body


def _udp(source: _End, target: _End, data: bytes) -> bytes:
    head = struct.pack("!HHHH", source[1], target[1], 8 + len(data), 0)
    checksum = _checksum(_pseudo(_UDP, source, target, head + data))
    # 0 would say that there is none (RFC 768).
    return head[:6] + struct.pack("!H", checksum or 0xFFFF) + data


def _tcp(source: _End, target: _End, sequence: int, acknowledged: int, data: bytes) -> bytes:
    head = struct.pack(
        *("!HHIIBBHHH", source[1], target[1], sequence, acknowledged),
        *(5 << 4, _PUSH_ACK, 0xFFFF, 0, 0),
    )
    checksum = _checksum(_pseudo(_TCP, source, target, head + data))
    return head[:16] + struct.pack("!H", checksum) + head[18:] + data


def _pseudo(protocol: int, source: _End, target: _End, body: bytes) -> bytes:
    """
    @return: what a checksum is of, written as for IPv6 (RFC 8200 section 8.1); that
        for IPv4 has the same sum.
    """
    packed = source[0].packed + target[0].packed
    return packed + struct.pack("!IHBB", len(body), 0, 0, protocol) + body


def _checksum(data: bytes) -> int:
    """
    @return: the Internet checksum (RFC 1071).
    """
    padded = data + b"\0" * (len(data) % 2)
    words: tuple[int, ...] = struct.unpack(f"!{len(padded) // 2}H", padded)
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
