"""
Tests of L{siprec.cluster.witnesses}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from siprec.cluster.errors import Unreachable
from siprec.cluster.interfaces import IClusterLinks, Liveness
from siprec.cluster.witnesses import Witnesses
from siprec.ids import NodeID
from siprec.session.model import NodeLease

A, B, C, D = (NodeID(each) for each in "abcd")
_NAMES = (A, B, C, D)


@define(eq=False)
class Network:
    """
    Who reaches whom; a probe that finds nobody takes its whole time.
    """

    clock: Clock = field(factory=Clock)
    cut: set[frozenset[NodeID]] = field(factory=set)
    refusing: set[NodeID] = field(factory=set)
    rejected: set[frozenset[NodeID]] = field(factory=set)
    nodes: dict[NodeID, Links] = field(factory=dict)

    def reaches(self, one: NodeID, other: NodeID) -> bool:
        """
        @return: whether nothing is between them.
        """
        return other in self.nodes and frozenset((one, other)) not in self.cut


@implementer(IClusterLinks)
@define(eq=False)
class Links:
    """
    Links of a node.
    """

    node: NodeID
    network: Network
    kept: list[NodeID] = field(factory=list)
    asked: list[NodeID] = field(factory=list)
    told: list[NodeID] = field(factory=list)
    answers: dict[str, Callable[[Any, Any], Any]] = field(factory=dict)

    def keep(self, nodes: Iterable[NodeID]) -> None:
        """
        See L{IClusterLinks.keep}.
        """
        self.kept = list(nodes)

    def handle(self, kind: str, answer: Callable[[Any, Any], Any]) -> None:
        """
        See L{IClusterLinks.handle}.
        """
        self.answers[kind] = answer

    def probe(self, lease: NodeLease, timeout: float) -> Deferred[Liveness]:
        """
        See L{IClusterLinks.probe}.
        """
        pair = frozenset((self.node, lease.nodeID))
        if lease.nodeID in self.network.refusing or pair in self.network.rejected:
            return succeed(Liveness.REFUSED)
        if self.network.reaches(self.node, lease.nodeID):
            return succeed(Liveness.ALIVE)
        done: Deferred[Liveness] = Deferred()
        self.network.clock.callLater(timeout, done.callback, Liveness.SILENT)
        return done

    def request(self, node: NodeID, kind: str, body: Any, timeout: float = 5.0) -> Deferred[Any]:
        """
        See L{IClusterLinks.request}.
        """
        self.asked.append(node)
        if not self.network.reaches(self.node, node):
            return fail(Unreachable(node, "cut off"))
        return Deferred.fromCoroutine(self.network.nodes[node].answers[kind](None, body))

    def notify(self, node: NodeID, kind: str, body: Any) -> Deferred[None]:
        """
        See L{IClusterLinks.notify}.
        """
        self.told.append(node)
        return succeed(None)


class WitnessesTests(SynchronousTestCase):
    """
    Four nodes, of which D is missed by A.
    """

    def setUp(self) -> None:
        self.network = Network()
        clock = self.network.clock
        self.addCleanup(lambda: self.assertEqual(clock.getDelayedCalls(), []))
        self.leases = {name: NodeLease(name, f"{name}1", "host", 1) for name in _NAMES}
        self.nodes = {}
        for name in _NAMES:
            links = self.network.nodes[name] = Links(name, self.network)
            others = partial(self.others, name)
            self.nodes[name] = Witnesses(links, name, others, self.leases.get, clock)
        self.asking = self.network.nodes[A].asked

    def others(self, name: NodeID) -> set[NodeID]:
        """
        @return: all nodes but one.
        """
        return set(self.leases) - {name}

    def cut(self, *pairs: tuple[NodeID, NodeID]) -> None:
        """
        Cut these.
        """
        self.network.cut |= {frozenset(pair) for pair in pairs}

    def probe(self, seconds: float) -> Liveness:
        """
        @return: what A finds of D in this time.
        """
        probing = self.nodes[A].probe(self.leases[D], 0.5)
        self.network.clock.advance(seconds)
        return self.successResultOf(probing)

    def test_interface(self) -> None:
        """
        They are links themselves, and so are those of these tests.
        """
        verifyObject(IClusterLinks, self.nodes[A])
        links = self.network.nodes[A]
        verifyObject(IClusterLinks, links)
        self.nodes[A].keep([B])
        self.successResultOf(self.nodes[A].notify(C, "kind", None))
        self.nodes[B].handle("echo", _echo)
        self.assertEqual(self.successResultOf(self.nodes[A].request(B, "echo", 5)), 5)
        self.assertEqual((links.kept, links.told), ([B], [C]))

    def test_reached(self) -> None:
        """
        An answer that a node has itself counts, whatever others think; and that a
        port refuses, if nobody knows better.
        """
        self.cut((B, D), (C, D))
        self.assertIs(self.probe(0), Liveness.ALIVE)
        self.network.clock.advance(0.5)
        self.network.refusing.add(D)
        self.assertIs(self.probe(0), Liveness.REFUSED)

    def test_rejected(self) -> None:
        """
        A firewall between this node and one that lives refuses as a port does on
        which nobody listens: others know better.
        """
        self.network.rejected.add(frozenset((A, D)))
        self.assertIs(self.probe(0), Liveness.ALIVE)
        self.assertEqual(set(self.asking), {B, C})
        self.cut((B, D))
        self.network.rejected.add(frozenset((C, D)))
        probing = self.nodes[A].probe(self.leases[D], 0.5)
        self.assertNoResult(probing)
        self.network.clock.advance(0.1)
        self.assertIs(self.successResultOf(probing), Liveness.REFUSED)
        self.network.clock.advance(0.4)

    def test_heardByAnother(self) -> None:
        """
        A node that one other reaches lives, and all are asked at the same time.
        """
        self.cut((A, D), (B, D))
        self.assertIs(self.probe(0.5), Liveness.ALIVE)
        self.assertEqual(set(self.asking), {B, C})

    def test_heardByNobody(self) -> None:
        """
        One that nobody reaches is silent, and that takes no longer than it
        takes to see it alone.
        """
        self.cut((A, D), (B, D), (C, D))
        self.assertIs(self.probe(0.5), Liveness.SILENT)

    def test_witnessesAway(self) -> None:
        """
        Who cannot be asked says nothing.
        """
        self.cut((A, D), (A, B), (A, C))
        self.assertIs(self.probe(0.5), Liveness.SILENT)

    def test_alone(self) -> None:
        """
        Where there is nobody to ask nothing more is found out.
        """
        self.cut((A, D))
        for name in (B, C):
            del self.leases[name]
        self.assertIs(self.probe(0.5), Liveness.SILENT)

    def test_anotherProcess(self) -> None:
        """
        That another process of that name lives says nothing of this one; nor
        does a node that has never seen it.
        """
        self.cut((A, D))
        old = NodeLease(D, "d0", "host", 1)
        probing = self.nodes[A].probe(old, 0.5)
        self.network.clock.advance(0.5)
        self.assertIs(self.successResultOf(probing), Liveness.SILENT)

    def test_near(self) -> None:
        """
        Of many only those are asked that hold connections with the node: two
        that follow it, and two that it follows.
        """
        self.cut((A, D))
        for name in "efghijk":
            self.leases[NodeID(name)] = NodeLease(NodeID(name), "1", "host", 1)
        self.probe(0.5)
        self.assertEqual(sorted(self.asking), ["b", "c", "e", "f"])

    def test_neverSeen(self) -> None:
        """
        A node that has no lease, and that this one has never seen, may be one
        that others have an answer of.
        """
        lease = self.leases.pop(D)
        self.assertFalse(self.successResultOf(self.nodes[A].haveSeen(D)))
        self.leases[D] = lease
        self.assertTrue(self.successResultOf(self.nodes[A].haveSeen(D)))
        self.cut((B, D), (C, D))
        seen = self.nodes[A].haveSeen(D)
        self.network.clock.advance(1)
        self.assertFalse(self.successResultOf(seen))


async def _echo(peer: Any, body: Any) -> Any:
    return body


__all__ = ["WitnessesTests"]
