"""
A run: the packets of one source whose sequence numbers belong together, whichever
journals they are in.
"""

from bisect import bisect_right

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from siprec.media.rtp import unwrap

__all__ = ["MAX_DROPOUT", "MAX_GAPS", "MAX_MISORDER", "OUTAGE", "Missing", "Run", "nearest"]

#: RFC 3550 appendix A.1: a larger step forward, or backward, is no loss or
#: reordering but another sequence, if a second packet confirms it.
MAX_DROPOUT = 3000
MAX_MISORDER = 100
#: How many holes of one run are remembered.
MAX_GAPS = 10_000

# Every so many packets the pair of sequence number and timestamp is noted, and
# as many notes are kept as half the sequence numbers need.
_MARK_EVERY = 64
_MARKS = 1024
#: After so many nanoseconds without a packet more may be missing than L{MAX_DROPOUT},
#: if the timestamp proves it.
OUTAGE = 10_000_000_000
_FURTHEST = 1 << 31  # a timestamp that is more ahead is behind

_Ints = NDArray[np.int64]
_Flags = NDArray[np.bool_]


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
    @ivar packets: all of them, C{duplicates} among them; what two nodes have captured
        is one packet, and no duplicate.
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
    # How long a packet plays, in units of its timestamp.
    _step: int = 0
    # A packet not long ago: extended number, timestamp, how long it plays, arrival.
    _noted: tuple[int, int, int, int] | None = None
    # The highest number of the journals before this one, and which of those up to
    # there were missing and are in this one.
    _before: int | None = None
    _filled: set[int] = field(factory=set)

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
        self._before = self.high
        self._filled.clear()

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

    def accepts(self, sequence: int, timestamp: int, arrival: int) -> int | None:
        """
        Look at a packet that does not follow the one before it.

        @param arrival: nanoseconds.
        @return: its extended sequence number if it belongs here.
        """
        base = self.high if self._cursor is None else self._cursor
        extended = nearest(base, sequence, 16)
        if -MAX_MISORDER < extended - base < MAX_DROPOUT:
            self.confirmed = self.confirmed or extended == base + 1
            self._cursor = max(extended, base) if self._cursor is not None else extended
            return extended
        extended = nearest(self.high, sequence, 16)
        if extended < self.high and self._remembers(extended, timestamp):
            # Far behind, but its timestamp proves the place: very late, or from
            # another node's journal of the same time.
            if self._cursor is None:
                self._cursor = extended
            return extended
        if self._cursor is None:
            return self._resumed(sequence, timestamp)
        return self._afterOutage(sequence, timestamp, arrival)

    def note(self, extended: int, timestamp: int, ticks: int, arrival: int) -> None:
        """
        Remember a packet that belongs here, to know what follows an outage.
        """
        if ticks:
            self._noted = extended, timestamp, ticks, arrival

    def _afterOutage(self, sequence: int, timestamp: int, arrival: int) -> int | None:
        """
        @return: the extended sequence number of a packet that is as far ahead of what
            came as its timestamp says.
        """
        if self._noted is None:
            return None
        extended, stamp, ticks, last = self._noted
        if arrival - last < OUTAGE:
            return None
        steps, rest = divmod((timestamp - stamp) & 0xFFFFFFFF, ticks)
        extended += steps
        if rest or steps * ticks > _FURTHEST or (extended - sequence) & 0xFFFF:
            return None
        self._cursor = extended
        return extended

    def _resumed(self, sequence: int, timestamp: int) -> int | None:
        """
        Look at the first packet of another journal, which may also begin before the
        one before it.

        @return: its extended sequence number if it is as many packets away as its
            timestamp says.
        """
        stamp = nearest(self._timestamp, timestamp, 32)
        if not self._step:
            return None
        if stamp >= self._highEnd:
            steps, rest = divmod(stamp - self._highEnd, self._step)
            extended = self.high + 1 + steps
        else:
            steps, rest = divmod(stamp - self._lowTimestamp, self._step)
            extended = self.low + steps
        if rest or (extended - sequence) & 0xFFFF or self.low <= extended <= self.high:
            return None
        self._cursor = extended
        return extended

    def account(
        self, extended: _Ints, timestamp: NDArray[np.uint32], ticks: _Ints
    ) -> tuple[_Ints, _Flags, _Flags, _Flags]:
        """
        Count packets, in arrival order.

        @param ticks: how long each one plays, in units of its timestamp.
        @return: extended timestamps; which packets were not there yet; which of
            them are also newer than all before; and which an earlier journal has.
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
        again = self._again(extended, fresh)
        captured = len(extended) - int(np.count_nonzero(again))
        self.packets += captured
        self.duplicates += captured - int(np.count_nonzero(fresh))
        if (playing := ticks[ticks > 0]).size:
            self._step = int(playing[-1])
        self._extend(extended[fresh], wide[fresh], ticks[fresh])
        noted = np.flatnonzero(advancing)[::_MARK_EVERY]
        self._marks += zip(extended[noted].tolist(), wide[noted].tolist(), strict=True)
        del self._marks[:-_MARKS]
        return wide, fresh, advancing, again

    def _again(self, extended: _Ints, fresh: _Flags) -> _Flags:
        again = np.zeros(len(extended), np.bool_)
        if self._before is not None:
            for row in np.flatnonzero(~fresh & (extended <= self._before)).tolist():
                again[row] = int(extended[row]) not in self._filled
        return again

    def _fresh(self, extended: _Ints, wide: _Ints, ticks: _Ints) -> _Flags:
        fresh = np.zeros(len(extended), np.bool_)
        fresh[np.unique(extended, return_index=True)[1]] = True
        for row in np.flatnonzero(fresh & (extended <= self.high)).tolist():
            number = int(extended[row])
            fresh[row] = self._fill(number, int(wide[row]), int(ticks[row]))
            if fresh[row] and self._before is not None:
                self._filled.add(number)
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
        return self._marks[place - 1][1] <= nearest(self._timestamp, timestamp, 32) <= after


def nearest(base: int, value: int, bits: int) -> int:
    """
    @param value: the last C{bits} bits of a number.
    @return: the number next to C{base} that ends in them.
    """
    half = 1 << (bits - 1)
    return base + (value - base + half) % (1 << bits) - half
