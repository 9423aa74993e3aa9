"""
Tests of L{siprec.media.journal}.
"""

import struct
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.journal import (
    BadJournal,
    PacketTable,
    fileHeader,
    journalEnd,
    parseHeader,
    readJournal,
    soundEnd,
    startFor,
)

START = 1_767_603_600_123_000_000


def record(packet: bytes, offset: int, rtcp: bool = False) -> bytes:
    """
    @return: one record, made without the code under test.
    """
    return struct.pack(">HHI", len(packet) + 8, 0 if rtcp else len(packet), offset) + packet


def flat(tables: list[PacketTable]) -> list[tuple[bytes, bool, int]]:
    """
    @return: packet, RTCP or not and arrival of each row.
    """
    return [
        (table.packet(i), bool(table.rtcp[i]), int(table.arrival[i]))
        for table in tables
        for i in range(len(table))
    ]


class HeaderTests(SynchronousTestCase):
    """
    The text line and RD_hdr_t of rtptools.
    """

    def test_layout(self) -> None:
        """
        The header is the line with address and port, then seconds, microseconds,
        IPv4 address, port and two octets of padding, big-endian.
        """
        self.assertEqual(
            fileHeader(START, "192.0.2.7", 20000),
            b"#!rtpplay1.0 192.0.2.7/20000\n"
            + struct.pack(">II", 1_767_603_600, 123_000)
            + bytes([192, 0, 2, 7])
            + struct.pack(">HH", 20000, 0),
        )

    def test_version6(self) -> None:
        """
        An IPv6 address stands in the text without its zone; the binary field, which
        has no room for it, is 0.0.0.0.
        """
        header = fileHeader(START, "fe80::1%eth0", 5004)
        self.assertTrue(header.startswith(b"#!rtpplay1.0 fe80::1/5004\n"))
        self.assertEqual(header[-8:-4], bytes(4))

    def test_parsed(self) -> None:
        """
        What is written is read back.
        """
        data = fileHeader(START, "2001:db8::5", 5004)
        header = parseHeader(data + b"rest")
        assert header is not None
        self.assertEqual(
            (header.startNs, header.host, header.port, header.size),
            (START, "2001:db8::5", 5004, len(data)),
        )

    def test_cutEverywhere(self) -> None:
        """
        A header that ends too early is no error: a crash in the first write leaves it.
        """
        data = fileHeader(START, "192.0.2.7", 20000)
        for size in range(len(data)):
            self.assertIsNone(parseHeader(data[:size]))

    def test_wrong(self) -> None:
        """
        Something else is refused.
        """
        for data in (
            b"RIFF....WAVE",
            b"#!rtpplay1.0 " + b"x" * 200,
            b"#!rtpplay1.0 192.0.2.7\n" + bytes(16),
            b"#!rtpplay1.0 192.0.2.7/http\n" + bytes(16),
        ):
            self.assertRaises(BadJournal, parseHeader, data)

    def test_wholeMillisecond(self) -> None:
        """
        The start is the first arrival cut to the millisecond, so that start and offset
        add up to every arrival cut likewise.
        """
        self.assertEqual(startFor(START + 999_999), START)
        for arrival in (START + 1, START + 20_000_001, START + 20_999_999):
            offset = (arrival - startFor(START + 999_999)) // 1_000_000
            self.assertEqual(START + offset * 1_000_000, arrival // 1_000_000 * 1_000_000)


class ReadTests(SynchronousTestCase):
    """
    Reading whole and damaged files.
    """

    def write(self, content: bytes) -> str:
        """
        @return: the path of a file with that content.
        """
        path = str(self.mktemp())
        Path(path).write_bytes(content)
        return path

    def read(self, records: bytes, chunkBytes: int = 1 << 20) -> list[tuple[bytes, bool, int]]:
        """
        @return: the rows of a journal with these records.
        """
        path = self.write(fileHeader(START, "192.0.2.7", 20000) + records)
        return flat(list(readJournal(path, chunkBytes)))

    def test_rows(self) -> None:
        """
        Each packet comes back byte for byte with its arrival; plen 0 is RTCP.
        """
        rows = self.read(record(b"\x80\x00one", 0) + record(b"\x81\xc9two", 20, True))
        self.assertEqual(
            rows, [(b"\x80\x00one", False, START), (b"\x81\xc9two", True, START + 20_000_000)]
        )

    def test_E1_multiplexed(self) -> None:
        """
        RTCP on the RTP port (rtcp-mux) is told by its second octet, 192 to 223
        (RFC 5761 section 4); STUN and short packets are not taken for it.
        """
        packets = [
            b"\x80\xc8",
            b"\x80\xdf",
            b"\x80\xbf",
            b"\x80\xe0",
            b"\x00\xc8",
            b"\x80",
            b"\x80\x08",
        ]
        rows = self.read(b"".join(record(packet, 0) for packet in packets))
        self.assertEqual([row[1] for row in rows], [True, True, False, False, False, False, False])

    def test_emptyDatagram(self) -> None:
        """
        A datagram of no octets, even the very last, is a row of length 0.
        """
        self.assertEqual(
            [row[0] for row in self.read(record(b"\x80\x00", 0) + record(b"", 1))],
            [b"\x80\x00", b""],
        )

    def test_tornTail(self) -> None:
        """
        Wherever the file ends within its last record, those before it are read.
        """
        whole, last = record(b"\x80\x00first", 0), record(b"\x80\x00second", 20)
        for size in range(len(last)):
            self.assertEqual(len(self.read(whole + last[:size])), 1)
        self.assertEqual(len(self.read(whole + last)), 2)

    def test_zeros(self) -> None:
        """
        Zeros after the last record, as some file systems leave after a crash, end it.
        """
        self.assertEqual(len(self.read(record(b"\x80\x00first", 0) + bytes(5000))), 1)
        self.assertEqual(self.read(bytes(64)), [])

    def test_noPackets(self) -> None:
        """
        An empty file, and one with less than its header, have no packets.
        """
        self.assertEqual(list(readJournal(self.write(b""))), [])
        self.assertEqual(list(readJournal(self.write(b"#!rtpplay1.0 192"))), [])
        self.assertEqual(self.read(b""), [])

    def test_otherFile(self) -> None:
        """
        A file of another kind, or none at all, is an error.
        """
        self.assertRaises(BadJournal, list, readJournal(self.write(b"RIFF1234WAVEfmt ")))
        self.assertRaises(OSError, list, readJournal(self.mktemp()))

    def test_boundedMemory(self) -> None:
        """
        A long file comes in several tables, none much larger than asked for, and no
        packet on a border is lost.
        """
        packets = [bytes([0x80, 0]) + index.to_bytes(4, "big") * 43 for index in range(4000)]
        path = self.write(
            fileHeader(START, "192.0.2.7", 20000)
            + b"".join(record(packet, index * 20) for index, packet in enumerate(packets))
        )
        tables = list(readJournal(path, 1 << 16))
        self.assertGreater(len(tables), 5)
        self.assertLess(max(len(table.data) for table in tables), 2 << 16)
        self.assertEqual([row[0] for row in flat(tables)], packets)

    @settings(deadline=None, max_examples=60)
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just(172), st.integers(1, 200)),
                st.tuples(st.integers(0, 3000), st.just(1)),
            ),
            max_size=30,
        )
    )
    def test_anyLengths(self, runs: list[tuple[int, int]]) -> None:
        """
        Runs of one length and single ones in any mixture are cut where a plain walk
        would cut them.
        """
        packets = [b"\x80" + bytes(size) for size, count in runs for _ in range(count)]
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "journal"
            records = b"".join(record(packet, index) for index, packet in enumerate(packets))
            path.write_bytes(fileHeader(START, "192.0.2.7", 20000) + records)
            rows = flat(list(readJournal(path, 1 << 16)))
            self.assertEqual([row[0] for row in rows], packets)
            self.assertEqual(
                [row[2] for row in rows], [START + i * 1_000_000 for i in range(len(packets))]
            )
            self.assertEqual(journalEnd(path)[1], path.stat().st_size)


