"""
What is done again and again while a service runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

__all__ = ["Rounds", "RoundsService"]

log = Logger()


@define(eq=False, repr=False)
class Rounds:
    """
    Calls something at regular times, never while an earlier call is under way.
    Unlike a C{LoopingCall} it goes on after a call that fails.
    """

    _clock: IReactorTime
    # Seconds from one to the next.
    _interval: float
    # May return a Deferred or a coroutine.
    _call: Callable[[], Any]
    # What the log says where one fails.
    _failed: str
    _loop: LoopingCall | None = field(default=None, init=False)
    _ended: Deferred[None] = field(factory=lambda: succeed(None), init=False)

    @property
    def running(self) -> bool:
        """
        Whether there will be another round.
        """
        return self._loop is not None

    def start(self, now: bool = True) -> None:
        """
        @param now: whether the first round is at once, or after an interval.
        """
        # A LoopingCall of its own: the last round of before may be under way still.
        loop = self._loop = LoopingCall(self._round)
        loop.clock = self._clock
        self._ended = loop.start(self._interval, now).addCallback(lambda _: None)

    def stop(self) -> Deferred[None]:
        """
        @return: fires when the round that is under way has ended.
        """
        loop, self._loop = self._loop, None
        ended, self._ended = self._ended, succeed(None)
        if loop is not None:
            loop.stop()
        return ended

    def _round(self) -> Deferred[Any]:
        return maybeDeferred(self._call).addErrback(
            lambda failure: log.failure("{what}", failure, what=self._failed)
        )


class RoundsService(Service):
    """
    Does nothing but rounds while it runs; C{_rounds} is made by the class that says which.
    """

    _rounds: Rounds

    def startService(self) -> None:
        """
        See L{twisted.application.service.IService.startService}.
        """
        super().startService()
        self._rounds.start()

    def stopService(self) -> Deferred[None]:
        """
        @return: fires when the round that is under way has ended.
        """
        super().stopService()
        return self._rounds.stop()
