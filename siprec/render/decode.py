"""
From payload to linear samples, by payload type.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

__all__ = ["G711", "Decoder", "PayloadFormat", "decoderFor", "formatsFor"]

_Ints = NDArray[np.int64]


class Decoder(Protocol):
    """
    A codec whose packets can be decoded each by itself.

    @ivar sampleRate: of what comes out, in hertz.
    """

    @property
    def sampleRate(self) -> int: ...

    def samples(self, length: _Ints) -> _Ints:
        """
        @param length: octets of each payload.
        @return: how many samples each one makes.
        """

    def decode(self, data: NDArray[np.uint8], start: _Ints, length: _Ints) -> NDArray[np.int16]:
        """
        @param data: payload i is C{data[start[i]:start[i] + length[i]]}.
        @return: the samples of all payloads, one after the other; nothing in a
            payload can make this fail.
        """


def _mulaw() -> NDArray[np.int16]:
    """
    ITU-T G.711 table 2: sign, exponent and mantissa, all bits inverted.
    """
    code = ~np.arange(256, dtype=np.int64) & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84 << ((code & 0x70) >> 4)) - 0x84
    signed: NDArray[np.int64] = np.where(code & 0x80, -magnitude, magnitude)
    return signed.astype(np.int16)


def _alaw() -> NDArray[np.int16]:
    """
    ITU-T G.711 table 1: every second bit inverted; the lowest two of the eight
    segments have the same step.
    """
    code = np.arange(256, dtype=np.int64) ^ 0x55
    exponent = (code & 0x70) >> 4
    magnitude = ((code & 0x0F) << 4) + np.where(exponent > 0, 0x108, 8)
    magnitude = magnitude << np.maximum(exponent - 1, 0)
    signed: NDArray[np.int64] = np.where(code & 0x80, magnitude, -magnitude)
    return signed.astype(np.int16)


@frozen(eq=False)
class G711:
    """
    One octet per sample, 8,000 samples a second (RFC 3551 section 4.5.14).

    @ivar table: the sample of each octet; full scale is 32,124 for mu-law and
        32,256 for A-law.
    """

    table: NDArray[np.int16]
    sampleRate: int = 8000

    def samples(self, length: _Ints) -> _Ints:
        """
        See L{Decoder.samples}.
        """
        return length

    def decode(self, data: NDArray[np.uint8], start: _Ints, length: _Ints) -> NDArray[np.int16]:
        """
        See L{Decoder.decode}.
        """
        if not len(start):
            return np.empty(0, np.int16)
        size = int(length[0])
        if (length == size).all():
            # Rows of one length are gathered in one step.
            places = (start[:, None] + np.arange(size)).reshape(-1)
        else:
            ends = np.cumsum(length)
            places = np.arange(int(ends[-1])) + np.repeat(start - (ends - length), length)
        samples: NDArray[np.int16] = self.table[data[places]]
        return samples


_DECODERS: Mapping[tuple[str, int], Decoder] = {
    ("PCMU", 8000): G711(_mulaw()),
    ("PCMA", 8000): G711(_alaw()),
}

# Comfort noise (RFC 3389) and events (RFC 4733) are silence in a recording.
_SILENT = ("CN", "TELEPHONE-EVENT")


def decoderFor(codec: str, clockRate: int) -> Decoder | None:
    """
    @param codec: encoding name, in any case.
    @return: C{None} for what cannot be decoded.
    """
    return _DECODERS.get((codec.upper(), clockRate))


@frozen
class PayloadFormat:
    """
    What a payload type stands for.

    @ivar codec: encoding name as offered, such as C{PCMA}.
    @ivar clockRate: of the RTP timestamp, in hertz.
    @ivar decoder: C{None} if its packets are silence.
    """

    payloadType: int
    codec: str
    clockRate: int
    decoder: Decoder | None

    @property
    def known(self) -> bool:
        """
        False for audio that is missing because it cannot be decoded.
        """
        return self.decoder is not None or self.codec.upper() in _SILENT

    @property
    def timed(self) -> bool:
        """
        False if the timestamp is no time of sending: that of an event is the
        event's begin in all of its packets (RFC 4733 section 2.2.2).
        """
        return self.codec.upper() != "TELEPHONE-EVENT"

    def ticks(self, length: _Ints) -> _Ints:
        """
        @param length: octets of each payload.
        @return: how long each one plays, in units of the timestamp; 0 for silence.
        """
        if self.decoder is None:
            return np.zeros_like(length)
        return self.decoder.samples(length) * self.clockRate // self.decoder.sampleRate


# RFC 3551 table 4; 19 is what comfort noise had before RFC 3389.
_STATIC = ((0, "PCMU"), (8, "PCMA"), (13, "CN"), (19, "CN"))


def formatsFor(formats: Sequence[Mapping[str, Any]]) -> dict[int, PayloadFormat]:
    """
    @param formats: C{formats} of a stream in the manifest: what was negotiated.
    @return: by payload type; the static ones that we can decode are always there,
        because a sender may use them unasked.
    """
    found = {number: _format(number, name, 8000, 1) for number, name in _STATIC}
    for each in formats:
        number, channels = int(each["payloadType"]), int(each.get("channels") or 1)
        if 0 <= number <= 127:  # no packet can have another one
            found[number] = _format(number, str(each["codec"]), int(each["clockRate"]), channels)
    return found


def _format(number: int, codec: str, clockRate: int, channels: int) -> PayloadFormat:
    decoder = decoderFor(codec, clockRate) if channels == 1 else None
    return PayloadFormat(number, codec, clockRate, decoder)
