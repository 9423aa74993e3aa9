"""
IPv6 in SIP messages (RFC 5118); the vectors are our own.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.errors import BadMessage
from siprec.sip.framing import parseDatagram
from siprec.sip.message import Request
from siprec.sip.uri import SipURI
from tests.sip.vectors import message


class IPv6Tests(SynchronousTestCase):
    """
    RFC 5118.
    """

    def test_requestURI(self) -> None:
        """
        An IPv6 address needs its brackets; within them, the last group is no
        port (sections 4.1 to 4.4).
        """
        for host, port, address in (
            ("[2001:db8::10]", None, "2001:db8::10"),
            ("[2001:db8::10:5070]", None, "2001:db8::10:5070"),
            ("[2001:db8::10]:5070", 5070, "2001:db8::10"),
            ("[::ffff:192.0.2.10]", None, "::ffff:192.0.2.10"),
        ):
            found = parseDatagram(message(f"REGISTER sip:{host} SIP/2.0"))
            assert isinstance(found, Request)
            uri = found.requestURI
            assert isinstance(uri, SipURI)
            self.assertEqual((uri.host, uri.port), (address, port))
        bad = message("REGISTER sip:2001:db8::10 SIP/2.0")
        self.assertEqual(self.assertRaises(BadMessage, parseDatagram, bad).status, 400)

    def test_received(self) -> None:
        """
        C{received} is read with and without brackets (section 4.5), and three
        colons as two (section 4.10).
        """
        for text in (
            "SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3-111",
            "SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3",
            "SIP/2.0/UDP [2001:db8:::192.0.2.1];branch=z9hG4bKas3",
        ):
            self.assertIsNotNone(parseDatagram(message("BYE sip:user@h SIP/2.0", {"Via": text})))
