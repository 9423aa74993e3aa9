"""
What runs the transaction machines: their timers on a clock, and the things that
all transactions of one layer share.
"""

from collections import Counter, deque
from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.sip.interfaces import FlowGone, ISipTransport
from siprec.sip.transaction import Effect, Effects, Finished, StartTimer, StopTimer

_log = Logger()


def nothing() -> None:
    """
    Nobody is to be told.
    """


def _ended(effect: Effect) -> None:
    """
    Take the place of whoever carries out what a transaction asks for once it has ended:
    the two would keep each other in memory until the garbage collector comes by.
    """


@define(eq=False, repr=False)
class TransactionRunner:
    """
    Carries out the effects of one machine: the timers itself, all else by
    C{_perform}.  Effects that come up meanwhile wait for their turn, so a
    machine is never entered twice.
    """

    _clock: IReactorTime
    _machine: object
    _perform: Callable[[Effect], None]
    _timers: dict[str, IDelayedCall] = field(factory=dict)
    _waiting: deque[Effect] = field(factory=deque)
    _busy: bool = False
    _stopped: bool = False
    _finished: bool = False

    def run(self, effects: Effects) -> None:
        """
        Carry out these effects, in order; nothing after L{stop}.
        """
        if self._stopped:
            return
        self._waiting.extend(effects)
        if self._busy:
            return
        self._busy = True
        try:
            while self._waiting:
                self._carryOut(self._waiting.popleft())
        finally:
            self._busy = False
            if self._finished:
                self._perform = _ended

    def startTimer(self, name: str, seconds: float, call: Callable[[], None]) -> None:
        """
        Call after C{seconds}, unless the transaction ends or the timer is
        stopped before.
        """
        self.stopTimer(name)
        if self._stopped:
            return

        def fire() -> None:
            del self._timers[name]
            call()

        self._timers[name] = self._clock.callLater(seconds, fire)

    def stopTimer(self, name: str) -> None:
        """
        Forget a timer, if it runs.
        """
        running = self._timers.pop(name, None)
        if running is not None:
            running.cancel()

    def stop(self) -> None:
        """
        Forget all timers, and do nothing more.
        """
        self._stopped = True
        self._stopTimers()
        self._perform = _ended

    def _stopTimers(self) -> None:
        for name in list(self._timers):
            self.stopTimer(name)

    def _carryOut(self, effect: Effect) -> None:
        if isinstance(effect, StartTimer):
            name = effect.name
            self.startTimer(name, effect.seconds, lambda: self._timer(name))
        elif isinstance(effect, StopTimer):
            self.stopTimer(effect.name)
        else:
            if isinstance(effect, Finished):
                self._finished = True
                self._stopTimers()
            self._perform(effect)

    def _timer(self, name: str) -> None:
        self.run(getattr(self._machine, f"timer{name}")())


@define(eq=False, repr=False)
class Surroundings:
    """
    What every transaction of one layer shares.

    @ivar counters: of events, by name; see L{siprec.sip.layer.SipLayer}.
    @ivar responses: sent, by status.
    """

    clock: IReactorTime
    _transport: ISipTransport | None
    counters: Counter[str]
    responses: Counter[str]

    @property
    def transport(self) -> ISipTransport:
        """
        What messages are sent by.

        @raise RuntimeError: it is not set yet.
        """
        if self._transport is None:
            raise RuntimeError("this layer has no transport yet")
        return self._transport

    def use(self, transport: ISipTransport) -> None:
        """
        Set the transport.
        """
        self._transport = transport


def transmit(around: Surroundings, sending: Deferred[None], failed: Callable[[], None]) -> None:
    """
    Note how the sending of one message ends.
    """

    def failure(reason: Failure) -> None:
        around.counters["sendFailures"] += 1
        if reason.check(FlowGone):
            _log.debug("not sent: {reason}", reason=reason.getErrorMessage())
        else:
            _log.failure("not sent", reason)
        failed()

    sending.addErrback(failure)
