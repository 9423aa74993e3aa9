"""
Tests of L{siprec.render.process}, without processes.
"""

import json
import os
import signal
import sys
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from zope.interface.verify import verifyObject

from siprec.render.form import Form
from siprec.render.process import IDLE, JOBS, TIMEOUT, Renderer, RenderFailed
from siprec.session.interfaces import IRenderer, RendererStopped
from tests.render.renderercase import RendererCase


class RendererTests(RendererCase):
    """
    Recordings are rendered by a few processes that stay.
    """

    def _failed(self, done: Deferred[Any]) -> RenderFailed:
        error = self.failureResultOf(done, RenderFailed).value
        assert isinstance(error, RenderFailed)
        self.assertEqual(error.directory, "/r")
        return error

    def test_interfaces(self) -> None:
        """
        The renderer provides what it says, and has limits if none are given.
        """
        verifyObject(IRenderer, self.renderer)
        plain = Renderer(self.reactor, self.clock)
        self.assertEqual((plain.workers, plain.timeout), (1, TIMEOUT))
        self.assertEqual((plain.jobs, plain.idle), (JOBS, IDLE))

    def test_renders(self) -> None:
        """
        A child of the same interpreter, which finds the same package, gets the folder.
        """
        done = self.render("/recordings/x")
        (child,) = self.reactor.processes
        self.assertEqual(child.executable, sys.executable)
        self.assertEqual(child.command, [sys.executable, "-P", "-m", "siprec.render", "--serve"])
        root = child.environment["PYTHONPATH"].split(os.pathsep)[0]
        self.assertTrue(os.path.isfile(os.path.join(root, "siprec", "render", "__main__.py")))
        self.assertEqual(child.environment["PATH"], os.environ["PATH"])
        self.assertEqual(child.asked, ["/recordings/x"])
        child.answer(rendering={"duration": 1.5})
        self.assertEqual(self.successResultOf(done), {"duration": 1.5})

    def test_split(self) -> None:
        """
        A child is told which files there are to be beside the whole one.
        """
        self.renderer.split = "session"
        self.render("/recordings/x").addErrback(lambda failure: None)
        (child,) = self.reactor.processes
        self.assertEqual(
            json.loads(child.written), {"directory": "/recordings/x", "split": "session"}
        )

    def test_form(self) -> None:
        """
        A child is told what the audio is to look like, unless it is to be as usual.
        """
        self.renderer.form = Form("opus", "mixed", peaks=True)
        self.render("/recordings/x").addErrback(lambda failure: None)
        (child,) = self.reactor.processes
        self.assertEqual(
            json.loads(child.written),
            {
                "directory": "/recordings/x",
                "form": {"format": "opus", "layout": "mixed", "peaks": True},
            },
        )

    def test_maskDigits(self) -> None:
        """
        A child is told not to tell digits.
        """
        self.renderer.maskDigits = True
        self.render("/recordings/x").addErrback(lambda failure: None)
        (child,) = self.reactor.processes
        self.assertEqual(
            json.loads(child.written), {"directory": "/recordings/x", "maskDigits": True}
        )

    def test_onDemand(self) -> None:
        """
        No child is started before there is work, nor while one is free.
        """
        self.assertEqual(self.reactor.processes, [])
        for number in range(2):
            done = self.render(str(number))
            self.reactor.processes[0].answer(rendering={})
            self.successResultOf(done)
        self.assertEqual(self.asked(), [["0", "1"]])

    def test_workers(self) -> None:
        """
        No more than so many run at once, each with one recording; the others wait
        their turn, and go to the first that is free.
        """
        all_ = [self.render(str(number)) for number in range(5)]
        self.assertEqual(self.asked(), [["0"], ["1"]])
        self.assertEqual(self.renderer.waiting, 3)
        first, second = self.reactor.processes
        second.answer(rendering={"by": 2})
        self.assertEqual(self.asked(), [["0"], ["1", "2"]])
        first.answer(error="no manifest")
        self.assertEqual(self.asked(), [["0", "3"], ["1", "2"]])
        self.assertEqual(self.renderer.waiting, 1)
        second.answer(rendering={})
        self.assertEqual(self.asked(), [["0", "3"], ["1", "2", "4"]])
        self.assertEqual(self.renderer.waiting, 0)
        self.failureResultOf(all_[0], RenderFailed)
        self.assertEqual(self.successResultOf(all_[1]), {"by": 2})

    def test_error(self) -> None:
        """
        What cannot be rendered fails with the child's words, and the child goes on.
        """
        done = self.render()
        self.reactor.processes[0].answer(error="/r: no manifest")
        self.assertEqual(str(self._failed(done)), "/r: no manifest")
        self.render("next")
        self.assertEqual(self.asked(), [["/r", "next"]])

    def test_dies(self) -> None:
        """
        A child that dies at a recording is the failure of that one only; another is
        started for what waits.
        """
        done, other, waiting = self.render(), self.render("1"), self.render("2")
        first, second = self.reactor.processes
        first.protocol.errReceived(b"Segmentation fault\n")
        first.die(signal.SIGSEGV)
        self.assertEqual(str(self._failed(done)), "killed by signal 11: Segmentation fault")
        self.assertEqual(self.asked(), [["/r"], ["1"], ["2"]])
        for process, each in ((second, other), (self.reactor.processes[2], waiting)):
            process.answer(rendering={})
            self.successResultOf(each)

    def test_diesIdle(self) -> None:
        """
        A child that dies without work is replaced when there is some.
        """
        done = self.render()
        self.reactor.processes[0].answer(rendering={})
        self.successResultOf(done)
        self.reactor.processes[0].die()
        self.assertEqual(len(self.reactor.processes), 1)
        self.render("next")
        self.assertEqual(self.asked(), [["/r"], ["next"]])

    def test_failsThenRenders(self) -> None:
        """
        Who hears of a failure may ask again at once: a new child gets it.
        """
        again: list[Any] = []
        done = self.render()
        done.addErrback(lambda _: again.append(self.render("again")))
        self.render("other")
        self.reactor.processes[0].die()
        self.assertEqual(self.asked(), [["/r"], ["other"], ["again"]])
        self.assertNoResult(again[0])

    def test_timeout(self) -> None:
        """
        A child that takes too long is killed, and its place is free once it is gone;
        nothing happens to the others.
        """
        done = self.render()
        self.clock.advance(59)
        other, waiting = self.render("1"), self.render("2")
        first, second = self.reactor.processes
        self.assertEqual(first.signals, [])
        self.clock.advance(1)
        self.assertEqual((first.signals, second.signals), (["KILL"], []))
        self.assertNoResult(done)
        self.assertEqual(self.renderer.waiting, 1)
        first.die()
        self.assertEqual(self._failed(done).reason, "it took longer than 60 seconds")
        self.assertEqual(self.asked(), [["/r"], ["1"], ["2"]])
        self.assertNoResult(other)
        self.assertNoResult(waiting)

    def test_replaced(self) -> None:
        """
        After so many recordings a child is ended, and another is started once it is
        gone if there is more to do.
        """
        all_ = [self.render("0")]
        self.render("other")
        all_ += [self.render(str(number)) for number in range(1, 4)]
        first, _ = self.reactor.processes
        for _ in range(3):
            self.assertEqual(first.signals, [])
            first.answer(rendering={})
        self.assertEqual(first.signals, ["KILL"])
        self.assertEqual(self.asked(), [["0", "1", "2"], ["other"]])
        for done in all_[:3]:
            self.assertEqual(self.successResultOf(done), {})
        first.die()
        self.assertEqual(self.asked(), [["0", "1", "2"], ["other"], ["3"]])

    def test_idle(self) -> None:
        """
        Who worked last works first, so that those there are too many of are ended
        after a time without work; and at last all of them.
        """
        for number in range(2):
            self.render(str(number))
        first, second = self.reactor.processes
        first.answer(rendering={})
        second.answer(rendering={})
        self.clock.advance(15)
        self.render("2")
        self.assertEqual(self.asked(), [["0"], ["1", "2"]])
        second.answer(rendering={})
        self.clock.advance(5)
        self.assertEqual((first.signals, second.signals), (["KILL"], []))
        first.die()
        self.clock.advance(15)
        self.assertEqual(second.signals, ["KILL"])
        second.die()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.render("3")
        self.assertEqual(self.asked(), [["0"], ["1", "2"], ["3"]])

    def test_endingIsNotFree(self) -> None:
        """
        A child that is being ended gets nothing more; it has its place until it is gone.
        """
        self.renderer.workers = 1
        self.render("0")
        (first,) = self.reactor.processes
        first.answer(rendering={})
        self.clock.advance(20)
        self.render("1")
        self.assertEqual((self.asked(), self.renderer.waiting), ([["0"]], 1))
        first.die()
        self.assertEqual((self.asked(), self.renderer.waiting), ([["0"], ["1"]], 0))

    def test_noProcess(self) -> None:
        """
        If no process can be started that is the failure, and the next one is tried.
        """
        self.reactor.error = OSError(11, "Resource temporarily unavailable")
        error = self._failed(self.render())
        self.assertIn("Resource temporarily unavailable", error.reason)
        self.assertEqual(self.renderer.waiting, 0)
        self.reactor.error = None
        done = self.render()
        self.reactor.processes[0].answer(rendering={})
        self.successResultOf(done)

    def test_noFurtherProcess(self) -> None:
        """
        If there is one process already, what no other can be started for waits for it.
        """
        self.render("0")
        self.reactor.error = OSError(11, "Resource temporarily unavailable")
        done = self.render("1")
        self.assertNoResult(done)
        self.assertEqual(self.renderer.waiting, 1)
        self.reactor.processes[0].answer(rendering={})
        self.assertEqual(self.asked(), [["0", "1"]])
        self.reactor.processes[0].answer(rendering={"duration": 1.0})
        self.assertEqual(self.successResultOf(done), {"duration": 1.0})

    def test_stop(self) -> None:
        """
        Stopping kills what runs and gives up what waits, and has happened when no
        process is left; nothing is taken from then on.
        """
        all_ = [self.render(str(number)) for number in range(3)]
        stopped = self.renderer.stopService()
        self.failureResultOf(all_[2], RendererStopped)
        self.assertEqual(self.renderer.waiting, 0)
        first, second = self.reactor.processes
        self.assertEqual((first.signals, second.signals), (["KILL"], ["KILL"]))
        first.die()
        self.assertNoResult(stopped)
        second.die()
        self.assertIsNone(self.successResultOf(stopped))
        for done in all_[:2]:
            self.failureResultOf(done, RendererStopped)
        self.failureResultOf(self.renderer.render("/r"), RendererStopped)
        self.assertEqual(len(self.reactor.processes), 2)

    def test_stopIdle(self) -> None:
        """
        A child without work is ended by a stop too, and waited for.
        """
        self.render()
        (child,) = self.reactor.processes
        child.answer(rendering={})
        stopped = self.renderer.stopService()
        self.assertEqual(child.signals, ["KILL"])
        self.assertNoResult(stopped)
        child.die()
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopUnused(self) -> None:
        """
        Without a process it has stopped at once.
        """
        self.assertIsNone(self.successResultOf(self.renderer.stopService()))

    def test_startAgain(self) -> None:
        """
        Started again at once, it takes work; the processes of before count until
        they are gone.
        """
        for number in range(2):
            self.render(str(number))
        self.renderer.stopService()
        self.renderer.startService()
        self.render("2")
        self.assertEqual((self.asked(), self.renderer.waiting), ([["0"], ["1"]], 1))
        self.reactor.processes[1].die()
        self.assertEqual(self.asked(), [["0"], ["1"], ["2"]])

    def test_cancel(self) -> None:
        """
        Cancelling takes a recording out of the queue, or kills the process that is
        at it and no other.
        """
        running = [self.render(str(number)) for number in range(2)]
        waiting, last = self.render("2"), self.render("3")
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.renderer.waiting, 1)
        running[0].cancel()
        self.failureResultOf(running[0], CancelledError)
        self.assertEqual(self.signals(), [["KILL"], []])
        self.reactor.processes[0].die()
        self.assertEqual(self.asked(), [["0"], ["1"], ["3"]])
        self.reactor.processes[1].answer(rendering={})
        self.successResultOf(running[1]).clear()
        running[1].cancel()
        self.assertEqual(self.signals(), [["KILL"], [], []])
        self.assertNoResult(last)
