"""
Tests of L{siprec.render.reports}.
"""

import struct
from collections.abc import Iterable, Sequence

import numpy as np
from attrs import evolve
from numpy.typing import NDArray
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.journal import PacketTable
from siprec.render.reports import FEWEST, MAX_REPORTS, SPAN, ReportLog, Reports

_NS = 1_000_000_000
_MS = 1_000_000
#: The begin of all segments here, in seconds; 1900 is so many seconds before 1970.
_BEGIN = 1_767_603_600
_1900 = 2_208_988_800


def _report(moment: float, timestamp: int, ssrc: int = 1, kind: int = 200) -> bytes:
    """
    @param moment: seconds since 1900.
    """
    whole, part = divmod(moment, 1)
    words = int(whole) & 0xFFFFFFFF, int(part * (1 << 32)), timestamp & 0xFFFFFFFF, 0, 0
    return struct.pack(">BBHI5I", 0x80, kind, 6, ssrc, *words)


def _table(packets: Iterable[tuple[float, bytes]], rtcp: bool = True) -> PacketTable:
    """
    @param packets: arrivals, in seconds after the begin, and octets.
    """
    came = list(packets)
    lengths = np.array([len(each) for _, each in came], np.int64)
    arrival = np.array([_BEGIN * _NS + round(at * 1e6) * 1000 for at, _ in came], np.int64)
    data = np.frombuffer(b"".join(each for _, each in came), np.uint8)
    start = np.cumsum(lengths) - lengths
    return PacketTable(arrival, start, lengths, np.full(len(came), rtcp), data)


def _logged(packets: Iterable[tuple[float, bytes]], file: int = 1) -> ReportLog:
    log = ReportLog()
    log.add(_table(packets), file)
    return log


