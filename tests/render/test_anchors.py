"""
Tests of L{siprec.render.anchors}.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from twisted.trial.unittest import SynchronousTestCase

from siprec.render.anchors import DRIFT, SECOND, confirmed, offsets, segments

_MS = 1_000_000


def _ints(values: Sequence[float], unit: int) -> NDArray[np.int64]:
    return np.array([round(value * unit) for value in values], np.int64)


class SegmentTests(SynchronousTestCase):
    """
    Where a new anchor is needed (CONFORMANCE E13).
    """

    def _segments(
        self, times: Sequence[float], lowest: Sequence[float], clock: Sequence[int] = ()
    ) -> tuple[list[int], set[int]]:
        """
        @param times: seconds; C{lowest}: milliseconds.
        """
        clocks = np.array(clock or [8000] * len(times), np.int64)
        found, aside = segments(_ints(times, SECOND), _ints(lowest, _MS), clocks)
        return found.tolist(), aside

    def test_E13_steady(self) -> None:
        """
        Minima that stay within 200 ms need one anchor.
        """
        found, aside = self._segments([0, 1, 2, 3], [5, 190, 0, 100])
        self.assertEqual((found, aside), ([0, 0, 0, 0], set()))

    def test_E13_sustained(self) -> None:
        """
        More than 200 ms off the model for a second: a new anchor, where it began.
        """
        found, _ = self._segments([0, 1, 2, 3, 4], [0, 0, 300, 301, 302])
        self.assertEqual(found, [0, 0, 1, 1, 1])
        found, _ = self._segments([0, 1, 2, 3, 4], [0, 0, -300, -301, -302])
        self.assertEqual(found, [0, 0, 1, 1, 1])

    def test_E13_passing(self) -> None:
        """
        A delay that goes away again within the second needs none; nor does one in
        the last second, of which nobody knows.
        """
        found, _ = self._segments([0, 1, 2, 2.5, 3, 4], [0, 0, 300, 900, 0, 500])
        self.assertEqual(found, [0] * 6)

    def test_E13_otherSide(self) -> None:
        """
        Deviations to both sides are no sustained one; what seems to have come long
        before it was sent has a wrong timestamp.
        """
        found, aside = self._segments([0, 1, 2, 2.4, 2.8, 3.2, 4], [0, 0, 300, -300, 300, 0, 0])
        self.assertEqual((found, aside), ([0, 0, 0, 1, 0, 0, 0], {1}))

    def test_E13_startJitter(self) -> None:
        """
        What comes late at the begin belongs to what is on time within a second.
        """
        found, _ = self._segments([0, 0.3, 0.6, 1, 2], [900, 500, 0, 0, 0])
        self.assertEqual(found, [0] * 5)

    def test_absurd(self) -> None:
        """
        A timestamp that is seconds off, and soon right again, is put aside; those
        that agree lie together.
        """
        found, aside = self._segments(
            [0, 1, 2, 2.1, 2.2, 3, 3.1, 4], [0, 0, 9e6, 9e6, -9e6, 0, 9e6, 0]
        )
        self.assertEqual(found, [0, 0, 1, 1, 2, 0, 3, 0])
        self.assertEqual(aside, {1, 2, 3})

    def test_E13_clock(self) -> None:
        """
        Another clock rate is another segment at once.
        """
        found, aside = self._segments([0, 1, 2], [0, 7e8, 7e8], [8000, 16000, 16000])
        self.assertEqual((found, aside), ([0, 1, 1], set()))

    def test_E13_jump(self) -> None:
        """
        A timestamp that goes another way than the time begins a new segment at once,
        however little it is; one that goes as the time does, after a pause, does not, nor
        one that a few packets only bear out.
        """
        times, jumped = _ints(range(6), SECOND), _ints([0, 0, 0, 60, 0, 0], _MS)
        clocks, many = np.full(6, 8000), np.full(6, 50)
        for lowest, count, wanted in (
            ([0, 5, 0, -60, -58, -60], many, [0, 0, 0, 1, 1, 1]),
            ([0, 5, 0, 4, 2, 0], many, [0] * 6),
            ([0, 5, 0, -60, 2, 0], np.array([50, 50, 50, 1, 3, 2]), [0] * 6),
        ):
            found, aside = segments(times, _ints(lowest, _MS), clocks, jumped, count)
            self.assertEqual((found.tolist(), aside), (wanted, set()))

    def test_jumpThereAndBack(self) -> None:
        """
        How long a jump holds is looked at up to the next one only.
        """
        jumped = _ints([0, 150, -150, 0], _MS)
        found, _ = segments(
            _ints([0, 1, 1.02, 2], SECOND),
            _ints([0, -150, 0, 0], _MS),
            np.full(4, 8000),
            jumped,
            np.array([50, 1, 49, 50]),
        )
        self.assertEqual(found.tolist(), [0] * 4)

    def test_oldLevel(self) -> None:
        """
        The model follows what was least within ten seconds, so that drift over
        hours is no reason for a new anchor.
        """
        times = list(range(0, 7200, 2))
        found, _ = self._segments(times, [time * 0.1 for time in times])
        self.assertEqual(set(found), {0})


class OffsetTests(SynchronousTestCase):
    """
    Drift of the sender's clock.
    """

    def _offsets(
        self, times: Sequence[float], lowest: Sequence[float], quiet: Sequence[int] = ()
    ) -> tuple[NDArray[np.int64], int]:
        flags = np.zeros(len(times), np.bool_)
        flags[list(quiet)] = True
        return offsets(_ints(times, SECOND), _ints(lowest, _MS), flags)

    def test_E13_minimum(self) -> None:
        """
        The offset is the least delay there is, and one for all of an ordinary call.
        """
        found, steps = self._offsets(range(60), [40 - each % 9 for each in range(60)])
        self.assertEqual((set(found.tolist()), steps), ({32 * _MS}, 0))

    def test_E13_drift(self) -> None:
        """
        A clock that is off by 100 ppm, to either side, is followed for hours within
        12 ms, in steps of no more than 4 ms, beginning at the drift of 8 ms.
        """
        times = np.arange(7200)
        for sign in (-1, 1):
            true = sign * times * 0.1
            jitter = np.random.default_rng(1).exponential(5, len(times))
            found, steps = self._offsets(times.tolist(), (true + jitter).tolist())
            error = np.abs(found / _MS - true)
            self.assertLess(error.max(), 12)
            self.assertLessEqual(np.abs(np.diff(found)).max(), 4 * _MS)
            self.assertGreater(steps, 100)
            first = int(np.flatnonzero(np.diff(found))[0]) + 1
            self.assertGreater(abs(true[first]), DRIFT / _MS - 2)

    def test_E13_lateMinimum(self) -> None:
        """
        A begin that is all late is moved to where the rest of the minute says, but
        for what a clock might have drifted until then.
        """
        found, steps = self._offsets(range(60), [60] * 20 + [0] * 40)
        self.assertEqual((set(found.tolist()), steps), ({4 * _MS}, 0))

    def test_congestion(self) -> None:
        """
        A network that is slow for a while is not taken for a clock.
        """
        lowest = [60 if 100 <= time < 140 else 0 for time in range(300)]
        _, steps = self._offsets(range(300), lowest)
        self.assertEqual(steps, 0)

    def test_E13_longCongestion(self) -> None:
        """
        In a call of more than ten minutes that tells of its clock, neither is one that is
        slow for minutes, and the clock is followed all the same.
        """
        for drift in (0.0, 0.1, -0.1):
            true = np.arange(2400) * drift
            slow = np.where(np.arange(2400) // 300 == 3, 150, 0)
            found, _ = self._offsets(range(2400), (true + slow).tolist())
            self.assertLess(np.abs(found / _MS - true).max(), 16)

    def test_E13_fewPackets(self) -> None:
        """
        A bin of a packet or two says nothing, if there are better ones.
        """
        lowest = _ints([0, 0, -150, 0, 0], _MS)
        times, quiet = _ints(range(5), SECOND), np.zeros(5, np.bool_)
        found, _ = offsets(times, lowest, quiet, np.array([50, 50, 1, 50, 50]))
        self.assertEqual(set(found.tolist()), {0})
        found, _ = offsets(times, lowest, quiet, np.full(5, 2))
        self.assertEqual(set(found.tolist()), {-150 * _MS})

    def test_E13_afterPause(self) -> None:
        """
        What a clock drifted in a long pause is corrected at once after it.
        """
        times = [*range(60), *range(3600, 3660)]
        lowest = [time * 0.1 for time in times]
        found, steps = self._offsets(times, lowest)
        self.assertEqual(steps, 1)
        self.assertLess(np.abs(found - _ints(lowest, _MS)).max(), 8 * _MS)

    def test_quiet(self) -> None:
        """
        A correction is made after a pause, if there is one within the window.
        """
        times = list(range(200))
        found, _ = self._offsets(times, [time * 0.1 for time in times], quiet=[97, 107])
        changes = np.flatnonzero(np.diff(found)) + 1
        self.assertIn(int(changes[0]), (97, 107, 90, 80))
        self.assertTrue({97, 107} & set(changes.tolist()))


class ConfirmedTests(SynchronousTestCase):
    """
    What is followed of a skew that is told (CONFORMANCE E13).
    """

    def _minima(self, skew: float, queue: Sequence[float], seconds: int = 540) -> None:
        """
        @param queue: two times between which 80 ms of delay build up.
        """
        times = np.arange(0.0, seconds)
        noise = np.random.default_rng(1).uniform(0, 2, seconds)
        delay = np.interp(times, queue, [0, 80]) + noise
        self.arrival = _ints(times.tolist(), SECOND)
        self.lowest = _ints((skew * 1000 * times + delay).tolist(), _MS)
        self.count = np.full(seconds, 50)

    def _confirmed(self, skew: float) -> float | None:
        return confirmed(self.arrival, self.lowest, self.count, skew)

    def test_E13_confirmed(self) -> None:
        """
        A skew that most of the minima have is confirmed, however the rest of them lie, and
        with it all is where it belongs.
        """
        for skew in (1e-4, 0.0, -1e-4):
            self._minima(skew, (200, 260))
            found = self._confirmed(skew)
            assert found is not None
            self.assertLess(abs(found - skew), 5e-6)
            quiet = np.zeros(len(self.arrival), np.bool_)
            offset, _ = offsets(self.arrival, self.lowest, quiet, self.count, found)
            true = skew * self.arrival
            self.assertLessEqual(float(np.abs(offset - true).max()), 12 * _MS)

    def test_E13_bounded(self) -> None:
        """
        A told skew that is a little off becomes the next one that the minima have; what
        leads elsewhere, or no clock has, is not confirmed.
        """
        self._minima(0.0, (200, 260))
        for skew in (2e-5, -2e-5):
            found = self._confirmed(skew)
            assert found is not None
            self.assertLess(abs(found), 1e-5)
        for skew in (5e-5, -5e-5, 3e-4, 1.0, -1.0):
            self.assertIsNone(self._confirmed(skew))

    def test_E13_noneInCommon(self) -> None:
        """
        Minima that have no slope in common confirm none: a queue that grows all the time,
        and one that goes up and down.
        """
        self._minima(0.0, (0, 540))
        self.assertIsNone(self._confirmed(0.0))
        self._minima(0.0, (600, 601))
        self.lowest += np.round(30 * _MS * np.sin(np.arange(540) / 40)).astype(np.int64)
        self.assertIsNone(self._confirmed(0.0))

    def test_E13_notNeeded(self) -> None:
        """
        Where the minima lead to the same place by themselves, nothing has to be told; nor in
        a segment of less than 80 s.
        """
        self._minima(1e-4, (600, 601))
        self.assertIsNone(self._confirmed(1e-4))
        self._minima(1e-4, (30, 40), 70)
        self.assertIsNone(self._confirmed(1e-4))
