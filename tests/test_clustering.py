"""
Tests of L{siprec.clustering}: a node that is put together to be one of several.
"""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred

from siprec.cluster.membership import Member, Standing
from siprec.config import ConfigError
from siprec.ids import NodeID
from siprec.node import Node
from siprec.session.model import NodeLease
from siprec.store.redis import RedisSessionStore
from tests.session.servicecase import metric
from tests.store.certificates import makeCertificates
from tests.test_assembly import AssemblyTestCase


class TogetherTests(AssemblyTestCase):
    """
    A node with a store that others share.
    """

    def join(self, **overrides: object) -> Node:
        """
        @return: a node of a cluster.
        """
        return self.make(store__url="redis://127.0.0.1:1/0", **overrides)

    def test_nothingOpened(self) -> None:
        """
        Nothing is opened before the start.
        """
        self.join()
        self.assertFalse(os.path.exists(self.root))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual((self.reactor.tcpServers, self.reactor.tcpClients), ([], []))

    def test_wired(self) -> None:
        """
        Messages pass the gate, then the relay, then the layer; and back the
        relay, the gate, the transport.
        """
        node = self.join()
        cluster = node.cluster
        assert cluster is not None
        self.assertIsInstance(node.store, RedisSessionStore)
        self.assertIs(cluster.gate.receiver, cluster.relay)
        self.assertIs(cluster.relay.receiver, node.layer)
        self.assertIs(node.layer.transport, cluster.relay)
        self.assertIs(node.recorder._around.outgoing.transport, cluster.relay)
        self.assertIsNotNone(node.recorder._around.outgoing._locator)
        self.assertIs(cluster.gate.transport, node.transport)
        self.assertIs(node.layer.user, node.recorder)
        self.assertEqual(node.recorder.isUncertain, cluster.isUncertain)
        self.assertEqual(node.recorder._around.passOn, cluster.passOn)

    def test_lease(self) -> None:
        """
        The lease has what the cluster says; once it listens, that is where.
        """
        node = self.join()
        self.assertNotIn("cluster", node.state._lease().data)
        node.sessions.draining = True
        self.assertTrue(node.state._lease().data["draining"])

    def test_instance(self) -> None:
        """
        The instance of the lease is that of the connections.
        """
        node = self.join()
        assert node.cluster is not None
        self.assertEqual(node.cluster.links._own.instance, node.state.instance)
        self.assertNotEqual(self.join().state.instance, node.state.instance)

    def test_lapsed(self) -> None:
        """
        A lapsed lease makes the node doubt whether it slept.
        """
        node = self.join()
        assert node.cluster is not None
        doubts: list[str] = []
        self.patch(type(node.cluster.wakefulness), "doubt", staticmethod(doubts.append))
        node.state._onLapsed()
        self.assertEqual(doubts, ["the lease was over"])

    def test_fenced(self) -> None:
        """
        A call that another node has is let go of by the cluster, not by the node
        alone.
        """
        node = self.join()
        assert node.cluster is not None
        asked: list[str] = []
        self.patch(type(node.cluster), "fenced", staticmethod(asked.append))
        node.state._onFenced("unknown")
        self.assertEqual(asked, ["unknown"])

    def test_ways(self) -> None:
        """
        How media is taken over is known to all who take part in it.
        """
        node = self.join(cluster__media_takeover="reinvite", cluster__address_wait=3.0)
        assert node.cluster is not None
        continuation = node.cluster.continuation
        self.assertEqual((continuation.ways, continuation.addressWait), (("reinvite",), 3.0))
        self.assertEqual(node.recorder._around.ways, ("reinvite",))
        self.assertEqual(node.cluster.giver._ways, ("reinvite",))

    def test_secret(self) -> None:
        """
        A secret that cannot be read, or is too short, is an error before
        anything is opened.
        """
        path = os.path.abspath(self.mktemp())
        self.assertRaises(ConfigError, self.join, cluster__secret_file=path)
        with open(path, "wb") as file:
            file.write(b"short")
        self.assertRaises(ConfigError, self.join, cluster__secret_file=path)
        with open(path, "wb") as file:
            file.write(b"long enough to be one")
        node = self.join(cluster__secret_file=path)
        assert node.cluster is not None
        with open(path, "wb") as file:
            file.write(b"another that is long enough")
        node.reload(node.settings)
        secrets = node.cluster.links.credentials.secrets
        self.assertEqual(secrets, (b"another that is long enough",))

    def test_tls(self) -> None:
        """
        The same of certificates; a key may be in the same file.
        """
        folder = os.path.abspath(self.mktemp())
        os.makedirs(folder)
        makeCertificates(folder)
        pair = {
            "cluster__tls_certificate": os.path.join(folder, "server.pem"),
            "cluster__tls_key": os.path.join(folder, "server.key"),
            "cluster__tls_ca": os.path.join(folder, "ca.pem"),
        }
        node = self.join(**pair)
        assert node.cluster is not None
        missing = {**pair, "cluster__tls_ca": os.path.join(folder, "none.pem")}
        self.assertRaises(ConfigError, self.join, **missing)
        both = os.path.join(folder, "both.pem")
        with open(both, "wb") as file:
            for name in ("server.pem", "server.key"):
                with open(os.path.join(folder, name), "rb") as part:
                    file.write(part.read())
        self.join(**{**pair, "cluster__tls_certificate": both, "cluster__tls_key": ""})

    def test_leases(self) -> None:
        """
        The connections know where other nodes are from their leases.
        """
        node = self.join()
        assert node.cluster is not None
        other = NodeLease(NodeID("n9"), "i", "h", 1)
        node.cluster.membership.members[other.nodeID] = Member(other, Standing.ALIVE, 0.0)
        self.assertIs(node.cluster.greetings.leaseOf(other.nodeID), other)

    def test_metrics(self) -> None:
        """
        What the cluster counts can be scraped.
        """
        node = self.join()
        cluster = node.cluster
        assert cluster is not None
        for number, standing in enumerate((Standing.ALIVE, Standing.ALIVE, Standing.DEAD)):
            lease = NodeLease(NodeID(f"m{number}"), "i", "h", 1)
            cluster.membership.members[lease.nodeID] = Member(lease, standing, 0.0)
        cluster.counters.update({"joined": 3, "suspected": 2, "died": 1, "fenced": 4})
        cluster.wakefulness.pauses = 5
        cluster.takeover.claimed, cluster.giver.given, cluster.taker.taken = 6, 7, 8
        node.recorder.moves["moved"] = 9
        cluster.relay.counters["relayed"] = 10
        for name, value in (
            ('siprec_cluster_nodes{standing="alive"}', 2),
            ('siprec_cluster_nodes{standing="dead"}', 1),
            ('siprec_cluster_nodes{standing="suspected"}', 0),
            ('siprec_cluster_events_total{event="joined"}', 3),
            ('siprec_cluster_events_total{event="suspected"}', 2),
            ('siprec_cluster_events_total{event="died"}', 1),
            ('siprec_cluster_events_total{event="slept"}', 5),
            ('siprec_cluster_sessions_total{event="claimed"}', 6),
            ('siprec_cluster_sessions_total{event="given"}', 7),
            ('siprec_cluster_sessions_total{event="taken"}', 8),
            ('siprec_cluster_sessions_total{event="fenced"}', 4),
            ('siprec_cluster_sessions_total{event="moved"}', 9),
            ('siprec_cluster_sessions_total{event="refused"}', 0),
            ('siprec_cluster_relayed_total{what="relayed"}', 10),
        ):
            self.assertEqual(metric(node.metrics, name), value, name)

    def test_awake(self) -> None:
        """
        Who is asleep is verified by the cluster; without calls that is nothing.
        """
        node = self.join()
        assert node.cluster is not None
        verified: list[bool] = []

        def verify() -> Deferred[None]:
            verified.append(True)
            return Deferred()

        self.patch(type(node.cluster), "verify", staticmethod(verify))
        node.cluster.wakefulness._verify()
        self.assertEqual(verified, [True])
