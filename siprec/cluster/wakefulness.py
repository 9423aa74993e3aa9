"""
A process that was frozen, or that the machine gave no time, must not go on as
if nothing had happened: others may have taken its calls meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from siprec.rounds import Rounds

__all__ = ["Wakefulness"]

log = Logger()

# So many ticks go by in the time that a process may be without one.
_TICKS = 5


@define(eq=False, repr=False, slots=False)
class Wakefulness(Service):
    """
    Compares the time with that of the last tick, at each tick and whenever
    somebody asks.  After a pause that was too long the process counts as asleep
    until it is clear which calls are still its own.

    @ivar pauses: how often it was found to have slept.
    """

    _clock: IReactorTime
    # Seconds without a tick after which others may have taken this node for dead.
    _limit: float
    # Finds out which calls are still this node's, and lets go of the others; it
    # must not fail.
    _verify: Callable[[], Deferred[None]]
    pauses: int = field(default=0, init=False)
    _last: float = field(default=0.0, init=False)
    _rounds: Rounds = field(init=False)
    _asleep: bool = field(default=False, init=False)
    _waiting: list[Deferred[None]] = field(factory=list, init=False)

    @_rounds.default
    def _makeRounds(self) -> Rounds:
        return Rounds(self._clock, self._limit / _TICKS, self._tick, "the time was not looked at")

    def startService(self) -> None:
        """
        See L{twisted.application.service.IService.startService}.
        """
        super().startService()
        self._last = self._clock.seconds()
        self._rounds.start()

    def stopService(self) -> Deferred[None]:
        """
        See L{twisted.application.service.IService.stopService}.
        """
        super().stopService()
        ended = self._rounds.stop()
        self._wake()
        return ended

    @property
    def awake(self) -> bool:
        """
        Whether this node may speak for its calls.
        """
        if self._rounds.running and not self._asleep:
            slept = self._clock.seconds() - self._last
            if slept > self._limit:
                self._sleep(f"no turn for {slept:.1f} s")
        return not self._asleep

    def whenAwake(self) -> Deferred[None]:
        """
        @return: fires once this node may speak for its calls.
        """
        if self.awake:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def doubt(self, why: str) -> None:
        """
        There is another sign that others may have taken this node for dead.
        """
        if self._rounds.running and not self._asleep:
            self._sleep(why)

    def _tick(self) -> None:
        if self.awake:
            self._last = self._clock.seconds()

    def _sleep(self, why: str) -> None:
        self._asleep = True
        self.pauses += 1
        log.warn("{why}: silent until it is clear which calls are this node's", why=why)
        # What comes of it is logged there; silence for ever would be worse.
        self._verify().addErrback(
            lambda failure: log.failure("calls not compared with the store", failure)
        ).addCallback(lambda _: self._wake())

    def _wake(self) -> None:
        self._asleep = False
        self._last = self._clock.seconds()
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)
