"""
Render recordings in child processes, a few at a time.
"""

import os
import sys
from collections import deque
from collections.abc import Mapping
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, fail
from twisted.internet.interfaces import IReactorProcess
from twisted.internet.interfaces import IReactorTime as IClock
from zope.interface import implementer

import siprec
from siprec.render.child import Child, Job, RenderFailed
from siprec.render.form import PLAIN, Form
from siprec.render.silence import silence
from siprec.session.interfaces import IRenderer, RendererStopped, Silence

__all__ = ["AHEAD", "IDLE", "JOBS", "TIMEOUT", "RenderFailed", "Renderer"]

#: Seconds after which a rendering is given up.  A call of a day takes half a minute,
#: and with Ogg Opus an hour.
TIMEOUT = 7200.0
#: Recordings after which a child is replaced, so that memory which is not given
#: back is no matter.  To start one costs as much as fifty short recordings.
JOBS = 500
#: Seconds after which a child without work is ended.
IDLE = 60.0
#: Recordings that a child may have beside the one that it is at.  We may look at its answers
#: every tenth of a second only, in which it renders so many short ones.
AHEAD = 8


@implementer(IRenderer)
@define(eq=False, repr=False, slots=False)
class Renderer(Service):
    """
    Gives recordings to children that run C{python -m siprec.render --serve}.

    A child is started when there is work and none is free; where there are enough, those
    that are quick are given work ahead.  One that dies, is killed or takes too long takes
    only the recording with it that it was at: the others that it has are the next again.

    @ivar workers: at most so many processes at once.
    @ivar timeout: seconds that one recording may take.
    @ivar jobs: how many recordings one child renders.
    @ivar idle: seconds that a child waits for the next one.
    @ivar ahead: how many a child may have beside the one that it is at.
    @ivar split: what files there are beside the whole: see
        L{siprec.render.recording.renderDirectory}, as for C{maskDigits} and C{form}.
    """

    _reactor: IReactorProcess
    _clock: IClock
    workers: int = 1
    timeout: float = TIMEOUT
    jobs: int = JOBS
    idle: float = IDLE
    ahead: int = AHEAD
    split: str = "none"
    maskDigits: bool = False
    form: Form = PLAIN
    _waiting: deque[Job] = field(factory=deque, init=False)
    #: Who had work last is last, and gets it first: so those too many become idle.
    _children: list[Child] = field(factory=list, init=False)

    @property
    def waiting(self) -> int:
        """
        How many recordings wait for a process, or for their turn in one.
        """
        return len(self._waiting) + sum(max(len(each.jobs) - 1, 0) for each in self._children)

    def render(self, directory: str) -> Deferred[dict[str, Any]]:
        """
        See L{IRenderer.render}; fails with L{RenderFailed}.  Cancelling it ends
        the process that is at it, or that comes to it later.
        """
        if not self.running:
            return fail(RendererStopped(directory))
        job = Job(directory, self._cancel, self.split, self.maskDigits, self.form)
        self._waiting.append(job)
        self._next()
        return job.done

    def silence(self, manifest: Mapping[str, Any]) -> Silence | None:
        """
        See L{IRenderer.silence}.
        """
        return silence(manifest, self.form) if self.split == "none" else None

    def stopService(self) -> Deferred[None]:
        """
        Kill what runs and give up what waits.

        @return: fires when no process is left.
        """
        super().stopService()
        waiting, self._waiting = self._waiting, deque()
        gone = DeferredList([child.ended for child in self._children])
        for child in list(self._children):
            child.kill(RendererStopped(child.job.directory) if child.job else None)
            waiting.extend(job for job in child.jobs if job is not child.job)
        for job in waiting:
            job.fail(RendererStopped(job.directory))
        return gone.addCallback(lambda _: None)

    def _cancel(self, job: Job) -> None:
        if job in self._waiting:
            self._waiting.remove(job)
        for child in self._children:
            if child.job is job:
                child.kill(RendererStopped(job.directory))

    def _next(self) -> None:
        while self._waiting:
            child = self._free()
            if child is None and len(self._children) < self.workers:
                try:
                    child = self._spawn()
                except OSError as error:
                    # With others there it waits for one of them that is free, or gone.
                    if not self._children:
                        job = self._waiting.popleft()
                        reason = f"no process could be started: {error.strerror}"
                        job.fail(RenderFailed(job.directory, reason))
                        continue
            child = child or self._quick()
            if child is None:
                return
            child.take(self._waiting.popleft())

    def _free(self) -> Child | None:
        return next((child for child in reversed(self._children) if child.idle), None)

    def _quick(self) -> Child | None:
        """
        @return: of those who may be given work ahead the one that has least.
        """
        able = (
            child
            for child in self._children
            if child.isQuick
            and len(child.jobs) <= self.ahead
            and child.served + len(child.jobs) < self.jobs
        )
        return min(able, key=lambda child: len(child.jobs), default=None)

    def _spawn(self) -> Child:
        # -P: what lies in the working directory is none of its business.
        command = [sys.executable, "-P", "-m", "siprec.render", "--serve"]
        child = Child(self._clock, self.timeout, self.idle, self._freed)
        self._reactor.spawnProcess(child, command[0], command, env=_environment())
        self._children.append(child)
        child.ended.addCallback(lambda _: self._ended(child))
        return child

    def _freed(self, child: Child) -> None:
        self._children.remove(child)
        self._children.append(child)
        if child.served >= self.jobs:
            child.kill()
        self._next()

    def _ended(self, child: Child) -> None:
        self._children.remove(child)
        self._waiting.extendleft(reversed(child.left))
        self._next()


def _environment() -> dict[str, str]:
    """
    @return: an environment in which a child finds the very same package.
    """
    root = os.path.dirname(os.path.dirname(os.path.abspath(siprec.__file__)))
    paths = [root, os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        # There is no algebra in it that is worth a pool of threads.
        "OPENBLAS_NUM_THREADS": "1",
    }
