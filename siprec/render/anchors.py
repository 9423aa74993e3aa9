"""
Which parts of a run share one anchor between timestamp and clock time, and what it
is (CONFORMANCE E13).

All times are nanoseconds.  A I{bin} is a second of packets at most; its I{lowest} is
the minimum of arrival minus timestamp, a delay plus a constant, which jitter can only
make larger.
"""

from collections import deque
from itertools import pairwise

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

__all__ = [
    "ABSURD",
    "DRIFT",
    "GROUP",
    "RESTART",
    "SECOND",
    "STEP",
    "SUSTAINED",
    "confirmed",
    "offsets",
    "segments",
]

_Ints = NDArray[np.int64]
_MS = 1_000_000
SECOND = 1_000_000_000

#: A deviation of the minima from the model beyond this that lasts for C{SUSTAINED}
#: begins a new segment.
RESTART = 200 * _MS
SUSTAINED = SECOND
#: A timestamp that jumps by this, or by more, and is not followed by the arrivals,
#: begins a new segment at once.
STEP = 20 * _MS
#: A deviation beyond this is not jitter but a timestamp that is wrong by itself.
ABSURD = 2 * SECOND
#: Drift is corrected when it is beyond this: ordinary calls stay as they were sent,
#: to the sample.
DRIFT = 8 * _MS
#: The window of the minima that the drift is estimated from.
GROUP = 10 * SECOND

# Corrections are small, but twice as fast as what is to be corrected can be.
_CORRECTION = 400e-6
# Clocks differ by 100 ppm, rarely more; what rises faster is the network, which must
# not be followed, because its delay goes away again.
_SKEW = 200e-6
# What a long call says of its clock it says well: that wanders by no more.
_WANDER = 40e-6
_LONG = 600.0 * SECOND
# The slope of the minima is taken over an eighth of a segment at a time.  A queue, or
# another route, tilts some of these slopes, a clock that is off all: the middle fifth of
# them is the clock's if it leads to one place, and a told skew must lead near it.
_PARTS = 8
_MIDDLE = (40, 60)
# What is nearer by the end of a segment is one place.
_NEAR = 15 * _MS
# Fewer packets at a time are no proof: one may have a wrong timestamp.
_FEW = 3
_ENOUGH = 10
_NEVER = np.iinfo(np.int64).max


