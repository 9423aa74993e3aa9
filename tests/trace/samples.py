"""
Messages for the tests of the trace.
"""

from __future__ import annotations

from siprec.sip.flow import Flow
from siprec.trace.wire import TracedMessage

LOCAL, REMOTE = ("192.0.2.9", 5060), ("192.0.2.7", 5070)
UDP = Flow("UDP", LOCAL, REMOTE)
TCP = Flow("TCP", LOCAL, REMOTE, 3)
OTHER = Flow("UDP", LOCAL, ("2001:db8::8", 5060))
#: 2026-01-05 09:00:00.25 UTC.
NOON = 1767603600.25


def sip(start: str = "INVITE", callID: str = "call-1", number: int = 1, body: bytes = b"") -> bytes:
    """
    @param start: a method, or status and reason of an answer to an INVITE.
    @return: a message.
    """
    method = "INVITE" if start[:1].isdigit() else start
    line = f"SIP/2.0 {start}" if start[:1].isdigit() else f"{start} sip:srs@192.0.2.9 SIP/2.0"
    head = (
        f"{line}\r\nCall-ID: {callID}\r\nCSeq: {number} {method}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def traced(data: bytes, flow: Flow = UDP, sent: bool = False, time: float = NOON) -> TracedMessage:
    """
    @return: a message as a reader gets it.
    """
    return TracedMessage(time, sent, flow.transport, flow.local, flow.remote, flow.connection, data)
