"""
Tests for L{siprec.uas.admission}.
"""

from __future__ import annotations

from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.headers import Headers
from siprec.sip.message import Request
from siprec.uas.admission import (
    ALLOW,
    Admission,
    Profile,
    Refusal,
    checkAccept,
    checkHeaders,
    checkMethod,
    readInvite,
    recognise,
)
from siprec.uas.bodies import Bodies, readBodies
from tests.uas.kit import METADATA, ONE, TWO, offer

SDP = Headers([("Content-Type", "application/sdp")])
OFFER = readBodies(SDP, offer(ONE, TWO))
TALK = readBodies(SDP, offer(ONE, TWO).replace(b"sendonly", b"sendrecv"))
DOCUMENT = readBodies(Headers([("Content-Type", "application/rs-metadata")]), METADATA)


def request(*headers: tuple[str, str], method: str = "INVITE", uri: str = "sip:srs@h") -> Request:
    """
    @return: a request with these headers and no others.
    """
    return Request(method, uri, Headers(headers))


class RecogniseTests(SynchronousTestCase):
    """
    Does an INVITE ask for a recording (CONFORMANCE A1 to A3)?
    """

    def _rule(
        self, profile: Profile, *headers: tuple[str, str], bodies: Bodies = TALK
    ) -> str | None:
        found = recognise(request(*headers), bodies, profile)
        if isinstance(found, Admission):
            return found.rule
        self.assertEqual(found.status, 403)
        return None

    def test_A1_strict(self) -> None:
        """
        C{strict} admits only what has both the feature tag and the option tag.
        """
        contact, option = ("Contact", "<sip:a>;+sip.src"), ("Require", "siprec")
        self.assertEqual(self._rule("strict", contact, option), "sip.src and siprec")
        self.assertEqual(
            self._rule("strict", contact, ("Supported", "timer, SIPREC")), "sip.src and siprec"
        )
        self.assertIsNone(self._rule("strict", contact, bodies=DOCUMENT))
        self.assertIsNone(self._rule("strict", option, bodies=DOCUMENT))
        self.assertIsNone(self._rule("strict", ("Contact", "<sip:a>;src"), option))

    def test_A5_boolean(self) -> None:
        """
        The feature tag is there, with whatever value it has (RFC 3840 section
        9); another one that begins like it is another.
        """
        option = ("Require", "siprec")
        for value in ("", '="TRUE"', "=TRUE", '=""', ' ; expires="3600"'):
            contact = ("Contact", f"<sip:a>;+sip.src{value}")
            self.assertEqual(self._rule("strict", contact, option), "sip.src and siprec", value)
        for name in ("+sip.srcs", "+sip.srs", "x+sip.src"):
            self.assertIsNone(self._rule("strict", ("Contact", f"<sip:a>;{name}"), option), name)

    def test_D2_sips_strict(self) -> None:
        """
        C{strict} takes no INVITE to a SIPS URI that has come another way than
        over TLS.
        """
        headers = (("Contact", "<sip:a>;+sip.src"), ("Require", "siprec"))
        for transport, profile, status in (
            ("UDP", "strict", 480),
            ("TCP", "strict", 480),
            ("TLS", "strict", None),
            ("UDP", "lenient", None),
        ):
            via = ("Via", f"SIP/2.0/{transport} h;branch=z9hG4bK1")
            found = readInvite(request(via, *headers, uri="sips:srs@h"), cast(Profile, profile))
            self.assertEqual(found.status if isinstance(found, Refusal) else None, status)

    def test_A2_places(self) -> None:
        """
        The feature tag is found where clients put it: behind the URI, in it,
        with a value, in a compact header, and where the C{>} is missing.
        """
        for contact in (
            "<sip:a@h>;+sip.src",
            "<sip:a@h> ; +sip.src",
            "<sip:h:5060;transport=tcp;+sip.src>",
            '<sip:a@h>;+SIP.SRC="TRUE"',
            "<sip:a@h>;+sip.src;audio",
            "<sip:a@h;+sip.src",
            "sip:a@h;+sip.src",
        ):
            self.assertEqual(self._rule("lenient", ("m", contact)), "sip.src", contact)

    def test_A2_notOurs(self) -> None:
        """
        What only looks like the tag is none.
        """
        for contact in ("<sip:a>;+sip.srs", "<sip:a>;+sip.srcx", "<sip:src@h>", "<sip:a>;srcs=1"):
            self.assertIsNone(self._rule("lenient", ("Contact", contact)), contact)

    def test_A3_rules(self) -> None:
        """
        C{lenient} admits by any one sign, and says by which.
        """
        self.assertEqual(self._rule("lenient", ("Require", "siprec")), "Require: siprec")
        self.assertEqual(self._rule("lenient", ("k", "timer,siprec")), "Supported: siprec")
        self.assertEqual(self._rule("lenient", ("Contact", "<sip:a>;src")), "src")
        self.assertEqual(self._rule("lenient", bodies=DOCUMENT), "metadata")
        self.assertIsNone(self._rule("lenient", bodies=OFFER))

    def test_A3_legacy(self) -> None:
        """
        C{legacy} also admits a client that only sends; not one that talks.
        """
        self.assertEqual(self._rule("legacy", bodies=OFFER), "sendonly")
        self.assertIsNone(self._rule("legacy", bodies=TALK))
        self.assertIsNone(self._rule("legacy", bodies=Bodies()))