@define(eq=False, repr=False)
class _Segments:
    """
    Sorts bins into segments.

    @ivar aside: segments of absurd bins that the stream did not go on from.
    """

    arrival: list[int]
    lowest: list[int]
    clock: list[int]
    jumped: list[int]
    count: list[int]
    number: list[int] = field(factory=list, init=False)
    aside: set[int] = field(factory=set, init=False)
    _count: int = field(default=0, init=False)
    _current: int = field(default=0, init=False)
    _begin: int = field(default=0, init=False)
    # The least delay within the last GROUP: a queue of rising minima.
    _recent: deque[tuple[int, int]] = field(factory=deque, init=False)
    _lastAside: tuple[int, int] | None = field(default=None, init=False)

    def run(self) -> None:
        for each in range(len(self.lowest)):
            if not each or self.clock[each] != self.clock[each - 1]:
                self._restart(each)
            else:
                self._goOn(each)

    def _restart(self, each: int) -> None:
        self._current, self._begin = self._next(), self.arrival[each]
        self._recent.clear()
        self._join(each)

    def _next(self) -> int:
        self._count += 1
        return self._count - 1

    def _join(self, each: int) -> None:
        if self.count[each] >= _FEW or not self._recent:
            while self._recent and self._recent[-1][1] >= self.lowest[each]:
                self._recent.pop()
            self._recent.append((self.arrival[each], self.lowest[each]))
        self.number.append(self._current)

    def _level(self, each: int) -> int:
        while len(self._recent) > 1 and self._recent[0][0] < self.arrival[each] - GROUP:
            self._recent.popleft()
        return self._recent[0][1]

    def _goOn(self, each: int) -> None:
        level = self._level(each)
        if self._jumps(each, level):
            self._restart(each)
            return
        deviation = self.lowest[each] - level
        # In a segment's first second a lower minimum is the end of its jitter.
        young = self.arrival[each] - self._begin < SUSTAINED and -ABSURD <= deviation < 0
        if abs(deviation) <= RESTART or young:
            self._join(each)
        elif self._sustained(each, deviation):
            self._restart(each)
        elif 0 < deviation <= ABSURD:
            self.number.append(self._current)
        else:
            # Nothing comes before it is sent.
            self._setAside(each)

    def _jumps(self, start: int, level: int) -> bool:
        """
        @return: whether the timestamps went another way than the time did at the begin
            of a bin; at a pause both jump.
        """
        jumped, count, least = self.jumped[start], 0, _NEVER
        if abs(jumped) < STEP:
            return False
        for each in range(start, len(self.lowest)):
            if each > start and (
                abs(self.jumped[each]) >= STEP
                or self.arrival[each] - self.arrival[start] > 2 * SUSTAINED
            ):
                break
            count += self.count[each]
            least = min(least, self.lowest[each])
        change = least - level
        return count >= _ENOUGH and abs(change + jumped) < abs(change)

    def _setAside(self, each: int) -> None:
        if self._lastAside is None or abs(self.lowest[each] - self._lastAside[1]) > RESTART:
            self._lastAside = self._next(), self.lowest[each]
            self.aside.add(self._lastAside[0])
        self.number.append(self._lastAside[0])

    def _sustained(self, start: int, deviation: int) -> bool:
        """
        @return: whether the bins from C{start} on are all off the model to the
            same side, for as long as it takes.
        """
        level = self.lowest[start] - deviation
        for each in range(start, len(self.lowest)):
            off = self.lowest[each] - level
            if abs(off) <= RESTART or (off > 0) != (deviation > 0):
                return False
            if self.arrival[each] - self.arrival[start] >= SUSTAINED:
                return True
        return False


def segments(
    arrival: _Ints,
    lowest: _Ints,
    clock: _Ints,
    jumped: _Ints | None = None,
    count: _Ints | None = None,
) -> tuple[_Ints, set[int]]:
    """
    @param arrival: of the first packet of each bin; one bin at least.
    @param clock: of its timestamps, in hertz; another one is another segment.
    @param jumped: how far the first timestamp of each bin is beyond where the bin
        before makes it be expected; C{None}: nowhere.
    @param count: packets in each bin; C{None}: enough.
    @return: the number of each bin's segment, from 0; and which segments are absurd
        packets only, which the stream did not go on from.
    """
    jumps = [0] * len(arrival) if jumped is None else jumped.tolist()
    counts = [_ENOUGH] * len(arrival) if count is None else count.tolist()
    found = _Segments(arrival.tolist(), lowest.tolist(), clock.tolist(), jumps, counts)
    found.run()
    return np.array(found.number, np.int64), found.aside


def confirmed(arrival: _Ints, lowest: _Ints, count: _Ints, skew: float) -> float | None:
    """
    Judge what somebody tells the skew of a segment to be.

    Minima that rise may be a clock or a queue, so that they alone follow both in part.
    Who tells the same as most of them do settles which it is.  But nothing is followed
    that the minima do not show, and they need to be told nothing that they show anyway.

    @param skew: by how much the minima rise in time; 100 ppm slow is 1e-4.
    @return: the skew next to it that most of the minima have; C{None} if that is not the
        same, or they have none in common, or lead to the same place by themselves.
    """
    _, times, least = _windows(arrival, lowest, count)
    lag = len(times) // _PARTS
    if not lag or abs(skew) > _SKEW:
        return None
    slopes = (least[lag:] - least[:-lag]) / (times[lag:] - times[:-lag])
    low, high = np.percentile(slopes, _MIDDLE).tolist()
    nearest = min(max(skew, low), high)
    if max(high - low, abs(nearest - skew)) * times[-1] > _NEAR:
        return None
    astray = np.abs(_line(times, least) - _told(times, least, nearest)).max()
    return nearest if astray > _NEAR else None


