"""
Repeating the 2xx to an INVITE until its ACK (RFC 3261 sections 13.3.1.4 and 14.2).

The transaction does not do it, and a reliable transport does not replace it: a proxy may
change from TCP to UDP on the way.  Like the transactions this is pure: inputs return
effects, and a shell carries them out.
"""

from typing import Protocol

from attrs import define, field, frozen
from automat import TypeMachineBuilder

from siprec.sip.message import Response
from siprec.sip.transaction import LIFETIME, T1, T2, Send, StartTimer, StopTimer


@frozen
class Unacknowledged:
    """
    No ACK came in 64*T1: the session should be ended (RFC 3261 section 13.3.1.4).

    @ivar number: the CSeq of the INVITE.
    """

    number: int


Effect = Send | StartTimer | StopTimer | Unacknowledged
Effects = list[Effect]


class _Repetition(Protocol):
    """
    Inputs of the repetition of one answer.
    """

    def accepted(self) -> Effects:
        """
        The answer is given.
        """

    def timerRepeat(self) -> Effects:
        """
        Time to send it again.
        """

    def timerGiveUp(self) -> Effects:
        """
        The ACK is not to be expected any more.
        """

    def end(self) -> Effects:
        """
        The ACK came, or nobody waits for it.
        """


@define(eq=False, repr=False)
class _Core:
    """
    What a repetition remembers.

    @ivar interval: seconds between the last two copies.
    """

    response: Response
    interval: float = T1


def _repetition() -> "TypeMachineBuilder[_Repetition, _Core]":
    builder = TypeMachineBuilder(_Repetition, _Core)
    idle = builder.state("idle")
    repeating = builder.state("repeating")
    ended = builder.state("ended")

    @idle.upon(_Repetition.accepted).to(repeating)
    def begin(repetition: _Repetition, core: _Core) -> Effects:
        return [
            Send(core.response),
            StartTimer("Repeat", core.interval),
            StartTimer("GiveUp", LIFETIME),
        ]

    @repeating.upon(_Repetition.timerRepeat).loop()
    def repeat(repetition: _Repetition, core: _Core) -> Effects:
        core.interval = min(2 * core.interval, T2)
        return [Send(core.response), StartTimer("Repeat", core.interval)]

    @repeating.upon(_Repetition.timerGiveUp).to(ended)
    def giveUp(repetition: _Repetition, core: _Core) -> Effects:
        return [StopTimer("Repeat"), Unacknowledged(core.response.cseq.number)]

    repeating.upon(_Repetition.end).to(ended).returns([StopTimer("Repeat"), StopTimer("GiveUp")])
    idle.upon(_Repetition.end).to(ended).returns([])
    ended.upon(_Repetition.end).loop().returns([])
    # A timer may be late, and the user may give the same answer twice.
    for state in (repeating, ended):
        state.upon(_Repetition.accepted).loop().returns([])
    for state in (idle, ended):
        state.upon(_Repetition.timerRepeat).loop().returns([])
        state.upon(_Repetition.timerGiveUp).loop().returns([])
    return builder


_Machine = _repetition().build()


@define(eq=False, repr=False)
class AnswerRepeater:
    """
    Repeats the answers to the INVITEs of one dialog.

    There may be more than one without an ACK: a client was seen to send two re-INVITEs at
    once and to acknowledge only the second.  An ACK shows that the peer has come as far
    as its INVITE, so it ends all earlier repetitions too; and while a later answer waits
    for its ACK, the loss of an earlier one is no reason to end the session.
    """

    _running: dict[int, _Repetition] = field(factory=dict, init=False)

    @property
    def waiting(self) -> tuple[int, ...]:
        """
        The CSeq numbers of the INVITEs whose ACK is awaited, in the order of the answers.
        """
        return tuple(self._running)

    def accepted(self, response: Response) -> Effects:
        """
        A 2xx to an INVITE is given: it is sent now and then repeated.

        @param response: its CSeq tells which INVITE it answers; one that is answered
            already has no effect.
        """
        number = response.cseq.number
        if number in self._running:
            return []
        machine = _Machine(_Core(response))
        self._running[number] = machine
        return _named(machine.accepted(), number)

    def ack(self, number: int) -> Effects:
        """
        An ACK came.

        @param number: its CSeq.  One that nobody waits for has no effect.
        """
        return self._end([each for each in self._running if each <= number])

    def timer(self, name: str) -> Effects:
        """
        A timer that was started has run out.

        @param name: as it was started.
        """
        kind, _, text = name.partition(":")
        number = int(text)
        machine = self._running.get(number)
        if machine is None:
            return []
        if kind == "Repeat":
            return _named(machine.timerRepeat(), number)
        del self._running[number]
        effects = _named(machine.timerGiveUp(), number)
        if any(later > number for later in self._running):
            return [each for each in effects if not isinstance(each, Unacknowledged)]
        return effects

    def stop(self) -> Effects:
        """
        The dialog is over, or another node goes on with it: nothing more is sent.
        """
        return self._end(list(self._running))

    def _end(self, numbers: list[int]) -> Effects:
        effects: Effects = []
        for number in numbers:
            effects.extend(_named(self._running.pop(number).end(), number))
        return effects


def _named(effects: Effects, number: int) -> Effects:
    """
    @return: the effects, with the INVITE's number in the name of each timer.
    """
    named: Effects = []
    for each in effects:
        if isinstance(each, StartTimer):
            each = StartTimer(f"{each.name}:{number}", each.seconds)
        elif isinstance(each, StopTimer):
            each = StopTimer(f"{each.name}:{number}")
        named.append(each)
    return named
