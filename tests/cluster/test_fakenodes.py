"""
Tests of L{tests.cluster.fakenodes}.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from siprec.cluster.errors import LinkLost, PeerFailed, Unreachable
from siprec.cluster.interfaces import IClusterLinks, Liveness
from siprec.ids import NodeID
from siprec.sip.interfaces import ISipTransport
from tests.cluster.fakenodes import NodeTransport
from tests.cluster.fakewires import NodeClock
from tests.cluster.nodecase import ClusterTestCase


class FakeTests(ClusterTestCase):
    """
    Two nodes.
    """

    def test_interfaces(self) -> None:
        """
        The fakes have all that the real ones have.
        """
        self.assertTrue(verifyObject(IClusterLinks, self.nodes[0].links))
        self.assertTrue(verifyObject(ISipTransport, NodeTransport()))
        self.assertTrue(verifyObject(IReactorTime, NodeClock(Clock())))

    def test_known(self) -> None:
        """
        The nodes know each other.
        """
        for one, other in (self.nodes, reversed(self.nodes)):
            self.assertEqual(list(one.cluster.membership.living), [other.node])

    def test_request(self) -> None:
        """
        Requests are answered; failures are told; what is cut off is not
        reached; and an answer may be lost.
        """
        a, b = (each.links for each in self.nodes)
        b.handle("echo", lambda peer, body: [peer.nodeID, peer.instance, body])
        self.assertEqual(self.successResultOf(a.request(b.node, "echo", (1,))), ["n1", "n1-1", [1]])
        self.assertIsNone(self.successResultOf(a.notify(b.node, "echo", 1)))
        self.failureResultOf(a.request(b.node, "other", 1), PeerFailed)
        self.wires.deaf.add((b.node, a.node))
        lost = a.request(b.node, "echo", 1, 2.0)
        self.wait(1.9)
        self.assertNoResult(lost)
        self.wait(0.2)
        self.failureResultOf(lost, TimeoutError)
        self.wires.cut.add(frozenset((a.node, b.node)))
        self.failureResultOf(a.request(b.node, "echo", 1), Unreachable)
        self.failureResultOf(a.notify(b.node, "echo", 1), Unreachable)
        self.failureResultOf(a.request(NodeID("n7"), "echo", 1), Unreachable)

    def test_kill(self) -> None:
        """
        Of a process that was killed nothing more happens; who waits for its
        answer is told.
        """
        a, b = self.nodes
        self.wires.deaf.add((b.node, a.node))
        lost = a.links.request(b.node, "echo", 1)
        lease = self.leases()[b.node]
        self.assertIs(self.successResultOf(a.links.probe(lease, 1)), Liveness.ALIVE)
        b.kill()
        self.failureResultOf(lost, LinkLost)
        self.assertIs(self.successResultOf(a.links.probe(lease, 1)), Liveness.REFUSED)
        self.assertEqual(b.clock.getDelayedCalls(), [])
        self.wait(4)
        self.assertEqual(list(self.leases()), [a.node])
