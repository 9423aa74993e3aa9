"""
Tests of L{siprec.sip.headers}.
"""

from collections.abc import Callable

from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.errors import BadHeader
from siprec.sip.headers import (
    CSeq,
    Headers,
    NameAddr,
    Via,
    parseCSeq,
    parseNameAddr,
    parseVia,
)
from siprec.sip.uri import SipURI, parseURI
from tests.sip.vectors import PROPERTY


class HeadersTests(SynchronousTestCase):
    """
    L{Headers} is an immutable list with lookup.
    """

    headers = Headers(
        [
            ("v", "SIP/2.0/UDP a, SIP/2.0/UDP b"),
            ("X-Odd", ";;,,"),
            ("VIA", "SIP/2.0/UDP c"),
            ("Supported", ""),
        ]
    )

    def test_lookup(self) -> None:
        """
        Names compare without regard to case, and compact forms equal the long
        ones (RFC 3261 section 7.3.3).
        """
        self.assertEqual(self.headers.get("via"), "SIP/2.0/UDP a, SIP/2.0/UDP b")
        self.assertEqual(
            self.headers.getAll("V"), ["SIP/2.0/UDP a, SIP/2.0/UDP b", "SIP/2.0/UDP c"]
        )
        self.assertEqual(
            self.headers.values("Via"), ["SIP/2.0/UDP a", "SIP/2.0/UDP b", "SIP/2.0/UDP c"]
        )
        self.assertEqual((self.headers.get("To"), self.headers.getAll("To")), (None, []))
        self.assertTrue("k" in self.headers and "x-odd" in self.headers)
        self.assertFalse("t" in self.headers or 5 in self.headers)
        self.assertEqual((self.headers.get("k"), self.headers.values("k")), ("", []))

    def test_everyCompactForm(self) -> None:
        """
        All compact forms in use are known.
        """
        compact = {
            "a": "Accept-Contact",
            "b": "Referred-By",
            "c": "Content-Type",
            "m": "Contact",
            "d": "Request-Disposition",
            "e": "Content-Encoding",
            "f": "From",
            "i": "Call-ID",
            "j": "Reject-Contact",
            "k": "Supported",
            "l": "Content-Length",
            "o": "Event",
            "r": "Refer-To",
            "s": "Subject",
            "t": "To",
            "u": "Allow-Events",
            "v": "Via",
            "x": "Session-Expires",
            "y": "Identity",
        }
        for short, name in compact.items():
            self.assertEqual(Headers([(short.upper(), "1")]).get(name), "1")

    def test_J11_oddNames(self) -> None:
        """
        C{Call-Id} and C{Cseq} are seen in the field, and mean what they should.
        """
        headers = Headers([("Call-Id", "x"), ("Cseq", "1 BYE")])
        self.assertEqual((headers.get("Call-ID"), headers.get("CSeq")), ("x", "1 BYE"))

    def test_asReceived(self) -> None:
        """
        Iteration gives names and values as received, in order.
        """
        self.assertEqual([name for name, _ in self.headers], ["v", "X-Odd", "VIA", "Supported"])
        self.assertEqual(len(self.headers), 4)
        self.assertIn("('X-Odd', ';;,,')", repr(self.headers))

    def test_equal(self) -> None:
        """
        Equal headers have the same fields in the same order, in whatever form
        of the name; equal ones have the same hash.
        """
        one, other = Headers([("f", "x"), ("A1", "y")]), Headers([("From", "x"), ("a1", "y")])
        self.assertEqual(one, other)
        self.assertEqual(hash(one), hash(other))
        self.assertNotEqual(one, Headers([("A1", "y"), ("f", "x")]))
        self.assertNotEqual(one, [("f", "x"), ("A1", "y")])

    def test_change(self) -> None:
        """
        Every change gives new headers; a replaced one keeps its place.
        """
        headers = Headers([("a1", "1"), ("v", "2"), ("b1", "3"), ("Via", "4")])
        self.assertEqual(
            headers.replacing("Via", "x", "y"),
            Headers([("a1", "1"), ("Via", "x"), ("Via", "y"), ("b1", "3")]),
        )
        self.assertEqual(headers.replacing("To", "t"), headers.adding("To", "t"))
        self.assertEqual(headers.replacing("v"), headers.without("Via"))
        self.assertEqual(headers.without("A1", "via"), Headers([("b1", "3")]))
        self.assertEqual(
            list(headers.prepending("Via", "x", "y"))[:3], [("Via", "x"), ("Via", "y"), ("a1", "1")]
        )
        self.assertEqual(list(headers.adding("X", "1", "2"))[-2:], [("X", "1"), ("X", "2")])
        self.assertEqual(len(headers), 4)

    def test_immutable(self) -> None:
        """
        Nothing that is handed out changes the headers.
        """
        self.headers.getAll("Via").clear()
        self.assertEqual(len(self.headers.getAll("Via")), 2)
        with self.assertRaises(FrozenInstanceError):
            self.headers._fields = ()  # type: ignore[misc]

    def test_noInjection(self) -> None:
        """
        A value with a line break would begin a header of the peer's choice:
        refused.
        """
        for value in ("a\r\nX: b", "a\nb", "a\rb"):
            self.assertRaises(BadHeader, Headers, [("X", value)])
            self.assertRaises(BadHeader, Headers().adding, "X", value)


