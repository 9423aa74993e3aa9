"""
The links of a record: the names of the indexes that lead to it in Redis.
"""

from __future__ import annotations

import msgpack

from siprec.session.model import SessionData

__all__ = ["callLink", "communicationLink", "correlationLink", "packedLinks"]


def callLink(callID: str) -> str:
    """
    @return: the index of the records with that Call-ID.
    """
    return f"call:{callID}"


def communicationLink(sessionID: str) -> str:
    """
    @return: the index of the records that carry that communication session.
    """
    return f"communication:{sessionID}"


def correlationLink(key: str) -> str:
    """
    @return: the index of the records with that correlation key.
    """
    return f"correlation:{key}"


def packedLinks(data: SessionData) -> bytes:
    """
    @return: all links of a record, each once, as the scripts take them.
    """
    links = [
        callLink(data.callID),
        *map(communicationLink, data.sessions),
        *map(correlationLink, data.correlations),
    ]
    # As text: a script reads msgpack's first form, which had no type for bytes.
    packed: bytes = msgpack.packb(list(dict.fromkeys(links)), unicode_errors="surrogatepass")
    return packed
