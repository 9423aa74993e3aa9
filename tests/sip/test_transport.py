"""
Tests for L{siprec.sip.transport}.
"""

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorUDP
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from siprec.sip.flow import Flow
from siprec.sip.headers import parseVia
from siprec.sip.interfaces import FlowGone, ISipTransport
from siprec.sip.transport import ListenFailed
from tests.sip.sockets import wire
from tests.sip.transportcase import TransportCase

PEER = ("192.0.2.7", 5060)


class ServiceTests(TransportCase):
    """
    Sockets open and close.
    """

    def test_interfaces(self) -> None:
        """
        It is a transport; the reactor of these tests can do UDP.
        """
        verifyObject(ISipTransport, self.make())
        verifyObject(IReactorUDP, self.reactor)

    def test_listen(self) -> None:
        """
        Starting opens each socket; datagrams of every size are taken.
        """
        service = self.make("udp:5060", "udp:5062:interface=::1", "tcp:5060:interface=127.0.0.1")
        waiting = service.opened()
        self.assertNoResult(waiting)
        self.assertEqual(self.reactor.udpPorts, [])
        service.startService()
        self.successResultOf(waiting)
        self.successResultOf(service.opened())
        self.assertEqual(
            service.addresses,
            [("UDP", "0.0.0.0", 5060), ("UDP", "::1", 5062), ("TCP", "0.0.0.0", 5060)],
        )
        self.assertEqual([port.maxSize for port in self.reactor.udpPorts], [65535, 65535])
        self.assertEqual(self.reactor.tcpServers[0][3], "127.0.0.1")
        self.successResultOf(service.stopService())
        self.assertEqual([port.listening for port in self.reactor.udpPorts], [False, False])
        self.assertEqual(service.addresses, [])
        self.assertEqual(
            service.planned,
            [("UDP", "0.0.0.0", 5060), ("UDP", "::1", 5062), ("TCP", "127.0.0.1", 5060)],
        )

    def test_ipv6String(self) -> None:
        """
        The IPv6 wildcard needs no escapes.
        """
        self.start("tcp:5060:interface=::")
        self.assertEqual(self.reactor.tcpServers[0][3], "::")

    def test_portInUse(self) -> None:
        """
        If a socket cannot be opened, the start fails and names the string, and
        those that were open are closed.
        """
        for text in ("udp:5070", "tcp:5070"):
            self.reactor.used.add(5070)
            service = self.make("udp:5060", text)
            waiting = service.opened()
            error = self.assertRaises(ListenFailed, service.startService)
            self.assertEqual(error.listen, text)
            self.assertIn(f"sip.listen = {text!r}: expected an address", str(error))
            self.assertIn("in use", str(error))
            self.failureResultOf(waiting, ListenFailed)
            self.failureResultOf(service.opened(), ListenFailed)
            self.assertFalse(service.running)
            self.assertFalse(self.reactor.udpPorts[-1].listening)

    def test_badString(self) -> None:
        """
        A string that means nothing is named as well, as is a key that is not there.
        """
        for text in ("sctp:5060", "ssl:5061:privateKey=/nonexistent.pem"):
            error = self.assertRaises(ListenFailed, self.make(text).startService)
            self.assertIn(text, str(error))

    def test_stopped(self) -> None:
        """
        Once stopped nothing can be sent, and no flow be had.
        """
        service = self.make("udp:5060")
        service.startService()
        flow = self.successResultOf(service.connect("UDP", *PEER))
        self.successResultOf(service.stopService())
        self.assertRaises(FlowGone, service.send, flow, b"x")
        self.failureResultOf(service.connect("UDP", *PEER), FlowGone)

    def test_closeFails(self) -> None:
        """
        A socket that does not close is logged, and the others close.
        """
        service = self.make("udp:5060", "udp:5061")
        service.startService()
        first, second = self.reactor.udpPorts
        first.closeError = ZeroDivisionError("close")
        self.successResultOf(service.stopService())
        self.assertFalse(second.listening)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class DatagramTests(TransportCase):
    """
    Sending by UDP.
    """

    def test_sameSocket(self) -> None:
        """
        An answer leaves from the socket that the request came to.
        """
        service = self.start("udp:5060:interface=192.0.2.9", "udp:5060:interface=192.0.2.10")
        for port in self.reactor.udpPorts:
            port.protocol.datagramReceived(wire(), PEER)
        for _, flow in reversed(self.receiver.messages):
            service.send(flow, b"x")
        self.assertEqual([port.sent for port in self.reactor.udpPorts], [[(b"x", PEER)]] * 2)

    def test_wildcardSocket(self) -> None:
        """
        On the wildcard the flow has the address that faces the peer, and is
        still sent by.
        """
        service = self.start("udp:5060")
        self.reactor.udpPorts[0].protocol.datagramReceived(wire(), PEER)
        ((_, flow),) = self.receiver.messages
        self.assertEqual(flow.local, ("192.0.2.9", 5060))
        service.send(flow, b"x")
        self.assertEqual(self.reactor.udpPorts[0].sent, [(b"x", PEER)])

    def test_foreignFlow(self) -> None:
        """
        A flow from an address that is not ours, as of a node that is dead, is
        sent by the socket that is best for the peer; without any it cannot be.
        """
        foreign = Flow("UDP", ("192.0.2.1", 5060), PEER)
        service = self.start("udp:5060:interface=192.0.2.9", "udp:5060:interface=192.0.2.10")
        service.send(foreign, b"x")
        self.assertEqual([port.sent for port in self.reactor.udpPorts], [[(b"x", PEER)], []])
        self.assertEqual(service.advertised(foreign), ("192.0.2.9", 5060))
        self.assertRaises(FlowGone, self.start("tcp:5060").send, foreign, b"x")

    def test_foreignConnection(self) -> None:
        """
        The connection of another process cannot be sent by, nor is a datagram
        sent in its place.
        """
        service = self.start("udp:5060", "tcp:5060")
        foreign = Flow("TCP", ("192.0.2.1", 5060), PEER)
        self.assertRaises(FlowGone, service.send, foreign, b"x")
        self.assertEqual(self.reactor.udpPorts[0].sent, [])

    def test_connect(self) -> None:
        """
        For UDP there is a flow at once: from the socket that faces the peer.
        """
        service = self.start(
            "udp:5060:interface=10.0.0.9", "udp:5061:interface=192.0.2.9", "udp:5062:interface=::"
        )
        flow = self.successResultOf(service.connect("UDP", *PEER))
        self.assertEqual(flow, Flow("UDP", ("192.0.2.9", 5061), PEER))
        flow = self.successResultOf(service.connect("UDP", "[2001:DB8::7]", 5060))
        self.assertEqual(flow.local, ("2001:db8::9", 5062))
        self.assertEqual(flow.remote, ("2001:db8::7", 5060))

    def test_connectByName(self) -> None:
        """
        A name is looked up.
        """
        service = self.start("udp:5060")
        flow = self.successResultOf(service.connect("UDP", "src.example.com", 5060))
        self.assertEqual(flow.remote, ("127.0.0.1", 5060))

    def test_noWay(self) -> None:
        """
        Without a socket of the peer's family there is no flow.
        """
        service = self.start("udp:5060:interface=192.0.2.9")
        self.failureResultOf(service.connect("UDP", "2001:db8::7", 5060), FlowGone)

    def test_unknownName(self) -> None:
        """
        A name without an address gives no flow.
        """

        class Nothing:
            def resolveHostName(self, receiver: Any, name: str) -> None:
                receiver.resolutionComplete()

        self.reactor.nameResolver = Nothing()  # type: ignore[assignment]
        service = self.start("udp:5060")
        reason = self.failureResultOf(service.connect("UDP", "nobody.example.com", 1), FlowGone)
        self.assertIn("nobody.example.com", str(reason.value))

    def test_D2_reply(self) -> None:
        """
        A response goes to received and rport, from where the request came to
        (RFC 3581 section 4).
        """
        service = self.start("udp:5060")
        flow = Flow("UDP", ("192.0.2.9", 5060), ("192.0.2.7", 1234))
        via = parseVia("SIP/2.0/UDP a.example.com;received=192.0.2.7;rport=1234;branch=z9hG4bKa")
        self.assertEqual(self.successResultOf(service.reply(via, flow)), flow)
        via = parseVia("SIP/2.0/UDP a.example.com:5070;received=192.0.2.7;branch=z9hG4bKa")
        there = self.successResultOf(service.reply(via, flow))
        self.assertEqual(there, Flow("UDP", flow.local, ("192.0.2.7", 5070)))

    def test_replyForAnother(self) -> None:
        """
        Where another process had the socket of a request, the response leaves
        by the one of ours that faces the peer.
        """
        service = self.start("udp:5061:interface=192.0.2.9")
        flow = Flow("UDP", ("192.0.2.8", 5060), ("192.0.2.7", 1234))
        via = parseVia("SIP/2.0/UDP a.example.com;received=192.0.2.7;rport=1234;branch=z9hG4bKa")
        there = self.successResultOf(service.reply(via, flow))
        self.assertEqual(there, Flow("UDP", ("192.0.2.9", 5061), ("192.0.2.7", 1234)))


