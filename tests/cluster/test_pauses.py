"""
Tests of L{siprec.cluster.pauses}.
"""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.pauses import Pauses


class PausesTests(SynchronousTestCase):
    """
    A service waits.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.running = True
        self.pauses = Pauses(self.clock, lambda: self.running)

    def test_wait(self) -> None:
        """
        A pause is over when its time is.
        """
        pause = self.pauses.wait(0.5)
        self.clock.advance(0.4)
        self.assertNoResult(pause)
        self.clock.advance(0.1)
        self.assertIsNone(self.successResultOf(pause))

    def test_end(self) -> None:
        """
        The stop ends those that there are, and is the end of waiting.
        """
        pauses = [self.pauses.wait(0.5), self.pauses.wait(1.0)]
        self.running = False
        self.pauses.end()
        pauses.append(self.pauses.wait(2.0))
        for pause in pauses:
            self.assertIsNone(self.successResultOf(pause))
        self.assertEqual(self.clock.getDelayedCalls(), [])
