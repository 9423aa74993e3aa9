"""
Tests of L{siprec.cluster.greetings}; more of them are in
L{tests.cluster.test_cluster}.
"""

from __future__ import annotations

from typing import Any, cast

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.greetings import ARRIVING, LEAVING, Greetings
from siprec.ids import NodeID
from siprec.session.model import NodeLease, SessionData
from siprec.store.memory import MemorySessionStore
from siprec.store.memorysessions import SessionMemory
from tests.cluster.fakelinks import FakeLinks

A, B = NodeID("a"), NodeID("b")


@define(eq=False)
class _Others:
    """
    Membership and addresses that note what is done with them.
    """

    living: dict[NodeID, NodeLease] = field(factory=dict)
    notes: list[tuple[str, NodeID]] = field(factory=list)
    nodeID: NodeID = B
    instance: str = "b1"

    def leaseOf(self, node: NodeID) -> NodeLease | None:
        return self.living.get(node)

    def left(self, node: NodeID, instance: str) -> None:
        self.notes.append(("left", node))

    def take(self, lease: NodeLease) -> None:
        self.notes.append(("take", lease.nodeID))

    def giveBack(self, node: NodeID) -> Deferred[None]:
        self.notes.append(("give", node))
        return succeed(None)


class GreetingsTests(SynchronousTestCase):
    """
    What C{a} says to C{b}, and hears of it.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.memory = SessionMemory(self.clock.seconds)
        self.links, self.others = FakeLinks(self.clock), _Others()
        self.unsettled: list[bool] = []
        others = cast(Any, self.others)
        self.greetings = Greetings(
            A,
            cast(Any, MemorySessionStore(self.clock, A, self.memory)),
            self.links,
            others,
            others,
            lambda: self.unsettled.append(True),
        )
        self.lease = NodeLease(B, "b1", "there", 7)

    def arrive(self) -> None:
        """
        Let C{a} arrive.
        """
        self.successResultOf(Deferred.fromCoroutine(self.greetings.arrive()))

    def test_arrive(self) -> None:
        """
        All but the node itself are asked for its addresses, and known from then
        on.
        """
        self.memory.heartbeat(self.lease, 3)
        self.memory.heartbeat(NodeLease(A, "a1", "here", 8), 3)
        self.arrive()
        self.assertEqual(self.links.sent, [(B, ARRIVING, None)])
        self.assertIsNotNone(self.greetings.leaseOf(B))
        self.assertIsNone(self.greetings.leaseOf(A))
        self.assertEqual(self.unsettled, [])

    def test_orphans(self) -> None:
        """
        Calls of a node without a lease may knock here.
        """
        self.memory.store(SessionData("1", "call-1", "recording", 0.0, 0.0, "/r", B), 60)
        self.arrive()
        self.assertEqual((self.unsettled, self.links.sent), ([True], []))

    def test_unreachable(self) -> None:
        """
        Who cannot be asked does not keep it.
        """
        self.memory.heartbeat(self.lease, 3)
        self.links.reachable = False
        self.arrive()

    def test_leave(self) -> None:
        """
        Good-bye is said to those that live.
        """
        self.others.living[B] = self.lease
        self.successResultOf(Deferred.fromCoroutine(self.greetings.leave()))
        self.assertEqual(self.links.sent, [(B, LEAVING, None)])

    def test_peerLeaves(self) -> None:
        """
        The addresses of one that leaves are taken, if it was known.
        """
        self.links.answers[LEAVING](self.others, None)
        self.assertEqual(self.others.notes, [("left", B)])
        self.others.living[B] = self.lease
        self.links.answers[LEAVING](self.others, None)
        self.assertEqual(self.others.notes[1:], [("left", B), ("take", B)])

    def test_peerArrives(self) -> None:
        """
        Those of one that comes are given back.
        """
        self.successResultOf(self.links.answers[ARRIVING](self.others, None))
        self.assertEqual(self.others.notes, [("give", B)])
