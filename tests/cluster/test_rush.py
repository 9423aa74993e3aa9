"""
Tests of L{siprec.cluster.rush}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.rush import Rush


class RushTests(SynchronousTestCase):
    """
    Two who claim, and who waits for them.
    """

    def setUp(self) -> None:
        self.rush = Rush()

    def test_none(self) -> None:
        """
        Without a rush nobody waits; an end without a begin is none.
        """
        self.successResultOf(self.rush.whenOver())
        self.rush.end(self)
        self.successResultOf(self.rush.whenOver())

    def test_both(self) -> None:
        """
        It is over when the last one has ended, for all who wait.
        """
        self.rush.begin("one")
        waiting = [self.rush.whenOver()]
        self.rush.begin("two")
        self.rush.begin("two")
        waiting.append(self.rush.whenOver())
        self.rush.end("one")
        for each in waiting:
            self.assertNoResult(each)
        self.rush.end("two")
        for each in waiting:
            self.successResultOf(each)
