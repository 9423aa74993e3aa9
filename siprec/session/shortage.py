"""
What happens to running calls when the disk is nearly full: nothing more is written of
them until there is room again, so that what there is can be finished.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import define, field
from twisted.logger import Logger

from siprec.media.interfaces import ICapture
from siprec.session.lacking import RESUMED, STOPPED
from siprec.session.live import LiveRecording

__all__ = ["Shortage"]

log = Logger()


@define(eq=False, repr=False)
class Shortage:
    """
    Stops and resumes the capture of all recordings.

    @ivar stopped: nothing is written now.
    """

    _capture: ICapture
    # Gives what runs now.
    _recordings: Callable[[], Iterable[LiveRecording]]
    stopped: bool = field(default=False, init=False)

    def look(self, free: int | None, reserve: int) -> None:
        """
        Decide by what was found.

        @param free: octets of disk; C{None}: that cannot be found out, so it stays
            as it is.
        @param reserve: octets below which no new call is taken.  Running ones may use
            half of them.
        """
        if free is None:
            return
        if not self.stopped and free < max(reserve // 2, 1):
            self._change(True, free)
        elif self.stopped and free >= max(reserve * 3 // 4, 1):
            # Not at the half again: it would go to and fro.
            self._change(False, free)

    def begun(self, live: LiveRecording) -> None:
        """
        A recording has begun, or goes on here.
        """
        if self.stopped:
            live.event(STOPPED, cause="diskFull")

    def _change(self, stopped: bool, free: int) -> None:
        self.stopped = stopped
        self._capture.withhold(stopped)
        if stopped:
            log.error("only {free} octets are free: capture stops", free=free)
        else:
            log.info("{free} octets are free: capture goes on", free=free)
        for live in self._recordings():
            live.event(STOPPED if stopped else RESUMED, cause="diskFull", free=free)
