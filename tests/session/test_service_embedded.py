"""
Tests of L{siprec.session.service}: in a program of one's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import IService
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import capturedLogs
from zope.interface.verify import verifyObject

from siprec.ids import nodeID
from siprec.session.model import CallSnapshot, NodeLease
from siprec.session.service import SessionService
from siprec.store.interfaces import LeaseHeld, StoreUnavailable
from siprec.store.memory import MemorySessionStore
from tests.nodeparts import Part
from tests.session.recordings import NODE
from tests.session.sessioncase import SessionTestCase


class EmbeddedTests(SessionTestCase):
    """
    The service alone: no SIP side, no callbacks.
    """

    def save(self, service: SessionService, snapshot: CallSnapshot) -> None:
        """
        Keep a snapshot.
        """
        self.successResultOf(service.save(snapshot.key, snapshot))

    def test_times(self) -> None:
        """
        A program gives the node and its times; the lease is three beats long.
        """
        service = self.begin("x", heartbeatInterval=2.0, cleanupInterval=60.0, sessionTimeout=90.0)
        self.assertTrue(verifyObject(IService, service))
        self.save(service, self.snapshot())
        for passed in (0.0, 2.0):
            self.clock.advance(passed)
            [lease] = self.successResultOf(service.nodes())
            self.assertEqual(lease.expires, self.clock.seconds() + 6.0)
        self.assertEqual((lease.nodeID, lease.sessions, lease.addresses), ("x", 1, ()))

    def test_defaults(self) -> None:
        """
        A beat each second, a cleanup every 5 minutes, an hour of silence.
        """
        service = self.make()
        times = (service.heartbeatInterval, service.cleanupInterval, service.sessionTimeout)
        self.assertEqual(times, (1.0, 300.0, 3600.0))

    def test_otherNode(self) -> None:
        """
        A store for another node, and what is no NodeID, are refused: records
        would belong to a node without a lease.
        """
        store = MemorySessionStore(self.clock, nodeID("a"))
        for node in ("b", "a b"):
            self.assertRaises(ValueError, SessionService, store, self.clock, nodeID=node)

    def test_started(self) -> None:
        """
        Started as any service, it takes its lease with its first beat, and
        gives it back when it stops.
        """
        service = self.make()
        service.startService()
        self.assertEqual([each.nodeID for each in self.memory.nodes()], [NODE])
        self.successResultOf(service.stopService())
        self.assertEqual(self.memory.nodes(), [])

    def test_cleaned(self) -> None:
        """
        What has expired is removed from the store in every interval.
        """
        service = self.begin(cleanupInterval=10.0)
        cleaned: list[float] = []

        def cleanup() -> Deferred[int]:
            cleaned.append(self.clock.seconds())
            return succeed(0)

        store: Any = service.store
        store.cleanup = cleanup
        self.clock.pump([1.0] * 30)
        # The first time is after a random part of the interval.
        self.assertEqual(len(cleaned), 3)
        self.assertEqual(cleaned[2] - cleaned[0], 20.0)

    def test_timeout(self) -> None:
        """
        A call that was not saved for longer than the timeout is deleted; the
        last activity of its last snapshot counts.
        """
        service = self.begin(sessionTimeout=100.0)
        self.save(service, self.snapshot(1))
        self.save(service, self.snapshot(2))
        self.clock.pump([10.0] * 8)
        self.save(service, self.snapshot(2))
        self.clock.pump([10.0] * 8)
        self.assertEqual([each.key for each in self.mine(service)], [self.snapshot(2).key])

    def test_deleted(self) -> None:
        """
        A call that is over is not in the store, and not saved again.
        """
        service = self.begin()
        self.save(service, self.snapshot())
        self.successResultOf(service.delete(self.snapshot().key))
        service.saveAgain()
        self.assertEqual(self.mine(service), [])

    def test_refilled(self) -> None:
        """
        A store that has lost everything gets the last snapshot of each call
        when it is back.
        """
        service = self.begin()
        for number in (1, 2):
            self.save(service, self.snapshot(number))
        store: Any = service.store
        beat = store.heartbeat
        store.heartbeat = lambda lease, ttl: fail(StoreUnavailable("away"))
        with capturedLogs():
            self.clock.advance(1.0)
            for number in (1, 2):
                self.memory.delete(self.snapshot(number).key, None, 0.0)
            store.heartbeat = beat
            self.clock.advance(1.0)
        self.assertEqual(len(self.mine(service)), 2)

    def test_fenced(self) -> None:
        """
        A call that another node has taken is let go: it is not written again.
        """
        service = self.begin()
        snapshot = self.snapshot()
        self.save(service, snapshot)
        self.memory.claim(snapshot.key, nodeID("node-b"), 1)
        with capturedLogs() as logs:
            self.save(service, self.snapshot())
            service.saveAgain()
        self.assertEqual(len(logs), 1)
        self.assertEqual(self.memory.get(snapshot.key).nodeID, "node-b")


class RecordingsTests(SessionTestCase):
    """
    The recordings belong to the service.
    """

    def test_life(self) -> None:
        """
        They start with it, and stop with it while the store can still be told.
        """
        notes: list[str] = []
        recordings: Any = Part("recordings", notes)
        service = self.make(recordings=recordings)
        store: Any = service.store
        close: Callable[[], Deferred[None]] = store.close

        def closing() -> Deferred[None]:
            notes.append("closed")
            return close()

        store.close = closing
        self.successResultOf(Deferred.fromCoroutine(service.begin()))
        self.successResultOf(service.stopService())
        self.assertEqual(notes, ["+recordings", "-recordings", "closed"])

    def test_held(self) -> None:
        """
        They are not started where another process is this node.
        """
        notes: list[str] = []
        recordings: Any = Part("recordings", notes)
        self.memory.heartbeat(NodeLease(NODE, "other", "elsewhere", 7), 3.0)
        service = self.make(recordings=recordings)
        self.failureResultOf(Deferred.fromCoroutine(service.begin()), LeaseHeld)
        self.assertEqual(notes, [])
