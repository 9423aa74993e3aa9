"""
Tests for L{siprec.uas.outside}.
"""

from __future__ import annotations

from siprec.sip.message import Response
from tests.uas.kit import RecorderTestCase, Src


class OutsideTests(RecorderTestCase):
    """
    What is answered where there is no dialog.
    """

    def _options(self) -> Response:
        return Src(self.house, callID="options").ask(self.src.make("OPTIONS"))

    def test_D3_optionsReady(self) -> None:
        """
        200 with what the recorder can do (RFC 3261 section 11.2).
        """
        response = self._options()
        self.assertEqual(response.status, 200)
        for name in ("Allow", "Accept", "Accept-Encoding", "Accept-Language", "Supported"):
            self.assertTrue(response.headers.get(name), name)
        self.assertEqual(response.headers.get("Contact"), "<sip:192.0.2.1:5060>;+sip.srs")
        self.assertNotIn("siprec", response.headers.get("Supported") or "")

    def test_refused(self) -> None:
        """
        A refusal says why, and has a tag of ours as each final answer has.
        """
        response = self.src.ask(self.src.make("UPDATE"))
        self.assertEqual(response.status, 481)
        self.assertTrue(response.toTag)
        self.warned(response, "no such dialog")
