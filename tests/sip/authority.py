"""
An authority that signs certificates for tests of TLS, made anew each time.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from attrs import define, field
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["Authority", "alternatives"]


def alternatives(
    *, uris: Sequence[str] = (), names: Sequence[str] = (), addresses: Sequence[str] = ()
) -> list[x509.GeneralName]:
    """
    @return: the values of a subjectAltName.
    """
    return [
        *map(x509.UniformResourceIdentifier, uris),
        *map(x509.DNSName, names),
        *(x509.IPAddress(ipaddress.ip_address(each)) for each in addresses),
    ]


@define(eq=False)
class Authority:
    """
    @ivar path: the file of its own certificate.
    """

    folder: Path
    name: str = "authority"
    path: str = field(init=False)
    _key: ec.EllipticCurvePrivateKey = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(self.name, self._key.public_key(), 1)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        pem = builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        path = self.folder / f"{self.name}.pem"
        path.write_bytes(pem)
        self.path = str(path)

    def sign(
        self,
        names: Sequence[x509.GeneralName] = (),
        *,
        common: str = "peer",
        hours: float = 24,
        odd: x509.ExtensionType | None = None,
    ) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        """
        @param names: the alternative names; none: there is no such extension.
        @param common: the common name.
        @param hours: for which it is good; below 0: until when it was.
        @param odd: one more extension.
        @return: a certificate and its key.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(common, key.public_key(), hours)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        if odd is not None:
            builder = builder.add_extension(odd, False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        return builder.sign(self._key, hashes.SHA256()), key

    def issue(
        self,
        file: str,
        names: Sequence[x509.GeneralName] = (),
        *,
        common: str = "peer",
        hours: float = 24,
        odd: x509.ExtensionType | None = None,
    ) -> str:
        """
        As L{sign}, into a file.

        @return: its path; it has the certificate and the key.
        """
        certificate, key = self.sign(names, common=common, hours=hours, odd=odd)
        path = self.folder / file
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return str(path)

    def _builder(
        self, subject: str, key: ec.EllipticCurvePublicKey, hours: float
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name(self.name))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=2))
            .not_valid_after(now + datetime.timedelta(hours=hours))
        )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