class NameAddrTests(SynchronousTestCase):
    """
    L{parseNameAddr} and L{NameAddr}.
    """

    def test_brackets(self) -> None:
        """
        Within angle brackets parameters belong to the URI, behind them to the
        header (RFC 3261 section 20.10).
        """
        address = parseNameAddr('"A. \\"B\\"" <sip:a@h;lr>;tag=x;+sip.instance="<urn:1>"')
        assert isinstance(address.uri, SipURI)
        self.assertEqual((address.displayName, address.tag), ('A. "B"', "x"))
        self.assertTrue(address.uri.hasParam("lr") and not address.hasParam("lr"))
        self.assertEqual(address.param("+SIP.instance"), "<urn:1>")
        self.assertEqual(str(address), '"A. \\"B\\"" <sip:a@h;lr>;tag=x;+sip.instance="<urn:1>"')

    def test_bare(self) -> None:
        """
        Without angle brackets every parameter belongs to the header, even one
        that means a URI parameter elsewhere (RFC 4475 section 3.3.12).
        """
        address = parseNameAddr(" sip:+1650@h;user=phone ; tag = a48s ")
        self.assertEqual(address.uri, parseURI("sip:+1650@h"))
        self.assertEqual((address.param("user"), address.tag), ("phone", "a48s"))
        self.assertEqual(str(address), "<sip:+1650@h>;user=phone;tag=a48s")

    def test_A2_featureTag(self) -> None:
        """
        C{+sip.src} is a header parameter, with or without a value.
        """
        for text in ("<sip:h>;+sip.src", '<sip:h>;+sip.src="TRUE"', "sip:h;+SIP.SRC"):
            self.assertTrue(parseNameAddr(text).hasParam("+sip.src"), text)
        self.assertFalse(parseNameAddr("<sip:h;+sip.src>").hasParam("+sip.src"))

    def test_displayNames(self) -> None:
        """
        A display name may be quoted or a few words, and needs no blank behind
        it (RFC 4475 section 3.1.1.6); an empty one is not none.
        """
        for text, name in (
            ("caller<sip:h>", "caller"),
            ("T. Watson <sip:h>", "T. Watson"),
            ("token1~` token2'+_ <sip:h>", "token1~` token2'+_"),
            ("J\u00fcrgen (Sales) <sip:h>", "J\u00fcrgen (Sales)"),
            ("<sip:h>", None),
            (" <sip:h>", None),
            ('"" <sip:h>', ""),
            ('"Bell, A" <sip:h>', "Bell, A"),
            ('"a <b" <sip:h>', "a <b"),
            ('"BEL:\\\x07 NUL:\\\x00" <sip:h>', "BEL:\x07 NUL:\x00"),
        ):
            address = parseNameAddr(text)
            self.assertEqual(address.displayName, name)
            self.assertEqual(parseNameAddr(str(address)), address)

    def test_change(self) -> None:
        """
        Parameters are replaced, added and dropped in a new value.
        """
        address = parseNameAddr("<sip:h>;tag=x;q=1")
        self.assertEqual(str(address.withParam("TAG", "y")), "<sip:h>;TAG=y;q=1")
        self.assertEqual(str(address.withParam("+sip.srs")), "<sip:h>;tag=x;q=1;+sip.srs")
        self.assertEqual(str(address.withoutParam("Tag")), "<sip:h>;q=1")
        self.assertEqual(address.tag, "x")
        self.assertIsNone(NameAddr(parseURI("tel:110")).tag)

    def test_bad(self) -> None:
        """
        What RFC 4475 calls malformed is refused (sections 3.1.2.1, 3.1.2.6 and
        3.1.2.13 to 3.1.2.15), and what would be ambiguous.
        """
        for text in (
            "",
            '"Mr. J. User <sip:j.user@example.com>',
            '"Watson, Thomas" < sip:t.watson@example.org >',
            "Bell, Alexander <sip:a.g.bell@example.com>;tag=43",
            "sip:user@example.com?Route=%3Csip:sip.example.com%3E",
            "sip:a,b@example.com",
            '"Joe" <sip:joe@example.org>;;;;',
            "<sip:joe@example.org",
            "<sip:joe@example.org> x",
            "<<sip:joe@example.org>;x>",
            "<sip:a@h>, <sip:b@h>",
            "sip:x@y <sip:joe@example.org>",
            '"Joe" sip:joe@example.org',
            "<>",
            "*",
        ):
            self.assertRaises(BadHeader, parseNameAddr, text)

    def test_otherSchemes(self) -> None:
        """
        The URI may be of any scheme (RFC 4475 section 3.3.4).
        """
        for text in ("isbn:2983792873", "<http://www.example.com>;tag=3", "<tel:+1-201>;tag=4"):
            parseNameAddr(text)


