"""
Tests for L{siprec.sip.connections}.
"""

from collections import Counter
from pathlib import Path
from typing import Any

from attrs import define, field
from cryptography import x509
from OpenSSL.crypto import X509
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.protocol import ClientFactory
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.connections import CONNECT_TIME, Connections
from siprec.sip.flow import Flow
from siprec.sip.interfaces import FlowGone
from siprec.sip.stream import StreamConnection
from siprec.sip.tls import SipTLS
from tests.sip.authority import Authority, alternatives
from tests.sip.sockets import Receiver, SocketReactor, TCPTransport

HERE = IPv4Address("TCP", "192.0.2.9", 49152)


@define(eq=False)
class NotingTLS(SipTLS):
    """
    Notes which hosts it was asked for.

    @ivar failure: what it raises, if anything.
    """

    hosts: list[str] = field(factory=list)
    failure: Exception | None = None

    def client(self, host: str) -> IOpenSSLClientConnectionCreator:
        self.hosts.append(host)
        if self.failure is not None:
            raise self.failure
        return super().client(host)


class ConnectionsTests(SynchronousTestCase):
    """
    Connections that peers opened, and our own.
    """

    def setUp(self) -> None:
        self.reactor = SocketReactor()
        self.counters: Counter[str] = Counter()
        self.tls = NotingTLS()
        self.connections = Connections(self.reactor, Receiver(), self.counters, self.tls)
        self.addCleanup(lambda: self.assertEqual(self.reactor.getDelayedCalls(), []))

    def attempt(self, index: int = -1) -> tuple[str, int, ClientFactory]:
        """
        @return: host, port and factory of an attempt to connect.
        """
        host, port, factory, timeout, _ = self.reactor.tcpClients[index]
        self.assertEqual(timeout, CONNECT_TIME)
        return host, port, factory

    def succeed(self, index: int = -1) -> tuple[StreamConnection, StringTransport]:
        """
        An attempt succeeds.
        """
        host, port, factory = self.attempt(index)
        peer = IPv4Address("TCP", host, port)
        return self.made(factory.buildProtocol(peer), peer)

    def made(self, protocol: object, peer: IPv4Address) -> tuple[StreamConnection, StringTransport]:
        """
        A connection is there.
        """
        transport = StringTransport(HERE, peer)
        protocol.makeConnection(transport)  # type: ignore[attr-defined]
        connection = getattr(protocol, "_wrappedProtocol", protocol)
        assert isinstance(connection, StreamConnection)
        return connection, transport

    def accept(self, port: int = 40000) -> tuple[StreamConnection, StringTransport]:
        """
        A peer connects.
        """
        peer = IPv4Address("TCP", "192.0.2.7", port)
        return self.made(self.connections.factory("TCP").buildProtocol(peer), peer)

    def test_connect(self) -> None:
        """
        A flow comes with the connection, and messages go by it.
        """
        waiting = self.connections.connect("TCP", "192.0.2.7", 5060)
        self.assertEqual(self.attempt()[:2], ("192.0.2.7", 5060))
        self.assertNoResult(waiting)
        _, transport = self.succeed()
        flow = self.successResultOf(waiting)
        self.assertEqual((flow.transport, flow.remote), ("TCP", ("192.0.2.7", 5060)))
        self.assertTrue(self.connections.isOpen(flow))
        self.connections.send(flow, b"x")
        self.assertEqual(transport.value(), b"x")

    def test_ipv6(self) -> None:
        """
        IPv6 addresses are connected to as they are.
        """
        self.connections.connect("TCP", "2001:db8::7", 5060).addErrback(lambda _: None)
        self.assertEqual(self.attempt()[0], "2001:db8::7")
        self.successResultOf(self.connections.close())

    def test_name(self) -> None:
        """
        A name is looked up; later requests to the name, and to the address it
        led to, go by the same connection.
        """
        waiting = self.connections.connect("TCP", "src.example.com", 5060)
        self.reactor.advance(0)
        self.assertEqual(self.attempt()[:2], ("127.0.0.1", 5060))
        self.succeed()
        flow = self.successResultOf(waiting)
        for host in ("src.example.com", "127.0.0.1"):
            again = self.connections.connect("TCP", host, 5060)
            self.assertEqual(self.successResultOf(again), flow)

    def test_D2_reuseOurs(self) -> None:
        """
        While a connection is made, and when it is there, nobody makes another.
        """
        first = self.connections.connect("TCP", "192.0.2.7", 5060)
        second = self.connections.connect("TCP", "192.0.2.7", 5060)
        self.succeed()
        third = self.connections.connect("TCP", "192.0.2.7", 5060)
        flows = {self.successResultOf(each) for each in (first, second, third)}
        self.assertEqual((len(flows), len(self.reactor.tcpClients)), (1, 1))

    def test_D2_reuseTheirs(self) -> None:
        """
        A connection of the peer is taken for requests to where it came from,
        but not for another port or transport.
        """
        connection, _ = self.accept()
        found = self.connections.connect("TCP", "192.0.2.7", 40000)
        self.assertEqual(self.successResultOf(found), connection.flow)
        for transport, port in (("TCP", 40001), ("TLS", 40000)):
            other = self.connections.connect(transport, "192.0.2.7", port)
            other.addErrback(lambda _: None)
            self.assertNoResult(other)
        self.assertEqual(self.tls.hosts, ["192.0.2.7"])
        connection.connectionLost()
        self.successResultOf(self.connections.close())

    def test_refused(self) -> None:
        """
        If there is no connection, all who wait are told why; the next request
        tries again.
        """
        waiting = [self.connections.connect("TCP", "192.0.2.7", 5060) for _ in range(2)]
        _, _, factory = self.attempt()
        factory.clientConnectionFailed(
            self.reactor.connectors[-1], Failure(ConnectionRefusedError("nobody there"))
        )
        for each in waiting:
            reason = self.failureResultOf(each, FlowGone)
            self.assertIn("TCP to 192.0.2.7:5060", str(reason.value))
            self.assertIn("nobody there", str(reason.value))
        self.connections.connect("TCP", "192.0.2.7", 5060).addErrback(lambda _: None)
        self.assertEqual(len(self.reactor.tcpClients), 2)
        self.successResultOf(self.connections.close())

    def test_lost(self) -> None:
        """
        A lost connection is used no more; the next request makes another.
        """
        connection, _ = self.accept()
        flow = connection.flow
        connection.connectionLost(Failure(ConnectionDone()))
        self.assertFalse(self.connections.isOpen(flow))
        self.assertRaises(FlowGone, self.connections.send, flow, b"x")
        self.connections.connect("TCP", "192.0.2.7", 40000).addErrback(lambda _: None)
        self.assertEqual(len(self.reactor.tcpClients), 1)
        self.successResultOf(self.connections.close())

    def test_numbers(self) -> None:
        """
        A later connection from the same port is another flow.
        """
        first, _ = self.accept()
        first.connectionLost(Failure(ConnectionDone()))
        second, _ = self.accept()
        self.assertNotEqual(first.flow, second.flow)
        self.assertRaises(FlowGone, self.connections.send, first.flow, b"x")

    def test_replaced(self) -> None:
        """
        If a new connection from the same port comes before the end of the old
        one is known, the end of the old one leaves the new one.
        """
        first, _ = self.accept()
        second, _ = self.accept()
        first.connectionLost(Failure(ConnectionDone()))
        found = self.connections.connect("TCP", "192.0.2.7", 40000)
        self.assertEqual(self.successResultOf(found), second.flow)

    def secure(
        self, shown: x509.Certificate | None, name: str = ""
    ) -> tuple[StreamConnection, Deferred[Flow]]:
        """
        @param shown: the certificate of 192.0.2.7.
        @param name: whose certificate is wanted.
        @return: a connection to it whose handshake is done, and who waits.
        """
        waiting = self.connections.connect("TLS", "192.0.2.7", 5061, name)
        host, port, factory = self.attempt()
        wrapper = factory._wrappedFactory  # type: ignore[attr-defined]
        self.assertIsInstance(wrapper, TLSMemoryBIOFactory)
        peer = IPv4Address("TCP", host, port)
        made: Any = factory.buildProtocol(peer)
        made.makeConnection(TCPTransport(HERE, peer))
        # Stands for a handshake with real bytes.
        tls = made._wrappedProtocol
        tls.getPeerCertificate = lambda: shown and X509.from_cryptography(shown)
        self.assertNoResult(waiting)
        (connection,) = self.connections._open.values()
        self.assertEqual(connection.flow.transport, "TLS")
        connection.handshakeCompleted()
        made.connectionLost(Failure(ConnectionDone()))
        self.reactor.advance(0)
        return connection, waiting

    def signed(self, address: str) -> x509.Certificate:
        """
        @return: a certificate for an IP address and a name.
        """
        names = alternatives(addresses=[address], names=["sbc.example.com"])
        return Authority(Path(self.mktemp())).sign(names)[0]

    def test_tls(self) -> None:
        """
        With TLS the settings are those for the host, and the flow comes after
        the handshake, with the names of the peer.
        """
        connection, waiting = self.secure(self.signed("192.0.2.7"))
        self.assertEqual(self.tls.hosts, ["192.0.2.7"])
        flow = self.successResultOf(waiting)
        self.assertEqual(flow, connection.flow)
        self.assertEqual(flow.identities, ("sbc.example.com",))

    def test_D2_wrongPeer(self) -> None:
        """
        A peer whose certificate is of another host, or that has none, is not
        spoken with (RFC 5922 section 7.3), and is counted.
        """
        for shown in (self.signed("192.0.2.8"), None):
            _, waiting = self.secure(shown)
            reason = self.failureResultOf(waiting, FlowGone)
            self.assertIn("somebody else", str(reason.value))
        self.assertEqual(self.counters["wrongPeers"], 2)
        self.assertEqual(self.counters["handshakeFailures"], 0)

    def test_aliases(self) -> None:
        """
        A host may have other names that are known to be its own.
        """
        self.tls.aliases = lambda host: ["sbc.example.com"]
        _, waiting = self.secure(self.signed("192.0.2.8"))
        self.successResultOf(waiting)

    def test_D2_sips_name(self) -> None:
        """
        At an address that a name led to, the certificate must be of the name
        (RFC 5922 section 7.3), and need not be of the address.
        """
        _, waiting = self.secure(self.signed("192.0.2.8"), "sbc.example.com")
        self.assertEqual(self.tls.hosts, ["sbc.example.com"])
        self.successResultOf(waiting)
        _, waiting = self.secure(self.signed("192.0.2.7"), "other.example.com")
        self.failureResultOf(waiting, FlowGone)

    def test_badTLS(self) -> None:
        """
        Settings that cannot be had are an error like any other.
        """
        self.tls.failure = OSError("no certificate")
        waiting = self.connections.connect("TLS", "192.0.2.7", 5061)
        reason = self.failureResultOf(waiting, FlowGone)
        self.assertIn("no certificate", str(reason.value))

    def test_closeEmpty(self) -> None:
        """
        With no connection there is nothing to wait for.
        """
        self.successResultOf(self.connections.close())

    def test_close(self) -> None:
        """
        All connections are closed, and attempts given up.
        """
        connection, transport = self.accept()
        waiting: Deferred[Flow] = self.connections.connect("TCP", "192.0.2.8", 5060)
        closing = self.connections.close()
        self.failureResultOf(waiting, FlowGone)
        self.assertTrue(self.reactor.connectors[-1].stoppedConnecting)
        self.assertTrue(transport.disconnecting)
        self.assertNoResult(closing)
        connection.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(closing)

    def test_closeStuck(self) -> None:
        """
        A peer that does not take the rest is not waited for for ever.
        """
        connection, transport = self.accept()
        closing = self.connections.close()
        self.reactor.advance(2)
        self.assertTrue(transport.disconnected)
        connection.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(closing)

    def test_tooMany(self) -> None:
        """
        More connections with one address than may be are closed at once, and
        are no way for anything; when one ends there is room again.
        """
        self.connections.limits.perHost = 2
        first, _ = self.accept()
        self.accept()
        third, transport = self.accept()
        self.assertTrue(transport.disconnected)
        self.assertFalse(self.connections.isOpen(third.flow))
        third.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.counters["tooManyConnections"], 1)
        first.connectionLost(Failure(ConnectionDone()))
        _, transport = self.accept()
        self.assertFalse(transport.disconnected)
        self.assertEqual(len(self.connections), 2)
