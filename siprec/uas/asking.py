"""
Requests whose credentials another node has to judge, as it made the nonce: they
wait for that, and those of the same call wait behind them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.sip.auth import Elsewhere, Why

__all__ = ["Asking", "NobodyToAsk"]

log = Logger()

# How many calls may wait at once, and how many requests of each.
_MOST_CALLS, _MOST_REQUESTS = 200, 16


class NobodyToAsk(Exception):
    """
    The node that made a nonce is not there.
    """


def _nobody(found: Elsewhere) -> Deferred[bool]:
    """
    There are no other nodes.
    """
    return fail(NobodyToAsk())


@define(eq=False, repr=False)
class Asking:
    """
    @ivar ask: asks the node that made a nonce whether this is a good use of it;
        fails if that cannot be known.
    """

    ask: Callable[[Elsewhere], Deferred[bool]] = _nobody
    _waiting: dict[str, deque[Callable[[], None]]] = field(factory=dict, init=False)

    @property
    def busy(self) -> bool:
        """
        Whether any call waits.
        """
        return bool(self._waiting)

    def delays(self, callID: str, action: Callable[[], None]) -> bool:
        """
        @param action: what is to be done with a request.
        @return: whether it has to wait; then it is done later, or never if too
            many wait already.
        """
        queue = self._waiting.get(callID)
        if queue is None:
            return False
        if len(queue) < _MOST_REQUESTS:
            queue.append(action)
        return True

    def begin(self, callID: str, found: Elsewhere, decide: Callable[[Why | None], None]) -> None:
        """
        Have the credentials of a request judged.

        @param callID: its own; none of that call is waited for.
        @param decide: called with what is wrong with them, or C{None}.
        """
        if len(self._waiting) >= _MOST_CALLS:
            decide("staleNonce")
            return
        self._waiting[callID] = deque()
        asking = self.ask(found).addCallbacks(_judged, _unknown)
        asking.addCallback(self._judged, callID, decide)
        asking.addErrback(lambda failure: log.failure("{callID}: lost", failure, callID=callID))

    def _judged(self, why: Why | None, callID: str, decide: Callable[[Why | None], None]) -> None:
        queue = self._waiting.pop(callID)
        try:
            decide(why)
        finally:
            self._goOn(callID, queue)

    def _goOn(self, callID: str, queue: deque[Callable[[], None]]) -> None:
        while queue:
            again = self._waiting.get(callID)
            if again is not None:
                # The one before is being judged in its turn.
                again.extend(queue)
                return
            queue.popleft()()


def _judged(good: bool) -> Why | None:
    return None if good is True else "replayedNonce"


def _unknown(failure: Failure) -> Why | None:
    # Its password is right: it is told to try again with a nonce of this node.
    log.debug("a nonce of another node: {why}", why=failure.getErrorMessage())
    return "staleNonce"
