"""
Tests of L{siprec.media.intervals}.
"""

import random
from itertools import pairwise

from twisted.trial.unittest import SynchronousTestCase

from siprec.media.intervals import Intervals

#: e - 3/2, of RFC 3550 section 6.3.1.
COMPENSATION = 1.21828


def times(intervals: Intervals, count: int) -> list[float]:
    """
    @return: when so many reports are sent by a timer that begins at 0.
    """
    intervals.begin(0.0)
    found: list[float] = []
    while len(found) < count:
        now = intervals.next
        if intervals.expired(now):
            found.append(now)
            intervals.sent(60)
    return found


class IntervalsTests(SynchronousTestCase):
    """
    L{Intervals}.
    """

    def draw(self, seed: int) -> "random.Random":
        """
        @return: numbers that are the same in each run.
        """
        return random.Random(seed)

    def test_E7_average(self) -> None:
        """
        Between two reports there is the least interval on average, and never less than
        0.5 or more than 1.5 of it, divided by e - 3/2.
        """
        found = times(Intervals(5.0, None, self.draw(1).random), 5000)
        steps = [after - before for before, after in pairwise(found)]
        self.assertApproximates(sum(steps) / len(steps), 5.0, 0.1)
        self.assertGreaterEqual(min(steps), 2.5 / COMPENSATION - 0.001)
        self.assertLessEqual(max(steps), 7.5 / COMPENSATION + 0.001)

    def test_E7_first(self) -> None:
        """
        The first report comes after half of that.
        """
        draw = self.draw(2).random
        found = [times(Intervals(5.0, None, draw), 1)[0] for _ in range(2000)]
        self.assertApproximates(sum(found) / len(found), 2.5, 0.05)
        self.assertGreaterEqual(min(found), 1.25 / COMPENSATION - 0.001)
        self.assertLessEqual(max(found), 3.75 / COMPENSATION + 0.001)

    def test_E7_reconsideration(self) -> None:
        """
        A timer that expires before what another draw gives runs on until then.
        """
        draws = iter((0.0, 1.0, 0.5, 0.5))
        intervals = Intervals(5.0, None, lambda: next(draws))
        intervals.begin(100.0)
        self.assertApproximates(intervals.next, 100 + 1.25 / COMPENSATION, 0.001)
        self.assertFalse(intervals.expired(intervals.next))
        self.assertApproximates(intervals.next, 100 + 3.75 / COMPENSATION, 0.001)
        now = intervals.next
        self.assertTrue(intervals.expired(now))
        self.assertApproximates(intervals.next, now + 5.0 / COMPENSATION, 0.001)

    def test_E7_bandwidth(self) -> None:
        """
        Where the reports may take so little that they would need more, the interval is
        what they need: the average size, with IP and UDP, times two members, by the octets
        a second.
        """
        intervals = Intervals(5.0, 10.0, self.draw(3).random)
        found = times(intervals, 3000)[100:]
        steps = [after - before for before, after in pairwise(found)]
        self.assertApproximates(sum(steps) / len(steps), 2 * (60 + 28) / 10, 0.5)

    def test_enough(self) -> None:
        """
        More bandwidth than is needed makes no report come sooner.
        """
        plenty = times(Intervals(5.0, 1e6, self.draw(4).random), 50)
        self.assertEqual(plenty, times(Intervals(5.0, None, self.draw(4).random), 50))
