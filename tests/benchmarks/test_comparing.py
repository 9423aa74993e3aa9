"""
Tests of L{benchmarks.comparing}.
"""

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.comparing import FLOOR, Change, compare
from benchmarks.figures import Figure, Report


def change(old: Figure, new: Figure) -> Change:
    """
    @return: the only one.
    """
    [found] = compare(Report(figures=[old]), Report(figures=[new]))
    return found


class CompareTests(SynchronousTestCase):
    """
    Two runs.
    """

    def test_ratios(self) -> None:
        """
        Where both have a ratio the values do not matter: the machine was slower.
        """
        found = change(
            Figure("a", 10.0, "ms", 5.0, "floor", 2.0), Figure("a", 20.0, "ms", 10.0, "floor", 2.0)
        )
        self.assertEqual((found.slower, found.isWorse, found.isBetter), (1.0, False, False))
        self.assertEqual(found.unit, "of floor")

    def test_values(self) -> None:
        """
        Without a ratio the values are compared.
        """
        found = change(Figure("a", 10.0, "kB"), Figure("a", 12.0, "kB"))
        self.assertEqual((found.slower, found.isWorse), (1.2, True))

    def test_moreIsBetter(self) -> None:
        """
        Where more is better, less is slower.
        """
        old, new = (Figure("a", each, "1/s", moreIsBetter=True) for each in (10.0, 8.0))
        self.assertEqual(change(old, new).slower, 1.25)
        self.assertTrue(change(old, new).isWorse)
        self.assertTrue(change(new, old).isBetter)

    def test_tolerance(self) -> None:
        """
        What three standard deviations of both runs explain is no news, nor what is below
        the floor.
        """
        noisy = [Figure("a", each, "ms", noise=0.1) for each in (10.0, 14.0, 15.0)]
        self.assertAlmostEqual(change(noisy[0], noisy[1]).tolerance, 0.424, 3)
        self.assertFalse(change(noisy[0], noisy[1]).isWorse)
        self.assertTrue(change(noisy[0], noisy[2]).isWorse)
        self.assertEqual(change(Figure("a", 1.0, "ms"), Figure("a", 1.0, "ms")).tolerance, FLOOR)

    def test_nothing(self) -> None:
        """
        More than nothing is worse, and nothing is not worse than nothing.
        """
        none, some = Figure("a", 0.0, "ms"), Figure("a", 1.0, "ms")
        self.assertTrue(change(none, some).isWorse)
        self.assertFalse(change(none, none).isWorse)
        self.assertTrue(change(some, none).isBetter)

    def test_others(self) -> None:
        """
        What only one run has, or cannot be compared, is left out; the worst is the first.
        """
        old = [Figure(each, 1.0, "ms") for each in "abc"]
        old.append(Figure("d", 1.0, "ms", compared=False))
        new = [Figure(each, 1.0 + position, "ms") for position, each in enumerate("bcde")]
        found = compare(Report(figures=old), Report(figures=new))
        self.assertEqual([each.name for each in found], ["c", "b"])


__all__ = ["CompareTests"]
