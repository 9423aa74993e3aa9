"""
SIP requests and responses as values (RFC 3261 section 7).
"""

from __future__ import annotations

import re
from functools import cached_property

from attrs import Attribute, field, frozen

from siprec.sip.errors import BadHeader
from siprec.sip.headers import (
    CSeq,
    Headers,
    NameAddr,
    Via,
    parseContact,
    parseCSeq,
    parseNameAddr,
    parseParameterized,
    parseVia,
)
from siprec.sip.uri import URI, Params, parseURI

__all__ = ["LENGTH", "Message", "Request", "Response"]

#: The value of a Content-Length; group 1 is the number without leading zeros.
LENGTH = re.compile(r"0*([0-9]{1,10})")


def _oneLine(instance: object, attribute: Attribute[str], value: str) -> None:
    if "\n" in value or "\r" in value:
        raise BadHeader(f"line break in {attribute.name}")


def _size(body: bytes) -> str:
    # Bodies hold personal data and keys: they do not belong into a log.
    return f"<{len(body)} bytes>"


@frozen
class Message:
    """
    What requests and responses have in common.

    The structured values are parsed when first asked for, and raise
    L{BadHeader} if the header is missing or wrong: for From, To, Call-ID, CSeq
    and Via this cannot happen to a message that L{parseMessage} returned.
    """

    headers: Headers
    body: bytes = field(default=b"", repr=_size)

    def _header(self, name: str) -> str:
        value = self.headers.get(name)
        if value is None:
            raise BadHeader(f"no {name}")
        return value

    @cached_property
    def _vias(self) -> tuple[Via, ...]:
        return tuple(map(parseVia, self.headers.values("Via")))

    @cached_property
    def _contacts(self) -> tuple[NameAddr, ...]:
        return tuple(map(parseContact, self.headers.values("Contact")))

    @cached_property
    def cseq(self) -> CSeq:
        """
        CSeq.
        """
        return parseCSeq(self._header("CSeq"))

    @cached_property
    def fromAddr(self) -> NameAddr:
        """
        From.
        """
        return parseNameAddr(self._header("From"))

    @cached_property
    def toAddr(self) -> NameAddr:
        """
        To.
        """
        return parseNameAddr(self._header("To"))

    @cached_property
    def contentType(self) -> tuple[str, Params] | None:
        """
        The media type in lower case, and its parameters; C{None} without a
        Content-Type.
        """
        text = self.headers.get("Content-Type")
        if text is None:
            return None
        value, params = parseParameterized(text)
        return value.lower(), params

    @property
    def callID(self) -> str:
        """
        Call-ID.
        """
        return self._header("Call-ID")

    @property
    def via(self) -> Via:
        """
        The topmost Via.
        """
        if not self._vias:
            raise BadHeader("no Via")
        return self._vias[0]

    @property
    def vias(self) -> list[Via]:
        """
        Every Via, the topmost first.
        """
        return list(self._vias)

    @cached_property
    def fromTag(self) -> str | None:
        """
        The tag of From; C{None} from an RFC 2543 peer.
        """
        return self.fromAddr.tag

    @cached_property
    def toTag(self) -> str | None:
        """
        The tag of To; C{None} outside a dialog.
        """
        return self.toAddr.tag

    @property
    def contacts(self) -> list[NameAddr]:
        """
        Every value of Contact.
        """
        return list(self._contacts)

    def _write(self, start: str) -> bytes:
        headers, length = self.headers, len(self.body)
        written = headers.getAll("Content-Length")
        match = LENGTH.fullmatch(written[0]) if len(written) == 1 else None
        if match is None or int(match[1]) != length:
            headers = headers.replacing("Content-Length", str(length))
        lines = [start, *(f"{name}: {value}" for name, value in headers), "\r\n"]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + self.body


@frozen
class Request(Message):
    """
    A request; its version is always SIP/2.0.

    @ivar method: as received; methods compare with regard to case.
    @ivar uri: the Request-URI as received.
    """

    method: str = field(validator=_oneLine)
    uri: str = field(validator=_oneLine)
    headers: Headers = field(factory=Headers)
    body: bytes = field(default=b"", repr=_size)

    @cached_property
    def requestURI(self) -> URI:
        """
        The Request-URI.

        @raise BadURI: it is none; not after L{parseMessage}, unless its scheme
            is other than sip and sips.
        """
        return parseURI(self.uri)

    def serialize(self) -> bytes:
        """
        @return: the whole message; Content-Length is right whatever the
            headers say.
        """
        return self._write(f"{self.method} {self.uri} SIP/2.0")


@frozen
class Response(Message):
    """
    A response; its version is always SIP/2.0.

    @ivar status: 100 to 699.
    @ivar reason: the phrase, maybe empty.
    """

    status: int
    reason: str = field(default="", validator=_oneLine)
    headers: Headers = field(factory=Headers)
    body: bytes = field(default=b"", repr=_size)

    @cached_property
    def _written(self) -> bytes:
        return self._write(f"SIP/2.0 {self.status} {self.reason}")

    def serialize(self) -> bytes:
        """
        @return: the whole message; Content-Length is right whatever the
            headers say.
        """
        # A final one is kept for its copies, saved, sent, and repeated.
        return self._written
