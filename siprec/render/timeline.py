"""
Where on the common time line each packet of a run belongs (CONFORMANCE E13).

Within a segment the RTP timestamp alone tells the place, so that a clean stream is
contiguous to the sample.  A segment as a whole is put where its I{least delayed}
packets say: C{arrival - timestamp / clock} is the delay of a packet plus a constant,
and jitter can only make it larger.  One pass collects the minima (L{Survey}), and
from all of them L{place} decides.
"""

from collections.abc import Mapping

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

from siprec.render.anchors import ABSURD, SECOND, STEP, offsets, segments
from siprec.render.clocks import Bins
from siprec.render.reports import Reports
from siprec.render.runs import MAX_MISORDER, Run
from siprec.render.sequence import Rows

__all__ = ["Placement", "Segment", "Survey", "gaps", "place"]

_Ints = NDArray[np.int64]

# A step of the delay between two packets that may be the begin of a new segment.
_JUMP = 100 * 1_000_000
# What is shorter than this part of a second is no pause between two bins.
_PAUSE = 10
# Of so many packets the least delays may be those of wrong timestamps.
_MANY, _DOUBTED = 10, 2

# Rows of the table of bins.  The jump is by how many ticks the first timestamp is
# beyond what the packets before it make one expect, the count is of packets.
_SEQUENCE, _ARRIVAL, _LOWEST, _BEGIN, _END, _CLOCK, _QUIET, _FILE = range(8)
_STAMP, _JUMPED, _COUNT = range(8, 11)


