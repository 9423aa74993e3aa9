"""
L{siprec.cluster.links} with real sockets, and with processes that die or stand still.
"""

from __future__ import annotations

import re
import secrets
import signal
import sys
from pathlib import Path
from typing import Any, cast

from attrs import evolve
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory
from twisted.trial.unittest import TestCase

from siprec.cluster.contact import contactData, contactOf
from siprec.cluster.credentials import Credentials
from siprec.cluster.errors import LinkBusy, LinkLost, PeerFailed, Unreachable
from siprec.cluster.handshake import TIME_LIMIT
from siprec.cluster.links import ClusterLinks, Liveness
from siprec.cluster.tls import ClusterTLS, loadClusterTLS
from siprec.ids import NodeID
from siprec.session.model import NodeLease
from tests.functional.node import Program, eventually
from tests.functional.peers import StreamPeer, run
from tests.store.certificates import makeCertificates

reactor = cast(Any, _reactor)

A, B = NodeID("a"), NodeID("b")
ROOT = str(Path(__file__).resolve().parents[2])


class LinksCase(TestCase):
    """
    Nodes on the loopback address that share a store.
    """

    def setUp(self) -> None:
        self.leases: dict[NodeID, NodeLease] = {}
        self.broken: list[NodeID] = []
        self.silent: list[NodeID] = []

    def start(
        self,
        node: NodeID,
        secret: tuple[bytes, ...] = (),
        tls: ClusterTLS | None = None,
        **more: Any,
    ) -> ClusterLinks:
        """
        @return: the links of a node that runs in this process.
        """
        links = ClusterLinks(
            reactor,
            node,
            f"{node}1",
            "tcp:0:interface=127.0.0.1",
            credentials=Credentials(secrets.token_bytes(32), secret, tls),
            leaseOf=self.leases.get,
            onBroken=self.broken.append,
            onSilent=self.silent.append,
            **more,
        )
        links.handle("echo", lambda peer, body: [peer.nodeID, body])
        links.startService()
        self.addCleanup(links.stopService)
        self.leases[node] = NodeLease(
            node, f"{node}1", "host", 1, data={"cluster": links.leaseData()}
        )
        return links

    async def failing(self, call: Deferred[Any], *kinds: type[Exception]) -> Any:
        """
        @return: how the call has failed.
        """
        return await self.assertFailure(call, *kinds)


class SameProcessTests(LinksCase):
    """
    Two nodes in this process.
    """

    @run
    async def test_talk(self) -> None:
        """
        Both ask each other by one connection, with bodies of megabytes, and an error
        comes back by its name.
        """
        a, b = self.start(A), self.start(B)
        body = secrets.token_bytes(7 * 1024 * 1024)
        self.assertEqual(await a.request(B, "echo", body), ["a", body])
        self.assertEqual(await b.request(A, "echo", {"n": 1}), ["b", {"n": 1}])
        await b.notify(A, "echo", None)
        error = await self.failing(a.request(B, "what", 1), PeerFailed)
        self.assertEqual(error.name, "UnknownKind")
        self.assertEqual((a.counters["opened"], b.counters["opened"]), (1, 1))

    @run
    async def test_name(self) -> None:
        """
        A node may be advertised by name.
        """
        a = self.start(A)
        self.start(B, advertise=("localhost", None))
        self.assertEqual(await a.request(B, "echo", 1), ["a", 1])

    @run
    async def test_busy(self) -> None:
        """
        While megabytes pass in both directions, nobody falls silent.
        """
        a, b = self.start(A, pingInterval=0.05), self.start(B, pingInterval=0.05)
        a.keep([B])
        b.keep([A])
        body = bytes(4 * 1024 * 1024)
        for _ in range(3):
            asked = [a.request(B, "echo", body, 30) for _ in range(3)]
            asked += [b.request(A, "echo", body, 30) for _ in range(3)]
            await gatherResults(asked)
        self.assertEqual((self.silent, self.broken), ([], []))

    @run
    async def test_wrongSecret(self) -> None:
        """
        Nodes with different secrets, or one without, do not reach each other.
        """
        a, b, c = self.start(A, secret=(b"one",)), self.start(B, secret=(b"two",)), NodeID("c")
        self.start(c)
        for node in (B, c):
            await self.failing(a.request(node, "echo", 1), Unreachable)
        await self.failing(b.request(A, "echo", 1), Unreachable)
        self.assertEqual(a.counters["opened"] + b.counters["opened"], 0)

    @run
    async def test_wrongKey(self) -> None:
        """
        Who does not know the key of a node is refused by it.
        """
        a, b = self.start(A), self.start(B)
        address = contactData(b.address, secrets.token_bytes(32))
        self.leases[B] = evolve(self.leases[B], data={"cluster": address})
        await self.failing(a.request(B, "echo", 1), Unreachable)
        self.assertEqual((b.counters["opened"], b.counters["refused"]), (0, 1))

    async def stranger(self, links: ClusterLinks) -> StreamPeer:
        """
        @return: a connection of somebody else.
        """
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", int(links.address.split(":")[1]))
        peer = cast(StreamPeer, await endpoint.connect(Factory.forProtocol(StreamPeer)))
        self.addCleanup(peer.transport.abortConnection)
        return peer

    @run
    async def test_garbage(self) -> None:
        """
        Who says anything else than a greeting is closed without an answer.
        """
        b = self.start(B)
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\4\xc1\xc1\xc1\xc1", b"\xff" * 100_000):
            peer = await self.stranger(b)
            peer.transport.write(data)
            await peer.closed
            self.assertEqual(peer.received.pending, [])

    @run
    async def test_slow(self) -> None:
        """
        Who says too little is closed after 2 seconds.
        """
        b = self.start(B)
        begin = reactor.seconds()
        peer = await self.stranger(b)
        peer.transport.write(b"\0\0\1")
        await peer.closed
        self.assertTrue(TIME_LIMIT - 0.1 < reactor.seconds() - begin < TIME_LIMIT + 2)

    @run
    async def test_tls(self) -> None:
        """
        With TLS, nodes whose certificates the same authority has signed reach each
        other, and no others.
        """
        good, bad = self.certificates(), self.certificates()
        a, _ = self.start(A, tls=good), self.start(B, tls=good)
        body = secrets.token_bytes(3 * 1024 * 1024)
        self.assertEqual(await a.request(B, "echo", body), ["a", body])
        self.assertIs(await a.probe(self.leases[B], 2), Liveness.ALIVE)
        c = self.start(NodeID("c"), tls=bad)
        plain = self.start(NodeID("p"))
        for links in (c, plain):
            await self.failing(links.request(B, "echo", 1), Unreachable)
        for node in ("c", "p"):
            await self.failing(a.request(NodeID(node), "echo", 1), Unreachable)
        self.assertEqual((c.counters["opened"], plain.counters["opened"]), (0, 0))

    def certificates(self) -> ClusterTLS:
        """
        @return: those of a cluster that was made just now.
        """
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        makeCertificates(str(folder))
        return loadClusterTLS(
            *(str(folder / name) for name in ("server.pem", "server.key", "ca.pem"))
        )


