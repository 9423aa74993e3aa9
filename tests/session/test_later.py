"""
Tests of L{siprec.session.later}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from siprec.session.later import MOST, withLater

SIP: dict[str, Any] = {"from": "<sip:a@x>", "headers": {"X-Agent-ID": ["7"]}}


class LaterTests(SynchronousTestCase):
    """
    News in the headers of later requests.
    """

    def test_nothing(self) -> None:
        """
        What is known, or in every request, is no news.
        """
        kept = {"x-agent-id": ["7"], "Contact": ["<sip:b@x>"], "Date": ["now"]}
        self.assertEqual(withLater(SIP, kept, "then", "UPDATE"), (SIP, []))

    def test_news(self) -> None:
        """
        Another value is added to those of the header, and told with its time.
        """
        kept = {"x-agent-id": ["7", "8", "8"], "Reason": ["Q.850;cause=16"]}
        sip, added = withLater(SIP, kept, "then", "BYE")
        self.assertEqual(sip["headers"], {"X-Agent-ID": ["7", "8"], "Reason": ["Q.850;cause=16"]})
        self.assertEqual(
            sip["later"],
            [
                {
                    "time": "then",
                    "method": "BYE",
                    "headers": {"x-agent-id": ["8"], "Reason": ["Q.850;cause=16"]},
                }
            ],
        )
        self.assertEqual(added, [("x-agent-id", "8"), ("Reason", "Q.850;cause=16")])
        self.assertEqual(SIP["headers"], {"X-Agent-ID": ["7"]})
        self.assertEqual(withLater(sip, kept, "later", "BYE"), (sip, []))

    def test_bounded(self) -> None:
        """
        A peer cannot make it grow without end.
        """
        sip, count = dict(SIP), 0
        for number in range(MOST + 5):
            sip, added = withLater(sip, {"X-A": [str(number)]}, "then", "INFO")
            count += len(added)
        self.assertEqual(count, MOST)
        self.assertEqual((len(sip["later"]), len(sip["headers"]["X-A"])), (MOST, MOST))
