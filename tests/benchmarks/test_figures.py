"""
Tests of L{benchmarks.figures}.
"""

import json

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.figures import Curve, Figure, Limit, Report, fit, percentile


class FigureTests(SynchronousTestCase):
    """
    One number.
    """

    def test_rounds(self) -> None:
        """
        Of some rounds the medians count, and of the ratios that of each round, so that a
        round in which the whole machine was slow does no harm.
        """
        figure = Figure.ofRounds("a", "ms", [2.0, 20.0, 2.2], [1.0, 10.0, 1.0], "floor")
        self.assertEqual((figure.value, figure.reference, figure.ratio), (2.2, 1.0, 2.0))
        self.assertAlmostEqual(figure.noise, 0.0559, 4)

    def test_noReference(self) -> None:
        """
        Without a reference there is no ratio, and the noise is that of the values.
        """
        figure = Figure.ofRounds("a", "ms", [9.0, 10.0, 11.0])
        self.assertEqual((figure.value, figure.ratio, figure.noise), (10.0, None, 0.1))

    def test_once(self) -> None:
        """
        One round has no noise, and a reference of nothing makes no ratio.
        """
        self.assertEqual(Figure.ofRounds("a", "ms", [9.0], [3.0]).noise, 0.0)
        self.assertIsNone(Figure.ofRounds("a", "ms", [9.0], [0.0]).ratio)

    def test_wrongRounds(self) -> None:
        """
        Each round has a value, and a reference where there are any.
        """
        self.assertRaises(ValueError, Figure.ofRounds, "a", "ms", [])
        self.assertRaises(ValueError, Figure.ofRounds, "a", "ms", [1.0, 2.0], [1.0])

    def test_target(self) -> None:
        """
        A target is for the value or for the ratio, and the limit itself meets it.
        """
        for figure, expected in (
            (Figure("a", 5.0, "ms"), None),
            (Figure("a", 5.0, "ms", target=Limit(5.0)), True),
            (Figure("a", 5.1, "ms", target=Limit(5.0)), False),
            (Figure("a", 5.0, "1/s", moreIsBetter=True, target=Limit(5.0)), True),
            (Figure("a", 4.9, "1/s", moreIsBetter=True, target=Limit(5.0)), False),
            (Figure("a", 9.0, "ms", 5.0, "floor", 1.8, target=Limit(1.8, True)), True),
            (Figure("a", 9.0, "ms", 4.0, "floor", 2.25, target=Limit(1.8, True)), False),
            (Figure("a", 9.0, "ms", target=Limit(1.8, True)), None),
        ):
            self.assertIs(figure.isMet, expected, figure)


class FitTests(SynchronousTestCase):
    """
    A line through points.
    """

    def test_line(self) -> None:
        """
        Points on a line have no error.
        """
        line = fit([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)])
        self.assertEqual((line.slope, line.intercept, line.error), (2.0, 1.0, 0.0))
        self.assertFalse(line.isFlat)

    def test_error(self) -> None:
        """
        The standard error of the slope is that of least squares, and a slope within two of
        them is none.
        """
        line = fit([(0.0, 1.0), (1.0, 2.0), (2.0, 1.0), (3.0, 2.0)])
        self.assertAlmostEqual(line.slope, 0.2)
        self.assertAlmostEqual(line.error, 0.2828, 4)
        self.assertTrue(line.isFlat)

    def test_twoPoints(self) -> None:
        """
        Two points say nothing of an error; one load has no line.
        """
        self.assertEqual(fit([(0.0, 1.0), (2.0, 2.0)]).error, 0.0)
        self.assertRaises(ValueError, fit, [(1.0, 1.0), (1.0, 2.0)])

    def test_percentile(self) -> None:
        """
        The share of the values is not above it; of none it is nothing.
        """
        values = [float(each) for each in range(100, 0, -1)]
        self.assertEqual([percentile(values, each) for each in (0.5, 0.99, 1.0)], [51, 100, 100])
        self.assertEqual(percentile([], 0.5), 0.0)


class ReportTests(SynchronousTestCase):
    """
    All of a run.
    """

    def test_JSON(self) -> None:
        """
        What was written as JSON is read as the same.
        """
        report = Report({"name": "host"}, notes=["note"])
        report.add(Figure("a", 9.0, "ms", 4.0, "floor", 2.25, 0.1, target=Limit(1.8, True)))
        report.add(Figure("b", 1.0, "1/s", moreIsBetter=True, compared=False))
        report.curves.append(Curve("T", "l", "x", "y", ((1.0, 2.0), (2.0, 3.0))))
        data = json.loads(json.dumps(report.toJSON()))
        self.assertIs(data["figures"][0]["met"], False)
        again = Report.fromJSON(data)
        self.assertEqual(again.figures, report.figures)
        self.assertEqual(again.curves, report.curves)
        self.assertEqual((again.machine, again.notes), (report.machine, report.notes))

    def test_otherSchema(self) -> None:
        """
        Results of another form are not read.
        """
        self.assertRaises(ValueError, Report.fromJSON, {"schema": 0})

    def test_again(self) -> None:
        """
        A figure takes the place of the one of its name.
        """
        report = Report()
        report.add(Figure("a", 1.0, "ms"))
        report.add(Figure("a", 2.0, "ms"))
        self.assertEqual([each.value for each in report.figures], [2.0])
        self.assertEqual(report.value("a"), 2.0)
        self.assertIsNone(report.value("b"))


__all__ = ["FigureTests", "FitTests", "ReportTests"]
