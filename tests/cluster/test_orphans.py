"""
Tests of L{siprec.cluster.orphans}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.orphans import Orphans
from tests.store.samples import N1, N2


class OrphansTests(SynchronousTestCase):
    """
    What is news of calls without a node.
    """

    def setUp(self) -> None:
        self.orphans = Orphans()

    def test_changes(self) -> None:
        """
        More or fewer calls are, and those of another node.
        """
        for now, counts, news in (
            (0, {N1: 2}, [N1]),
            (5, {N1: 2}, []),
            (6, {N1: 2, N2: 1}, [N2]),
            (7, {N1: 3, N2: 1}, [N1]),
            (8, {N1: 1, N2: 1}, [N1]),
        ):
            self.assertEqual(self.orphans.news(counts, now), news)

    def test_again(self) -> None:
        """
        What was gone is news when it is there again.
        """
        self.orphans.news({N1: 2}, 0)
        self.assertEqual(self.orphans.news({}, 1), [])
        self.assertEqual(self.orphans.news({N1: 2}, 2), [N1])

    def test_unchanged(self) -> None:
        """
        The same is told again after 10 seconds, and then after twice the pause
        each time, up to ten minutes.
        """
        told = [now for now in range(4000) if self.orphans.news({N1: 2}, now)]
        self.assertEqual(told, [0, 10, 30, 70, 150, 310, 630, 1230, 1830, 2430, 3030, 3630])