class StreamTests(TransportCase):
    """
    Sending by TCP.
    """

    VIA = parseVia("SIP/2.0/TCP 192.0.2.7:5070;branch=z9hG4bKa")

    def test_sameConnection(self) -> None:
        """
        A response goes back on the connection of its request.
        """
        service = self.start("tcp:5060")
        connection, transport = self.accept()
        connection.dataReceived(wire())
        ((_, flow),) = self.receiver.messages
        self.assertEqual(self.successResultOf(service.reply(self.VIA, flow)), flow)
        service.send(flow, b"x")
        self.assertEqual(transport.value(), b"x")

    def test_D2_newConnection(self) -> None:
        """
        If that connection is closed, a new one to the port of sent-by is
        made (RFC 3261 section 18.2.2).
        """
        service = self.start("tcp:5060")
        connection, _ = self.accept()
        connection.connectionLost(Failure(ConnectionDone()))
        self.assertRaises(FlowGone, service.send, connection.flow, b"x")
        waiting = service.reply(self.VIA, connection.flow)
        host, port, factory, _, _ = self.reactor.tcpClients[0]
        self.assertEqual((host, port), ("192.0.2.7", 5070))
        peer = IPv4Address("TCP", host, port)
        made: Any = factory.buildProtocol(peer)
        transport = StringTransport(IPv4Address("TCP", "192.0.2.9", 49152), peer)
        made.makeConnection(transport)
        service.send(self.successResultOf(waiting), b"x")
        self.assertEqual(transport.value(), b"x")
        made.connectionLost(Failure(ConnectionDone()))

    def test_counters(self) -> None:
        """
        What is dropped is counted.
        """
        service = self.start("udp:5060", "tcp:5060")
        self.accept()[0].dataReceived(b"\r\n\r\n")
        self.reactor.udpPorts[0].protocol.datagramReceived(b"\r\n", PEER)
        self.assertEqual(service.counters, {"pings": 1, "keepalives": 1})


