"""
Tests for L{siprec.sip.matching}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.ids import isOurTag
from siprec.sip.flow import Flow
from siprec.sip.headers import Headers, Via, parseVia
from siprec.sip.matching import (
    clientKey,
    defaultPort,
    isAddress,
    legacy,
    mergeKey,
    plainHost,
    replyAddress,
    serverKey,
    stamped,
    statelessTag,
)
from siprec.sip.message import Request
from tests.sip.traffic import answer, request


class HostTests(SynchronousTestCase):
    """
    Addresses and names.
    """

    def test_plainHost(self) -> None:
        """
        One address has one form; names are in lower case.
        """
        for text, plain in (
            ("192.0.2.1", "192.0.2.1"),
            ("[2001:DB8:0::1]", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("SRC.Example.com", "src.example.com"),
        ):
            self.assertEqual(plainHost(text), plain)

    def test_isAddress(self) -> None:
        """
        A name is no address.
        """
        self.assertTrue(isAddress("192.0.2.1"))
        self.assertTrue(isAddress("2001:db8::1"))
        self.assertFalse(isAddress("example.com"))

    def test_defaultPort(self) -> None:
        """
        5061 is for TLS (RFC 3261 section 18.1.1).
        """
        self.assertEqual([defaultPort(name) for name in ("UDP", "TCP", "TLS")], [5060, 5060, 5061])


class ServerKeyTests(SynchronousTestCase):
    """
    Which request belongs to which server transaction (RFC 3261 section 17.2.3).
    """

    def test_same(self) -> None:
        """
        A copy, the ACK to a rejection and the CANCEL have the key of the INVITE.
        """
        key = serverKey(request())
        self.assertEqual(serverKey(request()), key)
        self.assertEqual(serverKey(request("ACK", toTag="srs1")), key)
        self.assertEqual(serverKey(request("CANCEL")), key)
        self.assertFalse(legacy(key))
        self.assertEqual(
            serverKey(request(via="SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK776asdhds")), key
        )

    def test_different(self) -> None:
        """
        Another branch, another sent-by, and another CSeq make another
        transaction: some peers use one branch for a whole dialog.
        """
        key = serverKey(request())
        self.assertNotEqual(serverKey(request(via="SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKx")), key)
        self.assertNotEqual(
            serverKey(request(via="SIP/2.0/UDP 192.0.2.8;branch=z9hG4bK776asdhds")), key
        )
        self.assertNotEqual(serverKey(request(number=3)), key)

    def test_F_badbranch(self) -> None:
        """
        Without a branch, or with nothing behind the magic cookie (RFC 4475
        section 3.2.1), the whole Via, the URI, the From tag, Call-ID and CSeq
        number count.
        """
        for via in ("SIP/2.0/UDP 192.0.2.7", "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK"):
            key = serverKey(request(via=via))
            self.assertTrue(legacy(key))
            self.assertEqual(serverKey(request("ACK", via=via, toTag="srs1")), key)
            self.assertNotEqual(serverKey(request(via=via, uri="sip:other@192.0.2.9")), key)
            self.assertNotEqual(serverKey(request(via=via, number=3)), key)
            self.assertNotEqual(serverKey(request(via=via + ";x=y")), key)

    def test_mergeKey(self) -> None:
        """
        The same request by another way has another branch and the same From
        tag, Call-ID and CSeq.
        """
        other = request(via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKother")
        self.assertEqual(mergeKey(request()), mergeKey(other))
        self.assertNotEqual(mergeKey(request()), mergeKey(request("OPTIONS")))

    def test_clientKey(self) -> None:
        """
        A response has the key of its request; CANCEL has its own.
        """
        invite = request()
        self.assertEqual(clientKey(answer(invite, 200)), clientKey(invite))
        self.assertNotEqual(clientKey(request("CANCEL")), clientKey(invite))


class ViaTests(SynchronousTestCase):
    """
    Where a request came from, and where its responses go (RFC 3261 section
    18.2, RFC 3581).
    """

    def stamp(self, via: str, remote: tuple[str, int], transport: str = "UDP") -> Via:
        """
        @return: the topmost Via as noted.
        """
        flow = Flow(transport, ("192.0.2.9", 5060), remote)
        return stamped(request(via=via), flow).via

    def test_nothingToNote(self) -> None:
        """
        If sent-by is the source address and nobody asked for rport, the Via
        stays as it is.
        """
        asked = request()
        flow = Flow("UDP", ("192.0.2.9", 5060), ("192.0.2.7", 1234))
        self.assertIs(stamped(asked, flow), asked)
        self.assertEqual(replyAddress(asked.via, flow), ("192.0.2.7", 5060))

    def test_D2_received(self) -> None:
        """
        C{received} is added if sent-by is a name or another address.
        """
        for host in ("src.example.com", "10.0.0.1"):
            via = self.stamp(f"SIP/2.0/UDP {host}:5070;branch=z9hG4bKa", ("192.0.2.7", 1234))
            self.assertEqual(via.param("received"), "192.0.2.7")
            self.assertIsNone(via.param("rport"))
            flow = Flow("UDP", ("192.0.2.9", 5060), ("192.0.2.7", 1234))
            self.assertEqual(replyAddress(via, flow), ("192.0.2.7", 5070))

    def test_D2_rport(self) -> None:
        """
        If rport is there, both are added, even if sent-by is right (RFC 3581
        section 4).
        """
        via = self.stamp("SIP/2.0/UDP 192.0.2.7;rport;branch=z9hG4bKa", ("192.0.2.7", 1234))
        self.assertEqual(
            str(via), "SIP/2.0/UDP 192.0.2.7;rport=1234;branch=z9hG4bKa;received=192.0.2.7"
        )
        flow = Flow("UDP", ("192.0.2.9", 5060), ("192.0.2.7", 1234))
        self.assertEqual(replyAddress(via, flow), ("192.0.2.7", 1234))

    def test_D2_keep(self) -> None:
        """
        A peer that asks whether it may send keepalives may (RFC 6223 section
        4.3); what has a value asks nothing.
        """
        via = self.stamp("SIP/2.0/UDP 192.0.2.7;keep;branch=z9hG4bKa", ("192.0.2.7", 5060))
        self.assertEqual(str(via), "SIP/2.0/UDP 192.0.2.7;keep=0;branch=z9hG4bKa")
        text = "SIP/2.0/UDP 192.0.2.7;keep=30;branch=z9hG4bKa"
        self.assertEqual(str(self.stamp(text, ("192.0.2.7", 5060))), text)

    def test_forgedReceived(self) -> None:
        """
        What the peer itself writes as C{received} is taken out, so that it
        cannot have us send to somebody else.
        """
        via = self.stamp(
            "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKa;received=198.51.100.1", ("192.0.2.7", 5060)
        )
        self.assertFalse(via.hasParam("received"))

    def test_maddrIgnored(self) -> None:
        """
        C{maddr} is not followed.
        """
        via = parseVia("SIP/2.0/UDP 192.0.2.7;maddr=198.51.100.1;branch=z9hG4bKa")
        flow = Flow("UDP", ("192.0.2.9", 5060), ("192.0.2.7", 5060))
        self.assertEqual(replyAddress(via, flow), ("192.0.2.7", 5060))

    def test_D2_ipv6(self) -> None:
        """
        IPv6 is compared by value; C{received} has no brackets (RFC 5118 section 4.5).
        """
        via = self.stamp("SIP/2.0/UDP [2001:DB8::0:7];branch=z9hG4bKa", ("2001:db8::7", 5060))
        self.assertFalse(via.hasParam("received"))
        via = self.stamp("SIP/2.0/UDP [2001:db8::8];branch=z9hG4bKa", ("2001:db8::7", 5060))
        self.assertEqual(via.param("received"), "2001:db8::7")
        for form in ("2001:db8::7", "[2001:db8::7]"):
            flow = Flow("TCP", ("2001:db8::9", 5060), ("2001:db8::7", 5060))
            via = parseVia(f"SIP/2.0/TCP [2001:db8::8]:5070;received={form};branch=z9hG4bKa")
            self.assertEqual(replyAddress(via, flow), ("2001:db8::7", 5070))

    def test_stream(self) -> None:
        """
        A new connection goes to the port of sent-by, never to rport, and by
        default to 5061 for TLS.
        """
        via = parseVia("SIP/2.0/TLS src.example.com;rport=40000;branch=z9hG4bKa")
        flow = Flow("TLS", ("192.0.2.9", 5061), ("192.0.2.7", 40000), 3)
        self.assertEqual(replyAddress(via, flow), ("192.0.2.7", 5061))

    def test_otherViasStay(self) -> None:
        """
        Only the topmost Via is changed.
        """
        lower = "SIP / 2.0 / UDP  10.9.9.9;branch=z9hG4bKlow"
        asked = request()
        fields = Headers([*list(asked.headers)[:1], ("v", lower), *list(asked.headers)[1:]])
        both = Request(asked.method, asked.uri, fields)
        done = stamped(both, Flow("UDP", ("192.0.2.9", 5060), ("203.0.113.5", 9)))
        self.assertEqual(done.headers.values("Via")[1], lower)
        self.assertEqual(done.via.param("received"), "203.0.113.5")

    def test_statelessTag(self) -> None:
        """
        Each copy of a request has the same tag without any state (RFC 3261
        section 8.2.7), another request another.
        """
        self.assertEqual(statelessTag(request()), statelessTag(request()))
        # Nobody looks for the dialog of such a tag.
        self.assertFalse(isOurTag(statelessTag(request())))
        other = request(via="SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKx")
        self.assertNotEqual(statelessTag(request()), statelessTag(other))
