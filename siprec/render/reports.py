"""
What the sender reports of a stream say of its sender's clock (RFC 3550 section 6.4.1).

A report tells what timestamp belongs to what time of the sender's own clock.  How fast
the timestamps run is seen from that at once, where arrivals need long and are led astray
by queues; but it is the truth only if the sender's clock is right, if the report is of the
packets that came, and if the sender has sent it.  So what disagrees with the arrivals is
left out, and the rest is believed only as far as L{siprec.render.anchors.confirmed} says.
"""

from collections.abc import Mapping

import numpy as np
from attrs import define, evolve, field, frozen
from numpy.typing import NDArray

from siprec.media.journal import PacketTable
from siprec.render.anchors import SECOND, confirmed

__all__ = ["FEWEST", "MAX_REPORTS", "SPAN", "ReportLog", "Reports"]

_Ints = NDArray[np.int64]
_MS = 1_000_000

#: So many reports, over so long a time and over half of a segment, make a proof.
FEWEST = 3
SPAN = 60 * SECOND
#: When there are more reports in a stream, every second one is forgotten.
MAX_REPORTS = 8192

# A report that is further from the arrivals is of another clock, or of other packets.
_FURTHEST = 500 * _MS
# Senders tell the timestamp of the last packet, which is up to 20 ms old.
_STRAIGHT = 25 * _MS
# So many of those that are near the arrivals must be on one line.
_MOST = 0.75

_SENDER_REPORT = 200
_SIZE = 28  # octets, without any report block
_EPOCH = 2_208_988_800  # from 1900 to 1970, in seconds
_WRAP = 1 << 32


@frozen(eq=False)
class Reports:
    """
    The sender reports of one source, in arrival order, without those that tell no time.

    @ivar file: the number of the journal that each is in.
    @ivar arrival: nanoseconds since the epoch.
    @ivar seconds: since 1900, the last 32 bits of them; C{part}: nanoseconds beyond.
    @ivar timestamp: 32 bits.
    """

    file: _Ints
    arrival: _Ints
    seconds: _Ints
    part: _Ints
    timestamp: _Ints

    @classmethod
    def none(cls) -> "Reports":
        """
        Nobody has told anything.
        """
        return cls(*np.empty((5, 0), np.int64))

    def corrected(self, corrections: Mapping[int, int]) -> "Reports":
        """
        @param corrections: what to add to the arrivals in each journal.
        """
        arrival = self.arrival.copy()
        for file, correction in corrections.items():
            arrival[self.file == file] += correction
        return evolve(self, arrival=arrival)

    def skew(self, arrival: _Ints, lowest: _Ints, count: _Ints, clock: int) -> float | None:
        """
        @param arrival: of the bins of one segment, nanoseconds since the epoch; C{lowest}:
            their minima of arrival minus timestamp; C{count}: their packets.
        @param clock: of the timestamps, in hertz.
        @return: by how much the minima rise in time because of the sender's clock; C{None}
            if the reports do not say so, or are not to be believed, or not needed.
        """
        if len(self.arrival) < FEWEST:
            return None
        times, apart = self._plausible(np.maximum.accumulate(arrival), lowest, clock)
        if len(times) < FEWEST:
            return None
        slope = _slope(times, apart, max(SPAN, int(arrival[-1] - arrival[0]) // 2))
        return None if slope is None else confirmed(arrival, lowest, count, slope)

    def _plausible(self, arrival: _Ints, lowest: _Ints, clock: int) -> tuple[_Ints, _Ints]:
        """
        @return: of each report that can be of these packets, in their order, the timestamp,
            and by how much the sender's clock is ahead of it; nanoseconds.
        """
        own = np.flatnonzero((self.arrival >= arrival[0]) & (self.arrival < arrival[-1] + SECOND))
        level = lowest[np.maximum(np.searchsorted(arrival, self.arrival[own], "right") - 1, 0)]
        # 32 bits at 8 kHz are six days: the report's arrival tells which are meant.
        seconds, rest = np.divmod(self.arrival[own] - level, SECOND)
        expected = seconds * clock + rest * clock // SECOND
        stamps = expected + _nearest(self.timestamp[own] - expected)
        seconds, rest = np.divmod(stamps, clock)
        sent = seconds * SECOND + rest * SECOND // clock
        late = self.arrival[own] - sent - level
        since = self.arrival[own] // SECOND
        told = since + _nearest(self.seconds[own] - _EPOCH - since)
        apart = told * SECOND + self.part[own] - sent
        near = (np.abs(late) <= _FURTHEST) & (np.abs(apart - level) <= _FURTHEST)
        # Two nodes may have captured the same one.
        _, once = np.unique(sent[near], return_index=True)
        return sent[near][once], apart[near][once]


def _slope(times: _Ints, apart: _Ints, shortest: int) -> float | None:
    """
    @return: that of the line which most of the points lie on, if they do so for long
        enough.
    """
    since = (times - times[0]).astype(np.float64)
    rises = (apart - apart[0]).astype(np.float64)
    half = len(since) // 2
    slope = np.median((rises[half:] - rises[:-half]) / (since[half:] - since[:-half]))
    away = rises - slope * since
    straight = np.abs(away - np.median(away)) <= _STRAIGHT
    since, rises = since[straight], rises[straight]
    if len(since) < max(FEWEST, _MOST * len(times)) or since[-1] - since[0] < shortest:
        return None
    since, rises = since - since.mean(), rises - rises.mean()
    return float((since * rises).sum() / (since * since).sum())


def _nearest(differences: _Ints) -> _Ints:
    """
    @return: differences of numbers of which only 32 bits are known.
    """
    return (differences + _WRAP // 2) % _WRAP - _WRAP // 2


@define(eq=False, repr=False)
class ReportLog:
    """
    The sender reports of one stream, of whatever source, in bounded memory.
    """

    _rows: list[_Ints] = field(factory=list, init=False)
    _count: int = field(default=0, init=False)

    def add(self, table: PacketTable, file: int) -> None:
        """
        @param table: packets of a journal, RTP and RTCP.
        @param file: the number of the journal.
        """
        # It is the first part of a compound packet if there is one (section 6.1).
        rows = np.flatnonzero(table.rtcp & (table.length >= _SIZE))
        start, data = table.start[rows], table.data
        kinds = (data[start] >> 6 == 2) & (data[start + 1] == _SENDER_REPORT)
        rows, start = rows[kinds], start[kinds]
        if not len(rows):
            return
        words = data[start[:, None] + np.arange(4, 20)].copy().view(">u4").astype(np.int64)
        ssrc, seconds, fraction, timestamp = words.T
        part = fraction * SECOND >> 32
        files = np.full(len(rows), file)
        found = np.stack((ssrc, files, table.arrival[rows], seconds, part, timestamp))
        found = found[:, (seconds | fraction) != 0]  # the sender does not know the time
        self._rows.append(found)
        self._count += found.shape[1]
        if self._count > MAX_REPORTS:
            self._rows = [np.concatenate(self._rows, axis=1)[:, ::2][:, -MAX_REPORTS:]]
            self._count = self._rows[0].shape[1]

    def of(self, ssrc: int) -> Reports:
        """
        @return: the reports of one source.
        """
        if not self._rows:
            return Reports.none()
        self._rows = [np.concatenate(self._rows, axis=1)]
        return Reports(*self._rows[0][1:, self._rows[0][0] == ssrc])
