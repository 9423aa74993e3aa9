"""
The answer to a STUN Binding request on the SIP port, by which a peer behind a
NAT keeps its way to us open and sees its own address (RFC 8489; RFC 5626
sections 3.5.1 and 8).
"""

from __future__ import annotations

import ipaddress
import struct
import zlib
from collections.abc import Iterator

__all__ = ["BadStun", "answerTo", "isStun"]

_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_COOKIE = 0x2112A442

# The bits of a type that say which class it is (RFC 8489 section 5).
_CLASSES = 0x0110
_REQUEST, _INDICATION = 0x0000, 0x0010
_BINDING, _SUCCESS, _ERROR = 0x0001, 0x0101, 0x0111

_ERROR_CODE, _UNKNOWN, _XOR_ADDRESS, _FINGERPRINT = 0x0009, 0x000A, 0x0020, 0x8028
_FINGERPRINT_MASK = 0x5354554E

# Of the attributes that must be understood, those that ask for nothing here: who
# the peer is does not matter (RFC 5626 section 8), nor an address of its own.
_UNDERSTOOD = frozenset((0x0001, 0x0006, 0x0008, 0x0009, 0x000A, 0x0014, 0x0015, 0x0020))
_OPTIONAL = 0x8000

# Longer ones are no keepalives (RFC 8489 section 6.1: the least that fits anywhere).
_LONGEST = 548

# So many types that are unknown are named.
_MOST_UNKNOWN = 8


class BadStun(ValueError):
    """
    What begins as STUN is none, and calls for no answer.
    """


def isStun(data: bytes) -> bool:
    """
    @return: whether a datagram is one of STUN, by its first octet, and no SIP,
        which begins with a letter or a line break, nor a keepalive of zeros.
    """
    return data[:1] in (b"\0", b"\x01") and bool(data.strip(b"\0"))


def answerTo(data: bytes, host: str, port: int) -> bytes | None:
    """
    @param data: a datagram that L{isStun}.
    @param host: IP address that it came from.
    @return: the response, which is at most 24 octets longer than what it answers;
        C{None}: there is none to give.
    @raise BadStun: it is damaged, or of another protocol.
    """
    if not _HEADER.size <= len(data) <= _LONGEST:
        raise BadStun(f"{len(data)} octets")
    kind, length, cookie, transaction = _HEADER.unpack_from(data)
    if cookie != _COOKIE or length != len(data) - _HEADER.size or length % 4:
        raise BadStun("not a header of STUN")
    attributes = list(_attributes(data))
    printed = bool(attributes) and attributes[-1][0] == _FINGERPRINT
    if printed and attributes[-1][1] != _fingerprint(data[:-8]):
        raise BadStun("wrong fingerprint")
    if kind & _CLASSES == _INDICATION:
        return None
    if kind != _BINDING:
        raise BadStun(f"type {kind:#06x}")
    unknown = [each for each, _ in attributes if each < _OPTIONAL and each not in _UNDERSTOOD]
    if unknown:
        return _message(_ERROR, transaction, _refusal(unknown[:_MOST_UNKNOWN]), printed)
    return _message(_SUCCESS, transaction, _xorAddress(host, port, transaction), printed)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = _HEADER.size
    while offset < len(data):
        kind, length = _ATTRIBUTE.unpack_from(data, offset)
        start, offset = offset + 4, offset + 4 + (length + 3) // 4 * 4
        if offset > len(data):
            raise BadStun("an attribute is longer than the message")
        yield kind, data[start : start + length]
        if kind == _FINGERPRINT:
            break  # what is behind it does not count (RFC 8489 section 14.7)
    if offset < len(data):
        raise BadStun("the fingerprint is not the last")


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def _xorAddress(host: str, port: int, transaction: bytes) -> bytes:
    """
    RFC 8489 section 14.2.
    """
    # A scope, as in fe80::1%eth0, is ours alone.
    address = ipaddress.ip_address(host.partition("%")[0]).packed
    mask = struct.pack("!I", _COOKIE) + transaction
    covered = bytes(a ^ b for a, b in zip(address, mask, strict=False))
    family = 1 if len(address) == 4 else 2
    return _attribute(
        _XOR_ADDRESS, struct.pack("!BBH", 0, family, port ^ (_COOKIE >> 16)) + covered
    )


def _refusal(unknown: list[int]) -> bytes:
    """
    420 and what is not known (RFC 8489 sections 6.3.1, 14.8 and 14.9).
    """
    code = _attribute(_ERROR_CODE, struct.pack("!HBB", 0, 4, 20))
    return code + _attribute(_UNKNOWN, struct.pack(f"!{len(unknown)}H", *unknown))


def _message(kind: int, transaction: bytes, body: bytes, printed: bool) -> bytes:
    length = len(body) + (8 if printed else 0)
    made = _HEADER.pack(kind, length, _COOKIE, transaction) + body
    return made + _attribute(_FINGERPRINT, _fingerprint(made)) if printed else made


def _fingerprint(before: bytes) -> bytes:
    """
    @param before: all in front of the attribute; the header counts it already.
    @return: its value (RFC 8489 section 14.7).
    """
    return struct.pack("!I", zlib.crc32(before) ^ _FINGERPRINT_MASK)
