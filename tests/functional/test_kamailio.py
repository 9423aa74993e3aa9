"""
Nodes behind a real Kamailio with the configuration of C{etc/kamailio.cfg}.
"""

from __future__ import annotations

import os

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred, gatherResults, succeed
from twisted.trial.unittest import TestCase

from siprec.session.manifest import Manifest
from siprec.testing.client import RecordingClient
from siprec.testing.offer import makeMetadata
from siprec.testing.voice import ANN
from siprec.testing.wire import Law, encodeG711
from tests.functional.kamailio import DOES_NOT, TAKES_CALLS, Kamailio, startKamailio
from tests.functional.netns import NamespaceNode, Network, makeNetwork, makeNode, startSource
from tests.functional.node import HOST, NodeProcess, eventually, pause, reactor
from tests.functional.redisserver import startServer
from tests.functional.src import longMetadata
from tests.programs import require


class FrontTestCase(TestCase):
    """
    Some nodes, a Kamailio before them, and a client that knows only that.
    """

    transport = "UDP"

    def setUp(self) -> None:
        require("kamailio")
        self.nodes: list[NodeProcess] = []

    def add(self, *options: str) -> NodeProcess:
        """
        @return: one more node, which does not run yet.
        """
        number = len(self.nodes)
        low = 34000 + 200 * number
        node = NodeProcess(
            os.path.abspath(self.mktemp()),
            rtp=f"{low}-{low + 199}",
            nodeID=f"rec{number + 1}",
            options=options,
        )
        self.addCleanup(node.kill)
        self.nodes.append(node)
        return node

    async def begin(self) -> RecordingClient:
        """
        Start everything.
        """
        await gatherResults([Deferred.fromCoroutine(node.start()) for node in self.nodes])
        self.front: Kamailio = await startKamailio(self, *self.nodes)
        client = RecordingClient(reactor, self.transport, HOST, self.front.port)
        self.addCleanup(client.stop)
        await client.start()
        return client

    async def until(self, node: NodeProcess, metric: str, value: float) -> None:
        """
        Wait until a node counts so many.
        """
        end = reactor.seconds() + 10
        while (found := await node.metric(metric)) != value:
            self.assertLess(reactor.seconds(), end, f"{metric} {found}")
            await pause(0.1)

    def count(self) -> list[int]:
        """
        @return: how many recordings each node has.
        """
        return [len(node.recordings()) for node in self.nodes]


