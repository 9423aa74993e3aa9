"""
Tests of L{siprec.render.seams}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.render.seams import Extent, Seam, SegmentTimes, seams, uncaptured

_TIMES = [SegmentTimes(0, 10), SegmentTimes(12, 20), SegmentTimes(21, None)]


class SeamsTests(SynchronousTestCase):
    """
    L{seams}.
    """

    def test_between(self) -> None:
        """
        Between two segments nobody has captured.
        """
        self.assertEqual(list(seams(_TIMES, ())), [Seam(10, 12, 1, 2), Seam(20, 21, 2, 3)])
        self.assertFalse(any(seam.lacks for seam in seams(_TIMES, ())))

    def test_missing(self) -> None:
        """
        A segment that is not there widens the time, to the next that is.
        """
        self.assertEqual(list(seams(_TIMES, {2})), [Seam(10, 21, 1, 3)])
        self.assertEqual(list(seams(_TIMES, {1})), [Seam(0, 12, 0, 2), Seam(20, 21, 2, 3)])
        self.assertEqual(list(seams(_TIMES, {2, 3})), [Seam(10, 21, 1, 4)])
        self.assertEqual(list(seams(_TIMES[:2], {1, 2})), [Seam(0, 20, 0, 3)])
        self.assertTrue(all(seam.lacks for seam in seams(_TIMES, {2})))

    def test_none(self) -> None:
        """
        Before the first and after the last there is nothing; nor is there where
        nobody knows the end.
        """
        self.assertEqual(list(seams([], ())), [])
        self.assertEqual(list(seams(_TIMES[2:], ())), [])
        self.assertEqual(list(seams([SegmentTimes(0, None), SegmentTimes(9, 10)], ())), [])


class UncapturedTests(SynchronousTestCase):
    """
    L{uncaptured}.
    """

    def _gaps(self, seam: Seam, *runs: Extent) -> list[tuple[int, int]]:
        return list(uncaptured([seam], runs))

    def test_newRun(self) -> None:
        """
        Where the sender has begun anew it is the time from one segment to the next,
        but for what was captured of it.
        """
        seam = Seam(100, 200, 1, 2)
        self.assertEqual(
            self._gaps(seam, Extent(1, 1, 0, 50), Extent(2, 2, 250, 300)), [(100, 200)]
        )
        self.assertEqual(
            self._gaps(seam, Extent(1, 1, 0, 110), Extent(2, 3, 180, 300)), [(110, 180)]
        )
        self.assertEqual(self._gaps(seam, Extent(1, 1, 0, 150), Extent(2, 2, 150, 300)), [])

    def test_goesOn(self) -> None:
        """
        Of a run that goes on the sequence numbers tell.
        """
        for seam in (Seam(100, 200, 1, 2), Seam(100, 200, 1, 3)):
            runs = Extent(1, 3, 0, 300), Extent(3, 3, 250, 300)
            self.assertEqual(self._gaps(seam, *runs), [])

    def test_oneSide(self) -> None:
        """
        Of a stream that ended or began there nothing need be missing, unless there
        was a segment that is not here.
        """
        for runs in ([Extent(1, 1, 0, 50)], [Extent(3, 3, 250, 300)], []):
            self.assertEqual(self._gaps(Seam(100, 200, 1, 2), *runs[:1]), [])
            self.assertEqual(self._gaps(Seam(100, 200, 1, 3), *runs), [(100, 200)])
