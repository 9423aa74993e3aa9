"""
Tests of what L{siprec.sip.transport} shows of the messages that pass it.
"""

from __future__ import annotations

from siprec.sip.flow import Flow
from siprec.sip.interfaces import FlowGone
from siprec.sip.transport import TransportService
from tests.sip.sockets import wire
from tests.sip.transportcase import TransportCase

PEER = ("192.0.2.7", 5060)
HERE = ("192.0.2.9", 5060)


class WitnessTests(TransportCase):
    """
    A witness of all messages.
    """

    def setUp(self) -> None:
        super().setUp()
        self.seen: list[tuple[Flow, bool, bytes]] = []

    def watched(self, *listen: str) -> TransportService:
        """
        @return: a transport that listens.
        """
        service = TransportService(self.reactor, listen, None, self.receiver, witness=self.witness)
        service.startService()
        self.addCleanup(lambda: self.successResultOf(service.stopService()))
        return service

    def witness(self, flow: Flow, sent: bool, *parts: bytes) -> None:
        """
        Note a message.
        """
        self.seen.append((flow, sent, b"".join(parts)))

    def test_datagrams(self) -> None:
        """
        Datagrams are shown as they come, before anybody acts on them, good or bad; and as they
        go.  Keep-alives are no messages.
        """
        service = self.watched("udp:5060:interface=192.0.2.9")
        [port] = self.reactor.udpPorts
        self.receiver.react = lambda: self.seen.append((flow, True, b"acted"))
        flow = Flow("UDP", HERE, PEER)
        for data in (wire(), b"\r\n\r\n", b"\x00\x01", b"nonsense"):
            port.protocol.datagramReceived(data, PEER)
        service.send(flow, b"answer")
        self.assertEqual(
            self.seen,
            [
                *((flow, False, wire()), (flow, True, b"acted")),
                *((flow, False, b"nonsense"), (flow, True, b"acted")),
                (flow, True, b"answer"),
            ],
        )

    def test_foreignFlow(self) -> None:
        """
        What goes by another socket than that of its flow is shown with the address
        that it really leaves from.
        """
        service = self.watched("udp:5060:interface=192.0.2.9")
        service.send(Flow("UDP", ("192.0.2.1", 5060), PEER), b"x")
        self.assertEqual(self.seen, [(Flow("UDP", HERE, PEER), True, b"x")])

    def test_notSent(self) -> None:
        """
        What cannot be sent is not shown.
        """
        service = self.watched("udp:5060:interface=192.0.2.9", "tcp:5060")
        self.reactor.udpPorts[0].error = OSError(101, "unreachable")
        for flow in (Flow("UDP", HERE, PEER), Flow("TCP", HERE, PEER, 7)):
            self.assertRaises(FlowGone, service.send, flow, b"x")
        self.assertEqual(self.seen, [])

    def test_connection(self) -> None:
        """
        So it is with the messages on connections, however they are cut.
        """
        service = self.watched("tcp:5060")
        connection, _ = self.accept()
        data = wire("OPTIONS") + b"\r\n\r\n" + wire("BYE")
        for start in range(0, len(data), 7):
            connection.dataReceived(data[start : start + 7])
        service.send(connection.flow, b"answer")
        flow = connection.flow
        self.assertEqual(
            self.seen,
            [(flow, False, wire("OPTIONS")), (flow, False, wire("BYE")), (flow, True, b"answer")],
        )
