"""
Tests of L{siprec.session.beginning}; L{tests.session.test_service} has the rest:
what is there, or nothing, once a recording has begun.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from siprec.session.beginning import directoryOf
from tests.session.recordings import START


class DirectoryTests(SynchronousTestCase):
    """
    Where a recording lies.
    """

    def test_day(self) -> None:
        """
        Below the UTC date of its start, up to the last moment of it.
        """
        self.assertEqual(directoryOf("/r", "x", START), "/r/2026/01/05/x")
        self.assertEqual(directoryOf("/r", "x", START + 15 * 3600 - 0.001), "/r/2026/01/05/x")
        self.assertEqual(directoryOf("/r", "x", START + 15 * 3600), "/r/2026/01/06/x")
