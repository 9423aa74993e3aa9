"""
Tests for L{siprec.sip.replaces}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.replaces import Replaces, parseReplaces


class ReplacesTests(SynchronousTestCase):
    """
    L{parseReplaces}.
    """

    def test_D4_replaces_parsed(self) -> None:
        """
        Call-ID and both tags, in any order and with other parameters.
        """
        for text, expected in (
            ("a@b;to-tag=1;from-tag=2", Replaces("a@b", "1", "2")),
            ("a@b ; From-Tag = 2 ; x ; to-tag = 1", Replaces("a@b", "1", "2")),
            ("a@b;to-tag=1;from-tag=2;early-only", Replaces("a@b", "1", "2", True)),
            ("a@b;to-tag=1;from-tag=0", Replaces("a@b", "1", "")),
        ):
            self.assertEqual(parseReplaces(text), expected)

    def test_D4_replaces_bad(self) -> None:
        """
        Without Call-ID or one of the tags it is none.
        """
        for text in ("", "a@b", "a@b;to-tag=1", "a@b;from-tag=1", ";to-tag=1;from-tag=2"):
            self.assertIsNone(parseReplaces(text))
