"""
The names of header fields.
"""

from __future__ import annotations

__all__ = ["USUAL", "headerKey"]

# RFC 3261 section 7.3.3 and the IANA registry of header fields.
_COMPACT = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}

#: As they are mostly written: a name is looked at a hundred times for each message.
USUAL = {
    written: name.lower()
    for name in (
        *("Via", "From", "To", "Call-ID", "CSeq", "Contact", "Max-Forwards", "Content-Type"),
        *("Content-Length", "Content-Disposition", "Require", "Supported", "Allow", "Accept"),
        *("Route", "Record-Route", "User-Agent", "Session-Expires", "Min-SE", "Replaces"),
        *("Authorization", "Proxy-Require", "Unsupported", "Retry-After", "Reason", "Warning"),
        *("Accept-Encoding", "Content-Encoding", "Content-ID", "Timestamp", "RAck", "RSeq"),
        *("Proxy-Authorization", "Server", "Date", "MIME-Version", "Event", "Expires"),
    )
    for written in (name, name.lower())
}


def headerKey(name: str) -> str:
    """
    @return: the name in lower case, and in full (RFC 3261 section 7.3.3).
    """
    lower = USUAL.get(name) or name.lower()
    return _COMPACT.get(lower, lower) if len(lower) == 1 else lower
