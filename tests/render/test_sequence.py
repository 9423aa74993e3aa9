"""
Tests of L{siprec.render.sequence}.
"""

from collections.abc import Sequence
from unittest.mock import patch

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.rtp import RTPTable
from siprec.render import sequence
from siprec.render.sequence import Rows, Run, Sequencer

_A, _B = 0xAAAA, 0xBBBB


def _table(
    numbers: Sequence[int], stamps: Sequence[int] | None = None, ssrcs: Sequence[int] = ()
) -> RTPTable:
    count = len(numbers)
    stamps = [number * 160 for number in numbers] if stamps is None else stamps
    return RTPTable(
        arrival=np.arange(count, dtype=np.int64) * 20_000_000,
        payloadType=np.zeros(count, np.uint8),
        marker=np.zeros(count, np.bool_),
        sequence=np.array([number & 0xFFFF for number in numbers], np.uint16),
        timestamp=np.array([stamp & 0xFFFFFFFF for stamp in stamps], np.uint32),
        ssrc=np.array(ssrcs or [_A] * count, np.uint32),
        payloadStart=np.zeros(count, np.int64),
        payloadLength=np.full(count, 160, np.int64),
        data=np.zeros(160, np.uint8),
    )


def _feed(sequencer: Sequencer, table: RTPTable) -> list[Rows]:
    return list(sequencer.feed(table, np.full(len(table), 160, np.int64)))


def _one(numbers: Sequence[int], *more: Sequence[int]) -> tuple[Run, list[int]]:
    """
    @return: the only run, and the extended numbers of what is no duplicate.
    """
    sequencer = Sequencer()
    fresh = []
    for each in (numbers, *more):
        for found in _feed(sequencer, _table(each)):
            fresh += found.sequence[found.fresh].tolist()
    (run,) = sequencer.runs
    return run, fresh


def _holes(run: Run) -> list[tuple[int, int]]:
    return [(hole.first, hole.last) for hole in run.missing]


