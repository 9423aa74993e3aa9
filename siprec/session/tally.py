"""
How much media was captured since the start, in all recordings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from attrs import define, field

from siprec.session.taps import COUNTS, Taps

__all__ = ["Tally"]


@define(eq=False, repr=False)
class Tally:
    """
    Counts what recordings captured that are over; those that run count themselves.
    """

    _counted: Counter[str] = field(factory=Counter, init=False)

    def add(self, taps: Taps) -> None:
        """
        The recording of these is over.
        """
        for name, count in COUNTS.items():
            self._counted[name] += sum(map(count, taps.captured))

    def total(self, name: str, running: Iterable[Taps]) -> int:
        """
        @param name: as in L{COUNTS}.
        @param running: of the recordings that are not over.
        @return: how many, of all recordings.
        """
        count = COUNTS[name]
        return self._counted[name] + sum(count(each) for taps in running for each in taps.captured)
