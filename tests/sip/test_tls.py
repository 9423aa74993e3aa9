"""
Tests of L{siprec.sip.tls}.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

from cryptography import x509
from OpenSSL import SSL
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
)
from twisted.internet.ssl import platformTrust
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.sip import tls as module
from siprec.sip.tls import SipTLS, TLSFiles
from tests.sip.authority import Authority, alternatives


def shake(client: SSL.Connection, server: SSL.Connection) -> None:
    """
    Let two ends of a connection agree.

    @raise SSL.Error: they do not.
    """
    client.set_connect_state()
    server.set_accept_state()
    for _ in range(8):
        for one, other in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                one.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(one.bio_read(65536))
    # A server learns of a refusal only when it reads (RFC 8446 section 4.4.2.4).
    for each in (client, server):
        with contextlib.suppress(SSL.WantReadError):
            each.recv(1)


class TLSTests(SynchronousTestCase):
    """
    Files become connections.
    """

    def setUp(self) -> None:
        self.ours = Authority(Path(self.mktemp()))
        self.theirs = Authority(Path(self.mktemp()), "others")
        self.names = alternatives(names=["srs.example.com"])
        self.certificate = self.ours.issue("srs.pem", self.names)
        self.tls = SipTLS(TLSFiles(self.certificate, "", self.ours.path))
        self.protocol: Any = None

    def connect(self, near: SipTLS, far: SipTLS, server: Any = None) -> SSL.Connection:
        """
        @return: the client's end of a connection.
        @raise SSL.Error: one side refuses the other.
        """
        client = near.client("srs.example.com").clientConnectionForTLS(self.protocol)
        accepted = (server or far.server()).serverConnectionForTLS(self.protocol)
        shake(client, accepted)
        return client

    def peer(self, authority: Authority, file: str = "peer.pem", hours: float = 24) -> SipTLS:
        """
        @return: a peer with a certificate of this authority.
        """
        certificate = authority.issue(file, hours=hours)
        return SipTLS(TLSFiles(certificate, "", self.ours.path))

    def test_interfaces(self) -> None:
        """
        Both ends are what Twisted's TLS wants.
        """
        verifyObject(IOpenSSLServerConnectionCreator, self.tls.server())
        verifyObject(IOpenSSLClientConnectionCreator, self.tls.client("x"))

    def test_D2_mutual(self) -> None:
        """
        With an authority, both sides show certificates that it has signed.
        """
        client = self.connect(self.peer(self.ours), self.tls)
        shown = client.get_peer_certificate()
        assert shown is not None
        self.assertTrue(self.tls.accepts(shown.to_cryptography(), "srs.example.com"))
        self.assertFalse(self.tls.accepts(shown.to_cryptography(), "192.0.2.9"))
        self.tls.aliases = lambda host: ["srs.example.com"]
        self.assertTrue(self.tls.accepts(shown.to_cryptography(), "192.0.2.9"))

    def test_A60_wrongCertificates(self) -> None:
        """
        A peer without a certificate, with one of another authority or with one
        that has expired is not let in.
        """
        none = SipTLS(TLSFiles("", "", self.ours.path))
        expired = self.peer(self.ours, "old.pem", hours=-1)
        for near in (none, self.peer(self.theirs), expired):
            self.assertRaises(SSL.Error, self.connect, near, self.tls)

    def test_D2_usage(self) -> None:
        """
        A certificate that names what it may be used for has to name what it is
        used for here (RFC 5280 section 4.2.1.12); that it is of a SIP domain
        besides does no harm (RFC 5924).
        """
        domain = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.20")
        usage = x509.oid.ExtendedKeyUsageOID
        for number, (usages, good) in enumerate(
            (
                ([usage.CLIENT_AUTH], True),
                ([usage.CLIENT_AUTH, domain], True),
                ([usage.CODE_SIGNING], False),
                ([usage.SERVER_AUTH], False),
            )
        ):
            path = self.ours.issue(f"{number}.pem", odd=x509.ExtendedKeyUsage(usages))
            near = SipTLS(TLSFiles(path, "", self.ours.path))
            if good:
                self.connect(near, self.tls)
            else:
                self.assertRaises(SSL.Error, self.connect, near, self.tls)

    def test_optional(self) -> None:
        """
        If a certificate is not required, none is as good as a good one, but a
        bad one is not.
        """
        far = SipTLS(TLSFiles(self.certificate, "", self.ours.path, required=False))
        self.connect(SipTLS(TLSFiles("", "", self.ours.path)), far)
        self.connect(self.peer(self.ours), far)
        self.assertRaises(SSL.Error, self.connect, self.peer(self.theirs), far)

    def test_notAsked(self) -> None:
        """
        Without an authority no peer is asked for a certificate.
        """
        far = SipTLS(TLSFiles(self.certificate))
        self.connect(self.peer(self.theirs), far)

    def test_wrongServer(self) -> None:
        """
        Nor do we speak with a server of another authority; without one of our
        own, the system's are those that count.
        """
        far = SipTLS(TLSFiles(self.theirs.issue("far.pem", self.names), "", self.ours.path))
        self.assertRaises(SSL.Error, self.connect, self.tls, far)
        self.assertRaises(SSL.Error, self.connect, SipTLS(TLSFiles()), self.tls)

    def test_A60_versions(self) -> None:
        """
        TLS 1.2 and 1.3 are spoken, nothing below.
        """
        versions = []
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            creator = self.peer(self.ours).client("srs.example.com")
            context = creator.options.getContext()  # type: ignore[attr-defined]
            context.set_max_proto_version(version)
            client = creator.clientConnectionForTLS(self.protocol)
            shake(client, self.tls.server().serverConnectionForTLS(self.protocol))
            versions.append(client.get_protocol_version_name())
        self.assertEqual(versions, ["TLSv1.2", "TLSv1.3"])
        for flag in (SSL.OP_NO_SSLv3, SSL.OP_NO_TLSv1, SSL.OP_NO_TLSv1_1):
            self.assertTrue(self.tls.server().options._options & flag)  # type: ignore[attr-defined]

    def test_serverName(self) -> None:
        """
        A host's name is sent, an address is not (RFC 6066 section 3).
        """
        client = self.tls.client("srs.example.com").clientConnectionForTLS(self.protocol)
        self.assertEqual(client.get_servername(), b"srs.example.com")
        client = self.tls.client("192.0.2.9").clientConnectionForTLS(self.protocol)
        self.assertIsNone(client.get_servername())

    def test_readAgain(self) -> None:
        """
        New files go for new connections of the same listener.
        """
        server = self.tls.server()
        before = self.connect(self.peer(self.ours), self.tls, server)
        newer = self.ours.issue("newer.pem", alternatives(names=["new.example.com"]), hours=12)
        expires = self.tls.expires
        self.tls.use(TLSFiles(newer, "", self.ours.path))
        after = self.connect(self.peer(self.ours), self.tls, server)
        certificates = [each.get_peer_certificate() for each in (before, after)]
        self.assertNotEqual(*(each and each.get_serial_number() for each in certificates))
        assert expires is not None and self.tls.expires is not None
        now = time.time()
        self.assertLess(abs(expires - now - 24 * 3600), 60)
        self.assertLess(abs(self.tls.expires - now - 12 * 3600), 60)

    def test_badFiles(self) -> None:
        """
        Files that cannot be used are named, and change nothing.
        """
        server: Any = self.tls.server()
        options = server.options
        junk, broken = (self.ours.folder / name for name in ("junk.pem", "broken.pem"))
        junk.write_bytes(b"junk")
        broken.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        other = self.ours.issue("other.pem")
        for files, name in (
            (TLSFiles("/nonexistent"), "/nonexistent"),
            (TLSFiles(str(junk)), "junk.pem"),
            (TLSFiles(str(broken)), "broken.pem"),
            (TLSFiles(self.ours.path), "no private key"),
            (TLSFiles(self.certificate, other), "other.pem is not that of"),
            (TLSFiles(self.certificate, "", str(junk)), "junk.pem"),
            (TLSFiles(), "sip.tls_certificate is empty"),
        ):
            error = self.assertRaises(OSError, self.tls.use, files)
            self.assertIn(name, str(error))
            self.assertIs(server.options, options)

    def test_noFiles(self) -> None:
        """
        Where no file is named, whom the system trusts is not looked up before somebody is
        connected to.
        """
        looked: list[object] = []

        def trust() -> Any:
            looked.append(platformTrust())
            return looked[-1]

        self.patch(module, "platformTrust", trust)
        tls = SipTLS()
        tls.use(TLSFiles())
        self.assertEqual(looked, [])
        for _ in range(2):
            tls.client("srs.example.com")
            self.assertEqual(len(looked), 1)

    def test_own(self) -> None:
        """
        A listener may have a certificate of its own, which is read again too.
        """
        tls = SipTLS()
        self.assertIsNone(tls.expires)
        own = self.ours.issue("own.pem", self.names)
        server: Any = tls.server(own)
        options = server.options
        tls.use(TLSFiles())
        self.assertIsNot(server.options, options)
        self.assertRaises(OSError, tls.server)

    def test_chain(self) -> None:
        """
        Certificates behind ours in its file are sent along.
        """
        path = Path(self.certificate)
        path.write_bytes(path.read_bytes() + Path(self.ours.path).read_bytes())
        server: Any = SipTLS(TLSFiles(str(path))).server()
        self.assertEqual(len(server.options.extraCertChain), 1)