class OtherProcessTests(LinksCase):
    """
    C{a} in this process, and C{b} in another one.
    """

    async def begin(self, **more: Any) -> ClusterLinks:
        """
        @return: the links of C{a}, when C{b} runs.
        """
        key = secrets.token_bytes(32)
        module = "tests.functional.clusternode"
        self.program = Program.start(sys.executable, "-m", module, B, "b1", key.hex(), cwd=ROOT)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.program.kill()))
        match = await eventually(
            "the start of the other node",
            lambda: re.search(r"listening (\S+)", self.program.output),
        )
        data = {"cluster": contactData(match[1], key)}
        self.leases[B] = NodeLease(B, "b1", "host", self.program.pid, data=data)
        return self.start(A, **more)

    @run
    async def test_killed(self) -> None:
        """
        When a process is killed, those who hold a connection to it are told at once,
        and a probe finds its port closed at once.
        """
        a = await self.begin()
        a.keep([B])
        asked = a.request(B, "wait", 1)
        await eventually("a connection", lambda: a.counters["opened"])
        self.assertIs(await a.probe(self.leases[B], 1), Liveness.ALIVE)
        begin = reactor.seconds()
        self.program.signal(signal.SIGKILL)
        await self.failing(asked, LinkLost)
        self.assertEqual(self.broken, [B])
        self.assertIs(await a.probe(self.leases[B], 5), Liveness.REFUSED)
        self.assertLess(reactor.seconds() - begin, 2)

    @run
    async def test_stopped(self) -> None:
        """
        A process that stands still is silent, for those who hold a connection and for
        those who have none, until it goes on.
        """
        a = await self.begin(pingInterval=0.1)
        c = self.start(NodeID("c"))
        a.keep([B])
        self.assertEqual(await a.request(B, "echo", 1), ["a", 1])
        self.program.signal(signal.SIGSTOP)
        self.addCleanup(self.program.signal, signal.SIGCONT)
        await eventually("silence", lambda: self.silent)
        for links in (a, c):
            self.assertIs(await links.probe(self.leases[B], 0.5), Liveness.SILENT)
        self.assertEqual((self.silent, self.broken), ([B], []))
        self.program.signal(signal.SIGCONT)
        for links in (a, c):
            self.assertIs(await links.probe(self.leases[B], 10), Liveness.ALIVE)

    @run
    async def test_unread(self) -> None:
        """
        To a process that stands still only so much is sent as the bounds allow.
        """
        a = await self.begin()
        self.assertEqual(await a.request(B, "echo", 1), ["a", 1])
        self.program.signal(signal.SIGSTOP)
        self.addCleanup(self.program.signal, signal.SIGCONT)
        body = bytes(4 * 1024 * 1024)
        sent = 0
        with self.assertRaises(LinkBusy):
            while sent < 100:
                await a.notify(B, "echo", body)
                sent += 1
        self.assertLess(sent, 20)

    @run
    async def test_otherInstance(self) -> None:
        """
        Another life of the process at the same address is another instance.
        """
        a = await self.begin()
        earlier = evolve(self.leases[B], instance="b0")
        self.assertIs(await a.probe(earlier, 2), Liveness.OTHER)
        self.assertIs(await a.probe(self.leases[B], 2), Liveness.ALIVE)
        self.assertEqual(contactOf(earlier), contactOf(self.leases[B]))
