"""
When the peer had said that it would send nothing, or nothing was to be kept: what is
missing then is not lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from siprec.session.times import parseTime

__all__ = ["PAUSED", "RESUMED", "pausesOf"]

#: The events of an operator's pause, which is one of all streams.
PAUSED, RESUMED = "recordingPaused", "recordingResumed"

# What begins a pause of a stream, and what ends the same.
_BEGINS = {
    PAUSED: RESUMED,
    "streamPaused": "streamResumed",
    "streamHeld": "streamReleased",
    "streamRemoved": "streamRestored",
}
_ENDS = frozenset(_BEGINS.values())


def pausesOf(manifest: Mapping[str, Any], index: int) -> list[tuple[float, float | None]]:
    """
    @param manifest: with C{startTime}, C{streams} and C{events}, as they are written.
    @param index: of a stream.
    @return: begin and end of each, in seconds since the epoch; C{None}: it was never
        resumed.
    @raise ValueError: a time is none.
    """
    mine = [
        each
        for each in manifest["events"]
        if (each["type"] in _BEGINS or each["type"] in _ENDS)
        and (each.get("stream") == index or each["type"] in (PAUSED, RESUMED))
    ]
    mine.sort(key=lambda each: parseTime(each["time"]))
    waiting: dict[str, float] = {}
    if _beganPaused(manifest, index, mine):
        waiting["streamResumed"] = _began(manifest, index)
    found: list[tuple[float, float | None]] = []
    begin = min(waiting.values(), default=None)
    for event in mine:
        kind, time = event["type"], parseTime(event["time"])
        if kind in _BEGINS:
            waiting[_BEGINS[kind]] = time
            begin = time if begin is None else begin
        elif waiting.pop(kind, None) is not None and not waiting and begin is not None:
            found.append((begin, time))
            begin = None
    if begin is not None and set(waiting) != {"streamRestored"}:
        # A line that was given up for good is over, not silent.
        found.append((begin, None))
    since = _began(manifest, index)
    return [(max(begin, since), end) for begin, end in found if end is None or end > since]


def _began(manifest: Mapping[str, Any], index: int) -> float:
    for event in manifest["events"]:
        if event["type"] == "streamAdded" and event.get("stream") == index:
            return parseTime(event["time"])
    return parseTime(manifest["startTime"])


def _beganPaused(manifest: Mapping[str, Any], index: int, mine: list[Mapping[str, Any]]) -> bool:
    for event in mine:
        if event["type"] in ("streamPaused", "streamResumed"):
            return bool(event["type"] == "streamResumed")
    # Nothing has changed since: it is as it was in the first answer.
    return any(
        each["index"] == index and each.get("direction") == "inactive" and each.get("active", True)
        for each in manifest["streams"]
    )
