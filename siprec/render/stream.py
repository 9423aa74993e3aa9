"""
One stream of a recording: from its journals to one channel of audio.

Two passes over the journals, so that memory does not grow with the length of the
call: L{Stream.survey} counts and measures, L{Stream.mix} writes the samples.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

from siprec.media.journal import RECORD, BadJournal, parseHeader, readJournal
from siprec.media.rtp import RTPTable, parseTable
from siprec.render.audio import Track
from siprec.render.decode import PayloadFormat, formatsFor
from siprec.render.digits import Digits
from siprec.render.runs import Run
from siprec.render.seams import Extent
from siprec.render.sequence import Rows, Sequencer
from siprec.render.timeline import Placement, Survey, place

__all__ = ["Stream", "Unreadable"]

_Ints = NDArray[np.int64]

#: Octets of journal that are looked at at once.
CHUNK = 1 << 20

_HEADER = 160  # no header is longer


@frozen
class Unreadable:
    """
    A journal, or the rest of one, that could not be read.
    """

    file: str
    reason: str


@define(eq=False, repr=False)
class Stream:
    """
    A stream and what its journals tell.

    @ivar entry: its entry in the manifest.
    @ivar journals: names of its journals by the number of the segment, in that order.
    @ivar unreadable: which of them could not be read, or not to the end.
    @ivar payloadTypes: how many packets there were of each; one that two nodes have
        captured is one.
    @ivar firstSeen: arrival of the first packet of each payload type, nanoseconds.
    @ivar firstArrival: of any packet; C{lastArrival} as well.
    @ivar ignored: packets that belong to no run, because there are too many.
    @ivar digits: what was pressed, after L{survey}.
    @ivar surveys: one per run.
    @ivar placements: one per run, after L{place}.
    """

    directory: str
    entry: Mapping[str, Any]
    journals: Mapping[int, str]
    formats: dict[int, PayloadFormat] = field(init=False)
    unreadable: list[Unreadable] = field(factory=list, init=False)
    payloadTypes: Counter[int] = field(factory=Counter, init=False)
    firstSeen: dict[int, int] = field(factory=dict, init=False)
    firstArrival: int | None = field(default=None, init=False)
    lastArrival: int | None = field(default=None, init=False)
    ignored: int = field(default=0, init=False)
    digits: Digits = field(factory=Digits, init=False)
    surveys: list[Survey] = field(factory=list, init=False)
    placements: list[Placement | None] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self.formats = formatsFor(self.entry.get("formats") or ())

    @property
    def index(self) -> int:
        """
        The stream's number, which names its journals.
        """
        return int(self.entry["index"])

    @property
    def runs(self) -> list[Run]:
        """
        What the packets fall into, after L{survey}.
        """
        return [survey.run for survey in self.surveys]

    @property
    def mainFormat(self) -> PayloadFormat | None:
        """
        The format of most packets; audio that can be decoded comes first.
        """
        formats = [self.formats[each] for each in self.payloadTypes if each in self.formats]
        return max(
            formats,
            key=lambda each: (
                each.decoder is not None,
                each.timed,
                self.payloadTypes[each.payloadType],
            ),
            default=None,
        )

    def survey(self) -> None:
        """
        Count the packets and measure when they came.
        """
        sequencer = Sequencer()
        for file, table, ticks in self._tables(sequencer, self.unreadable):
            self._note(table)
            clock = self._clocks(table)
            for found in sequencer.feed(table, ticks):
                while len(self.surveys) < len(sequencer.runs):
                    self.surveys.append(Survey(sequencer.runs[len(self.surveys)]))
                survey, rows = self.surveys[found.run.number], found.rows
                survey.add(found, table.arrival[rows], ticks[rows], clock[rows], file)
                self._listen(table, found)
                self.payloadTypes.subtract(table.payloadType[rows[found.again]].tolist())
        self.ignored = sequencer.ignored

    def _listen(self, table: RTPTable, found: Rows) -> None:
        """
        Hear what was pressed.
        """
        kinds = table.payloadType[found.rows]
        for number, each in self.formats.items():
            if each.timed or each.clockRate <= 0:
                continue
            own = found.fresh & (kinds == number)
            if own.any():
                rows, sequence, stamps = found.rows[own], found.sequence[own], found.timestamp[own]
                self.digits.feed(found.run.number, each.clockRate, table, rows, sequence, stamps)

    @property
    def extents(self) -> list[Extent]:
        """
        From when to when there is something of each run, after L{place}.
        """
        extents = []
        for survey, placement in zip(self.surveys, self.placements, strict=True):
            if placement is not None:
                file = survey.bins.file
                begin, end = placement.activity
                extents.append(
                    Extent(int(file.min()), int(file.max()), int(begin.min()), int(end.max()))
                )
        return extents

    def place(self, zero: int, rate: int) -> None:
        """
        Decide where each packet belongs.

        @param zero: what the places count from, nanoseconds since the epoch.
        @param rate: samples a second.
        """
        self.placements = [place(survey, zero, rate) for survey in self.surveys]

    def mix(self, track: Track, zero: int) -> None:
        """
        Write the samples of all packets.

        @param zero: the place that is the begin of C{track}.
        @raise OSError: the track cannot be written.
        """
        sequencer, masks = Sequencer(), _Masks.of(self.runs, self.placements)
        for _, table, ticks in self._tables(sequencer, []):
            for found in sequencer.feed(table, ticks):
                placement = self.placements[found.run.number]
                if placement is not None:
                    self._write(track, zero, table, found, placement, masks)

    def _tables(
        self, sequencer: Sequencer, unreadable: list[Unreadable]
    ) -> Iterator[tuple[int, RTPTable, _Ints]]:
        """
        @return: all packets with how long they play, and the number of their segment.
        """
        for number, name in self.journals.items():
            sequencer.beginFile()
            path = os.path.join(self.directory, name)
            try:
                with open(path, "rb") as file:
                    header = parseHeader(file.read(_HEADER))
                    left = os.fstat(file.fileno()).st_size - (header.size if header else 0)
                for packets in readJournal(path, CHUNK):
                    left -= int(packets.length.sum()) + RECORD.itemsize * len(packets)
                    table, _ = parseTable(packets)
                    if len(table):
                        yield number, table, self._ticks(table)
            except FileNotFoundError:
                unreadable.append(Unreadable(name, "it is not there"))
            except (BadJournal, OSError) as error:
                unreadable.append(Unreadable(name, str(error)))
            else:
                if header is None:
                    unreadable.append(Unreadable(name, "it ends within its header"))
                elif left > 0:
                    reason = f"its last {left} octets are no whole packet"
                    unreadable.append(Unreadable(name, reason))

    def _note(self, table: RTPTable) -> None:
        kinds, first, counts = np.unique(table.payloadType, return_index=True, return_counts=True)
        for kind, row, count in zip(kinds.tolist(), first.tolist(), counts.tolist(), strict=True):
            self.payloadTypes[kind] += count
            self.firstSeen.setdefault(kind, int(table.arrival[row]))
        low, high = int(table.arrival.min()), int(table.arrival.max())
        self.firstArrival = low if self.firstArrival is None else min(low, self.firstArrival)
        self.lastArrival = high if self.lastArrival is None else max(high, self.lastArrival)

    def _ticks(self, table: RTPTable) -> _Ints:
        ticks = np.zeros(len(table), np.int64)
        for kind in np.unique(table.payloadType).tolist():
            if kind in self.formats:
                own = table.payloadType == kind
                ticks[own] = self.formats[kind].ticks(table.payloadLength[own])
        return ticks

    def _clocks(self, table: RTPTable) -> _Ints:
        clocks = np.zeros(128, np.int64)
        for kind, each in self.formats.items():
            clocks[kind] = each.clockRate if each.timed else 0
        return clocks[table.payloadType]

    def _write(
        self,
        track: Track,
        zero: int,
        table: RTPTable,
        found: Rows,
        placement: Placement,
        masks: "_Masks | None",
    ) -> None:
        kinds = table.payloadType[found.rows]
        for kind in np.unique(kinds).tolist():
            decoder = self.formats[kind].decoder if kind in self.formats else None
            own = np.flatnonzero(found.fresh & (kinds == kind))
            if decoder is None or not len(own):
                continue
            # In this order what was sent later is heard where two overlap.
            own = own[np.argsort(found.sequence[own], kind="stable")]
            rows = found.rows[own]
            length = table.payloadLength[rows]
            count = decoder.samples(length)
            samples = decoder.decode(table.data, table.payloadStart[rows], length)
            begin = placement.positions(found.sequence[own], found.timestamp[own])
            source = np.cumsum(count) - count
            if masks is not None:
                cut, count = masks.cut(found.run, begin, count)
                begin, source = begin + cut, source + cut
            _writePieces(track, begin - zero, source, count, samples)


def _writePieces(
    track: Track, begin: _Ints, source: _Ints, count: _Ints, samples: NDArray[np.int16]
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


@frozen(eq=False)
class _Masks:
    """
    Which run is heard where several have packets at the same time; never a mixture.

    A new SSRC takes over from an older one (CONFORMANCE E6).  Of two runs of the
    same SSRC the older is heard: the other is a collision, or a restart, which
    does not overlap.  A run that was never confirmed gives way to all others.
    """

    rank: _Ints
    begin: _Ints
    end: _Ints

    @classmethod
    def of(cls, runs: list[Run], placements: list[Placement | None]) -> "_Masks | None":
        """
        @return: C{None} if there is only one run.
        """
        if len(runs) < 2:
            return None
        columns = [
            np.vstack((np.full(placement.activity.shape[1], _rank(run)), placement.activity))
            for run, placement in zip(runs, placements, strict=True)
            if placement is not None and run.confirmed
        ]
        return cls(*np.concatenate([np.empty((3, 0), np.int64), *columns], axis=1))

    def cut(self, run: Run, begin: _Ints, count: _Ints) -> tuple[_Ints, _Ints]:
        """
        @param begin: where packets of C{run} begin; C{count}: their samples.
        @return: how many samples to leave out at the begin of each packet, and how
            many then remain.
        """
        end = begin + count
        over = (self.rank > _rank(run)) & (self.end > begin.min())
        over &= self.begin < end.max()
        order = np.argsort(self.begin[over], kind="stable")
        if not len(order):
            return np.zeros_like(begin), count
        # Disjoint from here on: begins are those that no earlier end reaches.
        starts, reached = self.begin[over][order], np.maximum.accumulate(self.end[over][order])
        first = np.flatnonzero(np.concatenate(([True], starts[1:] > reached[:-1])))
        starts, ends = starts[first], reached[np.append(first[1:], len(starts)) - 1]
        limit = np.append(starts, np.iinfo(np.int64).max)
        place = np.searchsorted(ends, begin, side="right")
        inside = limit[place] <= begin
        fresh = np.where(inside, np.append(ends, 0)[place], begin)
        stop = np.minimum(end, limit[place + inside])
        fresh = np.minimum(fresh, end)
        return fresh - begin, np.maximum(stop - fresh, 0)


def _rank(run: Run) -> int:
    # The runs of an SSRC lie below those of the next; both numbers are of 32 bits
    # at most, as every run has a packet of its own.
    return (run.source << 32) - run.number if run.confirmed else -(1 << 62)
