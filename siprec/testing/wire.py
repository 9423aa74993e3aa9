"""
Synthetic media as it goes over the wire: G.711 and RTP, written from the
standards and apart from the recorder's own code, so that one can be held
against the other.
"""

import struct
from collections.abc import Sequence
from enum import Enum

import numpy as np
from attrs import frozen
from numpy.typing import NDArray


class Law(Enum):
    """
    The two laws of ITU-T G.711, by their static RTP payload types (RFC 3551
    section 6).
    """

    MU = 0
    A = 8

    @property
    def payloadType(self) -> int:
        return self.value

    @property
    def encodingName(self) -> str:
        """
        As in SDP.
        """
        return "PCMU" if self is Law.MU else "PCMA"


def _bitLengths(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.frexp(values.astype(np.float64))[1].astype(np.int64)


def _muEncoder() -> NDArray[np.uint8]:
    """
    @return: the code of each 16-bit sample, by the sample as unsigned index.
    """
    sample = np.arange(65536).astype(np.uint16).view(np.int16).astype(np.int64)
    # G.711 knows 14 bits; one's complement makes both halves the same size.
    magnitude = np.minimum((np.where(sample < 0, ~sample, sample) >> 2) + 33, 0x1FFF)
    segment = _bitLengths(magnitude) - 5
    code = ((8 - segment) << 4) | (0xF - ((magnitude >> segment) & 0xF))
    encoder: NDArray[np.uint8] = np.where(sample < 0, code, code | 0x80).astype(np.uint8)
    return encoder


def _aEncoder() -> NDArray[np.uint8]:
    """
    @return: the code of each 16-bit sample, by the sample as unsigned index.
    """
    sample = np.arange(65536).astype(np.uint16).view(np.int16).astype(np.int64)
    magnitude = np.where(sample < 0, ~sample, sample) >> 4
    segment = np.where(magnitude > 15, _bitLengths(magnitude) - 4, 0)
    inside = np.where(segment > 0, (magnitude >> np.maximum(segment - 1, 0)) - 16, magnitude)
    code = (segment << 4) | inside
    # Every other bit is turned over, so that silence is not a row of zeros.
    return (np.where(sample < 0, code, code | 0x80) ^ 0x55).astype(np.uint8)


def _muDecoder() -> NDArray[np.int16]:
    code = ~np.arange(256, dtype=np.int64)
    segment, inside = (code >> 4) & 7, code & 0xF
    magnitude = (((inside << 3) + 0x84) << segment) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _aDecoder() -> NDArray[np.int16]:
    code = np.arange(256, dtype=np.int64) ^ 0x55
    segment, inside = (code >> 4) & 7, code & 0xF
    step = (inside << 4) + 8
    magnitude = np.where(segment > 0, (step + 0x100) << np.maximum(segment - 1, 0), step)
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


_ENCODERS = {Law.MU: _muEncoder(), Law.A: _aEncoder()}
_DECODERS = {Law.MU: _muDecoder(), Law.A: _aDecoder()}


def encodeG711(samples: NDArray[np.int16], law: Law) -> bytes:
    """
    @param samples: mono, linear PCM, 8000 a second.
    @return: one byte for each sample.
    """
    return _ENCODERS[law][samples.view(np.uint16)].tobytes()


def decodeG711(payload: bytes, law: Law) -> NDArray[np.int16]:
    """
    @return: linear PCM; full scale is 32124 (mu-law) or 32256 (A-law).
    """
    return _DECODERS[law][np.frombuffer(payload, np.uint8)]


def packetize(payload: bytes, size: int = 160) -> list[bytes]:
    """
    Cut encoded audio into payloads of C{size} bytes; the last may be shorter.
    """
    return [payload[start : start + size] for start in range(0, len(payload), size)]


@frozen
class RTPStream:
    """
    The numbers of one synchronization source (RFC 3550 section 5.1).

    @ivar sequence: of the first packet, 0 to 65535.
    @ivar timestamp: of the first packet, 0 to 2**32 - 1.
    @ivar step: timestamp units from one packet to the next.
    """

    ssrc: int
    payloadType: int = 0
    sequence: int = 0
    timestamp: int = 0
    step: int = 160

    def packets(self, payloads: Sequence[bytes]) -> list[bytes]:
        """
        @return: an RTP packet for each payload, the first with the marker.
        """
        return [
            struct.pack(
                "!BBHLL",
                0x80,
                self.payloadType | (0x80 if number == 0 else 0),
                (self.sequence + number) & 0xFFFF,
                (self.timestamp + number * self.step) & 0xFFFFFFFF,
                self.ssrc,
            )
            + payload
            for number, payload in enumerate(payloads)
        ]


def senderReport(
    ssrc: int, unixTime: float, timestamp: int, packets: int, octets: int, cname: str
) -> bytes:
    """
    @param unixTime: the wallclock that belongs to C{timestamp}.
    @return: a compound RTCP packet of SR and SDES (RFC 3550 sections 6.4.1
        and 6.5).
    """
    ntp = round((unixTime + 2208988800) * (1 << 32))  # NTP counts from 1900
    report = struct.pack(
        "!BBHLQLLL", 0x80, 200, 6, ssrc, ntp, timestamp & 0xFFFFFFFF, packets, octets
    )
    item = struct.pack("!BB", 1, len(cname.encode())) + cname.encode() + b"\0"
    chunk = struct.pack("!L", ssrc) + item + bytes(-len(item) % 4)
    return report + struct.pack("!BBH", 0x81, 202, len(chunk) // 4) + chunk


__all__ = [
    "Law",
    "RTPStream",
    "decodeG711",
    "encodeG711",
    "packetize",
    "senderReport",
]