class OneRunTests(SynchronousTestCase):
    """
    A sequence that is disturbed as networks do it.
    """

    def test_E5_wrap(self) -> None:
        """
        Sequence number and timestamp go on beyond their last value.
        """
        sequencer = Sequencer()
        numbers = [65534, 65535, 0, 1]
        stamps = [0xFFFFFF00, 0xFFFFFFA0, 0x40, 0xE0]
        (found,) = _feed(sequencer, _table(numbers, stamps))
        self.assertEqual(found.sequence.tolist(), [65534, 65535, 65536, 65537])
        self.assertEqual(np.diff(found.timestamp).tolist(), [160, 160, 160])
        self.assertTrue(found.advancing.all())
        self.assertEqual(found.run.lost, 0)

    def test_E5_duplicates(self) -> None:
        """
        The same number a second time is a duplicate, in the same table or a later
        one.
        """
        run, fresh = _one([1, 2, 2, 3], [3, 4, 1])
        self.assertEqual(fresh, [1, 2, 3, 4])
        self.assertEqual((run.packets, run.duplicates, run.lost), (7, 3, 0))
        self.assertEqual(run.reordered, 0)

    def test_E5_reordered(self) -> None:
        """
        A packet that came after one with a higher number is counted and kept,
        across tables too, and also one from before the first.
        """
        run, fresh = _one([5, 4, 6, 8], [7, 9])
        self.assertEqual(sorted(fresh), [4, 5, 6, 7, 8, 9])
        self.assertEqual((run.reordered, run.lost, run.duplicates), (2, 0, 0))
        self.assertEqual(_holes(run), [])

    def test_E5_lost(self) -> None:
        """
        What never came is lost, and one hole however many packets are missing.
        """
        run, _ = _one([1, 2, 6, 7], [10])
        self.assertEqual(run.lost, 5)
        self.assertEqual(_holes(run), [(3, 5), (8, 9)])
        self.assertEqual(
            [(hole.begin, hole.end) for hole in run.missing], [(480, 960), (1280, 1600)]
        )

    def test_holeIsSplit(self) -> None:
        """
        A late packet in the middle of a hole leaves two holes, whose timestamps are
        those of their neighbours.
        """
        run, _ = _one([1, 7], [4], [5, 6])
        self.assertEqual(_holes(run), [(2, 3)])
        self.assertEqual((run.missing[0].begin, run.missing[0].end), (320, 640))

    def test_beforeTheFirst(self) -> None:
        """
        A packet from well before the first one leaves a hole between.
        """
        run, _ = _one([10, 7, 9])
        self.assertEqual((run.low, run.high, run.lost), (7, 10, 1))
        self.assertEqual(_holes(run), [(8, 8)])

    def test_E5_dropout(self) -> None:
        """
        A step of less than MAX_DROPOUT is loss (RFC 3550 appendix A.1).
        """
        run, _ = _one([1, 2, 3001])
        self.assertEqual(run.lost, 2998)

    def test_manyHoles(self) -> None:
        """
        Of more holes than can be kept the oldest are forgotten, and counted; the
        number of lost packets stays right.
        """
        with patch.object(sequence, "MAX_GAPS", 3):
            run, _ = _one([1, 3, 5, 7, 9, 11])
        self.assertEqual(_holes(run), [(6, 6), (8, 8), (10, 10)])
        self.assertEqual((run.omitted, run.lost), (2, 5))

    def test_empty(self) -> None:
        """
        A table without packets is nothing.
        """
        sequencer = Sequencer()
        self.assertEqual(_feed(sequencer, _table([])), [])
        self.assertEqual(sequencer.runs, [])

    @given(
        st.lists(st.integers(0, 60), min_size=1, max_size=80),
        st.integers(0, 65535),
        st.integers(1, 40),
    )
    def test_anyOrder(self, numbers: list[int], base: int, size: int) -> None:
        """
        Whatever the order and however it is cut into tables, each number is fresh
        once, and what is counted adds up.
        """
        shifted = [number + base for number in numbers]
        run, fresh = _one(*(shifted[at : at + size] for at in range(0, len(shifted), size)))
        offset = fresh[0] - shifted[0]
        self.assertEqual(sorted(fresh), sorted(number + offset for number in set(shifted)))
        self.assertEqual(run.packets, len(numbers))
        self.assertEqual(run.duplicates, len(numbers) - len(set(numbers)))
        self.assertEqual(run.lost, max(numbers) - min(numbers) + 1 - len(set(numbers)))
        self.assertEqual(run.lost, sum(hole.last - hole.first + 1 for hole in run.missing))


class RestartTests(SynchronousTestCase):
    """
    Sequences that end, begin and mix.
    """

    def test_E5_resync(self) -> None:
        """
        After a large jump two consecutive packets are a new sequence; both of them
        are kept, and the jump is no loss.
        """
        sequencer = Sequencer()
        _feed(sequencer, _table([1, 2, 3, 40000, 40001, 40003, 40004]))
        first, second = sequencer.runs
        self.assertEqual((first.packets, first.lost), (3, 0))
        self.assertEqual((second.packets, second.lost, second.low), (4, 1, 40000))
        self.assertTrue(second.confirmed)

    def test_E5_stray(self) -> None:
        """
        A single packet far away is kept as a run that is not confirmed, and the
        sequence goes on as if it had not come.
        """
        sequencer = Sequencer()
        _feed(sequencer, _table([1, 2, 40000, 3, 4]))
        first, stray = sequencer.runs
        self.assertEqual((first.packets, first.lost), (4, 0))
        self.assertEqual((stray.packets, stray.confirmed), (1, False))

    def test_E5_probation(self) -> None:
        """
        The very first packets are kept too; one alone is not confirmed.
        """
        run, fresh = _one([7])
        self.assertEqual((fresh, run.confirmed), ([7], False))
        run, fresh = _one([7, 8])
        self.assertEqual((fresh, run.confirmed), ([7, 8], True))

    def test_E6_sources(self) -> None:
        """
        Each SSRC has a run of its own, numbered by first appearance, and returning
        to an old one goes on with it.
        """
        sequencer = Sequencer()
        _feed(sequencer, _table([5, 6, 100, 101, 7], ssrcs=[_B, _B, _A, _A, _B]))
        first, second = sequencer.runs
        self.assertEqual((first.ssrc, first.source, first.packets), (_B, 0, 3))
        self.assertEqual((second.ssrc, second.source, second.packets), (_A, 1, 2))

    def test_E6_collision(self) -> None:
        """
        Two senders with the same SSRC are told apart by their sequence numbers.
        """
        sequencer = Sequencer()
        mixed = [number for each in range(50) for number in (100 + each, 30000 + each)]
        _feed(sequencer, _table(mixed))
        self.assertEqual([run.packets for run in sequencer.runs], [50, 50])
        self.assertEqual([run.lost for run in sequencer.runs], [0, 0])

    def test_veryLate(self) -> None:
        """
        A packet that is later than MAX_MISORDER is taken if its timestamp proves
        where it belongs; else it is a stray.
        """
        sequencer = Sequencer()
        numbers = [number for number in range(1, 1001) if number != 500]
        _feed(sequencer, _table(numbers))
        _feed(sequencer, _table([500, 1001]))
        (run,) = sequencer.runs
        self.assertEqual((run.packets, run.lost, run.reordered), (1001, 0, 1))
        _feed(sequencer, _table([600, 1002], [123_456_789, 1002 * 160]))
        self.assertEqual(len(sequencer.runs), 2)
        self.assertEqual((run.packets, run.duplicates), (1002, 0))

    def test_beforeTheMarks(self) -> None:
        """
        A packet from long before the first one is no late packet.
        """
        sequencer = Sequencer()
        _feed(sequencer, _table([5000, 5001, 100, 5002]))
        self.assertEqual([run.packets for run in sequencer.runs], [3, 1])


