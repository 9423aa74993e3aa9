"""
Tests of L{siprec.media.writing}.
"""

import errno
import os
from pathlib import Path

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.batch import IOVEC
from siprec.media.writing import SeparateWriter, SubmittedWriter, Writer, chooseWriter


def refused(capacity: int) -> Writer:
    """
    @raise OSError: always, as in a sandbox.
    """
    raise OSError(errno.EPERM, "not here")


class SeparateWriterTests(SynchronousTestCase):
    """
    The contract of L{Writer}, kept by L{SeparateWriter}.
    """

    def make(self) -> Writer:
        """
        @return: the writer to test.
        """
        return SeparateWriter()

    def setUp(self) -> None:
        self.writer = self.make()
        self.addCleanup(self.writer.close)
        self.buffer = np.frombuffer(b"onetwothree", np.uint8)
        self.vectors = np.zeros(3, IOVEC)
        self.vectors["base"] = self.buffer.ctypes.data + np.array([0, 3, 6])
        self.vectors["length"] = [3, 3, 5]
        self.addresses = self.vectors.ctypes.data + 16 * np.arange(3)
        self.paths = [Path(self.mktemp()) for _ in range(3)]

    def open(self, path: Path) -> int:
        """
        @return: a descriptor that is closed when the test ends.
        """
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
        self.addCleanup(os.close, descriptor)
        return descriptor

    def write(
        self, files: list[int], offsets: list[int], rows: list[int], counts: list[int]
    ) -> list[int]:
        """
        @return: what each write gave.
        """
        result = self.writer.write(
            np.array(files), np.array(offsets), self.addresses[rows], np.array(counts)
        )
        return [int(done) for done in result]

    def test_gathers(self) -> None:
        """
        Each run of vectors goes into its file at its offset.
        """
        files = [self.open(path) for path in self.paths]
        self.assertEqual(self.write(files, [0, 2, 0], [0, 1, 2], [3, 1, 1]), [11, 3, 5])
        self.assertEqual(
            [path.read_bytes() for path in self.paths], [b"onetwothree", b"\0\0two", b"three"]
        )
        self.assertEqual(self.write(files[:1], [11], [2], [1]), [5])
        self.assertEqual(self.paths[0].read_bytes(), b"onetwothreethree")

    def test_failure(self) -> None:
        """
        A file that cannot be written is told by number; the others are written, in
        whatever place it stands.
        """
        good = self.open(self.paths[0])
        unwritable = os.open(self.paths[0], os.O_RDONLY)
        self.addCleanup(os.close, unwritable)
        self.assertEqual(
            self.write([9999, good, unwritable, good], [0, 0, 0, 3], [0, 0, 1, 1], [1, 1, 1, 1]),
            [-errno.EBADF, 3, -errno.EBADF, 3],
        )
        self.assertEqual(self.paths[0].read_bytes(), b"onetwo")


class SubmittedWriterTests(SeparateWriterTests):
    """
    The same contract, kept by L{SubmittedWriter}.
    """

    def make(self) -> Writer:
        """
        @return: the writer to test.
        """
        try:
            return SubmittedWriter(8)
        except OSError as error:
            self.skipTest(f"no io_submit here: {error}")

    def test_manyFiles(self) -> None:
        """
        More files than the system takes at once are written all the same, each with its result.
        """
        files = [self.open(Path(self.mktemp())) for _ in range(19)]
        files[17] = 9999
        rows = [each % 3 for each in range(19)]
        sizes = [(3, 3, 5)[row] for row in rows]
        sizes[17] = -errno.EBADF
        self.assertEqual(self.write(files, [0] * 19, rows, [1] * 19), sizes)

    def test_closedTwice(self) -> None:
        """
        Closing again does nothing.
        """
        self.writer.close()
        self.writer.close()

    def test_otherMachine(self) -> None:
        """
        On a machine whose call numbers are not known there is none.
        """
        self.assertRaises(OSError, SubmittedWriter, 8, "pdp11")


class ChooseTests(SynchronousTestCase):
    """
    L{chooseWriter}.
    """

    def test_best(self) -> None:
        """
        What can be made is taken.
        """
        writer = SeparateWriter()
        self.assertIs(chooseWriter(8, lambda capacity: writer), writer)

    def test_fallback(self) -> None:
        """
        Where it is refused, files are written one by one.
        """
        self.assertIsInstance(chooseWriter(8, refused), SeparateWriter)
