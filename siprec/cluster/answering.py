"""
Answering what a peer asks.
"""

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.cluster.errors import Refusal
from siprec.cluster.handshake import Peer
from siprec.cluster.wire import Answer, Failed, encode

__all__ = ["MAX_REQUESTS", "Answering"]

log = Logger()

#: Requests that are under way at most, on one link, in each direction.
MAX_REQUESTS = 256

_LONGEST_TEXT = 500


@define(eq=False, repr=False)
class Answering:
    """
    The requests of one peer that are being answered.

    @ivar underWay: how many there are.
    """

    # Is given the peer, kind and body of each request and notice.
    _answer: Callable[[Peer, str, Any], Any]
    # Take a frame that answers, and one that says no; the first may be refused.
    _reply: Callable[[bytes], bool]
    _refuse: Callable[[bytes], None]
    underWay: int = field(default=0, init=False)

    def work(self, peer: Peer, kind: str, body: Any, number: int | None) -> None:
        """
        Have a request answered, or a notice (without a number) heeded.
        """
        if self.underWay >= MAX_REQUESTS:
            self._fail(number, "LinkBusy", f"{MAX_REQUESTS} requests are under way")
            return
        self.underWay += 1
        done = maybeDeferred(self._answer, peer, kind, body)
        done.addCallback(self._answered, number)
        done.addErrback(self._failed, peer, kind, number)
        done.addBoth(self._worked)

    def _answered(self, body: Any, number: int | None) -> None:
        if number is not None and not self._reply(encode(Answer(number, body))):
            self._fail(number, "LinkBusy", "you do not take what was sent")

    def _failed(self, reason: Failure, peer: Peer, kind: str, number: int | None) -> None:
        if reason.check(Refusal):
            log.debug("{kind} refused: {reason}", kind=kind, reason=reason.getErrorMessage())
        else:
            log.failure("{kind} of {peer} failed", reason, kind=kind, peer=peer)
        self._fail(number, type(reason.value).__name__, str(reason.value))

    def _fail(self, number: int | None, name: str, text: str) -> None:
        if number is not None:
            self._refuse(encode(Failed(number, name, text[:_LONGEST_TEXT])))

    def _worked(self, result: object) -> None:
        self.underWay -= 1
