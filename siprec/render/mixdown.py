"""
All streams in one channel, with everybody about as loud as the loudest.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from siprec.render.audio import Samples, blocks

__all__ = ["MOST", "Mixdown", "mixdown"]

#: Nobody is made louder by more (12 dB): what is that quiet is no speech.
MOST = 4.0

_FRAME = 160  # samples whose loudness is measured together
_SPEECH = 100.0  # what is quieter, root mean square, is a pause (-50 dB)
_FULL = 32767.0


@frozen(eq=False)
class Mixdown:
    """
    The weighted sum of tracks.

    @ivar gains: what the samples of each track are multiplied with.
    """

    tracks: tuple[Samples, ...]
    gains: tuple[float, ...]

    @property
    def frames(self) -> int:
        """
        See L{Samples.frames}.
        """
        return self.tracks[0].frames

    def read(self, position: int, count: int) -> NDArray[np.int16]:
        """
        See L{Samples.read}.
        """
        return np.rint(self.sum(position, count)).clip(-_FULL - 1, _FULL).astype(np.int16)

    def sum(self, position: int, count: int) -> NDArray[np.float64]:
        """
        @return: the sum before it is made to fit.
        """
        total = np.zeros(count)
        for track, gain in zip(self.tracks, self.gains, strict=True):
            total += gain * track.read(position, count)
        return total


def mixdown(tracks: Sequence[Samples], owners: Sequence[Hashable]) -> Mixdown:
    """
    @param tracks: one or more, of the same length, of linear samples.
    @param owners: whose each one is; streams of one participant have one gain.
    @return: a sum that no sample has to be cut off from.
    """
    loudness: dict[Hashable, float] = {}
    for track, owner in zip(tracks, owners, strict=True):
        loudness[owner] = max(loudness.get(owner, 0.0), _loudness(track))
    loudest = max(loudness.values())
    gains = [min(loudest / loudness[owner], MOST) if loudness[owner] else 1.0 for owner in owners]
    louder = Mixdown(tuple(tracks), tuple(gains))
    peak = max(
        (float(np.abs(louder.sum(*block)).max()) for block in blocks(louder.frames)), default=0.0
    )
    # The whole call is turned down alike, so that nothing is distorted.
    scale = min(_FULL / peak, 1.0) if peak else 1.0
    return Mixdown(tuple(tracks), tuple(gain * scale for gain in gains))


def _loudness(track: Samples) -> float:
    """
    @return: root mean square of what is no pause; 0 if all is.
    """
    energy, count = 0.0, 0
    for position, length in blocks(track.frames):
        samples = track.read(position, length).astype(np.float64)
        starts = np.arange(0, length, _FRAME)
        sizes = np.diff(np.append(starts, length))
        squares = np.add.reduceat(samples * samples, starts)
        speech = squares > _SPEECH * _SPEECH * sizes
        energy += float(squares[speech].sum())
        count += int(sizes[speech].sum())
    return (energy / count) ** 0.5 if count else 0.0
