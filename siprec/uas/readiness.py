"""
A call that was taken before the recorder was ready for its media: it is answered
inactive, and offered to be received when there is room (RFC 7866 section 7.2,
CONFORMANCE A10).
"""

from __future__ import annotations

from typing import Protocol

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall

from siprec.session.live import LiveRecording
from siprec.uas.around import Surroundings
from siprec.uas.moving import Moving
from siprec.uas.negotiation import Negotiation

__all__ = ["INTERVAL", "Readiness"]

#: Seconds between two looks whether there is room.
INTERVAL = 2.0


class Waiting(Protocol):
    """
    What this needs of its call.
    """

    live: LiveRecording | None
    negotiation: Negotiation


@define(eq=False, repr=False)
class Readiness:
    """
    Looks after one call that waits for room.
    """

    _around: Surroundings
    _call: Waiting
    _moving: Moving
    _timer: IDelayedCall | None = field(default=None, init=False)

    def watch(self) -> None:
        """
        The call has been answered: have its media received as soon as may be.
        """
        if self._timer is None and self._call.negotiation.waiting():
            self._timer = self._around.clock.callLater(INTERVAL, self._look)

    def stop(self) -> None:
        """
        The call is over.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        call = self._call
        if self._around.service.full:
            self.watch()
        elif call.live is not None:
            call.negotiation.ready()
            self._moving.startReceiving(call.live)
