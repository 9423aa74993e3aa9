"""
Tests of L{siprec.pem}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from twisted.trial.unittest import SynchronousTestCase

from siprec.pem import readCertificates, readPrivateKey
from tests.store.certificates import makeCertificates

_DAMAGED = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


class PEMTests(SynchronousTestCase):
    """
    What is in a file is read, and what is wrong with it is told by its name.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        makeCertificates(str(self.folder))

    def content(self, name: str) -> bytes:
        """
        @return: what is in a file of the folder.
        """
        return (self.folder / name).read_bytes()

    def write(self, data: bytes) -> str:
        """
        @return: the path of a file with this in it.
        """
        path = self.folder / "written.pem"
        path.write_bytes(data)
        return str(path)

    def test_certificates(self) -> None:
        """
        All certificates of a file come in their order, whatever else is in it.
        """
        parts = [b"a comment\n", *map(self.content, ("server.pem", "server.key", "ca.pem"))]
        found = readCertificates(self.write(b"".join(parts)))
        self.assertEqual([each.get_subject().CN for each in found], ["server", "authority"])

    def test_noCertificate(self) -> None:
        """
        A file without any is refused, and so is one of which not all can be read.
        """
        for data, why in (
            (b"", "has no certificate in PEM form"),
            (self.content("server.key"), "has no certificate in PEM form"),
            (_DAMAGED, "has a damaged certificate"),
            (self.content("ca.pem") + _DAMAGED, "has a damaged certificate"),
        ):
            path = self.write(data)
            error = self.assertRaises(ValueError, readCertificates, path)
            self.assertEqual(str(error), f"{path} {why}")

    def test_privateKey(self) -> None:
        """
        The key is found beside certificates, too.
        """
        path = self.write(self.content("server.pem") + self.content("server.key"))
        (certificate,) = readCertificates(path)
        public = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        key: Any = readPrivateKey(path).to_cryptography_key()
        self.assertEqual(
            key.public_key().public_bytes(*public),
            certificate.to_cryptography().public_key().public_bytes(*public),
        )

    def test_noPrivateKey(self) -> None:
        """
        A file without a key, or with one that needs a passphrase, is refused; nobody is
        asked for it at the terminal.
        """
        key = serialization.load_pem_private_key(self.content("server.key"), password=None)
        locked = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
        for data in (b"", self.content("server.pem"), locked):
            path = self.write(data)
            error = self.assertRaises(ValueError, readPrivateKey, path)
            self.assertIn(f"{path} has no private key", str(error))

    def test_noFile(self) -> None:
        """
        A file that cannot be read is an C{OSError} that names it.
        """
        path = str(self.folder / "none")
        for read in (readCertificates, readPrivateKey):
            self.assertIn(path, str(self.assertRaises(OSError, read, path)))
