"""
Tests of L{siprec.sip.reasons}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.reasons import REASONS


class ReasonsTests(SynchronousTestCase):
    """
    L{REASONS} names the status codes.
    """

    def test_complete(self) -> None:
        """
        Every class of codes has its x00 code, whose phrase stands in for the
        unknown codes of that class (RFC 3261 section 8.1.3.2).
        """
        self.assertTrue({100, 200, 300, 400, 500, 600} <= set(REASONS))
        self.assertTrue(all(100 <= status <= 699 and text for status, text in REASONS.items()))

    def test_constant(self) -> None:
        """
        Nobody can change it for all others.
        """
        with self.assertRaises(TypeError):
            REASONS[200] = "Fine"  # type: ignore[index]
