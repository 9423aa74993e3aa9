"""
Tests of L{siprec.cluster.credentials}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory

from siprec.cluster.credentials import Credentials
from siprec.cluster.errors import Unreachable
from siprec.cluster.handshake import effectiveKey
from siprec.cluster.links import ClusterLinks
from siprec.config import ClusterSettings, ConfigError
from tests.cluster.nodes import A, B, NodesCase
from tests.nodeparts import settingsFor
from tests.store.certificates import makeCertificates

KEY = b"k" * 32
OLD, NEW = b"old secret of the cluster", b"new secret of the cluster"


class CredentialsCase(NodesCase):
    """
    Files of a cluster.
    """

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)
        makeCertificates(str(self.folder))

    def secrets(self, *secrets: bytes, name: str = "secret") -> ClusterSettings:
        """
        @return: settings with a file that has these secrets.
        """
        path = self.folder / name
        path.write_bytes(b"".join(each + b"\n" for each in secrets))
        return settingsFor(str(self.folder), cluster__secret_file=str(path.absolute())).cluster

    def files(self) -> ClusterSettings:
        """
        @return: settings with the certificates of the folder.
        """
        absolute = self.folder.absolute()
        return settingsFor(
            str(self.folder),
            cluster__tls_certificate=str(absolute / "server.pem"),
            cluster__tls_key=str(absolute / "server.key"),
            cluster__tls_ca=str(absolute / "ca.pem"),
        ).cluster


class LoadTests(CredentialsCase):
    """
    What the files say.
    """

    def test_nothing(self) -> None:
        """
        Without files a node's key is all there is, and nothing is encrypted.
        """
        credentials = Credentials(KEY)
        credentials.load(settingsFor(str(self.folder)).cluster)
        self.assertEqual((credentials.own, credentials.of(b"other")), ((KEY,), b"other"))
        factory, clock = Factory(), Clock()
        self.assertIs(credentials.listening(factory, clock), factory)
        self.assertIs(credentials.connecting(factory, clock), factory)

    def test_secrets(self) -> None:
        """
        A node proves itself with the first secret, and takes all.
        """
        credentials = Credentials(KEY)
        credentials.load(self.secrets(NEW, OLD))
        self.assertEqual(credentials.own, (effectiveKey(KEY, NEW), effectiveKey(KEY, OLD)))
        self.assertEqual(credentials.of(b"other"), effectiveKey(b"other", NEW))

    def test_tls(self) -> None:
        """
        Certificates make connections ones with TLS, on the clock that is given.
        """
        credentials, factory, clock = Credentials(KEY), Factory(), Clock()
        credentials.load(self.files())
        for wrap in (credentials.listening, credentials.connecting):
            wrapped: Any = wrap(factory, clock)
            self.assertIsInstance(wrapped, TLSMemoryBIOFactory)
            self.assertIs(wrapped._clock, clock)

    def test_bad(self) -> None:
        """
        Where one file cannot be used, that is told by its key, and nothing changes.
        """
        credentials = Credentials(KEY)
        good = evolve(self.files(), secretFile=self.secrets(OLD).secretFile)
        credentials.load(good)
        tls = credentials.tls
        self.secrets(NEW)
        missing = str(self.folder / "none")
        for bad, key in (
            (evolve(good, secretFile=missing), "cluster.secret_file"),
            (evolve(good, tlsCertificate=missing), "cluster.tls_certificate"),
            (evolve(good, tlsKey=""), "cluster.tls_certificate"),
            (evolve(good, tlsCa=""), "cluster.tls_ca"),
        ):
            error = self.assertRaises(ConfigError, credentials.load, bad)
            self.assertIn(key, str(error))
            self.assertEqual(credentials.secrets, (OLD,))
            self.assertIs(credentials.tls, tls)


class RenewTests(CredentialsCase):
    """
    Nodes that run get other secrets or certificates.
    """

    def pair(self) -> list[ClusterLinks]:
        """
        @return: two nodes that run.
        """
        nodes = [self.start(node, secrets=(OLD,)) for node in (A, B)]
        nodes[1].handle("echo", lambda peer, body: body)
        return nodes

    def ask(self, links: ClusterLinks) -> object:
        """
        @return: the answer of C{B}; C{None} where it is not reached.
        """
        asked = links.request(B, "echo", "x")
        asked.addErrback(lambda failure: failure.trap(Unreachable) and None)
        self.network.pass_(1)
        return self.successResultOf(asked)

    def test_secret(self) -> None:
        """
        A new secret is first taken by all nodes, then used by all, and then the old
        one is forgotten: at no moment two of them do not reach each other.
        """
        a, b = self.pair()
        for step in ((OLD, NEW), (NEW, OLD), (NEW,)):
            for changed in (b, a):
                changed.credentials.load(self.secrets(*step))
                self.cut()
                self.assertEqual(self.ask(a), "x")
        self.assertEqual(b.counters["refused"], 0)
        a.credentials.load(self.secrets(OLD))
        self.assertEqual(self.ask(a), "x")  # by the connection that there is
        self.cut()
        self.assertIsNone(self.ask(a))

    def test_certificate(self) -> None:
        """
        A connection that is open goes on with the certificate of before; the next one
        shows the new one.
        """
        a = self.start(A)
        b = self.start(B)
        b.handle("echo", lambda peer, body: body)
        for each in (a, b):
            self.successResultOf(self.stopped(each))
            each.credentials.load(self.files())
            each.startService()
        self.assertEqual(self.ask(a), "x")
        first = self.shown(a)
        makeCertificates(str(self.folder))
        for each in (a, b):
            each.credentials.load(self.files())
        self.assertEqual(self.ask(a), "x")
        self.assertEqual(self.shown(a), first)
        self.cut()
        self.assertEqual(self.ask(a), "x")
        now = x509.load_pem_x509_certificate((self.folder / "server.pem").read_bytes())
        self.assertNotEqual(self.shown(a), first)
        self.assertEqual(self.shown(a), now.public_bytes(Encoding.DER))

    def shown(self, links: ClusterLinks) -> bytes:
        """
        @return: the certificate that C{B} has shown on the connection that is open.
        """
        (link,) = links._links
        certificate = link.transport.getPeerCertificate()
        return bytes(certificate.to_cryptography().public_bytes(Encoding.DER))