class LogTests(SynchronousTestCase):
    """
    What is kept of the RTCP of a stream.
    """

    def test_fields(self) -> None:
        """
        A sender report tells a time, and the timestamp that belongs to it.
        """
        log = _logged([(1.5, _report(_1900 + 3.25, 0xFFFFFFFF, 7))], 3)
        found = log.of(7)
        self.assertEqual(found.file.tolist(), [3])
        self.assertEqual(found.arrival.tolist(), [_BEGIN * _NS + 1_500_000_000])
        self.assertEqual(found.seconds.tolist(), [_1900 + 3])
        self.assertEqual(found.part.tolist(), [250_000_000])
        self.assertEqual(found.timestamp.tolist(), [0xFFFFFFFF])

    def test_others(self) -> None:
        """
        Receiver reports, torn ones, RTP, what is of no version, and what tells no time at
        all are not kept; of another source neither.
        """
        good = _report(_1900, 0)
        packets = [
            (1.0, _report(_1900, 0, kind=201)),
            (1.0, good[:27]),
            (1.0, b"\x40" + good[1:]),
            (1.0, b""),
            (1.0, _report(0, 5)),
        ]
        log = _logged([*packets, (1.0, good)])
        log.add(_table([(2.0, good)], rtcp=False), 1)
        self.assertEqual(len(log.of(1).arrival), 1)
        self.assertEqual(len(log.of(2).arrival), 0)
        self.assertEqual(len(ReportLog().of(1).arrival), 0)

    def test_bounded(self) -> None:
        """
        When there are too many, every second one is forgotten, so that those that are left
        still span the whole time.
        """
        log = ReportLog()
        for begin in range(0, 3 * MAX_REPORTS, 1000):
            log.add(_table((at, _report(_1900 + at, at)) for at in range(begin, begin + 1000)), 1)
            self.assertLessEqual(len(log.of(1).arrival), MAX_REPORTS)
        arrival = log.of(1).arrival
        self.assertEqual(int(arrival[0]), _BEGIN * _NS)
        self.assertGreater(int(arrival[-1]), (_BEGIN + 3 * MAX_REPORTS - 1000) * _NS)
        self.assertGreater(len(arrival), MAX_REPORTS // 4)


class SkewTests(SynchronousTestCase):
    """
    What reports say of a segment in which a queue builds up (CONFORMANCE E13).
    """

    def setUp(self) -> None:
        """
        Make up five minutes of bins, of a sender that is 100 ppm slow.
        """
        since = np.arange(300, dtype=np.int64)
        delay = np.interp(since, [60, 80], [0, 80]) * _MS
        self.arrival = (_BEGIN + since) * _NS
        # The timestamp is 4,000,000,000 at the begin: it wraps.
        slow = np.round(1e-4 * since * _NS).astype(np.int64)
        self.lowest = (_BEGIN - 500_000) * _NS + slow + delay.astype(np.int64)
        self.count = np.full(300, 50)

    def _said(self, times: Sequence[float], **options: int) -> Reports:
        reports = [
            (at + 0.01, _report(_1900 + _BEGIN + at, round(4e9 + 8000 * at * (1 - 1e-4))))
            for at in times
        ]
        return _logged(reports, **options).of(1)

    def _skew(self, reports: Reports) -> float | None:
        return reports.skew(self.arrival, self.lowest, self.count, 8000)

    def assertSays(self, reports: Reports) -> None:
        """
        They say the truth.
        """
        found = self._skew(reports)
        assert found is not None
        self.assertLess(abs(found - 1e-4), 5e-6)

    def test_E13_skew(self) -> None:
        """
        Three reports over half of the segment are enough, also where its timestamps wrap.
        """
        self.assertSays(self._said(range(3, 300, 5)))
        self.assertSays(self._said([10, 100, 200]))

    def test_E13_fewest(self) -> None:
        """
        Fewer, or within a shorter time, or none in the segment's time, do not say anything.
        """
        self.assertEqual((FEWEST, SPAN), (3, 60 * _NS))
        self.assertIsNone(self._skew(Reports.none()))
        self.assertIsNone(self._skew(self._said([10, 200])))
        self.assertIsNone(self._skew(self._said([10, 100, 150])))
        self.assertIsNone(self._skew(self._said([10, 10, 200, 200])))
        self.assertIsNone(self._skew(self._said([-30, -20, -10, 310, 400, 500])))

    def test_E13_far(self) -> None:
        """
        What is more than half a second from the arrivals counts for nothing: a time of
        another clock, or a timestamp of other packets.
        """
        good = self._said(range(3, 300, 5))
        for ahead in (-1, 1, 70_000, -(1 << 31)):
            self.assertIsNone(self._skew(evolve(good, seconds=good.seconds + ahead)))
        for ahead in (-4800, 4800, 1 << 30, 1 << 31):
            stamps = (good.timestamp + ahead) & 0xFFFFFFFF
            self.assertIsNone(self._skew(evolve(good, timestamp=stamps)))

    def test_E13_line(self) -> None:
        """
        A quarter of them may be off the line of the others, not more.
        """
        good = self._said(range(3, 300, 5))
        self.assertSays(evolve(good, part=good.part + self._every(5, 200 * _MS, len(good.part))))
        self.assertIsNone(
            self._skew(evolve(good, part=good.part + self._every(3, 200 * _MS, len(good.part))))
        )

    def _every(self, step: int, amount: int, count: int) -> NDArray[np.int64]:
        return np.where(np.arange(count) % step == 1, amount, 0)

    def test_E13_nodes(self) -> None:
        """
        The arrivals of a node whose clock is off are corrected, and a report that two nodes
        have captured is one.
        """
        times = [10, 100, 200]
        off = self._said(times, file=2)
        off = evolve(off, arrival=off.arrival + 2 * _NS)
        self.assertIsNone(self._skew(off))
        self.assertSays(off.corrected({1: 0, 2: -2 * _NS}))
        both = [np.concatenate(pair) for pair in zip(*self._columns(times), strict=True)]
        self.assertSays(Reports(*both))

    def _columns(self, times: Sequence[float]) -> list[list[NDArray[np.int64]]]:
        found = [self._said(times, file=file) for file in (1, 2)]
        return [[r.file, r.arrival, r.seconds, r.part, r.timestamp] for r in found]

    def test_nextEra(self) -> None:
        """
        The seconds of NTP begin anew in 2036 (RFC 5905 section 6).
        """
        late = 2_085_978_496 - 150 - _BEGIN
        reports = self._said(range(3, 300, 5))
        moved = evolve(
            reports,
            arrival=reports.arrival + late * _NS,
            seconds=(reports.seconds + late) & 0xFFFFFFFF,
        )
        self.arrival, self.lowest = self.arrival + late * _NS, self.lowest + late * _NS
        self.assertLess(int(moved.seconds.min()), 1000)
        self.assertSays(moved)
