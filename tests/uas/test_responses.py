"""
Tests for L{siprec.uas.responses}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.message import Request
from siprec.sip.sessiontimer import Agreed
from siprec.uas.responses import interrupted, ok, refusal
from tests.uas.test_snapshot import DIALOG

_, UPDATE = DIALOG.request("UPDATE")
REQUEST = Request("UPDATE", "sip:x", UPDATE.headers.adding("Via", "SIP/2.0/UDP a;branch=z9hG4bKa"))


class ResponseTests(SynchronousTestCase):
    """
    Responses in a dialog.
    """

    def test_ok(self) -> None:
        """
        A 200 says what we take; of the session timer only where it was asked.
        """
        plain = ok(DIALOG, REQUEST)
        self.assertIn("UPDATE", plain.headers.get("Allow") or "")
        self.assertIn("application/sdp", plain.headers.get("Accept") or "")
        self.assertEqual(plain.headers.values("Supported"), ["timer", "replaces"])
        self.assertEqual((plain.headers.get("Session-Expires"), plain.contentType), (None, None))
        timed = ok(DIALOG, REQUEST, Agreed(90, "uac", (("Session-Expires", "90"),)), b"v=0")
        self.assertEqual(timed.headers.get("Session-Expires"), "90")
        self.assertEqual(timed.contentType, ("application/sdp", ()))

    def test_refusal(self) -> None:
        """
        A refusal says why, for people, and when to come again.
        """
        refused = refusal(DIALOG, REQUEST, 500, "busy", (("X-A", "b"),), 10)
        self.assertEqual(refused.headers.get("Warning"), '399 siprec "busy"')
        self.assertEqual(refused.headers.get("X-A"), "b")
        self.assertEqual(refused.headers.get("Retry-After"), "10")
        bare = refusal(DIALOG, REQUEST, 487, None)
        self.assertNotIn("Warning", bare.headers)
        self.assertNotIn("Retry-After", bare.headers)

    def test_D3_500_interrupted(self) -> None:
        """
        Who was left without an answer is told when to ask again, each another time
        (RFC 3261 section 21.5.1).
        """
        made = [interrupted(DIALOG, REQUEST) for _ in range(200)]
        self.assertEqual({each.status for each in made}, {500})
        waits = {int(each.headers.get("Retry-After") or -1) for each in made}
        self.assertTrue(len(waits) > 1 and waits <= set(range(11)), waits)