class EndTests(SynchronousTestCase):
    """
    Where to go on writing.
    """

    def test_afterTornRecord(self) -> None:
        """
        The end is that of the last whole record.
        """
        path = self.mktemp()
        good = fileHeader(START, "192.0.2.7", 20000) + record(b"\x80\x00first", 0)
        Path(path).write_bytes(good + record(b"\x80\x00second", 20)[:-1])
        header, end = journalEnd(path)
        assert header is not None
        self.assertEqual((header.startNs, end), (START, len(good)))

    def test_tornHeader(self) -> None:
        """
        With less than a header there is nothing to go on with.
        """
        path = self.mktemp()
        Path(path).write_bytes(b"#!rtp")
        self.assertEqual(journalEnd(path), (None, 0))

    def test_sound(self) -> None:
        """
        What makes sense ends before the first record that cannot be true: it came after
        the end of all, or is longer than its packet was on the wire.
        """
        path = self.mktemp()
        good = fileHeader(START, "192.0.2.7", 20000) + record(b"\x80\x00first", 0)
        late, long = record(b"\x80\x00late", 5000), b"\0\x14\0\x01\0\0\0\0" + bytes(12)
        more = record(b"\x80\xc9rtcp", 100, rtcp=True)
        until = START + 4_000_000_000
        for tail, kept in (
            (b"", 0),
            (more, len(more)),
            (more + late + more, len(more)),
            (more + long + more, len(more)),
            (more + more[:5], len(more)),
            (bytes(100), 0),
        ):
            Path(path).write_bytes(good + tail)
            self.assertEqual(soundEnd(path, until), len(good) + kept)
        Path(path).write_bytes(good[:9])
        self.assertEqual(soundEnd(path, until), 0)
        Path(path).write_bytes(b"something else")
        self.assertRaises(BadJournal, soundEnd, path, until)
