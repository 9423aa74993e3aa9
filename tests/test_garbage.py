"""
Tests of L{siprec.garbage}.
"""

from __future__ import annotations

import gc

from twisted.trial.unittest import SynchronousTestCase

from siprec.garbage import YOUNG, settle


class SettleTests(SynchronousTestCase):
    """
    The collector, once the program has started.
    """

    def setUp(self) -> None:
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        self.addCleanup(gc.unfreeze)

    def test_spared(self) -> None:
        """
        What is there already is not looked through any more, and the rest more
        seldom.
        """
        kept: list[object] = []
        kept.append(kept)
        settle()
        self.assertTrue(gc.isenabled())
        self.assertEqual(gc.get_threshold()[0], YOUNG)
        self.assertFalse(any(each is kept for each in gc.get_objects()))

    def test_later(self) -> None:
        """
        What is made afterwards and refers to itself is still freed.
        """
        settle()
        later: list[object] = []
        later.append(later)
        del later
        self.assertGreater(gc.collect(), 0)
