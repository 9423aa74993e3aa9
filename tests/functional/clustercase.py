"""
Several nodes on one Redis, and what is asked of them together.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from siprec.session.archive import newest
from siprec.session.manifest import Manifest
from siprec.testing.call import RecordingCall
from siprec.testing.client import RecordingClient
from siprec.testing.voice import ANN
from siprec.testing.wire import Law, encodeG711
from tests.functional.node import HOST, NodeProcess, eventually, lastingSipPort, reactor
from tests.functional.redisserver import Server, startServer

#: Responses that a peer takes for the end of its call.
DEADLY = frozenset((404, 481, 482))


@define(eq=False)
class Watched:
    """
    A call to one of the nodes.

    @ivar node: which.
    """

    call: RecordingCall
    node: int
    playing: Deferred[Any] = field(init=False)


class ClusterCase(TestCase):
    """
    Nodes that share a store and, unless told otherwise, a recordings directory.
    """

    #: The first RTP port; each node has a thousand, and none another's.
    firstPort = 40000

    async def begin(self, count: int, *options: str, shared: bool = True, config: str = "") -> None:
        """
        Start a Redis and the nodes C{n1}, C{n2} and so on.

        @param shared: whether all have the same recordings directory.
        @param config: TOML for all of them.
        """
        if config:
            path = os.path.abspath(self.mktemp())
            with open(path, "w", encoding="utf-8") as file:
                file.write(config)
            options = ("--config", path, *options)
        url = await self.openStore()
        root = os.path.abspath(self.mktemp())
        self.nodes = [
            NodeProcess(
                root if shared else f"{root}-{number}",
                sip=self.sipPort(),
                rtp=f"{self.firstPort + 1000 * number}-{self.firstPort + 1000 * number + 999}",
                nodeID=f"n{number + 1}",
                options=("--store", url, *options),
            )
            for number in range(count)
        ]
        self.clients: list[RecordingClient] = []
        for node in self.nodes:
            self.addCleanup(node.kill)
        await gatherResults([Deferred.fromCoroutine(node.start()) for node in self.nodes])
        for node in self.nodes:
            client = RecordingClient(reactor, "UDP", HOST, node.sip)
            self.addCleanup(client.stop)
            await client.start()
            self.clients.append(client)
        await self.seenByAll(count)

    def sipPort(self) -> int:
        """
        @return: where the next node listens.
        """
        # Not one that the system could give to the listener for other nodes.
        return lastingSipPort(20000, 26999)

    async def openStore(self) -> str:
        """
        Start what the nodes share, and L{server} among it.

        @return: the address of it.
        """
        self.server: Server = startServer(self, "redis")
        return self.server.url

    async def seenByAll(self, count: int, *nodes: NodeProcess) -> None:
        """
        Wait until all nodes know of so many living ones.
        """
        for node in nodes or self.nodes:
            while True:
                found = (await node.getJSON("/api/nodes"))["nodes"]
                living = [each for each in found if each.get("standing") == "alive"]
                if len(living) == count:
                    break
                await eventually("a moment", _Once(), interval=0.1)

    async def calls(self, node: int, count: int, seconds: float) -> list[Watched]:
        """
        Make calls to one node, all of which have media from now on.

        @param seconds: of media.
        """
        payload = encodeG711(ANN.speak(seconds), Law.MU)
        found = []
        for _ in range(count):
            watched = Watched(await self.clients[node].invite(), node)
            watched.playing = watched.call.play([payload, payload])
            found.append(watched)
        return found

    async def hangUp(self, calls: Sequence[Watched]) -> None:
        """
        End all calls when their media has ended.
        """
        await gatherResults([each.playing for each in calls])
        for each in calls:
            self.assertEqual((await each.call.bye()).status, 200)

    def recordings(self) -> list[Manifest]:
        """
        @return: all manifests, of all directories.
        """
        found: list[Manifest] = []
        for root in sorted({node.root for node in self.nodes}):
            if os.path.isdir(root):
                found += newest(root, None, 100_000, lambda manifest: True).recordings
        return found

    async def finished(self, count: int, patience: float = 60.0) -> dict[str, Manifest]:
        """
        @return: the manifests by Call-ID, once there are so many and all final.
        """

        def look() -> list[Manifest] | None:
            found = self.recordings()
            done = [each for each in found if each["state"] in ("complete", "incomplete")]
            return found if len(done) == len(found) == count else None

        found = await eventually(f"{count} finished recordings", look, patience)
        return {each["callID"]: each for each in found}

    def missing(self, manifest: Manifest, call: RecordingCall) -> list[float]:
        """
        @return: for each stream, how many seconds of what was sent are in no
            journal.
        """
        return [
            0.02 * (len(leg.sent) - stream["packets"])
            for stream, leg in zip(manifest["streams"], call.legs, strict=True)
        ]

    def checkRecordings(
        self,
        manifests: Mapping[str, Manifest],
        calls: Sequence[Watched],
        limit: float,
        segments: int = 2,
    ) -> list[float]:
        """
        Each of these calls has one complete recording, with a marked gap.

        @param limit: seconds that may be missing of a stream, for 99 of 100.
        @return: what is missing of each, the longest last.
        """
        gaps = []
        for each in calls:
            manifest = manifests[each.call.callID]
            self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))
            self.assertEqual(len(manifest["segments"]), segments, manifest["segments"])
            gaps.append(max(self.missing(manifest, each.call)))
            causes = {gap["cause"] for gap in manifest["gaps"]}
            self.assertLessEqual(causes, {"nodeChange"})
        gaps.sort()
        self.assertLessEqual(gaps[int(0.99 * len(gaps))], limit, gaps)
        return gaps

    def checkSignalling(self, calls: Sequence[Watched]) -> None:
        """
        The peers saw CSeq numbers that rise, and no answer that ends a dialog.
        """
        for each in calls:
            numbers = [request.cseq.number for request in each.call.requests if _counts(request)]
            self.assertEqual(numbers, sorted(set(numbers)))
            statuses = {response.status for response in each.call.responses}
            self.assertFalse(statuses & DEADLY, statuses)

    def records(self) -> int:
        """
        @return: how many sessions the store has.
        """
        with self.server.client() as client:
            return len(client.keys("{siprec}:session:*"))  # the test's own look

    async def checkEmptyStore(self) -> None:
        """
        Nothing is left behind.
        """
        await eventually("an empty store", lambda: self.records() == 0)

    async def checkErrors(self, *nodes: NodeProcess) -> None:
        """
        Nothing went wrong that nobody had foreseen.
        """
        for node in nodes:
            self.assertEqual(await node.metric("siprec_unhandled_errors_total"), 0)

    def freeze(self, node: NodeProcess, thaw: bool = False) -> None:
        """
        Stop a process where it is, or let it go on.
        """
        assert node.program is not None
        node.program.signal(signal.SIGCONT if thaw else signal.SIGSTOP)


class _Once:
    """
    Is true when it is asked for the second time.
    """

    def __init__(self) -> None:
        self.asked = False

    def __call__(self) -> bool:
        self.asked, before = True, self.asked
        return before


def _counts(request: Any) -> bool:
    return bool(request.method != "ACK")


__all__ = ["DEADLY", "ClusterCase", "Watched"]
