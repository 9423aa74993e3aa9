"""
Tests of L{siprec.session.lacking}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from siprec.session.lacking import causeOf, tailOf
from siprec.session.times import formatTime
from tests.session.recordings import START


def manifest(*events: tuple[float, str], end: float | None = 100) -> dict[str, Any]:
    """
    @return: what matters here; times are seconds after the start.
    """
    return {
        "events": [
            {"time": formatTime(START + at), "type": kind, "cause": "diskFull"}
            for at, kind in events
        ],
        "endTime": None if end is None else formatTime(START + end),
        "streams": [{"index": 0}, {"index": 1, "active": False}],
    }


class CauseTests(SynchronousTestCase):
    """
    Why something is missing.
    """

    def cause(self, begin: float, end: float, *events: tuple[float, str]) -> str | None:
        """
        @return: of a gap.
        """
        return causeOf(manifest(*events), START + begin, START + end)

    def test_written(self) -> None:
        """
        While all is written, nobody knows.
        """
        self.assertIsNone(self.cause(10, 20))

    def test_stopped(self) -> None:
        """
        From the stop, or a visit of the capture before, to the resumption.
        """
        events = ((10, "captureStopped"), (20, "captureResumed"))
        self.assertEqual(self.cause(9.8, 20.2, *events), "diskFull")
        self.assertIsNone(self.cause(9.0, 20, *events))
        self.assertIsNone(self.cause(10, 21, *events))
        self.assertIsNone(self.cause(30, 31, *events))

    def test_toTheEnd(self) -> None:
        """
        Without a resumption, all that follows.
        """
        self.assertEqual(self.cause(30, 31, (10, "captureStopped")), "diskFull")

    def test_otherNode(self) -> None:
        """
        Another process that goes on with the recording does write; and a resumption
        without a stop means nothing.
        """
        events = ((10, "captureStopped"), (20, "resumed"), (25, "captureResumed"))
        self.assertEqual(self.cause(10, 20, *events), "diskFull")
        self.assertIsNone(self.cause(22, 24, *events))


class TailTests(SynchronousTestCase):
    """
    Nothing was written any more until the end.
    """

    def test_tail(self) -> None:
        """
        Each stream that was active has a gap, of which no packet tells.
        """
        [gap] = tailOf(manifest((10, "captureStopped")))
        self.assertEqual(
            gap,
            {
                "start": formatTime(START + 10),
                "end": formatTime(START + 100),
                "stream": 0,
                "cause": "diskFull",
            },
        )

    def test_none(self) -> None:
        """
        Not where it went on, nor without an end, nor where that came first.
        """
        self.assertEqual(tailOf(manifest()), [])
        self.assertEqual(tailOf(manifest((10, "captureStopped"), (20, "captureResumed"))), [])
        self.assertEqual(tailOf(manifest((10, "captureStopped"), end=None)), [])
        self.assertEqual(tailOf(manifest((10, "captureStopped"), end=9)), [])
