"""
Tests of L{benchmarks.plots}.
"""

import os

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.figures import Curve
from benchmarks.plots import draw


class PlotTests(SynchronousTestCase):
    """
    Curves as pictures.
    """

    def test_pictures(self) -> None:
        """
        The curves of one title are in one picture.
        """
        curves = [
            Curve("Cost of a call", "one", "x", "y", ((1.0, 2.0), (2.0, 2.5))),
            Curve("Cost of a call", "two", "x", "y", ((1.0, 1.0),)),
            Curve("Memory", "one", "x", "y", ((1.0, 1.0),)),
        ]
        folder = self.mktemp()
        paths = draw(curves, folder)
        self.assertEqual(sorted(os.listdir(folder)), ["cost-of-a-call.png", "memory.png"])
        for path in paths:
            with open(path, "rb") as file:
                self.assertEqual(file.read(4), b"\x89PNG")

    def test_repeated(self) -> None:
        """
        Rounds of one load, loads far apart and a load of nothing can be drawn.
        """
        curves = [
            Curve("Rounds", "one", "x", "y", ((0.0, 2.0), (0.0, 3.0), (100.0, 2.0))),
            Curve("Wide", "one", "x", "y", ((100.0, 2.0), (10_000.0, 1.0))),
            Curve("Nothing", "one", "x", "y", ((0.0, 0.0),)),
        ]
        self.assertEqual(len(draw(curves, self.mktemp())), 3)

    def test_none(self) -> None:
        """
        Without curves there is no picture.
        """
        self.assertEqual(draw([], self.mktemp()), [])


__all__ = ["PlotTests"]
