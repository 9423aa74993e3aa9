"""
Tests for L{siprec.sip.transport}: sockets that come from elsewhere.
"""

from siprec.sip.flow import Flow
from siprec.sip.transport import ListenFailed
from tests.sip.sockets import wire
from tests.sip.transportcase import TransportCase

PEER = ("192.0.2.7", 5060)


class AdoptTests(TransportCase):
    """
    Listening for a node that is dead.
    """

    def test_adopt(self) -> None:
        """
        Its addresses are listened at as well, and what came there is answered
        from there; they are no addresses of this node.
        """
        service = self.start("udp:5060:interface=192.0.2.9")
        service.adopt("UDP", "192.0.2.8", 5060)
        service.adopt("UDP", "192.0.2.8", 5060)
        service.adopt("TCP", "2001:db8::8", 5070)
        own, adopted = self.reactor.udpPorts
        adopted.protocol.datagramReceived(wire(), PEER)
        ((_, flow),) = self.receiver.messages
        service.send(flow, b"x")
        self.assertEqual((own.sent, adopted.sent), ([], [(b"x", PEER)]))
        self.assertEqual(self.reactor.tcpServers[0][0], 5070)
        self.assertEqual(service.addresses, [("UDP", "192.0.2.9", 5060)])
        self.assertEqual(
            service.adopted, [("UDP", "192.0.2.8", 5060), ("TCP", "2001:db8::8", 5070)]
        )

    def test_abandon(self) -> None:
        """
        When its node is back, they are given back; what came by them is
        answered from an own address.
        """
        service = self.start("udp:5060:interface=192.0.2.9")
        service.adopt("UDP", "192.0.2.8", 5060)
        own, adopted = self.reactor.udpPorts
        adopted.protocol.datagramReceived(wire(), PEER)
        ((_, flow),) = self.receiver.messages
        self.successResultOf(service.abandon("UDP", "192.0.2.8", 5060))
        self.successResultOf(service.abandon("UDP", "192.0.2.8", 5060))
        self.assertFalse(adopted.listening)
        service.send(flow, b"x")
        self.assertEqual((own.sent, service.adopted), ([(b"x", PEER)], []))

    def test_inUse(self) -> None:
        """
        An address that cannot be had is not adopted.
        """
        service = self.start("udp:5060:interface=192.0.2.9")
        self.reactor.used.add(5060)
        self.assertRaises(ListenFailed, service.adopt, "UDP", "192.0.2.8", 5060)
        self.assertEqual(service.adopted, [])

    def test_stop(self) -> None:
        """
        The stop closes adopted addresses too, and nothing is adopted after it.
        """
        service = self.make("udp:5060:interface=192.0.2.9")
        service.startService()
        service.adopt("UDP", "192.0.2.8", 5060)
        self.successResultOf(service.stopService())
        self.assertEqual([port.listening for port in self.reactor.udpPorts], [False, False])
        service.adopt("UDP", "192.0.2.8", 5060)
        self.assertEqual(service.adopted, [])

    def test_ours(self) -> None:
        """
        A flow of another node becomes one from this node to the same peer.
        """
        service = self.start("udp:5060:interface=192.0.2.9", "tcp:5070")
        own = ("192.0.2.9", 5060)
        for transport, local, expected in (
            ("UDP", ("192.0.2.1", 5060), own),
            ("UDP", own, own),
            ("TCP", ("192.0.2.1", 5060), ("192.0.2.9", 5070)),
            ("TLS", ("192.0.2.1", 5061), ("192.0.2.1", 5061)),
        ):
            flow = service.ours(Flow(transport, local, PEER, 0))
            self.assertEqual(flow, Flow(transport, expected, PEER))
