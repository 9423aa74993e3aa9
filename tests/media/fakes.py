"""
What the tests of the capture put in the place of the world.
"""

import os
import queue
import socket
from collections.abc import Callable, Iterable
from typing import TypeVar, cast

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from siprec.media.batch import Receiver, askForControl
from siprec.media.capture import ICaptureReactor
from siprec.media.drain import Drain
from siprec.media.interfaces import IPortPair
from siprec.media.journal import PacketTable, readJournal
from siprec.media.origin import nameOf
from siprec.media.stream import CapturedStream, Cells, JournalFile
from siprec.media.writing import SeparateWriter
from siprec.testing.fakes import FakePortPair

_T = TypeVar("_T")


@implementer(IPortPair)
@frozen(eq=False)
class LocalPair:
    """
    A port pair without a network: unix datagram sockets, which queue about ten packets.
    """

    rtp: socket.socket
    rtcp: socket.socket
    toRTP: socket.socket
    toRTCP: socket.socket
    host: str = "192.0.2.1"
    rtpPort: int = 4000
    rtcpPort: int = 4001

    @classmethod
    def make(cls, case: SynchronousTestCase, host: str = "192.0.2.1") -> "LocalPair":
        """
        @return: a pair that is closed when the test ends.
        """
        rtp, toRTP = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        rtcp, toRTCP = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for sock in (rtp, toRTP, rtcp, toRTCP):
            case.addCleanup(sock.close)
            sock.setblocking(False)
        askForControl(rtp)
        askForControl(rtcp)
        return cls(rtp, rtcp, toRTP, toRTCP, host)


@define(eq=False)
class CuttingWriter:
    """
    A writer whose device can be full.

    @ivar results: what to do in the next writes, one number a file: that many octets
        are written, or an errno negated; C{None}: all.
    """

    results: list[int | None] = field(factory=list)
    calls: int = 0
    closed: bool = False
    _real: SeparateWriter = field(factory=SeparateWriter)

    def write(
        self,
        files: NDArray[np.int64],
        offsets: NDArray[np.int64],
        addresses: NDArray[np.int64],
        counts: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """
        See L{siprec.media.writing.Writer}.
        """
        self.calls += 1
        done = self._real.write(files, offsets, addresses, counts)
        for row in range(len(files)):
            wanted = self.results.pop(0) if self.results else None
            if wanted is not None:
                os.ftruncate(int(files[row]), int(offsets[row]) + max(wanted, 0))
                done[row] = wanted
        return done

    def close(self) -> None:
        """
        See L{siprec.media.writing.Writer}.
        """
        self.closed = True


@implementer(ICaptureReactor)
class ThreadedClock(Clock):
    """
    A clock to which other threads can post, and that waits for them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._posted: queue.Queue[Callable[[], object]] = queue.Queue()

    def callFromThread(
        self, callable: Callable[..., object], *args: object, **kwargs: object
    ) -> None:
        """
        See L{twisted.internet.interfaces.IReactorFromThreads}.
        """
        self._posted.put(lambda: callable(*args, **kwargs))

    def take(self) -> Callable[[], object]:
        """
        @return: what another thread posts next, to be called later.
        """
        return self._posted.get(timeout=10)

    def runUntil(self, done: Callable[[], object]) -> None:
        """
        Run what other threads post until C{done} says so, or fail after 10 seconds
        without anything.
        """
        while not done():
            self._posted.get(timeout=10)()

    def waitFor(self, result: "Deferred[_T]") -> _T:
        """
        @return: what C{result} fires with.
        """
        found: list[_T] = []
        result.addCallback(found.append)
        self.runUntil(lambda: found)
        return found[0]


def packetsOf(path: str) -> list[tuple[bytes, bool]]:
    """
    @return: each packet of a journal and whether it is RTCP.
    """
    tables: list[PacketTable] = list(readJournal(path))
    return [(table.packet(i), bool(table.rtcp[i])) for table in tables for i in range(len(table))]


class NamedReceiver(Receiver):
    """
    Packets of L{LocalPair}, which come from no address, with one.

    @ivar who: gives the IPv4 address that a packet comes from.
    """

    who: Callable[[bytes], str] = staticmethod(lambda data: "192.0.2.7")

    def receive(self, sock: socket.socket, limit: int) -> int:
        """
        See L{Receiver}.
        """
        first = self.used
        count = super().receive(sock, limit)
        self._name(first, sock)
        return count

    def sweep(
        self, sockets: Iterable[socket.socket], each: int, reserve: int, until: float
    ) -> tuple[list[int], set[int]]:
        """
        See L{Receiver}.
        """
        first, swept = self.used, list(sockets)
        counts, full = super().sweep(swept, each, reserve, until)
        if swept:
            self._name(first, swept[0])
        return counts, full

    def _name(self, first: int, sock: socket.socket) -> None:
        for slot in range(first, self.used):
            # The family of the socket, so that it is one for the latch as well.
            self.names(slot, 1)[0] = nameOf(self.who(self.read(slot)), sock.family)


def adopted(cells: Cells) -> CapturedStream:
    """
    @return: a stream with a row of its own in C{cells}.
    """
    pair = cast(IPortPair, FakePortPair("192.0.2.1", 4000))
    stream = CapturedStream("", pair, JournalFile(""))
    cells.adopt(stream)
    return stream


def closeJournal(stream: CapturedStream) -> None:
    """
    Close the journal of a stream.
    """
    if (descriptor := stream.releaseFile()) >= 0:
        os.close(descriptor)


def visitAll(drain: Drain) -> None:
    """
    Visit all streams once.
    """
    index = 0
    while index < len(drain.streams):
        index = drain.visit(index, 1.0)
