"""
Work that can wait for a moment in which nobody waits for an answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["MOST", "SOON", "AtOnce", "Postponed", "Turns"]

#: So many works may wait before no more calls should be taken; a call has up to three.
MOST = 20_000

#: Seconds that what is to be done soon may wait.
SOON = 0.5

# Seconds after which a work is done, whoever says anything, as each keeps a call in memory;
# and where calls wait for longer than that for their turn, as they would wait by a third
# longer for it.
_LONG, _PATIENT, _LONGEST = 10.0, 1.0, 60.0

# So many works are just what there is to do at any time.
_FEW = 16

# Seconds of work for one turn of the reactor, so that what comes meanwhile does not wait long.
_SLICE = 0.004

# Seconds until the next look where something had come.
_PAUSE = 0.005


class Turns(Protocol):
    """
    Tells work when it may be done.
    """

    @property
    def busy(self) -> bool:
        """
        Whether so much waits that peers should be answered first.
        """

    def turn(self) -> Deferred[None]:
        """
        @return: fires when it may be done; it does not fail.
        """

    def soon(self, canWait: Callable[[], bool]) -> Deferred[None]:
        """
        @param canWait: tells after a while whether it is as L{turn} then.
        @return: likewise, but within L{SOON} seconds.
        """

    def __len__(self) -> int:
        """
        How many works wait.
        """

    def reasons(self) -> list[str]:
        """
        @return: why no call should be taken now; empty when one can.
        """


class AtOnce:
    """
    Nothing waits.

    @ivar busy: never.
    """

    busy = False

    def __len__(self) -> int:
        return 0

    def turn(self) -> Deferred[None]:
        """
        See L{Turns.turn}.
        """
        return succeed(None)

    def soon(self, canWait: Callable[[], bool]) -> Deferred[None]:
        """
        See L{Turns.soon}.
        """
        return succeed(None)

    def reasons(self) -> list[str]:
        """
        See L{Turns.reasons}.
        """
        return []


@define(eq=False, repr=False)
class Postponed:
    """
    Lets work be done in the order in which it came, and for some seconds only while no peer
    says anything: with many calls at once, those that begin are answered before those that
    have ended are finished.

    @ivar limit: so many works may wait before no more calls should be taken; 0: any number.
    """

    _clock: IReactorTime
    # Tells how many messages have come.
    _messages: Callable[[], int]
    limit: int = MOST
    # For how many seconds a new call has waited for its turn.
    _waited: Callable[[], float] = lambda: 0.0
    # Since when each waits.
    _works: deque[tuple[float, Deferred[None]]] = field(factory=deque, init=False)
    _urgent: deque[tuple[float, Callable[[], bool], Deferred[None]]] = field(
        factory=deque, init=False
    )
    _next: IDelayedCall | None = field(default=None, init=False)

    def __len__(self) -> int:
        return len(self._works) + len(self._urgent)

    @property
    def busy(self) -> bool:
        """
        See L{Turns.busy}.
        """
        return len(self) > _FEW

    def turn(self) -> Deferred[None]:
        """
        See L{Turns.turn}.
        """
        work: Deferred[None] = Deferred()
        self._works.append((self._clock.seconds(), work))
        self._goOn(0)
        return work

    def soon(self, canWait: Callable[[], bool]) -> Deferred[None]:
        """
        See L{Turns.soon}.
        """
        work: Deferred[None] = Deferred()
        self._urgent.append((self._clock.seconds() + SOON, canWait, work))
        self._goOn(0)
        return work

    def reasons(self) -> list[str]:
        """
        See L{Turns.reasons}.
        """
        waiting = len(self)
        return [f"{waiting} works wait, the limit"] if 0 < self.limit <= waiting else []

    def _goOn(self, seconds: float) -> None:
        if self._next is None and len(self):
            self._next = self._clock.callLater(seconds, self._go, self._messages())

    def _go(self, before: int) -> None:
        self._next, now = None, self._clock.seconds()
        while self._urgent and self._urgent[0][0] <= now:
            _, canWait, work = self._urgent.popleft()
            if canWait():
                self._works.append((now, work))
            else:
                work.callback(None)
        # At the limit calls are refused until there is less to do: it must become less,
        # however many more there are to refuse.
        if self._messages() != before and not (self._isLate(now) or self.reasons()):
            self._goOn(_PAUSE)
            return
        while len(self) and self._clock.seconds() - now < _SLICE:
            work = self._urgent.popleft()[2] if self._urgent else self._works.popleft()[1]
            work.callback(None)
        self._goOn(0)

    def _isLate(self, now: float) -> bool:
        """
        @return: whether the first work has waited for too long.
        """
        if not self._works:
            return False
        limit = _LONGEST if self._waited() > _PATIENT else _LONG
        return now - self._works[0][0] > limit
