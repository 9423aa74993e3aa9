"""
Tests of L{siprec.media.rtp}.
"""

import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.journal import PacketTable
from siprec.media.rtp import BadRTP, RTPPacket, RTPTable, parseTable, unwrap


def table(packets: list[bytes], rtcp: list[bool] | None = None) -> PacketTable:
    """
    @return: a table of these packets, a millisecond apart.
    """
    lengths = np.array([len(packet) for packet in packets], np.int64)
    return PacketTable(
        np.arange(len(packets), dtype=np.int64) * 1_000_000,
        np.cumsum(lengths) - lengths,
        lengths,
        np.array(rtcp or [False] * len(packets), np.bool_),
        np.frombuffer(b"".join(packets), np.uint8),
    )


def row(parsed: RTPTable, index: int) -> tuple[object, ...]:
    """
    @return: the columns of one row.
    """
    columns = (parsed.payloadType, parsed.marker, parsed.sequence, parsed.timestamp, parsed.ssrc)
    return (*(column[index].item() for column in columns), parsed.payload(index))


BAD = [
    b"",
    b"\x80",
    bytes(12),
    b"\x40" + bytes(20),
    b"\x81" + bytes(12),
    b"\x90" + bytes(11),
    b"\x90" + bytes(13),
    b"\x90" + bytes(11) + b"\0\0\0\2" + bytes(4),
    b"\xa0" + bytes(11) + b"\0",
    b"\xa0" + bytes(11) + b"\2",
]

packets = st.builds(
    RTPPacket,
    payloadType=st.integers(0, 127),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=50),
    marker=st.booleans(),
    csrcs=st.lists(st.integers(0, 0xFFFFFFFF), max_size=15).map(tuple),
    extension=st.none()
    | st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=5).map(lambda octets: octets * 4)),
    padding=st.integers(0, 255),
)


class PacketTests(SynchronousTestCase):
    """
    One packet at a time.
    """

    def test_layout(self) -> None:
        """
        The fixed header is that of RFC 3550 section 5.1.
        """
        data = struct.pack(">BBHII", 0x80, 0x88, 0xFFFE, 160, 0x1A2B3C4D) + b"payload"
        packet = RTPPacket(8, 0xFFFE, 160, 0x1A2B3C4D, b"payload", True)
        self.assertEqual(RTPPacket.parse(data), packet)
        self.assertEqual(packet.serialize(), data)

    @given(packets)
    def test_roundTrip(self, packet: RTPPacket) -> None:
        """
        Any packet is read as it was written.
        """
        self.assertEqual(RTPPacket.parse(packet.serialize()), packet)

    def test_bad(self) -> None:
        """
        E5: another version, a list or extension that does not fit, or padding that is
        zero or longer than the rest makes it no RTP.
        """
        for data in BAD:
            self.assertRaises(BadRTP, RTPPacket.parse, data)


class TableTests(SynchronousTestCase):
    """
    Many at once.
    """

    @given(st.lists(packets | st.sampled_from(BAD), max_size=20))
    def test_E5_asOneByOne(self, mixed: list[RTPPacket | bytes]) -> None:
        """
        The table has exactly what parsing singly gives, in order; the rest is counted.
        """
        raw = [item if isinstance(item, bytes) else item.serialize() for item in mixed]
        parsed, invalid = parseTable(table(raw))
        expected = [
            (item.payloadType, item.marker, item.sequence, item.timestamp, item.ssrc, item.payload)
            for item in mixed
            if isinstance(item, RTPPacket)
        ]
        self.assertEqual([row(parsed, index) for index in range(len(parsed))], expected)
        self.assertEqual(invalid, len(mixed) - len(expected))

    def test_controlIsApart(self) -> None:
        """
        RTCP is neither a row nor invalid; arrivals go with their rows.
        """
        one, two = RTPPacket(0, 1, 2, 3, b"a").serialize(), RTPPacket(0, 2, 2, 3).serialize()
        parsed, invalid = parseTable(
            table([one, b"\x80\xc8", b"?", two], [False, True, False, False])
        )
        self.assertEqual(parsed.arrival.tolist(), [0, 3_000_000])
        self.assertEqual(invalid, 1)
        self.assertEqual(
            (parsed.sequence.dtype, parsed.timestamp.dtype, parsed.ssrc.dtype),
            (np.dtype(np.uint16), np.dtype(np.uint32), np.dtype(np.uint32)),
        )


class UnwrapTests(SynchronousTestCase):
    """
    Counters that wrap.
    """

    def test_E5_sequence(self) -> None:
        """
        A sequence number goes on past 65535, also with packets out of order there.
        """
        values = np.array([65534, 0, 65535, 1, 2], np.uint16)
        self.assertEqual(unwrap(values, 16).tolist(), [65534, 65536, 65535, 65537, 65538])

    def test_timestamp(self) -> None:
        """
        So does a timestamp of 32 bits.
        """
        values = np.array([0xFFFFFF60, 0, 160], np.uint32)
        self.assertEqual(unwrap(values, 32).tolist(), [0xFFFFFF60, 1 << 32, (1 << 32) + 160])

    def test_backwards(self) -> None:
        """
        A first packet that comes after its successor may be below zero.
        """
        self.assertEqual(unwrap(np.array([0, 65535], np.uint16), 16).tolist(), [0, -1])

    def test_continued(self) -> None:
        """
        A table goes on from the last value of the one before it.
        """
        values = np.array([3, 4], np.uint16)
        self.assertEqual(unwrap(values, 16, 3 * 65536 - 1).tolist(), [3 * 65536 + 3, 3 * 65536 + 4])
        self.assertEqual(unwrap(np.array([], np.uint16), 16).tolist(), [])
