"""
The samples of the packets of one stream, put at their places.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from siprec.media.rtp import RTPTable
from siprec.render.audio import Track
from siprec.render.codec import Payloads, Voice
from siprec.render.decode import G711, PayloadFormat
from siprec.render.masks import Masks
from siprec.render.sequence import Rows
from siprec.render.timeline import Placement

__all__ = ["Mixer"]

_Ints = NDArray[np.int64]


@define(eq=False, repr=False)
class Mixer:
    """
    Writes one stream into one track.

    @ivar zero: the place that is the begin of C{track}.
    @ivar rate: of C{track}, samples a second; what is decoded to another one is left out.
    @ivar placements: of each run, at that rate.
    @ivar codes: write the octets of G.711, and nothing else.
    """

    track: Track
    zero: int
    rate: int
    formats: Mapping[int, PayloadFormat]
    placements: Sequence[Placement | None]
    masks: Masks | None
    codes: bool = False
    # Each source has its own, and each of its payload types; by run and payload type.
    _voices: dict[tuple[int, int], Voice] = field(factory=dict, init=False)
    # How far each run has come: sequence number, payload type, end.
    _reached: dict[int, tuple[int, int, int]] = field(factory=dict, init=False)

    def write(self, table: RTPTable, found: Rows) -> None:
        """
        Write the packets of one run in a table.

        @raise OSError: the track cannot be written.
        """
        placement = self.placements[found.run.number]
        own = np.flatnonzero(found.fresh)
        if placement is None or not len(own):
            return
        # In this order what was sent later is heard where two overlap.
        own = own[np.argsort(found.sequence[own], kind="stable")]
        rows, sequence = found.rows[own], found.sequence[own]
        kinds = table.payloadType[rows]
        begin = placement.positions(sequence, found.timestamp[own])
        end = begin.copy()
        for kind in np.flatnonzero(np.bincount(kinds)).tolist():
            decoder = self.formats[kind].decoder if kind in self.formats else None
            if decoder is None or decoder.sampleRate != self.rate:
                continue
            mine = np.flatnonzero(kinds == kind)
            start, length = table.payloadStart[rows[mine]], table.payloadLength[rows[mine]]
            payloads = Payloads(table.data, start, length)
            count = decoder.samples(payloads)
            end[mine] += count
            if self.codes:
                if isinstance(decoder, G711):
                    self._put(found, begin[mine], count, decoder.codes(payloads))
                continue
            voice = self._voices.get((found.run.number, kind))
            if voice is None:
                voice = self._voices[found.run.number, kind] = decoder.open()
            hole = self._holes(found, sequence, kinds, begin, end)[mine]
            samples, concealed = voice.decode(payloads, hole)
            at = begin[mine]
            if concealed.any():
                at = np.stack((at - hole, at), axis=1).reshape(-1)
                count = np.stack((concealed, count), axis=1).reshape(-1)
            self._put(found, at, count, samples)
        if sequence[-1] > self._reached.get(found.run.number, (-(1 << 62), 0, 0))[0]:
            reached = int(sequence[-1]), int(kinds[-1]), int(end[-1])
            self._reached[found.run.number] = reached

    def _holes(
        self,
        found: Rows,
        sequence: _Ints,
        kinds: NDArray[np.uint8],
        begin: _Ints,
        end: _Ints,
    ) -> _Ints:
        """
        @return: how many samples are missing before each packet, since packets of the
            same payload type were lost there.
        """
        first = int(sequence[0]), int(kinds[0]), int(begin[0])
        number, kind, reached = self._reached.get(found.run.number, first)
        lost = np.diff(sequence, prepend=number) > 1
        lost &= kinds == np.concatenate(([kind], kinds[:-1]))
        missing = begin - np.concatenate(([reached], end[:-1]))
        return np.where(lost, np.maximum(missing, 0), 0)

    def _put(self, found: Rows, begin: _Ints, count: _Ints, samples: NDArray[Any]) -> None:
        source = np.cumsum(count) - count
        if self.masks is not None:
            cut, count = self.masks.cut(found.run, begin, count)
            begin, source = begin + cut, source + cut
        _writePieces(self.track, begin - self.zero, source, count, samples)


def _writePieces(
    track: Track, begin: _Ints, source: _Ints, count: _Ints, samples: NDArray[Any]
) -> None:
    """
    Write packets, those that follow one another seamlessly at once.
    """
    some = count > 0
    begin, source, count = begin[some], source[some], count[some]
    if not len(begin):
        return
    seam = (begin[1:] != (begin + count)[:-1]) | (source[1:] != (source + count)[:-1])
    starts = np.flatnonzero(np.concatenate(([True], seam)))
    ends = np.append(starts[1:], len(begin)) - 1
    for position, first, last in zip(
        begin[starts].tolist(),
        source[starts].tolist(),
        (source + count)[ends].tolist(),
        strict=True,
    ):
        track.write(position, samples[first:last])
