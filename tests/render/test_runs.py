"""
Tests of L{siprec.render.runs}.
"""

from collections.abc import Sequence
from unittest.mock import patch

import numpy as np
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.rtp import RTPTable
from siprec.render import runs
from siprec.render.runs import Run, nearest
from siprec.render.sequence import Sequencer
from tests.render.tables import feed, one, table


def _holes(run: Run) -> list[tuple[int, int]]:
    return [(hole.first, hole.last) for hole in run.missing]


def timed(
    numbers: Sequence[int], times: Sequence[float], stamps: Sequence[int] | None = None
) -> RTPTable:
    """
    @param times: when they came, in seconds.
    @return: packets.
    """
    return evolve(table(numbers, stamps), arrival=(np.array(times) * 1e9).astype(np.int64))


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
        (found,) = feed(sequencer, table(numbers, stamps))
        self.assertEqual(found.sequence.tolist(), [65534, 65535, 65536, 65537])
        self.assertEqual(np.diff(found.timestamp).tolist(), [160, 160, 160])
        self.assertTrue(found.advancing.all())
        self.assertEqual(found.run.lost, 0)

    def test_E5_duplicates(self) -> None:
        """
        The same number a second time is a duplicate, in the same table or a later
        one.
        """
        run, fresh = one([1, 2, 2, 3], [3, 4, 1])
        self.assertEqual(fresh, [1, 2, 3, 4])
        self.assertEqual((run.packets, run.duplicates, run.lost), (7, 3, 0))
        self.assertEqual(run.reordered, 0)

    def test_E5_reordered(self) -> None:
        """
        A packet that came after one with a higher number is counted and kept,
        across tables too, and also one from before the first.
        """
        run, fresh = one([5, 4, 6, 8], [7, 9])
        self.assertEqual(sorted(fresh), [4, 5, 6, 7, 8, 9])
        self.assertEqual((run.reordered, run.lost, run.duplicates), (2, 0, 0))
        self.assertEqual(_holes(run), [])

    def test_E5_lost(self) -> None:
        """
        What never came is lost, and one hole however many packets are missing.
        """
        run, _ = one([1, 2, 6, 7], [10])
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
        run, _ = one([1, 7], [4], [5, 6])
        self.assertEqual(_holes(run), [(2, 3)])
        self.assertEqual((run.missing[0].begin, run.missing[0].end), (320, 640))

    def test_beforeTheFirst(self) -> None:
        """
        A packet from well before the first one leaves a hole between.
        """
        run, _ = one([10, 7, 9])
        self.assertEqual((run.low, run.high, run.lost), (7, 10, 1))
        self.assertEqual(_holes(run), [(8, 8)])

    def test_E5_dropout(self) -> None:
        """
        A step of less than MAX_DROPOUT is loss (RFC 3550 appendix A.1).
        """
        run, _ = one([1, 2, 3001])
        self.assertEqual(run.lost, 2998)

    def test_E5_longJump(self) -> None:
        """
        A larger one is, too, where nothing came for as long and the timestamp has gone as far;
        however often the numbers have wrapped meanwhile.
        """
        for number in (5000, 200_000):
            for cut in (2, 3):
                sequencer = Sequencer()
                numbers, times = [1, 2, number, number + 1], [0.0, 0.02, 60.0, 60.02]
                feed(sequencer, timed(numbers[:cut], times[:cut]))
                feed(sequencer, timed(numbers[cut:], times[cut:]))
                [run] = sequencer.runs
                self.assertEqual((run.low, run.high, run.lost), (1, number + 1, number - 3))

    def test_E6_otherTimestamp(self) -> None:
        """
        If it has not, or has gone back, or packets came all the while, it is another sequence.
        """
        for stamp, seconds in (
            (160 * 5000 + 1, 60.0),
            (160 * 4999, 60.0),
            (0, 60.0),
            (160 * 5000, 9.0),
        ):
            sequencer = Sequencer()
            feed(sequencer, timed([1, 2, 5000], [0.0, 0.02, seconds], [160, 320, stamp]))
            self.assertEqual(len(sequencer.runs), 2)

    def test_E5_outage(self) -> None:
        """
        After ten seconds without a packet a larger step is loss too, if the timestamp
        has gone on by as many packets; else it is another sequence.
        """
        for numbers, stamps, pause, count in (
            ([1, 2, 9000, 9001], None, 12, 1),
            ([1, 2, 90_000, 90_001], None, 12, 1),
            ([1, 2, 9000, 9001], None, 9, 2),
            ([1, 2, 9000, 9001], [160, 320, 9000 * 160 + 80, 9001 * 160 + 80], 12, 2),
            ([1, 2, 9000, 9001], [160, 320, 8000 * 160, 8001 * 160], 12, 2),
        ):
            sequencer = Sequencer()
            packets = table(numbers, stamps)
            packets.arrival[2:] += pause * 1_000_000_000
            feed(sequencer, packets)
            self.assertEqual(len(sequencer.runs), count, (numbers, stamps, pause))
            lost = numbers[2] - 3 if count == 1 else 0
            self.assertEqual(sum(run.lost for run in sequencer.runs), lost)

    def test_outageOfEvents(self) -> None:
        """
        Packets that play nothing cannot tell how long an outage was.
        """
        sequencer = Sequencer()
        packets = table([1, 2, 9000, 9001])
        packets.arrival[2:] += 12_000_000_000
        list(sequencer.feed(packets, np.zeros(4, np.int64)))
        self.assertEqual(len(sequencer.runs), 2)

    def test_manyHoles(self) -> None:
        """
        Of more holes than can be kept the oldest are forgotten, and counted; the
        number of lost packets stays right.
        """
        with patch.object(runs, "MAX_GAPS", 3):
            run, _ = one([1, 3, 5, 7, 9, 11])
        self.assertEqual(_holes(run), [(6, 6), (8, 8), (10, 10)])
        self.assertEqual((run.omitted, run.lost), (2, 5))

    def test_empty(self) -> None:
        """
        A table without packets is nothing.
        """
        sequencer = Sequencer()
        self.assertEqual(feed(sequencer, table([])), [])
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
        run, fresh = one(*(shifted[at : at + size] for at in range(0, len(shifted), size)))
        offset = fresh[0] - shifted[0]
        self.assertEqual(sorted(fresh), sorted(number + offset for number in set(shifted)))
        self.assertEqual(run.packets, len(numbers))
        self.assertEqual(run.duplicates, len(numbers) - len(set(numbers)))
        self.assertEqual(run.lost, max(numbers) - min(numbers) + 1 - len(set(numbers)))
        self.assertEqual(run.lost, sum(hole.last - hole.first + 1 for hole in run.missing))