class ViaTests(SynchronousTestCase):
    """
    L{parseVia} and L{Via}.
    """

    def test_whole(self) -> None:
        """
        Transport, sent-by and parameters; the transport in upper case.
        """
        via = parseVia('SIP/2.0/udp 192.0.2.7:5062;rport;branch=z9hG4bK1;oc-algo="loss"')
        self.assertEqual((via.transport, via.host, via.port), ("UDP", "192.0.2.7", 5062))
        self.assertEqual((via.branch, via.param("oc-algo")), ("z9hG4bK1", "loss"))
        self.assertTrue(via.hasParam("RPORT") and not via.hasParam("received"))
        self.assertIsNone(via.param("rport"))
        self.assertEqual(
            str(via.withParam("rport", "40000").withParam("received", "192.0.2.8")),
            'SIP/2.0/UDP 192.0.2.7:5062;rport=40000;branch=z9hG4bK1;oc-algo="loss";'
            "received=192.0.2.8",
        )

    def test_blanks(self) -> None:
        """
        Blanks may stand nearly everywhere (RFC 4475 section 3.1.1.1).
        """
        via = parseVia("SIP  / 2.0  / TCP     spindle.example.com   : 5060 ; branch  =   z9hG4bK9")
        self.assertEqual(via, Via("TCP", "spindle.example.com", 5060, (("branch", "z9hG4bK9"),)))

    def test_old(self) -> None:
        """
        An RFC 2543 peer has no branch; an unknown transport is no error (RFC
        4475 section 3.1.1.10).
        """
        self.assertIsNone(parseVia("SIP/2.0/UDP iftgw.example.com").branch)
        self.assertEqual(parseVia("SIP/2.0/UNKNOWN h").transport, "UNKNOWN")

    def test_ipv6(self) -> None:
        """
        C{received} may come with and without brackets (RFC 5118 section 4.5);
        sent-by has them.
        """
        for received in ("[2001:db8::9:255]", "2001:db8::9:255"):
            via = parseVia(f"SIP/2.0/UDP [2001:db8::9:1]:6;received={received};branch=z9hG4bKas3")
            self.assertEqual((via.host, via.port), ("2001:db8::9:1", 6))
            self.assertEqual(via.param("received"), received)
            self.assertEqual(parseVia(str(via)), via)

    def test_lenient(self) -> None:
        """
        For the answer to a bad request, what is no parameter is left out.
        """
        text = "SIP/2.0/UDP 192.0.2.15;;a b;branch=z9hG4bK1;,;"
        self.assertRaises(BadHeader, parseVia, text)
        self.assertEqual(
            str(parseVia(text, lenient=True)), "SIP/2.0/UDP 192.0.2.15;branch=z9hG4bK1"
        )
        self.assertRaises(BadHeader, parseVia, "SIP/2.0/UDP", lenient=True)

    def test_bad(self) -> None:
        """
        What is no Via is refused.
        """
        for text in (
            "",
            "SIP/2.0 192.0.2.7",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP192.0.2.7",
            "HTTP/1.1/TCP h",
            "SIP/2.0/UDP h:65536",
            "SIP/2.0/UDP h:x",
            "SIP/2.0/UDP [::1::2]",
            "SIP/2.0/UDP 2001:db8::9:1",
            "SIP/2.0/UDP h;;",
            "SIP/2.0/UDP h, SIP/2.0/UDP i",
        ):
            self.assertRaises(BadHeader, parseVia, text)


class CSeqTests(SynchronousTestCase):
    """
    L{parseCSeq}.
    """

    def test_number(self) -> None:
        """
        Leading zeros and blanks do not count; the method keeps its case.
        """
        self.assertEqual(parseCSeq(" 0009 \t INVITE "), CSeq(9, "INVITE"))
        self.assertEqual(str(parseCSeq("0 invite")), "0 invite")
        self.assertEqual(parseCSeq(f"{2**32 - 1} BYE").number, 2**32 - 1)

    def test_bad(self) -> None:
        """
        2**32 and above are refused (RFC 4475 sections 3.1.2.4 and 3.1.2.5), and
        so is what is no CSeq.
        """
        for text in (
            str(2**32) + " BYE",
            "36893488147419103232 REGISTER",
            "9" * 5000 + " BYE",
            "",
            "1",
            "BYE",
            "-1 BYE",
            "1BYE",
            "1 BYE x",
            "\u0661 BYE",
        ):
            self.assertRaises(BadHeader, parseCSeq, text)


class HostileTests(SynchronousTestCase):
    """
    A peer chooses the text.
    """

    parsers: tuple[Callable[[str], object], ...] = (parseNameAddr, parseVia, parseCSeq)

    @PROPERTY
    @given(
        st.text(alphabet='ab1 ;=,:"\\<>@[]\t/é\udc80'),
        st.sampled_from(["", "<sip:h>", "SIP/2.0/UDP h"]),
    )
    def test_anyText(self, text: str, start: str) -> None:
        """
        Only L{BadHeader} comes out, and what is read is written so that it
        reads the same.
        """
        for parse in self.parsers:
            try:
                value = parse(start + text)
            except BadHeader:
                continue
            self.assertEqual(parse(str(value)), value)
