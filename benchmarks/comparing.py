"""
What got slower between two runs.
"""

from __future__ import annotations

from math import hypot

from attrs import frozen

from benchmarks.figures import Figure, Report

__all__ = ["FLOOR", "Change", "compare"]

#: What two runs of the same program may differ by, even where a run was quiet by itself:
#: the layout of memory and the files of the disk are others.
FLOOR = 0.05

#: Standard deviations that are no news.  With some dozens of figures, two would cry wolf in
#: every other run.
DEVIATIONS = 3.0


@frozen
class Change:
    """
    A figure of two runs.

    @ivar before: ratio, or the value where the figure has no ratio.
    @ivar slower: how many times as bad it is now; below 1: it is better.
    @ivar tolerance: how much C{slower} may be above 1, or below it, by the noise.
    """

    name: str
    unit: str
    before: float
    now: float
    slower: float
    tolerance: float

    @property
    def isWorse(self) -> bool:
        """
        Whether the noise does not explain it.
        """
        return self.slower > 1 + self.tolerance

    @property
    def isBetter(self) -> bool:
        """
        Likewise for what became faster.
        """
        return self.slower < 1 / (1 + self.tolerance)


def compare(before: Report, now: Report) -> list[Change]:
    """
    @return: of each figure that is in both and can be compared, the worst first.
    """
    changes = []
    for figure in now.figures:
        old = before.find(figure.name)
        if old is not None and old.compared and figure.compared:
            changes.append(_change(old, figure))
    return sorted(changes, key=lambda each: each.slower, reverse=True)


def _change(old: Figure, new: Figure) -> Change:
    if old.ratio is None or new.ratio is None:
        first, second, unit = old.value, new.value, new.unit
    else:
        first, second, unit = old.ratio, new.ratio, f"of {new.referenceName}"
    worse, better = (first, second) if new.moreIsBetter else (second, first)
    if worse == better:
        slower = 1.0
    else:
        slower = worse / better if better else float("inf")
    tolerance = max(FLOOR, DEVIATIONS * hypot(old.noise, new.noise))
    return Change(new.name, unit, first, second, slower, tolerance)
