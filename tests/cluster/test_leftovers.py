"""
Tests of L{siprec.cluster.leftovers}.
"""

from __future__ import annotations

import os

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.leftovers import Leftovers
from siprec.ids import NodeID
from siprec.session.running import Orphan, RunningRecordings
from siprec.store.interfaces import CorruptRecord
from siprec.store.memory import MemorySessionStore
from siprec.store.memorysessions import SessionMemory
from siprec.testing.control import ImmediateWorkers
from tests.session.recordings import NODE, OTHER, identity
from tests.store.samples import makeData
from tests.store.shaky import ShakyStore


class LeftoversTestCase(SynchronousTestCase):
    """
    Markers on a disk, and a store.

    @ivar dead: the nodes that count as dead.
    @ivar recovered: what was finished from the disk.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.memory = SessionMemory(self.clock.seconds)
        self.store = ShakyStore(MemorySessionStore(self.clock, NODE, self.memory))
        self.root = os.path.abspath(self.mktemp())
        self.running = RunningRecordings(self.root, NODE)
        self.running.acquire()
        self.addCleanup(self.running.release)
        self.dead: set[NodeID] = set()
        self.recovered: list[Orphan] = []
        self.recovering: Deferred[None] = succeed(None)
        self.leftovers = Leftovers(
            self.store,
            self.running,
            ImmediateWorkers(),
            self.clock,
            NODE,
            lambda node: node in self.dead,
            self.recover,
        )
        self.leftovers.startService()
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(lambda: self.successResultOf(self.leftovers.stopService()))

    def recover(self, orphans: list[Orphan]) -> Deferred[None]:
        """
        Note what is to be finished.
        """
        self.recovered += orphans
        return self.recovering

    def mark(self, number: int, node: NodeID = NODE) -> Orphan:
        """
        @return: a recording that a node left.
        """
        other = RunningRecordings(self.root, node)
        os.makedirs(os.path.join(self.root, ".running", node), exist_ok=True)
        directory = os.path.join(self.root, str(number))
        other.add(identity(number), directory)
        return Orphan(node, identity(number), directory)

    def put(self, number: int, node: NodeID) -> None:
        """
        Have a record of a recording in the store.
        """
        self.memory.store(evolve(makeData(identity(number)), nodeID=node), 3600)

    def markers(self, node: NodeID = NODE) -> list[str]:
        """
        @return: what is marked.
        """
        return sorted(os.listdir(os.path.join(self.root, ".running", node)))


class OursTests(LeftoversTestCase):
    """
    What an earlier life of this node left.
    """

    def ours(self, *orphans: Orphan) -> Deferred[list[Orphan]]:
        """
        @return: fires with those that are to be finished here.
        """
        return Deferred.fromCoroutine(self.leftovers.ours(orphans))

    def test_ours(self) -> None:
        """
        What has no record, and what this node owns, is this node's to finish.
        """
        orphans = [self.mark(1), self.mark(2)]
        self.put(2, NODE)
        self.assertEqual(self.successResultOf(self.ours(*orphans)), orphans)
        self.assertEqual(self.markers(), [identity(1), identity(2)])

    def test_anothers(self) -> None:
        """
        What another node owns goes on there, and its marker here is no more.
        """
        orphans = [self.mark(1), self.mark(2)]
        self.put(1, OTHER)
        self.assertEqual(self.successResultOf(self.ours(*orphans)), orphans[1:])
        self.assertEqual(self.markers(), [identity(2)])

    def test_unreadable(self) -> None:
        """
        A record that nobody can read keeps nobody from finishing, nor what is
        behind it.
        """
        orphans = [self.mark(1), self.mark(2)]
        self.put(1, NODE)
        self.store.errors["get"] = CorruptRecord(identity(1), "no")
        self.assertEqual(self.successResultOf(self.ours(*orphans)), orphans)

    def test_away(self) -> None:
        """
        As long as the store is away nothing is finished: it may be another's.
        """
        orphan = self.mark(1)
        self.put(1, OTHER)
        self.store.away = True
        found = self.ours(orphan)
        self.clock.pump([1] * 10)
        self.assertNoResult(found)
        self.assertEqual(self.markers(), [identity(1)])
        self.store.away = False
        self.clock.advance(2)
        self.assertEqual(self.successResultOf(found), [])
        self.assertEqual(self.markers(), [])

    def test_stopped(self) -> None:
        """
        A node that stops meanwhile leaves the rest marked, for the next start.
        """
        orphans = [self.mark(1), self.mark(2)]
        self.store.away = True
        found = self.ours(*orphans)
        self.successResultOf(self.leftovers.stopService())
        self.assertEqual(self.successResultOf(found), [])
        self.assertEqual(self.markers(), [identity(1), identity(2)])

    def test_stoppedWhileAsking(self) -> None:
        """
        The same where the store has not answered yet.
        """
        self.store.held = []
        found = self.ours(self.mark(1))
        self.successResultOf(self.leftovers.stopService())
        self.store.away = True
        for each in self.store.held:
            each()
        self.successResultOf(found)
        self.assertEqual(self.markers(), [identity(1)])


class AdoptTests(LeftoversTestCase):
    """
    What others left on the same disk.
    """

    def test_adopted(self) -> None:
        """
        What a dead node left, and of which there is no record, is finished by
        who finds it: once a minute.
        """
        self.dead.add(OTHER)
        orphan = self.mark(1, OTHER)
        self.clock.advance(59)
        self.assertEqual(self.recovered, [])
        self.clock.advance(1)
        self.assertEqual(self.recovered, [orphan])
        self.assertEqual((self.markers(OTHER), self.markers()), ([], [identity(1)]))

    def test_lives(self) -> None:
        """
        What a node left that is not known to be dead is its own.
        """
        self.mark(1, OTHER)
        self.clock.advance(60)
        self.assertEqual((self.recovered, self.markers(OTHER)), ([], [identity(1)]))

    def test_recorded(self) -> None:
        """
        What has a record is finished by who claims that.
        """
        self.dead.add(OTHER)
        self.mark(1, OTHER)
        self.mark(2, OTHER)
        self.put(1, OTHER)
        self.clock.advance(60)
        self.assertEqual([each.id for each in self.recovered], [identity(2)])

    def test_away(self) -> None:
        """
        Without the store nothing is known.
        """
        self.dead.add(OTHER)
        self.mark(1, OTHER)
        self.store.away = True
        self.clock.advance(60)
        self.assertEqual(self.recovered, [])
        self.store.away = False
        self.clock.advance(60)
        self.assertEqual(len(self.recovered), 1)

    def test_locked(self) -> None:
        """
        A process that has its lock is not gone, whatever others think of it.
        """
        self.dead.add(OTHER)
        alive = RunningRecordings(self.root, OTHER)
        alive.acquire()
        self.mark(1, OTHER)
        self.clock.advance(60)
        alive.release()
        self.assertEqual(self.recovered, [])

    def test_fails(self) -> None:
        """
        An error costs one look, not all that follow.
        """
        self.dead.add(OTHER)
        self.mark(1, OTHER)
        self.store.errors["exists"] = ValueError("bug")
        self.clock.advance(60)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.store.errors.clear()
        self.clock.advance(60)
        self.assertEqual(len(self.recovered), 1)

    def test_stopped(self) -> None:
        """
        A node that stops adopts nothing more, and waits for what it has begun.
        """
        self.dead.add(OTHER)
        self.mark(1, OTHER)
        self.mark(2, OTHER)
        self.recovering = Deferred()
        self.clock.advance(60)
        self.assertEqual(len(self.recovered), 1)
        stopped = self.leftovers.stopService()
        self.assertNoResult(stopped)
        self.recovering.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(len(self.recovered), 1)
        self.assertEqual(len(self.markers(OTHER)), 1)
