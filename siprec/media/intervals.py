"""
When to send RTCP (RFC 3550 section 6.3).
"""

import math
import random
from collections.abc import Callable

from attrs import define, field

__all__ = ["Intervals"]

# Reconsideration makes the time between two reports longer; this is by how much
# (RFC 3550 section 6.3.1).
_COMPENSATION = math.e - 1.5

#: Octets of IP and UDP, which count as well (RFC 3550 section 6.2).
OVERHEAD = 28

# The first report: RR with one block, SDES, and what is around them.
_FIRST_SIZE = OVERHEAD + 32 + 28.0

# We and the one who sends.
_MEMBERS = 2


@define(eq=False, repr=False)
class Intervals:
    """
    The timer of one session of two members.

    @ivar minimum: seconds between two reports on average, or more where C{bandwidth} is
        not enough for that; the first comes after half of it.
    @ivar bandwidth: octets a second that may be used; C{None}: it is enough.
    @ivar next: when the timer expires.
    """

    minimum: float
    next: float = field(default=0.0, init=False)
    bandwidth: float | None = None
    _random: Callable[[], float] = random.random
    _last: float = field(default=0.0, init=False)
    _size: float = field(default=_FIRST_SIZE, init=False)
    _initial: bool = field(default=True, init=False)

    def begin(self, now: float) -> None:
        """
        The session begins.
        """
        self._last, self.next = now, now + self._interval()

    def expired(self, now: float) -> bool:
        """
        The timer has expired; C{next} says when it does again.

        @return: whether to send now.  Otherwise it is too early, judging by another draw
            (section 6.3.6, timer reconsideration).
        """
        at = self._last + self._interval()
        if at > now:
            self.next = at
            return False
        self._initial, self._last = False, now
        self.next = now + self._interval()
        return True

    def sent(self, octets: int) -> None:
        """
        @param octets: of the packet, without IP and UDP.
        """
        self._size += (octets + OVERHEAD - self._size) / 16

    def _interval(self) -> float:
        least = self.minimum / 2 if self._initial else self.minimum
        if self.bandwidth is not None:
            least = max(least, _MEMBERS * self._size / self.bandwidth)
        return least * (0.5 + self._random()) / _COMPENSATION
