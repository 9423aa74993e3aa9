"""
A clock that has turns, as a reactor has.
"""

from __future__ import annotations

from twisted.internet.task import Clock


class TurnClock(Clock):
    """
    A C{Clock} calls within one C{advance} also what was asked for meanwhile; a reactor does
    that in its next turn.
    """

    def turn(self, seconds: float = 0.0) -> None:
        """
        @param seconds: that pass before.
        """
        self.rightNow += seconds
        for call in [each for each in self.calls if each.getTime() <= self.rightNow]:
            self.calls.remove(call)
            call.called = 1
            call.func(*call.args, **call.kw)
