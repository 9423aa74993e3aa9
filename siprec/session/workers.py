"""
Threads for blocking work.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, ParamSpec, TypeVar

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure
from zope.interface import implementer

from siprec.session.interfaces import IWorkers

_P = ParamSpec("_P")
_T = TypeVar("_T")


class WorkersStopped(Exception):
    """
    The node is stopping; no further work is taken.
    """


@frozen(eq=False)
class _Work:
    """
    @ivar done: is told how it ended.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    done: Deferred[Any]


@implementer(IWorkers)
@define(eq=False, repr=False, slots=False)
class Workers(Service):
    """
    Threads that end when all they were given is done.

    Not a C{ThreadPool}: a call needs several works, and what that one does for each in
    the reactor's thread takes three times as long as this.

    @ivar threads: at most this many at once.
    @ivar beside: others, which start and stop with these.
    """

    _reactor: IReactorFromThreads
    threads: int = 4
    beside: Workers | None = None
    # None, once for each thread: it is to end.
    _works: SimpleQueue[_Work | None] = field(factory=SimpleQueue, init=False)
    _started: list[Thread] = field(factory=list, init=False)
    # How many works are not done: threads are started as they are needed.
    _open: int = field(default=0, init=False)

    def startService(self) -> None:
        """
        See L{twisted.application.service.IService.startService}.
        """
        super().startService()
        if self.beside is not None:
            self.beside.startService()

    def stopService(self) -> None:
        """
        Wait for the work at hand; there is none unless the stop was forced.
        """
        super().stopService()
        started, self._started = self._started, []
        for _ in started:
            self._works.put(None)
        for thread in started:
            thread.join()
        if self.beside is not None:
            self.beside.stopService()

    def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        """
        See L{IWorkers.run}.
        """
        if not self.running:
            return fail(WorkersStopped(function.__qualname__))
        self._open += 1
        if self._open > len(self._started) < self.threads:
            thread = Thread(target=self._serve, name=f"siprec-files-{len(self._started)}")
            thread.start()
            self._started.append(thread)
        done: Deferred[_T] = Deferred()
        self._works.put(_Work(function, args, kwargs, done))
        return done

    def _serve(self) -> None:
        while (work := self._works.get()) is not None:
            try:
                result = work.function(*work.args, **work.kwargs)
            except BaseException:
                result = Failure()
            self._reactor.callFromThread(self._ended, work.done, result)
            # Nothing is to be kept alive while there is nothing to do.
            del work, result

    def _ended(self, done: Deferred[Any], result: Any) -> None:
        self._open -= 1
        # A Failure is what callback() takes for one, too.
        done.callback(result)
