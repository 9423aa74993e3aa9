"""
Tests for L{siprec.uas.origin}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.masking import Mask
from siprec.sip.flow import Flow
from siprec.sip.headers import Headers
from siprec.sip.message import Request
from siprec.uas.origin import describeDialog
from tests.uas.kit import PEER


class DescribeTests(SynchronousTestCase):
    """
    What the manifest tells of the dialog.
    """

    def test_D4_fields_headers(self) -> None:
        """
        Headers are kept but those that shall not be.
        """
        request = Request(
            "INVITE",
            "sip:srs@192.0.2.1",
            Headers(
                [
                    ("f", "<sip:a@example.com>;tag=1"),
                    ("To", "<sip:b@example.com>"),
                    ("User-Agent", "SBC"),
                    ("X-Customer", "7"),
                    ("X-Secret", "8"),
                ]
            ),
        )
        flow = Flow("TCP", ("192.0.2.1", 5060), (PEER, 40000), 1)
        found = describeDialog(request, flow, ["x-sec*"])
        self.assertEqual(
            {name: found[name] for name in ("from", "to", "userAgent", "remoteAddress")},
            {
                "from": "<sip:a@example.com>;tag=1",
                "to": "<sip:b@example.com>",
                "userAgent": "SBC",
                "remoteAddress": f"{PEER}:40000",
            },
        )
        self.assertEqual(found["headers"]["X-Customer"], ["7"])
        self.assertNotIn("X-Secret", found["headers"])
        masked = describeDialog(request, flow, (), Mask((r"[0-9]",)))
        self.assertEqual(masked["headers"]["X-Customer"], ["*"])
        self.assertEqual(masked["from"], "<sip:a@example.com>;tag=*")
        self.assertEqual(masked["remoteAddress"], f"{PEER}:40000")