class CheckTests(SynchronousTestCase):
    """
    RFC 3261 section 8.2.
    """

    def test_method(self) -> None:
        """
        405 for a known method, 501 for any other, both with Allow; methods
        compare with regard to case.
        """
        self.assertIsNone(checkMethod(request()))
        for method, status in (("REGISTER", 405), ("invite", 501), ("NEW", 501)):
            refusal = checkMethod(request(method=method))
            assert isinstance(refusal, Refusal)
            self.assertEqual((refusal.status, refusal.headers), (status, (("Allow", ALLOW),)))

    def test_scheme(self) -> None:
        """
        416 for what is neither sip nor sips, 400 for what is no URI.
        """
        for uri, status in (("tel:1", 416), ("http://h/", 416), ("sip:a@", 400)):
            refusal = checkHeaders(request(uri=uri))
            assert refusal is not None, uri
            self.assertEqual(refusal.status, status)
        self.assertIsNone(checkHeaders(request(uri="sips:h")))

    def test_A6_require(self) -> None:
        """
        420 names only what is unknown, as it was written.
        """
        known = ("Require", "SIPREC, timer"), ("Require", "record-aware")
        self.assertIsNone(checkHeaders(request(*known)))
        refusal = checkHeaders(request(*known, ("Require", "Foo, precondition")))
        assert refusal is not None
        self.assertEqual(
            (refusal.status, refusal.headers), (420, (("Unsupported", "Foo, precondition"),))
        )

    def test_accept(self) -> None:
        """
        406 only for who says what it accepts, and SDP is not among it.
        """
        for accepted in (
            "application/sdp",
            "text/x, Application/SDP;q=0.5",
            "*/*",
            "application/*",
            "",
        ):
            self.assertIsNone(checkAccept(request(("Accept", accepted))), accepted)
        self.assertIsNone(checkAccept(request()))
        refusal = checkAccept(request(("Accept", "text/plain")))
        assert refusal is not None
        self.assertEqual(refusal.status, 406)


class ReadInviteTests(SynchronousTestCase):
    """
    A first INVITE as a whole.
    """

    def _read(self, *headers: tuple[str, str], body: bytes = b"") -> tuple[str, int] | int:
        asked = Request("INVITE", "sip:srs@h", Headers(headers), body)
        found = readInvite(asked, "lenient")
        if isinstance(found, Refusal):
            return found.status
        admission, bodies = found
        media = () if bodies.description is None else bodies.description.media
        return admission.rule, len(media)

    def test_order(self) -> None:
        """
        What is in it is looked at before what it accepts, and that before the
        question whether it asks for a recording (RFC 3261 section 8.2).
        """
        kind, option = ("Content-Type", "application/sdp"), ("Require", "siprec")
        other, accept = ("Content-Type", "text/plain"), ("Accept", "text/plain")
        self.assertEqual(self._read(other, accept, body=b"x"), 415)
        self.assertEqual(self._read(kind, accept, body=offer(ONE, TWO)), 406)
        talk = offer(ONE, TWO).replace(b"sendonly", b"sendrecv")
        self.assertEqual(self._read(kind, body=talk), 403)
        self.assertEqual(self._read(kind, option, body=talk), ("Require: siprec", 2))
