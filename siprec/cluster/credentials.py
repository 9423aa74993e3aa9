"""
What a node proves itself with to the others, and knows them by.
"""

from __future__ import annotations

from attrs import define
from OpenSSL import SSL
from twisted.internet.interfaces import (
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IReactorTime,
)
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from siprec.cluster.handshake import effectiveKey
from siprec.cluster.keys import readSecrets
from siprec.cluster.tls import ClusterTLS, loadClusterTLS
from siprec.config import ClusterSettings, ConfigError

__all__ = ["Credentials"]


@define(eq=False, repr=False)
class Credentials:
    """
    New connections use what was read last; those that are open go on.

    @ivar key: 32 random bytes, made for this life of the process.
    @ivar secrets: of the cluster, if there are any: this node proves itself with the
        first to those it connects to, and takes each of them.
    @ivar tls: C{None}: connections are not encrypted.
    """

    key: bytes
    secrets: tuple[bytes, ...] = ()
    tls: ClusterTLS | None = None

    def load(self, settings: ClusterSettings) -> None:
        """
        Read all files.

        @raise ConfigError: one cannot be read or used; then all is as it was.
        """
        secrets, tls = readSecrets(settings.secretFile), _readTLS(settings)
        self.secrets, self.tls = secrets, tls

    @property
    def own(self) -> tuple[bytes, ...]:
        """
        What others may prove with that they know this node's key.
        """
        return tuple(effectiveKey(self.key, each) for each in self.secrets or (None,))

    def of(self, key: bytes) -> bytes:
        """
        @param key: in the lease of another node.
        @return: what this node proves with that it knows it.
        """
        return effectiveKey(key, self.secrets[0] if self.secrets else None)

    def listening(self, factory: Factory, clock: IReactorTime) -> IProtocolFactory:
        """
        @return: the factory, with TLS before its protocols if there is any.
        """
        if self.tls is None:
            return factory
        return TLSMemoryBIOFactory(_Listener(self), False, factory, clock=clock)

    def connecting(self, factory: Factory, clock: IReactorTime) -> IProtocolFactory:
        """
        @return: the factory of one connection, likewise.
        """
        if self.tls is None:
            return factory
        return TLSMemoryBIOFactory(self.tls.client, True, factory, clock=clock)


@implementer(IOpenSSLServerConnectionCreator)
@define(eq=False, repr=False)
class _Listener:
    """
    Gives each connection the certificates of its time.
    """

    _credentials: Credentials

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """
        See L{IOpenSSLServerConnectionCreator.serverConnectionForTLS}.
        """
        tls = self._credentials.tls
        assert tls is not None, "it listens with TLS"
        return SSL.Connection(tls.server.getContext(), None)


def _readTLS(settings: ClusterSettings) -> ClusterTLS | None:
    if not settings.tlsCertificate:
        return None
    if not settings.tlsCa:
        raise ConfigError("cluster.tls_ca", "", "a PEM file, as there is a certificate")
    key = settings.tlsKey or settings.tlsCertificate
    try:
        return loadClusterTLS(settings.tlsCertificate, key, settings.tlsCa)
    except (OSError, ValueError) as error:
        expected = f"PEM files of certificate, key and authority ({error})"
        raise ConfigError("cluster.tls_certificate", settings.tlsCertificate, expected) from error
