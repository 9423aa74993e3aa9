"""
Curves as pictures.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from importlib import import_module

from benchmarks.figures import Curve

__all__ = ["draw"]


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
        for curve in (each for each in curves if each.title == title):
            axes.plot(*zip(*curve.points, strict=True), marker="o", label=curve.label)
            axes.set_xlabel(curve.x)
            axes.set_ylabel(curve.y)
        axes.set_title(title)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend()
        name = re.sub("[^a-z0-9]+", "-", title.lower()).strip("-")
        paths.append(os.path.join(folder, f"{name}.png"))
        canvas(figure).print_png(paths[-1])
    return paths
