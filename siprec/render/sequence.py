"""
Bring the packets of one stream into the order in which they were sent.

RFC 3550 appendix A.1 decides which sequence numbers belong together.  That code
is for a player, which throws away what it cannot judge yet; a recorder keeps it:
a packet in probation becomes a L{Run} of its own until it is known better.
"""

from bisect import bisect_right
from collections.abc import Iterator

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

from siprec.media.rtp import RTPTable, unwrap

__all__ = [
    "MAX_DROPOUT",
    "MAX_GAPS",
    "MAX_MISORDER",
    "MAX_RUNS",
    "Missing",
    "Rows",
    "Run",
    "Sequencer",
]

#: RFC 3550 appendix A.1: a larger step forward, or backward, is no loss or
#: reordering but another sequence, if a second packet confirms it.
MAX_DROPOUT = 3000
MAX_MISORDER = 100
#: How many holes of one run are remembered.
MAX_GAPS = 10_000

#: A stream with more runs than this is under attack: from here on only two packets
#: in a row begin another one, and from twice as many on nothing does.
MAX_RUNS = 500

# Other runs of the same source that a packet may belong to.
_CANDIDATES = 16
# Every so many packets the pair of sequence number and timestamp is noted, and
# as many notes are kept as half the sequence numbers need.
_MARK_EVERY = 64
_MARKS = 1024
# An alternation between two sequences must not make every step look at all rows.
_BLOCK = 1024

_Ints = NDArray[np.int64]


@define(eq=False, repr=False)
class Missing:
    """
    A hole in the sequence numbers.

    @ivar first: extended sequence number of the first missing packet.
    @ivar last: of the last one.
    @ivar begin: extended timestamp where the packet before the hole ends.
    @ivar end: extended timestamp of the packet after it.
    """

    first: int
    last: int
    begin: int
    end: int


