"""
The stream connections of a node: those that peers opened and our own, so that
requests can go by one that is open (RFC 3261 section 18).
"""

import itertools
from collections import Counter
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from siprec.sip.flow import Flow, Witness, unseen
from siprec.sip.identity import identities
from siprec.sip.interfaces import FlowGone, IMessageReceiver
from siprec.sip.matching import isAddress
from siprec.sip.stream import (
    StreamConnection,
    StreamFactory,
    StreamLimits,
    StreamSurroundings,
)
from siprec.sip.tls import SipTLS

#: Seconds to wait for a connection or a name: less than a transaction waits.
CONNECT_TIME = 10.0
#: Seconds that connections have to send what is left when all are closed.
CLOSE_TIME = 2.0

# Transport, host and port, and whose certificate is to be shown.
_Target = tuple[str, str, int, str]


class Connections:
    """
    All stream connections, by their numbers and by the peers they lead to.

    @ivar limits: of all of them.
    """

    def __init__(
        self,
        reactor: Any,
        receiver: IMessageReceiver,
        counters: Counter[str],
        tls: SipTLS,
        witness: Witness = unseen,
    ) -> None:
        """
        @param reactor: provides C{IReactorTime}, C{IReactorTCP} and
            C{IReactorPluggableNameResolver}.
        @param tls: of our connections to peers.
        @param witness: is told of each message that comes.
        """
        self._reactor = reactor
        self._tls = tls
        self.limits = StreamLimits()
        self._counters = counters
        self._around = StreamSurroundings(
            reactor, receiver, counters, self._opened, self._closed, self.limits, witness
        )
        self._hosts: Counter[str] = Counter()
        self._numbers = itertools.count(1).__next__
        self._open: dict[int, StreamConnection] = {}
        self._targets: dict[_Target, StreamConnection] = {}
        self._names: dict[int, list[_Target]] = {}
        self._attempts: dict[_Target, Deferred[None]] = {}
        self._waiting: dict[_Target, list[Deferred[Flow]]] = {}
        self._emptied: list[Deferred[None]] = []

    def __len__(self) -> int:
        return len(self._open)

    def factory(self, transport: str) -> StreamFactory:
        """
        @param transport: C{"TCP"} or C{"TLS"}.
        @return: what makes the protocol of each new connection.
        """
        return StreamFactory(transport, self._numbers, self._around, self._whoever)

    def _whoever(self, transport: Any) -> tuple[str, ...]:
        shown = transport.getPeerCertificate()
        return () if shown is None else identities(shown.to_cryptography())

    def _toHost(self, host: str, name: str) -> StreamFactory:
        def identify(transport: Any) -> tuple[str, ...] | None:
            shown = transport.getPeerCertificate()
            if shown is None or not self._tls.accepts(shown.to_cryptography(), host, name):
                return None
            return self._whoever(transport)

        return StreamFactory("TLS", self._numbers, self._around, identify)

    def send(self, flow: Flow, data: bytes) -> None:
        """
        Send by the connection of this flow.

        @raise FlowGone: it is closed.
        """
        connection = self._open.get(flow.connection)
        if connection is None:
            raise FlowGone(f"the connection to {flow.remote[0]} is closed")
        connection.send(data)

    def isOpen(self, flow: Flow) -> bool:
        """
        @return: whether the connection of this flow can still be sent by.
        """
        connection = self._open.get(flow.connection)
        return connection is not None and connection.isOpen

    def connect(self, transport: str, host: str, port: int, name: str = "") -> Deferred[Flow]:
        """
        Connect to a peer, or take the open connection to it.

        @param name: see L{siprec.sip.interfaces.ISipTransport.connect}.
        @return: fails with L{FlowGone}.
        """
        target = (transport, host, port, name)
        known = self._targets.get(target)
        if known is not None and known.isOpen:
            return known.whenReady()
        waiter: Deferred[Flow] = Deferred()
        if target in self._waiting:
            self._waiting[target].append(waiter)
            return waiter
        self._waiting[target] = [waiter]
        attempt = maybeDeferred(self._attempt, *target)
        settled = attempt.addCallback(self._reached, target).addBoth(self._settled, target)
        if not settled.called:
            self._attempts[target] = settled
        return waiter

    def close(self) -> Deferred[None]:
        """
        Give up what is not connected yet, and close all connections; those
        whose peers do not take what is left to send, after a while.

        @return: fires when there is none any more.
        """
        for attempt in list(self._attempts.values()):
            attempt.cancel()
        for connection in list(self._open.values()):
            connection.close()
        if not self._open:
            return succeed(None)
        emptied: Deferred[None] = Deferred()
        self._emptied.append(emptied)
        late = self._reactor.callLater(CLOSE_TIME, self._abort)

        def done(result: None) -> None:
            if late.active():
                late.cancel()

        return emptied.addCallback(done)

    def _abort(self) -> None:
        for connection in list(self._open.values()):
            connection.abort()

    def _attempt(
        self, transport: str, host: str, port: int, name: str
    ) -> Deferred[StreamConnection]:
        factory: Any = self.factory(transport)
        if transport == "TLS":
            # Without a clock it would take the global reactor.
            tls, made = self._tls.client(name or host), self._toHost(host, name)
            factory = TLSMemoryBIOFactory(tls, True, made, clock=self._reactor)
        connecting: Deferred[Any] = self._endpoint(host, port).connect(factory)
        # TLS wraps the protocol that is wanted.
        return connecting.addCallback(lambda made: getattr(made, "wrappedProtocol", made))

    def _endpoint(self, host: str, port: int) -> IStreamClientEndpoint:
        if not isAddress(host):
            return HostnameEndpoint(self._reactor, host, port, timeout=CONNECT_TIME)
        kind = TCP6ClientEndpoint if ":" in host else TCP4ClientEndpoint
        return kind(self._reactor, host, port, timeout=CONNECT_TIME)

    def _reached(self, connection: StreamConnection, target: _Target) -> Deferred[Flow]:
        # The name we were asked for, beside the address that it led to.
        if connection.isOpen:
            self._name(connection, target)
        return connection.whenReady()

    def _name(self, connection: StreamConnection, target: _Target) -> None:
        self._targets[target] = connection
        self._names.setdefault(connection.flow.connection, []).append(target)

    def _settled(self, result: Flow | Failure, target: _Target) -> None:
        self._attempts.pop(target, None)
        for waiter in self._waiting.pop(target):
            if isinstance(result, Failure):
                why = f"{target[0]} to {target[1]}:{target[2]}: {result.getErrorMessage()}"
                waiter.errback(FlowGone(why))
            else:
                waiter.callback(result)

    def _opened(self, connection: StreamConnection) -> None:
        flow = connection.flow
        self._open[flow.connection] = connection
        self._hosts[flow.remote[0]] += 1
        most = self.limits.perHost
        if most and self._hosts[flow.remote[0]] > most:
            self._counters["tooManyConnections"] += 1
            connection.abort()
        else:
            self._name(connection, (flow.transport, *flow.remote, ""))

    def _closed(self, connection: StreamConnection) -> None:
        number, host = connection.flow.connection, connection.flow.remote[0]
        if self._open.pop(number, None) is not None:
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]
        for target in self._names.pop(number, ()):
            if self._targets.get(target) is connection:
                del self._targets[target]
        if not self._open:
            emptied, self._emptied = self._emptied, []
            for waiter in emptied:
                waiter.callback(None)
