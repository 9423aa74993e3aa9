"""
What tests of the session timer have in common (RFC 4028).
"""

from __future__ import annotations

from siprec.sip.message import Request
from tests.uas.kit import RecorderTestCase

TIMER = ("Supported", "timer")


def expires(seconds: int, refresher: str | None = None) -> tuple[str, str]:
    """
    @return: a Session-Expires.
    """
    return ("Session-Expires", f"{seconds}{f';refresher={refresher}' if refresher else ''}")


class TimerTestCase(RecorderTestCase):
    """
    A call with a session timer.
    """

    def media(self, seconds: float) -> None:
        """
        The last packet came so many seconds ago.
        """
        self.house.capture.attached[0].lastArrival = self.house.now() - seconds

    def refresh(self, *headers: tuple[str, str]) -> Request:
        """
        @return: how we refresh where that was left to us.
        """
        self.first = self.src.call(TIMER, expires(90, "uas"), *headers)
        self.assertEqual(self.first.headers.get("Session-Expires"), "90;refresher=uas")
        self.assertEqual(self.house.wait(44.875), [])
        [request] = self.house.wait(0.125)
        assert isinstance(request, Request)
        self.assertEqual(request.headers.get("Session-Expires"), "90;refresher=uac")
        self.assertEqual(request.headers.get("Contact"), "<sip:192.0.2.1:5060>;+sip.srs")
        return request
