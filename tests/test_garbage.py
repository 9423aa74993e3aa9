"""
Tests of L{siprec.garbage}.
"""

from __future__ import annotations

import gc

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec import garbage
from siprec.garbage import MOST, YOUNG, Collecting, settle, undisturbed


class UndisturbedTests(SynchronousTestCase):
    """
    The collector while modules are loaded.
    """

    def setUp(self) -> None:
        self.addCleanup(gc.unfreeze)

    def test_off(self) -> None:
        """
        It is off for so long, and leaves alone what has been made.
        """
        kept: list[object] = []
        with undisturbed():
            self.assertFalse(gc.isenabled())
            kept.append(kept)
        self.assertTrue(gc.isenabled())
        self.assertFalse(any(each is kept for each in gc.get_objects()))

    def test_failure(self) -> None:
        """
        It is on again, too, if loading fails.
        """

        def load() -> None:
            with undisturbed():
                raise ImportError("no")

        self.assertRaises(ImportError, load)
        self.assertTrue(gc.isenabled())


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
        self.assertEqual(gc.get_threshold()[0], MOST)
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


class CollectingTests(SynchronousTestCase):
    """
    Garbage is collected when there is nothing else to do.
    """

    def setUp(self) -> None:
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        self.addCleanup(gc.unfreeze)
        self.clock = Clock()
        self.turns: list[Deferred[None]] = []
        self.seen: list[int] = []
        self.collecting = Collecting(self.clock, self.turn)
        self.collecting.start()
        gc.callbacks.append(self.see)
        self.addCleanup(gc.callbacks.remove, self.see)

    def turn(self) -> Deferred[None]:
        """
        Wait for a turn.
        """
        self.turns.append(Deferred())
        return self.turns[-1]

    def see(self, phase: str, info: dict[str, int]) -> None:
        """
        Note a collection.
        """
        if phase == "start":
            self.seen.append(info["generation"])

    def test_few(self) -> None:
        """
        While there are few new objects there is nothing to look for.
        """
        gc.collect(0)
        self.seen.clear()
        self.clock.advance(1)
        self.assertEqual((self.turns, self.seen), ([], []))

    def test_many(self) -> None:
        """
        With many a turn is asked for, once, and the young ones are looked through then; and
        those that stayed, every tenth time.
        """
        for _ in range(10):
            kept = [[] for _ in range(2 * YOUNG)]  # type: ignore[var-annotated]
            before = len(self.turns)
            self.clock.pump([0.25] * 3)
            self.assertEqual(len(self.turns), before + 1)
            self.turns[-1].callback(None)
            del kept
        self.assertEqual(self.seen, [0] * 9 + [1])

    def rounds(self) -> list[int]:
        """
        @return: what is looked through in ten rounds in which many objects are made.
        """
        self.seen.clear()
        for _ in range(10):
            kept = [[] for _ in range(2 * YOUNG)]  # type: ignore[var-annotated]
            self.clock.advance(0.25)
            self.turns[-1].callback(None)
            del kept
        return list(self.seen)

    def test_all(self) -> None:
        """
        All are where many more have stayed than the last time.
        """
        self.patch(garbage, "MUCH", 0)
        self.patch(garbage, "_COUNTED", 10)
        kept = [[] for _ in range(10 * YOUNG)]  # type: ignore[var-annotated]
        gc.collect(1)
        self.assertEqual(self.rounds(), [0] * 9 + [1, 2])
        self.assertEqual(self.rounds(), [0] * 9 + [1])
        kept += [[] for _ in range(30 * YOUNG)]
        self.assertEqual(self.rounds()[-1], 2)
