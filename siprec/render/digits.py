"""
Digits that were pressed: telephone events among the packets of a stream (RFC 4733).

Of one event there are many packets.  All of them have the timestamp of its begin, each
tells how long it has lasted, and the last one, which ends it, comes three times.
"""

from collections.abc import Iterator

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from siprec.media.rtp import RTPTable

__all__ = ["DIGITS", "MAX_DIGITS", "Digit", "Digits"]

#: The digits by the number of their event (RFC 4733 section 3.2); other events are tones
#: that nobody has pressed.
DIGITS = (*"0123456789*#ABCD", "flash")
#: How many digits of one stream are told; the rest is counted.
MAX_DIGITS = 1000

# Every 50 ms at most something is told of an event that goes on (section 2.5.1.2), so
# after so many nanoseconds without a word of it the next one is another.
_LASTING = 250_000_000
# What the duration field can hold; a longer event goes on under a new timestamp.
_SEGMENT = 0xFFFF
# Most events in one packet (section 2.5.1.5).
_MOST_BLOCKS = 8
_BLOCK = 4

_Ints = NDArray[np.int64]
_Flags = NDArray[np.bool_]


@define(eq=False)
class Digit:
    """
    @ivar run: number of the run that it is in.
    @ivar event: its number, a place in L{DIGITS}.
    @ivar clock: of its timestamp, in hertz.
    @ivar sequence: extended sequence number of the first packet that tells of it.
    @ivar timestamp: extended, of its begin.
    @ivar arrival: of that packet, nanoseconds since the epoch.
    @ivar ticks: how long it lasted, as far as is told, in units of the timestamp.
    @ivar ended: an end was told; else C{ticks} is the least that it can be.
    """

    run: int
    event: int
    clock: int
    sequence: int
    timestamp: int
    arrival: int
    ticks: int = 0
    ended: bool = False
    _segment: int = 0
    _heard: int = 0

    @property
    def milliseconds(self) -> int:
        """
        How long it lasted.
        """
        return round(1000 * self.ticks / self.clock)

    def goesOn(self, told: "_Told") -> bool:
        """
        Is this of the same event, though its timestamp is another one?
        """
        if told.event != self.event or told.begins:
            return False
        since = told.timestamp - self.timestamp
        if 0 <= since < self.ticks:
            return True
        near = told.arrival - self._heard <= _LASTING
        if self.ended:
            # Some senders have a new timestamp in each of the packets that end it.
            return near and told.over
        return told.timestamp - self._segment == _SEGMENT or (near and since > 0)

    def take(self, told: "_Told") -> None:
        """
        Take in what packets tell of this event.
        """
        if not self.ended or told.timestamp == self._segment:
            self.ticks = max(self.ticks, told.timestamp - self.timestamp + told.duration)
        self._segment = max(self._segment, told.timestamp)
        self._heard = max(self._heard, told.heard)
        self.ended = self.ended or told.ends


@define(eq=False)
class _Told:
    """
    What packets in a row tell of one event.

    @ivar begins: one of them has the marker bit; C{ends}: one has the end bit;
        C{over}: all have.
    @ivar arrival: of the first one; C{heard}: of the last one.
    """

    event: int
    sequence: int
    timestamp: int
    arrival: int
    heard: int
    duration: int
    begins: bool
    ends: bool
    over: bool


@define(eq=False, repr=False)
class Digits:
    """
    Finds the digits of one stream.

    @ivar found: in the order in which they were first heard of.
    @ivar omitted: how many more there were.
    """

    found: list[Digit] = field(factory=list, init=False)
    omitted: int = field(default=0, init=False)
    _known: dict[tuple[int, int, int], Digit] = field(factory=dict, init=False)
    _last: dict[int, Digit] = field(factory=dict, init=False)
    _left: tuple[int, int, int] | None = field(default=None, init=False)

    def feed(
        self,
        run: int,
        clock: int,
        table: RTPTable,
        rows: _Ints,
        sequence: _Ints,
        timestamp: _Ints,
    ) -> None:
        """
        @param run: the number of the run that the packets belong to.
        @param clock: of their timestamps, in hertz; above 0.
        @param rows: their places in the table, none of them twice.
        @param sequence: extended, of each; C{timestamp} as well.
        """
        order = np.argsort(sequence, kind="stable")
        rows, sequence, stamps = rows[order], sequence[order], timestamp[order].copy()
        start, length = table.payloadStart[rows], table.payloadLength[rows]
        length = np.where(length <= _MOST_BLOCKS * _BLOCK, length, 0)  # else it is no event
        for block in range(_MOST_BLOCKS):
            there = length >= _BLOCK * (block + 1)
            if not there.any():
                return
            rows, sequence, stamps = rows[there], sequence[there], stamps[there]
            start, length = start[there], length[there]
            at = start + _BLOCK * block
            duration = table.data[at + 2].astype(np.int64) << 8 | table.data[at + 3]
            # Those before the last one are over, or there would be no further one.
            ends = (table.data[at + 1] >= 0x80) | (length >= _BLOCK * (block + 2))
            begins = table.marker[rows] & (block == 0)
            event = table.data[at].astype(np.int64)
            for told in _grouped(
                event, sequence, stamps, table.arrival[rows], duration, begins, ends
            ):
                self._take(run, clock, told)
            stamps = stamps + duration

    def _take(self, run: int, clock: int, told: _Told) -> None:
        if told.event >= len(DIGITS):
            return
        key = (run, told.timestamp, told.event)
        digit, last = self._known.get(key), self._last.get(run)
        if digit is None and last is not None and last.goesOn(told):
            digit = last
        if digit is None:
            if len(self.found) >= MAX_DIGITS:
                self.omitted += key != self._left
                self._left = key
                return
            digit = Digit(
                run, told.event, clock, told.sequence, told.timestamp, told.arrival, 0, False
            )
            self._known[key] = self._last[run] = digit
            self.found.append(digit)
        digit.take(told)


def _grouped(
    event: _Ints,
    sequence: _Ints,
    timestamp: _Ints,
    arrival: _Ints,
    duration: _Ints,
    begins: _Flags,
    ends: _Flags,
) -> Iterator[_Told]:
    """
    @return: the packets, those in a row together that have event and timestamp in common.
    """
    new = np.ones(len(event), np.bool_)
    new[1:] = (np.diff(event) != 0) | (np.diff(timestamp) != 0)
    first = np.flatnonzero(new)
    columns = (
        event[first],
        sequence[first],
        timestamp[first],
        np.minimum.reduceat(arrival, first),
        np.maximum.reduceat(arrival, first),
        np.maximum.reduceat(duration, first),
        np.logical_or.reduceat(begins, first),
        np.logical_or.reduceat(ends, first),
        np.logical_and.reduceat(ends, first),
    )
    for values in zip(*(column.tolist() for column in columns), strict=True):
        yield _Told(*values)
