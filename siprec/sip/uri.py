"""
SIP, SIPS and tel URIs (RFC 3261 section 19.1, RFC 3966), and any other kind as
opaque text.

Escapes are kept as received and are undone only to compare, and then once:
C{%2541} is the three characters C{%41}, never C{A} (RFC 4475 section 3.1.1.3).
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address

from attrs import frozen

from siprec.sip.errors import BadURI

__all__ = ["URI", "OtherURI", "Params", "SipURI", "TelURI", "findParam", "parseHost", "parseURI"]

#: Names as received (they compare without regard to case); C{None} where there
#: is no C{=}; values as received, quotes and escapes kept.
Params = tuple[tuple[str, str | None], ...]

# Blanks, controls, <, > and " would end a URI in any header; RFC 3261 wants
# them, and more, escaped.  Beyond these we are liberal: peers do send "#",
# "|" and UTF-8 in user parts.
_FORBIDDEN = re.compile(r'[\x00-\x20\x7f<>"]')
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*+")
# hostport and what follows; underscores are no hostname but seen in the field.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._\-]++)(?::([0-9]{1,5})(?![0-9]))?")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_RESERVED = frozenset(";/?:@&=+$,")
# RFC 3261 section 19.1.4: these count even if only one of the URIs has them.
_SIGNIFICANT = ("user", "ttl", "method", "maddr", "transport")


def findParam(params: Params, name: str) -> tuple[str, str | None] | None:
    """
    @return: the first parameter of that name, whatever its case, or C{None}.
    """
    name = name.lower()
    for param in params:
        if param[0] == name or param[0].lower() == name:
            return param
    return None


def parseHost(text: str) -> str:
    """
    @param text: a host name, IPv4 address or IPv6 address in brackets.
    @return: the host; an IPv6 address without its brackets.
    @raise BadURI: for brackets around something else.
    """
    if not text.startswith("["):
        return text
    # An ABNF error of RFC 3261 led to ":::" (RFC 5118 section 4.10).
    address = text[1:-1].replace(":::", "::")
    try:
        IPv6Address(address)
    except AddressValueError as error:
        raise BadURI(f"not an IPv6 address: {text}") from error
    return address


def _writeParams(params: Params, separator: str) -> str:
    return separator.join(name if value is None else f"{name}={value}" for name, value in params)


def _readParams(text: str, separator: str) -> Params:
    """
    Empty pieces are passed over: C{sip:h;} is seen in the field.
    """
    params: list[tuple[str, str | None]] = []
    for piece in text.split(separator):
        name, equals, value = piece.partition("=")
        if name:
            params.append((name, value if equals else None))
        elif equals:
            raise BadURI(f"URI parameter without a name: {piece[:40]!r}")
    return tuple(params)


def _canonical(text: str) -> str:
    """
    Undo the escapes that mean nothing: an escaped reserved character is not
    the same as the plain one (RFC 3261 section 19.1.4).
    """

    def plain(match: re.Match[str]) -> str:
        character = chr(int(match[1], 16))
        return match[0].upper() if character in _RESERVED or character == "%" else character

    return _ESCAPE.sub(plain, text) if "%" in text else text


@frozen
class SipURI:
    """
    A C{sip:} or C{sips:} URI.

    @ivar scheme: C{"sip"} or C{"sips"}.
    @ivar host: as received; an IPv6 address without brackets.
    @ivar user: as received, escapes kept; C{None} if there is no C{@}.
    @ivar params: the URI parameters; escapes kept.
    @ivar headers: what follows the C{?}; escapes kept.
    """

    scheme: str
    host: str
    port: int | None = None
    user: str | None = None
    password: str | None = None
    params: Params = ()
    headers: Params = ()

    def __str__(self) -> str:
        text = f"{self.scheme}:"
        if self.user is not None:
            secret = "" if self.password is None else f":{self.password}"
            text += f"{self.user}{secret}@"
        text += f"[{self.host}]" if ":" in self.host else self.host
        if self.port is not None:
            text += f":{self.port}"
        if self.params:
            text += ";" + _writeParams(self.params, ";")
        if self.headers:
            text += "?" + _writeParams(self.headers, "&")
        return text

    def param(self, name: str) -> str | None:
        """
        @return: the value of a URI parameter; C{None} if it is absent or has none.
        """
        found = findParam(self.params, name)
        return None if found is None else found[1]

    def hasParam(self, name: str) -> bool:
        """
        @return: whether the URI parameter is there, with or without a value.
        """
        return findParam(self.params, name) is not None

    def matches(self, other: URI) -> bool:
        """
        Compare as RFC 3261 section 19.1.4 asks.  C{==} compares what is written.
        """
        return (
            isinstance(other, SipURI)
            and (self.scheme, self.port) == (other.scheme, other.port)
            and self.host.lower() == other.host.lower()
            and _sameText(self.user, other.user)
            and _sameText(self.password, other.password)
            and self._sameParams(other)
            and _comparable(self.headers) == _comparable(other.headers)
        )

    def _sameParams(self, other: SipURI) -> bool:
        mine, theirs = dict(_comparable(self.params)), dict(_comparable(other.params))
        if any((name in mine) != (name in theirs) for name in _SIGNIFICANT):
            return False
        return all(theirs[name] == mine[name] for name in mine.keys() & theirs.keys())


def _sameText(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return one is other
    return _canonical(one) == _canonical(other)


def _comparable(params: Params) -> list[tuple[str, str]]:
    return sorted(
        (_canonical(name).lower(), _canonical(value or "").lower()) for name, value in params
    )


@frozen
class TelURI:
    """
    A C{tel:} URI (RFC 3966).

    @ivar number: as received, visual separators kept.
    """

    number: str
    params: Params = ()

    def __str__(self) -> str:
        params = ";" + _writeParams(self.params, ";") if self.params else ""
        return f"tel:{self.number}{params}"


@frozen
class OtherURI:
    """
    A URI of a scheme that we only hand on.

    @ivar scheme: as received.
    @ivar rest: all that follows the first colon.
    """

    scheme: str
    rest: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.rest}"


URI = SipURI | TelURI | OtherURI


def parseURI(text: str) -> URI:
    """
    @param text: a URI alone, without angle brackets or blanks around it.
    @raise BadURI: C{text} is none.
    """
    scheme, colon, rest = text.partition(":")
    if not colon or not rest or not _SCHEME.fullmatch(scheme):
        raise BadURI(f"not a URI: {text[:80]!r}")
    if _FORBIDDEN.search(text):
        raise BadURI(f"a character that no URI may contain: {text[:80]!r}")
    kind = scheme.lower()
    if kind == "sip" or kind == "sips":
        return _parseSip(kind, rest)
    if kind == "tel":
        number, _, params = rest.partition(";")
        if not number:
            raise BadURI(f"tel URI without a number: {text[:80]!r}")
        return TelURI(number, _readParams(params, ";"))
    return OtherURI(scheme, rest)


def _parseSip(scheme: str, rest: str) -> SipURI:
    # A user part may contain ";", "?" and "," but nothing behind it may contain
    # "@" (RFC 4475 sections 3.1.1.2 and 3.1.1.9): so look for the "@" first.
    userinfo, at, remainder = rest.rpartition("@")
    user = password = None
    if at:
        user, colon, secret = userinfo.partition(":")
        password = secret if colon else None
    match = _HOST.match(remainder)
    if match is None:
        raise BadURI(f"no host in {scheme}:{rest[:80]}")
    host, port = match.groups()
    tail = remainder[match.end() :]
    if tail and tail[0] not in ";?":
        raise BadURI(f"neither port nor parameter: {tail[:40]!r}")
    number = None if port is None else int(port)
    if number is not None and number > 65535:
        raise BadURI(f"no such port: {port}")
    params, _, headers = tail.partition("?")
    return SipURI(
        scheme,
        parseHost(host),
        number,
        user,
        password,
        _readParams(params, ";") if params else (),
        _readParams(headers, "&") if headers else (),
    )
