"""
The test client's own sockets: L{siprec.testing.rtp.MediaSockets} and
L{siprec.testing.client.RecordingClient} without a fake transport.
"""

import socket

from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from siprec.sip.flow import Flow
from siprec.sip.interfaces import IServerTransaction, ITransactionUser
from siprec.sip.layer import SipLayer
from siprec.sip.message import Request, makeResponse
from siprec.sip.transport import TransportService
from siprec.testing.client import RecordingClient
from siprec.testing.fakes import FakeSipTransport
from siprec.testing.rtp import MediaSockets

HOST = "127.0.0.1"


class MediaSocketsTests(SynchronousTestCase):
    """
    Pairs of ports.
    """

    def test_pair(self) -> None:
        """
        RTP is on an even port and RTCP on the next one; both send from there.
        """
        peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(peer.close)
        peer.bind((HOST, 0))
        peer.settimeout(5)
        pair = MediaSockets.open(HOST)
        self.addCleanup(pair.close)
        self.assertEqual(pair.port % 2, 0)
        pair.sendMedia(b"rtp", peer.getsockname())
        self.assertEqual(peer.recvfrom(10), (b"rtp", (HOST, pair.port)))
        pair.sendControl(b"rtcp", peer.getsockname())
        self.assertEqual(peer.recvfrom(10), (b"rtcp", (HOST, pair.port + 1)))

    def test_none(self) -> None:
        """
        An address that is not ours, and a search that finds nothing, are
        errors.
        """
        self.assertRaises(OSError, MediaSockets.open, "192.0.2.1")
        self.assertRaises(OSError, MediaSockets.open, HOST, 0)


@implementer(ITransactionUser)
class Recorder:
    """
    Answers every request 200.
    """

    def requestReceived(
        self, transaction: IServerTransaction, request: Request, flow: Flow
    ) -> None:
        transaction.respond(makeResponse(request, 200, toTag=transaction.toTag))

    def ackReceived(self, ack: Request, flow: Flow) -> None: ...

    def cancelReceived(self, transaction: IServerTransaction, cancel: Request) -> None: ...

    def transactionEnded(self, transaction: IServerTransaction) -> None: ...


class RecordingClientTests(TestCase):
    """
    The client over real UDP and TCP.
    """

    async def _options(self, transport: str) -> None:
        layer = SipLayer(reactor, FakeSipTransport(), Recorder())
        service = TransportService(
            reactor, [f"{transport.lower()}:0:interface={HOST}"], None, layer
        )
        layer.transport = service
        service.startService()
        self.addCleanup(lambda: maybeDeferred(service.stopService))
        self.addCleanup(layer.stop)
        await service.opened()
        [(_, host, port)] = service.addresses
        client = RecordingClient(reactor, transport, host, port)
        await client.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(client.stop()))
        call = client.call()
        self.assertEqual(len({leg.port for leg in call.legs}), 2)
        self.assertEqual((await client.options()).status, 200)

    def test_UDP(self) -> Deferred[None]:
        """
        A request and its answer over UDP.
        """
        return Deferred.fromCoroutine(self._options("UDP"))

    def test_TCP(self) -> Deferred[None]:
        """
        A request and its answer over TCP.
        """
        return Deferred.fromCoroutine(self._options("TCP"))
