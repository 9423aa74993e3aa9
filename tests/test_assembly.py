"""
Tests of L{siprec.assembly}: a node that is put together.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from siprec.assembly import makeNode
from siprec.node import Node
from siprec.sip.flow import Flow, unseen
from siprec.store.memory import MemorySessionStore
from tests.nodeparts import FakeReactor, settingsFor
from tests.session.servicecase import metric


class AssemblyTestCase(SynchronousTestCase):
    """
    Nodes that are not started.
    """

    def setUp(self) -> None:
        self.reactor: Any = FakeReactor()
        self.root = os.path.abspath(self.mktemp())

    def make(self, **overrides: object) -> Node:
        """
        @return: a node.
        """
        return makeNode(self.reactor, settingsFor(self.root, **overrides))


class AloneTests(AssemblyTestCase):
    """
    A node whose state nobody else can see.
    """

    def test_noCluster(self) -> None:
        """
        It listens for nobody, and needs no cluster; it has no metrics of one.
        """
        node = self.make()
        self.assertIsNone(node.cluster)
        self.assertIsInstance(node.store, MemorySessionStore)
        self.assertIs(node.layer.transport, node.transport)
        self.assertNotIn("siprec_cluster", node.metrics.exposition().decode())

    def test_fenced(self) -> None:
        """
        A store that shows another owner has a call let go of, and a lapsed
        lease is no news.
        """
        node = self.make()
        node.state._onFenced("unknown")
        node.state._onLapsed()
        self.assertEqual(node.state._lease().data.keys() & {"cluster", "draining"}, set())

    def test_trace(self) -> None:
        """
        What the transport sends is in the ring that the trace is read from; with
        C{trace.messages = 0} nothing looks at it.
        """
        flow = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.7", 5060))
        node = self.make(trace__messages=2, trace__bytes=100)
        self.assertEqual((node.ring.messages, node.ring.limit), (2, 100))
        self.assertIs(node.trace.ring, node.ring)
        node.transport._witness(flow, True, b"x")
        self.assertEqual(node.ring.get(0).data, b"x")
        self.assertEqual(metric(node.metrics, "siprec_trace_messages"), 1)
        self.assertEqual(metric(node.metrics, "siprec_trace_octets"), 1)
        self.assertIs(self.make(trace__messages=0).transport._witness, unseen)
