"""
Certificates and private keys in PEM files (RFC 7468).
"""

from __future__ import annotations

from pathlib import Path

from OpenSSL import crypto

__all__ = ["readCertificates", "readPrivateKey"]

_MARKER = b"-----BEGIN CERTIFICATE-----"


def readCertificates(path: str) -> list[crypto.X509]:
    """
    @return: the certificates of a file, at least one, in their order; what else is in
        it does not matter.
    @raise OSError: it cannot be read.
    @raise ValueError: it holds none, or a damaged one.
    """
    _, *blocks = Path(path).read_bytes().split(_MARKER)
    if not blocks:
        raise ValueError(f"{path} has no certificate in PEM form")
    try:
        return [crypto.load_certificate(crypto.FILETYPE_PEM, _MARKER + block) for block in blocks]
    except crypto.Error as error:
        raise ValueError(f"{path} has a damaged certificate") from error


def readPrivateKey(path: str) -> crypto.PKey:
    """
    @return: the private key of a file, which may have certificates in it, too.
    @raise OSError: it cannot be read.
    @raise ValueError: it holds none, or one that needs a passphrase.
    """
    try:
        # Without a passphrase given, the library would ask for one at the terminal.
        return crypto.load_privatekey(crypto.FILETYPE_PEM, Path(path).read_bytes(), passphrase=b"")
    except (crypto.Error, ValueError, TypeError) as error:
        raise ValueError(f"{path} has no private key in PEM form without passphrase") from error
