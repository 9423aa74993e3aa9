"""
Tests of L{siprec.cluster.tls}.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL
from twisted.internet.defer import Deferred

from siprec.cluster.errors import Unreachable
from siprec.cluster.links import ClusterLinks, Liveness
from siprec.cluster.tls import ClusterTLS, loadClusterTLS
from tests.cluster.nodes import A, B, NodesCase
from tests.store.certificates import makeCertificates


class TLSTests(NodesCase):
    """
    Certificates of one cluster, and of another.
    """

    def setUp(self) -> None:
        super().setUp()
        self.folder, self.other = (Path(self.mktemp()) for _ in range(2))
        for folder in (self.folder, self.other):
            folder.mkdir(parents=True)
            makeCertificates(str(folder))

    def load(self, folder: Path, authority: Path | None = None) -> ClusterTLS:
        """
        @return: the settings with this certificate and that authority.
        """
        names = [folder / "server.pem", folder / "server.key", (authority or folder) / "ca.pem"]
        return loadClusterTLS(*map(str, names))

    def pair(self, near: ClusterTLS | None, far: ClusterTLS | None) -> ClusterLinks:
        """
        @return: the first of two nodes that run.
        """
        b = self.start(B, tls=far)
        b.handle("echo", lambda peer, body: body)
        return self.start(A, tls=near)

    def ask(self, links: ClusterLinks) -> Deferred[object]:
        """
        @return: the answer of C{B}, if there is one.
        """
        asked = links.request(B, "echo", b"x" * 200_000)
        self.network.pass_(1)
        return asked

    def test_good(self) -> None:
        """
        Two nodes of one authority speak by TLS.
        """
        a = self.pair(self.load(self.folder), self.load(self.folder))
        self.assertEqual(self.successResultOf(self.ask(a)), b"x" * 200_000)
        # Handshake of TLS; not the greeting.
        self.assertEqual(self.network.connections[0][0].value()[:1], b"\x16")
        self.assertNotIn(b"siprec", self.network.connections[0][1].value())
        probing = a.probe(self.leases[B], 1)
        self.network.pass_(1)
        self.assertIs(self.successResultOf(probing), Liveness.ALIVE)

    def test_badServer(self) -> None:
        """
        A node does not speak with one whose certificate another authority signed.
        """
        a = self.pair(self.load(self.folder), self.load(self.other, self.folder))
        self.failureResultOf(self.ask(a), Unreachable)

    def test_badClient(self) -> None:
        """
        Nor does the listening one with such a node that connects.
        """
        a = self.pair(self.load(self.other, self.folder), self.load(self.folder))
        self.failureResultOf(self.ask(a), Unreachable)

    def test_plain(self) -> None:
        """
        Without TLS nobody reaches a node that wants it, nor the other way.
        """
        a = self.pair(None, self.load(self.folder))
        asked = self.ask(a)
        self.network.pass_(2)
        self.failureResultOf(asked, Unreachable)
        for node in self.links:
            self.successResultOf(self.stopped(node))
        a = self.pair(self.load(self.folder), None)
        asked = self.ask(a)
        self.network.pass_(2)
        self.failureResultOf(asked, Unreachable)

    def test_versions(self) -> None:
        """
        Nothing below TLS 1.2 is spoken.
        """
        made = self.load(self.folder)
        for options in (made.server, made.client):
            for flag in (SSL.OP_NO_SSLv3, SSL.OP_NO_TLSv1, SSL.OP_NO_TLSv1_1):
                self.assertTrue(options._options & flag)

    def test_chain(self) -> None:
        """
        Certificates between ours and the authority are sent along.
        """
        chain = self.folder / "chain.pem"
        authority = (self.folder / "ca.pem").read_bytes()
        chain.write_bytes((self.folder / "server.pem").read_bytes() + authority)
        made = loadClusterTLS(
            str(chain), str(self.folder / "server.key"), str(self.folder / "ca.pem")
        )
        self.assertEqual(len(made.server.extraCertChain), 1)

    def test_files(self) -> None:
        """
        A file that is missing, or holds something else, is told by its name.
        """
        good = [str(self.folder / name) for name in ("server.pem", "server.key", "ca.pem")]
        empty, broken = self.folder / "empty", self.folder / "broken"
        empty.write_bytes(b"")
        broken.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        for index in range(3):
            for bad, error in (("none", OSError), ("empty", ValueError), ("broken", ValueError)):
                files = [*good]
                files[index] = str(self.folder / bad)
                raised = self.assertRaises(error, loadClusterTLS, *files)
                self.assertIn(files[index], str(raised))

    def test_passphrase(self) -> None:
        """
        A key with a passphrase is refused; nobody is asked for it at the terminal.
        """
        key = serialization.load_pem_private_key(
            (self.folder / "server.key").read_bytes(), password=None
        )
        locked = self.folder / "locked.key"
        locked.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"secret"),
            )
        )
        self.assertRaises(
            ValueError,
            *(loadClusterTLS, str(self.folder / "server.pem"), str(locked)),
            str(self.folder / "ca.pem"),
        )

    def test_otherKey(self) -> None:
        """
        The key of another certificate is refused at once.
        """
        files = [self.folder / "server.pem", self.other / "server.key", self.folder / "ca.pem"]
        error = self.assertRaises(ValueError, loadClusterTLS, *map(str, files))
        self.assertIn("is not that of", str(error))
