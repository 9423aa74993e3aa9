"""
From payload to linear samples, by payload type.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from siprec.render.codec import Decoder, Independent, Payloads, Voice
from siprec.render.libav import libavDecoder
from siprec.render.pyav import libav

__all__ = ["G711", "L16", "PayloadFormat", "decoderFor", "formatsFor", "unasked"]

_Ints = NDArray[np.int64]


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
    @ivar name: of the law, as encodings are named.
    @ivar silence: the octet of a sample that is next to zero.
    @ivar tag: what WAV calls the law.
    """

    table: NDArray[np.int16]
    sampleRate: int = 8000
    name: str = "PCMU"
    silence: int = 0xFF
    tag: int = 7
    # The two samples of each two octets: half as much to look up.
    _pairs: NDArray[np.int32] = field(init=False, repr=False)

    @_pairs.default
    def _makePairs(self) -> NDArray[np.int32]:
        octets = np.arange(1 << 16, dtype=np.uint16).view(np.uint8)
        return self.table.take(octets).view(np.int32)

    def samples(self, payloads: Payloads) -> _Ints:
        """
        See L{Decoder.samples}.
        """
        return payloads.length

    def open(self) -> Voice:
        """
        See L{Decoder.open}.
        """
        return Independent(self)

    def decode(self, payloads: Payloads) -> NDArray[np.int16]:
        """
        See L{PlainDecoder.decode}.
        """
        codes = payloads.gather()
        if len(codes) % 2:
            return self.table.take(codes)
        return self._pairs.take(codes.view(np.uint16)).view(np.int16)

    def codes(self, payloads: Payloads) -> NDArray[np.uint8]:
        """
        @return: the octets as they are, with the silence taken off: zeros are silence.
        """
        return payloads.gather() ^ np.uint8(self.silence)


@frozen(eq=False)
class L16:
    """
    Linear samples, the higher octet first (RFC 3551 section 4.5.11).
    """

    sampleRate: int

    def samples(self, payloads: Payloads) -> _Ints:
        """
        See L{Decoder.samples}.
        """
        return payloads.length // 2

    def open(self) -> Voice:
        """
        See L{Decoder.open}.
        """
        return Independent(self)

    def decode(self, payloads: Payloads) -> NDArray[np.int16]:
        """
        See L{PlainDecoder.decode}.
        """
        even = Payloads(payloads.data, payloads.start, payloads.length & ~1)
        return even.gather().view(">i2").astype(np.int16)


_DECODERS: Mapping[tuple[str, int], Decoder] = {
    ("PCMU", 8000): G711(_mulaw()),
    ("PCMA", 8000): G711(_alaw(), name="PCMA", silence=0xD5, tag=6),
    ("L16", 8000): L16(8000),
}

# What is not of 8,000 samples a second has to be brought to one rate with the rest.
_WIDER = (11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)

# Comfort noise (RFC 3389) and events (RFC 4733) are silence in a recording.
_SILENT = ("CN", "TELEPHONE-EVENT")


def decoderFor(codec: str, clockRate: int, fmtp: str | None = None) -> Decoder | None:
    """
    @param codec: encoding name, in any case.
    @param fmtp: its parameters, as negotiated.
    @return: C{None} for what cannot be decoded.
    """
    name = codec.upper()
    if name == "L16" and clockRate in _WIDER and libav():
        return L16(clockRate)
    return _DECODERS.get((name, clockRate)) or libavDecoder(name, clockRate, fmtp)


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

    def ticks(self, payloads: Payloads) -> _Ints:
        """
        @return: how long each one plays, in units of the timestamp; 0 for silence.
        """
        if self.decoder is None:
            return np.zeros_like(payloads.length)
        return self.decoder.samples(payloads) * self.clockRate // self.decoder.sampleRate


# RFC 3551 table 4; 19 is what comfort noise had before RFC 3389.
_STATIC = {0: "PCMU", 8: "PCMA", 13: "CN", 19: "CN"}
_STATIC_LIBAV = {3: "GSM", 9: "G722", 18: "G729"}


def formatsFor(formats: Sequence[Mapping[str, Any]]) -> dict[int, PayloadFormat]:
    """
    @param formats: C{formats} of a stream in the manifest: what was negotiated.
    @return: by payload type; the static ones of G.711 are always there, because a sender
        may use them unasked.
    """
    found = {number: _format(number, name, 8000, 1) for number, name in _STATIC.items()}
    for each in formats:
        number, channels = int(each["payloadType"]), int(each.get("channels") or 1)
        if 0 <= number <= 127:  # no packet can have another one
            codec, clockRate = str(each["codec"]), int(each["clockRate"])
            found[number] = _format(number, codec, clockRate, channels, each.get("fmtp"))
    return found


def unasked(number: int) -> PayloadFormat | None:
    """
    @param number: a payload type that was not negotiated.
    @return: what it stands for all the same; it is not asked before it comes, as
        libavcodec is long in loading.
    """
    codec = _STATIC_LIBAV.get(number)
    return _format(number, codec, 8000, 1) if codec else None


def _format(
    number: int, codec: str, clockRate: int, channels: int, fmtp: str | None = None
) -> PayloadFormat:
    # Opus says two channels whatever it carries (RFC 7587 section 7).
    mono = channels == 1 or codec.upper() == "OPUS"
    decoder = decoderFor(codec, clockRate, fmtp) if mono else None
    return PayloadFormat(number, codec, clockRate, decoder)
