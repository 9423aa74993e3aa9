"""
Curves as pictures.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from importlib import import_module
from statistics import median
from typing import Any

from benchmarks.figures import Curve

__all__ = ["draw"]

#: How many times the smallest load the largest one is from which the axis is a logarithmic one.
_WIDE = 8


def draw(curves: Sequence[Curve], folder: str) -> list[str]:
    """
    Draw all curves of one title into one picture.

    @return: the paths of the PNG files.
    @raise ImportError: matplotlib is not installed.
    """
    # Not pyplot: that looks for a display, and keeps every figure.
    figures = import_module("matplotlib.figure")
    canvas = import_module("matplotlib.backends.backend_agg").FigureCanvasAgg
    os.makedirs(folder, exist_ok=True)
    paths = []
    for title in dict.fromkeys(each.title for each in curves):
        figure = figures.Figure(figsize=(7, 4), dpi=100, layout="constrained")
        axes = figure.add_subplot()
        own = [each for each in curves if each.title == title]
        for curve in own:
            [line] = axes.plot(*zip(*_middle(curve.points), strict=True), label=curve.label)
            loads, costs = zip(*curve.points, strict=True)
            axes.plot(loads, costs, "o", color=line.get_color(), alpha=0.6)
            axes.set_xlabel(curve.x)
            axes.set_ylabel(curve.y)
        _spread(axes, [load for each in own for load, _ in each.points])
        axes.set_title(title)
        axes.set_ylim(0, 1.1 * max(cost for each in own for _, cost in each.points) or 1)
        axes.grid(alpha=0.3)
        axes.legend()
        name = re.sub("[^a-z0-9]+", "-", title.lower()).strip("-")
        paths.append(os.path.join(folder, f"{name}.png"))
        canvas(figure).print_png(paths[-1])
    return paths


def _middle(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """
    @return: a line through the medians, where a load was measured more than once.
    """
    loads = sorted({load for load, _ in points})
    return [(load, median(cost for at, cost in points if at == load)) for load in loads]


def _spread(axes: Any, loads: Sequence[float]) -> None:
    """
    Give small loads as much room as large ones where they differ much, and name each.
    """
    different = sorted(set(loads))
    if different[0] > 0 and different[-1] / different[0] >= _WIDE:
        axes.set_xscale("log")
    axes.set_xticks(different, [f"{each:,.0f}" for each in different], rotation=30)
    axes.minorticks_off()
    if len(different) == 1:
        axes.set_xlim(0, 2 * different[0] or 1)
