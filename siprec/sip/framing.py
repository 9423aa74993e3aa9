"""
Where a SIP message begins and ends: in a datagram and in a stream (RFC 3261
sections 7.5 and 18.3), with the keepalives between (RFC 5626).
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field, frozen

from siprec.sip.errors import BadMessage
from siprec.sip.message import Head, Request, Response

__all__ = [
    "MAX_BODY",
    "MAX_HEAD",
    "Framed",
    "Invalid",
    "Ping",
    "StreamFramer",
    "parseDatagram",
]

#: Most bytes of start line and headers.
MAX_HEAD = 65536
#: Most bytes of one body.
MAX_BODY = 1048576

_BLANK = b"\r\n\r\n"
_LINE_BREAKS = b"\r\n"


def _unseen(*parts: bytes) -> None:
    """
    Nobody looks.
    """


def parseDatagram(data: bytes) -> Request | Response | None:
    """
    @return: the message in one datagram; C{None} for what is no SIP and calls
        for no answer: empty lines and zeros (RFC 5626 section 4.4); STUN, which
        L{siprec.sip.stun} answers.
    @raise BadMessage: it is not whole, or no message that may be acted on.
    """
    # The two top bits of STUN are zero, and its types begin with 0 or 1
    # (RFC 5389 section 6); SIP begins with a letter or a line break.
    if data[:1] <= b"\x01" or not data.strip(_LINE_BREAKS + b"\0"):
        return None
    text, blank, body = data.lstrip(_LINE_BREAKS).partition(_BLANK)
    head = Head.parse(text if blank else text.removesuffix(_LINE_BREAKS))
    if not blank:
        raise head.refuse("no blank line after the headers")
    length = head.contentLength()
    message = head.message(body if length is None else body[:length])
    if length is not None and length > len(body):
        raise head.refuse(f"Content-Length is {length}, but only {len(body)} bytes came")
    return message


@frozen
class Ping:
    """
    Two empty lines on a stream: to be answered with one (RFC 5626 section 4.4.1).
    """


@frozen(eq=False)
class Invalid:
    """
    Something on a stream that is not a message we may act on.

    @ivar fatal: nobody can tell where the next message begins: answer if
        C{error} allows, then close the connection.
    """

    error: BadMessage
    fatal: bool


Framed = Request | Response | Ping | Invalid


@define(eq=False, repr=False)
class StreamFramer:
    """
    Cuts the bytes of one stream into messages.  Its cost is linear in the
    number of bytes, however they are segmented, and it holds at most one
    message.

    @ivar _witness: gets the octets of each message, cut anywhere, before the
        message itself is returned.
    """

    _witness: Callable[..., object] = _unseen
    _buffer: bytearray = field(factory=bytearray, init=False)
    # Before this offset there is no end of the head.
    _searched: int = field(default=0, init=False)
    _head: Head | None = field(default=None, init=False)
    _start: bytes = field(default=b"", init=False)
    _wanted: int = field(default=0, init=False)
    _ended: bool = field(default=False, init=False)

    @property
    def partial(self) -> bool:
        """
        Whether bytes of an unfinished message are held.  Line breaks alone are
        none: they may be half of a keepalive.
        """
        return self._head is not None or bool(self._buffer.strip(_LINE_BREAKS))

    def feed(self, data: bytes) -> list[Framed]:
        """
        @return: all that is now complete, in order; often nothing.  After an
            L{Invalid} that is fatal, nothing more will come.
        """
        found: list[Framed] = []
        if self._ended:
            return found
        self._buffer += data
        while (item := self._next()) is not None:
            found.append(item)
        return found

    def _next(self) -> Framed | None:
        """
        @return: what the buffer begins with, or C{None} if more bytes are needed.
        """
        if self._ended:
            return None
        if self._head is None:
            item = self._skipLineBreaks() or self._takeHead()
            if item is not None:
                return item
        if self._head is None or len(self._buffer) < self._wanted:
            return None
        head, body = self._head, bytes(self._buffer[: self._wanted])
        del self._buffer[: self._wanted]
        self._head = None
        self._witness(self._start, _BLANK, body)
        try:
            return head.message(body)
        except BadMessage as error:
            return Invalid(error, fatal=False)

    def _skipLineBreaks(self) -> Ping | None:
        buffer, position = self._buffer, 0
        while position < len(buffer) and buffer[position] in _LINE_BREAKS:
            start = bytes(buffer[position : position + len(_BLANK)])
            if start == _BLANK:
                del buffer[: position + len(_BLANK)]
                return Ping()
            if _BLANK.startswith(start):
                break
            position += 1
        del buffer[:position]
        return None

    def _takeHead(self) -> Invalid | None:
        """
        Move the head out of the buffer, if all of it is there.
        """
        buffer = self._buffer
        end = buffer.find(_BLANK, self._searched, MAX_HEAD + len(_BLANK))
        if end < 0 and len(buffer) < MAX_HEAD + len(_BLANK):
            self._searched = max(0, len(buffer) - len(_BLANK) + 1)
            return None
        start = bytes(buffer[: MAX_HEAD if end < 0 else end])
        try:
            if end < 0:
                lines, _, _ = start.rpartition(b"\r\n")
                raise Head.parse(lines).refuse(f"head longer than {MAX_HEAD} bytes", 513)
            head = Head.parse(start)
            length = head.contentLength()
            if length is None:
                raise head.refuse("no Content-Length on a stream")
            if length > MAX_BODY:
                raise head.refuse(f"body longer than {MAX_BODY} bytes", 413)
        except BadMessage as error:
            self._ended = True
            buffer.clear()
            self._witness(start, b"" if end < 0 else _BLANK)
            return Invalid(error, fatal=True)
        del buffer[: end + len(_BLANK)]
        self._head, self._start, self._wanted, self._searched = head, start, length, 0
        return None
