"""
Times as they stand in a manifest.
"""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["formatTime", "parseTime"]


def formatTime(seconds: float) -> str:
    """
    @param seconds: since the Unix epoch.
    @return: RFC 3339, UTC, with microseconds: C{2026-01-05T09:00:00.000000Z}.
    """
    # Rounded here, because datetime truncates and 0.1 + 0.2 would lose one.
    moment = datetime.fromtimestamp(round(seconds * 1_000_000) // 1_000_000, UTC)
    micro = round(seconds * 1_000_000) % 1_000_000
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{micro:06d}Z"


def parseTime(text: str) -> float:
    """
    @param text: what L{formatTime} wrote, or any RFC 3339 time with a zone.
    @return: seconds since the Unix epoch.
    @raise ValueError: it is not such a time.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.timestamp()
