"""
Records as bytes: msgpack, an array of the schema's number and the fields.

What a record's model does not fix (free mappings) comes back equal too, down
to list or tuple and to text that is no valid UTF-8: the header text of SIP is
decoded with C{surrogateescape}, so a peer can cause lone surrogates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgpack

from siprec.session.model import NodeLease, SessionData
from siprec.store.errors import CorruptRecord
from siprec.store.shape import BadShape, fromPlain, toPlain

__all__ = ["SCHEMA", "decode", "decodeLease", "encode", "encodeLease"]

#: Raised with each change of the model that a reader of the one before could
#: not cope with: for it, an unknown field is such a change.  Every schema from
#: 1 on is read: a field that an older one lacks takes its default.
SCHEMA = 5

# Of leases, which change less often: nodes of the last version must see that
# those of this one live.
_LEASES = 1

# Extension types of msgpack (0 to 127 are the application's).
_TUPLE = 1  # no data; first item of an array that was a tuple
_INTEGER = 2  # two's complement, for what does not fit in 64 bits

_MARK = msgpack.ExtType(_TUPLE, b"")


def encode(data: SessionData) -> bytes:
    """
    @return: the record; C{remaining} is no part of it.
    @raise TypeError: a free mapping holds what is no plain value.
    @raise ValueError: a free mapping is nested deeper than some 500 levels.
    """
    return _pack(toPlain(data), SCHEMA)


def decode(blob: bytes, key: str = "") -> SessionData:
    """
    @param key: the record's, for the error.
    @raise CorruptRecord: the bytes are no record, or one of a newer schema.
    """
    data: SessionData = _unpack(SessionData, blob, key, SCHEMA)
    return data


def encodeLease(lease: NodeLease) -> bytes:
    """
    @return: the lease, C{expires} as it is.
    @raise TypeError: C{data} holds what is no plain value.
    @raise ValueError: C{data} is nested deeper than some 500 levels.
    """
    return _pack(toPlain(lease), _LEASES)


def decodeLease(blob: bytes, key: str = "") -> NodeLease:
    """
    @param key: the lease's, for the error.
    @raise CorruptRecord: the bytes are no lease, or one of a newer schema.
    """
    lease: NodeLease = _unpack(NodeLease, blob, key, _LEASES)
    return lease


def _pack(plain: dict[str, Any], schema: int) -> bytes:
    return msgpack.packb(
        [schema, plain],
        default=_packOther,
        # Without this, a tuple would be packed as a list before anyone is asked.
        strict_types=True,
        unicode_errors="surrogatepass",
    )


def _packOther(value: object) -> object:
    """
    @return: what msgpack knows, in place of what it does not.
    """
    if isinstance(value, tuple):
        # A nested message inside an extension would do too, but then garbage
        # could nest unpackers until the C stack is used up.
        return [_MARK, *value]
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, int):
        return msgpack.ExtType(
            _INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)
        )
    if isinstance(value, str):  # subclasses, such as the members of a StrEnum
        return str.__str__(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, list):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be stored: it is no plain value")


def _unpack(wanted: type[Any], blob: bytes, key: str, newest: int) -> Any:
    try:
        unpacked = msgpack.unpackb(
            blob,
            ext_hook=_unpackOther,
            list_hook=_unpackList,
            strict_map_key=False,
            unicode_errors="surrogatepass",
        )
    except Exception as error:
        # The library promises no closed set of exceptions for garbage: those
        # seen are ValueError and its kin, TypeError (a list as a key) and
        # OverflowError.
        raise CorruptRecord(key, f"no msgpack: {type(error).__name__}") from error
    if type(unpacked) is not list or len(unpacked) != 2 or type(unpacked[0]) is not int:
        raise CorruptRecord(key, "no schema number")
    schema, plain = unpacked
    if not 1 <= schema <= newest:
        raise CorruptRecord(key, f"schema {schema}; known are 1 to {newest}")
    try:
        return fromPlain(wanted, plain)
    except BadShape as bad:
        raise CorruptRecord(key, str(bad)) from bad


def _unpackOther(code: int, data: bytes) -> object:
    if code == _TUPLE and not data:
        return _MARK
    if code == _INTEGER and data:
        return int.from_bytes(data, "big", signed=True)
    raise ValueError(f"extension type {code}")


def _unpackList(items: list[Any]) -> list[Any] | tuple[Any, ...]:
    if items and items[0] is _MARK:
        return tuple(items[1:])
    return items
