"""
The header fields of a SIP message, and the structured values of those that
every user agent needs (RFC 3261 sections 7.3, 20 and 25).

Text is C{str}, decoded from UTF-8 with C{surrogateescape}: every byte survives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property, lru_cache

from attrs import evolve, field, frozen

from siprec.sip.errors import BadHeader, BadURI
from siprec.sip.grammar import (
    QUOTED,
    TOKEN,
    paramValue,
    parseParameterized,
    quote,
    readParams,
    splitCommas,
    unquote,
    withoutParam,
    withParam,
    writeParams,
)
from siprec.sip.names import USUAL, headerKey
from siprec.sip.uri import URI, Params, findParam, parseHost, parseURI

__all__ = [
    "CSeq",
    "Headers",
    "NameAddr",
    "Via",
    "paramValue",
    "parseCSeq",
    "parseContact",
    "parseNameAddr",
    "parseParameterized",
    "parseVia",
    "quote",
    "splitCommas",
    "unquote",
]

_DISPLAY = re.compile(rf"[ \t]*+({QUOTED})[ \t]*+<", re.S)
_BAD_DISPLAY = re.compile(r'[\x00-\x08\x0a-\x1f\x7f",;:<>]')
_VIA = re.compile(
    rf"[ \t]*+SIP[ \t]*+/[ \t]*+{TOKEN}[ \t]*+/[ \t]*+({TOKEN})[ \t]++"
    r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._\-]++)[ \t]*+(?::[ \t]*+([0-9]{1,5})(?![0-9]))?",
    re.I | re.A,
)
_CSEQ = re.compile(rf"0*([0-9]{{1,10}})[ \t]++({TOKEN})")


def _checked(fields: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    result = tuple(fields)
    for name, value in result:
        # Whoever copies a peer's text into a header must not be able to start
        # a new one with it.
        if "\n" in value or "\r" in value:
            raise BadHeader(f"line break in the value of {name}")
    return result


@frozen(eq=False, repr=False)
class Headers:
    """
    An immutable, ordered list of header fields.  Names compare without regard
    to case, and a compact form equals its long name; they are kept as received.
    """

    _fields: tuple[tuple[str, str], ...] = field(default=(), converter=_checked)

    @cached_property
    def _index(self) -> dict[str, tuple[str, ...]]:
        index: dict[str, list[str]] = {}
        for name, value in self._fields:
            index.setdefault(USUAL.get(name) or headerKey(name), []).append(value)
        # Tuples of text are none of the garbage collector's business.
        return {name: tuple(values) for name, values in index.items()}

    def get(self, name: str) -> str | None:
        """
        @return: the value of the first line of that name, or C{None}.
        """
        lines = self._index.get(USUAL.get(name) or headerKey(name))
        return lines[0] if lines else None

    def getAll(self, name: str) -> list[str]:
        """
        @return: the value of each line of that name, in order.
        """
        return list(self._index.get(USUAL.get(name) or headerKey(name), ()))

    def values(self, name: str) -> list[str]:
        """
        @return: all lines of that name, cut at the commas between elements;
            empty elements are left out.
        """
        return [
            value
            for line in self._index.get(USUAL.get(name) or headerKey(name), ())
            for value in splitCommas(line)
        ]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (USUAL.get(name) or headerKey(name)) in self._index

    def count(self, name: str) -> int:
        """
        @return: how many lines of that name there are.
        """
        return len(self._index.get(USUAL.get(name) or headerKey(name), ()))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def _comparable(self) -> list[tuple[str, str]]:
        return [(headerKey(name), value) for name, value in self._fields]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return self._fields == other._fields or self._comparable() == other._comparable()

    def __hash__(self) -> int:
        return hash(tuple(self._comparable()))

    def __repr__(self) -> str:
        return f"Headers({list(self._fields)!r})"

    def replacing(self, name: str, *values: str) -> Headers:
        """
        @return: with just these lines of that name, where the first one was,
            or at the end if there was none.
        """
        key, new = headerKey(name), [(name, value) for value in values]
        fields: list[tuple[str, str]] = []
        placed = False
        for line in self._fields:
            if (USUAL.get(line[0]) or headerKey(line[0])) != key:
                fields.append(line)
            elif not placed:
                fields += new
                placed = True
        return Headers(fields if placed else fields + new)

    def adding(self, name: str, *values: str) -> Headers:
        """
        @return: with these lines at the end.
        """
        return Headers([*self._fields, *((name, value) for value in values)])

    def prepending(self, name: str, *values: str) -> Headers:
        """
        @return: with these lines before all others.
        """
        return Headers([*((name, value) for value in values), *self._fields])

    def without(self, *names: str) -> Headers:
        """
        @return: with no line of any of these names.
        """
        keys = {headerKey(name) for name in names}
        return Headers(line for line in self._fields if headerKey(line[0]) not in keys)


@frozen
class NameAddr:
    """
    One value of From, To, Contact, Route and their like.

    @ivar displayName: without quotes and escapes; C{None} if there is none.
    @ivar params: the header parameters, never those of the URI.
    """

    uri: URI
    displayName: str | None = None
    params: Params = ()

    @property
    def tag(self) -> str | None:
        """
        The tag parameter of From and To.
        """
        return paramValue(self.params, "tag")

    def param(self, name: str) -> str | None:
        """
        @return: the value of a header parameter, without quotes; C{None} if it
            is absent or has none.
        """
        return paramValue(self.params, name)

    def hasParam(self, name: str) -> bool:
        """
        @return: whether the header parameter is there, with or without a value.
        """
        return findParam(self.params, name) is not None

    def withParam(self, name: str, value: str | None = None) -> NameAddr:
        """
        @param value: as it is to be written, so quoted if need be.
        """
        return evolve(self, params=withParam(self.params, name, value))

    def withoutParam(self, name: str) -> NameAddr:
        """
        @return: with no header parameter of that name.
        """
        return evolve(self, params=withoutParam(self.params, name))

    def __str__(self) -> str:
        name = "" if self.displayName is None else quote(self.displayName) + " "
        return f"{name}<{self.uri}>{writeParams(self.params)}"


# Each message of a dialog has the same two, and each is asked for by the copy of the
# message that notes where it came from, too.
@lru_cache(maxsize=512)
def parseNameAddr(text: str) -> NameAddr:
    """
    Without angle brackets, everything from the first semicolon on belongs to
    the header and not to the URI (RFC 3261 section 20.10).

    @raise BadHeader: C{text} is neither a name-addr nor an addr-spec.
    """
    name: str | None = None
    quoted = _DISPLAY.match(text)
    if quoted:
        name, start = unquote(quoted[1]), quoted.end()
    else:
        start = text.find("<") + 1
        if start > 1:
            name = text[: start - 1].strip() or None
            if name and _BAD_DISPLAY.search(name):
                raise BadHeader(f"display name needs quotes: {text[:80]!r}")
    if start:
        end = text.find(">", start)
        if end < 0:
            raise BadHeader(f"no closing angle bracket: {text[:80]!r}")
        address, rest = text[start:end], text[end + 1 :]
    else:
        address, semicolon, rest = text.partition(";")
        address, rest = address.strip(), semicolon + rest
        if "?" in address or "," in address:
            raise BadHeader(f"URI needs angle brackets: {text[:80]!r}")
    try:
        return NameAddr(parseURI(address), name, readParams(rest.strip()))
    except BadURI as error:
        raise BadHeader(str(error)) from error


def parseContact(text: str) -> NameAddr:
    """
    One value of Contact.  An SBC in the field leaves the closing bracket out
    (CONFORMANCE B.4); to refuse its INVITE for that would lose the call.

    @raise BadHeader: it cannot be read.
    """
    return parseNameAddr(f"{text}>" if "<" in text and ">" not in text else text)


@frozen
class Via:
    """
    One value of Via (RFC 3261 section 20.42).

    @ivar transport: in upper case, such as C{"UDP"}.
    @ivar host: of sent-by; an IPv6 address without brackets.
    """

    transport: str
    host: str
    port: int | None = None
    params: Params = ()

    @property
    def branch(self) -> str | None:
        """
        The branch parameter, or C{None} from an RFC 2543 peer.
        """
        return paramValue(self.params, "branch")

    def param(self, name: str) -> str | None:
        """
        @return: the value of a parameter, without quotes; C{None} if it is
            absent or has none.
        """
        return paramValue(self.params, name)

    def hasParam(self, name: str) -> bool:
        """
        @return: whether the parameter is there, with or without a value.
        """
        return findParam(self.params, name) is not None

    def withParam(self, name: str, value: str | None = None) -> Via:
        """
        @param value: as it is to be written, so quoted if need be.
        """
        return evolve(self, params=withParam(self.params, name, value))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"SIP/2.0/{self.transport} {host}{port}{writeParams(self.params)}"


# Each message asks for its own once more in the copy that notes where it came from, and
# the answer does.
@lru_cache(maxsize=64)
def parseVia(text: str, lenient: bool = False) -> Via:
    """
    @param lenient: leave out what is no parameter, for the answer to a bad request.
    @raise BadHeader: C{text} is not a single Via value.
    """
    match = _VIA.match(text)
    if match is None:
        raise BadHeader(f"not a Via: {text[:80]!r}")
    port = None if match[3] is None else int(match[3])
    if port is not None and port > 65535:
        raise BadHeader(f"no such port: {port}")
    try:
        host = parseHost(match[2])
    except BadURI as error:
        raise BadHeader(str(error)) from error
    rest = text[match.end() :].rstrip()
    try:
        return Via(match[1].upper(), host, port, readParams(rest))
    except BadHeader:
        if not lenient:
            raise
    return Via(match[1].upper(), host, port, _salvageParams(rest))


def _salvageParams(text: str) -> Params:
    found: list[tuple[str, str | None]] = []
    for piece in text.split(";")[1:]:
        with suppress(BadHeader):
            found += readParams(f";{piece}")
    return tuple(found)


@frozen
class CSeq:
    """
    The CSeq of a message: C{number} below 2**32, C{method} as received.
    """

    number: int
    method: str

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


@lru_cache(maxsize=64)
def parseCSeq(text: str) -> CSeq:
    """
    @raise BadHeader: C{text} is no CSeq, or its number is not below 2**32
        (RFC 3261 section 8.1.1.5).
    """
    match = _CSEQ.fullmatch(text.strip())
    if match is None or int(match[1]) >= 1 << 32:
        raise BadHeader(f"not a CSeq: {text[:80]!r}")
    return CSeq(int(match[1]), match[2])
