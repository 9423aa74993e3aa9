"""
The local socket of a node by which its trace is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IPullProducer
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from siprec.trace.glance import callIDOf
from siprec.trace.masking import masked
from siprec.trace.place import SocketPlace, isAnswered
from siprec.trace.ring import Entry, TraceRing
from siprec.trace.wire import MAX_QUERY, BadQuery, Query, messageLine, noteLine, parsePeer

__all__ = ["TraceService"]

log = Logger()

#: Most readers at a time.
MAX_READERS = 16
#: Seconds for which messages are collected before those who follow are told.
PERIOD = 0.1
# At a time a reader gets so many octets, or so many messages are looked at, and the
# reactor turns to its other work.
_OCTETS, _MESSAGES = 65536, 20
# Seconds that readers have, when the service stops, to take what was sent.
_PATIENCE = 1.0

#: Gives the Call-IDs of a session.
Find = Callable[[str], Deferred[frozenset[str]]]


@frozen(eq=False)
class _Choice:
    """
    What a reader gets.

    @ivar callIDs: C{None}: of all calls.
    @ivar host: of the peer; empty: of all.
    @ivar port: of the peer; 0: any.
    """

    callIDs: frozenset[str] | None
    host: str
    port: int

    def takes(self, entry: Entry) -> bool:
        host, port = entry.flow.remote
        if (self.host and self.host != host) or (self.port and self.port != port):
            return False
        return self.callIDs is None or callIDOf(entry.data) in self.callIDs


@implementer(IPullProducer)
class _Reader(LineOnlyReceiver):
    """
    One who reads.  What it still has to get stays in the ring: a slow one misses what
    the ring does not keep any more, and is told how much that was.
    """

    delimiter = b"\n"
    MAX_LENGTH = MAX_QUERY
    transport: Any

    def __init__(self, service: TraceService) -> None:
        self._service = service
        self._query: Query | None = None
        self._choice = _Choice(None, "", 0)
        self._position = 0
        self._end = 0
        self._given = False
        self._later: IDelayedCall | None = None
        self._open = False

    def connectionMade(self) -> None:
        self._open = True
        if len(self._service.readers) >= MAX_READERS:
            self.finish("error", f"{MAX_READERS} others read the trace already")
        else:
            self._service.readers.append(self)

    def lineReceived(self, line: bytes) -> None:
        if self._query is not None or not self._open:
            return
        try:
            query = self._query = Query.parse(line)
        except BadQuery as error:
            self.finish("error", str(error))
            return
        if query.session:
            calls = self._service.find(query.session)
            calls.addCallback(self._begin, query).addErrback(self._failed)
        else:
            self._begin(frozenset((query.callID,)) if query.callID else None, query)

    def lineLengthExceeded(self, line: bytes) -> None:
        self.finish("error", f"a query of more than {MAX_QUERY} octets")

    def _failed(self, reason: Failure) -> None:
        if not reason.check(LookupError):
            log.failure("a reader of the trace gets nothing", reason)
        self.finish("error", reason.getErrorMessage())

    def _begin(self, calls: frozenset[str] | None, query: Query) -> None:
        if not self._open:
            return
        ring = self._service.ring
        self._choice = _Choice(calls, *parsePeer(query.peer))
        self._position, self._end = ring.first, ring.end
        self.transport.write(noteLine("node", self._service.name))
        # Twisted asks for the first part by that, and for another each time one is gone.
        self.transport.registerProducer(self, False)

    # IPullProducer

    def resumeProducing(self) -> None:
        """
        The transport can take more.
        """
        if self._later is not None or not self._open:
            return
        assert self._query is not None, "only one who has asked is a producer"
        ring = self._service.ring
        if self._query.follow:
            self._end = ring.end
        lines = self._next(ring)
        if lines:
            self.transport.write(b"".join(lines))
        elif self._position < self._end:
            self._later = self._service.clock.callLater(0, self._again)
        elif self._query.follow:
            self._service.wait(self)
        elif self._choice.callIDs is None or self._given:
            self.finish("end", "")
        else:
            calls = ", ".join(self._choice.callIDs)
            self.finish("error", f"no message of call {calls} is kept here")

    def stopProducing(self) -> None:
        """
        The connection is lost.
        """

    def _again(self) -> None:
        self._later = None
        self.resumeProducing()

    def _next(self, ring: TraceRing) -> list[bytes]:
        lines: list[bytes] = []
        size = 0
        if self._position < ring.first:
            lines.append(noteLine("missed", ring.first - self._position))
            self._service.missed += ring.first - self._position
            self._position = ring.first
        last = min(self._end, self._position + _MESSAGES)
        while self._position < last and size < _OCTETS:
            entry = ring.get(self._position)
            self._position += 1
            if self._choice.takes(entry):
                lines.append(messageLine(entry, masked(entry.data)))
                size += len(lines[-1])
                self._given = True
        return lines

    def finish(self, kind: str, why: str) -> None:
        """
        Say so, and close the connection once that has been taken.
        """
        if self._open:
            self._open = False
            self._forget()
            self.transport.unregisterProducer()
            self.transport.write(noteLine(kind, why))
            self.transport.loseConnection()
            self._later = self._service.clock.callLater(_PATIENCE, self._abort)

    def _abort(self) -> None:
        self._later = None
        self.transport.abortConnection()

    def _forget(self) -> None:
        later, self._later = self._later, None
        if later is not None:
            later.cancel()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._open = False
        self._forget()
        self._service.gone(self)


@define(eq=False, repr=False, slots=False)
class TraceService(Service):
    """
    Serves the messages of a ring, without their secrets, to processes of the same user.

    @ivar clock: the reactor; provides C{IReactorUNIX} as well.
    @ivar path: of the socket.
    @ivar name: of the node.
    @ivar find: fails with a C{LookupError} whose text is for the reader.
    @ivar required: whether the node must not start without the socket.
    @ivar readers: all that are connected.
    @ivar missed: messages that were too many for readers, by all of them.
    """

    clock: Any
    ring: TraceRing
    path: str
    name: str
    find: Find
    required: bool = False
    answers: Callable[[str], bool] = isAnswered
    readers: list[_Reader] = field(factory=list, init=False)
    missed: int = field(default=0, init=False)
    _waiting: list[_Reader] = field(factory=list, init=False)
    _telling: IDelayedCall | None = field(default=None, init=False)
    _port: IListeningPort | None = field(default=None, init=False)
    _place: SocketPlace | None = field(default=None, init=False)

    def startService(self) -> None:
        """
        Listen, if the ring keeps anything.

        @raise OSError: the socket cannot be had, and is required.
        """
        super().startService()
        if not self.ring.messages:
            return
        try:
            self._listen()
        except (OSError, CannotListenError) as error:
            if self._place is not None:
                self._place.close()
            why = f"trace.socket {self.path}: {error}"
            if self.required:
                raise OSError(why) from error
            # A recorder that can record must not end for want of this.
            log.error("nobody can read the trace: {why}", why=why)

    def _listen(self) -> None:
        self._place = place = SocketPlace.of(self.path)
        place.clear(self.answers)
        factory = Factory.forProtocol(lambda: _Reader(self))
        factory.noisy = False
        self._port = self.clock.listenUNIX(place.address, factory, mode=0o600)
        log.info("the trace is at {path}", path=self.path)

    def wait(self, reader: _Reader) -> None:
        """
        Let a reader go on when there is more.
        """
        if reader not in self._waiting:
            self._waiting.append(reader)
        if self._telling is None:
            self.ring.wake = self._come

    def _come(self) -> None:
        self._telling = self.clock.callLater(PERIOD, self._tell)

    def _tell(self) -> None:
        self._telling = None
        waiting, self._waiting = self._waiting, []
        for reader in waiting:
            reader.resumeProducing()

    def gone(self, reader: _Reader) -> None:
        """
        A reader has closed its connection.
        """
        if reader in self.readers:
            self.readers.remove(reader)
        if reader in self._waiting:
            self._waiting.remove(reader)

    def stopService(self) -> Deferred[None]:
        """
        Listen no more, and close all connections.

        @return: fires when the socket is gone.
        """
        super().stopService()
        self.ring.wake = None
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        for reader in list(self.readers):
            reader.finish("end", "the node stops")
        port, self._port = self._port, None
        if port is None:
            return succeed(None)
        stopping: Deferred[Any] = maybeDeferred(port.stopListening)
        return stopping.addBoth(self._closed)

    def _closed(self, result: Any) -> Any:
        if self._place is not None:
            self._place.close()
        return result
