"""
Tests of L{siprec.render.child} with work ahead, without processes.
"""

import json
import signal

from twisted.internet.defer import CancelledError

from siprec.render.child import QUICK, Job, RenderFailed
from tests.render.childcase import ChildCase


class ChildAheadTests(ChildCase):
    """
    A child may be given recordings before it has rendered those that it has.
    """

    def _answers(self, *renderings: int) -> bytes:
        answers = ({"rendering": {"duration": each}} for each in renderings)
        return b"".join(json.dumps(each).encode() + b"\n" for each in answers)

    def test_ahead(self) -> None:
        """
        What it is given while it is at a recording it does afterwards, and each answer is
        that of the first one that has none, however they are cut.
        """
        whole = self._answers(1, 2, 3)
        for size in (1, 20, 40, len(whole)):
            self.setUp()
            jobs = [self.take(str(number)) for number in range(3)]
            self.assertEqual(self.process.asked, ["0", "1", "2"])
            for at in range(0, len(whole), size):
                self.child.outReceived(whole[at : at + size])
            found = [self.successResultOf(job.done)["duration"] for job in jobs]
            self.assertEqual(found, [1, 2, 3])
            self.assertEqual((self.child.served, len(self.freed)), (3, 3))
            self.assertTrue(self.child.idle)
            self.assertEqual(self.process.signals, [])

    def test_aheadFails(self) -> None:
        """
        What cannot be rendered is the failure of that recording, and not of the next one.
        """
        first, second = self.take(), self.take("/next")
        self.child.outReceived(b'{"error": "no manifest"}\n' + self._answers(2))
        error = self.failureResultOf(first.done, RenderFailed).value
        self.assertEqual(str(error), "no manifest")
        self.assertEqual(self.successResultOf(second.done), {"duration": 2})

    def _left(self) -> list[str]:
        """
        @return: what it has ended without having been at it.
        """
        return [job.directory for job in self.child.left]

    def test_aheadTimeout(self) -> None:
        """
        The time for a recording counts from the answer before it.
        """
        first, second, _ = self.take("0"), self.take(), self.take("2")
        self.clock.advance(9)
        self.process.answer(rendering={})
        self.successResultOf(first.done)
        self.clock.advance(9)
        self.assertEqual(self.process.signals, [])
        self.clock.advance(1)
        self.assertEqual(self.failed(second).reason, "it took longer than 10 seconds")
        self.assertEqual(self._left(), ["2"])

    def test_aheadDies(self) -> None:
        """
        A child that ends takes only the recording with it that it was at; the others are
        left, in their order, but for those that were cancelled.
        """
        first, second = self.take("0"), self.take()
        rest = [self.take(str(number)) for number in range(2, 5)]
        rest[1].done.cancel()
        self.failureResultOf(rest[1].done, CancelledError)
        self.child.outReceived(self._answers(1) + b'{"rend')
        self.successResultOf(first.done)
        self.process.die(signal.SIGSEGV)
        self.assertEqual(self.reason(second).reason, "killed by signal 11")
        self.assertEqual(self._left(), ["2", "4"])
        self.assertNoResult(rest[0].done)
        self.assertIsNone(self.child.job)

    def test_aheadNonsense(self) -> None:
        """
        After an answer that is none the others are left.
        """
        job = self.take()
        self.take("1")
        self.child.outReceived(b"[]\n" + self._answers(1))
        self.assertEqual(self.failed(job).reason, "its JSON is no answer")
        self.assertEqual(self._left(), ["1"])

    def test_aheadTooOften(self) -> None:
        """
        More answers than it was asked for end it; the last one cannot be trusted.
        """
        first, second = self.take("0"), self.take()
        self.child.outReceived(self._answers(1, 2, 3))
        self.assertEqual(self.successResultOf(first.done), {"duration": 1})
        self.assertEqual(self.failed(second).reason, "it answered more than once")

    def test_aheadTakesMeanwhile(self) -> None:
        """
        An answer that came before a recording was given to it is not that of this one.
        """
        taken: list[Job] = []
        first = self.take("0")
        first.done.addCallback(lambda _: taken.append(self.take("2")))
        second = self.take()
        self.child.outReceived(self._answers(1, 2, 3))
        self.assertEqual(self.process.asked, ["0", "/r", "2"])
        self.assertEqual(self.failed(second).reason, "it answered more than once")
        self.assertEqual(self.child.left, taken)

    def test_aheadKilledMeanwhile(self) -> None:
        """
        Who gets an answer can end the child: what else it has answered does not count.
        """
        first, second = self.take("0"), self.take()
        first.done.addCallback(lambda _: self.child.kill(RenderFailed("/r", "enough")))
        self.child.outReceived(self._answers(1, 2))
        self.assertEqual(self.failed(second).reason, "enough")

    def test_aheadCancelled(self) -> None:
        """
        A recording that is cancelled before the child is at it is nobody's harm: the child
        is ended only when it comes to that one.
        """
        first, second, _ = self.take("0"), self.take("1"), self.take("2")
        second.done.cancel()
        self.failureResultOf(second.done, CancelledError)
        self.assertEqual(self.process.signals, [])
        self.process.answer(rendering={})
        self.successResultOf(first.done)
        self.assertEqual(self.process.signals, ["KILL"])
        self.process.answer(rendering={})
        self.assertEqual(self.process.signals, ["KILL"])
        self.process.die()
        self.assertEqual(self._left(), ["2"])

    def test_aheadCancelledAndAnswered(self) -> None:
        """
        If a recording that was cancelled is rendered all the same, the answer is dropped and
        the child goes on.
        """
        for answer in (self._answers(2), b'{"error": "no manifest"}\n'):
            self.setUp()
            self.take("0")
            second, third = self.take("1"), self.take("2")
            second.done.cancel()
            self.failureResultOf(second.done, CancelledError)
            self.child.outReceived(self._answers(1) + answer)
            self.assertEqual(self.process.signals, [])
            self.process.answer(rendering={"duration": 3})
            self.assertEqual(self.successResultOf(third.done), {"duration": 3})

    def test_aheadErrors(self) -> None:
        """
        Its last words count for what it was at, though they were heard before its answer to
        the one before; those on an earlier one do not.
        """
        jobs = [self.take("0"), self.take("1"), self.take()]
        self.child.errReceived(b"odd\n")
        self.process.answer(rendering={})
        self.child.errReceived(b"Traceback\n")
        self.process.answer(error="no manifest")
        error = self.failureResultOf(jobs[1].done, RenderFailed).value
        self.assertEqual(str(error), "no manifest: Traceback")
        self.process.end(1)
        self.assertEqual(str(self.reason(jobs[2])), "exit status 1: Traceback")

    def test_quick(self) -> None:
        """
        It is quick if its last recording took little time, and what it is at has not taken
        long either; not before its first one, nor when it is being ended.
        """
        self.assertFalse(self.child.isQuick)
        self.take()
        self.assertFalse(self.child.isQuick)
        self.clock.advance(QUICK)
        self.process.answer(rendering={})
        self.assertTrue(self.child.isQuick)
        self.clock.advance(5)
        self.take()
        self.assertTrue(self.child.isQuick)
        self.clock.advance(QUICK + 0.1)
        self.assertFalse(self.child.isQuick)
        self.process.answer(rendering={})
        self.take()
        self.assertFalse(self.child.isQuick)
        self.process.answer(rendering={})
        self.assertTrue(self.child.isQuick)
        self.child.kill()
        self.assertFalse(self.child.isQuick)
