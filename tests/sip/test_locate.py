"""
Tests for L{siprec.sip.locate}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import define, field
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IResolutionReceiver,
)
from twisted.internet.task import Clock
from twisted.names import dns
from twisted.names.error import DNSNameError, DNSQueryTimeoutError
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from siprec.sip.locate import Locator, Place, locatorOf

HOST = "src.example.com"


@implementer(IHostResolution)
@define(eq=False)
class _Resolution:
    """
    A name that is known at once.
    """

    name: str

    def cancel(self) -> None:
        """
        See L{IHostResolution}.
        """


@implementer(IHostnameResolver)
@define(eq=False)
class Hosts:
    """
    Knows the addresses of hosts.
    """

    known: dict[str, list[str]] = field(factory=dict)

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """
        See L{IHostnameResolver}.
        """
        resolution = _Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        for host in self.known.get(hostName, []):
            kind = IPv6Address if ":" in host else IPv4Address
            resolutionReceiver.addressResolved(kind("TCP", host, portNumber))
        resolutionReceiver.resolutionComplete()
        return resolution


@define(eq=False)
class Server:
    """
    A name server.

    @ivar records: by name.
    @ivar silent: whether it does not answer.
    @ivar asked: the names that were asked for.
    """

    records: dict[str, list[Any]] = field(factory=dict)
    silent: bool = False
    asked: list[str] = field(factory=list)

    def lookupNamingAuthorityPointer(self, name: str, timeout: Sequence[int]) -> Deferred[Any]:
        """
        See L{twisted.internet.interfaces.IResolver}.
        """
        return self._answer(name)

    def lookupService(self, name: str, timeout: Sequence[int]) -> Deferred[Any]:
        """
        See L{twisted.internet.interfaces.IResolver}.
        """
        return self._answer(name)

    def _answer(self, name: str) -> Deferred[Any]:
        self.asked.append(name)
        if self.silent:
            return fail(DNSQueryTimeoutError([]))
        if name not in self.records:
            return fail(DNSNameError(dns.Message()))
        headers = [dns.RRHeader(name, each.TYPE, payload=each) for each in self.records[name]]
        return succeed((headers, [], []))


def service(target: str, port: int, priority: int = 0, weight: int = 0) -> Any:
    """
    @return: an SRV record.
    """
    return dns.Record_SRV(priority, weight, port, target)


def pointer(kind: str, name: str, order: int = 0, preference: int = 0, flags: str = "s") -> Any:
    """
    @return: a NAPTR record.
    """
    return dns.Record_NAPTR(
        order, preference, flags.encode(), kind.encode(), b"", name.encode(), ttl=60
    )


class LocateTests(SynchronousTestCase):
    """
    RFC 3263 section 4.
    """

    def setUp(self) -> None:
        self.server, self.hosts = Server(), Hosts()
        self.chance = 0.0
        self.locator = Locator(lambda: self.server, self.hosts, Clock(), lambda: self.chance)

    def find(
        self, host: str = HOST, port: int | None = None, transport: str | None = None
    ) -> list[tuple[str, str, int]]:
        """
        @return: transport, address and port of each place.
        """
        located = Deferred.fromCoroutine(self.locator.locate(host, port, transport))
        places: list[Place] = self.successResultOf(located)
        return [(each.transport, each.host, each.port) for each in places]

    def test_interface(self) -> None:
        """
        The fakes are what they stand for.
        """
        verifyObject(IHostnameResolver, self.hosts)
        verifyObject(IHostResolution, _Resolution("x"))

    def test_D2_locate_address(self) -> None:
        """
        An address is where it is, at the usual port of its transport.
        """
        self.assertEqual(self.find("192.0.2.7"), [("UDP", "192.0.2.7", 5060)])
        self.assertEqual(self.find("2001:db8::1", None, "TLS"), [("TLS", "2001:db8::1", 5061)])
        self.assertEqual(self.find("192.0.2.7", 99, "TCP"), [("TCP", "192.0.2.7", 99)])
        self.assertEqual(self.server.asked, [])

    def test_D2_locate_port(self) -> None:
        """
        With a port only the addresses are asked for, of both families.
        """
        self.hosts.known[HOST] = ["192.0.2.7", "2001:db8::7"]
        found = [("UDP", "192.0.2.7", 5070), ("UDP", "2001:db8::7", 5070)]
        self.assertEqual(self.find(port=5070), found)
        self.assertEqual(self.server.asked, [])

    def test_D2_locate_naptr(self) -> None:
        """
        NAPTR records say which transports there are, in their order; those of
        services that nobody knows, or with other flags, are passed over.
        """
        self.server.records = {
            HOST: [
                pointer("SIP+D2U", "u.example.com", 50),
                pointer("SIPS+D2T", "s.example.com", 40, 2),
                pointer("SIP+D2T", "t.example.com", 40, 1),
                pointer("SIP+D2S", "sctp.example.com", 1),
                pointer("SIP+D2U", "bad.example.com", 1, flags="u"),
            ],
            "u.example.com": [service("a.example.com", 5060)],
            "t.example.com": [service("a.example.com", 5062)],
            "s.example.com": [service("a.example.com", 5061)],
        }
        self.hosts.known["a.example.com"] = ["192.0.2.7"]
        self.assertEqual(
            self.find(),
            [
                ("TCP", "192.0.2.7", 5062),
                ("TLS", "192.0.2.7", 5061),
                ("UDP", "192.0.2.7", 5060),
            ],
        )

    def test_D2_locate_srv(self) -> None:
        """
        Without NAPTR records each transport is asked for; with a transport,
        only that one.
        """
        self.server.records = {
            f"_sip._udp.{HOST}": [service("a.example.com", 5060)],
            f"_sip._tcp.{HOST}": [service("a.example.com", 5062)],
        }
        self.hosts.known["a.example.com"] = ["192.0.2.7"]
        self.assertEqual(self.find(), [("UDP", "192.0.2.7", 5060), ("TCP", "192.0.2.7", 5062)])
        self.server.asked.clear()
        self.assertEqual(self.find(transport="TCP"), [("TCP", "192.0.2.7", 5062)])
        self.assertEqual(self.server.asked, [f"_sip._tcp.{HOST}"])

    def test_D2_locate_weights(self) -> None:
        """
        Lower priorities come first; within one, chance decides by the weights
        (RFC 2782).
        """
        self.server.records = {
            f"_sip._udp.{HOST}": [
                service("192.0.2.3", 3, priority=20),
                service("192.0.2.1", 1, priority=10, weight=10),
                service("192.0.2.2", 2, priority=10, weight=90),
            ]
        }
        self.assertEqual([place[2] for place in self.find(transport="UDP")], [1, 2, 3])
        self.chance = 0.5
        self.assertEqual([place[2] for place in self.find(transport="UDP")], [2, 1, 3])

    def test_D2_locate_plain(self) -> None:
        """
        Without any record the addresses of the name itself, at the usual port.
        """
        self.hosts.known[HOST] = ["192.0.2.7"]
        self.assertEqual(self.find(), [("UDP", "192.0.2.7", 5060)])
        self.assertEqual(self.find(transport="TLS"), [("TLS", "192.0.2.7", 5061)])

    def test_D2_locate_notThere(self) -> None:
        """
        A service that is said not to be there leads nowhere, nor does a name
        that nobody knows.
        """
        self.server.records = {f"_sip._udp.{HOST}": [service("", 0)]}
        self.assertEqual(self.find(), [])

    def test_D2_locate_noName(self) -> None:
        """
        What cannot be a name is not asked for.
        """
        for host in ("a" * 64 + ".example.com", "a..example.com"):
            self.assertEqual((self.find(host), self.find(host, 5060)), ([], []))
        self.assertEqual(self.server.asked, [])

    def test_D2_locate_silent(self) -> None:
        """
        A name server that does not answer is asked once; what this host knows
        of the name counts then.
        """
        self.server.silent = True
        self.hosts.known[HOST] = ["192.0.2.7"]
        self.assertEqual(self.find(), [("UDP", "192.0.2.7", 5060)])
        self.assertEqual(self.server.asked, [HOST])

    def test_D2_locate_bounded(self) -> None:
        """
        However many records there are, only some are tried.
        """
        records = [service(f"192.0.2.{number}", 5060) for number in range(100)]
        self.server.records = {f"_sip._udp.{HOST}": records}
        self.assertEqual(len(self.find()), 16)

    def test_D2_locate_lazily(self) -> None:
        """
        The name servers of this host are looked up when there is a name to ask
        for.
        """

        class Reactor(Clock):
            nameResolver = self.hosts

        reactor = Reactor()
        locator = locatorOf(reactor)
        located = Deferred.fromCoroutine(locator.locate("192.0.2.7", None, None))
        self.assertEqual(self.successResultOf(located), [Place("UDP", "192.0.2.7", 5060)])
        self.assertEqual(reactor.getDelayedCalls(), [])
