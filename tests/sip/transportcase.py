"""
What the tests of the transport have in common.
"""

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.datagram import FacingAddresses
from siprec.sip.stream import StreamConnection
from siprec.sip.transport import TransportService
from tests.sip.sockets import Receiver, SocketReactor


class TransportCase(SynchronousTestCase):
    """
    A transport on a reactor without a network.
    """

    def setUp(self) -> None:
        self.reactor = SocketReactor()
        self.receiver = Receiver()
        self.addCleanup(lambda: self.assertEqual(self.reactor.getDelayedCalls(), []))

    def make(
        self, *listen: str, advertise: tuple[str, int | None] | None = None
    ) -> TransportService:
        """
        @return: a transport that is not started.
        """
        facing = FacingAddresses(
            self.reactor.seconds, lambda host: "2001:db8::9" if ":" in host else "192.0.2.9"
        )
        return TransportService(self.reactor, listen, advertise, self.receiver, facing=facing)

    def start(
        self, *listen: str, advertise: tuple[str, int | None] | None = None
    ) -> TransportService:
        """
        @return: a transport that listens.
        """
        service = self.make(*listen, advertise=advertise)
        service.startService()
        self.addCleanup(lambda: self.successResultOf(service.stopService()))
        return service

    def accept(self, index: int = 0) -> tuple[StreamConnection, StringTransport]:
        """
        A peer connects to a TCP listener.
        """
        factory: Any = self.reactor.tcpServers[index][1]
        peer = IPv4Address("TCP", "192.0.2.7", 40000)
        connection = factory.buildProtocol(peer)
        transport = StringTransport(IPv4Address("TCP", "192.0.2.9", 5060), peer)
        connection.makeConnection(transport)
        self.addCleanup(connection.connectionLost)
        return connection, transport
