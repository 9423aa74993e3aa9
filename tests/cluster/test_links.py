"""
Tests of L{siprec.cluster.links}.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.cluster.contact import contactOf
from siprec.cluster.errors import CannotListen, LinkBusy, LinkLost, PeerFailed, Unreachable
from siprec.cluster.links import IDLE_TIME, LOG_INTERVAL, MAX_STRANGERS, ClusterLinks, Liveness
from siprec.cluster.wire import Unsendable
from siprec.ids import NodeID
from tests.cluster.network import MemoryNetwork, MemoryTransport
from tests.cluster.nodes import A, B, C, NodesCase


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
        self.start(A, secret=b"s")
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
                    MemoryNetwork(), A, "a1", listen, key=b"k" * 32, leaseOf=self.leases.get
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


class EndTests(TwoNodes):
    """
    How connections end.
    """

    def test_idle(self) -> None:
        """
        A connection is closed after 30 seconds without use, by who opened it, and
        nobody takes that for a break.
        """
        self.ask(self.a, B)
        self.network.pass_(IDLE_TIME - 1, 0.5)
        self.assertEqual(len(self.live()), 1)
        self.network.pass_(1.5, 0.5)
        self.assertEqual((self.live(), self.told), ([], []))

    def test_idleButWaiting(self) -> None:
        """
        While somebody waits for an answer it stays.
        """
        self.b.handle("wait", lambda peer, body: Deferred())
        asked = self.a.request(B, "wait", 1, timeout=40)
        self.network.pass_(39, 0.5)
        self.assertEqual(len(self.live()), 1)
        self.network.pass_(2, 0.5)
        self.failureResultOf(asked, TimeoutError)

    def test_requestMeetsClose(self) -> None:
        """
        A request that meets the end of an idle connection is sent by a new one.
        """
        self.ask(self.a, B)
        (link,) = self.a._links
        link.close(goodbye=True)
        self.assertEqual(self.ask(self.b, A), ["b", "b1", 1])
        self.assertEqual(len(self.network.connections), 2)

    def test_requestMeetsCloseTooLate(self) -> None:
        """
        If its time is over by then, it fails.
        """
        self.ask(self.a, B)
        (link,) = self.a._links
        link.close(goodbye=True)
        asked = self.b.request(A, "echo", 1, timeout=0)
        self.network.settle()
        self.failureResultOf(asked, LinkLost)

    def test_dead(self) -> None:
        """
        A connection that the peer opened, and has not closed after twice the time, is
        dead.
        """
        self.ask(self.a, B)
        near, far = self.network.connections[0]
        near.frozen = True
        self.network.pass_(2 * IDLE_TIME - 1, 0.5)
        self.assertFalse(far.ended)
        self.network.pass_(1.5, 0.5)
        self.assertTrue(far.ended)
        near.thaw()
        self.network.settle()
        self.assertEqual(self.told, [])

    def test_broken(self) -> None:
        """
        Both ends are told of a connection that breaks, but not the one that stops.
        """
        self.ask(self.a, B)
        self.cut()
        self.assertEqual(sorted(self.told), [("broken", A, B), ("broken", B, A)])
        self.told.clear()
        self.ask(self.a, B)
        self.successResultOf(self.stopped(self.b))
        self.assertEqual(self.told, [("broken", A, B)])
        self.assertEqual(self.a.counters["broken"], 2)

    def test_badCallback(self) -> None:
        """
        An error of who is told harms nobody else.
        """

        def bad(node: NodeID) -> None:
            raise ValueError("no")

        c = self.start(C, onBroken=bad)
        c.handle("wait", lambda peer, body: Deferred())
        self.ask(c, B)
        self.cut()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(self.ask(c, B), ["c", "c1", 1])
        self.successResultOf(self.stopped(c))

    def test_stopWhileConnecting(self) -> None:
        """
        The stop gives up what is being connected, and closes what is not yet
        authenticated.
        """
        self.network.lost.add(("192.0.2.2", 7000))
        asked = self.a.request(B, "echo", 1)
        self.leases[C] = self.claim(B, address="192.0.2.3:7000")
        self.network.accepting.add(("192.0.2.3", 7000))
        other = self.a.request(C, "echo", 1)
        self.network.settle()
        self.successResultOf(self.stopped(self.a))
        self.failureResultOf(asked, Unreachable)
        self.failureResultOf(other, Unreachable)

    def test_stopFrozenPeer(self) -> None:
        """
        A peer that does not take the end delays the stop by a second.
        """
        self.ask(self.a, B)
        near, _ = self.network.connections[0]
        near.frozen = True
        done = self.a.stopService()
        self.network.pass_(1.5)
        near.thaw()
        self.network.settle()
        self.successResultOf(done)
        self.assertTrue(near.disconnected)


class StrangerTests(TwoNodes):
    """
    Those who reach the port and know no key.
    """

    def stranger(self, data: bytes = b"") -> MemoryTransport:
        """
        @return: the far end of a connection of a stranger, who says this.
        """
        factory = self.network.ports["192.0.2.2", 7000].factory
        end, _ = self.network.join(factory.buildProtocol(None), None)
        if data:
            end.protocol.dataReceived(data)
        return end

    def test_bounded(self) -> None:
        """
        Of those who are not authenticated, 64 may be there: the oldest is closed for
        one more, so that a node still gets in.
        """
        ends = [self.stranger() for _ in range(MAX_STRANGERS + 1)]
        self.network.settle()
        self.assertEqual([end.ended for end in ends], [True] + [False] * MAX_STRANGERS)
        self.assertEqual(self.ask(self.a, B), ["a", "a1", 1])

    def test_wrongSecret(self) -> None:
        """
        Nodes of another secret do not reach each other; the log says so, but at most
        once in 10 seconds, and never about plain garbage.
        """
        c = self.start(C, secret=b"other")
        with capturedLogs() as events:
            for _ in range(3):
                asked = c.request(B, "echo", 1)
                self.stranger(b"GET / HTTP/1.1\r\n\r\n")
                self.network.settle()
                self.failureResultOf(asked, Unreachable)
            self.network.pass_(LOG_INTERVAL, 0.5)
            c.request(B, "echo", 1).addErrback(lambda failure: failure.trap(Unreachable))
            self.network.settle()
        lines = [event for event in events if "refused: {reason}" in event["log_format"]]
        self.assertEqual(len(lines), 2)
        self.assertIn("another cluster secret", lines[0]["reason"])
        self.assertEqual(self.b.counters["refused"], 7)

    def test_secret(self) -> None:
        """
        With the same secret they do.
        """
        self.successResultOf(self.stopped(self.a))
        self.successResultOf(self.stopped(self.b))
        a, b = self.start(A, "2", secret=b"s"), self.start(B, "2", secret=b"s")
        b.handle("echo", lambda peer, body: body)
        self.assertEqual(self.ask(a, B), 1)

    def test_wrongKey(self) -> None:
        """
        Who has not read the lease is not let in.
        """
        self.leases[B] = self.claim(B, key="00" * 32)
        asked = self.a.request(B, "echo", 1)
        self.network.settle()
        self.failureResultOf(asked, Unreachable)
        self.assertEqual(self.b.counters["refused"], 1)


class KeepTests(TwoNodes):
    """
    Kept connections, as the node sees them.
    """

    def test_keep(self) -> None:
        """
        A kept connection is opened at once, and is not closed for lack of use; one
        that is not kept any more is.
        """
        self.a.keep([A, B])
        self.network.settle()
        self.assertEqual(len(self.live()), 1)
        self.network.pass_(2 * IDLE_TIME + 5, 0.5)
        self.assertEqual(len(self.network.connections), 1)
        self.assertEqual(len(self.live()), 1)
        self.a.keep([])
        self.network.pass_(IDLE_TIME + 5, 0.5)
        self.assertEqual((self.live(), self.told), ([], []))

    def test_beforeStart(self) -> None:
        """
        What is to be kept before the start is connected with it.
        """
        c = self.make(C)
        c.keep([B])
        self.network.settle()
        self.assertEqual(self.network.connections, [])
        c.startService()
        self.network.settle()
        self.assertEqual(len(self.network.connections), 1)

    def test_both(self) -> None:
        """
        Where both connect at the same time, one connection is left.
        """
        self.a.keep([B])
        self.b.keep([A])
        self.network.settle()
        self.assertEqual(len(self.live()), 2)
        self.network.pass_(IDLE_TIME + 1, 0.5)
        self.assertEqual(len(self.live()), 1)
        self.network.pass_(2 * IDLE_TIME + 5, 0.5)
        self.assertEqual((len(self.network.connections), len(self.live())), (2, 1))
        self.assertEqual(self.told, [])

    def test_silent(self) -> None:
        """
        When a kept connection brings nothing for three intervals, that is told, once.
        """
        self.a.keep([B])
        self.network.pass_(1, 0.5)
        self.network.connections[0][1].frozen = True
        self.network.pass_(1.5, 0.5)
        self.assertEqual(self.told, [])
        self.network.pass_(0.5, 0.5)
        self.assertEqual(self.told, [("silent", A, B)])
        self.network.pass_(3, 0.5)
        self.assertEqual((len(self.told), self.a.counters["silences"]), (1, 1))
        self.network.connections[0][1].thaw()

    def test_badLeases(self) -> None:
        """
        An error does not end the care for the connections.
        """
        known = self.leases
        self.a._leaseOf = self.a._keeper._leaseOf = lambda node: known[node]
        self.a.keep([B])
        self.leases.pop(B)
        self.network.pass_(1, 0.5)
        self.assertTrue(self.flushLoggedErrors(KeyError))
        self.leases[B] = self.lease(self.b, B, "b1")
        self.network.pass_(1, 0.5)
        self.assertEqual(len(self.live()), 1)


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


class FormTests(SynchronousTestCase):
    """
    The interface to others.
    """

    def test_liveness(self) -> None:
        """
        There are four findings.
        """
        self.assertEqual([each.name for each in Liveness], ["ALIVE", "REFUSED", "SILENT", "OTHER"])
