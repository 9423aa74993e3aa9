"""
Tests for L{siprec.uas.ours}: how the session is refreshed where that is left to us.
"""

from __future__ import annotations

from siprec.sip.message import Request
from tests.uas.kit import offer
from tests.uas.timercase import TIMER, TimerTestCase, expires


class RefreshTests(TimerTestCase):
    """
    RFC 4028 section 7.
    """

    def test_D4_timer_byUpdate(self) -> None:
        """
        A peer that takes UPDATE gets one without a description; its 2xx begins
        the interval anew, and may move the peer.
        """
        request = self.refresh(("Allow", "INVITE, UPDATE"))
        self.assertEqual((request.method, request.body), ("UPDATE", b""))
        moved = ("Contact", "<sip:src@192.0.2.8:5070>;+sip.src")
        self.src.answer(request, 200, TIMER, expires(90, "uac"), moved)
        again = self.only(self.house.wait(45), "UPDATE")
        self.assertEqual(again.uri, "sip:src@192.0.2.8:5070")
        self.assertEqual(again.cseq.number, request.cseq.number + 1)

    def test_D4_timer_byInvite(self) -> None:
        """
        Any other gets a re-INVITE with the description that holds; each 2xx to
        it is acknowledged.
        """
        request = self.refresh()
        self.assertEqual((request.method, request.body), ("INVITE", self.first.body))
        contact = ("Contact", self.src.contact)
        for _ in range(2):
            sent = self.src.answer(request, 200, TIMER, contact, body=offer())
            ack = self.only(sent, "ACK")
            self.assertEqual(ack.cseq.number, request.cseq.number)

    def test_D4_timer_longer(self) -> None:
        """
        A 422 to our refresh says which interval would do: that is asked for at
        once (RFC 4028 section 7.3).
        """
        request = self.refresh(("Allow", "UPDATE"))
        sent = self.src.answer(request, 422, ("Min-SE", "1800"))
        again = self.only(sent, "UPDATE")
        self.assertEqual(again.headers.get("Session-Expires"), "1800;refresher=uac")
        self.src.answer(again, 200, TIMER, expires(1800, "uac"))
        self.assertEqual(self.house.wait(899), [])
        self.only(self.house.wait(1.25), "UPDATE")

    def test_D4_timer_notLonger(self) -> None:
        """
        A 422 that asks for nothing longer is a refusal like others.
        """
        request = self.refresh(("Allow", "UPDATE"))
        self.assertEqual(self.src.answer(request, 422, ("Min-SE", "90")), [])

    def test_D4_timer_later(self) -> None:
        """
        A peer that is busy with the session says when to come again.
        """
        request = self.refresh(("Allow", "UPDATE"))
        self.assertEqual(self.src.answer(request, 500, ("Retry-After", "3")), [])
        self.assertEqual(self.house.wait(2.875), [])
        again = self.only(self.house.wait(0.25), "UPDATE")
        self.src.answer(again, 200, TIMER, expires(90, "uac"))

    def test_D4_timer_endedMeanwhile(self) -> None:
        """
        A call that ends while a refresh waits sends nothing more.
        """
        request = self.refresh(("Allow", "UPDATE"))
        self.src.answer(request, 491)
        self.src.bye()
        self.assertEqual(self.house.wait(100), [])

    def test_refused(self) -> None:
        """
        A peer that refuses the refresh, or does not answer it, has its own
        timer: as long as media comes the call goes on.
        """
        request = self.refresh(("Allow", "UPDATE"))
        self.src.answer(request, 405)
        self.media(0)
        [second] = [each for each in self.house.wait(60) if isinstance(each, Request)]
        self.assertEqual(second.cseq.number, request.cseq.number + 1)
        self.media(0)
        self.house.wait(32)
        self.assertEqual(self.house.manifest["state"], "recording")

    def test_tooLate(self) -> None:
        """
        An answer to a refresh that comes after the end changes nothing.
        """
        request = self.refresh(("Allow", "UPDATE"))
        self.src.bye()
        self.src.answer(request, 200, TIMER, expires(90, "uac"))
        self.assertEqual(self.house.wait(100), [])
