"""
What a benchmark finds: figures, each with what it is held against, and curves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import fmean, median, stdev
from typing import Any

from attrs import asdict, define, evolve, field, frozen

__all__ = ["Curve", "Figure", "Fit", "Limit", "Report", "fit", "percentile"]

SCHEMA = 1


@frozen
class Limit:
    """
    What a figure should be.

    @ivar value: the most, or the least where more is better.
    @ivar ofRatio: the figure's ratio is meant, not its value.
    """

    value: float
    ofRatio: bool = False


@frozen
class Figure:
    """
    One number that was measured.

    @ivar name: part, what and load, with dots between them.
    @ivar value: the median of the rounds.
    @ivar reference: what was measured beside it in the same run, in the same unit.
    @ivar ratio: of the value to the reference, the median of the rounds.
    @ivar noise: standard deviation of the rounds' ratios, or of their values where there is
        no reference, as a share of their mean; 0 if there was one round only.
    @ivar compared: whether two runs can be compared by it: by its ratio, or, where it has
        none, by its value, which then must not depend on how fast the machine is.
    """

    name: str
    value: float
    unit: str
    reference: float | None = None
    referenceName: str = ""
    ratio: float | None = None
    noise: float = 0.0
    moreIsBetter: bool = False
    target: Limit | None = None
    compared: bool = True

    @classmethod
    def ofRounds(
        cls,
        name: str,
        unit: str,
        values: Sequence[float],
        references: Sequence[float] = (),
        referenceName: str = "",
        **more: Any,
    ) -> Figure:
        """
        @param values: of each round, at least one.
        @param references: likewise, of the same rounds; empty: there are none.
        @raise ValueError: there is no round, or not one reference for each.
        """
        if not values:
            raise ValueError(f"{name}: nothing was measured")
        if not references:
            return cls(name, median(values), unit, noise=_spread(values), **more)
        ratios = [a / b for a, b in zip(values, references, strict=True) if b]
        return cls(
            name,
            median(values),
            unit,
            median(references),
            referenceName,
            median(ratios) if ratios else None,
            _spread(ratios),
            **more,
        )

    @property
    def isMet(self) -> bool | None:
        """
        Whether the target is met; C{None} if there is none, or not the ratio for it.
        """
        if self.target is None:
            return None
        found = self.ratio if self.target.ofRatio else self.value
        if found is None:
            return None
        return found >= self.target.value if self.moreIsBetter else found <= self.target.value


def _spread(values: Sequence[float]) -> float:
    mean = fmean(values) if values else 0.0
    return stdev(values) / abs(mean) if len(values) > 1 and mean else 0.0


@frozen
class Curve:
    """
    Cost against load.

    @ivar title: of the picture it is drawn in, with all others of that title.
    @ivar points: load and cost.
    """

    title: str
    label: str
    x: str
    y: str
    points: tuple[tuple[float, float], ...]


@frozen
class Fit:
    """
    A straight line through points, by least squares.

    @ivar error: standard error of the slope; 0 for fewer than three points.
    """

    slope: float
    intercept: float
    error: float

    @property
    def isFlat(self) -> bool:
        """
        Whether the line does not rise by more than two standard errors.
        """
        return self.slope <= 2 * self.error


def fit(points: Sequence[tuple[float, float]]) -> Fit:
    """
    @raise ValueError: there are not two different loads.
    """
    if len({x for x, _ in points}) < 2:
        raise ValueError("a line needs two different loads")
    middle, height = fmean(x for x, _ in points), fmean(y for _, y in points)
    across = sum((x - middle) ** 2 for x, _ in points)
    slope = sum((x - middle) * (y - height) for x, y in points) / across
    intercept = height - slope * middle
    rest = sum((y - intercept - slope * x) ** 2 for x, y in points)
    error = sqrt(rest / (len(points) - 2) / across) if len(points) > 2 else 0.0
    return Fit(slope, intercept, error)


def percentile(values: Sequence[float], share: float) -> float:
    """
    @return: what C{share} of the values do not exceed; 0 if there are none.
    """
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


@define(eq=False)
class Report:
    """
    What a run found.

    @ivar machine: what it ran on, and how busy that was.
    @ivar notes: what a reader must know: what was left out, and why.
    """

    machine: dict[str, Any] = field(factory=dict)
    figures: list[Figure] = field(factory=list)
    curves: list[Curve] = field(factory=list)
    notes: list[str] = field(factory=list)

    def find(self, name: str) -> Figure | None:
        """
        @return: the figure of a name, or C{None}.
        """
        return next((each for each in self.figures if each.name == name), None)

    def value(self, name: str) -> float | None:
        """
        @return: the value of a figure, or C{None} if it was not measured.
        """
        found = self.find(name)
        return None if found is None else found.value

    def add(self, figure: Figure) -> None:
        """
        Take a figure, in the place of one with its name.
        """
        self.figures = [each for each in self.figures if each.name != figure.name]
        # What is no number (nan) would not be JSON.
        self.figures.append(evolve(figure, value=float(figure.value)))

    def toJSON(self) -> dict[str, Any]:
        """
        @return: what C{json.dumps} can write.
        """
        return {
            "schema": SCHEMA,
            "machine": self.machine,
            "figures": [{**asdict(each), "met": each.isMet} for each in self.figures],
            "curves": [asdict(each) for each in self.curves],
            "notes": self.notes,
        }

    @classmethod
    def fromJSON(cls, data: Mapping[str, Any]) -> Report:
        """
        @raise ValueError: it is not of this version's form.
        """
        if data.get("schema") != SCHEMA:
            raise ValueError(f"not results of schema {SCHEMA}")
        figures, curves = [], []
        for each in data["figures"]:
            values = {name: value for name, value in each.items() if name != "met"}
            if values["target"] is not None:
                values["target"] = Limit(**values["target"])
            figures.append(Figure(**values))
        for each in data["curves"]:
            points = tuple((x, y) for x, y in each["points"])
            curves.append(Curve(**{**each, "points": points}))
        return cls(dict(data["machine"]), figures, curves, list(data["notes"]))
