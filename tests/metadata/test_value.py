"""
Tests of L{siprec.metadata.value}.
"""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.value import value


@value
class Point:
    x: int
    y: int = 0


class ValueTests(SynchronousTestCase):
    """
    Classes of values.
    """

    def test_equal(self) -> None:
        """
        They are equal, and the same key of a dict, by what they hold.
        """
        self.assertEqual(Point(1), Point(1, 0))
        self.assertNotEqual(Point(1), Point(1, 1))
        self.assertEqual(len({Point(1): 1, Point(1, 0): 2, Point(2): 3}), 2)

    def test_evolve(self) -> None:
        """
        What differs is made anew, and holds nothing more.
        """
        before = Point(1)
        self.assertEqual((evolve(before, y=2), before), (Point(1, 2), Point(1, 0)))
        self.assertFalse(hasattr(before, "__dict__"))
