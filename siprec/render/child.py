"""
One process that renders one recording after another.

It is asked with lines of JSON on its standard input, C{{"directory": ...}}, and
answers each with one on its standard output: C{{"rendering": ...}} or C{{"error": ...}}
(see L{siprec.render.__main__}).
"""

import json
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IDelayedCall, IProcessTransport, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from siprec.render.form import PLAIN, Form

__all__ = ["MAX_ANSWER", "QUICK", "Child", "Job", "RenderFailed"]

#: Octets that a child may answer.
MAX_ANSWER = 64 << 20
#: Seconds: nothing is to wait for a recording that takes longer while there may be another
#: process for it, nor is anything gained by that.
QUICK = 0.5

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
        Keep the promise, unless somebody has cancelled it.
        """
        if not self.done.called:
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

    It may be given jobs before it has done those it has, so that it need not wait for us
    between two of them.  It does them in the order in which it was given them, so that its
    next answer is always that of the first.

    @ivar timeout: seconds that it may take for a job, from when it begins with it: when it
        was given it, or has answered the one before.
    @ivar jobs: what it has; it is at the first.
    @ivar served: how many it has rendered.
    @ivar left: what it had been given, and had not begun with when it ended.
    @ivar ended: fires when the process is gone, after the job that it was at has failed.
    """

    _clock: IReactorTime
    timeout: float
    _idleLimit: float
    _freed: Callable[["Child"], None]
    jobs: deque[Job] = field(factory=deque, init=False)
    served: int = field(default=0, init=False)
    left: list[Job] = field(factory=list, init=False)
    ended: Deferred[None] = field(factory=Deferred, init=False)
    transport: IProcessTransport | None = field(default=None, init=False)
    _ending: bool = field(default=False, init=False)
    _verdict: Exception | None = field(default=None, init=False)
    _timer: IDelayedCall | None = field(default=None, init=False)
    # When it began with what it is at, and how long it took for the one before.
    _begun: float = field(default=0.0, init=False)
    _took: float = field(default=inf, init=False)
    _answer: list[bytes] = field(factory=list, init=False)
    _length: int = field(default=0, init=False)
    # What it complained of since its last answer came, and between that and the one before.
    _errors: bytes = field(default=b"", init=False)
    _earlier: bytes = field(default=b"", init=False)

    @property
    def job(self) -> Job | None:
        """
        What it is at.
        """
        return self.jobs[0] if self.jobs else None

    @property
    def idle(self) -> bool:
        """
        It has nothing to do, and can take a job.
        """
        return not self.jobs and not self._ending

    @property
    def isQuick(self) -> bool:
        """
        It can take a job to do it later, which will not have to wait long: neither the last
        one that it has done, nor what it is at, takes it much time.
        """
        now = self._clock.seconds()
        return not self._ending and max(self._took, now - self._begun) <= QUICK

    def take(self, job: Job) -> None:
        """
        Render a recording, after those that it has; not when it is being ended.
        """
        assert not self._ending and self.transport is not None
        self.jobs.append(job)
        if job is self.job:
            self._errors = self._earlier = b""
            self._begin()
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

        @param verdict: why the job that it is at fails; the first one stays.
        """
        self._ending = True
        self._verdict = self._verdict or verdict
        if self.transport is not None:
            with suppress(ProcessExitedAlready):  # its end is about to be told
                self.transport.signalProcess("KILL")

    def outReceived(self, data: bytes) -> None:
        """
        Some answers, or a part of one.
        """
        # Who gets an answer may give it another job, which none of this is the answer to.
        asked = len(self.jobs)
        while data and not self._ending:
            if not asked:
                self.kill()  # whatever it speaks of, its next answer cannot be trusted
                return
            part, end, data = data.partition(b"\n")
            self._length += len(part)
            self._answer.append(part)
            if self._length > MAX_ANSWER:
                self._answer.clear()
                self.kill(self._failure(f"it answered more than {MAX_ANSWER} octets"))
            elif data and asked == 1:
                self.kill(self._failure("it answered more than once"))
            elif end:
                asked -= 1
                self._answered(self.jobs[0], b"".join(self._answer))
        if self.job is not None and self.job.done.called and not self._ending:
            self.kill()  # it was cancelled while it waited here

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
        error = self._verdict
        if self.jobs:
            # Its last words may have overtaken its last answer.
            self._errors = self._errors or self._earlier
            error = error or self._failure(_describe(reason.value))
            job = self.jobs.popleft()
            self.left = [each for each in self.jobs if not each.done.called]
            self.jobs.clear()
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
        self.jobs.popleft()
        self.served += 1
        self._took = self._clock.seconds() - self._begun
        self._earlier, self._errors = self._errors, b""
        self._begin()
        self._freed(self)

    def _begin(self) -> None:
        """
        It begins with the first job that it has, if there is one.
        """
        self._answer.clear()
        self._length, self._begun = 0, self._clock.seconds()
        if self.job is None:
            self._limit(self._idleLimit)
        else:
            self._limit(self.timeout)

    def _failure(self, reason: str) -> RenderFailed:
        assert self.job is not None
        errors = self._errors.decode("utf-8", "replace").strip()
        return RenderFailed(self.job.directory, reason, errors)

    def _limit(self, seconds: float) -> None:
        """
        There is one timer: of the job, or else of the time without one.
        """
        self._stopTimer()
        self._timer = self._clock.callLater(seconds, self._late)

    def _late(self) -> None:
        late = f"it took longer than {self.timeout:g} seconds"
        self.kill(self._failure(late) if self.jobs else None)

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
