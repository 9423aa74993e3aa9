"""
RTP packets (RFC 3550 section 5.1): one at a time, and many at once by numpy.
"""

import struct

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from siprec.media.journal import PacketTable

__all__ = ["BadRTP", "RTPPacket", "RTPTable", "parseTable", "unwrap"]

_FIXED = struct.Struct(">BBHII")


class BadRTP(ValueError):
    """
    The octets are not an RTP packet.
    """


@frozen
class RTPPacket:
    """
    One packet, as a value.

    @ivar extension: profile and octets of the header extension (section 5.3.1),
        whole 32-bit words, or C{None}.
    @ivar padding: octets of padding with its count; 0: none.
    """

    payloadType: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes = b""
    marker: bool = False
    csrcs: tuple[int, ...] = ()
    extension: tuple[int, bytes] | None = None
    padding: int = 0

    @classmethod
    def parse(cls, data: bytes) -> "RTPPacket":
        """
        @raise BadRTP: it is not version 2, or ends too early.
        """
        if len(data) < _FIXED.size or data[0] >> 6 != 2:
            raise BadRTP("not RTP version 2")
        first, second, sequence, timestamp, ssrc = _FIXED.unpack_from(data)
        begin, end = _FIXED.size + 4 * (first & 0x0F), len(data)
        extension = None
        if begin > end:
            raise BadRTP("ends within the CSRC list")
        csrcs = struct.unpack_from(f">{first & 0x0F}I", data, _FIXED.size)
        if first & 0x10:
            if begin + 4 > end:
                raise BadRTP("ends within the header extension")
            profile, words = struct.unpack_from(">HH", data, begin)
            extension = (profile, data[begin + 4 : begin + 4 + 4 * words])
            begin += 4 + 4 * words
            if begin > end:
                raise BadRTP("ends within the header extension")
        padding = data[-1] if first & 0x20 else 0
        if first & 0x20 and not 1 <= padding <= end - begin:
            raise BadRTP("impossible padding")
        return cls(
            second & 0x7F,
            sequence,
            timestamp,
            ssrc,
            data[begin : end - padding],
            bool(second & 0x80),
            csrcs,
            extension,
            padding,
        )

    def serialize(self) -> bytes:
        """
        @return: the packet; padding is zeros and its count.
        """
        first = 0x80 | (0x20 if self.padding else 0) | len(self.csrcs)
        extension = b""
        if self.extension is not None:
            first |= 0x10
            profile, content = self.extension
            extension = struct.pack(">HH", profile, len(content) // 4) + content
        second = (0x80 if self.marker else 0) | self.payloadType
        head = _FIXED.pack(first, second, self.sequence, self.timestamp, self.ssrc)
        csrcs = struct.pack(f">{len(self.csrcs)}I", *self.csrcs)
        tail = bytes(self.padding - 1) + bytes([self.padding]) if self.padding else b""
        return head + csrcs + extension + self.payload + tail


@frozen(eq=False)
class RTPTable:
    """
    The valid RTP packets of a L{PacketTable}, in its order, as columns; the payload
    of row i is C{data[payloadStart[i]:payloadStart[i] + payloadLength[i]]}.
    """

    arrival: NDArray[np.int64]
    payloadType: NDArray[np.uint8]
    marker: NDArray[np.bool_]
    sequence: NDArray[np.uint16]
    timestamp: NDArray[np.uint32]
    ssrc: NDArray[np.uint32]
    payloadStart: NDArray[np.int64]
    payloadLength: NDArray[np.int64]
    data: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.sequence)

    def payload(self, index: int) -> bytes:
        """
        @return: the payload of one row, without padding.
        """
        begin = int(self.payloadStart[index])
        return self.data[begin : begin + int(self.payloadLength[index])].tobytes()


def _payloadBounds(
    data: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """
    @return: where each payload begins and ends, and whether the packet is whole.
    """
    first = data[start]
    begin = start + _FIXED.size + 4 * (first & 0x0F).astype(np.int64)
    good = begin <= end
    # Few packets have an extension or padding: only those rows are looked at.
    rows = np.flatnonzero((first & 0x10) != 0)
    if len(rows):
        at = begin[rows]
        there = at + 4 <= end[rows]
        rows, at = rows[there], at[there]
        good &= (first & 0x10) == 0
        begin[rows] = at + 4 + 4 * (data[at + 2].astype(np.int64) << 8 | data[at + 3])
        good[rows] = begin[rows] <= end[rows]
    rows = np.flatnonzero(good & ((first & 0x20) != 0))
    if len(rows):
        padding = data[end[rows] - 1].astype(np.int64)
        end = end.copy()
        end[rows] -= padding
        good[rows] = (padding >= 1) & (end[rows] >= begin[rows])
    return begin, end, good


def parseTable(table: PacketTable) -> tuple[RTPTable, int]:
    """
    Take the RTP out of a table: version 2, with CSRC list, header extension and
    padding understood (RFC 3550 appendix A.1).

    @return: the valid rows, and how many others that are not RTCP there were
        (STUN and DTLS on the same port count as such).
    """
    data = table.data
    candidates = np.flatnonzero(~table.rtcp)
    start, length = table.start[candidates], table.length[candidates]
    long = length >= _FIXED.size
    rows, start, end = candidates[long], start[long], (start + length)[long]
    version = data[start] >> 6 == 2
    rows, start, end = rows[version], start[version], end[version]
    begin, end, good = _payloadBounds(data, start, end)
    rows, start, begin, end = rows[good], start[good], begin[good], end[good]
    head = data[start[:, None] + np.arange(_FIXED.size)]
    second = head[:, 1]
    return RTPTable(
        arrival=table.arrival[rows],
        payloadType=second & 0x7F,
        marker=second >= 0x80,
        sequence=head[:, 2:4].copy().view(">u2")[:, 0].astype(np.uint16),
        timestamp=head[:, 4:8].copy().view(">u4")[:, 0].astype(np.uint32),
        ssrc=head[:, 8:12].copy().view(">u4")[:, 0].astype(np.uint32),
        payloadStart=begin,
        payloadLength=end - begin,
        data=data,
    ), len(candidates) - len(rows)


def unwrap(
    values: NDArray[np.unsignedinteger], bits: int, previous: int | None = None
) -> NDArray[np.int64]:
    """
    Extend a counter that wraps (sequence number: 16 bits, timestamp: 32): each value
    is taken to be the one nearest to the value before it, so reordering across the
    wrap is understood as well.

    @param previous: the last extended value of the table before, to go on from;
        without it the first value stands as it is.
    @return: the same numbers modulo C{2 ** bits}; may become negative.
    """
    wide = values.astype(np.int64)
    if not len(wide):
        return wide
    origin = int(wide[0]) if previous is None else previous
    half, modulus = 1 << (bits - 1), 1 << bits
    steps = (np.diff(wide, prepend=origin % modulus) + half) % modulus - half
    return origin + np.cumsum(steps)
