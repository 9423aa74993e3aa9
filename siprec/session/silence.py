"""
Streams on which nothing comes, though they are neither held nor paused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from attrs import define, field
from twisted.logger import Logger

from siprec.session.model import RecordingSession, StreamInfo
from siprec.session.taps import Taps

__all__ = ["AGAIN", "NONE", "Silence"]

log = Logger()

#: Types of the events.
NONE, AGAIN = "noMedia", "mediaAgain"


class Recorded(Protocol):
    """
    What this needs of a recording that runs.
    """

    recording: RecordingSession
    taps: Taps

    def event(self, type: str, **facts: Any) -> None:
        """
        Note that something happened.
        """


@define(eq=False, repr=False)
class _Heard:
    """
    @ivar count: of the packets so far.
    @ivar since: when that was seen first, or the stream was held or paused last.
    @ivar silent: whether that was told.
    """

    count: int
    since: float
    silent: bool


@define(eq=False, repr=False)
class Silence:
    """
    Looks after the streams of one recording.

    @ivar _limit: seconds without RTP and RTCP after which a stream is silent.
    """

    _live: Recorded
    _limit: float
    _heard: dict[int, _Heard] = field(factory=dict, init=False)

    @property
    def silent(self) -> int:
        """
        How many streams are silent.
        """
        return sum(each.silent for each in self._heard.values())

    def look(self, now: float, held: Callable[[StreamInfo], bool]) -> int:
        """
        Tell of each stream that has become silent, and of each on which something came
        again.

        @param now: on a clock that only goes on.
        @param held: whether the peer is not to send on a stream.
        @return: how many have become silent.
        """
        return sum(self._look(each, now, held) for each in self._live.recording.streams)

    def _look(self, stream: StreamInfo, now: float, held: Callable[[StreamInfo], bool]) -> bool:
        live, count = self._live, self._live.taps.packets(stream.index)
        heard = self._heard.get(stream.index)
        if heard is None:
            # Another process may have told it.
            known = _told(live.recording, stream.index)
            self._heard[stream.index] = _Heard(0 if known else count, now, known)
            return False
        if count != heard.count:
            heard.count, heard.since = count, now
            if heard.silent:
                heard.silent = False
                live.event(AGAIN, stream=stream.index)
                log.info(
                    "{recording}: media again on stream {stream}",
                    recording=live.recording.id,
                    stream=stream.index,
                )
        elif not self._isDue(stream) or held(stream):
            heard.since = now
        elif not heard.silent and now - heard.since >= self._limit:
            heard.silent = True
            live.event(NONE, stream=stream.index, seconds=round(now - heard.since, 1))
            log.warn(
                "{recording}: no media on stream {stream} for {seconds} s",
                recording=live.recording.id,
                stream=stream.index,
                seconds=round(now - heard.since, 1),
                callID=live.recording.callID,
            )
            return True
        return False

    def _isDue(self, stream: StreamInfo) -> bool:
        """
        @return: whether something should come.
        """
        paused = self._live.recording.pause is not None
        return stream.active and stream.direction != "inactive" and not paused


def _told(recording: RecordingSession, index: int) -> bool:
    for event in reversed(recording.events):
        if event["type"] in (NONE, AGAIN) and event.get("stream") == index:
            return bool(event["type"] == NONE)
    return False
