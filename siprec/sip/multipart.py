"""
Message bodies: one part or a tree of them (RFC 2046, RFC 5621).

Much in the field is not quite MIME, so reading is liberal: blanks after a
boundary, lines that end in a bare LF, no closing delimiter, no boundary
parameter, headers without a blank after the colon.  What a part holds is never
touched: its bytes are those between the delimiters.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from secrets import token_hex

from attrs import field, frozen

from siprec.sip.errors import SipError
from siprec.sip.headers import Headers, paramValue, parseParameterized, quote
from siprec.sip.uri import Params

__all__ = [
    "MAX_DEPTH",
    "MAX_LINES",
    "MAX_PARTS",
    "BadMultipart",
    "Part",
    "leaves",
    "makeMultipart",
    "parseBody",
]

#: Most levels of multipart within multipart.
MAX_DEPTH = 8
#: Most parts of one multipart.
MAX_PARTS = 256
#: Most header lines of one part; what comes after them is its body.
MAX_LINES = 100

_HEADER = re.compile(rb"([!#-'*+\-.0-9A-Z^-z|~]++)[ \t]*+:(.*)", re.S)
_FIRST_DELIMITER = re.compile(rb"^--(\S[^\r\n]{0,199}+)\r?$", re.M)
_PLAIN_BOUNDARY = re.compile(r"[A-Za-z0-9'+_.\-]{1,70}")
_IDENTITY = ("", "7bit", "8bit", "binary", "identity")


class BadMultipart(SipError):
    """
    A body that cannot be taken apart.

    @ivar status: what to answer: 400, or 415 for an encoding that we do not know.
    """

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.status = status


def _size(body: bytes) -> str:
    # Bodies hold personal data and keys: they do not belong into a log.
    return f"<{len(body)} bytes>"


@frozen
class Part:
    """
    A body, or one part of a multipart body.

    @ivar headers: of the part; for the outermost one, those of the message.
    @ivar body: byte for byte; base64 and quoted-printable are decoded.
    @ivar parts: what a multipart body holds; empty for all others.
    """

    headers: Headers
    body: bytes = field(default=b"", repr=_size)
    parts: tuple[Part, ...] = ()

    @cached_property
    def contentType(self) -> tuple[str, Params] | None:
        """
        The media type in lower case, and its parameters; C{None} if the part
        does not say.
        """
        return _parameterized(self.headers, "Content-Type")

    @cached_property
    def disposition(self) -> tuple[str, Params] | None:
        """
        Content-Disposition in lower case, and its parameters; C{None} if the
        part does not say.
        """
        return _parameterized(self.headers, "Content-Disposition")

    @property
    def handlingRequired(self) -> bool:
        """
        Whether a request must be refused by one who does not understand this
        part: so unless it says C{handling=optional} (RFC 3261 section 20.11).
        """
        params = self.disposition[1] if self.disposition else ()
        return (paramValue(params, "handling") or "required").lower() != "optional"


def _parameterized(headers: Headers, name: str) -> tuple[str, Params] | None:
    text = headers.get(name)
    if text is None:
        return None
    value, params = parseParameterized(text)
    return value.lower(), params


def parseBody(headers: Headers, body: bytes) -> Part:
    """
    @param headers: of the message.
    @param body: its whole body, maybe empty.
    @raise BadMultipart: an unknown encoding, a multipart without a single
        delimiter, or too many parts.
    """
    return _parse(headers, body, 0)


def leaves(part: Part) -> list[Part]:
    """
    @return: every part that is not multipart itself, in order; all of them
        under multipart/alternative as well.  A message without a body has none.
    """
    kind = part.contentType
    if kind is not None and kind[0].startswith("multipart/"):
        return [leaf for child in part.parts for leaf in leaves(child)]
    return [part] if part.body or kind is not None else []


def _parse(headers: Headers, body: bytes, depth: int) -> Part:
    part = Part(headers, body)
    part = Part(headers, _decoded(part))
    kind = part.contentType
    if kind is None or not kind[0].startswith("multipart/"):
        return part
    if depth == MAX_DEPTH:
        raise BadMultipart(f"more than {MAX_DEPTH} levels of multipart")
    pieces = list(_cut(part.body, _boundary(kind[1], part.body)))
    return Part(headers, part.body, tuple(_parse(*_split(piece), depth + 1) for piece in pieces))


def _decoded(part: Part) -> bytes:
    """
    Undo Content-Transfer-Encoding.
    """
    compressed = (part.headers.get("Content-Encoding") or "").lower()
    if compressed not in _IDENTITY and part.handlingRequired:
        raise BadMultipart(f"Content-Encoding {compressed[:40]!r}", 415)
    encoding = (part.headers.get("Content-Transfer-Encoding") or "").lower()
    if encoding in _IDENTITY:
        return part.body
    if encoding == "quoted-printable":
        return binascii.a2b_qp(part.body)
    if encoding == "base64":
        try:
            return binascii.a2b_base64(part.body)
        except binascii.Error as error:
            raise BadMultipart(f"base64: {error}") from error
    if part.handlingRequired:
        raise BadMultipart(f"Content-Transfer-Encoding {encoding[:40]!r}", 415)
    return part.body


def _boundary(params: Params, body: bytes) -> bytes:
    boundary = paramValue(params, "boundary")
    if boundary:
        return boundary.encode("utf-8", "surrogateescape")
    # The parameter is mandatory; without it, the first delimiter tells.
    match = _FIRST_DELIMITER.search(body)
    if match is None:
        raise BadMultipart("multipart without a boundary")
    return match[1].rstrip()


def _cut(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """
    @return: what lies between the delimiters, without the line break that
        belongs to the delimiter after it (RFC 2046 section 5.1.1).
    """
    delimiter = re.compile(rb"--" + re.escape(boundary) + rb"(--)?+[ \t]*+\r?$", re.M)
    start, count = -1, 0
    for match in delimiter.finditer(body):
        if match.start() and body[match.start() - 1] != 0x0A:
            continue
        if start >= 0:
            yield _withoutLineBreak(body[start : match.start()])
        count += 1
        if count > MAX_PARTS:
            raise BadMultipart(f"more than {MAX_PARTS} parts")
        start = match.end() + 1
        if match[1]:
            return
    if start < 0:
        raise BadMultipart("multipart without a delimiter")
    # No closing delimiter: the part goes on to the end of the body.
    if body[start:].strip():
        yield body[start:]


def _withoutLineBreak(piece: bytes) -> bytes:
    if piece.endswith(b"\r\n"):
        return piece[:-2]
    return piece.removesuffix(b"\n")


def _split(piece: bytes) -> tuple[Headers, bytes]:
    """
    @return: the headers of a part and its body.  What does not look like a
        header begins the body: some senders forget the empty line.
    """
    fields: list[tuple[str, list[str]]] = []
    position = count = 0
    while position < len(piece):
        count += 1
        if count > MAX_LINES:
            break
        end = piece.find(b"\n", position)
        line = piece[position : end if end >= 0 else len(piece)].removesuffix(b"\r")
        after = end + 1 if end >= 0 else len(piece)
        blank = not line.strip()
        match = _HEADER.fullmatch(line)
        if match is not None:
            fields.append((_text(match[1]), [_text(match[2])]))
        elif fields and not blank and line[:1] in b" \t":
            fields[-1][1].append(_text(line))
        elif not blank:
            break
        position = after
        if blank:
            break
    return Headers((name, " ".join(lines)) for name, lines in fields), piece[position:]


def _text(data: bytes) -> str:
    return data.replace(b"\r", b" ").decode("utf-8", "surrogateescape").strip(" \t")


def makeMultipart(parts: Sequence[Part], boundary: str | None = None) -> tuple[str, bytes]:
    """
    @param boundary: one that no part contains; by default a random one.
    @return: the Content-Type, and the body.
    @raise ValueError: there is no part, or one contains C{boundary}.
    """
    if not parts:
        raise ValueError("multipart without a part")
    boundary = boundary or token_hex(16)
    delimiter = b"--" + boundary.encode("utf-8", "surrogateescape")
    if any(delimiter in part.body for part in parts):
        raise ValueError("a part contains the boundary")
    pieces: list[bytes] = []
    for part in parts:
        # The body is here as it is, whatever encoding it came in.
        headers = part.headers.without("Content-Transfer-Encoding", "Content-Length")
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        head = lines.encode("utf-8", "surrogateescape")
        pieces += [delimiter, b"\r\n", head, b"\r\n", part.body, b"\r\n"]
    written = boundary if _PLAIN_BOUNDARY.fullmatch(boundary) else quote(boundary)
    return f"multipart/mixed;boundary={written}", b"".join([*pieces, delimiter, b"--\r\n"])
