"""
Tests of L{siprec.sip.uri}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.errors import BadURI
from siprec.sip.uri import OtherURI, SipURI, TelURI, parseHost, parseURI
from tests.sip.vectors import PROPERTY


def sip(text: str) -> SipURI:
    """
    Parse what must be a SIP URI.
    """
    uri = parseURI(text)
    assert isinstance(uri, SipURI)
    return uri


class ParseTests(SynchronousTestCase):
    """
    L{parseURI}.
    """

    def test_everything(self) -> None:
        """
        A SIP URI has user, password, host, port, parameters and headers (RFC
        3261 section 19.1.1), and is written as it was read.
        """
        text = "sips:alice:secret@atlanta.com:5061;transport=tcp;lr?subject=x%20y&priority=urgent"
        uri = sip(text)
        self.assertEqual((uri.scheme, uri.user, uri.password), ("sips", "alice", "secret"))
        self.assertEqual((uri.host, uri.port), ("atlanta.com", 5061))
        self.assertEqual(uri.params, (("transport", "tcp"), ("lr", None)))
        self.assertEqual(uri.headers, (("subject", "x%20y"), ("priority", "urgent")))
        self.assertEqual(str(uri), text)

    def test_hostOnly(self) -> None:
        """
        Host alone is a URI; without C{@} there is no user.
        """
        self.assertEqual(sip("SIP:gw.example.com"), SipURI("sip", "gw.example.com"))
        self.assertEqual(str(sip("sip:@h")), "sip:@h")

    def test_userMayLookLikeAnything(self) -> None:
        """
        A user part may hold what elsewhere ends it (RFC 4475 sections 3.1.1.2
        and 3.1.1.9): whatever stands before the C{@} belongs to the user.
        """
        uri = sip("sip:user;par=u%40example.net@example.com")
        self.assertEqual((uri.user, uri.params), ("user;par=u%40example.net", ()))
        uri = sip("sip:1_odd.~(to-be!)&it+$/crazy?,/;;*:&weird!*pas$wo~d@example.com")
        self.assertEqual(uri.user, "1_odd.~(to-be!)&it+$/crazy?,/;;*")
        self.assertEqual((uri.password, uri.host), ("&weird!*pas$wo~d", "example.com"))

    def test_fieldUsers(self) -> None:
        """
        Users with C{#}, UTF-8 or bytes that are not UTF-8 are seen in the
        field, and kept.
        """
        for user in ("#31#4930", "jörg", "caf\udce9"):
            self.assertEqual(str(sip(f"sip:{user}@h")), f"sip:{user}@h")

    def test_ipv6(self) -> None:
        """
        An IPv6 address stands in brackets, which are no part of the host (RFC
        5118 sections 4.1 to 4.4).
        """
        uri = sip("sip:[2001:db8::10]:5070")
        self.assertEqual((uri.host, uri.port), ("2001:db8::10", 5070))
        self.assertEqual(str(uri), "sip:[2001:db8::10]:5070")
        self.assertEqual(sip("sip:[2001:db8::10:5070]").port, None)
        self.assertEqual(sip("sip:[::ffff:192.0.2.1]").host, "::ffff:192.0.2.1")

    def test_threeColons(self) -> None:
        """
        An ABNF error once allowed C{:::}; it is read as C{::} (RFC 5118
        section 4.10).
        """
        self.assertEqual(parseHost("[2001:db8:::192.0.2.1]"), "2001:db8::192.0.2.1")

    def test_A2_featureTagInTheURI(self) -> None:
        """
        Some SRCs put C{+sip.src} or C{src} inside the URI, where it can be
        found as a URI parameter.
        """
        uri = sip("sip:192.0.2.7:5060;transport=tcp;+sip.src")
        self.assertTrue(uri.hasParam("+SIP.SRC"))
        self.assertFalse(uri.hasParam("src"))
        self.assertEqual((uri.param("Transport"), uri.param("+sip.src")), ("tcp", None))
        self.assertIsNone(uri.param("maddr"))

    def test_straySeparators(self) -> None:
        """
        An empty URI parameter is passed over.
        """
        self.assertEqual(sip("sip:h;;lr;").params, (("lr", None),))

    def test_tel(self) -> None:
        """
        A tel URI keeps its visual separators and parameters (RFC 3966).
        """
        uri = parseURI("TEL:+1-201-555-0123;phone-context=example.com;isub")
        params = (("phone-context", "example.com"), ("isub", None))
        self.assertEqual(uri, TelURI("+1-201-555-0123", params))
        self.assertEqual(str(uri), "tel:+1-201-555-0123;phone-context=example.com;isub")
        self.assertEqual(str(parseURI("tel:110")), "tel:110")

    def test_other(self) -> None:
        """
        A URI of any other scheme is kept as it is: what is unknown is not bad
        (RFC 4475 sections 3.3.2 to 3.3.4).
        """
        for text in ("nobodyKnows:totallyopaque", "soap.beep://192.0.2.103:3002", "isbn:29837"):
            uri = parseURI(text)
            self.assertIsInstance(uri, OtherURI)
            self.assertEqual(str(uri), text)

    def test_bad(self) -> None:
        """
        What is no URI is refused, with L{BadURI}.
        """
        for text in (
            "",
            "sip",
            "sip:",
            ":x",
            "1a:x",
            "<sip:user@example.com>",
            "sip:user@example.com; lr",
            " sip:user@example.com",
            "sip:user@exa mple.com",
            'sip:"user"@example.com',
            "sip:user@",
            "sip:user@h:",
            "sip:user@h:5060x",
            "sip:user@h:65536",
            "sip:user@h:123456",
            "sip:2001:db8::10",
            "sip:[2001:db8::10",
            "sip:[::1::]",
            "sip:[127.0.0.1]",
            "sip:h;=x",
            "tel:",
            "tel:;ext=1",
        ):
            self.assertRaises(BadURI, parseURI, text)

    @PROPERTY
    @given(st.text(max_size=60))
    def test_anyText(self, text: str) -> None:
        """
        Any text is a URI that is written as it was read, but for stray
        separators and the case of the scheme, or it is a L{BadURI}.
        """
        for candidate in (text, f"sip:{text}", f"sip:u@{text}", f"tel:{text}"):
            try:
                uri = parseURI(candidate)
            except BadURI:
                continue
            self.assertEqual(parseURI(str(uri)), uri)


class MatchTests(SynchronousTestCase):
    """
    L{SipURI.matches} (RFC 3261 section 19.1.4).
    """

    def match(self, one: str, other: str) -> bool:
        """
        Compare both ways.
        """
        result = sip(one).matches(parseURI(other))
        self.assertEqual(sip(other).matches(parseURI(one)), result)
        return result

    def test_equivalent(self) -> None:
        """
        The pairs that the RFC calls equivalent match.
        """
        for one, other in (
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
            ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            ("sip:a%2cb@h", "sip:a%2Cb@h"),
        ):
            self.assertTrue(self.match(one, other), (one, other))

    def test_different(self) -> None:
        """
        The pairs that the RFC calls different do not match.
        """
        for one, other in (
            ("sip:alice@h", "sip:Alice@h"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
            ("sip:bob@biloxi.com", "sip:bob:pw@biloxi.com"),
            ("sip:bob@biloxi.com", "sip:biloxi.com"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
            ("sip:h;maddr=192.0.2.1", "sip:h"),
            ("sip:a%2cb@h", "sip:a,b@h"),
            ("sip:a%2541@h", "sip:a%41@h"),
        ):
            self.assertFalse(self.match(one, other), (one, other))

    def test_otherKind(self) -> None:
        """
        Only a SIP URI matches a SIP URI.
        """
        self.assertFalse(sip("sip:110@h").matches(parseURI("tel:110")))
