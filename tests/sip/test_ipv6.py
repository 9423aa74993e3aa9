"""
IPv6 in SIP messages (RFC 5118); the vectors are our own.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.sdp.parse import parseSDP
from siprec.sip.errors import BadMessage
from siprec.sip.framing import parseDatagram
from siprec.sip.message import Request
from siprec.sip.uri import SipURI
from tests.sip.vectors import message


class IPv6Tests(SynchronousTestCase):
    """
    RFC 5118.
    """

    def test_F_ipv6_requestURI(self) -> None:
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

    def test_F_ipv6_received(self) -> None:
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

    def test_F_ipv6_vias(self) -> None:
        """
        Addresses of both families may stand beside each other in Via (section
        4.7), and IPv4-mapped ones in SDP (section 4.9).
        """
        found = parseDatagram(
            message(
                "BYE sip:user@h SIP/2.0",
                {"Via": "SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111"},
                more="v: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144\r\n",
            )
        )
        assert isinstance(found, Request)
        hosts = [(via.host, via.port) for via in found.vias]
        self.assertEqual(hosts, [("2001:db8::9:1", 6050), ("192.0.2.1", None)])

    def test_F_ipv6_sdp(self) -> None:
        """
        A description may be IPv6, line by line, and IPv4-mapped (sections 4.6,
        4.8 and 4.9).
        """
        description = parseSDP(
            b"v=0\r\no=assistant 971731711378798081 0 IN IP6 2001:db8::20\r\ns=x\r\n"
            b"c=IN IP6 2001:db8::20\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n"
            b"m=audio 6002 RTP/AVP 0\r\nc=IN IP4 192.0.2.30\r\n"
            b"m=audio 6004 RTP/AVP 0\r\nc=IN IP6 ::ffff:192.0.2.10\r\n"
        )
        found = [description.address(index) for index in range(3)]
        self.assertEqual(
            [each and (each.family, each.address) for each in found],
            [("IP6", "2001:db8::20"), ("IP4", "192.0.2.30"), ("IP6", "::ffff:192.0.2.10")],
        )
