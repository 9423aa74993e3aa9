"""
Tests of L{siprec.session.postponed}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from siprec.session.postponed import SOON, AtOnce, Postponed
from tests.turnclock import TurnClock


class AtOnceTests(SynchronousTestCase):
    """
    Where nothing is postponed.
    """

    def test_now(self) -> None:
        """
        Everything is done at once, and nothing keeps calls away.
        """
        turns = AtOnce()
        self.successResultOf(turns.turn())
        self.successResultOf(turns.soon(lambda: True))
        self.assertEqual((len(turns), turns.busy, turns.reasons()), (0, False, []))


class PostponedTests(SynchronousTestCase):
    """
    Work waits for a moment in which no peer says anything.
    """

    def setUp(self) -> None:
        self.clock = TurnClock()
        self.messages = 0
        self.waited = 0.0
        self.postponed = Postponed(self.clock, lambda: self.messages, waited=lambda: self.waited)
        self.done: list[str] = []

    def turn(self, name: str, seconds: float = 0.0) -> None:
        """
        Put work that takes so long.
        """

        def work(_: None) -> None:
            self.done.append(name)
            self.clock.rightNow += seconds

        self.postponed.turn().addCallback(work)

    def soon(self, name: str, canWait: bool = False) -> None:
        """
        Put work that is to be done soon.
        """
        self.postponed.soon(lambda: canWait).addCallback(lambda _: self.done.append(name))

    def speak(self, seconds: float) -> None:
        """
        Let a peer say something all the time.
        """
        for _ in range(round(seconds / 0.001)):
            self.messages += 1
            self.clock.turn(0.001)

    def test_order(self) -> None:
        """
        Works are done in the next turn of the reactor, the first one first; then nothing is
        left to do.
        """
        self.turn("one")
        self.turn("two")
        self.assertEqual(self.done, [])
        self.clock.turn()
        self.assertEqual(self.done, ["one", "two"])
        self.assertEqual((len(self.postponed), self.clock.getDelayedCalls()), (0, []))

    def test_waits(self) -> None:
        """
        While messages come nothing is done, and afterwards all of it.
        """
        self.turn("one")
        self.speak(2)
        self.assertEqual((self.done, len(self.postponed)), ([], 1))
        self.clock.turn(0.005)
        self.clock.turn(0.005)
        self.assertEqual(self.done, ["one"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_long(self) -> None:
        """
        After ten seconds of messages it is done all the same, a slice in each turn.
        """
        for name in ("one", "two", "three"):
            self.turn(name, 0.003)
        self.speak(9.9)
        self.assertEqual(self.done, [])
        self.speak(0.2)
        self.assertEqual(self.done, ["one", "two", "three"])

    def test_longest(self) -> None:
        """
        While new calls have to wait for their turn, it is only after a minute.
        """
        self.waited = 1.5
        self.turn("one")
        self.speak(59.9)
        self.assertEqual(self.done, [])
        self.speak(0.2)
        self.assertEqual(self.done, ["one"])

    def test_slices(self) -> None:
        """
        After some milliseconds of work it is seen whether a message has come meanwhile.
        """
        for name in ("one", "two", "three"):
            self.turn(name, 0.003)
        self.clock.turn()
        self.assertEqual(self.done, ["one", "two"])
        self.messages += 1
        self.clock.turn()
        self.assertEqual(self.done, ["one", "two"])
        self.clock.turn(0.005)
        self.assertEqual(self.done, ["one", "two", "three"])

    def test_more(self) -> None:
        """
        Work that comes of work has its turn, too.
        """
        self.postponed.turn().addCallback(lambda _: self.turn("later"))
        self.clock.turn()
        self.clock.turn()
        self.assertEqual(self.done, ["later"])

    def test_soon(self) -> None:
        """
        What is to be done soon is done before the other works; and in time, even while
        messages come.
        """
        self.turn("one")
        self.soon("two")
        self.speak(SOON - 0.02)
        self.assertEqual(self.done, [])
        self.speak(0.04)
        self.assertEqual(self.done, ["two"])
        self.soon("three")
        self.clock.turn(0.005)
        self.clock.turn(0.005)
        self.assertEqual(self.done, ["two", "three", "one"])

    def test_canWait(self) -> None:
        """
        If it need not be done so soon any more, it comes behind what waits already.
        """
        self.turn("one")
        self.soon("two", canWait=True)
        self.speak(2 * SOON)
        self.assertEqual((self.done, len(self.postponed)), ([], 2))
        self.clock.turn(0.005)
        self.clock.turn(0.005)
        self.assertEqual(self.done, ["one", "two"])

    def test_busy(self) -> None:
        """
        A few works are no sign that others should wait for them.
        """
        for number in range(16):
            self.turn(str(number))
        self.assertFalse(self.postponed.busy)
        self.soon("more")
        self.assertTrue(self.postponed.busy)

    def test_limit(self) -> None:
        """
        With too many works no call should be taken; without a limit there are never too
        many.
        """
        self.postponed.limit = 2
        self.turn("one")
        self.assertEqual(self.postponed.reasons(), [])
        self.turn("two")
        self.assertEqual(self.postponed.reasons(), ["2 works wait, the limit"])
        self.postponed.limit = 0
        self.assertEqual(self.postponed.reasons(), [])

    def test_atTheLimit(self) -> None:
        """
        At the limit works are done though peers go on speaking, until there are fewer.
        """
        self.postponed.limit = 3
        for name in ("one", "two", "three", "four"):
            self.turn(name, 0.004)
        self.speak(1)
        self.assertEqual((self.done, len(self.postponed)), (["one", "two"], 2))
        self.assertEqual(self.postponed.reasons(), [])
