"""
Tests of L{siprec.sip.identity}.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.identity import identifies, identities
from tests.sip.authority import Authority, alternatives


class IdentityTests(SynchronousTestCase):
    """
    Who a certificate is of.
    """

    def setUp(self) -> None:
        self.authority = Authority(Path(self.mktemp()))

    def signed(
        self, names: Sequence[x509.GeneralName] = (), common: str = "cn.example.com"
    ) -> x509.Certificate:
        """
        @return: a certificate.
        """
        return self.authority.sign(names, common=common)[0]

    def test_D2_uriFirst(self) -> None:
        """
        SIP URIs without a user come before DNS names; any other URI counts for
        nothing (RFC 5922 section 7.1).
        """
        names = alternatives(
            uris=["sip:A.example.com", "sips:b.example.com:5061", "sip:user@c.example.com"],
            names=["d.example.com"],
        )
        self.assertEqual(identities(self.signed(names)), ("a.example.com", "b.example.com"))
        names = alternatives(
            uris=["https://a.example.com", "sip:user@b.example.com", "sip:"],
            names=["D.example.com."],
        )
        self.assertEqual(identities(self.signed(names)), ("d.example.com",))

    def test_D2_commonName(self) -> None:
        """
        The common name counts only where there is no alternative name at all.
        """
        self.assertEqual(identities(self.signed()), ("cn.example.com",))
        self.assertEqual(identities(self.signed(alternatives(addresses=["192.0.2.7"]))), ())
        self.assertEqual(identities(self.signed(alternatives(uris=["sip:u@x.example"]))), ())

    def test_D2_noWildcards(self) -> None:
        """
        A wildcard is nobody, and nothing matches by its end (RFC 5922 section
        7.2).
        """
        names = alternatives(names=["*.example.com", "example.com"])
        self.assertEqual(identities(self.signed(names)), ("example.com",))
        self.assertFalse(identifies(self.signed(names), "sip.example.com"))
        self.assertEqual(identities(self.signed(common="*.example.com")), ())

    def test_identifies(self) -> None:
        """
        A host is compared without regard to case or a last dot; other names
        that it may have count as well.
        """
        certificate = self.signed(alternatives(uris=["sip:sbc.example.com"]))
        self.assertTrue(identifies(certificate, "SBC.example.com."))
        self.assertFalse(identifies(certificate, "192.0.2.7"))
        self.assertTrue(identifies(certificate, "192.0.2.7", ["sbc.example.com"]))
        self.assertFalse(identifies(certificate, "192.0.2.7", ["other.example.com"]))

    def test_addresses(self) -> None:
        """
        A certificate may name an IP address.
        """
        certificate = self.signed(alternatives(addresses=["192.0.2.7", "2001:db8::1"]))
        self.assertTrue(identifies(certificate, "192.0.2.7"))
        self.assertTrue(identifies(certificate, "[2001:DB8:0::1]"))
        self.assertFalse(identifies(certificate, "192.0.2.8"))
        self.assertFalse(identifies(self.signed(), "192.0.2.7"))
        # As a name it would be no address.
        self.assertFalse(identifies(certificate, "sbc.example.com"))

    def test_broken(self) -> None:
        """
        An extension that cannot be read is of nobody.
        """
        extension = x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, b"\x30\x05junk")
        signed = self.authority.sign(common="x.example.com", odd=extension)[0]
        self.assertEqual(identities(signed), ())
        self.assertFalse(identifies(signed, "192.0.2.7"))