@define(eq=False, repr=False)
class Run:
    """
    Packets of one synchronization source whose sequence numbers belong together.

    @ivar number: position among all runs of the stream.
    @ivar source: position of its SSRC among those of the stream.
    @ivar confirmed: two consecutive sequence numbers were seen.
    @ivar low: lowest extended sequence number; C{high} the highest.
    @ivar packets: all of them, C{duplicates} among them.
    @ivar reordered: packets that came after one with a higher sequence number.
    @ivar missing: the holes between C{low} and C{high}, in order.
    @ivar omitted: how many older holes are forgotten (see L{MAX_GAPS}).
    """

    ssrc: int
    number: int
    source: int
    firstArrival: int
    low: int
    high: int
    _lowTimestamp: int
    _highEnd: int
    _timestamp: int
    _cursor: int | None = None
    _fileHigh: int | None = None
    confirmed: bool = False
    packets: int = 0
    duplicates: int = 0
    reordered: int = 0
    omitted: int = 0
    missing: list[Missing] = field(factory=list)
    _marks: list[tuple[int, int]] = field(factory=list)

    @property
    def lost(self) -> int:
        """
        Packets that were expected and never came (RFC 3550 appendix A.3).
        """
        return self.high - self.low + 1 - (self.packets - self.duplicates)

    def beginFile(self) -> None:
        """
        What follows was captured by somebody else, perhaps at the same time.
        """
        self._cursor = self._fileHigh = None

    def follow(self, sequence: NDArray[np.uint16]) -> tuple[_Ints, int]:
        """
        @return: the extended sequence numbers as far as they go on from here,
            and how many that are.
        """
        if self._cursor is None:
            return np.empty(0, np.int64), 0
        extended = unwrap(sequence, 16, self._cursor)
        reached = np.maximum.accumulate(np.concatenate(([self._cursor], extended)))
        step = extended - reached[:-1]
        bad = (step >= MAX_DROPOUT) | (step <= -MAX_MISORDER)
        count = int(bad.argmax()) if bad.any() else len(extended)
        if count:
            self.confirmed = self.confirmed or bool((step[:count] == 1).any())
            self._cursor = int(reached[count])
        return extended[:count], count

    def accepts(self, sequence: int, timestamp: int) -> int | None:
        """
        Look at a packet that does not follow the one before it.

        @return: its extended sequence number if it belongs here.
        """
        base = self.high if self._cursor is None else self._cursor
        extended = _nearest(base, sequence, 16)
        if -MAX_MISORDER < extended - base < MAX_DROPOUT:
            self.confirmed = self.confirmed or extended == base + 1
            self._cursor = max(extended, base) if self._cursor is not None else extended
            return extended
        extended = _nearest(self.high, sequence, 16)
        if extended < self.high and self._remembers(extended, timestamp):
            # Far behind, but its timestamp proves the place: very late, or from
            # another node's journal of the same time.
            if self._cursor is None:
                self._cursor = extended
            return extended
        return None

    def account(
        self, extended: _Ints, timestamp: NDArray[np.uint32], ticks: _Ints
    ) -> tuple[_Ints, NDArray[np.bool_], NDArray[np.bool_]]:
        """
        Count packets, in arrival order.

        @param ticks: how long each one plays, in units of its timestamp.
        @return: extended timestamps; which packets are no duplicates; and which
            of them are also newer than all before.
        """
        wide = unwrap(timestamp, 32, self._timestamp)
        self._timestamp = int(wide[-1])
        before = int(extended[0]) if self._fileHigh is None else self._fileHigh
        inFile = np.maximum.accumulate(np.concatenate(([before], extended)))
        reached = np.maximum.accumulate(np.concatenate(([self.high], extended)))[:-1]
        advancing = extended > reached
        fresh = advancing
        if not advancing.all():
            fresh = self._fresh(extended, wide, ticks)
            self.reordered += int(np.count_nonzero(fresh & (extended < inFile[:-1])))
        self._fileHigh = int(inFile[-1])
        self.packets += len(extended)
        self.duplicates += len(extended) - int(np.count_nonzero(fresh))
        self._extend(extended[fresh], wide[fresh], ticks[fresh])
        noted = np.flatnonzero(advancing)[::_MARK_EVERY]
        self._marks += zip(extended[noted].tolist(), wide[noted].tolist(), strict=True)
        del self._marks[:-_MARKS]
        return wide, fresh, advancing

    def _fresh(self, extended: _Ints, wide: _Ints, ticks: _Ints) -> NDArray[np.bool_]:
        fresh = np.zeros(len(extended), np.bool_)
        fresh[np.unique(extended, return_index=True)[1]] = True
        for row in np.flatnonzero(fresh & (extended <= self.high)).tolist():
            fresh[row] = self._fill(int(extended[row]), int(wide[row]), int(ticks[row]))
        return fresh

    def _fill(self, extended: int, timestamp: int, ticks: int) -> bool:
        """
        @return: false if the packet is there already.
        """
        end = timestamp + ticks
        if extended < self.low:
            if extended < self.low - 1:
                hole = Missing(extended + 1, self.low - 1, end, self._lowTimestamp)
                self.missing.insert(0, hole)
            self.low, self._lowTimestamp = extended, timestamp
            return True
        place = bisect_right(self.missing, extended, key=lambda each: each.first) - 1
        if place < 0 or self.missing[place].last < extended:
            return False
        hole = self.missing[place]
        parts = (
            Missing(hole.first, extended - 1, hole.begin, timestamp),
            Missing(extended + 1, hole.last, end, hole.end),
        )
        self.missing[place : place + 1] = [each for each in parts if each.first <= each.last]
        return True

    def _extend(self, extended: _Ints, wide: _Ints, ticks: _Ints) -> None:
        above = extended > self.high
        if not above.all():
            extended, wide, ticks = extended[above], wide[above], ticks[above]
        if not len(extended):
            return
        if (np.diff(extended) < 0).any():
            order = np.argsort(extended)
            extended, wide, ticks = extended[order], wide[order], ticks[order]
        ends = np.concatenate(([self._highEnd], wide + ticks))
        before = np.concatenate(([self.high], extended[:-1]))
        for row in np.flatnonzero(extended - before > 1).tolist():
            first, last = int(before[row]) + 1, int(extended[row]) - 1
            self.missing.append(Missing(first, last, int(ends[row]), int(wide[row])))
        if len(self.missing) > MAX_GAPS:
            self.omitted += len(self.missing) - MAX_GAPS
            del self.missing[:-MAX_GAPS]
        self.high, self._highEnd = int(extended[-1]), int(ends[-1])

    def _remembers(self, extended: int, timestamp: int) -> bool:
        place = bisect_right(self._marks, extended, key=lambda mark: mark[0])
        if not place:
            return False
        after = self._marks[place][1] if place < len(self._marks) else self._highEnd
        return self._marks[place - 1][1] <= _nearest(self._timestamp, timestamp, 32) <= after


@frozen(eq=False)
class Rows:
    """
    The packets of one table that belong to one run, in arrival order.

    @ivar rows: their places in the table.
    @ivar sequence: extended; C{timestamp} as well.
    @ivar fresh: false for duplicates.
    @ivar advancing: true for those newer than all before.
    """

    run: Run
    rows: _Ints
    sequence: _Ints
    timestamp: _Ints
    fresh: NDArray[np.bool_]
    advancing: NDArray[np.bool_]


