"""
Tests for L{siprec.uas.around}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from siprec.uas.around import warning


class WarningTests(SynchronousTestCase):
    """
    Warnings for people to read (RFC 3261 section 20.43).
    """

    def test_quoted(self) -> None:
        """
        The text cannot end the quotes around it.
        """
        self.assertEqual(warning('a "b"'), ("Warning", r'399 siprec "a \"b\""'))

    def test_short(self) -> None:
        """
        However long the reason is, the response fits a datagram.
        """
        self.assertLess(len(warning("x" * 100_000)[1]), 250)
