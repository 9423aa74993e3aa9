"""
Tests of L{siprec.media.syncing}.
"""

import errno
import os

from twisted.trial.unittest import SynchronousTestCase

from siprec.media.stream import CapturedStream, JournalFile
from siprec.media.syncing import Pace, startWriting, syncJournals
from tests.media.fakes import LocalPair


class SyncTests(SynchronousTestCase):
    """
    L{syncJournals}.
    """

    def setUp(self) -> None:
        self.done: list[tuple[str, int]] = []
        self.failures: list[tuple[CapturedStream, OSError]] = []
        self.errors: dict[int, OSError] = {}

    def stream(self, file: int) -> CapturedStream:
        """
        @return: one whose journal has that descriptor.
        """
        stream = CapturedStream(f"{file}.rtpdump", LocalPair.make(self), JournalFile("x"))
        stream.file = file
        return stream

    def sync(self, *journals: tuple[CapturedStream, int]) -> None:
        """
        Sync some.
        """

        def wait(file: int) -> None:
            self.done.append(("sync", file))
            if file in self.errors:
                raise self.errors[file]

        syncJournals(
            journals,
            lambda *failure: self.failures.append(failure),
            lambda file: self.done.append(("start", file)),
            wait,
        )

    def test_order(self) -> None:
        """
        The writing of all is begun before one is waited for.
        """
        self.sync((self.stream(7), 7), (self.stream(8), 8))
        self.assertEqual(self.done, [("start", 7), ("start", 8), ("sync", 7), ("sync", 8)])

    def test_failure(self) -> None:
        """
        One that cannot be synced is told by its path, and the others go on.
        """
        first = self.stream(7)
        self.errors[7] = OSError(errno.EIO, "broken")
        self.sync((first, 7), (self.stream(8), 8))
        [(stream, error)] = self.failures
        self.assertIs(stream, first)
        self.assertEqual((error.errno, error.filename), (errno.EIO, "7.rtpdump"))
        self.assertEqual(self.done[-1], ("sync", 8))

    def test_closedMeanwhile(self) -> None:
        """
        Of a journal that was closed meanwhile nothing is told: who closed it has synced
        it, and its number may be another file's.
        """
        self.errors = {7: OSError(errno.EBADF, "closed"), 8: OSError(errno.EIO, "broken")}
        self.sync((self.stream(7), 7), (self.stream(-1), 8))
        self.assertEqual(self.failures, [])

    def test_real(self) -> None:
        """
        The system can be asked for both.
        """
        descriptor = os.open(self.mktemp(), os.O_CREAT | os.O_WRONLY)
        self.addCleanup(os.close, descriptor)
        os.write(descriptor, b"x")
        startWriting(descriptor)
        syncJournals(
            [(self.stream(descriptor), descriptor)], lambda *failure: self.failures.append(failure)
        )
        self.assertEqual(self.failures, [])


class PaceTests(SynchronousTestCase):
    """
    L{Pace}.
    """

    def test_never(self) -> None:
        """
        Without a period it is never time.
        """
        self.assertFalse(Pace(0.0).due(100.0))

    def test_period(self) -> None:
        """
        It is time each period, but not while the last one lasts, and how long the
        longest took is known.
        """
        now = [0.0]
        pace = Pace(5.0, lambda: now[0])
        times = []
        for second in range(30):
            now[0] = float(second)
            if second in (2, 17, 21):
                pace.ended()
            if pace.due(now[0]):
                times.append(second)
        self.assertEqual(times, [0, 5, 17, 22])
        self.assertEqual((pace.longest, pace.done), (12.0, 3))