class FloodTests(SynchronousTestCase):
    """
    More sources than any call has.
    """

    def setUp(self) -> None:
        """
        Lower the limit.
        """
        self.patch(sequence, "MAX_RUNS", 3)

    def test_strays(self) -> None:
        """
        Beyond the limit a single packet is ignored and counted, but two in a row
        still begin a run, and the runs there are go on.
        """
        sequencer = Sequencer()
        ssrcs = [_A, *range(100, 150), _B, 150, _B, _B, _A]
        numbers = [1, *range(2000, 2050), 7, 9, 8, 9, 2]
        _feed(sequencer, _table(numbers, ssrcs=ssrcs))
        self.assertEqual([run.ssrc for run in sequencer.runs], [_A, 100, 101, _B])
        self.assertEqual([run.packets for run in sequencer.runs], [2, 1, 1, 2])
        self.assertEqual(sequencer.ignored, len(ssrcs) - 6)
        self.assertEqual([run.source for run in sequencer.runs], [0, 1, 2, 3])

    def test_sources(self) -> None:
        """
        From twice the limit on nothing begins a run any more.
        """
        sequencer = Sequencer()
        pairs = [(each, number) for each in range(50) for number in (7, 8)]
        table = _table([number for _, number in pairs], ssrcs=[each for each, _ in pairs])
        _feed(sequencer, table)
        self.assertEqual(len(sequencer.runs), 6)
        self.assertEqual(sequencer.ignored, 100 - 3 * 2 - 3)


class FileTests(SynchronousTestCase):
    """
    A stream that two nodes have captured.
    """

    def _join(self, first: Sequence[int], second: Sequence[int]) -> list[Run]:
        sequencer = Sequencer()
        _feed(sequencer, _table(first))
        sequencer.beginFile()
        _feed(sequencer, _table(second))
        return sequencer.runs

    def test_overlap(self) -> None:
        """
        What both journals have is in the recording once, however long they
        overlap; what one has lost the other brings, and that is no reordering.
        """
        lossy = [number for number in range(1, 1501) if number not in (1200, 1201)]
        (run,) = self._join(lossy, range(1000, 2001))
        self.assertEqual((run.low, run.high, run.lost), (1, 2000, 0))
        self.assertEqual((run.duplicates, run.reordered), (499, 0))

    def test_break(self) -> None:
        """
        What neither has is lost, if it is no more than a dropout.
        """
        (run,) = self._join(range(1, 101), range(201, 301))
        self.assertEqual((run.lost, _holes(run)), (100, [(101, 200)]))

    def test_longBreak(self) -> None:
        """
        After a longer break a new run begins.
        """
        first, second = self._join(range(1, 101), range(9001, 9101))
        self.assertEqual((first.lost, second.lost, second.packets), (0, 0, 100))
        self.assertTrue(second.confirmed)
