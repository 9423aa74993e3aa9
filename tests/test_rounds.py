"""
Tests of L{siprec.rounds}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from siprec.rounds import Rounds


class RoundsTests(SynchronousTestCase):
    """
    Something is done at regular times until it is stopped.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.times: list[float] = []
        self.result: Any = None
        self.rounds = Rounds(self.clock, 2.0, self.call, "not looked")

    def call(self) -> Any:
        """
        What is done: note the time.
        """
        self.times.append(self.clock.seconds())
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def wait(self, seconds: int) -> None:
        """
        Let time go by.
        """
        self.clock.pump([1.0] * seconds)

    def test_now(self) -> None:
        """
        The first round is at once, each other an interval later.
        """
        self.rounds.start()
        self.wait(5)
        self.assertEqual(self.times, [0.0, 2.0, 4.0])

    def test_later(self) -> None:
        """
        Or the first one is after an interval.
        """
        self.rounds.start(now=False)
        self.wait(5)
        self.assertEqual(self.times, [2.0, 4.0])

    def test_stop(self) -> None:
        """
        After the end there is no other round, and nothing is left on the clock.
        """
        self.assertFalse(self.rounds.running)
        self.rounds.start()
        self.assertTrue(self.rounds.running)
        self.successResultOf(self.rounds.stop())
        self.assertFalse(self.rounds.running)
        self.wait(5)
        self.assertEqual(self.times, [0.0])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_notStarted(self) -> None:
        """
        What was never started, or is stopped already, may be stopped.
        """
        self.successResultOf(self.rounds.stop())
        self.rounds.start()
        self.successResultOf(self.rounds.stop())
        self.successResultOf(self.rounds.stop())

    def test_underWay(self) -> None:
        """
        A round that takes long holds up the next one, and the end.
        """
        self.result = Deferred()
        self.rounds.start()
        self.wait(5)
        self.assertEqual(self.times, [0.0])
        ended = self.rounds.stop()
        self.assertNoResult(ended)
        self.result.callback(None)
        self.successResultOf(ended)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_again(self) -> None:
        """
        It can be started again, even while the last round of before is under way.
        """
        first = self.result = Deferred()
        self.rounds.start()
        ended = self.rounds.stop()
        self.result = None
        self.wait(1)
        self.rounds.start()
        first.callback(None)
        self.successResultOf(ended)
        self.wait(2)
        self.assertEqual(self.times, [0.0, 1.0, 3.0])
        self.successResultOf(self.rounds.stop())

    def test_endsItself(self) -> None:
        """
        A round may be the one that ends them.
        """

        def end() -> Deferred[None]:
            self.call()
            return self.rounds.stop()

        self.rounds = Rounds(self.clock, 2.0, end, "not looked")
        self.rounds.start()
        self.wait(5)
        self.assertEqual(self.times, [0.0])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failure(self) -> None:
        """
        A round that fails, at once, later or as a coroutine, is logged, and the next
        one comes all the same.
        """

        async def fail() -> None:
            raise KeyError("a coroutine")

        later: Deferred[None] = Deferred()
        for result in (ValueError("at once"), later, fail()):
            self.result = result
            rounds = Rounds(self.clock, 2.0, self.call, "not looked")
            with capturedLogs() as logs:
                rounds.start()
                if result is later:
                    later.errback(ValueError("later"))
            self.assertEqual([each["what"] for each in logs], ["not looked"])
            self.result, before = None, len(self.times)
            self.wait(3)
            self.assertEqual(len(self.times), before + 1)
            self.successResultOf(rounds.stop())
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
