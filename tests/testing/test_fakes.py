"""
Tests for L{siprec.testing.fakes}.
"""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.media.interfaces import ICapture, ICapturedStream, IPortPair, IPortPool
from siprec.sip.headers import parseVia
from siprec.sip.interfaces import FlowGone, ISipTransport
from siprec.sip.message import Request
from siprec.testing.fakes import (
    FakeCapture,
    FakeCapturedStream,
    FakePortPair,
    FakePortPool,
    FakeSipTransport,
)

MESSAGE = (
    b"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=1\r\n"
    b"To: <sip:b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


class FakeSipTransportTests(SynchronousTestCase):
    """
    SIP without a network.
    """

    def setUp(self) -> None:
        self.transport = FakeSipTransport()

    def test_interface(self) -> None:
        """
        The fake has all that the interface names.
        """
        verifyObject(ISipTransport, self.transport)

    def test_connect(self) -> None:
        """
        TCP to the same place is the same connection; UDP has none.
        """
        first = self.successResultOf(self.transport.connect("TCP", "192.0.2.9", 5060))
        again = self.successResultOf(self.transport.connect("TCP", "192.0.2.9", 5060))
        other = self.successResultOf(self.transport.connect("TCP", "192.0.2.8", 5060))
        udp = self.successResultOf(self.transport.connect("UDP", "192.0.2.9", 5060))
        self.assertEqual([f.connection for f in (first, again, other, udp)], [1, 1, 2, 0])
        self.assertEqual(first.remote, ("192.0.2.9", 5060))
        self.assertEqual(self.transport.advertised(first), first.local)

    def test_send(self) -> None:
        """
        What was sent can be taken once.
        """
        flow = self.successResultOf(self.transport.connect("UDP", "192.0.2.9", 5060))
        self.transport.send(flow, MESSAGE)
        [message] = self.transport.take()
        assert isinstance(message, Request)
        self.assertEqual(message.method, "OPTIONS")
        self.assertEqual(self.transport.take(), [])

    def test_gone(self) -> None:
        """
        A network that is away fails as the interface says.
        """
        flow = self.successResultOf(self.transport.connect("UDP", "192.0.2.9", 5060))
        via = parseVia("SIP/2.0/UDP h;branch=z9hG4bK1")
        self.assertIs(self.successResultOf(self.transport.reply(via, flow)), flow)
        self.transport.gone = True
        self.failureResultOf(self.transport.connect("UDP", "192.0.2.9", 5060), FlowGone)
        self.failureResultOf(self.transport.reply(via, flow), FlowGone)
        self.assertRaises(FlowGone, self.transport.send, flow, MESSAGE)


class FakePortPoolTests(SynchronousTestCase):
    """
    Ports without sockets.
    """

    def setUp(self) -> None:
        self.pool = FakePortPool(20000, 2)

    def test_interface(self) -> None:
        """
        The fakes have all that the interfaces name.
        """
        verifyObject(IPortPool, self.pool)
        verifyObject(IPortPair, FakePortPair("192.0.2.1", 20000))

    def test_allocate(self) -> None:
        """
        Each pair is another one, as long as there are any.
        """
        first, second = self.pool.allocate("192.0.2.1"), self.pool.allocate("192.0.2.1")
        self.assertEqual((first.rtpPort, first.rtcpPort), (20000, 20001))
        self.assertEqual(second.rtpPort, 20002)
        self.assertRaises(OSError, self.pool.allocate, "192.0.2.1")
        self.pool.release(first)
        self.pool.release(first)
        self.assertEqual((self.pool.free, self.pool.taken), (1, [second]))

    def test_claim(self) -> None:
        """
        Given ports can be had once, and only even ones.
        """
        pair = self.pool.claim("192.0.2.1", 30000)
        self.assertEqual((pair.rtpPort, self.pool.free), (30000, 1))
        self.assertRaises(OSError, self.pool.claim, "192.0.2.1", 30000)
        self.assertRaises(ValueError, self.pool.claim, "192.0.2.1", 30001)

    def test_claimedAhead(self) -> None:
        """
        What was claimed is not handed out as well.
        """
        self.pool.claim("192.0.2.1", 20000)
        self.assertEqual(self.pool.allocate("192.0.2.1").rtpPort, 20002)

    def test_share(self) -> None:
        """
        A pair knows what was said of it last, and a claim whether it was of shared
        ports.
        """
        pair = self.pool.claim("192.0.2.1", 20000, shared=True)
        self.assertEqual(self.pool.claims, [(20000, True)])
        self.pool.share(pair)
        self.assertEqual(pair.state, "shared")
        self.pool.divert(pair)
        self.assertEqual(pair.state, "diverted")
        self.pool.refusal = OSError("no")
        for step in (self.pool.share, self.pool.divert):
            self.assertRaises(OSError, step, pair)
        self.pool.unshare(pair)
        self.assertEqual(pair.state, "")


class FakeCaptureTests(SynchronousTestCase):
    """
    Streams without packets.
    """

    def setUp(self) -> None:
        self.capture = FakeCapture()
        self.pair = FakePortPair("192.0.2.1", 20000)

    def test_interface(self) -> None:
        """
        The fakes have all that the interfaces name.
        """
        verifyObject(ICapture, self.capture)
        verifyObject(ICapturedStream, FakeCapturedStream("x", self.pair))

    def test_stream(self) -> None:
        """
        A stream is attached until it is detached; once more does nothing.
        """
        stream = self.capture.attach(self.pair, "1-0.rtpdump")
        self.assertEqual((stream.path, self.capture.attached), ("1-0.rtpdump", [stream]))
        self.assertIs(self.successResultOf(self.capture.detach(stream, 0.5)), stream)
        self.successResultOf(self.capture.detach(stream))
        self.assertEqual((self.capture.attached, self.capture.detached), ([], [(stream, 0.5)]))

    def test_quiet(self) -> None:
        """
        Those that were to end in silence are known.
        """
        stream = self.capture.attach(self.pair, "x")
        self.successResultOf(self.capture.detachWhenQuiet(stream, 0.25, 7.0))
        self.successResultOf(self.capture.detachWhenQuiet(stream))
        self.assertEqual(self.capture.detached, [(stream, 7.0)])
        self.assertEqual(self.capture.quiet, [(stream, 0.25)])

    def test_waiting(self) -> None:
        """
        A test may decide when detaching has ended.
        """
        waiting: list[Deferred[ICapturedStream]] = []
        self.capture.waiting = waiting
        stream = self.capture.attach(self.pair, "x")
        done = self.capture.detach(stream)
        self.assertNoResult(done)
        waiting[0].callback(stream)
        self.assertIs(self.successResultOf(done), stream)

    def test_failure(self) -> None:
        """
        Attaching can be made to fail.
        """
        self.capture.failure = OSError("stopped")
        self.assertRaises(OSError, self.capture.attach, self.pair, "x")
