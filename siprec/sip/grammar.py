"""
The pieces that SIP header values are made of (RFC 3261 section 25.1): tokens,
quoted strings, parameters and comma-separated lists.

Every pattern is anchored and possessive, so hostile text costs linear time.
"""

from __future__ import annotations

import re

from siprec.sip.errors import BadHeader
from siprec.sip.uri import Params, findParam

__all__ = [
    "QUOTED",
    "TOKEN",
    "paramValue",
    "parseParameterized",
    "quote",
    "readParams",
    "splitCommas",
    "unquote",
    "withParam",
    "withoutParam",
    "writeParams",
]

#: C{token}, as a piece of a pattern.
TOKEN = r"[A-Za-z0-9.!%*_+`'~\-]++"
#: C{quoted-string} with its quotes, as a piece of a pattern; wants C{re.S}.
QUOTED = r'"(?:[^"\\]++|\\.)*+"'

_ELEMENT = re.compile(rf'(?:[^",<]++|{QUOTED}|<[^>]*+>)*+', re.S)
# Names and values are more than tokens here: peers do send IPv6 addresses and
# UTF-8, and a stray character in a parameter is no reason to refuse a call.
_PARAM = re.compile(
    rf"[ \t]*+;[ \t]*+([^\s;=,\"<>]++)[ \t]*+(?:=[ \t]*+({QUOTED}|[^\s;,\"<>]*+)[ \t]*+)?+",
    re.S | re.A,
)
# A quote without its end takes the rest: trying it again at each later quote
# would cost quadratic time.
_PIECE = re.compile(r'(?:[^";]++|"(?:[^"\\]++|\\.?+)*+"?+)*+', re.S)
_PAIR = re.compile(r"\\(.)", re.S)
_MUST_ESCAPE = re.compile(r'[\x00-\x08\x0b\x0c\x0e-\x1f\x7f"\\]')


def quote(text: str) -> str:
    """
    @return: C{text} as a quoted-string.
    """
    return '"' + _MUST_ESCAPE.sub(r"\\\g<0>", text) + '"'


def unquote(text: str) -> str:
    """
    @return: what a quoted-string says; any other text as it is.
    """
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    return _PAIR.sub(r"\1", text[1:-1]) if "\\" in text else text[1:-1]


def paramValue(params: Params, name: str) -> str | None:
    """
    @return: the value of the first parameter of that name, without its quotes;
        C{None} if it is absent or has none.
    """
    found = findParam(params, name)
    return None if found is None or found[1] is None else unquote(found[1])


def withParam(params: Params, name: str, value: str | None) -> Params:
    """
    @return: with this value where the parameter was, or at the end.
    """
    found = findParam(params, name)
    if found is None:
        return (*params, (name, value))
    return tuple((name, value) if param is found else param for param in params)


def withoutParam(params: Params, name: str) -> Params:
    """
    @return: with no parameter of that name.
    """
    name = name.lower()
    return tuple(param for param in params if param[0].lower() != name)


def writeParams(params: Params) -> str:
    """
    @return: each parameter with a semicolon before it.
    """
    return "".join([f";{name}" if value is None else f";{name}={value}" for name, value in params])


def readParams(text: str) -> Params:
    """
    @param text: empty, or from the first semicolon on.
    @raise BadHeader: something in it is no parameter, such as C{;;}.
    """
    params: list[tuple[str, str | None]] = []
    position = 0
    while position < len(text):
        match = _PARAM.match(text, position)
        if match is None:
            raise BadHeader(f"not a parameter: {text[position : position + 40]!r}")
        params.append((match[1], match[2]))
        position = match.end()
    return tuple(params)


def splitCommas(text: str) -> list[str]:
    """
    Cut a header value at the commas that are in neither quotes nor C{<>}.
    Empty elements are left out.  From a quote that does not end, the rest is
    one element, for its own parser to refuse.
    """
    if "," not in text:
        pieces = [text]
    elif '"' not in text and "<" not in text:
        pieces = text.split(",")
    else:
        pieces, start = [], 0
        while start < len(text):
            match = _ELEMENT.match(text, start)
            end = match.end() if match else len(text)
            if end < len(text) and text[end] != ",":
                end = len(text)
            pieces.append(text[start:end])
            start = end + 1
    return [piece.strip() for piece in pieces if piece and not piece.isspace()]


def parseParameterized(text: str) -> tuple[str, Params]:
    """
    Read C{value;name=value;...}, as in Content-Type, Content-Disposition,
    Session-Expires and Reason.  Never fails: a stray semicolon or quote is
    passed over, as peers do send C{multipart/mixed;boundary=x;}.

    @return: the value as received, and the parameters (L{paramValue} reads one
        without its quotes).
    """
    if '"' in text:
        pieces, start = [], 0
        while start <= len(text):
            match = _PIECE.match(text, start)
            end = match.end() if match else len(text)
            pieces.append(text[start:end])
            start = end + 1
    else:
        pieces = text.split(";")
    params: list[tuple[str, str | None]] = []
    for piece in pieces[1:]:
        name, equals, value = piece.partition("=")
        name = name.strip()
        if name:
            params.append((name, value.strip() if equals else None))
    return pieces[0].strip(), tuple(params)
