"""
Tests of L{siprec.media.control}.
"""

import errno
import socket

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.batch import Receiver
from siprec.media.control import Control, Taken
from siprec.media.sifting import Sifting
from siprec.media.stream import CapturedStream, Cells, JournalFile
from tests.media.fakes import LocalPair


class Refusing(Receiver):
    """
    Whose sockets give errors before they give packets.

    @ivar errors: how many times.
    """

    errors = 0

    def receive(self, sock: socket.socket, limit: int) -> int:
        """
        See L{Receiver}.
        """
        if self.errors:
            self.errors -= 1
            return -errno.ECONNREFUSED
        return super().receive(sock, limit)


class ControlTests(SynchronousTestCase):
    """
    L{Control} with local sockets.
    """

    def setUp(self) -> None:
        self.failures: list[tuple[CapturedStream, OSError]] = []
        self.use(Refusing(256))

    def use(self, receiver: Refusing) -> None:
        """
        Begin with C{receiver}.
        """
        self.receiver, self.cells = receiver, Cells(64)
        sifting = Sifting(receiver, self.cells, 64, lambda: 0.0, lambda *news: None)
        self.control = Control(receiver, sifting, lambda *failure: self.failures.append(failure))
        self.addCleanup(self.control.close)

    def streams(self, count: int) -> list[tuple[CapturedStream, LocalPair]]:
        """
        @return: streams that are looked after, and their pairs.
        """
        found = []
        for place in range(count):
            pair = LocalPair.make(self)
            stream = CapturedStream("", pair, JournalFile(""), place=place)
            self.cells.adopt(stream)
            self.control.add(stream)
            found.append((stream, pair))
        return found

    def take(self, begin: int, count: int, final: bool = True) -> list[Taken]:
        """
        One slice without RTP.
        """
        self.receiver.reset()
        return self.control.take(begin, np.zeros(count, np.int64), set(), final)

    def test_E1_otherSlices(self) -> None:
        """
        What came to streams of other slices is taken with those, though their sockets are
        named only once.
        """
        streams = self.streams(3)
        for number, (_, pair) in enumerate(streams):
            pair.toRTCP.send(b"\x80\xc8%d" % number)
        for number, (stream, _) in enumerate(streams):
            self.assertEqual(self.take(number, 1), [(stream, 1, 0)])
            self.assertEqual(self.receiver.read(0), b"\x80\xc8%d" % number)
        self.assertEqual(self.take(0, 3), [])

    def test_E1_more(self) -> None:
        """
        What there is no room for is taken the next time, though nothing more comes.
        """
        self.use(Refusing(3))
        ((stream, pair),) = self.streams(1)
        for _ in range(5):
            pair.toRTCP.send(b"\x80\xc8")
        self.assertEqual(
            [self.take(0, 1) for _ in range(3)], [[(stream, 3, 0)], [(stream, 2, 0)], []]
        )

    def test_again(self) -> None:
        """
        A socket that was emptied is named again for the next packet.
        """
        ((stream, pair),) = self.streams(1)
        for _ in range(2):
            pair.toRTCP.send(b"\x80\xc8")
            self.assertEqual(self.take(0, 1), [(stream, 1, 0)])

    def test_failure(self) -> None:
        """
        An error is told, and what comes after it is taken.
        """
        ((stream, pair),) = self.streams(1)
        self.receiver.errors = 1
        pair.toRTCP.send(b"\x80\xc8")
        self.assertEqual(self.take(0, 1), [])
        ((failed, error),) = self.failures
        self.assertEqual((failed, error.errno), (stream, errno.ECONNREFUSED))
        self.assertEqual(self.take(0, 1), [(stream, 1, 0)])

    def test_waits(self) -> None:
        """
        Without RTP that is newer it waits for one slice.
        """
        ((stream, pair),) = self.streams(1)
        pair.toRTCP.send(b"\x80\xc8")
        self.assertEqual(self.take(0, 1, final=False), [])
        self.assertEqual(self.take(0, 1, final=False), [(stream, 1, 0)])

    def test_forgotten(self) -> None:
        """
        What waits can be forgotten.
        """
        ((stream, pair),) = self.streams(1)
        pair.toRTCP.send(b"\x80\xc8")
        self.take(0, 1, final=False)
        self.control.forget(stream)
        self.assertEqual((self.take(0, 1), stream.pending), ([], []))

    def test_removed(self) -> None:
        """
        Of a stream that was let go nothing is taken, though its socket was named before.
        """
        _, (stream, other) = self.streams(2)
        other.toRTCP.send(b"\x80\xc8")
        self.take(0, 1)
        self.control.remove(stream)
        self.assertEqual(self.take(0, 2), [])
        self.assertEqual(len(other.rtcp.recv(100)), 2)
