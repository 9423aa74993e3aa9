"""
L{siprec.sip.locate} and a real name server on the loopback interface.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.names import authority, dns, server
from twisted.names.client import Resolver
from twisted.trial.unittest import TestCase

from siprec.sip.locate import Locator, Place
from tests.functional.node import HOST, reactor

_ZONE = "example.com"


class _Zone(authority.FileAuthority):
    """
    Knows one zone, without a file.
    """

    def loadFile(self, filename: object) -> None:
        """
        See L{authority.FileAuthority}.
        """
        start = dns.Record_SOA(mname="ns.example.com", rname="a.example.com", serial=1)
        self.soa = (b"example.com", start)  # type: ignore[assignment]
        self.records = {  # type: ignore[assignment]
            b"example.com": [
                start,
                dns.Record_NAPTR(10, 1, b"s", b"SIP+D2T", b"", b"_sip._tcp.example.com", ttl=60),
                dns.Record_NAPTR(20, 1, b"s", b"SIP+D2U", b"", b"_sip._udp.example.com", ttl=60),
            ],
            b"_sip._tcp.example.com": [dns.Record_SRV(1, 1, 5070, "127.0.0.9", ttl=60)],
            b"_sip._udp.example.com": [
                dns.Record_SRV(2, 1, 5082, "127.0.0.8", ttl=60),
                dns.Record_SRV(1, 1, 5081, "127.0.0.7", ttl=60),
            ],
        }


class LocateTests(TestCase):
    """
    Records as they come over the wire.
    """

    def setUp(self) -> None:
        factory = server.DNSServerFactory(authorities=[_Zone(None)])
        self.datagrams = dns.DNSDatagramProtocol(factory, reactor=reactor)
        port = reactor.listenUDP(0, self.datagrams, interface=HOST)
        self.addCleanup(port.stopListening)
        resolver = Resolver(servers=[(HOST, port.getHost().port)], reactor=reactor)
        self.locator = Locator(lambda: resolver, reactor.nameResolver, reactor)

    async def find(self, host: str, transport: str | None = None) -> list[Place]:
        """
        @return: the places of a name.
        """
        return await Deferred.fromCoroutine(self.locator.locate(host, None, transport))

    async def test_D2_locate_records(self) -> None:
        """
        NAPTR and SRV records lead to the places, in their order.
        """
        self.assertEqual(
            await self.find(_ZONE),
            [
                Place("TCP", "127.0.0.9", 5070),
                Place("UDP", "127.0.0.7", 5081),
                Place("UDP", "127.0.0.8", 5082),
            ],
        )

    async def test_D2_locate_transport(self) -> None:
        """
        With a transport only its SRV records count.
        """
        self.assertEqual(await self.find(_ZONE, "TCP"), [Place("TCP", "127.0.0.9", 5070)])

    async def test_D2_locate_hosts(self) -> None:
        """
        A name without records that this host knows of.
        """
        found = await self.find("localhost")
        self.assertIn(Place("UDP", "127.0.0.1", 5060), found)
