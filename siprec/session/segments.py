"""
The segments of a recording, the names of their journals, and its end.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from attrs import evolve

from siprec.session.model import RecordingSession

__all__ = ["journalName", "withClosed", "withEnd", "withEnded", "withLast"]


def journalName(segment: int, stream: int) -> str:
    """
    @param segment: its number, from 1.
    @param stream: its index, from 0.
    @return: the name of the stream's journal in the recording's directory.
    """
    return f"{segment}-{stream}.rtpdump"


def withLast(recording: RecordingSession, **changes: Any) -> RecordingSession:
    """
    @return: the recording with its last segment changed, by the names of
        L{siprec.session.model.Segment}.
    """
    *before, last = recording.segments
    return evolve(recording, segments=(*before, evolve(last, **changes)))


def withClosed(recording: RecordingSession, used: Container[int]) -> RecordingSession:
    """
    @param used: the indexes of the streams on which something came.
    @return: the recording with its last segment closed, when the call ended.
    """
    # A stream on which nothing came has no journal.
    names = (name for name in recording.segments[-1].files if _streamOf(name) in used)
    return withLast(recording, end=recording.endTime, files=tuple(names))


def withEnd(
    recording: RecordingSession, reason: str, now: float, event: Mapping[str, Any] | None = None
) -> RecordingSession:
    """
    @param reason: C{endReason} of the manifest.
    @param now: seconds since the epoch.
    @param event: facts of an event C{reason} that is noted with it.
    @return: the recording of a call that is over.
    """
    if event is None and (recording.state, recording.endReason) == ("finishing", reason):
        return recording
    news = () if event is None else ({"time": now, "type": reason, **event},)
    return evolve(
        recording,
        state="finishing",
        endTime=recording.endTime or now,
        endReason=reason,
        events=(*recording.events, *news),
    )


def withEnded(
    recording: RecordingSession, number: int, end: float, files: tuple[str, ...]
) -> RecordingSession | None:
    """
    @param number: of a segment that another node has closed, from 1.
    @param end: when its last packet came, seconds since the epoch.
    @param files: its journals.
    @return: the recording with that; C{None} where there is no such segment, or it is
        the last one, which nobody else closes.
    """
    segments = list(recording.segments)
    if not 0 < number < len(segments):
        return None
    segments[number - 1] = evolve(segments[number - 1], end=end, files=files)
    return evolve(recording, segments=tuple(segments))


def _streamOf(name: str) -> int:
    return int(name.partition("-")[2].partition(".")[0])
