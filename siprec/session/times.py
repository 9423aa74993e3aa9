"""
Times as they stand in a manifest.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

__all__ = ["formatTime", "parseTime"]


def formatTime(seconds: float) -> str:
    """
    @param seconds: since the Unix epoch.
    @return: RFC 3339, UTC, with microseconds: C{2026-01-05T09:00:00.000000Z}.
    """
    # Rounded here, because datetime truncates and 0.1 + 0.2 would lose one.
    whole, micro = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"{_formatSecond(whole)}.{micro:06d}Z"


# A manifest tells a dozen times of few seconds.
@lru_cache(maxsize=64)
def _formatSecond(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


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
