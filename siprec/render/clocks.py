"""
The clocks of the nodes that have captured a recording one after the other.

Arrivals in two journals are told by two clocks, which differ.  A source that goes on
from one journal to the next knows better: its timestamps say how much time has passed,
and so by how much the second clock is off.
"""

from collections.abc import Sequence
from statistics import median_low

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from siprec.render.anchors import GROUP, SECOND, segments

__all__ = ["FURTHEST", "Bins", "corrections"]

#: No clock is off by more; what seems to be is a timestamp that began anew.
FURTHEST = 5 * SECOND

_Ints = NDArray[np.int64]


@frozen(eq=False)
class Bins:
    """
    The bins of one run, in order; all times are nanoseconds.

    @ivar file: the number of the journal that each is in.
    @ivar arrival: of its first packet.
    @ivar lowest: the minimum of arrival minus timestamp.
    @ivar clock: of the timestamps, in hertz.
    """

    file: _Ints
    arrival: _Ints
    lowest: _Ints
    clock: _Ints

    def level(self, file: int, last: bool) -> tuple[int, int]:
        """
        @param last: at the end of a journal; else at its begin.
        @return: the least of C{lowest} there, as far as the timestamps go on without
            a break, and the clock.
        """
        own = np.flatnonzero(self.file == file)
        number, aside = segments(self.arrival[own], self.lowest[own], self.clock[own])
        keep = ~np.isin(number, list(aside))
        regular, number = own[keep], number[keep]
        edge = -1 if last else 0
        near = np.abs(self.arrival[regular] - self.arrival[regular[edge]]) <= GROUP
        near &= number == number[edge]
        return int(self.lowest[regular[near]].min()), int(self.clock[regular[edge]])


def corrections(runs: Sequence[Bins]) -> tuple[list[dict[int, int]], dict[int, int]]:
    """
    @param runs: of all streams; journals have the same number if they have the same
        clock.
    @return: what to add to the arrivals of each run in each journal, so that they are
        of the clock of the first one; and of each journal what most runs say.
    """
    own: list[dict[int, int]] = [{} for _ in runs]
    common: dict[int, int] = {}
    files = [set(run.file.tolist()) for run in runs]
    for file in sorted(set().union(*files)):
        steps = []
        for run, mine, known in zip(runs, own, files, strict=True):
            if file in known and mine:
                before = max(mine)
                level, clock = run.level(before, last=True)
                now, other = run.level(file, last=False)
                step = level + mine[before] - now
                if clock == other and abs(step) <= FURTHEST:
                    mine[file] = step
                    steps.append(step)
        # Who sends anew, or begins here, is placed by what the others say.
        common[file] = median_low(steps) if steps else 0
        for mine, known in zip(own, files, strict=True):
            if file in known:
                mine.setdefault(file, common[file])
    return own, common
