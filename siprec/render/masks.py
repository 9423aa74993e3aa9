"""
Which run of a stream is heard where several have packets at the same time.
"""

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from siprec.render.runs import Run
from siprec.render.timeline import Placement

__all__ = ["Masks"]

_Ints = NDArray[np.int64]


@frozen(eq=False)
class Masks:
    """
    One run is heard at a time, never a mixture.

    A new SSRC takes over from an older one (CONFORMANCE E6).  Of two runs of the
    same SSRC the older is heard: the other is a collision, or a restart, which
    does not overlap.  A run that was never confirmed gives way to all others.
    """

    rank: _Ints
    begin: _Ints
    end: _Ints

    @classmethod
    def of(cls, runs: list[Run], placements: list[Placement | None]) -> "Masks | None":
        """
        @return: C{None} if there is only one run.
        """
        if len(runs) < 2:
            return None
        columns = [
            np.vstack((np.full(placement.activity.shape[1], _rank(run)), placement.activity))
            for run, placement in zip(runs, placements, strict=True)
            if placement is not None and run.confirmed
        ]
        return cls(*np.concatenate([np.empty((3, 0), np.int64), *columns], axis=1))

    def cut(self, run: Run, begin: _Ints, count: _Ints) -> tuple[_Ints, _Ints]:
        """
        @param begin: where packets of C{run} begin; C{count}: their samples.
        @return: how many samples to leave out at the begin of each packet, and how
            many then remain.
        """
        end = begin + count
        over = (self.rank > _rank(run)) & (self.end > begin.min())
        over &= self.begin < end.max()
        order = np.argsort(self.begin[over], kind="stable")
        if not len(order):
            return np.zeros_like(begin), count
        # Disjoint from here on: begins are those that no earlier end reaches.
        starts, reached = self.begin[over][order], np.maximum.accumulate(self.end[over][order])
        first = np.flatnonzero(np.concatenate(([True], starts[1:] > reached[:-1])))
        starts, ends = starts[first], reached[np.append(first[1:], len(starts)) - 1]
        limit = np.append(starts, np.iinfo(np.int64).max)
        place = np.searchsorted(ends, begin, side="right")
        inside = limit[place] <= begin
        fresh = np.where(inside, np.append(ends, 0)[place], begin)
        stop = np.minimum(end, limit[place + inside])
        fresh = np.minimum(fresh, end)
        return fresh - begin, np.maximum(stop - fresh, 0)


def _rank(run: Run) -> int:
    # The runs of an SSRC lie below those of the next; both numbers are of 32 bits
    # at most, as every run has a packet of its own.
    return (run.source << 32) - run.number if run.confirmed else -(1 << 62)
