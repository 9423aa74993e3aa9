"""
Takes the secrets out of SIP messages that are to be looked at.

What is masked keeps its length in octets, so that Content-Length stays right.  A
message may be malformed: all of it is searched, whatever its parts seem to be, and
what is not known to be harmless is masked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["masked"]

_SIGN = b"*"

_LINE = rb"(?:(?<=[\r\n])|\A)[ \t]*+"
# A header may go on in the next line, after a blank.
_VALUE = rb"((?:[^\r\n]|\r(?!\n)|\r?\n[ \t])*)"
_CREDENTIALS = re.compile(
    _LINE + rb"((?:proxy-)?(?:authorization|authentication-info)[ \t]*+:)" + _VALUE, re.I
)
_SCHEME = re.compile(rb"[ \t]*+[\w-]*+(?=[ \t])")
_DIGEST = re.compile(rb"\s*+digest\s", re.I)
_PARAMETER = re.compile(
    rb'(?<![\w.!%*+`\'~-])([\w.!%*+`\'~-]++)(\s*+=\s*+)("(?:[^"\\]|\\.)*+"?|[^\s,"]*+)', re.S
)
# What of digest credentials proves nothing (RFC 7616 section 3.4): without the
# response, nobody can find the password by trying.
_HARMLESS = frozenset(
    b"username username* realm nonce uri algorithm qop nc opaque userhash charset nextnonce".split()
)

# RFC 4568: several keys may follow each other, each with its method.
_CRYPTO = re.compile(_LINE + rb"(a[ \t]*+=[ \t]*+crypto[ \t]*+:)([^\r\n]*+)", re.I)
_KEY = re.compile(rb"(?<![\w-])([a-z][\w-]*+:)([^|;\s]++)", re.I)
# RFC 4567; RFC 8839 section 5.4; RFC 4566 section 5.12.  Of the first not even the name
# of the protocol stays, or a program would try to read what is no MIKEY any more.
_KEY_LINE = re.compile(
    _LINE + rb"(a[ \t]*+=[ \t]*+key-mgmt[ \t]*+:"
    rb"|a[ \t]*+=[ \t]*+ice-pwd[ \t]*+:|k[ \t]*+=(?:[ \t]*+(?:clear|base64|uri):)?)([^\r\n]*+)",
    re.I,
)
# A password in a URI (RFC 3261 section 19.1.1).
_PASSWORD = re.compile(rb"(sips?:[^\s@:<>\"]++:)([\w.!~*'()%&=+$,-]++)(?=@)")
# In what is encoded nothing can be searched.
_ENCODED = re.compile(
    _LINE + rb"(?:content-(transfer-)?encoding|e)[ \t]*+:[ \t]*+(?:\r?\n[ \t]++)?"
    rb"(?!(?:7bit|8bit|binary|identity)\b)[^\s\"]",
    re.I,
)
_COMPACT = re.compile(rb"[\r\n]e[ \t]*+:")
_BASE64 = re.compile(rb"base64\b", re.I)
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_BOUNDARY = re.compile(rb"(?<=\n)--[^\r\n]")
_VISIBLE = re.compile(rb"\S")


def masked(data: bytes) -> bytes:
    """
    @param data: a SIP message, or what was meant as one.
    @return: the same with a C{*} for each octet of a secret: of credentials, of keys
        in SDP, of passwords in URIs, and of bodies that are compressed or encoded.
    """
    # To find the words first is faster than the expressions by far.
    lower = data.lower()
    if b"authorization" in lower or b"authentication-info" in lower:
        data = _CREDENTIALS.sub(_credentials, data)
    if b"crypto" in lower:
        data = _CRYPTO.sub(_crypto, data)
    if b"key-mgmt" in lower or b"ice-pwd" in lower or b"k=" in lower:
        data = _KEY_LINE.sub(_rest, data)
    if b"-encoding" in lower or _COMPACT.search(lower):
        data = _encoded(data)
    passwords = [match.span(2) for match in _PASSWORD.finditer(lower)]
    return _without(data, passwords) if passwords else data


def _filler(text: bytes) -> bytes:
    """
    @return: signs instead of all but blanks and line breaks.
    """
    return _VISIBLE.sub(_SIGN, text)


def _rest(match: re.Match[bytes]) -> bytes:
    return match[0][: match.start(2) - match.start()] + _filler(match[2])


def _credentials(match: re.Match[bytes]) -> bytes:
    value = match[2]
    begin = match[0][: match.start(2) - match.start()]
    digest = _DIGEST.match(value)
    if digest is None and match[1].rstrip(b": \t").lower().endswith(b"authorization"):
        # Basic, Bearer and what nobody knows: of all of them only the scheme stays.
        scheme = _SCHEME.match(value)
        kept = scheme.end() if scheme else 0
        return begin + value[:kept] + _filler(value[kept:])
    kept = digest.end() if digest else 0
    return begin + value[:kept] + _parameters(value[kept:])


def _parameters(text: bytes) -> bytes:
    """
    @return: the parameters of a digest, all masked but those that are harmless; and
        so is what is between them.
    """
    pieces, position = [], 0
    for match in _PARAMETER.finditer(text):
        harmless = match[1].lower() in _HARMLESS
        pieces.append(_between(text[position : match.start()]))
        pieces += [match[1], match[2]]
        pieces.append(match[3] if harmless else re.sub(rb'[^"\r\n]', _SIGN, match[3]))
        position = match.end()
    pieces.append(_between(text[position:]))
    return b"".join(pieces)


def _between(text: bytes) -> bytes:
    return re.sub(rb"[^\s,]", _SIGN, text)


def _crypto(match: re.Match[bytes]) -> bytes:
    begin = match[0][: match.start(2) - match.start()]
    rest, keys = _KEY.subn(_rest, match[2])
    return begin + (rest if keys else _filler(rest))


def _encoded(data: bytes) -> bytes:
    spans, position = [], 0
    while (found := _ENCODED.search(data, position)) is not None:
        blank = _BLANK_LINE.search(data, found.end())
        begin, end = blank.end() if blank else found.end(), len(data)
        # What is compressed may have anything in it, even what looks like a boundary.
        if blank and found[1] and _BASE64.match(data, found.end() - 1):
            boundary = _BOUNDARY.search(data, begin)
            end = boundary.start() if boundary else end
        spans.append((begin, end))
        position = end
    return _without(data, spans)


def _without(data: bytes, spans: Iterable[tuple[int, int]]) -> bytes:
    rest = bytearray(data)
    for begin, end in spans:
        rest[begin:end] = _filler(data[begin:end])
    return bytes(rest)
