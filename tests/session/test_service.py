"""
Tests of L{siprec.session.service}.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.logger import capturedLogs

from siprec.ids import nodeID
from siprec.session.liveness import Signs
from siprec.session.model import NodeLease
from siprec.session.service import SessionService
from siprec.store.interfaces import CorruptRecord, LeaseHeld, StoreUnavailable
from tests.session.recordings import NODE, START
from tests.session.sessioncase import SessionTestCase


class NodeTests(SessionTestCase):
    """
    The service of a node, which has calls.
    """

    def setUp(self) -> None:
        super().setUp()
        self.signs: list[Signs] = []
        self.count = 0
        self.fenced: list[str] = []
        self.dead: list[str] = []
        self.saved: list[Deferred[None]] = []

    def make(self, node: str = NODE, **rest: Any) -> SessionService:
        """
        See L{SessionTestCase.make}.
        """
        given: dict[str, Any] = {
            "addresses": lambda: ("udp:192.0.2.1:5060",),
            "signs": lambda: self.signs,
            "count": lambda: self.count,
            "saveAll": self.saveAll,
            "onFenced": self.fenced.append,
            "onDead": self.dead.append,
        }
        return super().make(node, **{**given, **rest})

    def saveAll(self) -> Deferred[None]:
        """
        Saves when the test says so.
        """
        self.saved.append(Deferred())
        return self.saved[-1]

    def test_lease(self) -> None:
        """
        A node that runs is known to the others with its process and its load.
        """
        service = self.begin()
        self.count = 1
        self.clock.advance(1.0)
        [lease] = self.successResultOf(service.nodes())
        self.assertEqual((lease.nodeID, lease.pid, lease.sessions), (NODE, os.getpid(), 1))
        self.assertEqual(lease.addresses, ("udp:192.0.2.1:5060",))
        self.assertEqual(lease.host, os.uname().nodename)

    def test_held(self) -> None:
        """
        A second process of the same NodeID is refused, and leaves the store.
        """
        self.memory.heartbeat(NodeLease(NODE, "other", "elsewhere", 7), 3.0)
        service = self.make()
        failure = self.failureResultOf(Deferred.fromCoroutine(service.begin()), LeaseHeld)
        self.assertEqual(failure.value.holder.host, "elsewhere")
        self.failureResultOf(service.store.health(), StoreUnavailable)

    def test_storeAway(self) -> None:
        """
        A store that is away is no reason not to start, and not to know oneself.
        """
        service = self.make()
        store: Any = service.store
        away = fail(StoreUnavailable("away"))
        store.heartbeat = lambda lease, ttl: fail(StoreUnavailable("away"))
        store.nodes = lambda: away
        with capturedLogs():
            self.successResultOf(Deferred.fromCoroutine(service.begin()))
        [lease] = self.successResultOf(service.nodes())
        self.assertEqual(lease.nodeID, NODE)
        self.successResultOf(service.stopService())

    def test_mine(self) -> None:
        """
        A node finds the calls of its earlier life, and no other node's.
        """
        service = self.begin()
        for number in (1, 2):
            snapshot = self.snapshot(number)
            self.successResultOf(service.keeper.save(snapshot.key, snapshot))
        other = self.begin("node-b")
        snapshot = self.snapshot(3)
        self.successResultOf(other.keeper.save(snapshot.key, snapshot))
        again = self.make()
        found = {each.key for each in self.mine(again)}
        self.assertEqual(found, {self.snapshot(1).key, self.snapshot(2).key})

    def test_unreadable(self) -> None:
        """
        A record that cannot be read is passed over, one that has gone
        meanwhile too; where the store does not answer there are none.
        """
        service = self.begin()
        snapshot = self.snapshot()
        self.successResultOf(service.keeper.save(snapshot.key, snapshot))
        snapshots: Any = service.snapshots
        keys = [snapshot.key, "bad", "gone"]
        snapshots.list = lambda: _done(keys)
        load = snapshots.load
        snapshots.load = lambda key: (
            fail(CorruptRecord("bad", "no msgpack")) if key == "bad" else load(key)
        )
        with capturedLogs() as logs:
            self.assertEqual([each.key for each in self.mine(service)], [snapshot.key])
        self.assertEqual([each["recording"] for each in logs], ["bad"])
        snapshots.list = lambda: fail(StoreUnavailable("away"))
        with capturedLogs() as logs:
            self.assertEqual(self.mine(service), [])
        self.assertEqual(len(logs), 1)

    def test_notes(self) -> None:
        """
        While the store is away, an operator is told how many writes wait.
        """
        service = self.begin()
        self.assertEqual(service.notes(), [])
        store: Any = service.store
        write = store.store
        store.store = lambda data, ttl: fail(StoreUnavailable("away"))
        snapshot = self.snapshot()
        with capturedLogs():
            self.successResultOf(service.keeper.save(snapshot.key, snapshot))
        self.assertEqual(service.notes(), ["the store is away: 1 writes wait for it"])
        store.store = write
        self.clock.pump([0.5] * 10)
        self.assertEqual(service.notes(), [])
        self.assertEqual(len(self.mine(service)), 1)

    def test_back(self) -> None:
        """
        A store that comes back may have lost what it had: every call is saved
        again, once at a time, and a failure of that is logged.
        """
        service = self.begin()
        store: Any = service.store
        beat = store.heartbeat
        for round in (1, 2):
            store.heartbeat = lambda lease, ttl: fail(StoreUnavailable("away"))
            with capturedLogs():
                self.clock.advance(1.0)
                store.heartbeat = beat
                self.clock.advance(1.0)
            self.assertEqual(len(self.saved), round)
            service.saveAgain()
            self.assertEqual(len(self.saved), round)
            if round == 1:
                self.saved[0].callback(None)
        self.saved[1].errback(ValueError("no"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_savedAgain(self) -> None:
        """
        A record lives for a day: every call is saved again well before that.
        """
        self.begin()
        self.clock.pump([1800.0] * 12)
        self.assertEqual(len(self.saved), 1)

    def test_lost(self) -> None:
        """
        If another process says that it is this node, too, that is an alarm.
        """
        self.begin()
        self.clock.advance(0.5)
        self.memory.release(NODE, self.memory.nodes()[0].instance)
        self.memory.heartbeat(NodeLease(NODE, "other", "elsewhere", 7), 60.0)
        with capturedLogs() as logs:
            self.clock.advance(1.0)
        self.assertIn("elsewhere", [each.get("host") for each in logs])

    def test_fenced(self) -> None:
        """
        A call that another node has taken is reported.
        """
        service = self.begin()
        snapshot = self.snapshot()
        self.successResultOf(service.keeper.save(snapshot.key, snapshot))
        self.memory.claim(snapshot.key, nodeID("node-b"), 1)
        with capturedLogs():
            self.successResultOf(service.keeper.save(snapshot.key, snapshot))
        self.assertEqual(self.fenced, [snapshot.key])

    def test_dead(self) -> None:
        """
        A call without any sign of life for C{session.timeout} is reported.
        """
        self.begin()
        self.signs.append(Signs("silent", None, START))
        self.signs.append(Signs("talking", START + 3600, START))
        self.clock.pump([30.0] * 123)
        self.assertEqual(self.dead, ["silent"])


def _done(value: Any) -> Deferred[Any]:
    done: Deferred[Any] = Deferred()
    done.callback(value)
    return done
