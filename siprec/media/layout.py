"""
The layout of a batch in the arena: record headers before the packets, and the vectors
by which each stream's packets go into its journal.

Most streams have packets of one size, and nearly all streams the same.  Those are copied
together by numpy, so that a stream's records are one piece: the system takes that much
faster than twenty pieces, and the copy costs less than making and reading their vectors.
The others are written from where they lie.
"""

import ctypes
from collections.abc import Mapping, Sequence
from typing import overload

import numpy as np
from attrs import define
from numpy.typing import NDArray

from siprec.media.batch import HEADROOM, IOVEC, Batch, Receiver
from siprec.media.journal import RECORD
from siprec.media.stream import CapturedStream

__all__ = ["Layout", "Plan", "Runs"]

_LATEST = 0xFFFFFFFF

_Rows = NDArray[np.int64]


@define(eq=False, repr=False)
class Chosen(Sequence[CapturedStream]):
    """
    Some of many streams, which are looked up when they are wanted: to touch each in every
    slice would cost as much as to count its packets.
    """

    _streams: Sequence[CapturedStream]
    _places: _Rows | range

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> CapturedStream: ...
    @overload
    def __getitem__(self, index: slice) -> "Chosen": ...
    def __getitem__(self, index: int | slice) -> "CapturedStream | Chosen":
        if isinstance(index, slice):
            return Chosen(self._streams, self._places[index])
        return self._streams[int(self._places[index])]


@define(eq=False, repr=False)
class Runs:
    """
    What one slice took: runs of slots that belong to one stream each, first those of
    RTP, then those of RTCP.  Arrays have one element per run.

    @ivar rows: of the streams, in L{Cells}.
    @ivar split: how many runs are RTP.
    @ivar octets: of all packets of the run.
    @ivar joins: for each run of RTCP the run of RTP of the same stream; below 0: none.
    """

    streams: Sequence[CapturedStream]
    rows: _Rows
    firsts: _Rows
    counts: _Rows
    split: int
    batch: Batch
    octets: _Rows
    joins: list[int]


@define(eq=False, repr=False)
class Plan:
    """
    The writes of a slice, one per stream.

    @ivar at: the first vector of each.
    @ivar pieces: how many vectors it has: one for a run that lies in one piece, else two
        for each packet.
    @ivar counts: how many packets it has.
    @ivar sizes: octets in all.
    """

    streams: Sequence[CapturedStream]
    rows: _Rows
    at: _Rows
    pieces: _Rows
    counts: _Rows
    sizes: _Rows

    def without(self, streams: set[CapturedStream]) -> "Plan":
        """
        @return: the same but for the writes of C{streams}.
        """
        keep = np.array([stream not in streams for stream in self.streams])
        left = [stream for stream in self.streams if stream not in streams]
        numbers = self.rows, self.at, self.pieces, self.counts, self.sizes
        return Plan(left, *(each[keep] for each in numbers))


