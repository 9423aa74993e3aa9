"""
What is told of who sends media: of strangers, whose packets are not recorded, and of
senders that are others than the peer's description says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import define, field
from twisted.logger import Logger

from siprec.ids import RecordingID
from siprec.media.interfaces import ICapturedStream
from siprec.session.live import LiveRecording

__all__ = ["Senders"]

log = Logger()

# Of each kind, by the name of the event.
_TOLD = {
    "stranger": "mediaStranger",
    "latched": "mediaLatched",
}

# Seconds between two lines of the log: who sends to all ports must not fill it.
_BETWEEN = 1.0


@define(eq=False, repr=False)
class Senders:
    """
    Tells manifests and the log.

    @ivar _recordings: those that run, by their ids.
    @ivar _seconds: a clock that does not go back.
    """

    _recordings: Mapping[RecordingID, LiveRecording]
    _seconds: Callable[[], float]
    _next: float = field(default=0.0, init=False)
    _untold: int = field(default=0, init=False)

    def tell(self, stream: ICapturedStream, kind: str, host: str) -> None:
        """
        @param kind: C{"stranger"} or C{"latched"}.
        @param host: the address that packets come from.
        """
        for live in self._recordings.values():
            index = live.taps.indexOf(stream)
            if index is not None:
                live.event(_TOLD[kind], stream=index, address=host)
                self._log(live, index, kind, host)
                return

    def _log(self, live: LiveRecording, index: int, kind: str, host: str) -> None:
        if self._seconds() < self._next:
            self._untold += 1
            return
        untold, self._untold = self._untold, 0
        self._next = self._seconds() + _BETWEEN
        facts = {"recording": live.recording.id, "stream": index, "host": host, "untold": untold}
        if kind == "stranger":
            log.warn(
                "{recording}: {host} sends to stream {stream} and is not recorded"
                " ({untold} such lines left out)",
                **facts,
            )
        else:
            log.info(
                "{recording}: stream {stream} comes from {host} ({untold} such lines left out)",
                **facts,
            )
