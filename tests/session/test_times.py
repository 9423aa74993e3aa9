"""
Tests of L{siprec.session.times}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import integers
from twisted.trial.unittest import SynchronousTestCase

from siprec.session.times import formatTime, parseTime
from tests.session.recordings import START, START_TEXT


class TimeTests(SynchronousTestCase):
    """
    Times as text.
    """

    def test_format(self) -> None:
        """
        RFC 3339, UTC, six digits; rounded, not cut off.
        """
        self.assertEqual(formatTime(START), START_TEXT)
        self.assertEqual(formatTime(0.1 + 0.2), "1970-01-01T00:00:00.300000Z")
        self.assertEqual(formatTime(0.9999999), "1970-01-01T00:00:01.000000Z")

    @given(integers(0, 4_102_444_800_000_000))
    def test_roundTrip(self, microseconds: int) -> None:
        """
        Text and back gives the same microsecond, up to the year 2100.
        """
        seconds = microseconds / 1_000_000
        self.assertEqual(parseTime(formatTime(seconds)), seconds)
        self.assertEqual(formatTime(parseTime(formatTime(seconds))), formatTime(seconds))

    def test_otherZones(self) -> None:
        """
        Any RFC 3339 time with a zone is understood.
        """
        self.assertEqual(parseTime("2026-01-05T10:00:00+01:00"), START)

    def test_bad(self) -> None:
        """
        A time without a zone means nothing, and other text is none.
        """
        for text in ("2026-01-05T09:00:00", "yesterday", ""):
            self.assertRaises(ValueError, parseTime, text)