def offsets(
    arrival: _Ints,
    lowest: _Ints,
    quiet: NDArray[np.bool_],
    count: _Ints | None = None,
    skew: float | None = None,
) -> tuple[_Ints, int]:
    """
    The offset of each bin of one segment: constant, unless the sender's clock drifts.

    @param quiet: which bins begin after a pause.
    @param count: packets in each bin; C{None}: enough.
    @param skew: of the sender's clock, if it is known better than from the minima (see
        L{confirmed}).
    @return: what to add to a timestamp, and how many times that changes.
    """
    starts, times, least = _windows(arrival, lowest, count)
    line = _line(times, least) if skew is None else _told(times, least, skew)
    offset = np.empty(len(lowest), np.int64)
    ends = np.append(starts[1:], len(lowest)).tolist()
    now, steps, last = float(line[0]), 0, 0.0
    for begin, end, time, wanted in zip(
        starts.tolist(), ends, times.tolist(), line.tolist(), strict=True
    ):
        offset[begin:end] = int(now)
        if abs(wanted - now) > DRIFT:
            limit = _CORRECTION * (time - last)
            now += min(max(wanted - now, -limit), limit)
            steps += 1
            # In a silence nobody hears it; else at any boundary of packets.
            silence = np.flatnonzero(quiet[begin:end])
            offset[begin + (int(silence[0]) if len(silence) else 0) : end] = int(now)
        last = time
    return offset + lowest[0], steps


def _windows(
    arrival: _Ints, lowest: _Ints, count: _Ints | None
) -> tuple[_Ints, NDArray[np.float64], NDArray[np.float64]]:
    """
    @return: the bin that each L{GROUP} begins with, when that is, after the first one,
        and the minimum of it, above the first bin's.
    """
    since = np.maximum.accumulate(arrival - arrival[0])
    starts = np.flatnonzero(np.diff(since // GROUP, prepend=-1))
    least = np.minimum.reduceat(lowest, starts)
    if count is not None:
        proven = np.minimum.reduceat(np.where(count < _FEW, _NEVER, lowest), starts)
        least = np.where(proven < _NEVER, proven, least)
    return starts, since[starts].astype(np.float64), (least - lowest[0]).astype(np.float64)


def _told(
    times: NDArray[np.float64], least: NDArray[np.float64], skew: float
) -> NDArray[np.float64]:
    """
    @return: the highest straight line of that slope below all minima.
    """
    line: NDArray[np.float64] = skew * times + (least - skew * times).min()
    return line


def _line(times: NDArray[np.float64], least: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    @return: the highest line below all minima that is nowhere steeper than a clock
        can be.
    """
    skew, allowed = 0.0, _SKEW
    if times[-1] > _LONG:
        skew, allowed = _skew(times, least), _WANDER
    flat = (least - skew * times).tolist()
    rises = (allowed * np.diff(times)).tolist()
    for each, rise in enumerate(rises):
        flat[each + 1] = min(flat[each + 1], flat[each] + rise)
    for each in range(len(rises) - 1, -1, -1):
        flat[each] = min(flat[each], flat[each + 1] + rises[each])
    return np.array(flat) + skew * times


def _skew(times: NDArray[np.float64], least: NDArray[np.float64]) -> float:
    """
    @return: the slope of the straight line below all minima that is nearest to them:
        the edge of their lower hull in the middle of the time.
    """
    hull: list[tuple[float, float]] = []
    for time, low in zip(times.tolist(), least.tolist(), strict=True):
        while len(hull) > 1 and _turns(hull[-2], hull[-1], (time, low)):
            hull.pop()
        hull.append((time, low))
    middle = float(times.mean())
    (begin, low), (end, high) = next(
        edge for edge in pairwise(hull) if edge[0][0] <= middle <= edge[1][0]
    )
    return min(max((high - low) / (end - begin), -_SKEW), _SKEW)


def _turns(one: tuple[float, float], two: tuple[float, float], three: tuple[float, float]) -> bool:
    """
    @return: whether the second point is above the line between the others.
    """
    return (two[1] - one[1]) * (three[0] - one[0]) >= (three[1] - one[1]) * (two[0] - one[0])
