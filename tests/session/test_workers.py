"""
Tests of L{siprec.session.workers}.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.session.interfaces import IWorkers
from siprec.session.workers import Workers, WorkersStopped


@define(eq=False)
class _Reactor:
    """
    Takes calls from threads; the test carries them out.
    """

    calls: list[Callable[[], Any]] = field(factory=list)
    _came: threading.Semaphore = field(factory=lambda: threading.Semaphore(0))

    def callFromThread(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self.calls.append(lambda: function(*args, **kwargs))
        self._came.release()

    def turn(self) -> None:
        """
        Carry out the next call, which comes within a minute.
        """
        assert self._came.acquire(timeout=60)
        self.calls.pop(0)()


class WorkersTests(SynchronousTestCase):
    """
    Real threads, and a reactor of the test's.
    """

    def setUp(self) -> None:
        self.reactor = _Reactor()
        self.workers = self.makeWorkers()
        self.workers.startService()
        self.addCleanup(self.workers.stopService)

    def makeWorkers(self) -> Workers:
        """
        @return: one thread that is not started yet.
        """
        reactor: Any = self.reactor
        return Workers(reactor, threads=1)

    def test_interface(self) -> None:
        """
        It is what the session service needs.
        """
        verifyObject(IWorkers, self.workers)

    def test_result(self) -> None:
        """
        The work is done in another thread, and its outcome comes by the
        reactor.
        """
        where = self.workers.run(threading.get_ident)
        self.reactor.turn()
        self.assertNotEqual(self.successResultOf(where), threading.get_ident())
        done = self.workers.run(int, "ff", base=16)
        self.assertNoResult(done)
        self.reactor.turn()
        self.assertEqual(self.successResultOf(done), 255)

    def test_failure(self) -> None:
        """
        What the work raises is what the Deferred fails with.
        """
        done = self.workers.run(int, "x")
        self.reactor.turn()
        self.failureResultOf(done, ValueError)

    def test_limit(self) -> None:
        """
        There are never more threads than allowed: the second work waits.
        """
        go, order = threading.Event(), list[int]()

        def wait() -> None:
            go.wait(60)
            order.append(1)

        first = self.workers.run(wait)
        second = self.workers.run(order.append, 2)
        go.set()
        self.reactor.turn()
        self.reactor.turn()
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual(order, [1, 2])

    def test_stop(self) -> None:
        """
        A stop waits for the work at hand, and takes no more; stopping twice
        is no error.
        """
        order: list[int] = []
        done = self.workers.run(order.append, 1)
        self.workers.stopService()
        self.assertEqual(order, [1])
        self.reactor.turn()
        self.successResultOf(done)
        late = self.workers.run(order.append, 2)
        self.assertIn("append", str(self.failureResultOf(late, WorkersStopped).value))
        self.workers.stopService()

    def test_beside(self) -> None:
        """
        Others may be started and stopped with them: work there keeps none waiting here.
        """
        reactor: Any = self.reactor
        beside = Workers(reactor, threads=1)
        workers = Workers(reactor, threads=1, beside=beside)
        workers.startService()
        self.addCleanup(workers.stopService)
        go = threading.Event()
        slow = beside.run(go.wait, 60)
        quick = workers.run(int)
        self.reactor.turn()
        self.successResultOf(quick)
        self.assertNoResult(slow)
        go.set()
        self.reactor.turn()
        self.successResultOf(slow)
        workers.stopService()
        self.failureResultOf(beside.run(int), WorkersStopped)

    def test_notStarted(self) -> None:
        """
        Before the start nothing is taken either.
        """
        self.failureResultOf(self.makeWorkers().run(int), WorkersStopped)
