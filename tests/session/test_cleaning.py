"""
Tests of L{siprec.session.cleaning}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from siprec.session.cleaning import CleaningService
from siprec.store.memory import MemorySessionStore
from siprec.store.memorysessions import SessionMemory
from tests.store.samples import N1, makeData
from tests.store.shaky import ShakyStore


class CleaningTests(SynchronousTestCase):
    """
    A store with records that expire.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.memory = SessionMemory(self.clock.seconds)
        self.store = ShakyStore(MemorySessionStore(self.clock, N1, self.memory))
        self.service = CleaningService(self.store, self.clock, 100.0, random=lambda: 0.25)
        self.service.startService()
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def stop(self) -> None:
        """
        Stop what cleans.
        """
        self.assertIsNone(self.successResultOf(self.service.stopService()))

    def test_times(self) -> None:
        """
        The first time is after a random part of the interval, so that nodes
        that start together do not clean together; the others follow every
        interval.
        """
        times = []
        for second in range(1, 331):
            self.clock.advance(1)
            if self.store.calls:
                times.append(second)
                self.store.calls.clear()
        self.assertEqual(times, [25, 125, 225, 325])
        self.stop()

    def test_default(self) -> None:
        """
        Left alone, it is every five minutes, at a time of its own.
        """
        firsts = set()
        for _ in range(20):
            clock = Clock()
            service = CleaningService(self.store, clock)
            service.startService()
            (call,) = clock.getDelayedCalls()
            firsts.add(call.getTime())
            self.successResultOf(service.stopService())
        self.assertGreater(len(firsts), 1)
        self.assertLess(max(firsts), 300)
        self.stop()

    def test_removes(self) -> None:
        """
        What has expired is removed, and that is logged; nothing is not.
        """
        self.memory.store(makeData("a"), 10)
        self.memory.store(makeData("b"), 1000)
        with capturedLogs() as events:
            self.clock.advance(25)
        self.assertEqual([e["removed"] for e in events], [1])
        with capturedLogs() as events:
            self.clock.advance(100)
        self.assertEqual(events, [])
        self.assertEqual(self.memory.list(None), ["b"])
        self.stop()

    def test_survives(self) -> None:
        """
        No failure ends it, whatever it is.
        """
        self.store.away = True
        with capturedLogs() as events:
            self.clock.advance(25)
        self.assertEqual([e["log_level"] for e in events], [LogLevel.warn])
        self.store.away = False
        self.store.errors["cleanup"] = TypeError("a mistake")
        self.clock.advance(100)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.store.errors.clear()
        self.memory.store(makeData("a"), 10)
        self.clock.advance(100)
        self.assertEqual(self.store.calls, ["cleanup"] * 3)
        self.stop()

    def test_neverTwo(self) -> None:
        """
        A cleaning that takes long is not joined by another.
        """
        self.store.held = []
        self.clock.pump([25.0, 100.0, 100.0])
        self.assertEqual(self.store.calls, ["cleanup"])
        self.store.letGo()
        self.stop()

    def test_stopUnderWay(self) -> None:
        """
        A stop waits for the cleaning that is under way.
        """
        self.store.held = []
        self.clock.advance(25)
        stopped = self.service.stopService()
        self.assertNoResult(stopped)
        self.store.letGo()
        self.assertIsNone(self.successResultOf(stopped))

    def test_stop(self) -> None:
        """
        After a stop nothing is cleaned, until it is started again.
        """
        self.stop()
        self.clock.advance(1000)
        self.assertEqual(self.store.calls, [])
        self.service.startService()
        self.clock.advance(25)
        self.assertEqual(self.store.calls, ["cleanup"])
        self.stop()
        self.stop()
        self.clock.advance(1000)
        self.assertEqual(self.store.calls, ["cleanup"])
