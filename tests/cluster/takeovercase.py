"""
Survivors that take over, for tests.
"""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.rush import Rush
from siprec.cluster.takeover import Takeover
from siprec.ids import NodeID
from siprec.session.model import SessionData
from siprec.store.memory import MemorySessionStore
from siprec.store.memorysessions import SessionMemory
from tests.store.samples import N1, N2, makeData, makeLease
from tests.store.shaky import ShakyStore

N3 = NodeID("n3")


@define(eq=False)
class Survivor:
    """
    One node and its sessions.

    @ivar taken: key, epoch and time of what was to be taken up.
    @ivar held: C{None}, or what is still being taken up.
    @ivar error: what taking up ends with, if anything.
    @ivar own: how many sessions it had before.
    @ivar others: how many it believes the others to have.
    @ivar has: sessions that it knows.
    """

    clock: Clock
    memory: SessionMemory
    node: NodeID
    store: ShakyStore = field(init=False)
    rush: Rush = field(factory=Rush, init=False)
    takeover: Takeover = field(init=False)
    taken: list[tuple[str, int, float]] = field(factory=list)
    held: list[Deferred[None]] | None = None
    error: Exception | None = None
    own: int = 0
    others: list[int] = field(factory=list)
    ready: bool = True
    has: set[str] = field(factory=set)

    @store.default
    def _shaky(self) -> ShakyStore:
        return ShakyStore(MemorySessionStore(self.clock, self.node, self.memory))

    @takeover.default
    def _make(self) -> Takeover:
        return Takeover(
            self.store,
            self.clock,
            self.node,
            self._takeUp,
            lambda: (self.own + len(self.taken), self.others),
            lambda: self.ready,
            known=lambda key: key in self.has,
            rush=self.rush,
        )

    def _takeUp(self, record: SessionData) -> Deferred[None]:
        self.taken.append((record.sessionID, record.epoch, round(self.clock.seconds(), 2)))
        self.has.add(record.sessionID)
        if self.error is not None:
            raise self.error
        done: Deferred[None] = Deferred()
        if self.held is None:
            return succeed(None)
        self.held.append(done)
        return done

    @property
    def keys(self) -> list[str]:
        """
        What was to be taken up.
        """
        return [key for key, *_ in self.taken]


class TakeoverCase(SynchronousTestCase):
    """
    C{n1} has sessions; C{n2} and C{n3} are there when it dies.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.memory = SessionMemory(self.clock.seconds)
        self.two, self.three = (Survivor(self.clock, self.memory, each) for each in (N2, N3))
        for each in (self.two, self.three):
            each.takeover.startService()
        self.addCleanup(self.stopAll)

    def stopAll(self) -> None:
        """
        At the end nothing is under way.
        """
        for each in (self.two, self.three):
            self.stop(each)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def stop(self, survivor: Survivor) -> None:
        """
        A node ends what it has begun, and stops.
        """
        stopped = survivor.takeover.stopService()
        held, survivor.held = survivor.held or [], None
        for done in held:
            done.callback(None)
        survivor.store.letGo()
        self.successResultOf(stopped)

    def pass_(self, seconds: float) -> None:
        """
        Let time pass.
        """
        # Steps that a sum of them does not round.
        self.clock.pump([0.0625] * round(seconds / 0.0625))

    def own(self, count: int, node: NodeID = N1) -> list[SessionData]:
        """
        @return: sessions of a node, C{k000} and so on, the last one the newest.
        """
        return [
            self.memory.store(makeData(f"k{number:03}", nodeID=node), 1000.0 + number)
            for number in range(count)
        ]

    def lease(self, instance: str = "i1", node: NodeID = N1) -> None:
        """
        A process takes the lease of a node.
        """
        self.memory.heartbeat(makeLease(node, instance), 300.0)

    def owned(self, node: NodeID) -> list[str]:
        """
        @return: the sessions of a node, sorted.
        """
        return sorted(self.memory.list(node))

    def messages(self, logs: Any) -> list[str]:
        """
        @return: the formats of what was logged.
        """
        return [each["log_format"] for each in logs]
