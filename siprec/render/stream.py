"""
One stream of a recording: from its journals to one channel of audio.

Two passes over the journals, so that memory does not grow with the length of the
call: L{Stream.survey} counts and measures, L{Stream.mix} writes the samples.  A short
stream is kept from the first one to the second.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

from siprec.media.journal import RECORD, BadJournal, readHeader, readTables
from siprec.media.rtp import RTPTable, parseTable
from siprec.render.audio import Track
from siprec.render.codec import Decoder, Payloads
from siprec.render.decode import PayloadFormat, formatsFor, unasked
from siprec.render.digits import Digits
from siprec.render.masks import Masks
from siprec.render.mixing import Mixer
from siprec.render.reports import ReportLog
from siprec.render.runs import Run
from siprec.render.seams import Extent
from siprec.render.sequence import Rows, Sequencer
from siprec.render.timeline import Placement, Survey, place

__all__ = ["Stream", "Unreadable"]

_Ints = NDArray[np.int64]

#: Octets of journal that are looked at at once.
CHUNK = 1 << 20


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
    # The first table, and what is in it of each run, if there is no other.
    _whole: tuple[RTPTable, list[Rows]] | None = field(default=None, init=False)
    _zero: int = field(default=0, init=False)
    _rate: int = field(default=8000, init=False)

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
    def decoders(self) -> list[Decoder]:
        """
        What its packets are decoded with, after L{survey}.
        """
        formats = [self.formats[each] for each in self.payloadTypes if each in self.formats]
        return [each.decoder for each in formats if each.decoder is not None]

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
        sequencer, reports = Sequencer(), ReportLog()
        tables = self._tables(sequencer, self.unreadable, reports)
        for number, (file, table, ticks) in enumerate(tables):
            kept: list[Rows] = []
            self._whole = None if number else (table, kept)
            self._note(table)
            clock = self._clocks(table)
            for found in sequencer.feed(table, ticks):
                kept.append(found)
                while len(self.surveys) < len(sequencer.runs):
                    self.surveys.append(Survey(sequencer.runs[len(self.surveys)]))
                survey, rows = self.surveys[found.run.number], found.rows
                survey.add(found, table.arrival[rows], ticks[rows], clock[rows], file)
                self._listen(table, found)
                self.payloadTypes.subtract(table.payloadType[rows[found.again]].tolist())
        self.ignored = sequencer.ignored
        for survey in self.surveys:
            survey.reports = reports.of(survey.run.ssrc)

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

    @property
    def clock(self) -> str | None:
        """
        By what the sender's clock was judged, after L{place}: C{arrivals}, or C{reports}
        as well; C{None} if nothing came.
        """
        placements = [each for each in self.placements if each is not None]
        if not placements:
            return None
        reported = any(part.reported for each in placements for part in each.segments)
        return "reports" if reported else "arrivals"

    def place(self, zero: int, rate: int) -> None:
        """
        Decide where each packet belongs.

        @param zero: what the places count from, nanoseconds since the epoch.
        @param rate: samples a second.
        """
        self._zero, self._rate = zero, rate
        self.placements = [place(survey, zero, rate) for survey in self.surveys]

    def mix(self, track: Track, zero: int, rate: int | None = None, codes: bool = False) -> None:
        """
        Write the samples of all packets.

        @param zero: the place that is the begin of C{track}, in samples of it.
        @param rate: of C{track}; what is decoded to another one is left out.  C{None}:
            that of the places.
        @param codes: write the octets of G.711 (see L{G711.codes}).
        @raise OSError: the track cannot be written.
        """
        rate, placements = rate or self._rate, self.placements
        if rate != self._rate:
            placements = [place(survey, self._zero, rate) for survey in self.surveys]
        masks = Masks.of(self.runs, placements)
        mixer = Mixer(track, zero, rate, self.formats, placements, masks, codes)
        if self._whole is not None:
            # What is known of its runs now is what a second pass would know by then.
            for found in self._whole[1]:
                mixer.write(self._whole[0], found)
            return
        sequencer = Sequencer()
        for _, table, ticks in self._tables(sequencer, []):
            for found in sequencer.feed(table, ticks):
                mixer.write(table, found)

    def _tables(
        self,
        sequencer: Sequencer,
        unreadable: list[Unreadable],
        reports: ReportLog | None = None,
    ) -> Iterator[tuple[int, RTPTable, _Ints]]:
        """
        @param reports: takes the sender reports.
        @return: all packets with how long they play, and the number of their segment.
        """
        for number, name in self.journals.items():
            sequencer.beginFile()
            path = os.path.join(self.directory, name)
            try:
                with open(path, "rb") as file:
                    header = readHeader(file)
                    left = os.fstat(file.fileno()).st_size - (header.size if header else 0)
                    for packets in readTables(file, header.startNs, CHUNK) if header else ():
                        left -= int(packets.length.sum()) + RECORD.itemsize * len(packets)
                        if reports is not None:
                            reports.add(packets, number)
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
        for kind in np.flatnonzero(np.bincount(table.payloadType)).tolist():
            if kind not in self.formats and (found := unasked(kind)):
                self.formats[kind] = found
            if kind in self.formats:
                own = table.payloadType == kind
                start, length = table.payloadStart[own], table.payloadLength[own]
                ticks[own] = self.formats[kind].ticks(Payloads(table.data, start, length))
        return ticks

    def _clocks(self, table: RTPTable) -> _Ints:
        clocks = np.zeros(128, np.int64)
        for kind, each in self.formats.items():
            clocks[kind] = each.clockRate if each.timed else 0
        return clocks[table.payloadType]
