"""
An operator's pause: for as long as it lasts, nothing of any stream of a recording is
kept, and the recording goes on in time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from attrs import evolve
from twisted.internet.defer import Deferred

from siprec.session.model import OperatorPause, RecordingSession
from siprec.session.pauses import PAUSED, RESUMED
from siprec.session.taps import Taps
from siprec.session.times import formatTime, parseTime

__all__ = ["MOST_REASON", "Pausable", "isReason", "pause", "resume", "withTold"]

#: The most characters of a reason.
MOST_REASON = 256

_TYPES = (PAUSED, RESUMED)


class Pausable(Protocol):
    """
    What this needs of a recording that runs.
    """

    recording: RecordingSession
    taps: Taps

    def event(self, type: str, **facts: Any) -> None:
        """
        Note that something happened.
        """

    def changed(self) -> None:
        """
        Have the manifest written.
        """


def isReason(text: str) -> bool:
    """
    @return: whether a text can stand in a manifest as a reason.
    """
    return 0 < len(text) <= MOST_REASON and text.isprintable()


def pause(live: Pausable, who: str, reason: str | None) -> Deferred[None]:
    """
    Keep nothing of a recording's streams from now on.  One that is paused already
    stays as it is.

    @param who: asks for it; C{reason} is why.
    @return: fires once nothing is written any more.  It does not fail.
    """
    if live.recording.pause is None:
        live.event(PAUSED, who=who, reason=reason)
        since = live.recording.events[-1]["time"]
        live.recording = evolve(live.recording, pause=OperatorPause(since, who, reason))
        live.changed()
    return live.taps.mute(True)


def resume(live: Pausable, who: str, reason: str | None) -> Deferred[None]:
    """
    Undo L{pause}.  Nothing happens to a recording that is not paused.

    @return: fires once what comes is kept.  It does not fail.
    """
    if live.recording.pause is not None:
        live.recording = evolve(live.recording, pause=None)
        live.event(RESUMED, who=who, reason=reason)
    return live.taps.mute(False)


def withTold(recording: RecordingSession, events: Iterable[Mapping[str, Any]]) -> RecordingSession:
    """
    A process that died while the store was away may have told of a pause only on its
    disk.

    @param events: of the manifest, as they are written.
    @return: the recording with what of them is about pauses; the last one holds.
    """
    known = {(each["type"], formatTime(each["time"])) for each in recording.events}
    news = []
    for each in events:
        # A file may have been changed by anybody.
        with suppress(KeyError, TypeError, ValueError):
            if each["type"] in _TYPES and (each["type"], each["time"]) not in known:
                news.append({**each, "time": parseTime(each["time"])})
    if not news:
        return recording
    told = sorted((*recording.events, *news), key=lambda each: each["time"])
    last = next(each for each in reversed(told) if each["type"] in _TYPES)
    kept = None
    if last["type"] == PAUSED:
        kept = OperatorPause(last["time"], str(last.get("who")), last.get("reason"))
    return evolve(recording, events=tuple(told), pause=kept)
