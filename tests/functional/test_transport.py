"""
L{siprec.sip.transport} and L{siprec.sip.layer} with real sockets.
"""

import socket
from typing import Any, cast

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.protocol import Factory
from twisted.python.filepath import FilePath
from twisted.trial.unittest import SkipTest, TestCase

from siprec.sip.flow import Flow
from siprec.sip.interfaces import FlowGone
from siprec.sip.layer import SipLayer
from siprec.sip.message import Request, Response, makeResponse, parseMessage
from siprec.sip.tls import SipTLS, TLSFiles
from siprec.sip.transport import ListenFailed, TransportService
from tests.functional.peers import DatagramPeer, StreamPeer, User, options, run, selfSigned

reactor = cast(Any, _reactor)


class TransportTests(TestCase):
    """
    A node's transport and its peers, on the loopback addresses.
    """

    def start(self, *listen: str, **more: Any) -> TransportService:
        """
        @return: a transport that listens, with a layer and a user of its own.
        """
        layer = SipLayer(reactor)
        self.user = layer.user = User()
        self.layer = layer
        service = TransportService(reactor, listen, None, layer, **more)
        layer.transport = service
        service.startService()
        self.addCleanup(service.stopService)
        self.addCleanup(layer.stop)
        return service

    def datagrams(self, interface: str = "127.0.0.1") -> DatagramPeer:
        """
        @return: an open UDP socket.
        """
        peer = DatagramPeer()
        port = reactor.listenUDP(0, peer, interface=interface, maxPacketSize=65535)
        self.addCleanup(port.stopListening)
        return peer

    async def stream(self, service: TransportService) -> StreamPeer:
        """
        @return: a connection to the first listener.
        """
        _, host, port = service.addresses[0]
        kind = TCP6ClientEndpoint if ":" in host else TCP4ClientEndpoint
        endpoint = kind(reactor, host, port)
        peer = cast(StreamPeer, await endpoint.connect(Factory.forProtocol(StreamPeer)))
        self.addCleanup(lambda: peer.closed)
        self.addCleanup(peer.transport.loseConnection)
        return peer

    async def exchange(self, peer: DatagramPeer, data: bytes, to: tuple[str, int]) -> Response:
        """
        @return: the answer to a datagram.
        """
        cast(Any, peer.transport).write(data, to)
        answer, _ = await peer.received.get()
        response = parseMessage(answer)
        assert isinstance(response, Response)
        return response

    def ipv6(self) -> None:
        """
        @raise SkipTest: this machine has no IPv6.
        """
        try:
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
                probe.bind(("::1", 0))
        except OSError as error:
            raise SkipTest("no ::1 on this machine") from error

    @run
    async def test_D2_largeDatagram(self) -> None:
        """
        A request of 60,000 bytes over UDP arrives whole.
        """
        service = self.start("udp:0:interface=127.0.0.1")
        peer, (_, host, port) = self.datagrams(), service.addresses[0]
        body = bytes(range(256)) * 235
        response = await self.exchange(
            peer, options("UDP 127.0.0.1;rport", body=body), (host, port)
        )
        self.assertEqual(response.status, 200)
        transaction = await self.user.requests.get()
        self.assertEqual(transaction.request.body, body)

    @run
    async def test_D2_rport(self) -> None:
        """
        The answer comes to the port the request left from, from the socket it
        was sent to, also on the wildcard; the flow knows our real address.
        """
        service = self.start("udp:0", "udp:0")
        peer = self.datagrams()
        source = cast(Any, peer.transport).getHost().port
        for number, (_, _, port) in enumerate(service.addresses):
            data = options("UDP 10.9.9.9:5060;rport", f"z9hG4bKr{number}")
            cast(Any, peer.transport).write(data, ("127.0.0.1", port))
            answer, came = await peer.received.get()
            self.assertEqual(came, ("127.0.0.1", port))
            via = parseMessage(answer).via
            self.assertEqual(
                (via.param("received"), via.param("rport")), ("127.0.0.1", str(source))
            )
            transaction = await self.user.requests.get()
            self.assertEqual(transaction.flow.local, ("127.0.0.1", port))

    @run
    async def test_D2_ipv6(self) -> None:
        """
        Over IPv6 all is the same, over UDP and over TCP.
        """
        self.ipv6()
        service = self.start("tcp:0:interface=::1", "udp:0:interface=::1")
        stream = await self.stream(service)
        stream.transport.write(options("TCP [::1]"))
        self.assertEqual(parseMessage(await stream.received.get()).via.host, "::1")
        peer, (_, host, port) = self.datagrams("::1"), service.addresses[1]
        response = await self.exchange(peer, options("UDP [::1];rport"), (host, port))
        self.assertEqual(response.via.param("received"), "::1")
        self.assertEqual((await self.user.requests.get()).flow.local[0], "::1")

    @run
    async def test_bothFamilies(self) -> None:
        """
        The IPv6 wildcard serves IPv4 peers, who are known by their IPv4 addresses.
        """
        self.ipv6()
        service = self.start("udp:0:interface=::")
        peer, (_, _, port) = self.datagrams(), service.addresses[0]
        response = await self.exchange(peer, options("UDP x;rport"), ("127.0.0.1", port))
        self.assertEqual(response.via.param("received"), "127.0.0.1")
        flow = (await self.user.requests.get()).flow
        self.assertEqual((flow.local, flow.remote[0]), (("127.0.0.1", port), "127.0.0.1"))

    @run
    async def test_D2_split(self) -> None:
        """
        Over TCP messages arrive however they are cut, and are answered on the
        same connection.
        """
        service = self.start("tcp:0:interface=127.0.0.1")
        peer = await self.stream(service)
        peer.transport.setTcpNoDelay(True)
        data = options("TCP 127.0.0.1", body=b"x" * 3000) + options("TCP 127.0.0.1", "z9hG4bKf2")
        for start in range(0, len(data), 100):
            peer.transport.write(data[start : start + 100])
            turn: Deferred[None] = Deferred()
            reactor.callLater(0, turn.callback, None)
            await turn
        received = b""
        while received.count(b"SIP/2.0 200 OK") < 2:
            received += await peer.received.get()
        self.assertIn(b"branch=z9hG4bKf2", received)

    @run
    async def test_D2_keepalive(self) -> None:
        """
        Two line breaks on a connection are answered with one.
        """
        peer = await self.stream(self.start("tcp:0:interface=127.0.0.1"))
        peer.transport.write(b"\r\n\r\n")
        self.assertEqual(await peer.received.get(), b"\r\n")

    @run
    async def test_D2_stun(self) -> None:
        """
        A STUN request at the port is answered with where it came from.
        """
        service = self.start("udp:0:interface=127.0.0.1")
        peer = DatagramPeer()
        port = reactor.listenUDP(0, peer, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        asked = bytes.fromhex("000100002112a442") + bytes(12)
        port.write(asked, service.addresses[0][1:])
        data, _ = await peer.received.get()
        self.assertEqual(data[:2] + data[4:20], b"\x01\x01" + asked[4:])
        self.assertEqual(int.from_bytes(data[26:28], "big") ^ 0x2112, port.getHost().port)

    @run
    async def test_D2_multihomed(self) -> None:
        """
        A socket that is bound to all addresses answers from the one that was
        asked, and tells that to the user; STUN and IPv6 as well.
        """
        for interface, addresses in (
            ("0.0.0.0", ("127.0.0.1", "127.0.0.2", "127.0.3.4")),
            (r"\:\:", ("127.0.0.1", "127.0.0.2", "::1")),
        ):
            service = self.start(f"udp:0:interface={interface}")
            port = service.addresses[0][2]
            for address in addresses:
                peer = DatagramPeer()
                host = "::1" if ":" in address else "127.0.0.1"
                opened = reactor.listenUDP(0, peer, interface=host)
                self.addCleanup(opened.stopListening)
                for data in (
                    options(f"UDP {host};rport".replace("::1", "[::1]"), f"z9hG4bK{port}{address}"),
                    bytes.fromhex("000100002112a442") + bytes(12),
                ):
                    opened.write(data, (address, port))
                    _, source = await peer.received.get()
                    self.assertEqual(source[:2], (address, port))
                transaction = await self.user.requests.get()
                self.assertEqual(transaction.flow.local, (address, port))
                self.assertEqual(service.advertised(transaction.flow), (address, port))

    @run
    async def test_D2_broken(self) -> None:
        """
        A stream that cannot be cut into messages is answered 400 and closed.
        """
        peer = await self.stream(self.start("tcp:0:interface=127.0.0.1"))
        peer.transport.write(options("TCP x").replace(b"Length: 0", b"Length: nine"))
        self.assertIn(b"SIP/2.0 400 ", await peer.received.get())
        await peer.closed
        self.assertEqual(self.layer.counters["badRequests"], 1)

    @run
    async def test_D2_reuse(self) -> None:
        """
        Requests to one peer share one connection; a request of ours goes by
        the connection the peer opened.
        """
        far = self.start("tcp:0:interface=127.0.0.1")
        farUser = self.user
        near = self.start("tcp:0:interface=127.0.0.1")
        _, host, port = far.addresses[0]
        first = near.connect("TCP", host, port)
        second = await near.connect("TCP", host, port)
        self.assertEqual(await first, second)
        request = parseMessage(options("TCP x"))
        assert isinstance(request, Request)
        bare = Request(request.method, request.uri, request.headers.without("Via"))
        response = await self.layer.sendRequest(bare, second)
        self.assertEqual(response.status, 200)
        # And back, by the same connection.
        flow = (await farUser.requests.get()).flow
        back = await far.connect("TCP", *flow.remote)
        self.assertEqual(back, flow)

    @run
    async def test_D2_answerAfterClose(self) -> None:
        """
        If the connection of a request is closed before the answer, this comes
        by a new one, to the port that the Via names (RFC 3261 section 18.2.2).
        """
        service = self.start("tcp:0:interface=127.0.0.1")
        self.user.answering = False
        accepted: DeferredQueue[StreamPeer] = DeferredQueue()

        class Accepting(StreamPeer):
            def connectionMade(self) -> None:
                accepted.put(self)

        port = reactor.listenTCP(0, Factory.forProtocol(Accepting), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        peer = await self.stream(service)
        peer.transport.write(options(f"TCP 127.0.0.1:{port.getHost().port}"))
        transaction = await self.user.requests.get()
        peer.transport.loseConnection()
        await peer.closed
        while self.isOpen(service, transaction.flow):
            turn: Deferred[None] = Deferred()
            reactor.callLater(0, turn.callback, None)
            await turn
        transaction.respond(makeResponse(transaction.request, 200))
        again = await accepted.get()
        self.addCleanup(lambda: again.closed)
        self.addCleanup(again.transport.loseConnection)
        self.assertIn(b"SIP/2.0 200 OK", await again.received.get())

    def isOpen(self, service: TransportService, flow: Flow) -> bool:
        """
        @return: whether anything can be sent on this flow.
        """
        try:
            service.send(flow, b"\r\n")
        except FlowGone:
            return False
        return True

    @run
    async def test_tls(self) -> None:
        """
        Over TLS a request and its answer pass, once the certificate is good.
        """
        path, _ = selfSigned(FilePath(self.mktemp()))
        text = f"ssl:0:interface=127.0.0.1:privateKey={path}:certKey={path}"
        far = self.start(text)
        tls = SipTLS(TLSFiles(authority=path))
        near = self.start("udp:0:interface=127.0.0.1", tls=tls)
        flow = await near.connect("TLS", *far.addresses[0][1:])
        request = parseMessage(options("TLS x"))
        assert isinstance(request, Request)
        bare = Request(request.method, request.uri, request.headers.without("Via"))
        response = await self.layer.sendRequest(bare, flow)
        self.assertEqual((response.status, response.via.transport), (200, "TLS"))

    @run
    async def test_tlsUntrusted(self) -> None:
        """
        To a peer whose certificate is not trusted there is no flow.
        """
        path, _ = selfSigned(FilePath(self.mktemp()))
        far = self.start(f"ssl:0:interface=127.0.0.1:privateKey={path}:certKey={path}")
        near = self.start("udp:0:interface=127.0.0.1")
        try:
            await near.connect("TLS", *far.addresses[0][1:])
        except FlowGone as error:
            self.assertIn("certificate", str(error))
        else:
            self.fail("connected to an untrusted peer")

    @run
    async def test_refused(self) -> None:
        """
        Where nobody listens there is no flow.
        """
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            near = self.start("tcp:0:interface=127.0.0.1")
            try:
                await near.connect("TCP", "127.0.0.1", port)
            except FlowGone as error:
                self.assertIn(f"127.0.0.1:{port}", str(error))
            else:
                self.fail("connected to nobody")

    def test_portInUse(self) -> None:
        """
        A port that is taken ends the start with the string in question, and
        what was open is closed.
        """
        first = self.start("tcp:0:interface=127.0.0.1", "udp:0:interface=127.0.0.1")
        for transport, _, port in first.addresses:
            text = f"{transport.lower()}:{port}:interface=127.0.0.1"
            service = TransportService(
                reactor, ["udp:0:interface=127.0.0.1", text], None, self.layer
            )
            error = self.assertRaises(ListenFailed, service.startService)
            self.assertIn(text, str(error))
            self.assertEqual(service.addresses, [])
