"""
Tests of L{siprec.session.heartbeat}.
"""

from __future__ import annotations

from attrs import evolve
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.ids import NodeID
from siprec.session.heartbeat import HeartbeatService
from siprec.session.model import NodeLease
from siprec.store.interfaces import ISessionStore, LeaseHeld, StoreError
from siprec.store.memory import MemorySessionStore
from siprec.store.memorysessions import SessionMemory
from tests.store.samples import N1, makeLease
from tests.store.shaky import ShakyStore


class HeartbeatTests(SynchronousTestCase):
    """
    Two processes, C{i1} and C{i2}, and a store that both can reach.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.memory = SessionMemory(self.clock.seconds)
        self.store = ShakyStore(MemorySessionStore(self.clock, N1, self.memory))
        self.sessions = 0
        self.lost: list[NodeLease] = []
        self.backs: list[float] = []
        self.gone: list[str] = []
        self.service = self.makeService("i1")
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def makeService(self, instance: str, interval: float = 1.0) -> HeartbeatService:
        """
        @return: the heartbeat of a process, not started.
        """
        return HeartbeatService(
            self.store,
            self.clock,
            lambda: evolve(makeLease(instance=instance), sessions=self.sessions),
            interval,
            onLost=self.lost.append,
            onBack=lambda: self.backs.append(self.clock.seconds()),
            isGone=lambda holder: holder.instance in self.gone,
        )

    def start(self) -> None:
        """
        Start C{i1}, to be stopped at the end.
        """
        self.service.startService()
        self.addCleanup(lambda: self.successResultOf(self.service.stopService()))

    def leases(self) -> list[NodeLease]:
        """
        @return: the leases that hold.
        """
        return self.memory.nodes()

    def test_fake(self) -> None:
        """
        The store of these tests is a store.
        """
        verifyObject(ISessionStore, self.store)

    def test_acquire(self) -> None:
        """
        Before the start the lease is taken for three intervals.
        """
        self.clock.advance(5)
        self.assertIsNone(self.service.lastBeat)
        self.assertIsNone(self.successResultOf(self.service.acquire()))
        self.assertEqual([(each.instance, each.expires) for each in self.leases()], [("i1", 8.0)])
        self.assertEqual(self.service.lastBeat, 5.0)

    def test_beats(self) -> None:
        """
        A running node renews its lease every interval in one call, with the
        facts as they are then.
        """
        self.successResultOf(self.service.acquire())
        self.start()
        self.store.calls.clear()
        for second in range(1, 4):
            self.sessions = second
            self.clock.advance(1)
            (lease,) = self.leases()
            self.assertEqual((lease.sessions, lease.expires), (second, second + 3.0))
            self.assertEqual(self.service.lastBeat, second)
        self.assertEqual(self.store.calls, ["heartbeat"] * 3)

    def test_interval(self) -> None:
        """
        Another interval makes beats and lease longer.
        """
        self.service = self.makeService("i1", interval=10.0)
        self.start()
        self.clock.advance(9.9)
        self.assertEqual(self.leases()[0].expires, 30.0)
        self.clock.advance(0.1)
        self.assertEqual(self.leases()[0].expires, 40.0)

    def test_held(self) -> None:
        """
        A second process of the same NodeID does not get the lease, and learns
        who has it.
        """
        self.successResultOf(self.service.acquire())
        second = self.makeService("i2")
        failure = self.failureResultOf(second.acquire(), LeaseHeld)
        self.assertEqual(failure.value.holder.instance, "i1")
        self.assertEqual(self.lost, [])
        self.successResultOf(second.stopService())
        self.assertEqual([each.instance for each in self.leases()], ["i1"])

    def test_afterCrash(self) -> None:
        """
        The lease of a process that is known to be dead is taken at once.
        """
        self.successResultOf(self.service.acquire())
        self.gone.append("i1")
        self.successResultOf(self.makeService("i2").acquire())
        self.assertEqual([each.instance for each in self.leases()], ["i2"])

    def test_afterCrashAndOutage(self) -> None:
        """
        So it is where the store was away at the start: the first beat that
        reaches it takes the lease, and nothing counts as lost.
        """
        self.successResultOf(self.service.acquire())
        self.gone.append("i1")
        self.store.away = True
        self.service = self.makeService("i2")
        self.successResultOf(self.service.acquire())
        self.start()
        self.store.away = False
        self.clock.advance(1)
        self.assertEqual([each.instance for each in self.leases()], ["i2"])
        self.assertEqual(self.lost, [])

    def test_raceAfterCrash(self) -> None:
        """
        Of two processes that find a dead one's lease, one gets it.
        """
        self.successResultOf(self.service.acquire())
        self.gone.append("i1")
        self.store.held = []
        first, second = self.makeService("i2").acquire(), self.makeService("i3").acquire()
        # Both see the dead one, both release it, and then they beat.
        while self.store.held:
            held, self.store.held = self.store.held, []
            for make in held:
                make()
        self.successResultOf(first)
        self.assertEqual(
            self.failureResultOf(second, LeaseHeld).value.holder.instance,
            "i2",
        )

    def test_startWithoutStore(self) -> None:
        """
        A node starts while the store is away, and gets its lease when it is
        back.  That is logged once, not with each beat.
        """
        self.store.away = True
        with capturedLogs() as events:
            self.assertIsNone(self.successResultOf(self.service.acquire()))
            self.start()
            self.clock.pump([1.0] * 5)
        self.assertEqual([e["log_level"] for e in events], [LogLevel.warn])
        self.assertIsNone(self.service.lastBeat)
        self.store.away = False
        with capturedLogs() as events:
            self.clock.advance(1)
        self.assertEqual([e["log_level"] for e in events], [LogLevel.info])
        self.assertEqual([each.instance for each in self.leases()], ["i1"])

    def test_survives(self) -> None:
        """
        No failure ends the beats, whatever it is; each kind is logged once.
        """
        self.start()
        for error in (StoreError("wrong type of key"), TypeError("a mistake")):
            self.store.away = True
            self.clock.advance(1)
            self.store.away = False
            self.store.errors["heartbeat"] = error
            self.clock.pump([1.0] * 3)
            self.store.errors.clear()
            self.clock.advance(1)
            self.assertEqual(self.service.lastBeat, self.clock.seconds())
            self.assertEqual(len(self.flushLoggedErrors(type(error))), 1)

    def test_back(self) -> None:
        """
        The first beat after others were missed is told of, and no other; what
        goes wrong then does not end the beats.
        """
        self.start()
        self.assertEqual(self.backs, [])
        self.store.away = True
        with capturedLogs():
            self.clock.pump([1.0] * 3)
            self.store.away = False
            self.clock.pump([1.0] * 3)
        self.assertEqual(self.backs, [4.0])

        def mistake() -> None:
            raise KeyError("nothing")

        self.service._onBack = mistake
        self.store.away = True
        with capturedLogs():
            self.clock.advance(1)
            self.store.away = False
            self.clock.pump([1.0] * 2)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.assertEqual(self.service.lastBeat, self.clock.seconds())

    def test_leaseCannotBeMade(self) -> None:
        """
        Not even a lease that cannot be made.
        """

        def broken() -> NodeLease:
            raise KeyError("sessions")

        service = HeartbeatService(self.store, self.clock, broken, onLost=self.lost.append)
        self.successResultOf(service.acquire())
        service.startService()
        self.clock.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.successResultOf(service.stopService())
        self.assertEqual(self.store.calls, [])

    def test_neverTwo(self) -> None:
        """
        A beat waits for the one before, and the one of the start, too.
        """
        self.store.held = []
        acquired = self.service.acquire()
        self.start()
        self.clock.pump([1.0] * 5)
        self.assertEqual(self.store.calls, ["heartbeat"])
        self.store.letGo()
        self.successResultOf(acquired)
        self.assertEqual(self.store.calls, ["heartbeat"] * 2)
        self.clock.advance(1)
        self.assertEqual(self.store.calls, ["heartbeat"] * 3)

    def test_lost(self) -> None:
        """
        A process that slept until its lease expired, and another took it, is
        told who, once; and it does not take the lease away from that.
        """
        self.start()
        self.memory.release(N1, "i1")
        self.memory.heartbeat(makeLease(instance="i2"), 60)
        with capturedLogs() as events:
            self.clock.pump([1.0] * 3)
        self.assertEqual([each.instance for each in self.lost], ["i2"])
        self.assertEqual([(e["log_level"], e["host"]) for e in events], [(LogLevel.critical, "h1")])
        self.assertEqual([each.instance for each in self.leases()], ["i2"])
        self.memory.release(N1, "i2")
        self.memory.heartbeat(makeLease(instance="i3"), 60)
        self.clock.advance(1)
        self.assertEqual([each.instance for each in self.lost], ["i2", "i3"])
        self.successResultOf(self.service.stopService())
        self.assertEqual([each.instance for each in self.leases()], ["i3"])

    def test_lostTwice(self) -> None:
        """
        A lease that came back can be lost again, to the same process.
        """
        self.start()
        for _ in range(2):
            self.memory.release(N1, "i1")
            self.memory.heartbeat(makeLease(instance="i2"), 60)
            self.clock.advance(1)
            self.memory.release(N1, "i2")
            self.clock.advance(1)
        self.assertEqual(len(self.lost), 2)

    def test_onLostFails(self) -> None:
        """
        Who is told may fail; the beats go on.
        """

        def clumsy(holder: NodeLease) -> None:
            raise ValueError(holder)

        self.memory.heartbeat(makeLease(instance="i2"), 1.5)
        self.service = HeartbeatService(self.store, self.clock, makeLease, onLost=clumsy)
        self.start()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.clock.pump([1.0, 1.0])
        self.assertEqual([each.instance for each in self.leases()], ["i1"])

    def test_stop(self) -> None:
        """
        The stop gives the lease up after the beat that is under way, and
        nothing follows.
        """
        self.start()
        self.store.held = []
        self.clock.advance(1)
        stopped = self.service.stopService()
        self.assertEqual(self.store.calls, ["heartbeat"] * 2)
        self.assertNoResult(stopped)
        self.store.letGo()
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual(self.leases(), [])
        self.assertEqual(self.store.calls, ["heartbeat"] * 2 + ["release"])
        self.clock.advance(10)
        self.assertEqual(len(self.store.calls), 3)

    def test_stopWithoutAnswer(self) -> None:
        """
        A beat whose answer was lost may have been made: its lease is given up.
        """
        self.store.unanswered.add(0)
        self.service.startService()
        self.assertIsNone(self.service.lastBeat)
        self.successResultOf(self.service.stopService())
        self.assertEqual(self.leases(), [])

    def test_stopWithoutStore(self) -> None:
        """
        A store that is away costs a log entry: the lease expires.  So does any
        other failure.
        """
        self.successResultOf(self.service.acquire())
        self.store.away = True
        with capturedLogs() as events:
            self.assertIsNone(self.successResultOf(self.service.stopService()))
        self.assertEqual([e["log_level"] for e in events], [LogLevel.warn])
        self.store.away = False
        self.successResultOf(self.service.acquire())
        self.store.errors["release"] = TypeError("a mistake")
        self.assertIsNone(self.successResultOf(self.service.stopService()))
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_stopWithoutLease(self) -> None:
        """
        A node that never tried has nothing to give up.
        """
        self.assertIsNone(self.successResultOf(self.service.stopService()))
        self.assertEqual(self.store.calls, [])

    def test_otherNodes(self) -> None:
        """
        Other nodes' leases do not matter.
        """
        self.memory.heartbeat(makeLease(NodeID("n2"), "i9"), 60)
        self.successResultOf(self.service.acquire())
        self.assertEqual(len(self.leases()), 2)
