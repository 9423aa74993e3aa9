"""
Tests for L{siprec.sip.runner}.
"""

import gc
from collections import Counter
from collections.abc import Callable
from weakref import ref

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.interfaces import FlowGone
from siprec.sip.runner import Surroundings, TransactionRunner, transmit
from siprec.sip.transaction import (
    Effect,
    Effects,
    Finished,
    Send,
    StartTimer,
    StopTimer,
    TimedOut,
)
from tests.sip.traffic import Wire


class _Machine:
    """
    A machine with one timer input, which asks to send.
    """

    def timerA(self) -> Effects:
        """
        The only timer.
        """
        return [Send(b"A")]


class RunnerTests(SynchronousTestCase):
    """
    Effects on a clock.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.performed: list[Effect] = []
        self.runner = TransactionRunner(self.clock, _Machine(), self.performed.append)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def test_timer(self) -> None:
        """
        A timer gives the machine's input of its name, after its time.
        """
        self.runner.run([StartTimer("A", 2.0)])
        self.clock.advance(1.9)
        self.assertEqual(self.performed, [])
        self.clock.advance(0.1)
        self.assertEqual(self.performed, [Send(b"A")])

    def test_restart(self) -> None:
        """
        A timer that is started again runs once, from then on.
        """
        self.runner.run([StartTimer("A", 2.0)])
        self.clock.advance(1)
        self.runner.run([StartTimer("A", 2.0)])
        self.clock.advance(1.5)
        self.assertEqual(self.performed, [])
        self.clock.advance(0.5)
        self.assertEqual(self.performed, [Send(b"A")])

    def test_stopTimer(self) -> None:
        """
        A stopped timer does nothing; stopping one that does not run is no error.
        """
        self.runner.run([StartTimer("A", 2.0), StopTimer("A"), StopTimer("B")])
        self.clock.advance(3)
        self.assertEqual(self.performed, [])

    def test_finished(self) -> None:
        """
        The end of a transaction stops its timers; what follows is carried out.
        """
        self.runner.run([StartTimer("A", 2.0), Finished(), TimedOut()])
        self.assertEqual(self.performed, [Finished(), TimedOut()])

    def test_letGo(self) -> None:
        """
        Once that is done, or it is stopped, it does not keep in memory who carried it out.
        """

        class Performer:
            def __init__(self, clock: Clock) -> None:
                self.runner = TransactionRunner(clock, _Machine(), self.perform)

            def perform(self, effect: Effect) -> None:
                pass

        ends: list[Callable[[TransactionRunner], None]] = [
            lambda runner: runner.run([Finished()]),
            TransactionRunner.stop,
        ]
        for end in ends:
            performer = Performer(self.clock)
            gone = ref(performer)
            end(performer.runner)
            gc.disable()
            self.addCleanup(gc.enable)
            del performer
            self.assertIsNone(gone())

    def test_stop(self) -> None:
        """
        A stopped runner carries out nothing and starts no timer.
        """
        self.runner.run([StartTimer("A", 2.0)])
        self.runner.stop()
        self.runner.run([Send(b"late"), StartTimer("A", 1.0)])
        self.runner.startTimer("A", 1.0, lambda: None)
        self.assertEqual(self.performed, [])

    def test_inOrder(self) -> None:
        """
        Effects that come up while others are carried out come after these: a
        transaction that fails while it starts has no timers left.
        """
        runner = TransactionRunner(self.clock, _Machine(), lambda effect: perform(effect))

        def perform(effect: Effect) -> None:
            self.performed.append(effect)
            if isinstance(effect, Send):
                runner.run([Finished()])

        runner.run([Send(b"x"), StartTimer("A", 1.0), TimedOut()])
        self.assertEqual(self.performed, [Send(b"x"), TimedOut(), Finished()])


class TransmitTests(SynchronousTestCase):
    """
    How the sending of a message ends.
    """

    def setUp(self) -> None:
        self.around = Surroundings(Clock(), None, Counter(), Counter())
        self.failures = 0

    def _failed(self) -> None:
        self.failures += 1

    def test_sent(self) -> None:
        """
        Nothing is noted of what is sent.
        """
        sending: Deferred[None] = Deferred()
        transmit(self.around, sending, self._failed)
        sending.callback(None)
        self.assertEqual((self.failures, self.around.counters), (0, Counter()))

    def test_gone(self) -> None:
        """
        What cannot be sent is counted, and told to the transaction.
        """
        transmit(self.around, fail(FlowGone("closed")), self._failed)
        self.assertEqual((self.failures, self.around.counters), (1, Counter(sendFailures=1)))

    def test_broken(self) -> None:
        """
        An error that should not be is logged, and else no different.
        """
        transmit(self.around, fail(ZeroDivisionError()), self._failed)
        self.assertEqual((self.failures, self.around.counters), (1, Counter(sendFailures=1)))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_transport(self) -> None:
        """
        The transport may be set late, but has to be there when it is needed.
        """
        self.assertRaises(RuntimeError, lambda: self.around.transport)
        wire = Wire()
        self.around.use(wire)
        self.assertIs(self.around.transport, wire)
