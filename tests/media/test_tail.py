"""
Tests of L{siprec.media.tail}.
"""

import os
import random
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.media import tail
from siprec.media.journal import BadJournal, PacketTable, fileHeader, readJournal
from siprec.media.tail import WINDOW, lastArrival

START = 1_767_603_600_000_000_000
HEAD = fileHeader(START, "192.0.2.7", 20000)


def record(packet: bytes, offset: int, rtcp: bool = False, wire: int | None = None) -> bytes:
    """
    @return: one record.
    """
    length = 0 if rtcp else len(packet) if wire is None else wire
    return struct.pack(">HHI", len(packet) + 8, length, offset) + packet


def speech(count: int, size: int = 172, seed: int = 1) -> bytes:
    """
    @return: records of any octets, one each 20 ms; now and then one is RTCP.
    """
    octets = random.Random(seed)
    return b"".join(
        record(octets.randbytes(size), 20 * each, rtcp=each % 50 == 49) for each in range(count)
    )


def readAll(path: str) -> int | None:
    """
    @return: what L{lastArrival} is to find.
    """
    last = None
    for table in readJournal(path):
        last = int(table.arrival[-1])
    return last


class TailTests(SynchronousTestCase):
    """
    L{lastArrival}.
    """

    def setUp(self) -> None:
        self.path = self.mktemp()
        self.whole = 0

        def counted(path: str) -> Iterator[PacketTable]:
            self.whole += 1
            return readJournal(path)

        self.patch(tail, "readJournal", counted)

    def write(self, records: bytes) -> None:
        """
        Write a journal.
        """
        Path(self.path).write_bytes(HEAD + records)

    def test_longJournal(self) -> None:
        """
        Of a long journal only the end is read.
        """
        self.write(speech(5000))
        self.assertEqual(lastArrival(self.path), START + 4999 * 20_000_000)
        self.assertEqual(self.whole, 0)

    def test_shortJournal(self) -> None:
        """
        A short one is read from its begin; with nothing in it there is no last one.
        """
        for count in (0, 1, 300):
            self.write(speech(count))
            self.assertEqual(lastArrival(self.path), readAll(self.path))
        self.assertEqual(self.whole, 3)
        Path(self.path).write_bytes(HEAD[:20])
        self.assertIsNone(lastArrival(self.path))

    def test_tornAnywhere(self) -> None:
        """
        Wherever a crash has cut the file, the last record before is found.
        """
        records = speech(1000)
        self.write(records)
        size = len(HEAD) + len(records)
        for cut in range(size - 1, size - 200, -1):
            os.truncate(self.path, cut)
            self.assertEqual(lastArrival(self.path), readAll(self.path), cut)
        self.assertEqual(self.whole, 0)

    def test_zeros(self) -> None:
        """
        Zeros that a crash left behind, in the place of the last records, are none;
        more of them than are looked at cost a look at all.
        """
        for zeros, whole in ((1, 0), (7, 0), (8, 0), (5000, 0), (WINDOW, 1)):
            self.whole = 0
            for cut in (0, 3, 100):
                records = speech(1000)
                self.write(records[: len(records) - cut] + bytes(zeros))
                self.assertEqual(lastArrival(self.path), readAll(self.path), (zeros, cut))
            self.assertEqual(self.whole, 3 * whole)

    def test_silence(self) -> None:
        """
        Packets of nothing but one octet, zeros among them, mislead nobody.
        """
        for octet in (b"\x00", b"\x08", b"\xff", b"\xd5", b"\x7f"):
            self.write(b"".join(record(octet * 172, 20 * each) for each in range(1000)))
            self.assertEqual(lastArrival(self.path), START + 999 * 20_000_000)
        self.assertEqual(self.whole, 0)

    def test_madeToMislead(self) -> None:
        """
        Packets that hold what looks like records raise doubt, and all is read.
        """
        fake = b"".join(record(b"", 0x7FFFFFFF, rtcp=True) for _ in range(30))
        self.write(speech(1000) + record(fake, 20_000))
        self.assertEqual(lastArrival(self.path), START + 20_000_000_000)
        self.assertEqual(self.whole, 1)

    def test_truncatedPackets(self) -> None:
        """
        Where packets were kept in part only, nothing is guessed.
        """
        self.write(b"".join(record(bytes(172), 20 * each, wire=500) for each in range(1000)))
        self.assertEqual(lastArrival(self.path), START + 999 * 20_000_000)
        self.assertEqual(self.whole, 1)

    def test_longPackets(self) -> None:
        """
        A few long records are no proof.
        """
        self.write(speech(20, 9000))
        self.assertEqual(lastArrival(self.path), START + 19 * 20_000_000)
        self.assertEqual(self.whole, 1)

    def test_tinyWindow(self) -> None:
        """
        Not even a window in which there is room for no record is an error.
        """
        self.write(speech(3))
        self.assertEqual(lastArrival(self.path, 5), START + 2 * 20_000_000)

    def test_otherFile(self) -> None:
        """
        A file of another kind, or none at all, is an error.
        """
        Path(self.path).write_bytes(b"RIFF1234WAVEfmt ")
        self.assertRaises(BadJournal, lastArrival, self.path)
        self.assertRaises(OSError, lastArrival, self.mktemp())

    @settings(deadline=None, max_examples=60)
    @given(
        st.lists(
            st.tuples(st.binary(max_size=40), st.booleans(), st.integers(1, 30)),
            min_size=1,
            max_size=30,
        ),
        st.integers(300, 2000),
    )
    def test_anyPackets(self, packets: list[tuple[bytes, bool, int]], window: int) -> None:
        """
        Whatever is in the packets, and wherever the file is cut, the answer is that
        of who reads it all.
        """
        each = [record(data, 0, rtcp) for data, rtcp, count in packets for _ in range(count)]
        records = b"".join(
            data[:4] + struct.pack(">I", 20 * number) + data[8:] for number, data in enumerate(each)
        )
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "journal")
            for cut in range(min(len(records), 60)):
                Path(path).write_bytes(HEAD + records[: len(records) - cut])
                self.assertEqual(lastArrival(path, window), readAll(path))
