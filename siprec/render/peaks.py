"""
The file that a waveform is drawn from: the lowest and the highest sample of each column.

Its form is that of audiowaveform, version 2, which its viewers read, too.
"""

import json
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from siprec.render.audio import Samples

__all__ = ["COLUMNS", "fillPeaks", "peaksOf", "samplesPerPixel"]

#: At most so many columns, however long a call was.
COLUMNS = 16_384

_LEAST = 256  # samples of a column
_BLOCK = 1 << 18  # samples that are looked at at once
_BITS = 8


def samplesPerPixel(frames: int, columns: int = COLUMNS) -> int:
    """
    @return: a power of two, C{256} or above, of which no more than C{columns} are needed.
    """
    size = _LEAST
    while frames > size * columns:
        size *= 2
    return size


def peaksOf(track: Samples, size: int) -> NDArray[np.int16]:
    """
    @param size: samples of a column.
    @return: the lowest and the highest of each column; shape C{(columns, 2)}.
    """
    found = [np.empty((0, 2), np.int16)]
    step = max(_BLOCK // size, 1) * size
    for position in range(0, track.frames, step):
        samples = track.read(position, min(step, track.frames - position))
        starts = np.arange(0, len(samples), size)
        lowest = np.minimum.reduceat(samples, starts)
        found.append(np.stack((lowest, np.maximum.reduceat(samples, starts)), axis=1))
    return np.concatenate(found)


def fillPeaks(file: BinaryIO, tracks: Sequence[Samples], rate: int) -> None:
    """
    @param tracks: one per channel, of the same length, of linear samples.
    @param rate: their samples a second.
    """
    size = samplesPerPixel(tracks[0].frames)
    pairs = np.stack([peaksOf(track, size) >> 16 - _BITS for track in tracks], axis=1)
    described = {
        "version": 2,
        "channels": len(tracks),
        "sample_rate": rate,
        "samples_per_pixel": size,
        "bits": _BITS,
        "length": len(pairs),
        # Column by column, in each channel by channel, lowest before highest.
        "data": pairs.reshape(-1).tolist(),
    }
    file.write(json.dumps(described, separators=(",", ":")).encode() + b"\n")
