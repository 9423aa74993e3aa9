"""
The SIP transport of a node: its listeners and its connections (RFC 3261 section
18, RFC 3581).
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, fail, maybeDeferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from siprec.sip.connections import CONNECT_TIME, Connections
from siprec.sip.datagram import MAX_DATAGRAM, DatagramListener, FacingAddresses, isWildcard
from siprec.sip.errors import SipError
from siprec.sip.flow import Flow, Witness, unseen
from siprec.sip.headers import Via
from siprec.sip.interfaces import FlowGone, IMessageReceiver, ISipTransport
from siprec.sip.listen import Listen, parseListen
from siprec.sip.matching import isAddress, plainHost, replyAddress
from siprec.sip.resolve import resolve
from siprec.sip.tls import SipTLS


class ListenFailed(SipError):
    """
    A listening string cannot be followed.

    @ivar listen: the string as configured.
    """

    def __init__(self, listen: str, reason: str) -> None:
        super().__init__(
            f"sip.listen = {listen!r}: expected an address that can be listened on ({reason})"
        )
        self.listen = listen


def _planned(text: str) -> Listen | None:
    try:
        listen = parseListen(text)
    except ValueError:
        return None  # the start will say so
    return listen if listen.port else None


@implementer(ISipTransport)
class TransportService(Service):
    """
    Listens while it runs, and sends by what is open.

    @ivar counters: C{keepalives}, C{pings}, C{stun} and C{badStun} (damaged)
        that came, C{lateMessages} and
        C{brokenStreams} for which a connection was closed, C{sendBufferFull}:
        datagrams not sent since the system has no room for them;
        C{handshakeFailures} of TLS, and C{wrongPeers}, those that we connected
        to and that have a certificate of somebody else.
        Also C{idleConnections} and C{tooManyConnections} that were closed.
    @ivar tls: the files of TLS.
    @ivar limits: of stream connections.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        listen: Sequence[str],
        advertise: tuple[str, int | None] | None,
        receiver: IMessageReceiver,
        tls: SipTLS | None = None,
        facing: FacingAddresses | None = None,
        witness: Witness = unseen,
    ) -> None:
        """
        @param reactor: provides C{IReactorTime}, C{IReactorUDP},
            C{IReactorTCP}, C{IReactorSSL} and C{IReactorPluggableNameResolver}.
        @param listen: see L{parseListen}.
        @param advertise: host and port under which peers reach us, if not what
            we listen on.  The port is for UDP and TCP; TLS keeps the one it
            listens on, unless TLS is all there is.
        @param tls: of our listeners and our connections; by default there is no
            certificate, and who the system trusts is trusted.
        @param witness: is told of each message that comes, and of each that has
            been sent.
        """
        self.counters: Counter[str] = Counter()
        self._reactor = reactor
        self._listen = tuple(listen)
        self._advertise = advertise
        self._receiver = receiver
        self._facing = facing or FacingAddresses(reactor.seconds)
        self.tls = tls or SipTLS()
        self._witness = witness
        self._connections = Connections(reactor, receiver, self.counters, self.tls, witness)
        self.limits = self._connections.limits
        self._ports: list[tuple[str, IListeningPort]] = []
        self._addresses: list[tuple[str, str, int]] = []
        self._datagrams: list[DatagramListener] = []
        self._adopted: dict[tuple[str, str, int], IListeningPort] = {}
        self._outcome: Failure | bool = False
        self._starting: list[Deferred[None]] = []

    # Service

    def startService(self) -> None:
        """
        Open all sockets.

        @raise ListenFailed: one of them cannot be opened; then none stays open.
        """
        super().startService()
        try:
            for text in self._listen:
                self._open(text)
        except ListenFailed as error:
            self.running = False
            self._outcome = Failure(error)
            self._closePorts()
            self._started()
            raise
        self._outcome = True
        self._started()

    def opened(self) -> Deferred[None]:
        """
        @return: fires when all sockets are open; fails with L{ListenFailed}.
        """
        if isinstance(self._outcome, Failure):
            return fail(self._outcome)
        if self._outcome:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._starting.append(waiter)
        return waiter

    def stopService(self) -> Deferred[None]:
        """
        Close everything.

        @return: fires when no socket is open any more.
        """
        super().stopService()
        self._outcome = False
        return self._closePorts().addCallback(lambda _: self._connections.close())

    @property
    def addresses(self) -> list[tuple[str, str, int]]:
        """
        Transport, host and port of each listener, in the order configured.
        """
        return list(self._addresses)

    @property
    def connections(self) -> int:
        """
        How many stream connections are open.
        """
        return len(self._connections)

    # Addresses of other nodes

    @property
    def adopted(self) -> list[tuple[str, str, int]]:
        """
        Transport, host and port of each address of another node that is
        listened at here.
        """
        return list(self._adopted)

    def adopt(self, transport: str, host: str, port: int) -> None:
        """
        Listen at the address of a node that is dead as well, for its peers.

        @param transport: C{"UDP"} or C{"TCP"}.
        @raise ListenFailed: it cannot be had, as it is not on this host or is
            in use.
        """
        address = (transport, host, port)
        if address in self._adopted or not self.running:
            return
        listen = f"{transport.lower()}:{port}:interface={host}"
        self._adopted[address] = self._listenAt(listen, parseListen(listen))

    def abandon(self, transport: str, host: str, port: int) -> Deferred[None]:
        """
        Undo L{adopt}.  Connections that came by it stay.

        @return: fires when the address can be bound by another process.
        """
        adopted = self._adopted.pop((transport, host, port), None)
        if adopted is None:
            return succeed(None)
        self._datagrams = [each for each in self._datagrams if each.address != (host, port)]
        closing = maybeDeferred(adopted.stopListening).addErrback(self._closeFailed)
        return closing.addCallback(lambda _: None)

    def ours(self, flow: Flow) -> Flow:
        """
        @param flow: of a peer with another node, or an earlier process.
        @return: a flow to the same peer from an address of this process: the
            same one where it is listened at; a connection is yet to be made.
        @raise FlowGone: no listener can reach the peer.
        """
        if flow.transport == "UDP":
            if self._listenerAt(flow.local):
                return flow
            return self._datagramFlow([flow.remote[0]], flow.remote[1])
        local = next(
            ((host, port) for kind, host, port in self.addresses if kind == flow.transport), None
        )
        if local is None:
            return Flow(flow.transport, flow.local, flow.remote)
        if isWildcard(local[0]):
            local = (self._facing.get(flow.remote[0]) or flow.local[0], local[1])
        return Flow(flow.transport, local, flow.remote)

    @property
    def planned(self) -> list[tuple[str, str, int]]:
        """
        The same before the start, of each listener whose port is configured.
        """
        planned = [each for each in map(_planned, self._listen) if each is not None]
        return [(each.transport, each.interface or "0.0.0.0", each.port) for each in planned]

    # ISipTransport

    def send(self, flow: Flow, data: bytes) -> None:
        """
        See L{ISipTransport.send}.  A datagram of a flow whose local address is
        not of this process, as it came to a node that is dead, goes by the
        socket that is best for its peer.
        """
        if flow.connection or flow.transport != "UDP":
            self._connections.send(flow, data)
        else:
            listener = self._listenerAt(flow.local)
            if listener is None:
                listener, _ = self._listenerTo([flow.remote[0]])
                flow = listener.flow(flow.remote)
            listener.send(data, flow.remote, flow.local[0])
        self._witness(flow, True, data)

    def connect(self, transport: str, host: str, port: int, name: str = "") -> Deferred[Flow]:
        """
        See L{ISipTransport.connect}.
        """
        host = plainHost(host)
        if not self.running:
            return fail(FlowGone("the SIP transport is stopped"))
        if transport != "UDP":
            return self._connections.connect(transport, host, port, name)
        if isAddress(host):
            return maybeDeferred(self._datagramFlow, [host], port)
        found = resolve(self._reactor.nameResolver, self._reactor, host, CONNECT_TIME)
        return found.addCallbacks(
            lambda hosts: self._datagramFlow(hosts, port),
            lambda reason: Failure(FlowGone(f"{host}: {reason.getErrorMessage()}")),
        )

    def reply(self, via: Via, flow: Flow) -> Deferred[Flow]:
        """
        See L{ISipTransport.reply}.
        """
        host, port = replyAddress(via, flow)
        if flow.transport == "UDP" and self._listenerAt(flow.local) is not None:
            return succeed(Flow("UDP", flow.local, (host, port)))
        if self._connections.isOpen(flow):
            return succeed(flow)
        return self.connect(flow.transport, host, port)

    def advertised(self, flow: Flow) -> tuple[str, int]:
        """
        See L{ISipTransport.advertised}.
        """
        if flow.transport == "UDP" and self._datagrams and not self._listenerAt(flow.local):
            listener, host = self._listenerTo([flow.remote[0]])
            flow = listener.flow((host, flow.remote[1]))
        # What a connection of our own came from, no peer can connect to.
        port = self._listeningPort(flow) or flow.local[1]
        if self._advertise is None:
            return flow.local[0], port
        host, given = self._advertise
        kinds = {transport for transport, _ in self._ports}
        if given is not None and (flow.transport != "TLS" or kinds == {"TLS"}):
            port = given
        return plainHost(host), port

    # Listeners

    def _open(self, text: str) -> None:
        try:
            listen = parseListen(text)
        except ValueError as error:
            raise ListenFailed(text, str(error)) from error
        port = self._listenAt(text, listen)
        self._ports.append((listen.transport, port))
        address: Any = port.getHost()
        self._addresses.append((listen.transport, plainHost(address.host), int(address.port)))

    def _listenAt(self, text: str, listen: Listen) -> IListeningPort:
        try:
            port = self._listenUDP(listen) if listen.transport == "UDP" else self._bind(listen)
        except Exception as error:
            # From a port in use to a key file that cannot be read.
            raise ListenFailed(text, str(error)) from error
        self._log.info(
            "listening at {listen}: {transport} {address}",
            listen=text,
            transport=listen.transport,
            address=port.getHost(),
        )
        return port

    def _listenUDP(self, listen: Listen) -> IListeningPort:
        listener = DatagramListener(self._receiver, self._facing, self.counters, self._witness)
        port: IListeningPort = self._reactor.listenUDP(
            listen.port, listener, interface=listen.interface, maxPacketSize=MAX_DATAGRAM
        )
        self._datagrams.append(listener)
        return port

    def _bind(self, listen: Listen) -> IListeningPort:
        endpoint = serverFromString(self._reactor, listen.endpoint)
        factory: Any = self._connections.factory(listen.transport)
        if listen.transport == "TLS":
            # The endpoint of "ssl:" could neither ask for certificates of
            # peers nor read its own again.
            server = self.tls.server(listen.certificate, listen.key)
            factory = TLSMemoryBIOFactory(server, False, factory, clock=self._reactor)
        results: list[IListeningPort | Failure] = []
        endpoint.listen(factory).addBoth(results.append)
        # The endpoint of tcp: opens at once.
        (result,) = results
        if isinstance(result, Failure):
            result.raiseException()
        return result

    def _listeningPort(self, flow: Flow) -> int | None:
        local = flow.local
        same = [each for each in self._addresses if each[0] == flow.transport]
        for _, host, port in same:
            if port == local[1] and (host == local[0] or isWildcard(host)):
                return port
        for _, host, port in same:
            if host == local[0]:
                return port
        return same[0][2] if same else None

    def _started(self) -> None:
        starting, self._starting = self._starting, []
        for waiter in starting:
            self.opened().chainDeferred(waiter)

    def _closePorts(self) -> Deferred[None]:
        ports = [port for _, port in self._ports] + list(self._adopted.values())
        self._ports, self._addresses, self._datagrams, self._adopted = [], [], [], {}
        closing = [
            maybeDeferred(port.stopListening).addErrback(self._closeFailed) for port in ports
        ]
        return DeferredList(closing).addCallback(lambda _: None)

    def _closeFailed(self, reason: Failure) -> None:
        self._log.failure("a listener was not closed", reason)

    # Datagrams

    def _listenerAt(self, local: tuple[str, int]) -> DatagramListener | None:
        for listener in self._datagrams:
            host, port = listener.address
            if listener.address == local or (isWildcard(host) and port == local[1]):
                return listener
        return None

    def _listenerTo(self, hosts: Sequence[str]) -> tuple[DatagramListener, str]:
        """
        @return: the best socket to reach one of the hosts, and which that is.
        """
        for host in hosts:
            able = [listener for listener in self._datagrams if listener.reaches(host)]
            facing = self._facing.get(host)
            # The socket that is bound to where the system would send from is best.
            able.sort(key=lambda listener: listener.address[0] != facing)
            if able:
                return able[0], host
        raise FlowGone(f"no UDP listener can reach {', '.join(hosts) or 'a host without address'}")

    def _datagramFlow(self, hosts: Sequence[str], port: int) -> Flow:
        listener, host = self._listenerTo(hosts)
        return listener.flow((host, port))
