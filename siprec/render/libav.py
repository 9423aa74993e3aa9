"""
Codecs that FFmpeg's libavcodec decodes, by way of PyAV (the extra C{codecs}).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

from siprec.render.codec import Decoder, Payloads, Voice
from siprec.render.frames import (
    AMR_BITS,
    AMR_WB_BITS,
    Adaptive,
    Blocks,
    Cutter,
    Opus,
    Whole,
    parameters,
)
from siprec.render.pyav import DECODERS, available, libav

__all__ = ["CODECS", "LibavDecoder", "libavDecoder"]

_Ints = NDArray[np.int64]

#: Frames in a row that are concealed; what is longer is silence.
MAX_CONCEALED = 5


@frozen(eq=False)
class LibavDecoder:
    """
    @ivar name: of the decoder; some codecs have several.
    @ivar bitRate: to tell modes of the codec apart; 0: it has none.
    """

    name: str
    sampleRate: int
    cutter: Cutter
    bitRate: int = 0

    def samples(self, payloads: Payloads) -> _Ints:
        """
        See L{Decoder.samples}.
        """
        return self.cutter.samples(payloads)

    def open(self) -> Voice:
        """
        See L{Decoder.open}.
        """
        context = libav().CodecContext.create(self.name, "r")
        context.sample_rate, context.layout = self.sampleRate, "mono"
        if self.bitRate:
            context.bit_rate = self.bitRate
        return _LibavVoice(self.cutter, context)


@define(eq=False, repr=False)
class _LibavVoice:
    cutter: Cutter
    context: Any
    _last: bytes = field(default=b"", init=False)
    _size: int = field(default=0, init=False)

    def decode(self, payloads: Payloads, hole: _Ints) -> tuple[NDArray[np.int16], _Ints]:
        """
        See L{Voice.decode}.
        """
        concealed = np.zeros(len(payloads), np.int64)
        parts: list[NDArray[np.int16]] = [np.empty(0, np.int16)]
        counts = self.cutter.samples(payloads).tolist()
        for row, (wanted, missing) in enumerate(zip(counts, hole.tolist(), strict=True)):
            if missing and self._size:
                cover = self._conceal(missing)
                concealed[row] = len(cover)
                parts.append(cover)
            parts.append(self._payload(payloads.payload(row), wanted))
        return np.concatenate(parts), concealed

    def _conceal(self, missing: int) -> NDArray[np.int16]:
        erased = self.cutter.erased(self._last)
        if erased is None:
            return np.empty(0, np.int16)
        frames = [self._frame(erased) for _ in range(min(missing // self._size, MAX_CONCEALED))]
        return np.concatenate([np.empty(0, np.int16), *frames])[:missing]

    def _payload(self, payload: bytes, wanted: int) -> NDArray[np.int16]:
        """
        @return: exactly as many samples as the payload is long.
        """
        samples = np.zeros(wanted, np.int16)
        at = 0
        for frame in self.cutter.frames(payload) if wanted else ():
            found = self._frame(frame)[: wanted - at]
            samples[at : at + len(found)] = found
            at += len(found)
            self._last, self._size = frame, len(found)
        return samples

    def _frame(self, frame: bytes) -> NDArray[np.int16]:
        av = libav()
        try:
            found = [
                each.to_ndarray().reshape(-1) for each in self.context.decode(av.Packet(frame))
            ]
        except (av.FFmpegError, ValueError):
            found = []
        return np.concatenate([np.empty(0, np.int16), *found]).astype(np.int16)


def _named(codec: str, *rest: Any) -> LibavDecoder:
    return LibavDecoder(DECODERS[codec], *rest)


def _ilbc(fmtp: Mapping[str, str]) -> Decoder:
    """
    RFC 3952: frames of 30 ms, unless it says 20.  The last bit of a frame says that it
    is empty (RFC 3951 section 3.8).
    """
    if fmtp.get("mode") == "20":
        return _named("ILBC", 8000, Blocks(38, 160, bytes(37) + b"\1"), 15_200)
    return _named("ILBC", 8000, Blocks(50, 240, bytes(49) + b"\1"), 13_333)


def _adaptive(
    codec: str, rate: int, bits: tuple[int, ...]
) -> Callable[[Mapping[str, str]], Decoder | None]:
    def make(fmtp: Mapping[str, str]) -> Decoder | None:
        checked = {"crc", "robust-sorting"} & {each for each in fmtp if fmtp[each] != "0"}
        if checked or "interleaving" in fmtp:
            return None
        aligned = fmtp.get("octet-align") == "1"
        return _named(codec, rate, Adaptive(bits, rate // 50, aligned))

    return make


@frozen(eq=False)
class _Known:
    """
    @ivar clocks: which clock rates it may be negotiated with.
    @ivar make: from C{fmtp} to a decoder.
    """

    clocks: tuple[int, ...]
    make: Callable[[Mapping[str, str]], Decoder | None]


def _always(decoder: LibavDecoder, *clocks: int) -> _Known:
    return _Known(clocks, lambda _: decoder)


#: By the encoding name.  Of G.722 the clock is half the rate (RFC 3551 section 4.5.2),
#: which some do not know.  All zeros are no frame of G.729, but a lost one.
CODECS: Mapping[str, _Known] = {
    "G722": _always(_named("G722", 16_000, Whole(2)), 8000, 16_000),
    "G729": _always(_named("G729", 8000, Blocks(10, 80, bytes(10))), 8000),
    "GSM": _always(_named("GSM", 8000, Blocks(33, 160)), 8000),
    "OPUS": _always(_named("OPUS", 48_000, Opus()), 48_000),
    "ILBC": _Known((8000,), _ilbc),
    "AMR": _Known((8000,), _adaptive("AMR", 8000, AMR_BITS)),
    "AMR-WB": _Known((16_000,), _adaptive("AMR-WB", 16_000, AMR_WB_BITS)),
}


def libavDecoder(codec: str, clockRate: int, fmtp: str | None = None) -> Decoder | None:
    """
    @param codec: encoding name in capitals.
    @return: C{None} for what is not decoded, here or on any machine.
    """
    known = CODECS.get(codec)
    if known is None or clockRate not in known.clocks or DECODERS[codec] not in (available() or ()):
        return None
    return known.make(parameters(fmtp))
