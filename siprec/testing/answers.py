"""
The 2xx to an INVITE, given and repeated by a user agent (RFC 3261 section
13.3.1.4).
"""

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from siprec.sip.interfaces import IServerTransaction
from siprec.sip.message import Request, Response
from siprec.sip.repeat import AnswerRepeater, Effects
from siprec.sip.transaction import Send, StartTimer, StopTimer


@define(eq=False, repr=False)
class Answers:
    """
    The answers of one call, carried out on a clock.
    """

    _clock: IReactorTime
    _repeater: AnswerRepeater = field(factory=AnswerRepeater, init=False)
    _timers: dict[str, IDelayedCall] = field(factory=dict, init=False)

    def give(self, transaction: IServerTransaction, response: Response) -> None:
        """
        Answer an INVITE with a 2xx, again and again until it is acknowledged.
        """
        self._carryOut(transaction, self._repeater.accepted(response))

    def acknowledged(self, ack: Request) -> None:
        """
        The ACK came.
        """
        self._carryOut(None, self._repeater.ack(ack.cseq.number))

    def stop(self) -> None:
        """
        Repeat nothing any more.
        """
        self._carryOut(None, self._repeater.stop())

    def _carryOut(self, transaction: IServerTransaction | None, effects: Effects) -> None:
        for effect in effects:
            if isinstance(effect, Send) and transaction is not None:
                assert isinstance(effect.message, Response)
                transaction.respond(effect.message)
            elif isinstance(effect, StartTimer):
                self._timers[effect.name] = self._clock.callLater(
                    effect.seconds, self._timer, effect.name, transaction
                )
            elif isinstance(effect, StopTimer) and effect.name in self._timers:
                self._timers.pop(effect.name).cancel()

    def _timer(self, name: str, transaction: IServerTransaction | None) -> None:
        del self._timers[name]
        self._carryOut(transaction, self._repeater.timer(name))


__all__ = ["Answers"]
