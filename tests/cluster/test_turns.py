"""
Tests of L{siprec.cluster.turns}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.turns import Turns, answering, ended
from siprec.ids import RecordingID

ONE, TWO = RecordingID("1"), RecordingID("2")


class TurnsTests(SynchronousTestCase):
    """
    Locks by recording.
    """

    def setUp(self) -> None:
        self.turns = Turns()
        self.log: list[str] = []

    def work(self, name: str, recording: RecordingID, until: Deferred[None]) -> Deferred[None]:
        """
        Work on a recording until something happens.
        """

        async def run() -> None:
            async with self.turns.of(recording):
                self.log.append(name)
                await until

        return Deferred.fromCoroutine(run())

    def test_oneAfterTheOther(self) -> None:
        """
        Nobody works on a recording at the same time as somebody else; on another one he
        may.  Nothing is left of a lock.
        """
        untils: list[Deferred[None]] = [Deferred() for _ in range(3)]
        works = [
            self.work("a", ONE, untils[0]),
            self.work("b", ONE, untils[1]),
            self.work("c", TWO, untils[2]),
        ]
        self.assertEqual((self.log, len(self.turns)), (["a", "c"], 2))
        untils[0].callback(None)
        self.assertEqual(self.log, ["a", "c", "b"])
        for until in untils[1:]:
            until.callback(None)
        for work in works:
            self.successResultOf(work)
        self.assertEqual(len(self.turns), 0)

    def test_failure(self) -> None:
        """
        The next one has its turn although the one before has failed, at once or not.
        """
        until: Deferred[None] = Deferred()
        first = self.work("a", ONE, until)
        second = self.work("b", ONE, fail(ValueError("no")))
        third = self.work("c", ONE, succeed(None))
        until.errback(ValueError("no"))
        self.failureResultOf(first, ValueError)
        self.failureResultOf(second, ValueError)
        self.successResultOf(third)
        self.assertEqual((self.log, len(self.turns)), (["a", "b", "c"], 0))


class AnsweringTests(SynchronousTestCase):
    """
    Answers that wait until the node can give them.
    """

    def test_answer(self) -> None:
        """
        Nothing is answered before; then each gets its answer, or the reason why not.
        """
        opened: Deferred[None] = Deferred()

        async def answer(peer: object, body: object) -> object:
            if body is None:
                raise ValueError("no")
            return [peer, body]

        ask = answering(lambda: ended(opened), answer)
        good, bad = ask("a", 1), ask("a", None)
        self.assertNoResult(good)
        opened.callback(None)
        self.assertEqual(self.successResultOf(good), ["a", 1])
        self.failureResultOf(bad, ValueError)


class EndedTests(SynchronousTestCase):
    """
    Waiting for what others wait for.
    """

    def test_ended(self) -> None:
        """
        It fires when that has ended, whatever came of it, and leaves that to others.
        """
        self.successResultOf(ended(succeed(None)))
        done: Deferred[None] = Deferred()
        waiting = ended(done)
        self.assertNoResult(waiting)
        done.errback(ValueError("no"))
        self.successResultOf(waiting)
        self.failureResultOf(done, ValueError)

    def test_cancel(self) -> None:
        """
        Who does not want to wait any more is not in the way.
        """
        done: Deferred[None] = Deferred()
        waiting = ended(done)
        waiting.cancel()
        self.failureResultOf(waiting)
        done.callback(None)
        self.successResultOf(done)