class FileTests(SynchronousTestCase):
    """
    A stream that two nodes have captured.
    """

    def _join(self, *files: Sequence[int], stamps: Sequence[int] | None = None) -> list[Run]:
        """
        @param stamps: the timestamps of the last one.
        """
        sequencer = Sequencer()
        for number, each in enumerate(files, 1):
            sequencer.beginFile()
            feed(sequencer, table(each, stamps if number == len(files) else None))
        return sequencer.runs

    def test_overlap(self) -> None:
        """
        What both journals have is in the recording once and no duplicate, however
        long they overlap; what one has lost the other brings, and that is no
        reordering.
        """
        lossy = [number for number in range(1, 1501) if number not in (1200, 1201)]
        (run,) = self._join(lossy, range(1000, 2001))
        self.assertEqual((run.low, run.high, run.lost), (1, 2000, 0))
        self.assertEqual((run.packets, run.duplicates, run.reordered), (2000, 0, 0))

    def test_duplicates(self) -> None:
        """
        What one journal has twice is a duplicate, if no earlier one has it; what it
        brings for a hole is not there before.
        """
        first = [number for number in range(1, 101) if number != 50]
        (run,) = self._join(first, [49, 50, 50, 51, 100, 101, 102, 101])
        self.assertEqual((run.packets, run.duplicates, run.lost), (104, 2, 0))
        (run,) = self._join(first, [49, 50, 100, 101], [50, 50, 101, 102, 102])
        self.assertEqual((run.packets, run.duplicates, run.lost), (103, 1, 0))

    def test_again(self) -> None:
        """
        It is told which packets an earlier journal has.
        """
        sequencer = Sequencer()
        feed(sequencer, table([1, 2, 4]))
        sequencer.beginFile()
        (found,) = feed(sequencer, table([2, 3, 3, 4, 5, 5]))
        self.assertEqual(found.again.tolist(), [True, False, False, True, False, False])
        self.assertEqual(found.fresh.tolist(), [False, True, False, False, True, False])

    def test_break(self) -> None:
        """
        What neither has is lost, if it is no more than a dropout.
        """
        (run,) = self._join(range(1, 101), range(201, 301))
        self.assertEqual((run.lost, _holes(run)), (100, [(101, 200)]))

    def test_longBreak(self) -> None:
        """
        After a longer break the timestamp proves that it is the same sequence, even
        if its numbers have begun again meanwhile.
        """
        for begin in (9001, 60_000, 70_001, 1_000_001):
            (run,) = self._join(range(1, 101), range(begin, begin + 100))
            self.assertEqual((run.lost, run.high), (begin - 101, begin + 99))
            self.assertEqual(_holes(run), [(101, begin - 1)])

    def test_newSequence(self) -> None:
        """
        Else a new run begins.
        """
        numbers = range(9001, 9101)
        for stamps in (
            [number * 160 + 1 for number in numbers],
            [number * 160 + 160 for number in numbers],
            [number * 160 - 10_000 * 160 for number in numbers],
        ):
            first, second = self._join(range(1, 101), numbers, stamps=stamps)
            self.assertEqual((first.lost, second.lost, second.packets), (0, 0, 100))
            self.assertTrue(second.confirmed)

    def test_nothingPlays(self) -> None:
        """
        Packets that do not play prove nothing.
        """
        sequencer = Sequencer()
        for numbers in (range(1, 101), range(9001, 9101)):
            sequencer.beginFile()
            list(sequencer.feed(table(numbers), np.zeros(100, np.int64)))
        self.assertEqual(len(sequencer.runs), 2)

    def test_before(self) -> None:
        """
        The second journal may have what was sent before all that the first one has.
        """
        (run,) = self._join(range(1001, 1101), range(1, 901), range(1101, 1103))
        self.assertEqual((run.low, run.high, run.packets), (1, 1102, 1002))
        self.assertEqual(_holes(run), [(901, 1000)])

    @settings(deadline=None)
    @given(
        st.lists(st.sampled_from(["a", "b", "ab", "ab", "", "aa", "bb"]), min_size=1, max_size=300),
        st.sampled_from([0, 65_400, 4_000_000]),
    )
    def test_anyShare(self, shares: list[str], base: int) -> None:
        """
        Whoever has captured what, the count is that of both together.
        """
        files = [
            [base + number for number, who in enumerate(shares) for _ in range(who.count(node))]
            for node in "ab"
        ]
        there = sorted({number for each in files for number in each})
        if not there:
            return
        (run,) = self._join(*files)
        twice = sum(len(who) - 1 for who in shares if who in ("aa", "bb"))
        self.assertEqual(run.duplicates, twice)
        self.assertEqual(run.packets, len(there) + twice)
        self.assertEqual(run.lost, there[-1] - there[0] + 1 - len(there))
        self.assertEqual(run.lost, sum(hole.last - hole.first + 1 for hole in run.missing))


class NearestTests(SynchronousTestCase):
    """
    L{nearest}.
    """

    def test_wraps(self) -> None:
        """
        Half the numbers lie before, half after.
        """
        self.assertEqual(nearest(65_535, 1, 16), 65_537)
        self.assertEqual(nearest(65_537, 65_535, 16), 65_535)
        self.assertEqual(nearest(0, 0x8000, 16), -0x8000)
