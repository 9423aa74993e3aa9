"""
How well the packets of all streams come in, a slice of the streams at a time.

Where the packets of a stream are what was to be expected next, which is nearly always,
numpy brings the numbers of all such streams up to date at once.  The others are looked at
packet by packet (L{siprec.media.reception}).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from attrs import define
from numpy.typing import NDArray

from siprec.media.batch import HEADROOM, Held, Receiver
from siprec.media.latching import Heard
from siprec.media.layout import Runs
from siprec.media.reception import MAX_DROPOUT, Sources
from siprec.media.rtcp import ReportBlock
from siprec.media.srtp import isControl
from siprec.media.stream import CapturedStream, Cells

__all__ = ["Hearing", "blocksOf", "hearAnew", "hearControl", "lastHeard", "setRates"]

_FIXED = 12  # octets of the header of RTP
_HEAD = np.dtype(
    {
        "names": ["kind", "sequence", "timestamp", "ssrc"],
        "formats": [">u2", ">u2", ">u4", ">u4"],
        "itemsize": 16,
    }
)
# Of the first two octets: the version and the payload type.
_KIND, _VERSION = 0xC07F, 0x8000

# By how much the deviation of a packet counts when so many have come after it (RFC 3550
# appendix A.8), for as many packets as one visit can take.
_DECAY = (15 / 16) ** np.arange(1025)
_WEIGHT = _DECAY / 16
_NUMBERS = np.arange(0x10000)

_INT = np.int64
_Rows = NDArray[np.int64]


@define(eq=False, repr=False)
class _Heads:
    """
    What the headers of the RTP of a slice say, a row for each packet.
    """

    kind: _Rows
    ssrc: _Rows
    sequence: _Rows
    timestamp: NDArray[np.uint32]
    arrival: _Rows


class Hearing:
    """
    Knows the arena of one L{Receiver}.
    """

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        # As numbers of 16 octets, which numpy copies in one go.
        self._heads = np.ndarray(
            receiver.slots, np.complex128, receiver.memory, HEADROOM, receiver.stride
        )

    def hear(self, cells: Cells, runs: Runs) -> None:
        """
        Take in the RTP of a slice.
        """
        split = runs.split
        if not split:
            return
        firsts, counts = runs.firsts[:split], runs.counts[:split]
        rows, used = runs.rows[:split], int(firsts[-1] + counts[-1])
        raw = self._heads[:used].copy().view(_HEAD)
        heads = _Heads(
            raw["kind"].astype(_INT),
            raw["ssrc"].astype(_INT),
            raw["sequence"].astype(_INT),
            raw["timestamp"].astype(np.uint32),
            runs.batch.arrival[:used],
        )
        data = cells.data
        skipped = _since(heads.sequence, firsts, data["highest"][rows]) - 1 & 0xFFFF
        good = skipped < MAX_DROPOUT - 1
        good &= (heads.ssrc << 16 | heads.kind & _KIND) == data["expected"][rows].repeat(counts)
        sizes = runs.batch.length[:used]
        if sizes.min() < _FIXED:
            good &= sizes >= _FIXED
        lasts = firsts + counts - 1
        # Of all runs, the others being few.
        jitter = _jitter(heads, firsts, counts, lasts, data, rows)
        skips = np.add.reduceat(skipped, firsts)
        at: slice | NDArray[np.bool_] = slice(None)
        others = np.zeros(0, _INT)
        if not good.all():
            at = well = np.logical_and.reduceat(good, firsts)
            others = np.flatnonzero(~well)
        rows, came, lasts = rows[at], counts[at], lasts[at]
        data["highest"][rows] += skips[at] + came
        data["received"][rows] += came
        data["timestamp"][rows] = heads.timestamp[lasts]
        data["arrival"][rows] = heads.arrival[lasts]
        data["jitter"][rows] = jitter[at]
        for run in others.tolist():
            self._hearSingly(runs.streams[run], int(firsts[run]), int(counts[run]), heads)

    def _hearSingly(self, stream: CapturedStream, first: int, count: int, heads: _Heads) -> None:
        _settle(stream)
        part = slice(first, first + count)
        sizes = self._receiver.lengths(first, count)
        for slot, size, kind, ssrc, sequence, timestamp, arrival in zip(
            range(first, first + count),
            sizes,
            heads.kind[part].tolist(),
            heads.ssrc[part].tolist(),
            heads.sequence[part].tolist(),
            heads.timestamp[part].tolist(),
            heads.arrival[part].tolist(),
            strict=True,
        ):
            if isControl(kind & 0xFF):
                stream.sources.takeControl(self._receiver.read(slot), arrival)
            elif size >= _FIXED and kind & 0xC000 == _VERSION:
                stream.sources.take(ssrc, kind & 0x7F, sequence, timestamp, arrival)
        _expect(stream)


def _since(values: NDArray[Any], firsts: _Rows, before: _Rows) -> NDArray[Any]:
    """
    @param before: the last value of each run before this slice.
    @return: by how much each value is above the one before it, in their own type.
    """
    former = np.empty_like(values)
    former[1:] = values[:-1]
    former[firsts] = before
    np.subtract(values, former, out=former)
    return former


def _jitter(
    heads: _Heads,
    firsts: _Rows,
    counts: _Rows,
    lasts: _Rows,
    data: NDArray[np.void],
    rows: _Rows,
) -> NDArray[np.float64]:
    """
    @return: what it is of each run, if all its packets are in order.
    """
    # Modulo 2 ** 32, as signed numbers.
    sent = _since(heads.timestamp, firsts, data["timestamp"][rows]).view(np.int32)
    apart = data["rate"][rows].repeat(counts)
    apart *= _since(heads.arrival, firsts, data["arrival"][rows])
    apart -= sent
    np.abs(apart, out=apart)
    after = lasts.repeat(counts)
    after -= _NUMBERS[: len(after)]
    apart *= _WEIGHT[after]
    found: NDArray[np.float64] = np.add.reduceat(apart, firsts)
    found += data["jitter"][rows] * _DECAY[counts]
    return found


def _settle(stream: CapturedStream) -> None:
    """
    Tell the source that was heard last what was counted of it in L{Cells}.
    """
    source = stream.sources.current
    cells, row = stream.cell
    found = cells.data[row]
    if source is not None and found["expected"] >= 0:
        source.highest, source.received = int(found["highest"]), int(found["received"])
        source.timestamp, source.arrival = int(found["timestamp"]), int(found["arrival"])
        source.jitter = float(found["jitter"])


def _expect(stream: CapturedStream) -> None:
    """
    Have the source that was heard last counted in L{Cells}, if its packets are in order.
    """
    sources, source = stream.sources, stream.sources.current
    cells, row = stream.cell
    found = cells.data[row]
    if source is None or not sources.steady:
        found["expected"] = -1
        return
    found["expected"] = source.ssrc << 16 | _VERSION | sources.payloadType
    found["rate"], found["jitter"] = source.rate / 1e9, source.jitter
    found["highest"], found["received"] = source.highest, source.received
    found["timestamp"], found["arrival"] = source.timestamp, source.arrival


def hearControl(stream: CapturedStream, taken: Sequence[Held]) -> None:
    """
    Take in what came at the RTCP port, in the clear.
    """
    for each in taken:
        stream.sources.takeControl(each.data, each.arrival)


def hearAnew(stream: CapturedStream) -> None:
    """
    Forget the sources of a stream: what they sent meanwhile is not known, nor was it lost.
    """
    stream.sources = Sources(stream.sources.rates)
    _expect(stream)


def lastHeard(stream: CapturedStream) -> Heard:
    """
    @return: the last that was heard on a stream.
    """
    _settle(stream)
    source = stream.sources.current
    if source is None:
        return Heard()
    return Heard(source.arrival, source.ssrc, source.highest & 0xFFFF)


def setRates(stream: CapturedStream, rates: Mapping[int, int]) -> None:
    """
    @param rates: see L{Sources.rates}.
    """
    _settle(stream)
    stream.sources.rates = rates
    _expect(stream)


def blocksOf(stream: CapturedStream, now: int) -> tuple[ReportBlock, ...]:
    """
    @param now: nanoseconds since the epoch.
    @return: what is to be said of a stream's sources.
    """
    _settle(stream)
    return stream.sources.blocks(now)
