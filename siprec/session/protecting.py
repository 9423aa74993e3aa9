"""
The keys of a recording's streams (SRTP), as they change and as they are kept for another
process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from attrs import evolve

from siprec.media.keys import MasterKey, withFormer
from siprec.media.srtp import MOST_WRAPS, Protection
from siprec.session.manifest import suiteOf
from siprec.session.model import RecordingSession
from siprec.session.taps import Taps

__all__ = ["Protected", "protectionOf", "rekey", "withCounters"]

# Seconds in which the sequence numbers of 100 packets a second wrap once.
_WRAP = 655.0


class Protected(Protocol):
    """
    What this needs of a recording that runs.
    """

    recording: RecordingSession
    taps: Taps

    def changeStream(self, index: int, **changes: Any) -> None:
        """
        Change what is said of a stream.
        """

    def event(self, type: str, **facts: Any) -> None:
        """
        Note that something happened.
        """


def protectionOf(recording: RecordingSession, index: int, now: float) -> Protection | None:
    """
    @param now: seconds since the epoch.
    @return: what opens the packets of a stream, from what is known of it; C{None}: they
        come in the clear.
    """
    stream = recording.streams[index]
    if stream.keys is None:
        return None
    wraps = 0
    if len(recording.segments) > 1:
        # It began in another process, which cannot be asked how far it came.
        wraps = 2 + int(max(now - recording.startTime, 0.0) / _WRAP)
    return Protection(stream.keys, dict(stream.counters), min(wraps, MOST_WRAPS))


def rekey(
    live: Protected,
    index: int,
    keys: tuple[MasterKey, ...] | None,
    clock: Callable[[], float] = time.time,
) -> None:
    """
    The peer has said by which keys it protects a stream from now on.

    @param keys: C{None}: by none.
    @param clock: gives seconds since the epoch, as for L{Protection}.
    """
    now = clock()
    before = live.recording.streams[index].keys
    found = withFormer(before, keys, now)
    if found == before:
        return
    live.changeStream(index, keys=found)
    live.taps.rekey(index, found, lambda: protectionOf(live.recording, index, now))
    live.event("srtpChanged", stream=index, suite=suiteOf(live.recording.streams[index]))


def withCounters(recording: RecordingSession, taps: Taps) -> RecordingSession:
    """
    @return: the recording with how far the packets of its protected streams have come.
    """
    if not any(each.keys for each in recording.streams):
        return recording
    streams = []
    for each in recording.streams:
        found = taps.indexes(each.index)
        streams.append(
            each if found is None else evolve(each, counters=tuple(sorted(found.items())))
        )
    return evolve(recording, streams=tuple(streams))
