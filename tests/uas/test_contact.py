"""
Tests for L{siprec.uas.contact}.
"""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from siprec.ids import newBranch
from siprec.sip.flow import Flow
from siprec.uas.contact import contactOf
from tests.uas.kit import PEER, RecorderTestCase, Src, offer


class ContactTests(SynchronousTestCase):
    """
    The value alone.
    """

    def test_transports(self) -> None:
        """
        Every transport but UDP is named.
        """
        place = ("192.0.2.1", 5060)
        self.assertEqual(contactOf(place, "UDP"), "<sip:192.0.2.1:5060>;+sip.srs")
        self.assertEqual(contactOf(place, "TCP"), "<sip:192.0.2.1:5060;transport=tcp>;+sip.srs")
        self.assertEqual(contactOf(place, "TCP", secure=True), contactOf(place, "TCP"))
        self.assertEqual(contactOf(place, "TLS", secure=True), "<sips:192.0.2.1:5060>;+sip.srs")


class AnsweredTests(RecorderTestCase):
    """
    What peers are told.
    """

    def test_IPv6(self) -> None:
        """
        An IPv6 address has brackets in the Contact.
        """
        self.src.flow = Flow("TLS", ("2001:db8::1", 5061), ("2001:db8::7", 40000), 3)
        contact = self.src.ask(self.src.make("OPTIONS")).headers.get("Contact")
        self.assertEqual(contact, "<sip:[2001:db8::1]:5061;transport=tls>;+sip.srs")

    def test_sips(self) -> None:
        """
        Who calls a SIPS URI over TLS gets one in our Contact (RFC 3261 section
        12.1.1); over anything else it could not be reached by that.
        """
        tls = Flow("TLS", ("192.0.2.1", 5061), (PEER, 40000), 3)
        for flow, expected in ((tls, "<sips:192.0.2.1:5061>"), (self.src.flow, "<sip:192.0.2.1:")):
            src = Src(self.house, flow, callID=newBranch())
            request = evolve(src.make("INVITE", body=(offer(), None)), uri="sips:srs@192.0.2.1")
            response = src.ask(request)
            self.assertTrue((response.headers.get("Contact") or "").startswith(expected))
            src.toTag = response.toTag
            src.bye()
