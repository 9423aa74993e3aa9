"""
A first look at a SIP message, which may be none: enough to tell which call it is of.
"""

from __future__ import annotations

import re

from attrs import frozen

__all__ = ["Glance", "callIDOf", "glance"]

# Longer ones are no SIP that anybody would want to look at.
_MOST = 65536
_METHOD = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_STATUS = re.compile(r"SIP/2\.0 +(\d{3}(?: .*)?)", re.I)
_CALL_ID = re.compile(rb"(?:^|\n)(?:call-id|i)[ \t]*+:[ \t]*+([^\r\n]*)", re.I)
_CSEQ = re.compile(rb"(?:^|\n)cseq[ \t]*+:[ \t]*+([^\r\n]*)", re.I)


@frozen
class Glance:
    """
    What a message is at first sight.

    @ivar kind: its method, or its status and reason; empty: it is no SIP.
    @ivar callID: empty: it has none.
    @ivar cseq: such as C{1 INVITE}; empty: it has none.
    """

    kind: str
    callID: str
    cseq: str

    @property
    def label(self) -> str:
        """
        Such as C{INVITE (1)} or C{200 OK (1 INVITE)}.
        """
        number, _, method = self.cseq.partition(" ")
        said = number if method.strip() == self.kind else self.cseq
        return f"{self.kind or 'no SIP'} ({said})" if said else self.kind or "no SIP"


def glance(data: bytes) -> Glance:
    """
    @param data: a message, or what came instead of one.
    """
    head = _head(data)
    start = _text(head.partition(b"\n")[0])
    status = _STATUS.match(start)
    kind = status[1].strip() if status else _method(start)
    return Glance(kind, callIDOf(head), _value(_CSEQ, head))


def callIDOf(data: bytes) -> str:
    """
    @return: the Call-ID of a message; empty if it has none.
    """
    return _value(_CALL_ID, _head(data))


def _method(start: str) -> str:
    method, _, rest = start.partition(" ")
    isRequest = rest.rpartition(" ")[2].upper().startswith("SIP/") and _METHOD.fullmatch(method)
    return method if isRequest else ""


def _head(data: bytes) -> bytes:
    return data[:_MOST].lstrip(b"\r\n").partition(b"\r\n\r\n")[0]


def _value(pattern: re.Pattern[bytes], head: bytes) -> str:
    match = pattern.search(head)
    return _text(match[1]) if match else ""


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "backslashreplace").strip()
