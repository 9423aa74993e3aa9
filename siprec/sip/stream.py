"""
SIP over TCP and TLS (RFC 3261 section 18, RFC 5626 section 4.4.1).
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHandshakeListener,
    IPushProducer,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from siprec.sip.flow import Flow, Witness, unseen
from siprec.sip.framing import Framed, Invalid, Ping, StreamFramer
from siprec.sip.interfaces import FlowGone, IMessageReceiver
from siprec.sip.matching import plainHost

#: Seconds a peer may take for one message, or for the TLS handshake.  Longer
#: ones are attacks or broken connections.
MESSAGE_TIME = 30.0

#: Gives the names of the peer of a connection whose handshake is done, or
#: C{None} if it is the wrong one.
Identify = Callable[[Any], tuple[str, ...] | None]

#: Seconds that a peer whose stream is broken has for reading our answer.
_LINGER = 5.0


def _nobody(transport: object) -> tuple[str, ...]:
    """
    Nothing shows who it is.
    """
    return ()


def _unused(connection: int) -> bool:
    """
    Nobody knows of any use of it.
    """
    return False


@define(eq=False, repr=False)
class StreamLimits:
    """
    May be changed while there are connections.

    @ivar idle: seconds after which a connection by which nothing came or went
        is closed; 0: never.
    @ivar perHost: connections with one address at a time; 0: no limit.
    @ivar inUse: tells by its number whether a quiet connection is still needed.
    """

    idle: float = 0.0
    perHost: int = 0
    inUse: Callable[[int], bool] = _unused


@define(eq=False, repr=False)
class StreamSurroundings:
    """
    What all stream connections of one transport share.

    @ivar opened: is told of each new connection.
    @ivar closed: is told of each connection that is no more.
    @ivar witness: is told of each message that comes.
    """

    clock: IReactorTime
    receiver: IMessageReceiver
    counters: Counter[str]
    opened: Callable[["StreamConnection"], None]
    closed: Callable[["StreamConnection"], None]
    limits: StreamLimits = field(factory=StreamLimits)
    witness: Witness = unseen


@implementer(IPushProducer, IHandshakeListener)
class StreamConnection(Protocol):
    """
    One connection, whoever opened it.

    As a producer it stands for the answers to what it reads: it stops reading
    from a peer that does not take them.

    @ivar flow: valid from C{connectionMade} on.
    """

    # A TCP connection, or TLS around one.
    transport: Any
    _log = Logger()

    def __init__(
        self, transport: str, number: int, around: StreamSurroundings, identify: Identify
    ) -> None:
        self.flow = Flow(transport, ("", 0), ("", 0), number)
        self._around = around
        self._identify = identify
        self._framer = StreamFramer(self._came)
        self._deadline: IDelayedCall | None = None
        self._idle: IDelayedCall | None = None
        self._active = 0.0
        self._open = False
        self._secured = transport != "TLS"
        self._waiting: list[Deferred[Flow]] = []

    def connectionMade(self) -> None:
        """
        The connection is there; with TLS the handshake is still to come.
        """
        host, peer = self.transport.getHost(), self.transport.getPeer()
        self.flow = Flow(
            self.flow.transport,
            (plainHost(host.host), host.port),
            (plainHost(peer.host), peer.port),
            self.flow.connection,
        )
        if ITCPTransport.providedBy(self.transport):
            # Peers that vanish without a word must not be kept for ever.
            self.transport.setTcpKeepAlive(True)
            self.transport.setTcpNoDelay(True)
        self._open = True
        self.transport.registerProducer(self, True)
        if not self._secured:
            self._startDeadline()
        self._active = self._around.clock.seconds()
        self._watchIdle(self._around.limits.idle)
        self._around.opened(self)

    @property
    def isOpen(self) -> bool:
        """
        Whether anything can be sent.
        """
        return self._open

    def handshakeCompleted(self) -> None:
        """
        TLS is up and the peer's certificate, if one was wanted, is of an
        authority that we trust: whose is it?
        """
        self._secured = True
        self._stopDeadline()
        names = self._identify(self.transport)
        if names is None:
            self._around.counters["wrongPeers"] += 1
            for waiter in self._take():
                waiter.errback(FlowGone("the certificate is of somebody else"))
            self.abort()
            return
        self.flow = evolve(self.flow, identities=names)
        for waiter in self._take():
            waiter.callback(self.flow)

    def whenReady(self) -> Deferred[Flow]:
        """
        @return: fires when messages can be sent; fails with L{FlowGone} if
            that never comes.
        """
        if not self._open:
            return fail(FlowGone("the connection is closed"))
        if self._secured:
            return succeed(self.flow)
        waiter: Deferred[Flow] = Deferred()
        self._waiting.append(waiter)
        return waiter

    def dataReceived(self, data: bytes) -> None:
        """
        Some bytes came.
        """
        if not self.isOpen:
            return
        self._active = self._around.clock.seconds()
        events = self._framer.feed(data)
        for event in events:
            if not self._open:
                return
            self._received(event)
        if self._open and (events or self._deadline is None):
            # A new message has its own time; more bytes of the same one have not.
            self._stopDeadline()
            if self._framer.partial:
                self._startDeadline()

    def send(self, data: bytes) -> None:
        """
        @raise FlowGone: the connection is closed.
        """
        if not self._open:
            raise FlowGone("the connection is closed")
        self._active = self._around.clock.seconds()
        self.transport.write(data)

    def close(self) -> None:
        """
        Close the connection once all is sent.
        """
        if self._open:
            self._open = False
            self._stopDeadline()
            self._stopIdle()
            # TLS would wait for a producer.
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def _refuse(self) -> None:
        """
        Close the connection, but so that the peer can read our last answer: to
        close while it still sends would reset the connection, and the answer
        would be gone with it.
        """
        if not self._open:
            return
        if self.flow.transport != "TCP":
            # TLS has no half of a connection that could be closed alone.
            self.close()
            return
        self._open = False
        self._stopDeadline()
        self._stopIdle()
        self.transport.unregisterProducer()
        self.transport.loseWriteConnection()
        # What still comes is passed over until the peer closes or this ends.
        self._deadline = self._around.clock.callLater(_LINGER, self._lingered)

    def _lingered(self) -> None:
        self._deadline = None
        self.transport.abortConnection()

    def abort(self) -> None:
        """
        Close the connection at once.
        """
        self._open = False
        self._stopDeadline()
        self._stopIdle()
        self.transport.abortConnection()

    def pauseProducing(self) -> None:
        """
        The peer does not take our answers: read no more from it.
        """
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """
        Our answers have gone out.
        """
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """
        The transport closes.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is no more.
        """
        self._open = False
        self._stopDeadline()
        self._stopIdle()
        if not self._secured:
            self._around.counters["handshakeFailures"] += 1
            self._log.info(
                "{peer}: TLS failed: {why}", peer=self.flow.remote, why=reason.getErrorMessage()
            )
        for waiter in self._take():
            waiter.errback(FlowGone(f"TLS failed: {reason.getErrorMessage()}"))
        self._around.closed(self)

    def _came(self, *parts: bytes) -> None:
        self._around.witness(self.flow, False, *parts)

    def _received(self, event: Framed) -> None:
        if isinstance(event, Ping):
            self._around.counters["pings"] += 1
            self.transport.write(b"\r\n")
        elif isinstance(event, Invalid):
            self._around.receiver.badMessage(event.error, self.flow)
            if event.fatal:
                self._around.counters["brokenStreams"] += 1
                self._refuse()
        else:
            self._around.receiver.messageReceived(event, self.flow)

    def _take(self) -> list[Deferred[Flow]]:
        waiting, self._waiting = self._waiting, []
        return waiting

    def _startDeadline(self) -> None:
        self._deadline = self._around.clock.callLater(MESSAGE_TIME, self._late)

    def _stopDeadline(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None:
            deadline.cancel()

    def _watchIdle(self, seconds: float) -> None:
        if self._around.limits.idle:
            self._idle = self._around.clock.callLater(seconds, self._mayBeIdle)

    def _mayBeIdle(self) -> None:
        self._idle = None
        limits = self._around.limits
        if not limits.idle:
            return
        left = self._active + limits.idle - self._around.clock.seconds()
        if left > 0 or limits.inUse(self.flow.connection):
            self._watchIdle(left if left > 0 else limits.idle)
        else:
            self._around.counters["idleConnections"] += 1
            self.close()

    def _stopIdle(self) -> None:
        idle, self._idle = self._idle, None
        if idle is not None:
            idle.cancel()

    def _late(self) -> None:
        self._deadline = None
        self._around.counters["lateMessages"] += 1
        self._log.info(
            "{peer}: closed, no whole message in {seconds} s",
            peer=self.flow.remote,
            seconds=MESSAGE_TIME,
        )
        self.abort()


class StreamFactory(Factory):
    """
    Makes the protocols of one listener or of one outgoing connection.
    """

    noisy = False

    def __init__(
        self,
        transport: str,
        numbers: Callable[[], int],
        around: StreamSurroundings,
        identify: Identify = _nobody,
    ) -> None:
        self._transport = transport
        self._numbers = numbers
        self._around = around
        self._identify = identify

    def buildProtocol(self, addr: IAddress | None) -> StreamConnection:
        """
        A peer is connected.
        """
        return StreamConnection(self._transport, self._numbers(), self._around, self._identify)
