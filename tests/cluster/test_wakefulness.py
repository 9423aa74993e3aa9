"""
Tests of L{siprec.cluster.wakefulness}.
"""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.wakefulness import Wakefulness


class WakefulnessTests(SynchronousTestCase):
    """
    After a pause a node is silent until it knows what is its own.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.verifying: list[Deferred[None]] = []
        self.service = Wakefulness(self.clock, 1.5, self.verify)
        self.service.startService()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        """
        Nothing is left of it.
        """
        self.successResultOf(self.service.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def verify(self) -> Deferred[None]:
        """
        Begin to compare.
        """
        done: Deferred[None] = Deferred()
        self.verifying.append(done)
        return done

    def freeze(self, seconds: float) -> None:
        """
        Let time go by without a turn of the reactor.
        """
        self.clock.rightNow += seconds

    def test_running(self) -> None:
        """
        A process that gets its turns is awake, however long it runs.
        """
        self.clock.pump([0.3] * 1000)
        self.assertTrue(self.service.awake)
        self.successResultOf(self.service.whenAwake())
        self.assertEqual((self.verifying, self.service.pauses), ([], 0))

    def test_askedFirst(self) -> None:
        """
        After a pause the first question finds out, before any timer does:
        sockets are read before timers are looked at.
        """
        self.freeze(20)
        self.assertFalse(self.service.awake)
        self.assertEqual(len(self.verifying), 1)
        self.assertNoResult(self.service.whenAwake())

    def test_tickFirst(self) -> None:
        """
        If nobody asks, the next tick finds out.
        """
        self.freeze(20)
        self.clock.advance(0)
        self.assertEqual((len(self.verifying), self.service.pauses), (1, 1))

    def test_shortPause(self) -> None:
        """
        A pause that nobody can have taken for death is none.
        """
        self.freeze(1.4)
        self.assertTrue(self.service.awake)
        self.clock.advance(0)
        self.freeze(1.4)
        self.assertTrue(self.service.awake)

    def test_awakeAgain(self) -> None:
        """
        Once the calls are compared, the node speaks again, and who waited
        goes on; the time of the comparison is no pause.
        """
        self.freeze(20)
        waiting = self.service.whenAwake()
        self.clock.pump([0.3] * 20)
        self.assertFalse(self.service.awake)
        self.verifying[0].callback(None)
        self.successResultOf(waiting)
        self.assertTrue(self.service.awake)
        self.clock.pump([0.3] * 20)
        self.assertEqual(len(self.verifying), 1)

    def test_comparisonFails(self) -> None:
        """
        A comparison that breaks is logged, and does not silence the node for
        ever.
        """
        self.freeze(20)
        self.assertFalse(self.service.awake)
        with capturedLogs() as logs:
            self.verifying[0].errback(ZeroDivisionError())
        self.assertEqual([each["log_level"] for each in logs], [LogLevel.critical])
        self.flushLoggedErrors(ZeroDivisionError)
        self.assertTrue(self.service.awake)

    def test_doubt(self) -> None:
        """
        Other signs count as well, but not twice at once.
        """
        self.service.doubt("the lease was gone")
        self.service.doubt("the lease was gone")
        self.assertFalse(self.service.awake)
        self.assertEqual((len(self.verifying), self.service.pauses), (1, 1))

    def test_stopped(self) -> None:
        """
        Before the start and after the stop there is nothing to be asleep of,
        and who still waits is let go.
        """
        self.freeze(20)
        waiting = self.service.whenAwake()
        self.successResultOf(self.service.stopService())
        self.successResultOf(waiting)
        self.freeze(20)
        self.service.doubt("nothing")
        self.assertTrue(self.service.awake)
