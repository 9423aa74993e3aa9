"""
Certificates for tests of TLS, made anew each time.
"""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["makeCertificates"]


def makeCertificates(folder: str) -> None:
    """
    Write C{ca.pem}, and C{server.pem} with C{server.key} for 127.0.0.1.
    """
    authority, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    certified = _certificate("authority", authority, "authority", authority)
    served = _certificate("server", server, "authority", authority)
    for name, certificate in (("ca", certified), ("server", served)):
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        Path(folder, f"{name}.pem").write_bytes(pem)
    Path(folder, "server.key").write_bytes(
        server.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def _certificate(
    subject: str, key: ec.EllipticCurvePrivateKey, issuer: str, signer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    public = key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=subject == issuer, path_length=None), True)
    )
    if subject != issuer:
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), False)
    return builder.sign(signer, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
