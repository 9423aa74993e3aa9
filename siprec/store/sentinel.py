"""
How a Redis server is reached: by name, by path, by TLS, or by asking Sentinels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, DNSLookupError, VerifyError
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.internet.ssl import (
    Certificate,
    KeyPair,
    PrivateCertificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.logger import Logger
from zope.interface import implementer

from siprec.pem import readCertificates, readPrivateKey
from siprec.store.redisclient import ConnectionGone, RedisClient, Refused
from siprec.store.redisurl import RedisURL

__all__ = ["SentinelEndpoint", "makeEndpoint"]

log = Logger()

#: Seconds for one Sentinel to say where the master is, and for a connection to
#: be made at all: what is longer is as good as down.
SENTINEL_PATIENCE = 0.5
CONNECT_PATIENCE = 3

_Connect = Callable[[str, int], IStreamClientEndpoint]


def makeEndpoint(reactor: Any, url: RedisURL) -> IStreamClientEndpoint:
    """
    @param reactor: provides C{IReactorTime}, C{IReactorTCP} or
        C{IReactorUNIX}, and C{IReactorPluggableNameResolver}.
    @raise OSError: a file of certificates cannot be read.
    @raise ValueError: it holds none, or the key is another's.
    """
    if url.path is not None:
        return UNIXClientEndpoint(reactor, url.path, timeout=CONNECT_PATIENCE)
    options = _clientTLS(url) if url.tls else None

    def connect(host: str, port: int) -> IStreamClientEndpoint:
        endpoint = HostnameEndpoint(reactor, host, port, timeout=CONNECT_PATIENCE)
        return endpoint if options is None else wrapClientTLS(options(host), endpoint)

    if url.master is None:
        return connect(*url.hosts[0])
    return SentinelEndpoint(reactor, url.hosts, url.master, connect)


@implementer(IStreamClientEndpoint)
@define(eq=False, repr=False)
class SentinelEndpoint:
    """
    The server that Sentinels name as master at the moment of connecting.

    Each try begins with the next Sentinel: one that was cut off from the
    others still names the old master.
    """

    _clock: IReactorTime
    _sentinels: Sequence[tuple[str, int]]
    _master: str
    _connect: _Connect
    _turn: int = field(default=0, init=False)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        See L{IStreamClientEndpoint.connect}.

        @return: fails with C{ConnectError} where no Sentinel knows a master.
        """
        return Deferred.fromCoroutine(self._find(protocolFactory))

    async def _find(self, protocolFactory: IProtocolFactory) -> IProtocol:
        first, self._turn = self._turn, (self._turn + 1) % len(self._sentinels)
        reasons: list[str] = []
        for host, port in (*self._sentinels[first:], *self._sentinels[:first]):
            asked: Deferred[tuple[str, int]] = Deferred.fromCoroutine(self._ask(host, port))
            asked.addTimeout(SENTINEL_PATIENCE, self._clock, _tookTooLong)
            try:
                master = await asked
            except (ConnectError, DNSLookupError, ConnectionGone, Refused, ValueError) as error:
                reasons.append(f"{host}:{port}: {str(error) or type(error).__name__}")
                continue
            log.debug(
                "{master} is at {host}:{port}", master=self._master, host=master[0], port=master[1]
            )
            return await self._connect(*master).connect(protocolFactory)
        raise ConnectError(string="no Sentinel names the master: " + "; ".join(reasons))

    async def _ask(self, host: str, port: int) -> tuple[str, int]:
        connecting = self._connect(host, port).connect(Factory.forProtocol(RedisClient))
        sentinel = cast(RedisClient, await connecting)
        try:
            answer = await sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._master)
        finally:
            sentinel.abort()
        if not answer:
            raise ConnectError(string=f"knows no master of the name {self._master!r}")
        address, number = answer
        return address.decode("ascii"), int(number)


def _tookTooLong(outcome: object, seconds: float) -> object:
    raise ConnectError(string=f"no answer within {seconds:g} s")


def _clientTLS(url: RedisURL) -> Callable[[str], IOpenSSLClientConnectionCreator]:
    """
    @return: makes what verifies the server of a host name or IP address.
    """
    trust = None
    if url.ca is not None:
        trust = trustRootFromCertificates([Certificate(each) for each in readCertificates(url.ca)])
    own = None
    if url.cert is not None and url.key is not None:
        certificate = Certificate(readCertificates(url.cert)[0])
        try:
            own = PrivateCertificate.fromCertificateAndKeyPair(
                certificate, KeyPair(readPrivateKey(url.key))
            )
        except VerifyError as error:
            raise ValueError(f"the key in {url.key} is not that of {url.cert}") from error
    return lambda host: optionsForClientTLS(host, trustRoot=trust, clientCertificate=own)
