"""
Whole nodes on a network in memory.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.credentials import Credentials
from siprec.cluster.links import ClusterLinks
from siprec.ids import NodeID
from siprec.session.model import NodeLease
from tests.cluster.network import MemoryNetwork, MemoryTransport

A, B, C = NodeID("a"), NodeID("b"), NodeID("c")


class NodesCase(SynchronousTestCase):
    """
    Nodes that share a store.

    @ivar leases: the store.
    @ivar told: what their callbacks were told.
    """

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.leases: dict[NodeID, NodeLease] = {}
        self.told: list[tuple[str, NodeID, NodeID]] = []
        self.links: list[ClusterLinks] = []
        self.addCleanup(self.stopAll)

    def make(self, node: NodeID, instance: str = "1", **more: Any) -> ClusterLinks:
        """
        @return: the links of a node at C{192.0.2.N:7000}, not started.
        """
        credentials = Credentials(
            more.pop("key", f"{node}{instance}".encode() * 16),
            more.pop("secrets", ()),
            more.pop("tls", None),
        )
        made = ClusterLinks(
            self.network,
            node,
            f"{node}{instance}",
            f"tcp:7000:interface=192.0.2.{ord(node) - ord('a') + 1}",
            **{
                "credentials": credentials,
                "leaseOf": self.leases.get,
                "onBroken": lambda other: self.told.append(("broken", node, other)),
                "onSilent": lambda other: self.told.append(("silent", node, other)),
                **more,
            },
        )
        self.links.append(made)
        return made

    def start(self, node: NodeID, instance: str = "1", **more: Any) -> ClusterLinks:
        """
        @return: the links of a node that runs, with its lease in the store.
        """
        made = self.make(node, instance, **more)
        made.startService()
        self.leases[node] = self.lease(made, node, f"{node}{instance}")
        return made

    def lease(self, links: ClusterLinks, node: NodeID, instance: str) -> NodeLease:
        """
        @return: the lease of a node that runs.
        """
        return NodeLease(node, instance, "host", 1, data={"cluster": links.leaseData()})

    def claim(self, node: NodeID, **changes: Any) -> NodeLease:
        """
        @return: the lease of a node, with this changed in what it says of the cluster.
        """
        lease = self.leases[node]
        return evolve(lease, data={"cluster": {**lease.data["cluster"], **changes}})

    def cut(self) -> None:
        """
        Let all connections end as when a process dies.
        """
        for ends in self.live():
            ends[1].end(Failure(ConnectionLost()))
        self.network.settle()

    def live(self) -> list[tuple[MemoryTransport, MemoryTransport]]:
        """
        @return: the connections that are open.
        """
        return [ends for ends in self.network.connections if not ends[0].ended]

    def stopped(self, links: ClusterLinks) -> Deferred[None]:
        """
        @return: the end of a node, after what is under way.
        """
        done = links.stopService()
        self.network.pass_(2)
        return done

    def stopAll(self) -> None:
        """
        Stop all that runs; then no timer and no socket is left.
        """
        for links in self.links:
            if links.running:
                self.successResultOf(self.stopped(links))
        self.network.pass_(5)
        self.assertEqual(self.network.getDelayedCalls(), [])
        self.assertEqual((self.live(), self.network.ports), ([], {}))


class TwoNodes(NodesCase):
    """
    Two nodes that know each other.
    """

    def setUp(self) -> None:
        super().setUp()
        self.a, self.b = self.start(A), self.start(B)
        self.b.handle("echo", lambda peer, body: [peer.nodeID, peer.instance, body])
        self.a.handle("echo", lambda peer, body: [peer.nodeID, peer.instance, body])

    def ask(self, links: ClusterLinks, node: NodeID, kind: str = "echo", body: Any = 1) -> Any:
        """
        @return: the answer.
        """
        asked = links.request(node, kind, body)
        self.network.settle()
        return self.successResultOf(asked)