class AdvertisedTests(TransportCase):
    """
    Where peers can reach us.
    """

    def flow(self, transport: str = "UDP", port: int = 5060) -> Flow:
        """
        @return: a flow from our address and this port.
        """
        return Flow(transport, ("192.0.2.9", port), PEER, 0 if transport == "UDP" else 1)

    def test_listening(self) -> None:
        """
        By default it is the address of the flow; of our own connections the
        port is of no use to peers, so it is that of a listener.
        """
        service = self.start("udp:5060", "tcp:5070")
        self.assertEqual(service.advertised(self.flow()), ("192.0.2.9", 5060))
        self.assertEqual(service.advertised(self.flow("TCP", 49152)), ("192.0.2.9", 5070))
        self.assertEqual(service.advertised(self.flow("TLS", 49152)), ("192.0.2.9", 49152))

    def test_severalListeners(self) -> None:
        """
        The listener on the same address comes first.
        """
        service = self.start("udp:5070:interface=10.0.0.9", "udp:5061:interface=192.0.2.9")
        self.assertEqual(service.advertised(self.flow(port=5061)), ("192.0.2.9", 5061))

    def test_D2_multihomed_port(self) -> None:
        """
        One for all addresses goes before others if a message came by it.
        """
        service = self.start("udp:5070:interface=192.0.2.9", "udp:5061")
        self.assertEqual(service.advertised(self.flow(port=5061)), ("192.0.2.9", 5061))
        self.assertEqual(service.advertised(self.flow(port=5070)), ("192.0.2.9", 5070))

    def test_advertise(self) -> None:
        """
        What is configured goes before; the port only if it is given.
        """
        service = self.start("udp:5060", advertise=("srs.example.com", None))
        self.assertEqual(service.advertised(self.flow()), ("srs.example.com", 5060))
        service = self.start("udp:5060", "tcp:5060", advertise=("[2001:db8::1]", 6060))
        self.assertEqual(service.advertised(self.flow()), ("2001:db8::1", 6060))
        self.assertEqual(service.advertised(self.flow("TCP")), ("2001:db8::1", 6060))

    def test_advertiseTLS(self) -> None:
        """
        The configured port is not that of TLS, where UDP or TCP is there too.
        """
        service = self.start("udp:5060", advertise=("srs.example.com", 6060))
        self.assertEqual(service.advertised(self.flow("TLS", 5061)), ("srs.example.com", 5061))
