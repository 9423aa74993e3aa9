"""
The 200s of one dialog, each repeated until its ACK comes (RFC 3261 section
13.3.1.4): L{siprec.sip.repeat.AnswerRepeater} on a clock.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from siprec.sip.interfaces import IServerTransaction
from siprec.sip.message import Response
from siprec.sip.repeat import AnswerRepeater, Effects, Unacknowledged
from siprec.sip.transaction import Send, StartTimer, StopTimer


@define(eq=False, repr=False)
class Answers:
    """
    @ivar onUnacknowledged: called once a 200 has not been acknowledged for
        64*T1, and neither has a later one.
    """

    _clock: IReactorTime
    _onUnacknowledged: Callable[[], None]
    _repeater: AnswerRepeater = field(factory=AnswerRepeater, init=False)
    _transactions: dict[int, IServerTransaction] = field(factory=dict, init=False)
    _timers: dict[str, IDelayedCall] = field(factory=dict, init=False)
    _held: dict[int, tuple[IServerTransaction, Response]] = field(factory=dict, init=False)

    def send(self, transaction: IServerTransaction, response: Response) -> None:
        """
        Answer an INVITE with a 2xx, and repeat that.
        """
        self._transactions[response.cseq.number] = transaction
        self._run(self._repeater.accepted(response))

    def hold(self, transaction: IServerTransaction, response: Response) -> None:
        """
        Another process was to repeat this 2xx: L{release} goes on with it.
        """
        self._held[response.cseq.number] = (transaction, response)

    def release(self) -> None:
        """
        Send and repeat what is held and has not been acknowledged meanwhile.
        """
        held, self._held = self._held, {}
        for transaction, response in held.values():
            self.send(transaction, response)

    def acknowledged(self, number: int) -> bool:
        """
        The ACK to the INVITE of this CSeq has come.

        @return: whether it was awaited; it is not when it comes again.
        """
        awaited = number in self._repeater.waiting or number in self._held
        self._held = {each: held for each, held in self._held.items() if each > number}
        self._run(self._repeater.ack(number))
        self._forget()
        return awaited

    @property
    def waiting(self) -> bool:
        """
        Whether a 200 has not been acknowledged yet.
        """
        return bool(self._repeater.waiting or self._held)

    def stop(self) -> None:
        """
        The dialog is over: repeat nothing more.
        """
        self._held.clear()
        self._run(self._repeater.stop())
        self._forget()

    def _forget(self) -> None:
        waiting = self._repeater.waiting
        self._transactions = {
            number: each for number, each in self._transactions.items() if number in waiting
        }

    def _run(self, effects: Effects) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                message = effect.message
                assert isinstance(message, Response), "answers are responses"
                self._transactions[message.cseq.number].respond(message)
            elif isinstance(effect, StartTimer):
                self._timers[effect.name] = self._clock.callLater(
                    effect.seconds, self._timer, effect.name
                )
            elif isinstance(effect, StopTimer):
                timer = self._timers.pop(effect.name, None)
                if timer is not None:
                    timer.cancel()
            elif isinstance(effect, Unacknowledged):
                self._onUnacknowledged()

    def _timer(self, name: str) -> None:
        del self._timers[name]
        self._run(self._repeater.timer(name))
        self._forget()
