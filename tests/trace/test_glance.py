"""
Tests of L{siprec.trace.glance}.
"""

from time import process_time

from twisted.trial.unittest import SynchronousTestCase

from siprec.trace.glance import callIDOf, glance
from tests.trace.samples import sip


class GlanceTests(SynchronousTestCase):
    """
    What a message is, without parsing it.
    """

    def test_request(self) -> None:
        """
        A request is known by its method, CSeq and Call-ID.
        """
        found = glance(sip("BYE", "abc@192.0.2.7", 7))
        self.assertEqual((found.kind, found.callID, found.cseq), ("BYE", "abc@192.0.2.7", "7 BYE"))
        self.assertEqual(found.label, "BYE (7)")

    def test_response(self) -> None:
        """
        A response by its status; what it answers is said.
        """
        found = glance(b"\r\n" + sip("180 Ringing"))
        self.assertEqual((found.kind, found.label), ("180 Ringing", "180 Ringing (1 INVITE)"))
        self.assertEqual(glance(b"SIP/2.0 200\r\n\r\n").label, "200")

    def test_compact(self) -> None:
        """
        Names may be short, in any case, and with blanks before the colon; lines may
        end with a line feed alone.
        """
        self.assertEqual(callIDOf(b"INVITE a SIP/2.0\r\nI : x \r\n\r\n"), "x")
        self.assertEqual(callIDOf(b"INVITE a SIP/2.0\ncall-id:x\n\n"), "x")

    def test_body(self) -> None:
        """
        What is in the body does not count.
        """
        self.assertEqual(callIDOf(b"INVITE a SIP/2.0\r\nTo: b\r\n\r\nCall-ID: x"), "")

    def test_noSIP(self) -> None:
        """
        What is no SIP is said to be none; octets that are no text are shown.
        """
        for data in (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", b"(x) a SIP/2.0"):
            self.assertEqual((glance(data).kind, glance(data).label), ("", "no SIP"))
        self.assertEqual(callIDOf(b"X a SIP/2.0\r\nCall-ID: a\xffb"), "a\\xffb")

    def test_linear(self) -> None:
        """
        A long line of nothing costs little.
        """
        start = process_time()
        for data in (b"A " + b" " * 60000, b"A b" + b" " * 60000, b"Call-ID" + b" " * 60000):
            glance(data)
        self.assertLess(process_time() - start, 2.0)
