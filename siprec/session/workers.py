"""
Threads for blocking work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from siprec.session.interfaces import IWorkers

_P = ParamSpec("_P")
_T = TypeVar("_T")


class WorkersStopped(Exception):
    """
    The node is stopping; no further work is taken.
    """


@implementer(IWorkers)
@define(eq=False, repr=False, slots=False)
class Workers(Service):
    """
    A thread pool that stops when all it was given is done.

    @ivar threads: at most this many at once.
    """

    _reactor: IReactorFromThreads
    threads: int = 4
    _pool: ThreadPool | None = field(default=None, init=False)

    def startService(self) -> None:
        """
        See L{twisted.application.service.IService.startService}.
        """
        super().startService()
        self._pool = ThreadPool(minthreads=0, maxthreads=self.threads, name="siprec-files")
        self._pool.start()

    def stopService(self) -> None:
        """
        Wait for the work at hand; there is none unless the stop was forced.
        """
        super().stopService()
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()

    def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        """
        See L{IWorkers.run}.
        """
        if self._pool is None:
            return fail(WorkersStopped(function.__qualname__))
        return deferToThreadPool(self._reactor, self._pool, function, *args, **kwargs)
