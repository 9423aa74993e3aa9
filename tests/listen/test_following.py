"""
Tests of L{siprec.listen.following}.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from siprec.listen.following import Follower
from siprec.media.journal import BadJournal, fileHeader
from tests.media.reference import rtp
from tests.media.test_journal import START, record

_MS = 1_000_000
_HEADER = fileHeader(START, "192.0.2.7", 20000)


class FollowerTests(SynchronousTestCase):
    """
    A journal that grows.
    """

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.follower = Follower(str(self.path))

    def write(self, data: bytes) -> None:
        """
        Add to the journal.
        """
        with self.path.open("ab") as file:
            file.write(data)

    def read(self, until: int = 1 << 40) -> list[int]:
        """
        @param until: milliseconds after the start.
        @return: the sequence numbers of what was read.
        """
        tables = self.follower.read(START + until * _MS)
        return [int(number) for table in tables for number in table.sequence]

    def test_grows(self) -> None:
        """
        Each packet is read once, when it is there as a whole, from before there is a file
        and from before its header is whole.
        """
        self.assertEqual(self.read(), [])
        self.write(_HEADER[:20])
        self.assertEqual(self.read(), [])
        self.write(_HEADER[20:])
        self.assertEqual(self.read(), [])
        first, second = record(rtp(1), 0), record(rtp(2), 20)
        self.write(first + second[:50])
        self.assertEqual(self.read(), [1])
        self.assertEqual(self.read(), [])
        self.write(second[50:])
        self.assertEqual(self.read(), [2])

    def test_until(self) -> None:
        """
        It is read no further than is asked for, give or take what is read at once.
        """
        self.write(_HEADER)
        for number in range(2000):
            self.write(record(rtp(number), 20 * number))
        first = self.read(100)
        self.assertGreater(len(first), 5)
        self.assertLess(len(first), 500)
        self.assertEqual(self.read(100), [])
        self.assertEqual(first + self.read(), list(range(2000)))

    def test_skip(self) -> None:
        """
        What is there already can be left out.
        """
        self.follower.skip()
        self.write(_HEADER + record(rtp(1), 0))
        self.follower.skip()
        self.write(record(rtp(2), 20))
        self.assertEqual(self.read(), [2])

    def test_otherPackets(self) -> None:
        """
        What is no RTP is passed over.
        """
        self.write(_HEADER + record(b"\x80\xc9rtcp", 0, rtcp=True) + record(b"hello", 10))
        self.write(record(rtp(7), 20))
        self.assertEqual(self.read(), [7])
        self.write(record(b"\x80\xc9rtcp", 30, rtcp=True))
        self.assertEqual(self.read(), [])

    def test_noJournal(self) -> None:
        """
        Another file is an error.
        """
        self.write(b"something else")
        self.assertRaises(BadJournal, self.read)
