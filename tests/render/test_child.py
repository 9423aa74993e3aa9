"""
Tests of L{siprec.render.child}, without processes.
"""

import json
import signal
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IProcessProtocol, IProcessTransport, IReactorProcess
from zope.interface.verify import verifyObject

from siprec.render import child as module
from siprec.render.child import Job, RenderFailed
from tests.render.childcase import ChildCase
from tests.render.processes import FakeReactor


class ChildTests(ChildCase):
    """
    A child is asked, and answers, one recording after another.
    """

    def _hasFailed(self, _: None, job: Job) -> bool:
        return bool(job.done.called)

    def test_interfaces(self) -> None:
        """
        The child, and the fakes here, provide what they say.
        """
        verifyObject(IProcessProtocol, self.child)
        verifyObject(IProcessTransport, self.process)
        verifyObject(IReactorProcess, FakeReactor())

    def test_answers(self) -> None:
        """
        It is asked with a line of JSON, and what it answers is the result, however it
        is cut; then it is free.
        """
        self.assertTrue(self.child.idle)
        job = self.take("/recordings/\N{SNOWMAN}\n\udcff")
        self.assertFalse(self.child.idle)
        self.assertEqual(self.process.written.count(b"\n"), 1)
        self.assertEqual(self.process.asked, ["/recordings/\N{SNOWMAN}\n\udcff"])
        for part in (b'{"rendering": {"dura', b'tion": 1', b".5}}"):
            self.child.outReceived(part)
            self.assertNoResult(job.done)
        self.child.outReceived(b"\n")
        self.assertEqual(self.successResultOf(job.done), {"duration": 1.5})
        self.assertEqual((self.freed, self.child.served), ([self.child], 1))
        self.assertTrue(self.child.idle)

    def test_again(self) -> None:
        """
        Of one recording nothing is left when the next one is rendered.
        """
        self.take()
        self.child.errReceived(b"a warning")
        self.process.answer(rendering={"duration": 1.5})
        job = self.take()
        self.process.answer(rendering={})
        self.assertEqual(self.successResultOf(job.done), {})
        self.assertEqual((self.process.asked, self.child.served), (["/r", "/r"], 2))
        job = self.take()
        self.process.end(1)
        self.assertEqual(str(self.reason(job)), "exit status 1")

    def test_freeBeforeTheResult(self) -> None:
        """
        Who gets the result can have the child take another recording at once.
        """
        next_: list[Job] = []
        self.take().done.addCallback(lambda _: next_.append(self.take("/next")))
        self.process.answer(rendering={})
        self.assertEqual(self.process.asked, ["/r", "/next"])
        self.process.answer(rendering={"duration": 2.0})
        self.assertEqual(self.successResultOf(next_[0].done), {"duration": 2.0})

    def test_error(self) -> None:
        """
        What cannot be rendered fails with the child's words and the end of its
        complaints; the child is as good as before.
        """
        job = self.take()
        self.child.errReceived(b"x" * 5000)
        self.child.errReceived(b"\nodd \xff\n")
        self.process.answer(error="/r: no manifest")
        self.assertTrue(self.child.idle)
        error = self.failureResultOf(job.done, RenderFailed).value
        assert isinstance(error, RenderFailed)
        self.assertEqual((error.directory, error.reason), ("/r", "/r: no manifest"))
        self.assertTrue(error.errors.endswith("x\nodd \N{REPLACEMENT CHARACTER}"))
        self.assertLess(len(error.errors), 2001)
        self.assertIn("/r: no manifest: xxx", str(error))
        self.assertEqual((self.freed, self.process.signals), ([self.child], []))

    def test_nonsense(self) -> None:
        """
        An answer that is none is a failure, and ends the child: it cannot be trusted.
        """
        for answer, reason in (
            (b"{\n", "no JSON: "),
            (b"\xff\n", "no JSON: "),
            (b"[" * 200_000 + b"\n", "no JSON: "),
            (b"[]\n", "its JSON is no answer"),
            (b'{"rendering": 1}\n', "its JSON is no answer"),
            (b'{"error": null}\n', "its JSON is no answer"),
            (b'{"rendering": {}}\n{', "it answered more than once"),
        ):
            self.setUp()
            job = self.take()
            self.child.outReceived(answer)
            self.assertIn(reason, self.failed(job).reason)
            self.assertEqual(self.freed, [])

    def test_unasked(self) -> None:
        """
        A child that speaks without having been asked is ended.
        """
        self.child.outReceived(b'{"rendering": {}}\n')
        self.assertEqual(self.process.signals, ["KILL"])
        self.assertFalse(self.child.idle)

    def test_tooMuch(self) -> None:
        """
        An answer without end is cut off, and the child is ended; one of just that
        length is taken, and counts for itself.
        """
        for _ in range(2):
            job = self.take()
            self.patch(module, "MAX_ANSWER", 17)
            self.child.outReceived(b'{"rendering"')
            self.child.outReceived(b": {}}\n")
            self.assertEqual(self.successResultOf(job.done), {})
        job = self.take()
        self.child.outReceived(b'{"rendering": {} ')
        self.assertEqual(self.process.signals, [])
        self.child.outReceived(b" ")
        self.child.outReceived(b"}\n")
        self.assertEqual(self.failed(job).reason, "it answered more than 17 octets")

    def test_timeout(self) -> None:
        """
        A child that takes too long is killed, and the job fails once it is gone,
        whatever it has answered meanwhile; a job that was in time does not count.
        """
        self.take()
        self.clock.advance(9)
        self.process.answer(rendering={})
        job = self.take()
        self.child.errReceived(b"working\n")
        self.clock.advance(9)
        self.assertEqual(self.process.signals, [])
        self.clock.advance(1)
        self.process.answer(rendering={})
        error = self.failed(job)
        self.assertEqual(error.reason, "it took longer than 10 seconds")

    def test_idle(self) -> None:
        """
        Without a job for so long, the child is ended.
        """
        self.clock.advance(1)
        self.take()
        self.process.answer(rendering={})
        self.clock.advance(59)
        self.take()
        self.process.answer(rendering={})
        self.clock.advance(59)
        self.assertEqual(self.process.signals, [])
        self.clock.advance(1)
        self.assertEqual(self.process.signals, ["KILL"])
        self.assertFalse(self.child.idle)
        self.process.die()
        self.assertIsNone(self.successResultOf(self.child.ended))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_dies(self) -> None:
        """
        A child that dies at a job is the failure of it, with how it ended and the end
        of its complaints; C{ended} fires afterwards.
        """
        for end, words in (
            (lambda: self.process.die(signal.SIGSEGV), "killed by signal 11: Traceback"),
            (lambda: self.process.end(1), "exit status 1: Traceback"),
            (lambda: self.process.end(0), "exit status 0: Traceback"),
        ):
            self.setUp()
            job = self.take()
            failedFirst = self.child.ended.addCallback(self._hasFailed, job)
            self.child.errReceived(b"Traceback\n")
            end()
            self.assertTrue(self.successResultOf(failedFirst))
            self.assertEqual(str(self.reason(job)), words)

    def test_deadTakesNothing(self) -> None:
        """
        Whoever hears of the failure finds no free child in the dead one.
        """
        seen: list[bool] = []
        self.take().done.addErrback(lambda _: seen.append(self.child.idle))
        self.process.die()
        self.assertEqual(seen, [False])
        self.assertIsNone(self.child.job)

    def test_diesIdle(self) -> None:
        """
        A child that dies without a job is nobody's failure.
        """
        self.take()
        self.process.answer(rendering={})
        self.process.die()
        self.successResultOf(self.child.ended)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_verdict(self) -> None:
        """
        The first reason to kill it stays.
        """
        job = self.take()
        self.child.kill(ValueError("first"))
        self.child.kill(ValueError("second"))
        self.clock.advance(10)
        self.process.die()
        self.assertEqual(str(self.failureResultOf(job.done, ValueError).value), "first")

    def test_exitedAlready(self) -> None:
        """
        A child that ends as its time is up is no error of its own.
        """
        job = self.take()
        self.process.gone = True
        self.clock.advance(10)
        self.process.end()
        self.assertEqual(self.reason(job).reason, "it took longer than 10 seconds")

    def test_cancel(self) -> None:
        """
        A cancelled job is told to whom it was said; that its child dies then is
        nothing more.
        """
        job = self.take()
        job.done.cancel()
        self.failureResultOf(job.done, CancelledError)
        self.assertEqual(self.process.signals, ["KILL"])
        self.process.die()
        self.successResultOf(self.child.ended)

    def test_request(self) -> None:
        """
        A request has the folder and nothing else.
        """
        self.take("/a")
        request: Any = json.loads(self.process.written)
        self.assertEqual(request, {"directory": "/a"})