class SpreadTests(FrontTestCase):
    """
    Over UDP.
    """

    async def test_20Calls(self) -> None:
        """
        20 calls whose INVITEs are longer than 5 kB are spread evenly.  The ACK,
        the re-INVITE and the BYE of each reach the node that has it, and all
        that was sent is recorded.
        """
        for _ in range(3):
            self.add()
        client = await self.begin()
        metadata = longMetadata(10)
        self.assertGreater(len(metadata), 6_000)
        calls = [await client.invite(metadata=metadata) for _ in range(20)]
        payload = encodeG711(ANN.speak(2.0), Law.MU)
        playing = gatherResults([call.play([payload, payload]) for call in calls])
        for call in calls:
            self.assertEqual((await call.reinvite(metadata)).status, 200)
        await playing
        await pause(0.3)
        for call in calls:
            # One that is not acknowledged is sent again after 0.5 s.
            self.assertEqual([each.status for each in call.responses], [200, 200])
            self.assertEqual((await call.bye()).status, 200)
        spread = self.count()
        self.assertEqual(sorted(spread), [6, 7, 7])
        found: list[Manifest] = []
        for node, count in zip(self.nodes, spread, strict=True):
            found += await node.finished(count)
            self.assertEqual(await node.metric("siprec_unhandled_errors_total"), 0)
        self.assertEqual({each["callID"] for each in found}, {call.callID for call in calls})
        for manifest in found:
            self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))
            self.assertEqual(len(manifest["metadata"]), 2)
            self.assertEqual(manifest["sip"]["transport"], self.transport)
            streams = [(each["packets"], each["lost"]) for each in manifest["streams"]]
            self.assertEqual(streams, [(100, 0), (100, 0)])

    async def test_nodeSaysBye(self) -> None:
        """
        What a node sends within a dialog reaches the SRC by way of Kamailio.
        """
        node = self.add()
        client = await self.begin()
        call = await client.invite()
        [manifest] = node.recordings()
        status, _ = await node.get(f"/api/recordings/{manifest['id']}/stop", b"POST")
        self.assertIn(status, (200, 202))
        await eventually("the BYE", lambda: call.over)
        [bye] = [each for each in call.requests if each.method == "BYE"]
        self.assertEqual(len(bye.headers.getAll("Via")), 2)
        [manifest] = await node.finished()
        self.assertEqual(manifest["state"], "complete")

    async def test_withoutRoute(self) -> None:
        """
        A request in a dialog without Kamailio's Route goes to the node whose
        Contact it names; nothing goes to whom the list does not have.
        """
        node = self.add()
        client = await self.begin()
        call = await client.invite()
        dialog = call.dialog
        assert dialog is not None
        flow = await client.flowTo(dialog.nextHop)
        self.patch(client, "flowTo", lambda uri: succeed(flow))
        call.dialog = evolve(dialog, routeSet=(), remoteTarget="sip:someone@192.0.2.99")
        self.assertEqual((await call.update()).status, 481)
        call.dialog = evolve(call.dialog, remoteTarget=dialog.remoteTarget)
        self.assertEqual((await call.bye()).status, 200)
        [manifest] = await node.finished()
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))

    async def test_cancel(self) -> None:
        """
        A CANCEL follows its INVITE to the node, whose 487 comes back and is
        acknowledged on the way; no call is left.
        """
        server = startServer(self, "redis")
        # The node answers INVITE with 100, and waits for its store.
        node = self.add("--store", server.url)
        client = await self.begin()
        server.hang()
        call = client.call()
        inviting = Deferred.fromCoroutine(call.invite(makeMetadata(["Ann", "Bob"], ["1", "2"])))
        await pause(0.6)
        call.cancel()
        await self.assertFailure(inviting, CancelledError)
        await eventually("the end of the INVITE", lambda: call.responses)
        self.assertEqual([each.status for each in call.responses], [487])
        server.wake()
        for metric, value in (
            ('siprec_invites_total{result="cancelled"}', 1),
            ("siprec_sessions", 0),
            ("siprec_unhandled_errors_total", 0),
        ):
            await self.until(node, metric, value)


class TcpSpreadTests(SpreadTests):
    """
    Over TCP, all the way.
    """

    transport = "TCP"


