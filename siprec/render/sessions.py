"""
From when to when each communication session of a recording went on, as its timeline
says it.
"""

from collections.abc import Mapping
from typing import Any

from attrs import define, frozen

from siprec.session.times import parseTime

__all__ = ["TOLERANCE", "Span", "spansOf"]

#: What a client states of a session is believed if it is no more than so many seconds
#: before the message that says so; clocks are off, and zones are missing.
TOLERANCE = 10.0


@frozen
class Span:
    """
    @ivar begin: seconds since the epoch.
    @ivar end: C{None} if the session went on to the end of the recording.
    """

    session: str
    begin: float
    end: float | None = None


@define
class _Open:
    session: str
    begin: float


def spansOf(manifest: Mapping[str, Any]) -> list[Span]:
    """
    @param manifest: with C{timeline}, if it has one.
    @return: in the order of their beginnings; a session that began twice has two.
    @raise ValueError: a time is none.
    """
    spans: list[Span] = []
    running: dict[str, _Open] = {}
    for entry in manifest.get("timeline", ()):
        if entry["source"] != "metadata" or entry["type"] != "session":
            continue
        session, moment = str(entry["session"]), _moment(entry)
        if entry["event"] == "sessionStarted":
            running.setdefault(session, _Open(session, moment))
        elif (begun := running.pop(session, None)) is not None and moment > begun.begin:
            spans.append(Span(session, begun.begin, moment))
    spans += [Span(each.session, each.begin) for each in running.values()]
    return sorted(spans, key=lambda span: span.begin)


def _moment(entry: Mapping[str, Any]) -> float:
    """
    @return: when it was so: by the client's clock, if that can be.
    """
    told = parseTime(entry["time"])
    if entry.get("stated") is None:
        return told
    stated = parseTime(entry["stated"])
    return stated if told - TOLERANCE <= stated <= told else told
