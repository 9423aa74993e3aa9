"""
What a node and a reader of its trace say to each other: lines of JSON.

The reader sends one line, what it wants to see.  The node answers with one that says
who it is, then with one for each message, and for what else the reader should know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import asdict, frozen

from siprec.sip.flow import Flow
from siprec.sip.matching import isAddress, plainHost
from siprec.trace.ring import Entry

__all__ = [
    "MAX_QUERY",
    "BadQuery",
    "Query",
    "TracedMessage",
    "messageLine",
    "noteLine",
    "parseLine",
    "parsePeer",
]

#: Most octets of the line that a reader sends.
MAX_QUERY = 4096


class BadQuery(ValueError):
    """
    Nobody can tell what a reader wants.
    """


@frozen
class Query:
    """
    What a reader wants to see.

    @ivar follow: what comes later as well.
    @ivar callID: only messages with this Call-ID; empty: all.
    @ivar session: only those of this recording or communication session; empty: all.
    @ivar peer: only those of this address, C{IP} or C{IP:PORT}; empty: all.
    """

    follow: bool = True
    callID: str = ""
    session: str = ""
    peer: str = ""

    def line(self) -> bytes:
        """
        @return: to be sent to the node.
        """
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Query:
        """
        @raise BadQuery: it is none.
        """
        try:
            given = json.loads(line)
            query = cls(**given)
        except (ValueError, TypeError, RecursionError):
            raise BadQuery(f"no query: {line[:60]!r}") from None
        texts = (query.callID, query.session, query.peer)
        if not isinstance(query.follow, bool) or not all(isinstance(each, str) for each in texts):
            raise BadQuery(f"no query: {line[:60]!r}")
        parsePeer(query.peer)
        return query


def parsePeer(text: str) -> tuple[str, int]:
    """
    @param text: C{IP}, C{IP:PORT}, an IPv6 address with or without brackets, or nothing.
    @return: host and port; the port is 0 for any, the host empty for any.
    @raise BadQuery: it is none of these.
    """
    host, colon, port = text, "", ""
    if text.count(":") == 1 or "]:" in text:
        host, colon, port = text.rpartition(":")
    number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0
    wrong = bool(text) and not isAddress(plainHost(host))
    if wrong or number > 65535 or (colon and not number):
        raise BadQuery(
            f"{text!r}: a peer is IP or IP:PORT, such as 192.0.2.7 or [2001:db8::7]:5060"
        )
    return (plainHost(host), number) if text else ("", 0)


@frozen
class TracedMessage:
    """
    A message as a reader gets it, without secrets.

    @ivar time: seconds since the Unix epoch.
    @ivar sent: whether the node sent it.
    @ivar transport: C{UDP}, C{TCP} or C{TLS}.
    @ivar local: address and port of the node.
    @ivar remote: those of the peer.
    @ivar connection: which stream connection of the node; 0 for UDP.
    """

    time: float
    sent: bool
    transport: str
    local: tuple[str, int]
    remote: tuple[str, int]
    connection: int
    data: bytes


def messageLine(entry: Entry, data: bytes) -> bytes:
    """
    @param data: the octets of this message, without the secrets.
    """
    flow: Flow = entry.flow
    message = {
        "time": entry.time,
        "sent": entry.sent,
        "transport": flow.transport,
        "local": flow.local,
        "remote": flow.remote,
        "connection": flow.connection,
        # One character for each octet, whatever it is.
        "data": data.decode("latin-1"),
    }
    return noteLine("message", message)


def noteLine(kind: str, value: object) -> bytes:
    """
    @param kind: C{node}: who it is; C{message}; C{missed}: how many messages are
        gone that the reader was too slow for; C{error}, C{end}: why nothing more comes.
    """
    return json.dumps({kind: value}, separators=(",", ":")).encode() + b"\n"


def parseLine(line: bytes) -> tuple[str, Any]:
    """
    @return: the kind of a line of the node (see L{noteLine}) and its value; that of
        C{message} is a L{TracedMessage}.
    @raise ValueError: it is none.
    """
    try:
        [(kind, value)] = json.loads(line).items()
        return kind, _message(value) if kind == "message" else value
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(f"not a line of a node: {line[:60]!r}") from None


def _message(value: Mapping[str, Any]) -> TracedMessage:
    (local, localPort), (remote, remotePort) = value["local"], value["remote"]
    return TracedMessage(
        float(value["time"]),
        bool(value["sent"]),
        str(value["transport"]),
        (str(local), int(localPort)),
        (str(remote), int(remotePort)),
        int(value["connection"]),
        value["data"].encode("latin-1"),
    )
