"""
A node that reaches neither the store nor any other node must assume that its
calls are taken: its lease is over, and nobody can hear that it lives.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from siprec.rounds import Rounds, RoundsService

__all__ = ["Isolation"]

log = Logger()

# So many looks in a row at which nobody was heard are silence.  Looks are counted
# and not seconds, so that a process that stood still does not blame the others.
_SILENT = 3


@define(eq=False, repr=False, slots=False)
class Isolation(RoundsService):
    """
    Looks whether anybody is heard, as often as nodes ping each other.

    @ivar times: how often this node was cut off.
    """

    _clock: IReactorTime
    # Gives when the last beat that the store took was sent; C{None}: there was none.
    _lastBeat: Callable[[], float | None]
    # Gives when another node was heard last; C{None}: there is no connection.
    _lastHeard: Callable[[], float | None]
    # Whether there are others, as far as this node knows.
    _hasPeers: Callable[[], bool]
    # Seconds for which the lease holds.
    _lease: float = 3.0
    # Seconds between two looks.
    _interval: float = 0.5
    times: int = field(default=0, init=False)
    _heard: float | None = field(default=None, init=False)
    _missed: int = field(default=0, init=False)
    _cutOff: bool = field(default=False, init=False)
    _rounds: Rounds = field(init=False)

    @_rounds.default
    def _makeRounds(self) -> Rounds:
        return Rounds(
            self._clock, self._interval, self._look, "it is not known whether anybody is reached"
        )

    def isCutOff(self) -> bool:
        """
        @return: whether others may have taken the calls of this node.  A node
            that is heard again does not know whether they have: that takes the
            store.
        """
        if self._cutOff and not self._isLeaseOver():
            self._cutOff = False
            log.info("the store is reached again")
        return self._cutOff

    def _look(self) -> None:
        heard = self._lastHeard()
        self._missed = self._missed + 1 if heard in (None, self._heard) else 0
        self._heard = heard
        silent = self._missed >= _SILENT and self._hasPeers()
        if not self.isCutOff() and silent and self._isLeaseOver():
            self._cutOff = True
            self.times += 1
            log.warn(
                "neither the store nor another node is reached: calls are captured, "
                "and nothing is asked of any peer"
            )

    def _isLeaseOver(self) -> bool:
        last = self._lastBeat()
        return last is not None and self._clock.seconds() - last >= self._lease
