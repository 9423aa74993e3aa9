"""
Tests of L{siprec.cluster.links}.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.cluster.contact import contactOf
from siprec.cluster.credentials import Credentials
from siprec.cluster.errors import CannotListen, LinkBusy, LinkLost, PeerFailed, Unreachable
from siprec.cluster.links import ClusterLinks, Liveness
from siprec.cluster.wire import Unsendable
from siprec.ids import NodeID
from tests.cluster.network import MemoryNetwork
from tests.cluster.nodes import A, B, C, NodesCase, TwoNodes


class ListenTests(NodesCase):
    """
    Where a node is reached.
    """

    def test_address(self) -> None:
        """
        It is reached where it listens, unless another place is advertised, with or
        without a port.
        """
        places: list[tuple[Any, str]] = [
            (None, "192.0.2.1:7000"),
            (("n.example", None), "n.example:7000"),
            (("2001:db8::1", 7001), "[2001:db8::1]:7001"),
        ]
        for advertise, address in places:
            links = self.start(A, advertise=advertise)
            self.assertEqual(links.address, address)
            self.assertEqual(links.leaseData()["address"], address)
            self.successResultOf(self.stopped(links))
            self.assertRaises(RuntimeError, lambda links=links: links.address)

    def test_key(self) -> None:
        """
        The lease tells the key as it is, without the cluster's secret.
        """
        self.start(A, secrets=(b"s",))
        self.assertEqual(contactOf(self.leases[A]).key, b"a1" * 16)

    def test_port(self) -> None:
        """
        The port of these tests is one.
        """
        self.start(A)
        verifyObject(IListeningPort, self.network.ports["192.0.2.1", 7000])

    def test_wildcard(self) -> None:
        """
        Without an interface, or where it is no TCP, it is not listened at all.
        """
        for listen in ("tcp:7000", "tcp:7000:interface=", "ssl:1:interface=::1", "unix:x", ""):
            self.assertRaises(
                ValueError,
                lambda listen=listen: ClusterLinks(
                    MemoryNetwork(),
                    A,
                    "a1",
                    listen,
                    credentials=Credentials(b"k" * 32),
                    leaseOf=self.leases.get,
                ),
            )

    def test_inUse(self) -> None:
        """
        A port that is taken is told at the start.
        """
        self.start(A)
        error = self.assertRaises(CannotListen, self.make(A, "2").startService)
        self.assertIn("tcp:7000:interface=192.0.2.1", str(error))

    def test_closeError(self) -> None:
        """
        A listener that cannot be closed does not keep the stop from ending.
        """
        links = self.start(A)
        self.network.ports["192.0.2.1", 7000].closeError = OSError("no")
        self.successResultOf(self.stopped(links))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)


class RequestTests(TwoNodes):
    """
    Requests and notices.
    """

    def test_request(self) -> None:
        """
        A request opens a connection, and the next ones, in both directions, use it.
        """
        self.assertEqual(self.ask(self.a, B), ["a", "a1", 1])
        self.assertEqual(self.ask(self.a, B, body=b"2"), ["a", "a1", b"2"])
        self.assertEqual(self.ask(self.b, A), ["b", "b1", 1])
        self.assertEqual(len(self.network.connections), 1)

    def test_lastHeard(self) -> None:
        """
        It is known when another node was heard last, as long as there is a
        connection to one.
        """
        self.assertIsNone(self.a.lastHeard)
        self.ask(self.a, B)
        heard = self.a.lastHeard
        assert heard is not None
        self.network.pass_(1)
        self.ask(self.b, A)
        self.assertAlmostEqual(self.a.lastHeard or 0, heard + 1)

    def test_shared(self) -> None:
        """
        Requests at the same time share one attempt; one that is given up does not
        harm the others.
        """
        asked = [self.a.request(B, "echo", number) for number in range(3)]
        asked[0].cancel()
        self.failureResultOf(asked[0], Unreachable, CancelledError)
        self.network.settle()
        self.assertEqual([self.successResultOf(each)[2] for each in asked[1:]], [1, 2])
        self.assertEqual(len(self.network.connections), 1)

    def test_unknownKind(self) -> None:
        """
        What nobody there answers fails by that name.
        """
        asked = self.a.request(B, "what", 1)
        self.network.settle()
        self.assertEqual(self.failureResultOf(asked, PeerFailed).value.name, "UnknownKind")

    def test_notify(self) -> None:
        """
        A notice arrives; it is on its way when the Deferred fires.
        """
        told: list[Any] = []
        self.b.handle("told", lambda peer, body: told.append((peer.nodeID, body)))
        sending = self.a.notify(B, "told", 5)
        self.network.settle()
        self.assertIsNone(self.successResultOf(sending))
        self.assertEqual(told, [(A, 5)])
        self.failureResultOf(self.a.notify(B, "told", object()), Unsendable)

    def test_unreachable(self) -> None:
        """
        Where nobody listens, no lease is known, or it says nothing of use, and to this
        node itself, nothing is sent.
        """
        self.leases[C] = self.claim(B, address="192.0.2.3:7000")
        self.leases[NodeID("d")] = self.claim(B, address="?")
        for node in (C, NodeID("d"), NodeID("e"), A):
            asked, told = self.a.request(node, "echo", 1), self.a.notify(node, "echo", 1)
            self.network.settle()
            error = self.failureResultOf(asked, Unreachable).value
            self.assertEqual(error.nodeID, node)
            self.failureResultOf(told, Unreachable)

    def test_connectTime(self) -> None:
        """
        Connecting is part of the time for a request.
        """
        self.network.lost.add(("192.0.2.2", 7000))
        asked = self.a.request(B, "echo", 1, timeout=0.5)
        self.network.pass_(0.4)
        self.assertNoResult(asked)
        self.network.pass_(0.15)
        self.failureResultOf(asked, Unreachable)

    def test_neverAuthenticated(self) -> None:
        """
        Where the kernel takes the connection and nobody answers, the node is
        unreachable after 2 seconds.
        """
        self.leases[C] = self.claim(B, address="192.0.2.3:7000")
        self.network.accepting.add(("192.0.2.3", 7000))
        asked = self.a.request(C, "echo", 1)
        self.network.pass_(1.9)
        self.assertNoResult(asked)
        self.network.pass_(0.15)
        self.failureResultOf(asked, Unreachable)

    def test_timeout(self) -> None:
        """
        An answer that does not come in time fails as late.
        """
        self.b.handle("wait", lambda peer, body: Deferred())
        asked = self.a.request(B, "wait", 1, timeout=1)
        self.network.pass_(1.05)
        self.failureResultOf(asked, TimeoutError)

    def test_lost(self) -> None:
        """
        A connection that breaks before the answer is told as such.
        """
        self.b.handle("wait", lambda peer, body: Deferred())
        asked = self.a.request(B, "wait", 1)
        self.network.settle()
        self.cut()
        self.failureResultOf(asked, LinkLost)

    def test_newInstance(self) -> None:
        """
        A request goes to the instance that has the lease, not to an old one that
        still has a connection.
        """
        self.ask(self.b, A)
        self.leases[B] = evolve(self.leases[B], instance="b2")
        asked = self.a.request(B, "echo", 1)
        self.network.settle()
        self.failureResultOf(asked, Unreachable)

    def test_withoutLease(self) -> None:
        """
        Where the lease is gone, an open connection still serves.
        """
        self.ask(self.a, B)
        del self.leases[B]
        self.assertEqual(self.ask(self.a, B), ["a", "a1", 1])

    def test_stopped(self) -> None:
        """
        Before the start and after the stop nobody is reached.
        """
        self.successResultOf(self.stopped(self.a))
        self.failureResultOf(self.a.request(B, "echo", 1), Unreachable)
        self.failureResultOf(self.make(C).request(B, "echo", 1), Unreachable)


class BusyTests(TwoNodes):
    """
    Bounds, through the node.
    """

    def test_requests(self) -> None:
        """
        Too many requests at a time to one node fail as busy.
        """
        self.b.handle("wait", lambda peer, body: Deferred())
        asked = [self.a.request(B, "wait", 1) for _ in range(257)]
        self.network.settle()
        self.failureResultOf(asked.pop(), LinkBusy)
        self.network.pass_(6, 0.5)
        for each in asked:
            self.failureResultOf(each, TimeoutError)


class ProbeTests(TwoNodes):
    """
    Probes, as the node gives them.
    """

    def test_alive(self) -> None:
        """
        A node that answers is alive, and so is this one.
        """
        probing = self.a.probe(self.leases[B], 1)
        self.network.settle()
        self.assertIs(self.successResultOf(probing), Liveness.ALIVE)
        self.assertIs(self.successResultOf(self.a.probe(self.leases[A], 1)), Liveness.ALIVE)


class FormTests(SynchronousTestCase):
    """
    The interface to others.
    """

    def test_liveness(self) -> None:
        """
        There are four findings.
        """
        self.assertEqual([each.name for each in Liveness], ["ALIVE", "REFUSED", "SILENT", "OTHER"])