@define(eq=False, repr=False)
class Survey:
    """
    What one pass over a run finds out about its timing, in bounded memory: bins of
    a second at most, each beginning at a packet.

    @ivar step: how long a packet usually plays, in units of its timestamp.
    @ivar corrections: what to add to the arrivals in each journal, by its number, to
        have them of one clock.
    @ivar reports: of the source.
    @ivar jitter: interarrival jitter in seconds, as it was at the last packet
        (RFC 3550 section 6.4.1).
    """

    run: Run
    step: int = field(default=0, init=False)
    corrections: Mapping[int, int] = field(factory=dict, init=False)
    reports: Reports = field(factory=Reports.none, init=False)
    _bins: list[_Ints] = field(factory=list, init=False)
    _late: list[_Ints] = field(factory=list, init=False)
    _jitter: float = field(default=0.0, init=False)
    _delay: int | None = field(default=None, init=False)
    _last: tuple[int, int] | None = field(default=None, init=False)
    _file: int = field(default=-1, init=False)

    @property
    def bins(self) -> Bins:
        """
        When the packets came that were newer than all before.
        """
        table = self.table()
        arrival = table[_ARRIVAL] + self.run.firstArrival
        return Bins(table[_FILE], arrival, table[_LOWEST], table[_CLOCK])

    @property
    def jitter(self) -> float:
        """
        See the class.
        """
        return self._jitter / SECOND

    def add(self, found: Rows, arrival: _Ints, ticks: _Ints, clock: _Ints, file: int = 1) -> None:
        """
        @param arrival: of each row, nanoseconds.
        @param ticks: how long it plays, in units of its timestamp.
        @param clock: of the timestamp, in hertz; 0 for a packet whose timestamp
            is no time of sending (RFC 4733 section 2.2: that of an event is the
            event's begin, in all of its packets).
        @param file: the number of the journal, which tells what clock it is of.
        """
        if file != self._file:
            self._file, self._delay = file, None  # the step of the clock is no jitter
        timed = found.fresh & (clock > 0)
        if not timed.any():
            return
        clocks, stamps = clock[timed], found.timestamp[timed]
        ends = stamps + ticks[timed]
        playing = ticks[timed][ticks[timed] > 0]
        if len(playing):
            self.step = int(np.median(playing))
        delay = arrival[timed] - _nanoseconds(stamps, clocks)
        self._measureJitter(delay)
        new = found.advancing[timed]
        sequence = found.sequence[timed]
        if new.any():
            since = arrival[timed][new] - self.run.firstArrival
            self._addBins(sequence[new], since, delay[new], stamps[new], ends[new], clocks[new])
        if not new.all():
            self._addLate(np.stack((sequence[~new], stamps[~new], ends[~new])))

    def _addBins(
        self,
        sequence: _Ints,
        since: _Ints,
        delay: _Ints,
        stamps: _Ints,
        ends: _Ints,
        clocks: _Ints,
    ) -> None:
        number, end = self._last or (int(sequence[0]) - 1, int(stamps[0]))
        before = np.concatenate(([end], ends[:-1]))
        lost = np.diff(sequence, prepend=number) - 1
        self._last = int(sequence[-1]), int(ends[-1])
        other = np.diff(clocks, prepend=clocks[0]) != 0
        jumped = np.where(other, 0, stamps - before - lost * self.step)
        jumped[np.abs(jumped) * SECOND < STEP * clocks] = 0
        if 4 * np.count_nonzero(jumped) > len(jumped) + _MANY:
            jumped[:] = 0  # nothing that begins anew, but timestamps of another kind
        first = other | (jumped != 0)
        first[0] = True
        first[1:] |= (np.diff(since // SECOND) != 0) | (np.abs(np.diff(delay)) > _JUMP)
        at = np.flatnonzero(first)
        count = np.diff(at, append=len(first))
        least = delay[np.lexsort((delay, np.cumsum(first)))]
        self._bins.append(
            np.stack(
                (
                    sequence[at],
                    since[at],
                    least[at + np.where(count < _MANY, 0, _DOUBTED)],
                    np.minimum.reduceat(stamps, at),
                    np.maximum.reduceat(ends, at),
                    clocks[at],
                    stamps[at] > before[at],
                    np.full(len(at), self._file),
                    stamps[at],
                    jumped[at],
                    count,
                )
            )
        )

    def _addLate(self, late: _Ints) -> None:
        if self._bins:
            # Nearly all belong into the bins that were just made.
            recent = late[0] >= self._bins[-1][_SEQUENCE, 0]
            _widen(self._bins[-1], late[:, recent], self.step)
            late = late[:, ~recent]
        if late.size:
            self._late.append(late)

    def _measureJitter(self, delay: _Ints) -> None:
        previous = delay[0] if self._delay is None else self._delay
        self._delay = int(delay[-1])
        steps = np.abs(np.diff(delay, prepend=previous))
        steps = steps[steps <= ABSURD]  # a timestamp that begins anew is no jitter
        # J += (|D| - J) / 16 is a filter that has forgotten the 1,000th step before.
        recent = steps[-1000:]
        weights = (15 / 16) ** np.arange(len(recent) - 1, -1, -1.0) / 16
        self._jitter = self._jitter * (15 / 16) ** len(steps) + float((recent * weights).sum())

    def table(self) -> _Ints:
        """
        @return: the bins, one per column.
        """
        if not self._bins:
            return np.empty((_COUNT + 1, 0), np.int64)
        bins = np.concatenate(self._bins, axis=1)
        if self._late:
            _widen(bins, np.concatenate(self._late, axis=1), self.step)
        self._bins, self._late = [bins], []
        return bins

    def fileOf(self, sequence: _Ints) -> _Ints:
        """
        @param sequence: extended, of packets that are there.
        @return: the number of the journal that each is in.
        """
        table = self.table()
        column = np.searchsorted(table[_SEQUENCE], sequence, side="right") - 1
        files: _Ints = table[_FILE, np.maximum(column, 0)]
        return files


@frozen
class Segment:
    """
    A part of a run with one anchor.

    @ivar begin: the first sample; C{end}: the one after the last.
    @ivar arrival: of the first packet, nanoseconds since the epoch.
    @ivar aside: a packet or few with an absurd timestamp, not a segment that the
        stream went on with.
    @ivar reported: whether sender reports told how fast the sender's clock is, and not
        the arrivals alone.
    """

    begin: int
    end: int
    arrival: int
    aside: bool
    reported: bool


@frozen(eq=False)
class Placement:
    """
    The places of a run's packets.

    @ivar rate: samples a second.
    @ivar segments: in order.
    @ivar corrections: how many times drift was corrected.
    @ivar activity: when packets were there, to the second: begins and ends, in
        samples; shape C{(2, n)}.
    """

    rate: int
    segments: tuple[Segment, ...]
    corrections: int
    activity: _Ints
    _first: _Ints
    _shift: _Ints
    _clock: _Ints
    _stamp: _Ints
    _jumped: _Ints
    _step: int

    def positions(self, sequence: _Ints, timestamp: _Ints) -> _Ints:
        """
        @param sequence: extended; C{timestamp} as well.
        @return: where each packet begins, in samples after time zero.
        """
        part = _part(self._first, self._stamp, self._jumped, self._step, sequence, timestamp)
        return _samples(timestamp, self._clock[part], self.rate) + self._shift[part]

    def durations(self, sequence: _Ints, ticks: _Ints) -> _Ints:
        """
        @return: ticks of the clock that holds at a sequence number, in samples.
        """
        part = np.maximum(np.searchsorted(self._first, sequence, side="right") - 1, 0)
        return ticks * self.rate // self._clock[part]


def place(survey: Survey, zero: int, rate: int) -> Placement | None:
    """
    @param zero: what the places count from, nanoseconds since the epoch.
    @param rate: samples a second.
    @return: C{None} if no packet of the run tells a time.
    """
    bins = survey.table().copy()
    if not bins.shape[1]:
        return None
    for file, correction in survey.corrections.items():
        bins[_ARRIVAL : _LOWEST + 1, bins[_FILE] == file] += correction
    arrival, clock = bins[_ARRIVAL], bins[_CLOCK]
    jumped = _nanoseconds(bins[_JUMPED], clock)
    segment, aside = segments(arrival, bins[_LOWEST], clock, jumped, bins[_COUNT])
    order = np.argsort(segment, kind="stable")
    starts = np.flatnonzero(np.diff(segment[order], prepend=-1))
    offset = np.empty(len(order), np.int64)
    corrections = 0
    reports = survey.reports.corrected(survey.corrections)
    reported = []
    for own in np.split(order, starts[1:]):
        lowest, count = bins[_LOWEST, own], bins[_COUNT, own]
        since = arrival[own] + survey.run.firstArrival
        skew = reports.skew(since, lowest, count, int(clock[own[0]]))
        reported.append(skew is not None)
        quiet = bins[_QUIET, own] > 0
        offset[own], steps = offsets(arrival[own], lowest, quiet, count, skew)
        corrections += steps
    # Python's numbers: a time since the epoch times a rate is beyond 64 bits.
    values = {each: round((each - zero) * rate / SECOND) for each in set(offset.tolist())}
    shift = np.array([values[each] for each in offset.tolist()], np.int64)
    begin = _samples(bins[_BEGIN], clock, rate) + shift
    end = _samples(bins[_END], clock, rate) + shift
    columns = zip(
        np.minimum.reduceat(begin[order], starts).tolist(),
        np.maximum.reduceat(end[order], starts).tolist(),
        (arrival[order[starts]] + survey.run.firstArrival).tolist(),
        [number in aside for number in range(len(starts))],
        reported,
        strict=True,
    )
    parts = [Segment(*each) for each in columns]
    regular = np.array([not part.aside for part in parts])[segment]
    own = segment[regular]
    pause = begin[regular][1:] > end[regular][:-1] + rate // _PAUSE
    breaks = np.flatnonzero(np.concatenate(([True], (np.diff(own) != 0) | pause)))
    changes = np.ones(len(offset), np.bool_)
    changes[1:] = (np.diff(offset) != 0) | (np.diff(clock) != 0)
    return Placement(
        rate=rate,
        segments=tuple(parts),
        corrections=corrections,
        activity=np.stack(
            (
                np.minimum.reduceat(begin[regular], breaks),
                np.maximum.reduceat(end[regular], breaks),
            )
        ),
        first=bins[_SEQUENCE, changes],
        shift=shift[changes],
        clock=clock[changes],
        stamp=bins[_STAMP, changes],
        jumped=bins[_JUMPED, changes],
        step=survey.step,
    )


def gaps(survey: Survey, placement: Placement) -> list[tuple[int, int, bool, int]]:
    """
    @return: each time in which packets of the run were lost, begin and end in samples;
        one per hole, however many packets are missing there; whether it lies between
        two journals; and how many packets those are.
    """
    holes = survey.run.missing
    if not holes:
        return []
    columns = [(hole.first, hole.last, hole.begin, hole.end) for hole in holes]
    first, last, before, after = np.array(columns, np.int64).reshape(-1, 4).T
    begin = placement.positions(first - 1, before)
    # The hole may lie in a pause, where the timestamp went on by more than what
    # was lost.
    longest = placement.durations(first, (last - first + 1) * survey.step)
    end = np.minimum(placement.positions(last + 1, after), begin + longest)
    some = end > begin
    between = survey.fileOf(first - 1) != survey.fileOf(last + 1)
    times = begin[some].tolist(), end[some].tolist()
    missing = (last - first + 1)[some].tolist()
    return list(zip(*times, between[some].tolist(), missing, strict=True))


def _widen(bins: _Ints, late: _Ints, step: int) -> None:
    """
    What came late is heard in the bin of its sequence number.
    """
    sequence, begin, end = late
    column = _part(bins[_SEQUENCE], bins[_STAMP], bins[_JUMPED], step, sequence, begin)
    np.minimum.at(bins[_BEGIN], column, begin)
    np.maximum.at(bins[_END], column, end)


def _part(
    first: _Ints, stamp: _Ints, jumped: _Ints, step: int, sequence: _Ints, timestamp: _Ints
) -> _Ints:
    """
    @param first: the sequence number that each part begins with, and C{stamp} its
        timestamp, which is C{jumped} ticks beyond what was to be expected.
    @param step: ticks from one packet to the next.
    @return: in which part each packet is.
    """
    part: _Ints = np.maximum(np.searchsorted(first, sequence, side="right") - 1, 0)
    after = np.minimum(part + 1, len(first) - 1)
    ahead = first[after] - sequence
    near = np.flatnonzero((ahead > 0) & (ahead < MAX_MISORDER) & (jumped[after] != 0))
    if len(near):
        # What comes late may have been sent after the timestamps began anew.
        wanted = stamp[after[near]] - ahead[near] * step
        jumps = 2 * np.abs(timestamp[near] - wanted) < np.abs(jumped[after[near]])
        part[near[jumps]] += 1
    return part


def _nanoseconds(timestamp: _Ints, clock: _Ints) -> _Ints:
    seconds, rest = np.divmod(timestamp, clock)
    return seconds * SECOND + rest * SECOND // clock


def _samples(timestamp: _Ints, clock: _Ints, rate: int) -> _Ints:
    seconds, rest = np.divmod(timestamp, clock)
    return seconds * rate + rest * rate // clock
