"""
Tests of L{siprec.store.shape}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen
from twisted.trial.unittest import SynchronousTestCase

from siprec.store.shape import BadShape, fromPlain, toPlain


@frozen
class Point:
    """
    Something inside.
    """

    x: int
    y: float = 0.0


@frozen
class Drawing:
    """
    Something of each kind that the model has.
    """

    name: str
    points: tuple[Point, ...] = ()
    size: tuple[int, str] = (0, "cm")
    colour: Literal["red", "blue"] = "red"
    centre: Point | None = None
    filled: bool = False
    free: Mapping[str, Any] = field(factory=dict)
    age: float = field(default=0.0, eq=False)


class ShapeTests(SynchronousTestCase):
    """
    Values of a class become plain ones by its annotations.
    """

    def test_plain(self) -> None:
        """
        Classes become dicts, tuples lists; what is no part of equality is left
        out.
        """
        drawing = Drawing("d", (Point(1),), centre=Point(2, 3.5), age=7.0)
        plain = toPlain(drawing)
        self.assertEqual(
            plain,
            {
                "name": "d",
                "points": [{"x": 1, "y": 0.0}],
                "size": [0, "cm"],
                "colour": "red",
                "centre": {"x": 2, "y": 3.5},
                "filled": False,
                "free": {},
            },
        )
        self.assertEqual(fromPlain(Drawing, plain), drawing)

    def test_none(self) -> None:
        """
        What may be absent is C{None} on both sides.
        """
        self.assertIsNone(toPlain(Drawing("d"))["centre"])
        self.assertIsNone(fromPlain(Drawing, {"name": "d", "centre": None}).centre)

    def test_integerForFloat(self) -> None:
        """
        A whole number does where a fraction is possible, as in Python.
        """
        self.assertEqual(fromPlain(Point, {"x": 1, "y": 2}), Point(1, 2.0))

    def test_wrong(self) -> None:
        """
        Each value of the wrong type is refused, by the name of its field.
        """
        for name, value, why in (
            ("name", b"d", "name: bytes in place of str"),
            ("points", {}, "points: dict in place of list"),
            ("points", [0], "points: int in place of Point"),
            ("points", [{"x": True}], "points: x: bool in place of int"),
            ("points", [{}], "points: Point lacks x"),
            ("size", [1], "size: 1 items in place of 2"),
            ("size", None, "size: NoneType in place of list"),
            ("size", ["1", "cm"], "size: str in place of int"),
            ("colour", "green", "colour: none of red, blue"),
            ("colour", [], "colour: none of red, blue"),
            ("centre", [], "centre: list in place of Point"),
            ("filled", 1, "filled: int in place of bool"),
            ("free", [], "free: list in place of dict"),
            ("age", 1.0, "Drawing has fields that it does not know"),
        ):
            error = self.assertRaises(BadShape, fromPlain, Drawing, {"name": "d", name: value})
            self.assertEqual(str(error), why)
