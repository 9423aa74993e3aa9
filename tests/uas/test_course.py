"""
Tests for L{siprec.uas.course}: calls that end, or not, without a word of the peer's.
"""

from __future__ import annotations

from tests.uas.timercase import TIMER, TimerTestCase, expires


class CourseTests(TimerTestCase):
    """
    A session timer that runs out, and answers that end a dialog.
    """

    def test_D4_timer_expired(self) -> None:
        """
        No refresh and no media: the call is over (RFC 4028 section 10).
        """
        self.src.call(TIMER, expires(90))
        self.house.wait(25)
        self.media(0)
        self.assertEqual(self.house.wait(34.875), [])
        bye = self.only(self.house.wait(0.125), "BYE")
        self.assertIn("cause=408", bye.headers.get("Reason") or "")
        self.src.answer(bye)
        self.assertEqual(self.house.manifest["endReason"], "sessionExpired")

    def test_D4_timer_aliveAnyway(self) -> None:
        """
        A peer that forgets its refresh but still sends media is recorded on:
        to hang up would lose the rest of the call.
        """
        self.src.call(TIMER, expires(90))
        for _ in range(2):
            self.house.wait(55)
            self.media(0)
            self.assertEqual(self.house.wait(5), [])
        self.assertEqual(self.house.events(), ["sessionTimerExpired"] * 2)
        self.only(self.house.wait(60), "BYE")

    def test_D4_effects_peerGone(self) -> None:
        """
        A peer that does not know the call any more has ended it.
        """
        request = self.refresh(("Allow", "UPDATE"))
        self.assertEqual(self.src.answer(request, 481), [])
        self.assertEqual(self.house.manifest["endReason"], "peerGone")

    def test_D4_effects_denied(self) -> None:
        """
        Every other answer that ends a dialog (RFC 5057 section 5.1) may come
        from a proxy: it ends the call only where no media comes any more.
        """
        request = self.refresh(("Allow", "UPDATE"))
        self.media(0)
        self.src.answer(request, 404)
        self.assertEqual(self.house.manifest["state"], "recording")
        self.assertEqual(self.house.events(), ["dialogDenied"])
        # Half of the interval is not refreshed: at its end media is asked for.
        self.media(40)
        self.house.wait(16)
        self.assertEqual(self.house.manifest["endReason"], "sessionExpired")

    def test_D4_effects_silent(self) -> None:
        """
        The same without media.
        """
        request = self.refresh(("Allow", "UPDATE"))
        self.src.answer(request, 604)
        self.assertEqual(self.house.manifest["endReason"], "peerGone")
