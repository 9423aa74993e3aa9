"""
Waiting that a stop cuts short.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

__all__ = ["Pauses"]


@define(eq=False, repr=False)
class Pauses:
    """
    The pauses of one service.
    """

    _clock: IReactorTime
    # Whether the service runs: otherwise there is nothing to wait for.
    _runs: Callable[[], bool]
    _waiting: set[Deferred[None]] = field(factory=set, init=False)

    def wait(self, seconds: float) -> Deferred[None]:
        """
        @return: fires after so many seconds, or at the stop.  It never fails.
        """
        if not self._runs():
            return succeed(None)
        pause: Deferred[None] = deferLater(self._clock, seconds)
        self._waiting.add(pause)

        def over(result: object) -> None:
            self._waiting.discard(pause)

        return pause.addBoth(over)

    def end(self) -> None:
        """
        The service has stopped.
        """
        for pause in list(self._waiting):
            pause.cancel()
