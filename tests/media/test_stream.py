"""
Tests of L{siprec.media.stream}.
"""

import errno
import os
from pathlib import Path

import numpy as np
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.media.interfaces import ICapturedStream, IPortPair
from siprec.media.journal import fileHeader
from siprec.media.origin import CLOSED, Expected, keyOf, maskOf
from siprec.media.srtp import Protection
from siprec.media.stream import CapturedStream, Cells, JournalFile
from tests.media.fakes import LocalPair

HEADER = fileHeader(1_000_000_000, "192.0.2.1", 4000)
RECORD = b"\0\x0a\0\x02\0\0\0\0ab"
ENDS = np.array([10, 20, 30])


class JournalFileTests(SynchronousTestCase):
    """
    L{JournalFile}.
    """

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.file = JournalFile(str(self.path))

    def open(self) -> tuple[int, int, int]:
        """
        @return: as L{JournalFile.open}; the descriptor is closed when the test ends.
        """
        opened = self.file.open()
        self.addCleanup(os.close, opened[0])
        return opened

    def test_new(self) -> None:
        """
        A new file is empty, and not for everybody to read: it is what people said.
        """
        self.assertEqual(self.open()[1:], (0, 0))
        self.assertEqual(self.path.stat().st_mode & 0o007, 0)

    def test_continued(self) -> None:
        """
        One that is there goes on after its last whole record, with its own start.
        """
        self.path.write_bytes(HEADER + RECORD + RECORD[:5])
        self.assertEqual(self.open()[1:], (len(HEADER) + 10, 1_000_000_000))

    def test_tornTail(self) -> None:
        """
        What follows the last whole record is cut off, so that nothing of it is ever
        taken for what came later.
        """
        self.path.write_bytes(HEADER + RECORD + bytes(50) + RECORD)
        self.assertEqual(self.open()[1], len(HEADER) + 10)
        self.assertEqual(self.path.read_bytes(), HEADER + RECORD)

    def test_nothingWhole(self) -> None:
        """
        One without a whole header is begun anew.
        """
        self.path.write_bytes(HEADER[:9])
        self.assertEqual(self.open()[1:], (0, 0))

    def test_otherFile(self) -> None:
        """
        Something that is no journal is an error, and stays as it is.
        """
        self.path.write_bytes(b"something else entirely")
        self.assertEqual(self.assertRaises(OSError, self.file.open).errno, errno.EEXIST)
        self.assertEqual(self.path.read_bytes(), b"something else entirely")

    def test_noDirectory(self) -> None:
        """
        Without its directory it cannot be opened.
        """
        file = JournalFile(str(self.path / "missing" / "journal"))
        self.assertRaises(FileNotFoundError, file.open)

    def test_unreadable(self) -> None:
        """
        What cannot be read cannot be continued.
        """
        self.path.mkdir()
        self.assertRaises(OSError, self.file.open)

    def test_isThere(self) -> None:
        """
        It is told when the path names no file or another one.
        """
        self.assertFalse(self.file.isThere())
        self.open()
        self.assertTrue(self.file.isThere())
        self.assertTrue(self.file.isThere())
        os.rename(self.path, f"{self.path}.away")
        self.assertFalse(self.file.isThere())
        self.path.write_bytes(b"")
        self.assertFalse(self.file.isThere())

    def test_closed(self) -> None:
        """
        At the end a file in which there is nothing goes away, and only then; one that
        is not where it was is told of.
        """
        for last, content, left in ((False, b"", True), (True, b"", False), (True, b"x", True)):
            path = self.mktemp()
            journal = JournalFile(path)
            descriptor, _, _ = journal.open()
            os.write(descriptor, content)
            journal.close(descriptor, last)
            self.assertEqual(os.path.exists(path), left)
            self.assertRaises(OSError, os.fstat, descriptor)
        descriptor = os.open(path, os.O_WRONLY)
        os.unlink(path)
        self.assertEqual(
            self.assertRaises(OSError, journal.close, descriptor, True).errno, errno.ENOENT
        )
        self.assertRaises(OSError, journal.close, descriptor, True)

    def test_completed(self) -> None:
        """
        A write that was cut short for no reason is completed.
        """
        descriptor = self.open()[0]
        os.write(descriptor, RECORD * 3 + RECORD[:7])
        result = self.file.mend(descriptor, 10, RECORD * 3, ENDS, 27)
        self.assertEqual(result, (3, 40, None))
        self.assertEqual(self.path.read_bytes(), RECORD * 4)

    def test_takenBack(self) -> None:
        """
        Where the rest cannot be written, the file ends after the last whole record.
        """

        def full(descriptor: int, data: bytes, position: int) -> int:
            raise OSError(errno.ENOSPC, "full")

        file = JournalFile(str(self.path), pwrite=full)
        for written, whole in ((27, 2), (20, 2), (5, 0)):
            self.path.write_bytes(RECORD + (RECORD * 3)[:written])
            descriptor = os.open(self.path, os.O_WRONLY)
            self.addCleanup(os.close, descriptor)
            count, position, error = file.mend(descriptor, 10, RECORD * 3, ENDS, written)
            assert error is not None
            self.assertEqual((count, position, error.errno), (whole, 10 + 10 * whole, errno.ENOSPC))
            self.assertEqual(self.path.read_bytes(), RECORD * (1 + whole))

    def test_notWritten(self) -> None:
        """
        A write that failed is tried in the plain way; if that fails too, nothing
        changes, and the error names the file.
        """
        descriptor = os.open("/dev/full", os.O_WRONLY)
        self.addCleanup(os.close, descriptor)
        count, position, error = self.file.mend(descriptor, 0, RECORD, ENDS[:1], -errno.EIO)
        assert error is not None
        self.assertEqual((count, position), (0, 0))
        self.assertEqual((error.errno, error.filename), (errno.ENOSPC, str(self.path)))
        count, position, error = self.file.mend(self.open()[0], 0, RECORD, ENDS[:1], -errno.EINVAL)
        self.assertEqual((count, position, error), (1, 10, None))
        self.assertEqual(self.path.read_bytes(), RECORD)

    def test_notTakenBack(self) -> None:
        """
        Where the file cannot be cut either, the next write will go over the rest.
        """

        def full(descriptor: int, data: bytes, position: int) -> int:
            raise OSError(errno.ENOSPC, "full")

        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        self.addCleanup(os.close, writer)
        file = JournalFile(str(self.path), pwrite=full)
        self.assertEqual(file.mend(writer, 0, RECORD * 3, ENDS, 13)[:2], (1, 10))


