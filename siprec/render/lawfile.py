"""
WAV files of G.711 as it came: nothing is decoded, and nothing encoded again.
"""

import struct
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from siprec.render.audio import WAV_LIMIT, Samples, blocks
from siprec.render.decode import G711

__all__ = ["Linear", "fillLaw"]

_UNKNOWN = 0xFFFFFFFF  # of a length that stands in another chunk


@frozen(eq=False)
class Linear:
    """
    A track of G.711 as linear samples.

    @ivar codes: octets, each with the law's silence taken off, so that the silence
        between packets is zeros.
    """

    codes: Samples
    law: G711

    @property
    def frames(self) -> int:
        """
        See L{Samples.frames}.
        """
        return self.codes.frames

    def read(self, position: int, count: int) -> NDArray[np.int16]:
        """
        See L{Samples.read}.
        """
        samples: NDArray[np.int16] = self.law.table[
            self.codes.read(position, count) ^ self.law.silence
        ]
        return samples


def fillLaw(file: BinaryIO, tracks: Sequence[Samples], law: G711, limit: int = WAV_LIMIT) -> None:
    """
    @param tracks: octets as in L{Linear}; one or more, of the same length.
    @param limit: octets of audio beyond which the file becomes RF64.
    """
    frames, channels = tracks[0].frames, len(tracks)
    file.write(_header(frames, channels, law, limit))
    for position, count in blocks(frames, channels):
        together = np.empty((count, channels), np.uint8)
        for channel, track in enumerate(tracks):
            together[:, channel] = track.read(position, count)
        file.write((together ^ law.silence).tobytes())
    if frames * channels % 2:
        file.write(b"\0")  # chunks begin at even places


def _header(frames: int, channels: int, law: G711, limit: int) -> bytes:
    """
    @return: all up to the first sample.  What is no PCM has a longer format chunk, and
        one that counts the samples (Multimedia Programming Interface, 1991).
    """
    size = frames * channels
    rate = law.sampleRate
    form = struct.pack("<HHIIHHH", law.tag, channels, rate, rate * channels, channels, 8, 0)
    long = size > limit
    fact = struct.pack("<I", _UNKNOWN if long else frames)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"fact" + struct.pack("<I", len(fact)) + fact
    chunks += b"data" + struct.pack("<I", _UNKNOWN if long else size)
    if not long:
        return b"RIFF" + struct.pack("<I", 4 + len(chunks) + size + size % 2) + b"WAVE" + chunks
    # EBU Tech 3306: the lengths of 64 bits come first.
    whole = 4 + 36 + len(chunks) + size + size % 2
    lengths = b"ds64" + struct.pack("<IQQQI", 28, whole, size, frames, 0)
    return b"RF64" + struct.pack("<I", _UNKNOWN) + b"WAVE" + lengths + chunks
