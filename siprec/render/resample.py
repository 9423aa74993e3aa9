"""
Bring a track to another rate.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siprec.render.audio import Samples, Track, blocks
from siprec.render.pyav import libav

__all__ = ["addResampled"]


def addResampled(source: Samples, rate: int, track: Track, wanted: int) -> None:
    """
    Add the samples of one track to those of another, from the same moment on.

    @param rate: of C{source}, samples a second.
    @param wanted: of C{track}.
    @raise OSError: the track cannot be written.
    """
    position = 0
    for samples in _resampled(source, rate, wanted):
        # A silence without a sample in it takes no room on the disk.
        if samples.any():
            before = track.read(position, len(samples)).astype(np.int32)
            together = before + samples[: len(before)]
            track.write(position, together.clip(-32768, 32767).astype(np.int16))
        position += len(samples)


def _resampled(source: Samples, rate: int, wanted: int) -> Iterator[NDArray[np.int16]]:
    av = libav()
    resampler: Any = av.AudioResampler(format="s16", layout="mono", rate=wanted)
    for position, count in blocks(source.frames):
        samples = np.ascontiguousarray(source.read(position, count), np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate, position
        for found in resampler.resample(frame):
            yield found.to_ndarray().reshape(-1)
    for found in resampler.resample(None):
        yield found.to_ndarray().reshape(-1)