class RotationTests(FrontTestCase):
    """
    Nodes that take no calls.
    """

    async def test_drained(self) -> None:
        """
        A node that drains gets no session any more: until Kamailio knows, the
        next node takes what it refuses.
        """
        for _ in range(3):
            self.add()
        client = await self.begin()
        drained = self.nodes[1]
        self.assertIn((await drained.get("/api/drain", b"POST"))[0], (200, 202))
        calls = [await client.invite() for _ in range(5)]
        await self.front.until(DOES_NOT, drained)
        calls += [await client.invite() for _ in range(5)]
        self.assertEqual(self.count()[1], 0)
        self.assertEqual(sum(self.count()), 10)
        self.assertGreater(min(self.count()[0], self.count()[2]), 3)
        for call in calls:
            self.assertEqual((await call.bye()).status, 200)

    async def test_fullAndBack(self) -> None:
        """
        A node with all the calls that it may have is out of the rotation, but
        its calls go on; with one less it is back.
        """
        path = self.mktemp()
        with open(path, "w", encoding="ascii") as file:
            file.write("[sip]\nmax_sessions = 1\n")
        full = self.add("--config", os.path.abspath(path))
        self.add()
        client = await self.begin()
        calls = [await client.invite() for _ in range(2)]
        self.assertEqual(self.count(), [1, 1])
        await self.front.until(DOES_NOT, full)
        self.assertEqual((await client.options()).status, 200)
        calls += [await client.invite() for _ in range(3)]
        self.assertEqual(self.count(), [1, 4])
        for call in calls:
            self.assertEqual((await call.update()).status, 200)
            self.assertEqual((await call.bye()).status, 200)
        await self.front.until(TAKES_CALLS, full)
        for call in [await client.invite() for _ in range(2)]:
            await call.bye()
        self.assertEqual(self.count(), [2, 5])

    async def test_killed(self) -> None:
        """
        After C{kill -9} of a node the next one takes its new calls, 2 s later
        once and then without delay; a request in a dialog of the dead one is
        answered by another one, here with 481.  The node comes back, and when
        all are gone the SRC is told when to try again.
        """
        for _ in range(2):
            self.add()
        client = await self.begin()
        first = [await client.invite() for _ in range(2)]
        dead, alive = self.nodes
        [lost] = [call for call in first if call.callID == dead.recordings()[0]["callID"]]
        await dead.kill()
        began = reactor.seconds()
        calls = [await client.invite() for _ in range(6)]
        self.assertLess(reactor.seconds() - began, 4.0)
        self.assertEqual(self.count(), [1, 7])
        self.assertEqual((await lost.bye()).status, 481)
        for call in [*first, *calls]:
            if call is not lost:
                self.assertEqual((await call.bye()).status, 200)
        await dead.start()
        await self.front.until(TAKES_CALLS, dead)
        for call in [await client.invite() for _ in range(2)]:
            await call.bye()
        self.assertEqual(self.count(), [2, 8])
        await dead.kill()
        await alive.kill()
        for _ in range(2):
            # The first is refused after failover, the second at once.
            response = await client.call().invite()
            self.assertEqual(response.status, 503)
            self.assertEqual(response.headers.get("Retry-After"), "10")
            await self.front.until(DOES_NOT, dead, alive)


class TcpRotationTests(RotationTests):
    """
    Over TCP.
    """

    transport = "TCP"


class NetworkTests(TestCase):
    """
    Every one on a host of its own, on Ethernet.
    """

    async def begin(self) -> None:
        """
        Start everything.
        """
        require("kamailio")
        self.network: Network = makeNetwork(self, "rec1", "rec2", "front", "src")
        self.nodes: list[NamespaceNode] = [
            makeNode(self, self.network, name) for name in ("rec1", "rec2")
        ]
        await gatherResults([Deferred.fromCoroutine(node.start()) for node in self.nodes])
        where, prefix = self.network.address("front"), self.network.prefix("front")
        self.front = await startKamailio(self, *self.nodes, host=where, port=5060, prefix=prefix)

    async def record(self) -> None:
        """
        Make a call of a second, with an INVITE of more than 11 kB.
        """
        src = startSource(self, self.network, "front", "1", "10")
        self.assertEqual(await src.ended(), 0, src.output)

    async def fragments(self, name: str) -> int:
        """
        @return: how many fragments of datagrams a namespace has sent.
        """
        program = self.network.start(name, "cat", "/proc/net/snmp")
        await program.ended()
        names, values = [
            line.split() for line in program.output.splitlines() if line.startswith("Ip:")
        ]
        return int(values[names.index("FragCreates")])

    async def test_fragments(self) -> None:
        """
        An INVITE that takes many IP fragments arrives whole, metadata and all.
        """
        await self.begin()
        await self.record()
        for name in ("src", "front"):
            self.assertGreaterEqual(await self.fragments(name), 8, name)
        taken = [node for node in self.nodes if node.recordings()]
        self.assertEqual(len(taken), 1)
        [manifest] = await taken[0].finished()
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))
        self.assertEqual(len(manifest["participants"]), 10)

    async def test_cutOff(self) -> None:
        """
        A node that Kamailio does not reach any more gets no call, and gets
        some again when it is reached.
        """
        await self.begin()
        self.network.cut("front", "rec1")
        for _ in range(2):
            await self.record()
        await self.front.until(DOES_NOT, self.nodes[0])
        self.network.heal("front", "rec1")
        await self.front.until(TAKES_CALLS, self.nodes[0])
        for _ in range(2):
            await self.record()
        for node, count in zip(self.nodes, (1, 3), strict=True):
            manifests = await node.finished(count)
            self.assertEqual({each["state"] for each in manifests}, {"complete"})
