"""
Tests of L{benchmarks.sizing}.
"""

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.figures import Figure, Report
from benchmarks.sizing import (
    CODECS,
    DURATION,
    audioRate,
    callsOfCore,
    journalRate,
    sizingRows,
    wireRate,
)

G711 = CODECS[0]


class SizingTests(SynchronousTestCase):
    """
    What a call takes.
    """

    def test_rates(self) -> None:
        """
        Two streams of G.711 are 100 packets a second, of 160 octets and the headers.
        """
        self.assertEqual(journalRate(G711), 100 * 180)
        self.assertEqual(audioRate(G711), 2 * 2 * 8000)
        self.assertAlmostEqual(wireRate(G711), 174.4)

    def test_calls(self) -> None:
        """
        Half a core is for what comes at once; the other is shared by capture, signalling and
        rendering.
        """
        report = Report(
            figures=[
                Figure("idle.1000.media.call", 200.0, "µs"),
                Figure("signalling.redis.cpu", 0.2 * DURATION, "ms"),
                Figure("render.pcmu", 2500.0, "s"),
            ]
        )
        self.assertAlmostEqual(callsOfCore(report, G711, False) or 0, 0.5 / 400e-6)
        self.assertAlmostEqual(callsOfCore(report, G711, True) or 0, 0.5 / 800e-6)
        self.assertEqual(sizingRows(report)[1][:3], ("G.711", "1,250", "625"))

    def test_notMeasured(self) -> None:
        """
        What was not measured is left empty.
        """
        self.assertIsNone(callsOfCore(Report(), G711, False))
        rows = sizingRows(Report())
        self.assertEqual([row[1] for row in rows[1:]], [""] * len(CODECS))
        report = Report(
            figures=[
                Figure("idle.200.media.call", 200.0, "µs"),
                Figure("signalling.memory.cpu", 0.2 * DURATION, "ms"),
            ]
        )
        self.assertIsNone(callsOfCore(report, G711, True))
        self.assertIsNotNone(callsOfCore(report, G711, False))


__all__ = ["SizingTests"]
