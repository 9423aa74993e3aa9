"""
Tests of L{siprec.cluster.probing}.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol

from siprec.cluster.links import Liveness
from siprec.cluster.probing import AGAIN
from siprec.session.model import NodeLease
from tests.cluster.nodes import A, B, NodesCase


class Closing(Protocol):
    """
    A peer that closes without a word.
    """

    transport: Any

    def connectionMade(self) -> None:
        """
        See L{Protocol.connectionMade}.
        """
        self.transport.loseConnection()


class ProbeTests(NodesCase):
    """
    C{A} asks whether C{B} lives.
    """

    def setUp(self) -> None:
        super().setUp()
        self.a, self.b = self.start(A), self.start(B)

    def probe(self, lease: NodeLease | None = None) -> Deferred[Liveness]:
        """
        @return: what is found within a second.
        """
        found = self.a.probe(self.leases[B] if lease is None else lease, 1)
        self.network.settle()
        return found

    def connect(self) -> None:
        """
        Open a connection from C{A} to C{B}.
        """
        self.b.handle("echo", lambda peer, body: body)
        self.successResultOf(self.asked())

    def asked(self) -> Deferred[object]:
        """
        @return: the answer to a request.
        """
        asked = self.a.request(B, "echo", 1)
        self.network.settle()
        return asked

    def test_alive(self) -> None:
        """
        A node that answers is alive; the connection then serves for requests.
        """
        self.assertIs(self.successResultOf(self.probe()), Liveness.ALIVE)
        self.connect()
        self.assertEqual(len(self.network.connections), 1)

    def test_aliveByNew(self) -> None:
        """
        Where the open connection is dead, a new one tells; it takes the time of the
        probe.
        """
        self.connect()
        self.network.connections[0][1].frozen = True
        found = self.probe()
        self.network.pass_(1.05)
        self.assertIs(self.successResultOf(found), Liveness.ALIVE)
        self.network.connections[0][1].thaw()

    def test_aliveByOpen(self) -> None:
        """
        Where nothing new gets through, the open connection tells at once.
        """
        self.connect()
        self.network.lost.add(("192.0.2.2", 7000))
        self.assertIs(self.successResultOf(self.probe()), Liveness.ALIVE)
        self.network.pass_(1.05)
        self.assertEqual((len(self.live()), self.told), (1, []))

    def test_spare(self) -> None:
        """
        Probes leave at most one connection behind, and no break is seen.
        """
        for _ in range(3):
            self.assertIs(self.successResultOf(self.probe()), Liveness.ALIVE)
        self.assertEqual((len(self.live()), self.told), (1, []))

    def test_refused(self) -> None:
        """
        A node whose port is closed refuses, and that is known at once.
        """
        self.successResultOf(self.stopped(self.b))
        self.assertIs(self.successResultOf(self.probe()), Liveness.REFUSED)

    def test_dying(self) -> None:
        """
        A process that ends while it is asked is asked again, and then refuses.
        """
        found = self.a.probe(self.leases[B], 1)
        port = self.network.ports.pop(("192.0.2.2", 7000))
        self.network.accepting.add(port.place)
        self.network.settle()
        self.network.accepting.clear()
        near, _ = self.network.connections[0]
        near.abortConnection()
        self.network.settle()
        self.assertNoResult(found)
        self.network.pass_(AGAIN + 0.01, 0.01)
        self.assertIs(self.successResultOf(found), Liveness.REFUSED)

    def test_closing(self) -> None:
        """
        Where each connection is closed without a word, as with another secret, it is
        silent.
        """
        lease = self.claim(B, key="00" * 32)
        found = self.probe(lease)
        self.network.pass_(0.8)
        self.assertNoResult(found)
        self.network.pass_(0.25)
        self.assertIs(self.successResultOf(found), Liveness.SILENT)

    def test_other(self) -> None:
        """
        Another instance is another, and so is another node.
        """
        lease = self.leases[B]
        found = self.probe(evolve(lease, instance="b0"))
        self.assertIs(self.successResultOf(found), Liveness.OTHER)
        found = self.probe(self.claim(B, address="192.0.2.3:7000"))
        self.assertIs(self.successResultOf(found), Liveness.REFUSED)

    def test_frozen(self) -> None:
        """
        A process that stands still is silent, although its kernel accepts.
        """
        self.network.ports.pop(("192.0.2.2", 7000))
        self.network.accepting.add(("192.0.2.2", 7000))
        found = self.probe()
        self.network.pass_(0.95)
        self.assertNoResult(found)
        self.network.pass_(0.1)
        self.assertIs(self.successResultOf(found), Liveness.SILENT)

    def test_frozenLater(self) -> None:
        """
        So is one that stands still after it was authenticated.
        """
        found = self.a.probe(self.leases[B], 1)
        self.b._around.opened = lambda link: setattr(link.transport, "frozen", True)
        self.network.pass_(1.05)
        self.assertIs(self.successResultOf(found), Liveness.SILENT)
        for _, far in self.network.connections:
            far.thaw()

    def test_unreachable(self) -> None:
        """
        Where nothing comes back it is silent.
        """
        self.network.lost.add(("192.0.2.2", 7000))
        found = self.probe()
        self.network.pass_(1.05)
        self.assertIs(self.successResultOf(found), Liveness.SILENT)

    def test_noContact(self) -> None:
        """
        A lease that does not say where its node is tells nothing: it is silent.
        """
        lease = evolve(self.leases[B], data={})
        self.assertIs(self.successResultOf(self.probe(lease)), Liveness.SILENT)

    def test_garbage(self) -> None:
        """
        A program of another kind at that port is silent.
        """
        self.network.ports.pop(("192.0.2.2", 7000))
        self.network.accepting.add(("192.0.2.2", 7000))
        found = self.probe()
        self.network.connections[0][0].protocol.dataReceived(b"SSH-2.0-OpenSSH\r\n")
        self.assertIs(self.successResultOf(found), Liveness.SILENT)

    def test_stoppedBetween(self) -> None:
        """
        So does one that was answered already, and waits before it tries again.
        """
        self.connect()
        self.network.ports["192.0.2.2", 7000].factory = Factory.forProtocol(Closing)
        self.assertIs(self.successResultOf(self.probe()), Liveness.ALIVE)
        self.assertEqual(len(self.network.connections), 2)
        done = self.a.stopService()
        self.network.pass_(1)
        self.successResultOf(done)
        self.assertEqual(len(self.network.connections), 2)

    def test_stopped(self) -> None:
        """
        A probe ends with the links.
        """
        self.network.lost.add(("192.0.2.2", 7000))
        found = self.probe()
        self.successResultOf(self.stopped(self.a))
        self.assertIs(self.successResultOf(found), Liveness.SILENT)
