"""
Whether the store can be believed when it says that there is no such call.

A store that has lost what it had is filled again by those who own the calls, each
with its next heartbeat.  Until then what is not in it may well exist, and a peer
that is told otherwise ends a call that goes on.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

__all__ = ["Belief"]

# Beats that may lie between a beat that the store took and the next one, before
# something is wrong.
_LATE = 1.25


@define(eq=False, repr=False)
class Belief:
    """
    Goes by the heartbeat: one that is late tells of a store that is away, or is
    just back; one that finds no lease, of a store that may have lost more.
    """

    _clock: IReactorTime
    # Gives when the last beat that the store took was sent; C{None}: there was none.
    _lastBeat: Callable[[], float | None]
    # Seconds between two beats, and those that others have to fill the store again.
    _beat: float = 1.0
    _grace: float = 6.0
    _until: float = field(default=0.0, init=False)

    def lapsed(self) -> None:
        """
        A beat has found no lease.
        """
        self._until = self._clock.seconds() + self._grace

    def isDue(self) -> bool:
        """
        @return: whether what the store does not have does not exist.
        """
        now, last = self._clock.seconds(), self._lastBeat()
        return now >= self._until and last is not None and now - last <= _LATE * self._beat