class Layout:
    """
    Knows the arena of one L{Receiver}.
    """

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._records = np.ndarray(
            receiver.slots, RECORD, receiver.memory, HEADROOM - RECORD.itemsize, receiver.stride
        )
        self._bases = receiver.iovecs["base"].copy()
        self._bases[:, 0] -= RECORD.itemsize
        # First those of runs in one piece, then those of single packets.
        self._vectors = np.zeros(3 * receiver.slots, IOVEC)
        self._together = np.empty(receiver.slots * (RECORD.itemsize + receiver.slotSize), np.uint8)

    def describe(self, runs: Runs, starts: _Rows) -> None:
        """
        Fill in the record headers of all packets.

        @param starts: for each run, what its journal counts from, in nanoseconds.
        """
        batch = runs.batch
        records = self._records[: self._receiver.used]
        records["length"] = batch.length + RECORD.itemsize
        records["plen"] = batch.wire
        if runs.split < len(runs.firsts):
            records["plen"][runs.firsts[runs.split] :] = 0
        # A clock that is set back must not turn into an offset of 49 days.
        offsets = (batch.arrival - np.repeat(starts, runs.counts)) // 1_000_000
        records["offset"] = np.minimum(np.maximum(offsets, 0), _LATEST)

    def plan(self, runs: Runs, heads: Mapping[CapturedStream, bytes] | None = None) -> Plan:
        """
        Lay out the vectors that cover all packets, in the order they are to be
        written: one write per stream, its RTCP merged into its RTP by arrival.

        @param heads: the file headers to put before the first packet of some streams.
        """
        split, streams, rows, counts = runs.split, runs.streams, runs.rows, runs.counts
        sizes = runs.octets + RECORD.itemsize * counts
        heads = heads or {}
        headed = [run for run, stream in enumerate(streams) if stream in heads] if heads else []
        others = [run for run in runs.joins if run >= 0] + headed
        whole = self._putTogether(runs, others)
        order = np.repeat(~whole, counts).nonzero()[0]
        if runs.joins:
            order, alone = self._merge(runs, order)
            counts, sizes = counts.copy(), sizes.copy()
            for run, other in enumerate(runs.joins, split):
                if other >= 0:
                    counts[other] += counts[run]
                    sizes[other] += sizes[run]
            chosen = np.append(np.arange(split), np.array(alone, np.int64))
            streams = Chosen(streams, chosen)
            rows, counts, sizes = rows[chosen], counts[chosen], sizes[chosen]
            whole = whole[chosen]
        pieces = np.where(whole, 1, 2 * counts)
        apart = np.where(whole, 0, pieces)
        at = self._spread(runs, order) + apart.cumsum() - apart
        at = np.where(whole, np.arange(len(whole)), at)
        plan = Plan(streams, rows, at, pieces, counts, sizes)
        for run, stream in enumerate(streams) if headed else ():
            if stream in heads:
                self._putHead(plan, run, heads[stream])
        return plan

    def _putTogether(self, runs: Runs, others: list[int]) -> NDArray[np.bool_]:
        """
        Copy the runs of RTP whose packets are all as long as most are.

        @param others: runs that are to be left where they are.
        @return: of each run, whether it was; its vector is that of its number.
        """
        split, length = runs.split, runs.batch.length
        whole = np.zeros(len(runs.counts), np.bool_)
        if not split:
            return whole
        used = int(runs.firsts[split - 1] + runs.counts[split - 1])
        usual = int(np.bincount(np.minimum(length[:used], self._receiver.slotSize)).argmax())
        whole[:split] = np.logical_and.reduceat(length[:used] == usual, runs.firsts[:split])
        whole[others] = False
        size = RECORD.itemsize + usual
        if whole.any():
            begin = HEADROOM - RECORD.itemsize
            stride = self._receiver.stride
            memory = self._receiver.memory
            source = np.ndarray((used, size), np.uint8, memory, begin, (stride, 1))
            self._together[: used * size].reshape(used, size)[...] = source
            vectors = self._vectors[:split]
            vectors["base"] = self._together.ctypes.data + runs.firsts[:split] * size
            vectors["length"] = runs.counts[:split] * size
        return whole

    def _spread(self, runs: Runs, order: _Rows) -> int:
        """
        Have two vectors for each of the packets in some slots.

        @return: the first of them.
        """
        first = self._receiver.slots
        if len(order):
            length = runs.batch.length[order]
            inside = np.minimum(length, self._receiver.slotSize)
            vectors = self._vectors[first : first + 2 * len(order)].reshape(-1, 2)
            vectors["base"] = self._bases[order]
            vectors["length"][:, 0] = inside + RECORD.itemsize
            vectors["length"][:, 1] = length - inside
        return first

    def _merge(self, runs: Runs, order: _Rows) -> tuple[_Rows, list[int]]:
        """
        @param order: the slots that are written from where they lie; of those with RTP, all
            that RTCP joins are among them.
        @return: the same in the order to write, and the runs of RTCP that have no
            RTP to go with; those come last.
        """
        arrival, firsts, counts = runs.batch.arrival, runs.firsts.tolist(), runs.counts.tolist()
        packets = firsts[runs.split]
        places: list[int] = []
        slots: list[int] = []
        alone: list[int] = []
        # In the order of the RTP: what ends one run stands where the next begins.
        joins = enumerate(runs.joins, runs.split)
        for run, other in sorted(joins, key=lambda join: (join[1] < 0, join[1], join[0])):
            mine = range(firsts[run], firsts[run] + counts[run])
            slots += mine
            if other < 0:
                alone.append(run)
                places += [packets] * len(mine)
                continue
            begin, end, least = firsts[other], firsts[other] + counts[other], 0
            for slot in mine:
                # Each socket keeps its own order even if the clock was set back.
                least = max(least, int(arrival[begin:end].searchsorted(arrival[slot], "right")))
                places.append(begin + least)
        order = order[: order.searchsorted(packets)]
        return np.insert(order, order.searchsorted(places), slots), alone

    def _putHead(self, plan: Plan, run: int, head: bytes) -> None:
        """
        Put the file header before the first packet of all.
        """
        vector = self._vectors[plan.at[run]]
        vector["base"] -= len(head)
        vector["length"] += len(head)
        begin = int(vector["base"]) - self._receiver.memory.ctypes.data
        self._receiver.memory[begin : begin + len(head)] = np.frombuffer(head, np.uint8)
        plan.sizes[run] += len(head)

    def addresses(self, plan: Plan) -> _Rows:
        """
        @return: of the first vector of each write.
        """
        return self._vectors.ctypes.data + IOVEC.itemsize * plan.at

    def content(self, plan: Plan, run: int) -> tuple[bytes, _Rows]:
        """
        @return: what one write of the plan writes, and where in it each record ends.
        """
        at, pieces, count = int(plan.at[run]), int(plan.pieces[run]), int(plan.counts[run])
        vectors = self._vectors[at : at + pieces]
        data = b"".join(ctypes.string_at(base, length) for base, length in vectors.tolist())
        sizes = vectors["length"].astype(np.int64)
        if pieces == 1:
            return data, sizes[0] // count * np.arange(1, count + 1)
        return data, sizes.reshape(-1, 2).sum(axis=1).cumsum()
