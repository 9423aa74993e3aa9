"""
SIP messages out of bytes, and the responses to them (RFC 3261 sections 7,
8.1.1 and 8.2.6).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import evolve, frozen

from siprec.sip.errors import BadHeader, BadMessage, BadURI
from siprec.sip.headers import Headers, parseVia
from siprec.sip.model import LENGTH, Message, Request, Response
from siprec.sip.reasons import REASONS
from siprec.sip.uri import SipURI

__all__ = ["REASONS", "Head", "Message", "Request", "Response", "makeResponse", "parseMessage"]

_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~\-]++")
_LINE = re.compile(r"([A-Za-z0-9.!%*_+`'~\-]++)[ \t]*+:(.*)", re.S)
# It begins with the line break, so that a long run of blanks costs linear time.
_FOLD = re.compile(r"\r\n[ \t]++")
_VERSION = re.compile(r"SIP/[0-9]++\.[0-9]++", re.I | re.A)
_STATUS = re.compile(r"SIP/2\.0 ([1-6][0-9][0-9])(?: (.*))?", re.I | re.A | re.S)
_NOT_IN_URI = re.compile(r'[\x00-\x20\x7f<>"]')
# What a message must have once and only once; Via may come more often.
_MANDATORY = ("Via", "From", "To", "Call-ID", "CSeq")
_SINGLE = ("From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Type")


@frozen
class Head:
    """
    The start line and the headers of a message whose body is yet to come.

    @ivar problem: the first thing found wrong with them, and the status that
        answers it.
    @ivar status: of a response; 0 for a request.
    """

    headers: Headers
    problem: tuple[str, int] | None = None
    method: str = ""
    uri: str = ""
    status: int = 0
    reason: str = ""

    @classmethod
    def parse(cls, head: bytes) -> Head:
        """
        @param head: all before the blank line.
        @raise BadMessage: the start line is neither of a request nor of a response.
        """
        text = head.decode("utf-8", "surrogateescape")
        if "\r\n " in text or "\r\n\t" in text:
            text = _FOLD.sub(" ", text)
        start, *lines = text.split("\r\n")
        if "\r" in start or "\n" in start:
            raise BadMessage("no start line", head, None if start[:4] == "SIP/" else 400)
        headers, problem = _readLines(lines)
        if start[:4].upper() == "SIP/":
            found = _STATUS.fullmatch(start)
            if found is None:
                raise BadMessage("not a status line", head, None)
            return cls(headers, problem, status=int(found[1]), reason=found[2] or "")
        method, _, rest = start.partition(" ")
        # A blank at the end is forgiven (RFC 4475 section 3.1.2.10), but none
        # in the middle: it may hide where the URI ends.
        uri, _, version = rest.rstrip(" ").rpartition(" ")
        if not _TOKEN.fullmatch(method) or not _VERSION.fullmatch(version):
            raise BadMessage("not a request line", head)
        if version.upper() != "SIP/2.0":
            problem = (f"version {version[:20]}", 505)
        elif not uri or _NOT_IN_URI.search(uri):
            problem = (f"Request-URI {uri[:80]!r}", 400)
        return cls(headers, problem, method=method, uri=uri)

    def contentLength(self) -> int | None:
        """
        @return: the Content-Length, or C{None} if there is none.
        @raise BadMessage: it is there twice, or no number.
        """
        lines = self.headers.getAll("Content-Length")
        if not lines:
            return None
        match = LENGTH.fullmatch(lines[0]) if len(lines) == 1 else None
        if match is None:
            raise self.refuse("Content-Length is doubled or no number")
        return int(match[1])

    def message(self, body: bytes = b"") -> Request | Response:
        """
        @return: the message, with all that RFC 3261 section 8.1.1 makes
            mandatory (but Max-Forwards, which RFC 2543 does not know) there
            and well-formed.
        @raise BadMessage: it is not.
        """
        message = self._make(body)
        if self.problem is not None:
            raise self.refuse(*self.problem)
        self.contentLength()
        try:
            _check(message)
        except (BadHeader, BadURI) as error:
            raise self.refuse(str(error)) from error
        return message

    def refuse(self, why: str, status: int = 400) -> BadMessage:
        """
        @return: the error to raise about this message: with a request to
            answer, if it is one that may and can be answered.
        """
        message = self._make(b"")
        sample = why.encode("utf-8", "surrogateescape")
        # Nothing answers an ACK (RFC 3261 section 17.1.1.3) or a response.
        if isinstance(message, Response) or message.method == "ACK":
            return BadMessage(why, sample, None)
        return BadMessage(why, sample, status, _answerable(message))

    def _make(self, body: bytes) -> Request | Response:
        if self.status:
            return Response(self.status, self.reason, self.headers, body)
        return Request(self.method, self.uri, self.headers, body)


def _answerable(request: Request) -> Request | None:
    """
    @return: the request, or C{None} if no Via says where an answer should go.
        What cannot be read of a Via is left out, as in C{Via: ...;;,;,,} (RFC
        4475 section 3.1.2.1): the answer must not repeat it.
    """
    vias: list[str] = []
    for value in request.headers.values("Via"):
        try:
            vias.append(str(parseVia(value, lenient=True)))
        except BadHeader:
            continue
    try:
        _ = request.via
    except BadHeader:
        return evolve(request, headers=request.headers.replacing("Via", *vias)) if vias else None
    return request


def _readLines(lines: list[str]) -> tuple[Headers, tuple[str, int] | None]:
    fields: list[tuple[str, str]] = []
    problem: tuple[str, int] | None = None
    for line in lines:
        match = _LINE.fullmatch(line)
        # A lone CR or LF ends a line for some and not for others.
        if match is None or "\n" in line or "\r" in line:
            problem = problem or (f"not a header: {line[:60]!r}", 400)
        else:
            fields.append((match[1], match[2].strip(" \t")))
    return Headers(fields), problem


def _check(message: Request | Response) -> None:
    headers = message.headers
    for name in _MANDATORY:
        if name not in headers:
            raise BadHeader(f"no {name}")
    for name in _SINGLE:
        if headers.count(name) > 1:
            raise BadHeader(f"more than one {name}")
    if not message.callID:
        raise BadHeader("empty Call-ID")
    # Parsed here once; the message keeps what it parsed.
    _ = (message.via, message.fromAddr, message.toAddr)
    cseq = message.cseq
    if isinstance(message, Response):
        return
    if cseq.method != message.method:
        raise BadHeader(f"CSeq is of {cseq.method[:40]}")
    if message.uri[:4].lower() in ("sip:", "sips"):
        uri = message.requestURI
        # RFC 3261 section 19.1.1: not in a Request-URI; what they would ask
        # for could not be told from what the sender asks for.
        if isinstance(uri, SipURI) and uri.headers:
            raise BadURI("headers in the Request-URI")
    if message.method in ("INVITE", "UPDATE"):
        # It becomes the remote target, so there is no going on without it.
        _ = message.contacts


def parseMessage(data: bytes) -> Request | Response:
    """
    @param data: one whole message; its body is all after the blank line.
    @raise BadMessage: it is none, or one that must not be acted on.  The
        scheme of the Request-URI is not looked at: answering 416 is the user
        agent's business.
    """
    # RFC 3261 section 7.5: empty lines before the start line are ignored.
    head, blank, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    found = Head.parse(head if blank else head.removesuffix(b"\r\n"))
    if not blank:
        raise found.refuse("no blank line after the headers")
    return found.message(body)


def makeResponse(
    request: Request,
    status: int,
    reason: str | None = None,
    *,
    toTag: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    contentType: str | None = None,
) -> Response:
    """
    Answer a request (RFC 3261 section 8.2.6): with its Via, From, To, Call-ID
    and CSeq, and, in a 100, its Timestamp.  Works for a request with some of
    these missing or wrong as well (L{BadMessage.request}).

    @param reason: by default the usual phrase of that status.
    @param toTag: added to a To that has no tag yet; not in a 100.
    @param headers: more of them, in order.
    """
    fields: list[tuple[str, str]] = []
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        lines = request.headers.getAll(name)
        fields += [(name, line) for line in (lines if name == "Via" else lines[:1])]
    if status == 100:
        fields += [("Timestamp", line) for line in request.headers.getAll("Timestamp")[:1]]
    elif toTag is not None:
        fields = [
            (name, f"{line};tag={toTag}") if name == "To" and _untagged(request) else (name, line)
            for name, line in fields
        ]
    if contentType is not None:
        fields.append(("Content-Type", contentType))
    if reason is None:
        reason = REASONS.get(status) or REASONS[status // 100 * 100]
    return Response(status, reason, Headers([*fields, *headers]), body)


def _untagged(request: Request) -> bool:
    try:
        return request.toTag is None
    except BadHeader:
        return False
