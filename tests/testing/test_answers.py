"""
Tests for L{siprec.testing.answers}.
"""

from siprec.sip.message import Response
from tests.testing.recorder import ClientTestCase, sdp


class AnswersTests(ClientTestCase):
    """
    The 2xx to the recorder's re-INVITE.
    """

    def test_repeated(self) -> None:
        """
        Without an ACK the 2xx is repeated after T1, 2*T1 and so on (RFC 3261
        section 13.3.1.4), and given up after 64*T1.
        """
        call = self.established()
        self.ask(call, "INVITE", 1, sdp(41000, 41002))
        self.assertEqual(self.answered().status, 200)
        for delay in (0.5, 1.0, 2.0, 4.0, 4.0):
            self.clock.advance(delay - 0.01)
            self.assertEqual(self.sip.take(), [])
            self.clock.advance(0.01)
            self.assertEqual(self.answered().status, 200)
        self.clock.pump([4] * 10)
        self.sip.take()
        self.clock.pump([4] * 4)
        self.assertEqual(self.sip.take(), [])

    def test_acknowledged(self) -> None:
        """
        With the ACK the repetition ends.
        """
        call = self.established()
        self.ask(call, "INVITE", 1, sdp(41000, 41002))
        self.assertEqual(self.answered().status, 200)
        self.ask(call, "ACK", 1)
        self.clock.pump([0.5] * 20)
        self.assertEqual(self.sip.take(), [])

    def test_stop(self) -> None:
        """
        When the call ends, so does the repetition.
        """
        call = self.established()
        self.ask(call, "INVITE", 1, sdp(41000, 41002))
        self.ask(call, "BYE", 2)
        self.assertEqual([m.status for m in self.sip.take() if isinstance(m, Response)], [200, 200])
        self.clock.pump([0.5] * 20)
        self.assertEqual(self.sip.take(), [])
