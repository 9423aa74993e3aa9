"""
Where a SIP URI leads to: NAPTR, SRV, A and AAAA records (RFC 3263 section 4),
asked for by twisted.names and the reactor's resolver.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import IHostnameResolver, IReactorTime
from twisted.logger import Logger
from twisted.names.error import DNSQueryTimeoutError, DomainError, ResolverError

from siprec.sip.matching import defaultPort, isAddress
from siprec.sip.resolve import resolve

log = Logger()

# Seconds for an answer of the name server: to the first and to the second try.
_PATIENCE = (1, 3)

# Seconds for the addresses of one name.
_ADDRESSES = 5.0

# Records of one answer that are looked at, and places that are given.
_MOST = 16

# The services of NAPTR (RFC 3263 section 4.1) and the names of SRV records.
_SERVICES = {"SIP+D2U": "UDP", "SIP+D2T": "TCP", "SIPS+D2T": "TLS"}
_LABELS = {"UDP": "_sip._udp", "TCP": "_sip._tcp", "TLS": "_sips._tcp"}


@frozen
class Place:
    """
    Where to send a request to.

    @ivar transport: C{"UDP"}, C{"TCP"} or C{"TLS"}.
    @ivar host: an IP address.
    @ivar name: what led there, whose certificate is to be shown with TLS.
    """

    transport: str
    host: str
    port: int
    name: str = ""


class Records(Protocol):
    """
    What is asked of a name server; L{twisted.names.client.Resolver} has it.
    """

    def lookupNamingAuthorityPointer(self, name: str, timeout: Sequence[int]) -> Deferred[Any]:
        """
        See L{twisted.internet.interfaces.IResolver}.
        """

    def lookupService(self, name: str, timeout: Sequence[int]) -> Deferred[Any]:
        """
        See L{twisted.internet.interfaces.IResolver}.
        """


@frozen
class _Service:
    transport: str
    name: str


@define(eq=False, repr=False)
class Locator:
    """
    @ivar records: gives the name server to ask; called when it is needed first.
    @ivar resolver: finds the addresses of hosts, also those that only this host
        knows of.
    """

    _records: Callable[[], Records]
    _resolver: IHostnameResolver
    _clock: IReactorTime
    _random: Callable[[], float] = random.random
    _server: Records | None = field(default=None, init=False)

    async def locate(self, host: str, port: int | None, transport: str | None) -> list[Place]:
        """
        @param host: of the URI, an IP address or a name.
        @param port: of the URI, or C{None}.
        @param transport: C{None}: any of UDP, TCP and TLS.
        @return: places to try one after the other; empty if nothing is known of
            the name.
        """
        if isAddress(host):
            usual = transport or "UDP"
            return [Place(usual, host, port or defaultPort(usual))]
        if not _isName(host):
            return []
        if port is not None:
            return await self._addresses(transport or "UDP", host, port)
        found: list[Place] = []
        try:
            for service in await self._services(host, transport):
                for target, number in await self._servers(service.name):
                    found += await self._addresses(service.transport, target, number)
                    if len(found) >= _MOST:
                        return found[:_MOST]
        except (DNSQueryTimeoutError, TimeoutError) as error:
            log.warn("{host}: the name server does not answer: {why}", host=host, why=str(error))
        if found:
            return found
        usual = transport or "UDP"
        return await self._addresses(usual, host, defaultPort(usual))

    async def _services(self, host: str, transport: str | None) -> list[_Service]:
        """
        @return: the names to ask for SRV records, in order.
        """
        if transport is None:
            pointers = await self._ask("lookupNamingAuthorityPointer", host)
            pointers.sort(key=lambda each: (each.order, each.preference))
            services = [
                _Service(_SERVICES[_text(each.service).upper()], str(each.replacement))
                for each in pointers
                if _text(each.flags).lower() == "s" and _text(each.service).upper() in _SERVICES
            ]
            if services:
                return services
        wanted = _LABELS if transport is None else {transport: _LABELS[transport]}
        return [_Service(kind, f"{label}.{host}") for kind, label in wanted.items()]

    async def _servers(self, name: str) -> list[tuple[str, int]]:
        """
        @return: host and port of each SRV record, in the order of RFC 2782.
        """
        records = await self._ask("lookupService", name)
        # A lone root says that the service is not there.
        left = [each for each in records if str(each.target) not in ("", ".")]
        ordered: list[tuple[str, int]] = []
        while left:
            least = min(each.priority for each in left)
            same = [each for each in left if each.priority == least]
            chosen = self._weighted(same)
            left.remove(chosen)
            ordered.append((str(chosen.target), chosen.port))
        return ordered

    def _weighted(self, records: list[Any]) -> Any:
        place = self._random() * sum(each.weight for each in records)
        for record in records:
            place -= record.weight
            if place < 0:
                return record
        return records[0]

    async def _ask(self, method: str, name: str) -> list[Any]:
        if self._server is None:
            self._server = self._records()
        try:
            answers, _, _ = await getattr(self._server, method)(name, timeout=_PATIENCE)
        except (DNSQueryTimeoutError, TimeoutError):
            raise
        except (DomainError, ResolverError, OSError) as error:
            log.debug("{name}: no such records: {why}", name=name, why=str(error))
            return []
        kind = "Record_NAPTR" if "Pointer" in method else "Record_SRV"
        # The chain of CNAME records that led there is in the answer as well.
        payloads = [each.payload for each in answers]
        return [each for each in payloads if type(each).__name__ == kind][:_MOST]

    async def _addresses(self, transport: str, host: str, port: int) -> list[Place]:
        try:
            hosts = [host]
            if not isAddress(host):
                hosts = list(await resolve(self._resolver, self._clock, host, _ADDRESSES))
        except (DNSLookupError, TimeoutError) as error:
            log.debug("{host}: no address: {why}", host=host, why=str(error))
            return []
        return [Place(transport, each, port) for each in dict.fromkeys(hosts)]


def _isName(host: str) -> bool:
    """
    @return: whether this can be asked for: resolvers do not take what cannot.
    """
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def _text(characters: Any) -> str:
    # twisted.names wraps character strings.
    data = getattr(characters, "string", characters)
    return data.decode("ascii", "replace") if isinstance(data, bytes) else str(data)


def locatorOf(reactor: Any) -> Locator:
    """
    @param reactor: provides C{IReactorTime}, C{IReactorUDP} and
        C{IReactorPluggableNameResolver}.
    @return: asks the name servers of this host.
    """

    def server() -> Records:
        # Few nodes ever ask one: where peers give addresses there is nothing to ask.
        from twisted.names.client import Resolver

        records: Records = Resolver(resolv="/etc/resolv.conf", reactor=reactor)
        return records

    return Locator(server, reactor.nameResolver, reactor)
