"""
Tests of L{siprec.cluster.shares}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.shares import share

_LOADS = st.lists(st.integers(0, 5000), min_size=1, max_size=8)


class ShareTests(SynchronousTestCase):
    """
    The part of one survivor.
    """

    def test_alone(self) -> None:
        """
        A node that is alone takes all.
        """
        self.assertEqual(share(7, [], 100), 100)

    def test_equal(self) -> None:
        """
        Equal loads make equal parts.
        """
        self.assertEqual(share(50, [50], 100), 50)

    def test_weighted(self) -> None:
        """
        Who has less takes more, so that all end up with the same.
        """
        self.assertEqual(share(0, [60], 100), 80)
        self.assertEqual(share(60, [0], 100), 20)

    def test_full(self) -> None:
        """
        A node that would have more than the others even so takes none.
        """
        self.assertEqual(share(500, [0, 10], 100), 0)

    def test_oddOne(self) -> None:
        """
        What does not divide is wanted by all, rather than by nobody.
        """
        self.assertEqual(share(0, [0], 1), 1)
        self.assertEqual(share(0, [0, 0], 4), 2)

    def test_none(self) -> None:
        """
        Of nothing there is nothing to take.
        """
        self.assertEqual(share(0, [3], 0), 0)

    @given(_LOADS, st.integers(0, 5000))
    def test_allAreTaken(self, loads: list[int], orphans: int) -> None:
        """
        The parts of all make at least the whole, and less than one more for
        each of them; nobody who takes any ends above the others by more than one.
        """
        parts = [
            share(load, loads[:index] + loads[index + 1 :], orphans)
            for index, load in enumerate(loads)
        ]
        self.assertGreaterEqual(sum(parts), orphans)
        self.assertLess(sum(parts), orphans + len(loads))
        ends = [load + part for load, part in zip(loads, parts, strict=True) if part]
        if ends:
            self.assertLessEqual(max(ends) - min(ends), 1)
