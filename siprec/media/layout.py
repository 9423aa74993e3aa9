"""
The layout of a batch in the arena: record headers before the packets, and the vectors
by which each stream's packets go into its journal without being copied.
"""

import ctypes

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
class Runs:
    """
    What one slice took: runs of slots that belong to one stream each, first those of
    RTP, then those of RTCP.  Arrays have one element per run.

    @ivar rows: of the streams, in L{Cells}.
    @ivar split: how many runs are RTP.
    @ivar octets: of all packets of the run.
    @ivar joins: for each run of RTCP the run of RTP of the same stream; below 0: none.
    """

    streams: list[CapturedStream]
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
    @ivar counts: how many packets it has.
    @ivar sizes: octets in all.
    """

    streams: list[CapturedStream]
    rows: _Rows
    at: _Rows
    counts: _Rows
    sizes: _Rows

    def without(self, streams: set[CapturedStream]) -> "Plan":
        """
        @return: the same but for the writes of C{streams}.
        """
        keep = np.array([stream not in streams for stream in self.streams])
        left = [stream for stream in self.streams if stream not in streams]
        return Plan(left, self.rows[keep], self.at[keep], self.counts[keep], self.sizes[keep])


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
        self._vectors = np.zeros((receiver.slots, 2), IOVEC)

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

    def plan(self, runs: Runs) -> Plan:
        """
        Lay out the vectors that cover all packets, in the order they are to be
        written: one write per stream, its RTCP merged into its RTP by arrival.
        """
        split, length, used = runs.split, runs.batch.length, self._receiver.used
        streams, rows, counts = runs.streams, runs.rows, runs.counts
        sizes = runs.octets + RECORD.itemsize * counts
        inside = np.minimum(length, self._receiver.slotSize)
        vectors = self._vectors[:used]
        if not runs.joins:
            bases = self._bases[:used]
        else:
            order, alone = self._merge(runs)
            bases, length, inside = self._bases[order], length[order], inside[order]
            counts, sizes = counts.copy(), sizes.copy()
            for run, other in enumerate(runs.joins, split):
                if other >= 0:
                    counts[other] += counts[run]
                    sizes[other] += sizes[run]
            streams = [*streams[:split], *(streams[run] for run in alone)]
            chosen = [*range(split), *alone]
            rows, counts, sizes = rows[chosen], counts[chosen], sizes[chosen]
        vectors["base"] = bases
        vectors["length"][:, 0] = inside + RECORD.itemsize
        vectors["length"][:, 1] = length - inside
        return Plan(streams, rows, counts.cumsum() - counts, counts, sizes)

    def _merge(self, runs: Runs) -> tuple[_Rows, list[int]]:
        """
        @return: all slots in the order to write, and the runs of RTCP that have no
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
        return np.insert(np.arange(packets), places, slots), alone

    def putHead(self, plan: Plan, run: int, head: bytes) -> None:
        """
        Put the file header before the first packet of all.
        """
        vector = self._vectors[plan.at[run], 0]
        vector["base"] -= len(head)
        vector["length"] += len(head)
        begin = int(vector["base"]) - self._receiver.memory.ctypes.data
        self._receiver.memory[begin : begin + len(head)] = np.frombuffer(head, np.uint8)
        plan.sizes[run] += len(head)

    def addresses(self, plan: Plan) -> _Rows:
        """
        @return: of the first vector of each write; two per packet.
        """
        return self._vectors.ctypes.data + self._vectors.strides[0] * plan.at

    def content(self, plan: Plan, run: int) -> tuple[bytes, _Rows]:
        """
        @return: what one write of the plan writes, and where in it each record ends.
        """
        at, count = int(plan.at[run]), int(plan.counts[run])
        vectors = self._vectors[at : at + count]
        parts = vectors.reshape(-1).tolist()
        data = b"".join(ctypes.string_at(base, length) for base, length in parts)
        return data, np.cumsum(vectors["length"].sum(axis=1)).astype(np.int64)
