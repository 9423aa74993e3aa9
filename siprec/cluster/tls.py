"""
Mutual TLS between the nodes of a cluster.

Each side must show a certificate that the cluster's own authority has signed; names
are not looked at, since it is the authority that makes a node one of the cluster.
"""

from __future__ import annotations

from attrs import frozen
from OpenSSL import SSL
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    TLSVersion,
    trustRootFromCertificates,
)

from siprec.pem import readCertificates, readPrivateKey

__all__ = ["ClusterTLS", "loadClusterTLS"]


@frozen
class ClusterTLS:
    """
    How both ends of a connection are made secure.
    """

    server: CertificateOptions
    client: CertificateOptions


def loadClusterTLS(certificate: str, key: str, authority: str) -> ClusterTLS:
    """
    @param certificate: a PEM file with this node's certificate, and those between it
        and the authority after it.  If it is limited to certain uses, then both to
        those of servers and of clients.
    @param key: a PEM file with its private key, without a passphrase.
    @param authority: a PEM file with the certificates of the cluster's authority.
    @raise OSError: a file cannot be read.
    @raise ValueError: a file does not hold what it should, or the key is another's.
    """
    own, *between = readCertificates(certificate)
    trust = trustRootFromCertificates([Certificate(each) for each in readCertificates(authority)])
    private = readPrivateKey(key)

    def options() -> CertificateOptions:
        return CertificateOptions(
            privateKey=private,
            certificate=own,
            extraCertChain=between,
            trustRoot=trust,
            raiseMinimumTo=TLSVersion.TLSv1_2,
        )

    made = ClusterTLS(options(), options())
    try:
        # Otherwise the first connection would be the first to find out.
        made.server.getContext()
        made.client.getContext()
    except SSL.Error as error:
        raise ValueError(f"the key in {key} is not that of {certificate}") from error
    return made
