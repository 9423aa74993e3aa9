"""
Tests of L{siprec.sip.names}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.names import USUAL, headerKey


class NamesTests(SynchronousTestCase):
    """
    What a header is known by.
    """

    def test_D2_case(self) -> None:
        """
        Names compare without regard to case.
        """
        for name in ("Call-ID", "call-id", "CALL-ID", "cAlL-iD"):
            self.assertEqual(headerKey(name), "call-id")
        self.assertEqual(headerKey("X-Genesys-CallUUID"), "x-genesys-calluuid")

    def test_D2_compact(self) -> None:
        """
        A compact form equals the name in full, in either case; another letter is a
        name of its own.
        """
        self.assertEqual(
            [headerKey(name) for name in "vVfMz"], ["via", "via", "from", "contact", "z"]
        )

    def test_usual(self) -> None:
        """
        What is looked up at once is what would have been worked out.
        """
        for name, key in USUAL.items():
            self.assertEqual(key, name.lower())
            self.assertEqual(headerKey(name), key)
