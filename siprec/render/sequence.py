"""
Bring the packets of one stream into the order in which they were sent.

RFC 3550 appendix A.1 decides which sequence numbers belong together.  That code
is for a player, which throws away what it cannot judge yet; a recorder keeps it:
a packet in probation becomes a L{Run} of its own until it is known better.
"""

from collections.abc import Iterator

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

from siprec.media.rtp import RTPTable
from siprec.render.runs import Run

__all__ = [
    "MAX_RUNS",
    "Rows",
    "Sequencer",
]

#: A stream with more runs than this is under attack: from here on only two packets
#: in a row begin another one, and from twice as many on nothing does.
MAX_RUNS = 500

# Other runs of the same source that a packet may belong to.
_CANDIDATES = 16
# An alternation between two sequences must not make every step look at all rows.
_BLOCK = 1024

_Ints = NDArray[np.int64]


@frozen(eq=False)
class Rows:
    """
    The packets of one table that belong to one run, in arrival order.

    @ivar rows: their places in the table.
    @ivar sequence: extended; C{timestamp} as well.
    @ivar fresh: false for those that were there already.
    @ivar advancing: true for those newer than all before.
    @ivar again: true for those that an earlier journal has.
    """

    run: Run
    rows: _Ints
    sequence: _Ints
    timestamp: _Ints
    fresh: NDArray[np.bool_]
    advancing: NDArray[np.bool_]
    again: NDArray[np.bool_]


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
            columns = sequence, timestamp, table.arrival[rows], ticks[rows]
            for number, at, extended in self._assign(ssrc, *columns):
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
        ticks: _Ints,
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
                last = timestamp[at - 1], ticks[at - 1], arrival[at - 1]
                runs[0].note(int(extended[-1]), *map(int, last))
            if count < len(block):
                number, stamp = int(sequence[at]), int(timestamp[at])
                if (found := self._find(runs, number, stamp, int(arrival[at]))) is not None:
                    yield found[0].number, at, np.array([found[1]], np.int64)
                elif self._mayBegin(ssrc, number):
                    moment, step = int(arrival[at]), int(ticks[at])
                    run = self._begin(runs, ssrc, number, stamp, moment, step)
                    yield run.number, at, np.array([number], np.int64)
                else:
                    self.ignored += 1
                at += 1

    def _find(
        self, runs: list[Run], sequence: int, timestamp: int, arrival: int
    ) -> tuple[Run, int] | None:
        for run in runs[:_CANDIDATES]:
            extended = run.accepts(sequence, timestamp, arrival)
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
        self, runs: list[Run], ssrc: int, sequence: int, timestamp: int, arrival: int, step: int
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
            step=step,
        )
        self.runs.append(run)
        runs.insert(1, run)
        self._sources[ssrc] = runs
        return run


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