@define(eq=False, repr=False)
class Sequencer:
    """
    Finds the runs of one stream.  The same packets, in tables of the same sizes,
    always give the same result, so that a second pass sees what the first saw.

    @ivar runs: in the order of their first packets.
    @ivar ignored: packets that belong to no run (see L{MAX_RUNS}).
    """

    runs: list[Run] = field(factory=list, init=False)
    ignored: int = field(default=0, init=False)
    _probation: dict[int, int] = field(factory=dict, init=False)
    _sources: dict[int, list[Run]] = field(factory=dict, init=False)

    def beginFile(self) -> None:
        """
        The next table is the first one of another journal of this stream.
        """
        for run in self.runs:
            run.beginFile()

    def feed(self, table: RTPTable, ticks: _Ints) -> Iterator[Rows]:
        """
        @param ticks: how long each packet plays, in units of its timestamp.
        @return: the packets of C{table}, run by run.
        """
        for ssrc, rows in _bySource(table.ssrc):
            sequence, timestamp = table.sequence[rows], table.timestamp[rows]
            parts: dict[int, list[tuple[int, _Ints]]] = {}
            for number, at, extended in self._assign(
                ssrc, sequence, timestamp, table.arrival[rows]
            ):
                parts.setdefault(number, []).append((at, extended))
            for number, pieces in parts.items():
                places = [np.arange(at, at + len(extended)) for at, extended in pieces]
                own = np.concatenate(places)
                numbers = np.concatenate([extended for _, extended in pieces])
                run, mine = self.runs[number], rows[own]
                found = run.account(numbers, timestamp[own], ticks[mine])
                yield Rows(run, mine, numbers, *found)

    def _assign(
        self,
        ssrc: int,
        sequence: NDArray[np.uint16],
        timestamp: NDArray[np.uint32],
        arrival: _Ints,
    ) -> Iterator[tuple[int, int, _Ints]]:
        """
        @return: the number of a run, the first row that belongs to it, and the
            extended sequence numbers from there on.
        """
        # The first one is the run that packets are expected to go on with.
        runs = self._sources.get(ssrc, [])
        at = 0
        while at < len(sequence):
            block = sequence[at : at + _BLOCK]
            extended, count = runs[0].follow(block) if runs else (block.astype(np.int64), 0)
            if count:
                yield runs[0].number, at, extended
                at += count
            if count < len(block):
                number, stamp = int(sequence[at]), int(timestamp[at])
                if (found := self._find(runs, number, stamp)) is not None:
                    yield found[0].number, at, np.array([found[1]], np.int64)
                elif self._mayBegin(ssrc, number):
                    run = self._begin(runs, ssrc, number, stamp, int(arrival[at]))
                    yield run.number, at, np.array([number], np.int64)
                else:
                    self.ignored += 1
                at += 1

    def _find(self, runs: list[Run], sequence: int, timestamp: int) -> tuple[Run, int] | None:
        for run in runs[:_CANDIDATES]:
            extended = run.accepts(sequence, timestamp)
            if extended is not None:
                if run.confirmed:
                    runs.remove(run)
                    runs.insert(0, run)
                return run, extended
        return None

    def _mayBegin(self, ssrc: int, sequence: int) -> bool:
        if len(self.runs) < MAX_RUNS:
            return True
        expected = self._probation.pop(ssrc, None)
        if sequence == expected and len(self.runs) < 2 * MAX_RUNS:
            return True
        self._probation[ssrc] = (sequence + 1) & 0xFFFF
        if len(self._probation) > _CANDIDATES:
            del self._probation[next(iter(self._probation))]
        return False

    def _begin(
        self, runs: list[Run], ssrc: int, sequence: int, timestamp: int, arrival: int
    ) -> Run:
        source = runs[0].source if runs else len({run.source for run in self.runs})
        run = Run(
            ssrc=ssrc,
            number=len(self.runs),
            source=source,
            firstArrival=arrival,
            low=sequence,
            high=sequence - 1,
            lowTimestamp=timestamp,
            highEnd=timestamp,
            timestamp=timestamp,
            cursor=sequence,
        )
        self.runs.append(run)
        runs.insert(1, run)
        self._sources[ssrc] = runs
        return run


def _nearest(base: int, value: int, bits: int) -> int:
    half = 1 << (bits - 1)
    return base + (value - base + half) % (1 << bits) - half


def _bySource(ssrc: NDArray[np.uint32]) -> Iterator[tuple[int, _Ints]]:
    """
    @return: each SSRC, in the order of first appearance, and its rows.
    """
    if not len(ssrc):
        return
    if (ssrc == ssrc[0]).all():
        yield int(ssrc[0]), np.arange(len(ssrc))
        return
    values, first, inverse = np.unique(ssrc, return_index=True, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    ends = np.cumsum(np.bincount(inverse))
    for place in np.argsort(first).tolist():
        begin = ends[place - 1] if place else 0
        yield int(values[place]), order[begin : ends[place]]
