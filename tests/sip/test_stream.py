"""
Tests for L{siprec.sip.stream}.
"""

from collections import Counter

from twisted.internet.address import IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener, IPushProducer, ITCPTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.sip.flow import Flow
from siprec.sip.interfaces import FlowGone
from siprec.sip.stream import StreamConnection, StreamFactory, StreamSurroundings
from tests.sip.sockets import HERE, THERE, Receiver, TCPTransport, wire


class StreamTests(SynchronousTestCase):
    """
    One connection.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.receiver = Receiver()
        self.counters: Counter[str] = Counter()
        self.opened: list[StreamConnection] = []
        self.closed: list[StreamConnection] = []
        self.around = around = StreamSurroundings(
            self.clock, self.receiver, self.counters, self.opened.append, self.closed.append
        )
        numbers = iter(range(7, 99))
        self.plain = StreamFactory("TCP", lambda: next(numbers), around)
        self.secure = StreamFactory("TLS", lambda: next(numbers), around)
        self.wire = StringTransport(HERE, THERE)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def connect(self, factory: StreamFactory | None = None) -> StreamConnection:
        """
        @return: a connection that has just been made.
        """
        connection = (factory or self.plain).buildProtocol(None)
        connection.makeConnection(self.wire)
        self.addCleanup(connection.connectionLost)
        return connection

    def methods(self) -> list[str]:
        """
        @return: the methods of what was received.
        """
        return [message.cseq.method for message, _ in self.receiver.messages]

    def test_interfaces(self) -> None:
        """
        A connection is a producer, and learns of the end of the handshake.
        """
        connection = self.connect()
        verifyObject(IPushProducer, connection)
        verifyObject(IHandshakeListener, connection)
        verifyObject(ITCPTransport, TCPTransport())

    def test_flow(self) -> None:
        """
        The flow has both addresses and the number of the connection.
        """
        connection = self.connect()
        flow = Flow("TCP", ("192.0.2.9", 5060), ("192.0.2.7", 40000), 7)
        self.assertEqual(connection.flow, flow)
        self.assertEqual(self.opened, [connection])
        self.assertEqual(self.successResultOf(connection.whenReady()), flow)

    def test_mappedAddress(self) -> None:
        """
        An IPv4 peer of an IPv6 listener is known by its IPv4 address.
        """
        self.wire.peerAddr = IPv6Address("TCP", "::ffff:192.0.2.7", 40000)
        self.assertEqual(self.connect().flow.remote, ("192.0.2.7", 40000))

    def test_options(self) -> None:
        """
        TCP finds out itself when a peer has vanished, and sends at once.
        """
        self.wire = transport = TCPTransport()
        self.connect()
        self.assertTrue(transport.getTcpKeepAlive() and transport.getTcpNoDelay())

    def test_D2_split(self) -> None:
        """
        Messages are found however the stream is cut.
        """
        connection = self.connect()
        data = wire("OPTIONS") + b"\r\n" + wire("BYE")
        for start in range(0, len(data), 7):
            connection.dataReceived(data[start : start + 7])
        self.assertEqual(self.methods(), ["OPTIONS", "BYE"])
        self.assertEqual({flow for _, flow in self.receiver.messages}, {connection.flow})

    def test_D2_keepalive(self) -> None:
        """
        Two line breaks are answered with one (RFC 5626 section 4.4.1).
        """
        self.connect().dataReceived(b"\r\n\r\n")
        self.assertEqual(self.wire.value(), b"\r\n")
        self.assertEqual(self.counters, {"pings": 1})

    def test_bad(self) -> None:
        """
        After a bad message whose end is known the connection goes on.
        """
        connection = self.connect()
        connection.dataReceived(wire().replace(b"Call-ID", b"X-Call") + wire("BYE"))
        self.assertEqual(len(self.receiver.bad), 1)
        self.assertEqual(self.methods(), ["BYE"])
        self.assertFalse(self.wire.disconnecting)

    def test_D2_fatal(self) -> None:
        """
        If nobody can tell where the next message begins, the request is
        answered first, and then the connection closed; nothing after it is read.
        The peer has 5 s to read the answer: to close at once, while it still
        sends, would reset the connection and take the answer away.
        """
        self.wire = transport = TCPTransport()
        connection = self.connect()
        answered: list[bool] = []

        def answer() -> None:
            connection.send(b"400")
            answered.append(transport.halfClosed)

        self.receiver.react = answer
        broken = wire().replace(b"Content-Length: 0", b"Content-Length: -999")
        connection.dataReceived(broken + wire("BYE"))
        connection.dataReceived(wire("BYE"))
        self.assertEqual((answered, transport.value()), ([False], b"400"))
        self.assertTrue(transport.halfClosed)
        self.assertFalse(connection.isOpen)
        self.assertEqual(self.methods(), [])
        self.assertEqual(self.counters, {"brokenStreams": 1})
        self.clock.advance(4.9)
        self.assertFalse(transport.disconnected)
        self.clock.advance(0.2)
        self.assertTrue(transport.disconnected)

    def test_D2_fatalTLS(self) -> None:
        """
        TLS is closed as a whole, and a peer that closes first ends the wait.
        """
        connection = self.connect(self.secure)
        connection.handshakeCompleted()
        connection.dataReceived(wire().replace(b"Content-Length: 0", b"Content-Length: x"))
        self.assertTrue(self.wire.disconnecting)

    def test_closedMeanwhile(self) -> None:
        """
        What follows a message at which the connection was closed is not read.
        """
        connection = self.connect()
        self.receiver.react = connection.close
        connection.dataReceived(wire() + wire() + b"BYE")
        self.assertTrue(self.wire.disconnecting)
        self.assertEqual(len(self.receiver.messages), 1)

    def test_D2_slowMessage(self) -> None:
        """
        A message that is not whole after 30 seconds closes the connection,
        even if it trickles in.
        """
        connection = self.connect()
        for byte in wire()[:29]:
            connection.dataReceived(bytes([byte]))
            self.clock.advance(1)
        self.assertFalse(self.wire.disconnected)
        self.clock.advance(1)
        self.assertTrue(self.wire.disconnected)
        self.assertEqual(self.counters, {"lateMessages": 1})

    def test_D2_eachMessageHasItsTime(self) -> None:
        """
        The time begins anew with each message, and an idle connection lives.
        """
        connection = self.connect()
        connection.dataReceived(wire()[:50])
        self.clock.advance(20)
        connection.dataReceived(wire()[50:] + wire()[:50])
        self.clock.advance(20)
        connection.dataReceived(wire()[50:])
        self.clock.advance(3600)
        self.assertFalse(self.wire.disconnected)
        self.assertEqual(len(self.receiver.messages), 2)

    def test_send(self) -> None:
        """
        What is sent goes out, until the connection is closed or lost.
        """
        connection = self.connect()
        connection.send(b"x")
        self.assertEqual((self.wire.value(), connection.isOpen), (b"x", True))
        connection.close()
        connection.close()
        self.assertTrue(self.wire.disconnecting)
        self.assertFalse(connection.isOpen)
        self.assertRaises(FlowGone, connection.send, b"x")
        self.failureResultOf(connection.whenReady(), FlowGone)

    def test_lost(self) -> None:
        """
        A lost connection is told of, and has no timers left.
        """
        connection = self.connect()
        connection.dataReceived(b"BYE")
        connection.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.closed, [connection])
        self.assertRaises(FlowGone, connection.send, b"x")

    def test_backPressure(self) -> None:
        """
        From a peer that does not take our answers nothing more is read.
        """
        connection = self.connect()
        self.assertIs(self.wire.producer, connection)
        connection.pauseProducing()
        self.assertEqual(self.wire.producerState, "paused")
        connection.resumeProducing()
        self.assertEqual(self.wire.producerState, "producing")
        connection.stopProducing()

    def test_handshake(self) -> None:
        """
        With TLS the flow can be used after the handshake.
        """
        connection = self.connect(self.secure)
        ready = connection.whenReady()
        self.assertNoResult(ready)
        connection.handshakeCompleted()
        self.assertEqual(self.successResultOf(ready), connection.flow)
        self.assertEqual(self.successResultOf(connection.whenReady()), connection.flow)

    def test_identities(self) -> None:
        """
        After the handshake the flow has the names of the peer.
        """
        factory = StreamFactory("TLS", lambda: 7, self.around, lambda wire: ("a",))
        connection = self.connect(factory)
        connection.handshakeCompleted()
        self.assertEqual(connection.flow.identities, ("a",))

    def test_wrongPeer(self) -> None:
        """
        A peer that turns out to be the wrong one gets no message.
        """
        factory = StreamFactory("TLS", lambda: 7, self.around, lambda wire: None)
        connection = self.connect(factory)
        ready = connection.whenReady()
        connection.handshakeCompleted()
        self.failureResultOf(ready, FlowGone)
        self.assertTrue(self.wire.disconnected)
        self.assertEqual(self.counters["wrongPeers"], 1)

    def test_handshakeFails(self) -> None:
        """
        If the connection ends first, there is no flow.
        """
        connection = self.connect(self.secure)
        ready = connection.whenReady()
        connection.connectionLost(Failure(ConnectionDone("bad certificate")))
        reason = self.failureResultOf(ready, FlowGone)
        self.assertIn("bad certificate", str(reason.value))
        self.assertEqual(self.counters["handshakeFailures"], 1)

    def test_slowHandshake(self) -> None:
        """
        A handshake that is not done after 30 seconds closes the connection.
        """
        self.connect(self.secure)
        self.clock.advance(30)
        self.assertTrue(self.wire.disconnected)

    def test_idle(self) -> None:
        """
        A connection by which nothing comes or goes for a while is closed.
        """
        self.around.limits.idle = 60
        connection = self.connect()
        for act in (lambda: connection.dataReceived(b"\r\n"), lambda: connection.send(b"x")):
            self.clock.advance(59)
            act()
        self.clock.advance(59)
        self.assertFalse(self.wire.disconnecting)
        self.clock.advance(1)
        self.assertTrue(self.wire.disconnecting)
        self.assertEqual(self.counters["idleConnections"], 1)

    def test_idleInUse(self) -> None:
        """
        One that a call needs stays, however quiet it is, until it does not.
        """
        used = {7}
        self.around.limits.idle = 60
        self.around.limits.inUse = used.__contains__
        self.connect()
        self.clock.pump([60] * 5)
        self.assertFalse(self.wire.disconnecting)
        used.clear()
        self.clock.advance(60)
        self.assertTrue(self.wire.disconnecting)

    def test_idleSwitchedOff(self) -> None:
        """
        The limit can be taken away while there are connections.
        """
        self.around.limits.idle = 60
        connection = self.connect()
        self.around.limits.idle = 0
        connection.dataReceived(b"\r\n")
        self.clock.advance(61)
        self.assertFalse(self.wire.disconnecting)
        self.assertEqual(self.clock.getDelayedCalls(), [])
