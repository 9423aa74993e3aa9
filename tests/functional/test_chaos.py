"""
Random disasters, in short; C{make chaos} is the long version.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from tests.functional.chaos import ChaosCase, ChaosOptions
from tests.functional.chaosplan import KINDS, Hit, makePlan

_NODES = ("a", "b", "c")


class PlanTests(SynchronousTestCase):
    """
    The plan itself.
    """

    def test_repeatable(self) -> None:
        """
        The same seed brings the same disasters, another one others.
        """
        self.assertEqual(makePlan(7, _NODES, 50), makePlan(7, _NODES, 50))
        self.assertNotEqual(makePlan(7, _NODES, 50), makePlan(8, _NODES, 50))

    def test_all(self) -> None:
        """
        All kinds come to pass; one node is never killed nor told to end.
        """
        spared, plan = makePlan(1, _NODES, 200)
        self.assertEqual({each.kind for each in plan}, set(KINDS))
        for each in plan:
            if each.kind not in ("freeze", "redis"):
                self.assertNotIn(spared, each.nodes)

    def test_excuses(self) -> None:
        """
        What was sent to a dead process may be missing until it is missed, and
        to a silent one until its lease is over, and not for longer.
        """
        times = [99.0, 99.6, 101.4, 101.6, 104.4, 104.6]
        for hit, expected in (
            (Hit("kill", "a", 100.0, 100.1), [False, True, True, False, False, False]),
            (Hit("freeze", "a", 100.0, 100.3), [False, True, True, True, False, False]),
            (Hit("freeze", "a", 100.0, 109.0), [False, True, True, True, True, False]),
        ):
            self.assertEqual([hit.excuses(each) for each in times], expected)

    def test_interrupts(self) -> None:
        """
        A kill may be in the way of a call that had ended just before it, and so may a
        freeze that is as long as a lease may have left to run.
        """
        hit = Hit("kill", "a", 100.0, 100.1)
        found = [hit.interrupts(each) for each in (97.9, 98.1, 100.0, 100.4, 100.6)]
        self.assertEqual(found, [False, True, True, True, False])
        self.assertTrue(Hit("freeze", "a", 100.0, 102.5).interrupts(100.0))
        self.assertFalse(Hit("freeze", "a", 100.0, 101.5).interrupts(100.0))


class ShortTests(ChaosCase):
    """
    A minute of it.
    """

    options = ChaosOptions(
        seconds=45.0,
        seed=int(os.environ.get("SIPREC_CHAOS_SEED", "3")),
        calls=12,
        lasts=(8.0, 20.0),
    )
    timeout = 400.0

    async def test_minute(self) -> None:
        """
        No call is lost, each has one complete recording, and nothing is missing
        but what was sent to a node just when it was hit.
        """
        await self.chaos()


__all__ = ["PlanTests", "ShortTests"]
