"""
The end of calls that nobody ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from siprec.rounds import Rounds, RoundsService

__all__ = ["LivenessService", "Signs"]

log = Logger()


@frozen
class Signs:
    """
    The signs of life of one call, in seconds since the epoch.

    @ivar lastMedia: when RTP or RTCP came last; C{None}: never.
    @ivar lastSignalling: when a SIP message of its dialog came last.
    @ivar sessionTimerUntil: when its session timer (RFC 4028) runs out;
        C{None}: it has none.
    """

    key: str
    lastMedia: float | None
    lastSignalling: float
    sessionTimerUntil: float | None = None

    def isDead(self, now: float, timeout: float) -> bool:
        """
        @return: whether all signs are more than C{timeout} seconds old.  One
            is enough to live: SIP is silent for hours in a long call, media in
            one on hold.
        """
        if self.sessionTimerUntil is not None and now < self.sessionTimerUntil:
            return False
        last = self.lastSignalling
        if self.lastMedia is not None:
            last = max(last, self.lastMedia)
        return now - last > timeout


@define(eq=False, repr=False, slots=False)
class LivenessService(RoundsService):
    """
    Looks for dead calls and reports each once.

    A call is reported when two looks in a row find it dead: after the machine
    was suspended or its time was set, everything seems old at the first one.
    """

    # Gives the signs of every call there is.
    _sessions: Callable[[], Iterable[Signs]]
    _clock: IReactorTime
    # Seconds since the epoch, as in L{Signs}.
    _now: Callable[[], float]
    _timeout: float = 3600.0
    # Called with the key of each call that is dead.  If it raises, it is
    # called again at the next look.
    _onDead: Callable[[str], None] = field(kw_only=True)
    # Seconds between two looks.
    _interval: float = 30.0
    _rounds: Rounds = field(init=False)
    _suspected: set[str] = field(factory=set, init=False)
    _reported: set[str] = field(factory=set, init=False)

    @_rounds.default
    def _makeRounds(self) -> Rounds:
        return Rounds(
            self._clock,
            self._interval,
            self._look,
            "signs of life not read; they are at the next look",
        )

    def _look(self) -> None:
        now = self._now()
        dead = {each.key for each in self._sessions() if each.isDead(now, self._timeout)}
        certain = dead & self._suspected
        self._suspected = dead
        self._reported &= dead
        for key in sorted(certain - self._reported):
            self._report(key)

    def _report(self, key: str) -> None:
        log.warn("{key}: no sign of life for {timeout} s", key=key, timeout=self._timeout)
        try:
            self._onDead(key)
        except Exception:
            log.failure("{key}: dead, but not ended", key=key)
        else:
            self._reported.add(key)
