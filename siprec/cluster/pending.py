"""
Those who wait for an answer of a peer.
"""

from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

__all__ = ["Pending", "tookTooLong"]


@define(eq=False, repr=False)
class Pending:
    """
    Finds who waits for the answer of a number.
    """

    _clock: IReactorTime
    _waiting: dict[int, Deferred[Any]] = field(factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self, number: int, timeout: float) -> Deferred[Any]:
        """
        @param timeout: seconds.
        @return: fires with the answer; fails with the built-in L{TimeoutError}, or
            with what ends the waiting.
        """

        def forget(cancelled: Deferred[Any]) -> None:
            self._waiting.pop(number, None)

        waiter = self._waiting[number] = Deferred(forget)
        return waiter.addTimeout(timeout, self._clock, tookTooLong)

    def answer(self, number: int, answer: Any) -> None:
        """
        An answer came; perhaps too late for anyone to wait for it.
        """
        waiter = self._waiting.pop(number, None)
        if waiter is not None:
            waiter.callback(answer)

    def refuse(self, number: int, error: Exception) -> None:
        """
        There is no answer.
        """
        waiter = self._waiting.pop(number, None)
        if waiter is not None:
            waiter.errback(error)

    def fail(self, error: Exception) -> None:
        """
        No more answers will come.
        """
        # One who is told may cancel another.
        while self._waiting:
            self.refuse(next(iter(self._waiting)), error)


def tookTooLong(outcome: object, seconds: float) -> Any:
    """
    What C{addTimeout} makes of a wait that it has cancelled.

    @raise TimeoutError: the built-in one, in place of the cancellation.
    """
    if isinstance(outcome, Failure) and outcome.check(CancelledError):
        raise TimeoutError(f"no answer within {seconds:g} s")
    return outcome
