"""
A tone in each codec, encoded by others.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siprec.render.frames import AMR_BITS, AMR_WB_BITS
from siprec.render.pyav import libav

__all__ = [
    "SECONDS",
    "adaptive",
    "aligned",
    "decoded",
    "encode",
    "packed",
    "pitch",
    "sample",
    "tone",
]

#: How long each tone is.
SECONDS = 2

_SAMPLES = Path(__file__).parent / "samples"


def tone(rate: int, hertz: float = 1000.0) -> NDArray[np.int16]:
    """
    @return: the tone in linear samples.
    """
    times = np.arange(SECONDS * rate) / rate
    return (8192 * np.sin(2 * np.pi * hertz * times)).astype(np.int16)


def pitch(samples: NDArray[np.int16], rate: int) -> float:
    """
    @return: the frequency that is loudest, in hertz.
    """
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * rate / len(samples))


def sample(name: str, octets: int, skip: int = 0) -> list[bytes]:
    """
    @return: the content of a file, in pieces.
    """
    data = (_SAMPLES / name).read_bytes()[skip:]
    return [data[at : at + octets] for at in range(0, len(data), octets)]


def encode(codec: str, rate: int, samples: NDArray[np.int16]) -> list[bytes]:
    """
    @return: packets of 20 ms, made by FFmpeg.
    """
    av = libav()
    encoder: Any = av.CodecContext.create(codec, "w")
    encoder.sample_rate, encoder.layout, encoder.format = rate, "mono", "s16"
    packets: list[bytes] = []
    size = rate // 50
    for at in range(0, len(samples), size):
        part = np.ascontiguousarray(samples[None, at : at + size])
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate, at
        packets += [bytes(each) for each in encoder.encode(frame)]
    return packets


def decoded(codec: str, rate: int, packets: list[bytes]) -> NDArray[np.int16]:
    """
    @return: what FFmpeg makes of packets.
    """
    av = libav()
    decoder: Any = av.CodecContext.create(codec, "r")
    decoder.sample_rate, decoder.layout = rate, "mono"
    frames = [frame for each in packets for frame in decoder.decode(av.Packet(each))]
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])


def adaptive(name: str) -> list[bytes]:
    """
    @return: the frames of a file of AMR or AMR-WB (RFC 4867 section 5).
    """
    data = (_SAMPLES / name).read_bytes()
    magic, bits = (b"#!AMR-WB\n", AMR_WB_BITS) if name.endswith("awb") else (b"#!AMR\n", AMR_BITS)
    assert data.startswith(magic)
    frames, at = [], len(magic)
    while at < len(data):
        size = 1 + -(-bits[data[at] >> 3 & 15] // 8)
        frames.append(data[at : at + size])
        at += size
    return frames


def aligned(*frames: bytes) -> bytes:
    """
    @return: a payload of frames, octet-aligned (RFC 4867 section 4.4).
    """
    last = len(frames) - 1
    table = bytes((each[0] & 0x7C) | (0x80 if n < last else 0) for n, each in enumerate(frames))
    return b"\xf0" + table + b"".join(each[1:] for each in frames)


def packed(*frames: bytes, bits: tuple[int, ...]) -> bytes:
    """
    @return: a payload of frames, bandwidth-efficient (RFC 4867 section 4.3).
    """
    return _octets("".join(_packedBits(frames, bits)))


def _packedBits(frames: tuple[bytes, ...], bits: tuple[int, ...]) -> Iterator[str]:
    yield "1111"
    for number, frame in enumerate(frames):
        yield "1" if number < len(frames) - 1 else "0"
        yield f"{frame[0] >> 3 & 15:04b}{frame[0] >> 2 & 1}"
    for frame in frames:
        kind = frame[0] >> 3 & 15
        size = bits[kind] if kind < len(bits) else 0
        yield "".join(f"{octet:08b}" for octet in frame[1:])[:size]


def _octets(text: str) -> bytes:
    text += "0" * (-len(text) % 8)
    return bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))
