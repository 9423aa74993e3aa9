"""
Tests of L{siprec.render.process} with work ahead, without processes.
"""

import signal

from twisted.internet.defer import CancelledError

from siprec.render.child import QUICK
from siprec.render.process import AHEAD, Renderer, RenderFailed
from siprec.session.interfaces import RendererStopped
from tests.render.processes import FakeProcess
from tests.render.renderercase import RendererCase


class RendererAheadTests(RendererCase):
    """
    A process that is quick has more than one recording, so that it need not wait for us.
    """

    def setUp(self) -> None:
        """
        Start a renderer of two workers, whose processes may have two recordings ahead.
        """
        super().setUp()
        self.renderer.ahead, self.renderer.jobs = 2, 100

    def _quick(self) -> FakeProcess:
        """
        @return: the first process, which is known to be quick and is at recording "q".
        """
        done = self.render("0")
        self.reactor.processes[0].answer(rendering={})
        self.successResultOf(done)
        self.render("q")
        return self.reactor.processes[0]

    def test_ahead(self) -> None:
        """
        Who is quick gets so many ahead, and another one for each that it has done.
        """
        self.assertEqual(Renderer(self.reactor, self.clock).ahead, AHEAD)
        self.renderer.workers = 1
        first = self._quick()
        all_ = [self.render(str(number)) for number in range(1, 5)]
        self.assertEqual(self.asked(), [["0", "q", "1", "2"]])
        self.assertEqual(self.renderer.waiting, 4)
        first.answer(rendering={})
        self.assertEqual(self.asked(), [["0", "q", "1", "2", "3"]])
        self.assertEqual(self.renderer.waiting, 3)
        for number, done in enumerate(all_):
            first.answer(rendering={"duration": number})
            self.assertEqual(self.successResultOf(done), {"duration": number})
        self.assertEqual(self.asked(), [["0", "q", "1", "2", "3", "4"]])
        self.assertEqual(self.renderer.waiting, 0)

    def test_slow(self) -> None:
        """
        Who is not quick gets nothing ahead: it may wait long there, while another process
        has nothing to do.
        """
        self.render("0")
        self.render("1")
        first = self.reactor.processes[0]
        waiting = [self.render(str(number)) for number in range(2, 4)]
        self.assertEqual(self.asked(), [["0"], ["1"]])
        self.clock.advance(2 * QUICK)
        first.answer(rendering={})
        self.assertEqual(self.asked(), [["0", "2"], ["1"]])
        self.clock.advance(QUICK)
        first.answer(rendering={})
        self.assertEqual(self.asked(), [["0", "2", "3"], ["1"]])
        self.render("4")
        self.assertEqual(self.asked(), [["0", "2", "3", "4"], ["1"]])
        self.successResultOf(waiting[0])
        self.clock.advance(2 * QUICK)
        self.render("5")
        self.assertEqual(self.asked(), [["0", "2", "3", "4"], ["1"]])

    def test_idleFirst(self) -> None:
        """
        Whoever has nothing to do comes first, then a process that can still be started, and
        then who has least.
        """
        first = self._quick()
        self.render("1")
        second = self.reactor.processes[1]
        second.answer(rendering={})
        self.render("2")
        self.assertEqual(self.asked(), [["0", "q"], ["1", "2"]])
        for number, many in ((3, [2, 3]), (4, [3, 3]), (5, [3, 4]), (6, [4, 4]), (7, [4, 4])):
            self.render(str(number))
            self.assertEqual(sorted(map(len, self.asked())), many)
        self.assertEqual(self.renderer.waiting, 5)
        self.assertEqual(first.signals + second.signals, [])

    def test_noFurtherProcess(self) -> None:
        """
        Where no further process can be started, the one that is there gets work ahead.
        """
        self._quick()
        self.reactor.error = OSError(11, "Resource temporarily unavailable")
        for number in range(1, 4):
            self.render(str(number))
        self.assertEqual(self.asked(), [["0", "q", "1", "2"]])
        self.assertEqual(self.renderer.waiting, 3)

    def test_dies(self) -> None:
        """
        A child that dies takes one recording with it: the others that it had are the next
        ones, in their order.
        """
        self.renderer.workers = 1
        first = self._quick()
        all_ = [self.render(each) for each in ("/r", "2", "3", "4")]
        first.answer(rendering={})
        self.assertEqual(self.asked(), [["0", "q", "/r", "2", "3"]])
        first.die(signal.SIGSEGV)
        error = self.failureResultOf(all_[0], RenderFailed).value
        self.assertEqual(str(error), "killed by signal 11")
        self.assertEqual(self.asked()[1:], [["2"]])
        self.assertEqual(self.renderer.waiting, 2)
        for number, done in enumerate(all_[1:], 2):
            self.reactor.processes[1].answer(rendering={"duration": number})
            self.assertEqual(self.successResultOf(done), {"duration": number})
        self.assertEqual(self.asked()[1:], [["2", "3", "4"]])

    def test_timeout(self) -> None:
        """
        A child that takes too long takes one recording with it, too; the time of the next
        one begins when it gets to another child.
        """
        self.renderer.workers = 1
        first = self._quick()
        done, next_ = self.render("/r"), self.render("2")
        self.clock.advance(59)
        first.answer(rendering={})
        self.clock.advance(60)
        self.assertEqual(first.signals, ["KILL"])
        first.die()
        self.failureResultOf(done, RenderFailed)
        self.assertEqual(self.asked()[1:], [["2"]])
        self.clock.advance(59)
        self.assertNoResult(next_)
        self.reactor.processes[1].answer(rendering={})
        self.successResultOf(next_)

    def test_replaced(self) -> None:
        """
        A child never has more than it is to render before it is replaced.
        """
        self.renderer.workers, self.renderer.jobs = 1, 3
        first = self._quick()
        self.render("1")
        self.render("2")
        self.assertEqual(self.asked(), [["0", "q", "1"]])
        first.answer(rendering={})
        self.assertEqual((self.asked(), first.signals), ([["0", "q", "1"]], []))
        first.answer(rendering={})
        self.assertEqual((self.asked(), first.signals), ([["0", "q", "1"]], ["KILL"]))
        first.die()
        self.assertEqual(self.asked(), [["0", "q", "1"], ["2"]])

    def test_cancel(self) -> None:
        """
        To cancel a recording that a child has not come to harms no other; when it comes to
        it, it is ended.
        """
        self.renderer.workers = 1
        first = self._quick()
        one, two = self.render("1"), self.render("2")
        one.cancel()
        self.failureResultOf(one, CancelledError)
        self.assertEqual(first.signals, [])
        first.answer(rendering={})
        self.assertEqual(first.signals, ["KILL"])
        first.die()
        self.assertEqual(self.asked(), [["0", "q", "1", "2"], ["2"]])
        self.assertNoResult(two)

    def test_stop(self) -> None:
        """
        A stop gives up what was given ahead as well; started again, nobody does it.
        """
        self.renderer.workers = 1
        first = self._quick()
        all_ = [self.render(str(number)) for number in range(1, 4)]
        stopped = self.renderer.stopService()
        for done in all_:
            self.failureResultOf(done, RendererStopped)
        self.renderer.startService()
        first.die()
        self.successResultOf(stopped)
        self.assertEqual((self.asked(), self.renderer.waiting), ([["0", "q", "1", "2"]], 0))
