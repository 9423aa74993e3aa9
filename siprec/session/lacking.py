"""
When nothing was written although packets came, and why: what is missing then was
never on the disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from siprec.session.times import parseTime

__all__ = ["RESUMED", "STOPPED", "causeOf", "tailOf"]

#: Types of the events between which nothing was written.
STOPPED, RESUMED = "captureStopped", "captureResumed"

# In seconds: how long what had come may have waited for the next visit of the
# capture, and to the next packet.
_SLACK = 0.5

# Another process that goes on with a recording does write.
_ENDS = frozenset((RESUMED, "resumed"))


def _events(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    events = [each for each in manifest["events"] if each["type"] in (STOPPED, *_ENDS)]
    return sorted(events, key=lambda each: parseTime(each["time"]))


def causeOf(manifest: Mapping[str, Any], begin: float, end: float) -> str | None:
    """
    @param manifest: with C{events}, as they are written.
    @param begin: of a gap, seconds since the epoch; C{end} likewise.
    @return: why nothing was written then; C{None}: it was, or nobody knows better.
    """
    stopped: tuple[float, str] | None = None
    for event in _events(manifest):
        time = parseTime(event["time"])
        if event["type"] == STOPPED:
            stopped = stopped or (time, str(event.get("cause")))
        elif stopped is not None:
            if begin >= stopped[0] - _SLACK and end <= time + _SLACK:
                return stopped[1]
            stopped = None
    return stopped[1] if stopped is not None and begin >= stopped[0] - _SLACK else None


def tailOf(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """
    @param manifest: of a recording that is over and rendered.
    @return: the gap of each stream at its end, if nothing was written any more then.
    """
    events = _events(manifest)
    if not events or events[-1]["type"] != STOPPED or not manifest["endTime"]:
        return []
    stopped = parseTime(events[-1]["time"])
    if stopped >= parseTime(manifest["endTime"]):
        return []
    return [
        {
            "start": events[-1]["time"],
            "end": manifest["endTime"],
            "stream": each["index"],
            "cause": events[-1].get("cause"),
        }
        for each in manifest["streams"]
        if each.get("active", True)
    ]
