"""
What the headers of later requests in a dialog add to those of its INVITE.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["MOST", "withLater"]

#: How many later requests with news are told of one call.
MOST = 100

# What every request of a dialog has, whatever is new in the call.
_ROUTINE = frozenset(
    (
        *("from", "to", "call-id", "contact", "user-agent", "allow", "supported", "require"),
        *("accept", "accept-encoding", "accept-language", "date", "timestamp", "expires"),
        *("session-expires", "min-se", "max-breadth", "mime-version", "rseq", "rack"),
        *("recv-info", "info-package", "event", "allow-events", "server"),
    )
)


def withLater(
    sip: Mapping[str, Any], kept: Mapping[str, Sequence[str]], time: str, method: str
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """
    @param sip: the manifest's C{sip}.
    @param kept: the headers of a later request that may be kept, as those in C{sip}.
    @param time: when it came; C{method} its method.
    @return: C{sip} with the values that are new among its C{headers}, and the request in
        C{later} (C{time}, C{method}, C{headers}); and those as names and values.
    """
    headers: dict[str, list[str]] = {
        name: list(values) for name, values in (sip.get("headers") or {}).items()
    }
    names = {name.lower(): name for name in headers}
    news: dict[str, list[str]] = {}
    for name, values in kept.items():
        if name.lower() in _ROUTINE:
            continue
        own = headers.setdefault(names.setdefault(name.lower(), name), [])
        fresh = [value for value in dict.fromkeys(values) if value not in own]
        if fresh:
            own += fresh
            news[name] = fresh
    later = list(sip.get("later") or ())
    if not news or len(later) >= MOST:
        return dict(sip), []
    later.append({"time": time, "method": method, "headers": news})
    added = [(name, value) for name, values in news.items() for value in values]
    return {**sip, "headers": headers, "later": later}, added
