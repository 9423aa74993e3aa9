"""
Fakes of what the HTTP interface asks for.
"""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, execute, fail, succeed
from zope.interface import implementer

from siprec.session.interfaces import IWorkers
from siprec.web.interfaces import INodeControl, NoSuchRecording, NotRunning

_P = ParamSpec("_P")
_T = TypeVar("_T")


@implementer(IWorkers)
@define(eq=False, repr=False)
class ImmediateWorkers:
    """
    Does the work at once, in the thread that asks.

    @ivar called: the names of the functions that were run.
    """

    called: list[str] = field(factory=list)

    def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        """
        See L{IWorkers.run}.
        """
        self.called.append(function.__name__)
        return execute(function, *args, **kwargs)


@implementer(INodeControl)
@define(eq=False, repr=False)
class FakeControl:
    """
    A node that only notes what was asked of it.

    @ivar reasons: what L{notReady} gives.
    @ivar noted: what L{notes} gives.
    @ivar running: manifests of the running recordings, by id.
    @ivar ended: ids that are known but do not run any more.
    @ivar broken: what every Deferred fails with, or C{None}.
    """

    reasons: list[str] = field(factory=list)
    running: dict[str, dict[str, Any]] = field(factory=dict)
    ended: set[str] = field(factory=set)
    broken: Exception | None = None
    drained: int = 0
    stopped: list[tuple[str, str]] = field(factory=list)
    paused: list[tuple[str, str, str | None]] = field(factory=list)
    resumed: list[tuple[str, str, str | None]] = field(factory=list)
    noted: list[str] = field(factory=list)

    def notReady(self) -> list[str]:
        """
        See L{INodeControl.notReady}.
        """
        return list(self.reasons)

    def notes(self) -> list[str]:
        """
        See L{INodeControl.notes}.
        """
        return list(self.noted)

    def nodes(self) -> Deferred[list[dict[str, Any]]]:
        """
        See L{INodeControl.nodes}.
        """
        if self.broken is not None:
            return fail(self.broken)
        return succeed([{"id": "node-a"}])

    def drain(self) -> Deferred[None]:
        """
        See L{INodeControl.drain}.
        """
        if self.broken is not None:
            return fail(self.broken)
        self.drained += 1
        return succeed(None)

    def stopRecording(self, recording: str, who: str) -> Deferred[dict[str, Any]]:
        """
        See L{INodeControl.stopRecording}.
        """
        failure = self._failure(recording)
        if failure is not None:
            return fail(failure)
        self.stopped.append((recording, who))
        return succeed({**self.running.pop(recording), "state": "finishing"})

    def pauseRecording(
        self, recording: str, who: str, reason: str | None
    ) -> Deferred[dict[str, Any]]:
        """
        See L{INodeControl.pauseRecording}.
        """
        failure = self._failure(recording)
        if failure is not None:
            return fail(failure)
        self.paused.append((recording, who, reason))
        return succeed({**self.running[recording], "paused": {"who": who, "reason": reason}})

    def resumeRecording(
        self, recording: str, who: str, reason: str | None
    ) -> Deferred[dict[str, Any]]:
        """
        See L{INodeControl.resumeRecording}.
        """
        failure = self._failure(recording)
        if failure is not None:
            return fail(failure)
        self.resumed.append((recording, who, reason))
        return succeed({**self.running[recording], "paused": None})

    def _failure(self, recording: str) -> Exception | None:
        if self.broken is not None:
            return self.broken
        if recording in self.ended:
            return NotRunning(recording)
        return None if recording in self.running else NoSuchRecording(recording)


__all__ = ["FakeControl", "ImmediateWorkers"]