class CapturedStreamTests(SynchronousTestCase):
    """
    L{CapturedStream} and where its numbers are.
    """

    def stream(self) -> CapturedStream:
        """
        @return: a new one.
        """
        return CapturedStream("path", LocalPair.make(self), JournalFile("path"))

    def test_interface(self) -> None:
        """
        It provides what it promises, and so does the pair of the tests.
        """
        stream = self.stream()
        verifyObject(ICapturedStream, stream)
        verifyObject(IPortPair, stream.pair)

    def test_beginning(self) -> None:
        """
        Nothing has come yet.
        """
        stream = self.stream()
        self.assertEqual(
            (stream.packets, stream.octets, stream.firstArrival, stream.lastArrival, stream.file),
            (0, 0, None, None, -1),
        )

    def test_E8_protected(self) -> None:
        """
        What was not opened is told where something is to be.
        """
        stream, protection = self.stream(), Protection(())
        self.assertEqual((stream.secured, stream.unauthenticated, stream.replayed), (0, 0, 0))
        stream.protect(protection)
        protection.reject(7)
        protection.reject(9)
        self.assertEqual((stream.secured, stream.unauthenticated, stream.replayed), (1, 1, 1))
        stream.protect(None)
        self.assertEqual((stream.secured, stream.unauthenticated), (0, 0))

    def test_E11_expected(self) -> None:
        """
        Whose packets are taken stands where all can be compared at once: everybody's at
        first, nobody's while it is not known, then those of one address; who has the key
        needs none.
        """
        stream = self.stream()
        cells = stream.cell[0].data[0]
        self.assertEqual((cells["mask"], stream.strangers), (0, 0))
        stream.expect(Expected("latch"), 1)
        self.assertEqual(tuple(cells[["mask", "head"]]), (CLOSED[0], 0))
        stream.expect(Expected("latch", "192.0.2.7"), 2)
        key = keyOf("192.0.2.7", stream.pair.rtp.family)
        assert key is not None
        found = tuple(cells[["mask", "head", "high", "low"]])
        self.assertEqual(found, (maskOf(key), *key))
        stream.protect(Protection(()))
        self.assertEqual(cells["mask"], 0)
        stream.expect(Expected("sdp", "192.0.2.7"), 3)
        self.assertEqual(cells["mask"], maskOf(key))
        stream.expect(Expected("any"), 4)
        self.assertEqual(cells["mask"], 0)

    def test_numbersMove(self) -> None:
        """
        Its numbers stay its own when they are kept with those of others, when there
        are more rows than at first, and when it leaves and its row is used again.
        """
        cells, streams = Cells(2), [self.stream() for _ in range(5)]
        for number, stream in enumerate(streams):
            stream.packets = number
            row = cells.adopt(stream)
            cells.data["packets"][row] += 10
            stream.firstNs, stream.lastNs = 1_500_000_000, 2_500_000_000
        self.assertEqual([stream.packets for stream in streams], [10, 11, 12, 13, 14])
        cells.release(streams[1])
        late = self.stream()
        late.packets = 99
        cells.adopt(late)
        self.assertEqual([stream.packets for stream in streams], [10, 11, 12, 13, 14])
        self.assertEqual((streams[1].firstArrival, streams[1].lastArrival), (1.5, 2.5))

    def test_drops(self) -> None:
        """
        What the kernel dropped is the sum over both sockets.
        """
        stream = self.stream()
        stream.rtpDrops, stream.rtcpDrops = 3, 4
        self.assertEqual(stream.kernelDrops, 7)

    def test_firstFailure(self) -> None:
        """
        Only the first failure is one to report, and it is the one that is told.
        """
        stream = self.stream()
        self.assertTrue(stream.failed(OSError("first")))
        self.assertFalse(stream.failed(OSError("second")))
        self.assertEqual(stream.error, "first")

    def test_release(self) -> None:
        """
        The descriptor is given away once; the file would be opened anew.
        """
        stream = self.stream()
        stream.file, stream.position = 7, 100
        self.assertEqual((stream.releaseFile(), stream.releaseFile(), stream.position), (7, -1, 0))
