"""
The order in which messages are looked at: what belongs to calls that run goes before new
calls, each of which makes more to do.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol, TypeGuard

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from siprec.sip.errors import BadMessage
from siprec.sip.flow import Flow
from siprec.sip.interfaces import IMessageReceiver
from siprec.sip.matching import ServerKey, serverKey
from siprec.sip.message import Request, Response
from siprec.sip.transaction import LIFETIME

__all__ = ["Door", "Intake"]

# Seconds of one turn of the reactor that go to new calls.  Then what has come meanwhile is
# read, so that no ACK and no BYE waits for longer.
_SLICE = 0.008

# Who has to wait longer than that, in seconds, is told so: else copies come.
_MOMENT = 0.2

# So many may wait; each takes a few kilobytes.
_MOST = 5000

# So many that were refused are known again: who repeats one has not heard the answer.
_REFUSED = 5000

_Key = tuple[ServerKey, str]


class Door(Protocol):
    """
    Who gets the messages.
    """

    def messageReceived(self, message: Request | Response, flow: Flow) -> None:
        """
        See L{IMessageReceiver.messageReceived}.
        """

    def badMessage(self, error: BadMessage, flow: Flow) -> None:
        """
        See L{IMessageReceiver.badMessage}.
        """

    def waits(self, request: Request, flow: Flow) -> None:
        """
        A new call is to wait for a moment.
        """

    def tooLate(self, request: Request, flow: Flow) -> None:
        """
        A new call has waited for too long, or too many do.
        """


@implementer(IMessageReceiver)
@define(eq=False, repr=False)
class Intake:
    """
    Gives new calls to C{door} as fast as it takes them, and all else at once.

    Where more calls come than can be taken, each would else wait for an answer behind all
    others, and so would the ACK to that: copies of both are sent, and there is ever more to
    do.

    @ivar patience: seconds that a new call may wait; 0: for ever.
    @ivar messages: how many have come.
    """

    _clock: IReactorTime
    _door: Door
    patience: float = 0.0
    messages: int = field(default=0, init=False)
    _waiting: OrderedDict[_Key, tuple[float, Request, Flow]] = field(
        factory=OrderedDict, init=False
    )
    # Since when.
    _refused: OrderedDict[_Key, float] = field(factory=OrderedDict, init=False)
    _next: IDelayedCall | None = field(default=None, init=False)
    # Seconds of this turn that new calls have taken.
    _spent: float = field(default=0.0, init=False)

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def waited(self) -> float:
        """
        For how many seconds the oldest has waited that still does.
        """
        now = self._clock.seconds()
        return now - next((since for since, _, _ in self._waiting.values()), now)

    def messageReceived(self, message: Request | Response, flow: Flow) -> None:
        """
        See L{IMessageReceiver.messageReceived}.
        """
        self.messages += 1
        self._forget()
        if not self._canWait(message):
            self._door.messageReceived(message, flow)
        elif not self._waiting and not self._refused and self._spent < _SLICE:
            self._take(message, flow)
        else:
            self._queue(message, flow)

    def _forget(self) -> None:
        # Copies come for no longer.
        while self._refused:
            since = next(iter(self._refused.values()))
            if self._clock.seconds() - since < LIFETIME:
                return
            self._refused.popitem(last=False)

    def _queue(self, request: Request, flow: Flow) -> None:
        key = (serverKey(request), request.method)
        if key in self._refused:
            self._door.tooLate(request, flow)
        elif key in self._waiting:
            return  # a copy
        elif len(self._waiting) < _MOST:
            self._waiting[key] = (self._clock.seconds(), request, flow)
            self._goOn()
            if self.waited > _MOMENT and request.method == "INVITE":
                self._door.waits(request, flow)
        else:
            self._refuse(key, request, flow)

    def _refuse(self, key: _Key, request: Request, flow: Flow) -> None:
        # A copy that comes when there is time again must not begin a call of which its peer
        # knows nothing any more.
        self._refused[key] = self._clock.seconds()
        if len(self._refused) > _REFUSED:
            self._refused.popitem(last=False)
        self._door.tooLate(request, flow)

    def badMessage(self, error: BadMessage, flow: Flow) -> None:
        """
        See L{IMessageReceiver.badMessage}.
        """
        self._door.badMessage(error, flow)

    def _canWait(self, message: Request | Response) -> TypeGuard[Request]:
        if not isinstance(message, Request) or message.toTag is not None:
            return False
        # A CANCEL must not come before its INVITE.
        return message.method == "INVITE" or bool(message.method == "CANCEL" and self._waiting)

    def _take(self, request: Request, flow: Flow) -> None:
        began = self._clock.seconds()
        try:
            self._door.messageReceived(request, flow)
        finally:
            self._spent += self._clock.seconds() - began
            if self._spent:
                self._goOn()

    def _goOn(self) -> None:
        if self._next is None:
            self._next = self._clock.callLater(0, self._turn)

    def _turn(self) -> None:
        self._next, self._spent = None, 0.0
        while self._waiting and self._spent < _SLICE:
            key, (since, request, flow) = self._waiting.popitem(last=False)
            if 0 < self.patience < self._clock.seconds() - since:
                self._refuse(key, request, flow)
            else:
                self._take(request, flow)
        if self._waiting:
            self._goOn()
