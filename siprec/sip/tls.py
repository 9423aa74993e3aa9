"""
TLS for SIP: 1.2 and 1.3, with the files of the configuration, which can be read
again while connections are open.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from attrs import define, field, frozen
from cryptography import x509
from OpenSSL import SSL
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
)
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    TLSVersion,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from siprec.pem import readCertificates, readPrivateKey
from siprec.sip.identity import identifies
from siprec.sip.matching import isAddress

__all__ = ["SipTLS", "TLSFiles"]


@frozen
class TLSFiles:
    """
    @ivar certificate: our own, and those between it and its authority after
        it; empty: we have none.
    @ivar key: its private key; empty: it is in the same file.
    @ivar authority: of the certificates of peers; empty: no peer is asked for
        one, and those that we connect to must be known to the system.
    @ivar required: whether a peer that connects must have a certificate.
    """

    certificate: str = ""
    key: str = ""
    authority: str = ""
    required: bool = True


@implementer(IOpenSSLServerConnectionCreator)
@define(eq=False, repr=False)
class _Server:
    """
    What one listener uses; a new connection has the files that were read last.
    """

    certificate: str
    key: str
    options: CertificateOptions

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return SSL.Connection(self.options.getContext(), None)


@implementer(IOpenSSLClientConnectionCreator)
@define(eq=False, repr=False)
class _Client:
    """
    What one connection of ours uses.
    """

    host: str
    options: CertificateOptions

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        connection = SSL.Connection(self.options.getContext(), None)
        if not isAddress(self.host):
            # RFC 6066 section 3: names only.
            connection.set_tlsext_host_name(self.host.encode("idna"))
        return connection


def _nobody(host: str) -> Collection[str]:
    """
    A host goes by its own name only.
    """
    return ()


@define(eq=False, repr=False)
class SipTLS:
    """
    @ivar aliases: gives the names in lower case that the certificate of a host
        may have beside its own.
    @ivar expires: when the first of our certificates does, in seconds since
        the Unix epoch; C{None} if there is none.
    """

    _files: TLSFiles = field(factory=TLSFiles)
    aliases: Callable[[str], Collection[str]] = _nobody
    expires: float | None = field(default=None, init=False)
    _servers: list[_Server] = field(factory=list, init=False)
    _client: CertificateOptions | None = field(default=None, init=False)

    def use(self, files: TLSFiles) -> None:
        """
        Read all files, for connections that are made from now on.

        @raise OSError: one cannot be read, or holds something else; then all
            is as it was.
        """
        # Where no file is named none can be wrong, and whom the system trusts is read when
        # somebody is connected to.
        named = files.certificate or files.authority
        client = _options(files, files.certificate, files.key, False) if named else None
        options = [
            _options(files, each.certificate or files.certificate, each.key or files.key, True)
            for each in self._servers
        ]
        self._files, self._client = files, client
        for server, made in zip(self._servers, options, strict=True):
            server.options = made
        self._note()

    def server(self, certificate: str = "", key: str = "") -> IOpenSSLServerConnectionCreator:
        """
        @param certificate: instead of that of the files, for this listener.
        @param key: of that certificate.
        @return: what makes the TLS of its connections.
        @raise OSError: as L{use} does, and if there is no certificate.
        """
        files = self._files
        options = _options(files, certificate or files.certificate, key or files.key, True)
        server = _Server(certificate, key, options)
        self._servers.append(server)
        self._note()
        return server

    def client(self, host: str) -> IOpenSSLClientConnectionCreator:
        """
        @return: what makes the TLS of a connection to a host; see L{accepts}.
        @raise OSError: as L{use} does.
        """
        if self._client is None:
            self._client = _options(self._files, self._files.certificate, self._files.key, False)
        return _Client(host, self._client)

    def accepts(self, certificate: x509.Certificate, host: str, name: str = "") -> bool:
        """
        @param name: what led to the host; empty: its own.
        @return: whether a certificate that the authority has signed is of this
            host, or of that name (RFC 5922 sections 7.2 and 7.3).
        """
        return identifies(certificate, name or host, self.aliases(host))

    def _note(self) -> None:
        all_ = [each.options for each in self._servers]
        if self._client is not None:
            all_.append(self._client)
        ends = [
            each.certificate.to_cryptography().not_valid_after_utc.timestamp()
            for each in all_
            if each.certificate is not None
        ]
        self.expires = min(ends, default=None)


def _options(files: TLSFiles, certificate: str, key: str, serves: bool) -> CertificateOptions:
    """
    @param serves: whether it is for connections of peers, and not our own.
    @raise OSError: a file cannot be read, or holds something else.
    """
    try:
        return _read(files, certificate, key, serves)
    except ValueError as error:
        raise OSError(str(error)) from error


def _read(files: TLSFiles, certificate: str, key: str, serves: bool) -> CertificateOptions:
    if serves and not certificate:
        raise ValueError("no certificate: sip.tls_certificate is empty")
    chain = readCertificates(certificate) if certificate else []
    # Its type is an interface that Twisted does not export.
    trust: Any = None if serves else platformTrust()
    if files.authority:
        authority = [Certificate(each) for each in readCertificates(files.authority)]
        trust = trustRootFromCertificates(authority)
    options = CertificateOptions(
        certificate=chain[0] if chain else None,
        extraCertChain=chain[1:] if chain else None,
        privateKey=readPrivateKey(key or certificate) if chain else None,
        trustRoot=trust,
        raiseMinimumTo=TLSVersion.TLSv1_2,
    )
    # Not an argument beside trustRoot; it takes effect with the context.
    options.requireCertificate = files.required
    try:
        # Otherwise the first connection would be the first to find out.
        options.getContext()
    except SSL.Error as error:
        raise ValueError(f"the key in {key or certificate} is not that of {certificate}") from error
    return options
