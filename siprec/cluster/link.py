"""
One connection between two nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.cluster.answering import MAX_REQUESTS, Answering
from siprec.cluster.errors import LinkBusy, LinkLost, PeerFailed, PeerLeft, Refusal, UnknownKind
from siprec.cluster.handshake import (
    TIME_LIMIT,
    Authenticated,
    Effects,
    Handshake,
    HandshakeError,
    Peer,
    Send,
)
from siprec.cluster.outbox import Outbox
from siprec.cluster.pending import Pending
from siprec.cluster.wire import (
    Answer,
    BadFrame,
    Failed,
    FrameReader,
    Goodbye,
    Message,
    Notice,
    Ping,
    Pong,
    Request,
    Unsendable,
    encode,
)

__all__ = [
    "CLOSE_TIME",
    "MAX_REQUESTS",
    "SILENT_BEATS",
    "Link",
    "LinkBusy",
    "LinkLost",
    "LinkSurroundings",
    "Peer",
    "PeerFailed",
    "Refusal",
    "UnknownKind",
]

#: Seconds that a peer has for taking what is left when we close.
CLOSE_TIME = 1.0

#: So many beats without anything from the peer are a bad sign.
SILENT_BEATS = 3


@define(eq=False, repr=False)
class LinkSurroundings:
    """
    What all links of one node share.

    @ivar answer: is given the peer, kind and body of each request and notice; its
        result, or what its Deferred or coroutine brings, is the answer.
    @ivar connected: is told of each new connection.
    @ivar opened: is told of each link that is authenticated.
    @ivar refused: is told of each that will not be, and why.
    @ivar closed: is told of each connection that is no more.
    """

    clock: IReactorTime
    answer: Callable[[Peer, str, Any], Any]
    connected: Callable[[Link], None]
    opened: Callable[[Link], None]
    refused: Callable[[Link, HandshakeError], None]
    closed: Callable[[Link], None]


class Link(Protocol):
    """
    One connection, whoever opened it: first the handshake, then requests, notices and
    pings in both directions.

    @ivar ours: whether this node opened it.
    @ivar peer: who is there, once it is authenticated.
    @ivar schema: the message schema that both speak; 0 until then.
    @ivar isOpen: whether anything can be sent.
    @ivar broken: whether it was lost although no side closed it on purpose.
    @ivar lastUse: when something was last sent or received, by the clock.
    @ivar lastHeard: when something was last received, likewise.
    """

    # A TCP connection, or TLS around one.
    transport: Any
    _log = Logger()

    def __init__(self, handshake: Handshake, around: LinkSurroundings, ours: bool) -> None:
        self.ours = ours
        self.peer: Peer | None = None
        self.schema = 0
        self.isOpen = False
        self.broken = False
        self.lastUse = self.lastHeard = around.clock.seconds()
        self._handshake = handshake
        self._around = around
        self._reader = FrameReader()
        self._outbox = Outbox(self._write)
        self._limit: IDelayedCall | None = None
        self._leaving = False
        self._lost = False
        self._goodbye = False
        self._number = 0
        self._requests = Pending(around.clock)
        self._pings = Pending(around.clock)
        self._answering = Answering(around.answer, self._reply, self._urgent)
        self._heard = True
        self._missed = 0
        self._waiting: list[Deferred[Link]] = []

    # What the node does

    def whenReady(self) -> Deferred[Link]:
        """
        @return: fires with this link once it is authenticated; fails with
            L{HandshakeError} if the peer is refused, and with L{LinkLost} if the
            connection ends before.
        """
        if self.isOpen:
            return succeed(self)
        if self._lost:
            return fail(LinkLost("closed before it was authenticated"))
        waiter: Deferred[Link] = Deferred(self._waiting.remove)
        self._waiting.append(waiter)
        return waiter

    def request(self, kind: str, body: Any, timeout: float) -> Deferred[Any]:
        """
        Ask the peer.

        @param body: see L{siprec.cluster.wire.pack}.
        @param timeout: longest wait for the answer, in seconds.
        @return: fires with the answer's body, in which tuples have become lists.
            Fails with L{PeerFailed} (the peer says so), L{LinkLost},
            L{TimeoutError} (the built-in one), L{LinkBusy} (nothing was sent) or
            L{Unsendable}.
        """
        if not self.isOpen:
            return fail(LinkLost("the connection is closed"))
        if len(self._requests) >= MAX_REQUESTS:
            return fail(LinkBusy(f"{MAX_REQUESTS} requests are under way"))
        number = self._nextNumber()
        try:
            data = encode(Request(number, kind, body))
        except Unsendable as error:
            return fail(error)
        self._used()
        if not self._outbox.send(data):
            return fail(LinkBusy("the peer does not take what was sent"))
        return self._requests.wait(number, timeout)

    def notify(self, kind: str, body: Any) -> None:
        """
        Tell the peer something.

        @raise LinkLost: the connection is closed.
        @raise LinkBusy: the peer does not take what was sent; this was not.
        @raise Unsendable: see L{siprec.cluster.wire.pack}.
        """
        if not self.isOpen:
            raise LinkLost("the connection is closed")
        self._used()
        if not self._outbox.send(encode(Notice(kind, body))):
            raise LinkBusy("the peer does not take what was sent")

    def ping(self, timeout: float) -> Deferred[None]:
        """
        @return: fires when the peer's process has answered; fails with L{LinkLost} or
            L{TimeoutError}.
        """
        if not self.isOpen:
            return fail(LinkLost("the connection is closed"))
        number = self._nextNumber()
        self._outbox.sendUrgent(encode(Ping(number)))
        return self._pings.wait(number, timeout)

    def beat(self) -> int:
        """
        Send a ping of those that go out at regular times.

        Anything that came counts as an answer: a pong waits for the end of what the
        peer is sending.  Beats are counted, not seconds, so that the time in which
        this process itself stood still is not put down to the peer.

        @return: how many beats before this one, in a row, have brought nothing.
        """
        self._missed = 0 if self._heard else self._missed + 1
        self._heard = False
        self._outbox.sendUrgent(encode(Ping(self._nextNumber())))
        return self._missed

    @property
    def isSilent(self) -> bool:
        """
        Whether L{SILENT_BEATS} beats or more brought nothing.
        """
        return self._missed >= SILENT_BEATS

    @property
    def isIdle(self) -> bool:
        """
        Whether nobody waits for anything on it.
        """
        waited = self._requests or self._pings or self._answering.underWay
        return not waited and self._outbox.isEmpty

    def close(self, goodbye: bool = False) -> None:
        """
        Close the connection once the transport has sent what it has; what still waits
        for it is dropped.

        @param goodbye: tell the peer that this node lives on.
        """
        if not self.isOpen:
            self.abort()
            return
        if goodbye:
            self._outbox.sendUrgent(encode(Goodbye()))
        self._leave()
        # TLS would wait for a producer.
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        self._limit = self._around.clock.callLater(CLOSE_TIME, self._closeLate)

    def abort(self) -> None:
        """
        Close the connection at once.
        """
        self._leave()
        if not self._lost:
            self.transport.abortConnection()

    # What the transport tells

    def connectionMade(self) -> None:
        """
        The connection is there; with TLS, its handshake is still to come.
        """
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
            self.transport.setTcpKeepAlive(True)
        self._limit = self._around.clock.callLater(TIME_LIMIT, self._tooLate)
        self._around.connected(self)
        self._run(self._handshake.start())

    def dataReceived(self, data: bytes) -> None:
        """
        Some bytes came.
        """
        if self._leaving:
            return
        self._used()
        self._heard = True
        self.lastHeard = self.lastUse
        if self.peer is None:
            self._run(self._handshake.feed(data))
        else:
            self._read(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is no more.
        """
        self.broken = self.isOpen and not self._leaving
        self._lost, self.isOpen = True, False
        self._stopLimit()
        self._outbox.stopProducing()
        why = f"the connection was lost: {reason.getErrorMessage()}"
        if self.peer is None:
            why += " (before it was authenticated: is the cluster secret the same?)"
        lost = PeerLeft(why) if self._goodbye else LinkLost(why)
        self._around.closed(self)
        self._requests.fail(lost)
        self._pings.fail(lost)
        self._failWaiting(lost)

    # The handshake

    def _run(self, effects: Effects) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self.transport.write(effect.data)
            elif isinstance(effect, Authenticated):
                self._authenticated(effect)
            else:
                self._refused(effect.error)

    def _authenticated(self, done: Authenticated) -> None:
        self._stopLimit()
        self.peer, self.schema, self.isOpen = done.peer, done.schema, True
        self.transport.registerProducer(self._outbox, True)
        self._around.opened(self)
        while self._waiting:
            self._waiting.pop().callback(self)
        if done.rest and self.isOpen:
            self._read(done.rest)

    def _refused(self, error: HandshakeError) -> None:
        self._around.refused(self, error)
        # So that a greeting or proof that was sent just now still goes out.
        self._leave()
        self.transport.loseConnection()
        self._limit = self._around.clock.callLater(CLOSE_TIME, self._closeLate)
        self._failWaiting(error)

    def _tooLate(self) -> None:
        self._limit = None
        self._run(self._handshake.timeout())

    # Messages

    def _read(self, data: bytes) -> None:
        try:
            messages = self._reader.feed(data)
        except BadFrame as error:
            self._log.warn("{peer}: closed, {reason}", peer=self.peer, reason=str(error))
            self.abort()
            return
        for message in messages:
            if self._leaving:
                return
            assert self.peer is not None
            self._received(message, self.peer)

    def _received(self, message: Message, peer: Peer) -> None:
        match message:
            case Request(number, kind, body):
                self._answering.work(peer, kind, body, number)
            case Notice(kind, body):
                self._answering.work(peer, kind, body, None)
            case Answer(number, body):
                self._requests.answer(number, body)
            case Failed(number, name, text):
                self._requests.refuse(number, PeerFailed(name, text))
            case Ping(number):
                self._urgent(encode(Pong(number)))
            case Pong(number):
                self._pings.answer(number, None)
            case Goodbye():
                self._goodbye = True
                self.abort()

    def _reply(self, data: bytes) -> bool:
        # Nobody waits for it where the connection is gone.
        return not self.isOpen or self._outbox.send(data)

    def _urgent(self, data: bytes) -> None:
        if self.isOpen and not self._outbox.sendUrgent(data):
            # It asks and asks, and takes no answers.
            self._log.warn("{peer}: closed, it does not take answers", peer=self.peer)
            self.abort()

    # Ends

    def _failWaiting(self, error: Exception) -> None:
        while self._waiting:
            self._waiting.pop().errback(error)

    def _leave(self) -> None:
        self._leaving, self.isOpen = True, False
        self._stopLimit()

    def _closeLate(self) -> None:
        self._limit = None
        self.transport.abortConnection()

    def _stopLimit(self) -> None:
        limit, self._limit = self._limit, None
        if limit is not None:
            limit.cancel()

    def _write(self, data: bytes) -> None:
        self.transport.write(data)

    def _used(self) -> None:
        self.lastUse = self._around.clock.seconds()

    def _nextNumber(self) -> int:
        self._number += 1
        return self._number
