"""
One node that looks at others, for tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.membership import Listeners, Member, Membership, Standing
from siprec.ids import NodeID
from siprec.store.memory import MemorySessionStore
from siprec.store.memorysessions import SessionMemory
from tests.cluster.fakelinks import FakeLinks
from tests.store.samples import N1, N2, makeData, makeLease
from tests.store.shaky import ShakyStore

N3 = NodeID("n3")

_TICK = 0.05


class MembershipCase(SynchronousTestCase):
    """
    C{n1} looks at the leases at every full second; the others renew theirs for 3
    seconds a bit more than half a second later, as long as they do.

    @ivar beating: instance by node of those that do.
    @ivar events: time, event and node; for deaths whether they are certain, too.
    @ivar react: called at each event with its name.
    @ivar gone: instances whose process is seen to have ended.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.ticks = 0
        self.memory = SessionMemory(self.clock.seconds)
        self.store = ShakyStore(MemorySessionStore(self.clock, N1, self.memory))
        self.links = FakeLinks(self.clock)
        self.beating: dict[NodeID, str] = {}
        self.events: list[tuple[Any, ...]] = []
        self.react: Callable[[str], None] = lambda event: None
        self.gone: set[str] = set()
        self.membership = self.make(self.links)
        self.addCleanup(self.stop)

    def make(self, links: FakeLinks | None) -> Membership:
        """
        @return: the view of C{n1}, not started.
        """
        return Membership(
            self.store,
            self.clock,
            N1,
            Listeners(
                lambda lease: self.note("joined", lease.nodeID),
                lambda lease: self.note("suspected", lease.nodeID),
                lambda member: self.note("died", member.lease.nodeID, member.certain),
                lambda node: self.note("orphaned", node),
            ),
            links,
            isGone=lambda lease: lease.instance in self.gone,
        )

    def note(self, event: str, *facts: Any) -> None:
        """
        Something was told.
        """
        self.events.append((round(self.clock.seconds(), 2), event, *facts))
        self.react(event)

    def told(self) -> list[tuple[Any, ...]]:
        """
        @return: what was told since the last call.
        """
        events, self.events = self.events, []
        return events

    def stop(self) -> None:
        """
        At the end nothing is under way.
        """
        stopped = self.membership.stopService()
        self.pass_(1)
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def beat(self, node: NodeID = N2, instance: str = "i2") -> None:
        """
        A node renews its lease, now and from now on.
        """
        self.beating[node] = instance
        self.memory.heartbeat(makeLease(node, instance), 3.0)

    def pass_(self, seconds: float) -> None:
        """
        Let time pass.
        """
        for _ in range(round(seconds / _TICK)):
            self.ticks += 1
            self.clock.advance(self.ticks * _TICK - self.clock.seconds())
            if self.ticks % 20 == 11:
                for node, instance in self.beating.items():
                    self.memory.heartbeat(makeLease(node, instance), 3.0)

    def start(self, *nodes: NodeID, seconds: float = 0.0) -> None:
        """
        Start with these others, of instance C{iN}, and let time pass.
        """
        for node in nodes:
            self.beat(node, "i" + node[1:])
        self.membership.startService()
        self.pass_(seconds)

    def freeze(self, node: NodeID = N2) -> None:
        """
        A node does not renew its lease any more.
        """
        del self.beating[node]

    def standing(self, node: NodeID = N2) -> Standing:
        """
        @return: what is thought of a node.
        """
        return self.member(node).standing

    def member(self, node: NodeID = N2) -> Member:
        """
        @return: what is known of a node.
        """
        return self.membership.members[node]

    def own(self, node: NodeID, *keys: str) -> None:
        """
        Sessions of a node come into the store.
        """
        for key in keys:
            self.memory.store(makeData(key, nodeID=node), 1000.0)
