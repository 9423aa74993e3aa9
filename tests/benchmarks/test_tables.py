"""
Tests of L{benchmarks.tables}.
"""

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.comparing import compare
from benchmarks.figures import Figure, Limit, Report
from benchmarks.tables import aligned, changeRows, figureRows, number, restructured, targetRows


class NumberTests(SynchronousTestCase):
    """
    How numbers are written.
    """

    def test_digits(self) -> None:
        """
        Three digits count; what is large or whole has no fraction, and none has an exponent.
        """
        for value, expected in (
            (None, ""),
            (0.0, "0"),
            (1.2345, "1.23"),
            (12.345, "12.3"),
            (1234.5, "1,234"),
            (99.96, "100"),
            (0.00001234, "0.000012"),
            (-0.5, "-0.5"),
        ):
            self.assertEqual(number(value), expected)


class TableTests(SynchronousTestCase):
    """
    Figures as tables.
    """

    report = Report(
        figures=[
            Figure("a.x", 9.0, "ms", 5.0, "floor", 1.8, 0.05, target=Limit(1.8, True)),
            Figure("b", 9.0, "ms", target=Limit(8.0)),
            Figure("c", 3.0, "1/s", moreIsBetter=True, target=Limit(8.0, True)),
            Figure("d", 1.0, "kB"),
        ]
    )

    def test_figures(self) -> None:
        """
        Each figure is a row, with its reference, its noise, and what became of its target.
        """
        _, first, second, _, last = figureRows(self.report)
        self.assertEqual(
            first, ("a.x", "9", "ms", "5 floor", "1.8", "5 %", "<= 1.8 x floor", "met")
        )
        self.assertEqual(second[-2:], ("<= 8 ms", "not met"))
        self.assertEqual(last, ("d", "1", "kB", "", "", "", "", ""))

    def test_targets(self) -> None:
        """
        Those with a target have a table of their own, one without its ratio is not measured.
        """
        rows = targetRows(self.report)
        self.assertEqual(
            rows,
            [
                ("figure", "target", "found", ""),
                ("a.x", "<= 1.8 x floor", "1.8 times", "met"),
                ("b", "<= 8 ms", "9 ms", "not met"),
                ("c", ">= 8 x ", "times", "not measured"),
            ],
        )

    def test_changes(self) -> None:
        """
        What got slower is marked, and what got faster.
        """
        now = Report(figures=[Figure("b", 18.0, "ms"), Figure("d", 0.5, "kB")])
        rows = changeRows(compare(self.report, now))
        self.assertEqual(rows[1], ("b", "9", "18", "ms", "2.00", "5 %", "SLOWER"))
        self.assertEqual(rows[2], ("d", "1", "0.5", "kB", "0.50", "5 %", "faster"))

    def test_aligned(self) -> None:
        """
        Columns are as wide as what is in them, and nothing is at the end of a line.
        """
        text = aligned([("name", "x"), ("a", "long"), ("b", "")])
        self.assertEqual(text, "name  x\n----  ----\na     long\nb")

    def test_restructured(self) -> None:
        """
        The documentation's table has a list for each row.
        """
        text = restructured([("name", "x"), ("a", "")])
        self.assertEqual(
            text,
            ".. list-table::\n   :header-rows: 1\n\n   * - name\n     - x\n   * - a\n     -",
        )


__all__ = ["NumberTests", "TableTests"]
