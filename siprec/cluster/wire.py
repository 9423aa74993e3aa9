"""
What the nodes of a cluster say to one another, as bytes.

A frame is a length of 4 bytes, the most significant first, and so many bytes of
msgpack: an array of the message's code and its fields, in their order.  Codes that
are not known, and fields after the known ones, are passed over: a newer node may
send them.  All else that is not as it should be ends the connection.
"""

from collections.abc import Callable
from typing import Any

import msgpack
from attrs import astuple, define, field, fields, frozen

__all__ = [
    "MAX_FRAME",
    "SCHEMAS",
    "Answer",
    "BadFrame",
    "Failed",
    "FrameCutter",
    "FrameReader",
    "Goodbye",
    "Message",
    "Notice",
    "Ping",
    "Pong",
    "Request",
    "Unsendable",
    "encode",
    "frame",
    "pack",
    "unpack",
]

#: Longest frame, in bytes without its length.
MAX_FRAME = 8 * 1024 * 1024

#: The lowest and the highest message schema that this program speaks.
SCHEMAS = (1, 1)

_LENGTH = 4


class BadFrame(Exception):
    """
    The peer sent what is no frame: nothing after it can be made out.
    """


class Unsendable(ValueError):
    """
    A message of ours cannot be sent: it holds what is no plain value, or is too long.
    """


@frozen
class Request:
    """
    The peer wants an answer.

    @ivar number: chosen by who asks, from 0 to 2**64 - 1; the answer carries it.
    @ivar kind: what is wanted.
    @ivar body: any plain value.
    """

    number: int
    kind: str
    body: Any


@frozen
class Answer:
    """
    What was asked for.
    """

    number: int
    body: Any


@frozen
class Failed:
    """
    There will be no answer.

    @ivar name: of the error.
    @ivar text: for people.
    """

    number: int
    name: str
    text: str


@frozen
class Notice:
    """
    The peer tells something, and wants no answer.
    """

    kind: str
    body: Any


@frozen
class Ping:
    """
    The peer wants to know whether we live.
    """

    number: int


@frozen
class Pong:
    """
    The answer to the L{Ping} of this number.
    """

    number: int


@frozen
class Goodbye:
    """
    The peer has no more use for this connection and closes it; it lives on.
    """


Message = Request | Answer | Failed | Notice | Ping | Pong | Goodbye

_KINDS: dict[int, type[Message]] = {
    1: Request,
    2: Answer,
    3: Failed,
    4: Notice,
    5: Ping,
    6: Pong,
    7: Goodbye,
}
_CODES = {kind: code for code, kind in _KINDS.items()}


def frame(payload: bytes) -> bytes:
    """
    @return: the payload with its length before it.
    """
    return len(payload).to_bytes(_LENGTH, "big") + payload


def pack(value: object) -> bytes:
    """
    @param value: built of C{None}, booleans, integers of 64 bits, floats, text, bytes,
        lists and dictionaries.  Tuples are taken too, and come back as lists.  Text may
        have lone surrogates, which header text that was no UTF-8 has.
    @raise Unsendable: it is anything else, or nested deeper than some 500 levels.
    """
    try:
        return msgpack.packb(value, unicode_errors="surrogatepass")
    except (TypeError, ValueError, OverflowError) as error:
        raise Unsendable(str(error)) from error


def unpack(payload: bytes) -> Any:
    """
    @raise BadFrame: it is not what L{pack} makes.
    """
    try:
        return msgpack.unpackb(
            payload, ext_hook=_noExtension, strict_map_key=False, unicode_errors="surrogatepass"
        )
    except Exception as error:
        # The library promises no closed set of exceptions for garbage.
        raise BadFrame(f"no msgpack: {type(error).__name__}") from error


def encode(message: Message) -> bytes:
    """
    @return: the frame.
    @raise Unsendable: its body is not as L{pack} wants it, or longer than L{MAX_FRAME}.
    """
    payload = pack([_CODES[type(message)], *astuple(message, recurse=False)])
    if len(payload) > MAX_FRAME:
        raise Unsendable(f"{len(payload)} bytes are more than {MAX_FRAME}")
    return frame(payload)


@define(eq=False, repr=False)
class FrameCutter:
    """
    Cuts a stream of bytes into frames, and never keeps more than one frame of it
    (and what came with its last bytes).
    """

    _limit: int
    _buffer: bytearray = field(factory=bytearray, init=False)

    def add(self, data: bytes) -> None:
        """
        Some bytes came.
        """
        self._buffer += data

    def take(self) -> bytes | None:
        """
        @return: the next frame that is complete, without its length.
        @raise BadFrame: its length is 0 or above the limit, said before its bytes are
            waited for.
        """
        if len(self._buffer) < _LENGTH:
            return None
        length = int.from_bytes(self._buffer[:_LENGTH], "big")
        if not 0 < length <= self._limit:
            raise BadFrame(f"a frame of {length} bytes; 1 to {self._limit} are allowed")
        end = _LENGTH + length
        if len(self._buffer) < end:
            return None
        payload = bytes(self._buffer[_LENGTH:end])
        del self._buffer[:end]
        return payload

    def rest(self) -> bytes:
        """
        @return: what has not been taken; it is no longer kept here.
        """
        rest, self._buffer = bytes(self._buffer), bytearray()
        return rest


@define(eq=False, repr=False)
class FrameReader:
    """
    Makes messages of a stream of bytes.
    """

    _cutter: FrameCutter = field(factory=lambda: FrameCutter(MAX_FRAME), init=False)

    def feed(self, data: bytes) -> list[Message]:
        """
        @return: each message that is now complete, in order; often none.
        @raise BadFrame: the stream cannot be read any further; close it.
        """
        self._cutter.add(data)
        messages: list[Message] = []
        while (payload := self._cutter.take()) is not None:
            message = _decode(payload)
            if message is not None:
                messages.append(message)
        return messages


def _decode(payload: bytes) -> Message | None:
    """
    @return: C{None} if it is of a kind that is not known.
    """
    items = unpack(payload)
    if type(items) is not list or not items or type(items[0]) is not int:
        raise BadFrame("no array that begins with a code")
    kind = _KINDS.get(items[0])
    if kind is None:
        return None
    wanted = [_CHECKS[attribute.type] for attribute in fields(kind)]
    values = items[1 : 1 + len(wanted)]
    if len(values) < len(wanted) or not all(
        check(value) for check, value in zip(wanted, values, strict=True)
    ):
        raise BadFrame(f"a damaged {kind.__name__}")
    return kind(*values)


_CHECKS: dict[Any, Callable[[Any], bool]] = {
    int: lambda value: type(value) is int and value >= 0,
    str: lambda value: type(value) is str,
    Any: lambda value: True,
}


def _noExtension(code: int, data: bytes) -> object:
    raise ValueError(f"extension type {code}")
