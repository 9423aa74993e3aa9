"""
Tests for L{siprec.sip.repeat}.
"""

from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.headers import Headers
from siprec.sip.message import Response
from siprec.sip.repeat import AnswerRepeater, Effects, Unacknowledged
from siprec.sip.transaction import Send, StartTimer, StopTimer


def ok(number: int) -> Response:
    """
    @return: a 200 to the INVITE of this number.
    """
    return Response(200, "OK", Headers([("CSeq", f"{number} INVITE")]))


@define
class Shell:
    """
    Carries effects out on a clock and notes when what was sent or given up.
    """

    clock: Clock = field(factory=Clock)
    repeater: AnswerRepeater = field(factory=AnswerRepeater)
    sent: list[tuple[float, int]] = field(factory=list)
    givenUp: list[tuple[float, int]] = field(factory=list)
    timers: dict[str, IDelayedCall] = field(factory=dict)

    def run(self, effects: Effects) -> None:
        """
        Carry out C{effects} in order.
        """
        for effect in effects:
            if isinstance(effect, StartTimer):
                self.timers[effect.name] = self.clock.callLater(
                    effect.seconds, self.fire, effect.name
                )
            elif isinstance(effect, StopTimer):
                self.timers.pop(effect.name).cancel()
            elif isinstance(effect, Unacknowledged):
                self.givenUp.append((self.clock.seconds(), effect.number))
            else:
                assert isinstance(effect.message, Response)
                self.sent.append((self.clock.seconds(), effect.message.cseq.number))

    def fire(self, name: str) -> None:
        """
        A timer has run out.
        """
        del self.timers[name]
        self.run(self.repeater.timer(name))


class OneAnswerTests(SynchronousTestCase):
    """
    One 2xx is repeated until its ACK (RFC 3261 section 13.3.1.4).
    """

    def setUp(self) -> None:
        self.shell = Shell()

    def pump(self, seconds: float) -> None:
        """
        Let time pass in steps of an eighth of a second, which adds up without error.
        """
        self.shell.clock.pump([0.125] * round(seconds * 8))

    def times(self) -> list[float]:
        """
        @return: when something was sent.
        """
        return [time for time, _ in self.shell.sent]

    def test_D1_intervals(self) -> None:
        """
        It is sent at once, after T1, and then at intervals that double up to T2.
        """
        self.shell.run(self.shell.repeater.accepted(ok(1)))
        self.assertEqual(self.times(), [0])
        self.pump(12)
        self.assertEqual(self.times(), [0, 0.5, 1.5, 3.5, 7.5, 11.5])

    def test_D1_ack(self) -> None:
        """
        The ACK ends it and no timer is left; a repeated ACK has no effect.
        """
        repeater = self.shell.repeater
        self.shell.run(repeater.accepted(ok(1)))
        self.pump(1)
        self.assertEqual(repeater.waiting, (1,))
        self.shell.run(repeater.ack(1))
        self.assertEqual(repeater.waiting, ())
        self.assertEqual(self.shell.clock.getDelayedCalls(), [])
        self.pump(40)
        self.assertEqual(len(self.shell.sent), 2)
        self.assertEqual(self.shell.givenUp, [])
        self.assertEqual(repeater.ack(1), [])

    def test_D1_noAck(self) -> None:
        """
        Without an ACK it is given up after 64*T1, and nothing more is sent.
        """
        self.shell.run(self.shell.repeater.accepted(ok(7)))
        self.pump(60)
        self.assertEqual(self.shell.givenUp, [(32, 7)])
        self.assertEqual(self.times()[-1], 31.5)
        self.assertEqual(self.shell.clock.getDelayedCalls(), [])
        self.assertEqual(self.shell.repeater.waiting, ())

    def test_effects(self) -> None:
        """
        The exact effects of each input.
        """
        repeater = AnswerRepeater()
        answer = ok(3)
        self.assertEqual(
            repeater.accepted(answer),
            [Send(answer), StartTimer("Repeat:3", 0.5), StartTimer("GiveUp:3", 32.0)],
        )
        self.assertEqual(repeater.accepted(answer), [])
        self.assertEqual(repeater.timer("Repeat:3"), [Send(answer), StartTimer("Repeat:3", 1.0)])
        self.assertEqual(repeater.ack(2), [])
        self.assertEqual(repeater.ack(3), [StopTimer("Repeat:3"), StopTimer("GiveUp:3")])
        self.assertEqual(repeater.timer("Repeat:3"), [])
        self.assertEqual(repeater.timer("GiveUp:3"), [])

    def test_stop(self) -> None:
        """
        When the dialog is over, or goes to another node, nothing is left to do.
        """
        repeater = self.shell.repeater
        self.shell.run(repeater.accepted(ok(1)))
        self.shell.run(repeater.accepted(ok(2)))
        self.shell.run(repeater.stop())
        self.assertEqual(self.shell.clock.getDelayedCalls(), [])
        self.assertEqual(repeater.stop(), [])


class OverlappingAnswerTests(SynchronousTestCase):
    """
    A peer may let a second INVITE follow the first at once (CONFORMANCE J1).
    """

    def setUp(self) -> None:
        self.shell = Shell()
        for number in (1, 2):
            self.shell.run(self.shell.repeater.accepted(ok(number)))

    def test_J1_laterAckEndsBoth(self) -> None:
        """
        Only the second is acknowledged: the first is not repeated any more, and its
        missing ACK does not end the session.
        """
        self.shell.run(self.shell.repeater.ack(2))
        self.shell.clock.pump([0.5] * 100)
        self.assertEqual(self.shell.sent, [(0, 1), (0, 2)])
        self.assertEqual(self.shell.givenUp, [])

    def test_J1_earlierAck(self) -> None:
        """
        An ACK to the first leaves the second waiting for its own.
        """
        self.shell.run(self.shell.repeater.ack(1))
        self.assertEqual(self.shell.repeater.waiting, (2,))
        self.shell.clock.pump([0.5] * 100)
        self.assertEqual(self.shell.givenUp, [(32, 2)])

    def test_J1_laterDecides(self) -> None:
        """
        While a later answer still waits, the loss of an earlier one says nothing.
        """
        self.shell.run(self.shell.repeater.timer("GiveUp:1"))
        self.assertEqual(self.shell.givenUp, [])
        self.assertEqual(self.shell.repeater.waiting, (2,))
        self.shell.run(self.shell.repeater.timer("GiveUp:2"))
        self.assertEqual(self.shell.givenUp, [(0, 2)])

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["accepted", "ack", "Repeat", "GiveUp", "stop"]),
                st.integers(1, 4),
            )
        )
    )
    def test_anyOrder(self, inputs: list[tuple[str, int]]) -> None:
        """
        No order of inputs is an error, late timers and stray ACKs included, and every
        timer of an answer that is not waited for is stopped.
        """
        repeater, running = AnswerRepeater(), set()
        for kind, number in inputs:
            if kind == "accepted":
                effects = repeater.accepted(ok(number))
            elif kind == "ack":
                effects = repeater.ack(number)
            elif kind == "stop":
                effects = repeater.stop()
            else:
                running.discard(f"{kind}:{number}")
                effects = repeater.timer(f"{kind}:{number}")
            for effect in effects:
                if isinstance(effect, StartTimer):
                    running.add(effect.name)
                elif isinstance(effect, StopTimer):
                    running.discard(effect.name)
            waited = {str(number) for number in repeater.waiting}
            self.assertLessEqual({name.partition(":")[2] for name in running}, waited)
