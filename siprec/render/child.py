"""
One process that renders one recording after another.

It is asked with a line of JSON on its standard input, C{{"directory": ...}}, and
answers with one on its standard output: C{{"rendering": ...}} or C{{"error": ...}}
(see L{siprec.render.__main__}).
"""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IDelayedCall, IProcessTransport, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from siprec.render.form import PLAIN, Form

__all__ = ["MAX_ANSWER", "Child", "Job", "RenderFailed"]

#: Octets that a child may answer.
MAX_ANSWER = 64 << 20

_TAIL = 2000  # octets of what a child complained about that are kept


class RenderFailed(Exception):
    """
    A recording could not be rendered.  Its journals are as they were.

    @ivar directory: the recording's folder.
    @ivar reason: in one line.
    @ivar errors: the end of what the process wrote to its standard error meanwhile.
    """

    def __init__(self, directory: str, reason: str, errors: str = "") -> None:
        super().__init__(f"{reason}: {errors}" if errors else reason)
        self.directory, self.reason, self.errors = directory, reason, errors


@define(eq=False, repr=False)
class Job:
    """
    A recording that is to be rendered.

    @ivar split: see L{siprec.render.recording.renderDirectory}, as for C{maskDigits}
        and C{form}.
    @ivar done: what was promised for it; to cancel it calls C{cancel} with the job.
    """

    directory: str
    _cancel: Callable[["Job"], None]
    split: str = "none"
    maskDigits: bool = False
    form: Form = PLAIN
    done: Deferred[dict[str, Any]] = field(init=False)

    @done.default
    def _promise(self) -> Deferred[dict[str, Any]]:
        return Deferred(lambda _: self._cancel(self))

    def succeed(self, rendering: dict[str, Any]) -> None:
        """
        Keep the promise.
        """
        self.done.callback(rendering)

    def fail(self, error: Exception) -> None:
        """
        Break the promise, unless somebody has cancelled it.
        """
        if not self.done.called:
            self.done.errback(error)


@define(eq=False, repr=False, slots=False)
class Child(ProcessProtocol):
    """
    The parent's side of the process.

    @ivar job: what it renders.
    @ivar served: how many it has rendered.
    @ivar ended: fires when the process is gone, after its job has failed.
    """

    _clock: IReactorTime
    _idleLimit: float
    _freed: Callable[["Child"], None]
    job: Job | None = field(default=None, init=False)
    served: int = field(default=0, init=False)
    ended: Deferred[None] = field(factory=Deferred, init=False)
    transport: IProcessTransport | None = field(default=None, init=False)
    _ending: bool = field(default=False, init=False)
    _verdict: Exception | None = field(default=None, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)
    _answer: list[bytes] = field(factory=list, init=False)
    _length: int = field(default=0, init=False)
    _errors: bytes = field(default=b"", init=False)

    @property
    def idle(self) -> bool:
        """
        It can take a job.
        """
        return self.job is None and not self._ending

    def take(self, job: Job, timeout: float) -> None:
        """
        Render a recording; only when it is idle.

        @param timeout: seconds after which the process is killed.
        """
        assert self.idle and self.transport is not None
        self.job, self._length, self._errors = job, 0, b""
        self._answer.clear()
        self._limit(timeout, self._failure(f"it took longer than {timeout:g} seconds"))
        asked: dict[str, object] = {"directory": job.directory}
        if job.split != "none":
            asked["split"] = job.split
        if job.form != PLAIN:
            asked["form"] = job.form.asked()
        if job.maskDigits:
            asked["maskDigits"] = True
        self.transport.write(json.dumps(asked).encode() + b"\n")

    def kill(self, verdict: Exception | None = None) -> None:
        """
        End the process.  It has nothing to lose: what it has answered is on the disk.

        @param verdict: why its job fails; the first one stays.
        """
        self._ending = True
        self._verdict = self._verdict or verdict
        if self.transport is not None:
            with suppress(ProcessExitedAlready):  # its end is about to be told
                self.transport.signalProcess("KILL")

    def outReceived(self, data: bytes) -> None:
        """
        A part of the answer.
        """
        if self._ending:
            return
        if self.job is None:
            self.kill()  # whatever it speaks of, its next answer cannot be trusted
            return
        part, end, rest = data.partition(b"\n")
        self._length += len(part)
        self._answer.append(part)
        if self._length > MAX_ANSWER:
            self._answer.clear()
            self.kill(self._failure(f"it answered more than {MAX_ANSWER} octets"))
        elif rest:
            self.kill(self._failure("it answered more than once"))
        elif end:
            self._answered(self.job, b"".join(self._answer))

    def errReceived(self, data: bytes) -> None:
        """
        A part of a complaint.
        """
        self._errors = (self._errors + data)[-_TAIL:]

    def processEnded(self, reason: Failure) -> None:
        """
        The process is gone and all it wrote is here.
        """
        self._ending = True  # before anybody hears of it and looks for a free child
        self._stopTimer()
        job, error = self.job, self._verdict
        if job is not None:
            error = error or self._failure(_describe(reason.value))
            self.job = None
            job.fail(error)
        self.ended.callback(None)

    def _answered(self, job: Job, line: bytes) -> None:
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError) as error:
            self.kill(self._failure(f"no JSON: {error}"))
            return
        match answer:
            case {"rendering": dict(rendering)}:
                self._free()
                job.succeed(rendering)
            case {"error": str(reason)}:
                failure = self._failure(reason)
                self._free()
                job.fail(failure)
            case _:
                self.kill(self._failure("its JSON is no answer"))

    def _free(self) -> None:
        self.job = None
        self.served += 1
        self._answer.clear()
        self._limit(self._idleLimit, None)
        self._freed(self)

    def _failure(self, reason: str) -> RenderFailed:
        assert self.job is not None
        errors = self._errors.decode("utf-8", "replace").strip()
        return RenderFailed(self.job.directory, reason, errors)

    def _limit(self, seconds: float, verdict: Exception | None) -> None:
        """
        There is one timer: of the job, or else of the time without one.
        """
        self._stopTimer()
        self._timer = self._clock.callLater(seconds, self.kill, verdict)

    def _stopTimer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()


def _describe(status: BaseException | None) -> str:
    """
    @return: how a process ended that should not have.
    """
    if isinstance(status, ProcessTerminated) and status.signal is not None:
        return f"killed by signal {status.signal}"
    return f"exit status {getattr(status, 'exitCode', None)}"
