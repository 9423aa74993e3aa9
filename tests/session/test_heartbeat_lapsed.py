"""
Tests of L{siprec.session.heartbeat}: leases that were over for a while.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.session.heartbeat import HeartbeatService
from siprec.session.model import NodeLease
from siprec.store.memory import MemorySessionStore
from siprec.store.memorysessions import SessionMemory
from tests.store.samples import N1, makeLease
from tests.store.shaky import ShakyStore


class LapsedTests(SynchronousTestCase):
    """
    A node whose beats do not always come.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.memory = SessionMemory(self.clock.seconds)
        self.store = ShakyStore(MemorySessionStore(self.clock, N1, self.memory))
        self.told: list[str] = []
        self.service = self.make(lambda: self.told.append("lapsed"))
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(lambda: self.successResultOf(self.service.stopService()))

    def make(self, onLapsed: object) -> HeartbeatService:
        """
        @return: a heartbeat that is not started.
        """
        return HeartbeatService(
            self.store,
            self.clock,
            lambda: makeLease(instance="i1"),
            1.0,
            onLost=self.lost,
            onBack=lambda: self.told.append("back"),
            onLapsed=onLapsed,  # type: ignore[arg-type]
            isGone=lambda holder: False,
        )

    def lost(self, holder: NodeLease) -> None:
        """
        Another process has it.
        """
        self.told.append(holder.instance)

    def test_first(self) -> None:
        """
        The first beat of a process takes a lease that was not there; that is no
        news.
        """
        self.successResultOf(self.service.acquire())
        self.service.startService()
        self.clock.pump([1.0] * 5)
        self.assertEqual(self.told, [])

    def test_ranOut(self) -> None:
        """
        A beat that comes after the lease has run out tells, before it is told
        that the store is back; the next one does not.
        """
        self.service.startService()
        self.store.away = True
        self.clock.pump([1.0] * 5)
        self.store.away = False
        self.clock.pump([1.0] * 3)
        self.assertEqual(self.told, ["lapsed", "back"])

    def test_inTime(self) -> None:
        """
        A lost beat leaves the lease as it is.
        """
        self.service.startService()
        self.store.away = True
        self.clock.advance(1)
        self.store.away = False
        self.clock.advance(0.9)
        self.assertEqual(self.told, [])
        self.clock.advance(0.1)
        self.assertEqual(self.told, ["back"])

    def test_ended(self) -> None:
        """
        Nor need the node have been away: others may have ended its lease.
        """
        self.service.startService()
        self.memory.release(N1, "i1")
        self.clock.advance(1)
        self.assertEqual(self.told, ["lapsed"])

    def test_fails(self) -> None:
        """
        Who is told may fail; the beats go on.
        """

        def clumsy() -> None:
            raise ValueError("bug")

        self.service = self.make(clumsy)
        self.service.startService()
        self.memory.release(N1, "i1")
        self.clock.pump([1.0] * 2)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(len(self.memory.nodes()), 1)
