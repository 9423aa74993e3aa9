"""
L{siprec.cluster.segments} with real connections, threads and renderers.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from typing import Any, cast

from attrs import define, evolve, field
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import TestCase

from siprec.cluster.credentials import Credentials
from siprec.cluster.fetching import PIECE
from siprec.cluster.links import ClusterLinks
from siprec.cluster.segments import Segments
from siprec.ids import NodeID
from siprec.metrics import Metrics
from siprec.render.process import Renderer
from siprec.session.equipment import Equipment
from siprec.session.manifest import Manifest, describe, readManifest, withRendering, writeManifest
from siprec.session.model import MetadataRecord, NodeLease, RecordingSession, Segment
from siprec.session.recordings import Recordings
from siprec.session.running import RunningRecordings
from siprec.session.workers import Workers
from siprec.store.interfaces import ISnapshotStore
from siprec.store.memory import MemorySessionStore
from siprec.store.memorysessions import SessionMemory
from siprec.testing.fakes import FakeCapture, FakePortPool
from tests.functional.node import eventually
from tests.functional.peers import run
from tests.render.journals import Packet, audioOf, expected, talk, writeJournal
from tests.session.recordings import START, identity, session

reactor = cast(Any, _reactor)

A, B = NodeID("a"), NodeID("b")

# So much that a journal is fetched in several pieces.
_PACKETS = 6000
_SECONDS = _PACKETS * 0.02
FIRST = talk(_PACKETS)
SECOND = talk(
    _PACKETS,
    begin=_SECONDS,
    sequence=1000 + _PACKETS,
    timestamp=50_000 + 160 * _PACKETS,
    seed=2,
)


@define(eq=False)
class SmallNode:
    """
    What a node has to do with segments.
    """

    node: NodeID
    root: str
    links: ClusterLinks
    segments: Segments
    parts: list[Any] = field(factory=list)

    @property
    def directory(self) -> str:
        """
        The folder of the recording.
        """
        return session(self.root).directory

    def manifest(self) -> Manifest:
        """
        @return: what is on the disk.
        """
        return readManifest(self.directory)


class SegmentsTests(TestCase):
    """
    Two nodes on the loopback address, each with a recordings directory of its own.
    """

    def setUp(self) -> None:
        self.leases: dict[NodeID, NodeLease] = {}
        self.memory = SessionMemory(reactor.seconds)
        self.roots = {A: os.path.abspath(self.mktemp()), B: os.path.abspath(self.mktemp())}
        self.lives = 0

    def start(self, node: NodeID) -> SmallNode:
        """
        @return: a node that runs.
        """
        self.lives += 1
        root, instance = self.roots[node], f"{node}{self.lives}"
        links = ClusterLinks(
            reactor,
            node,
            instance,
            "tcp:0:interface=127.0.0.1",
            credentials=Credentials(secrets.token_bytes(32)),
            leaseOf=self.leases.get,
        )
        running, workers = RunningRecordings(root, node), Workers(reactor)
        running.acquire()
        renderer = Renderer(reactor, reactor, 1)
        store = MemorySessionStore(reactor, node, self.memory)
        recordings = Recordings(
            Equipment(
                node=node,
                root=root,
                store=ISnapshotStore(store),
                ports=FakePortPool(),
                capture=FakeCapture(),
                renderer=renderer,
                workers=workers,
                running=running,
                clock=reactor,
                now=reactor.seconds,
                metrics=Metrics("1", node),
            ),
            minFree=0,
        )
        segments = Segments(
            links=links,
            members=lambda: [each for each in self.leases if each != node],
            node=node,
            root=root,
            running=running,
            recordings=recordings,
            workers=workers,
            renderer=renderer,
            store=store,
            clock=reactor,
            now=reactor.seconds,
            recover=lambda orphans: succeed(None),
        )
        made = SmallNode(node, root, links, segments, [workers, renderer, running])
        for part in (workers, renderer, links, segments):
            part.startService()
        lease = NodeLease(node, instance, "host", 1, data={"cluster": links.leaseData()})
        self.leases[node] = lease
        self.addCleanup(self.stop, made)
        return made

    async def _stop(self, node: SmallNode) -> None:
        if not node.segments.running:
            return
        self.leases.pop(node.node, None)
        workers, renderer, running = node.parts
        stopped = node.segments.stopService()
        await renderer.stopService()
        await stopped
        await node.links.stopService()
        workers.stopService()
        running.release()

    def stop(self, node: SmallNode) -> Deferred[None]:
        """
        Stop a node.
        """
        return Deferred.fromCoroutine(self._stop(node))

    # The recording.

    def _write(self, recording: RecordingSession, journal: str, packets: Sequence[Packet]) -> None:
        os.makedirs(recording.directory)
        writeJournal(os.path.join(recording.directory, journal), packets)
        writeManifest(recording.directory, describe(recording))

    def copyAt(self) -> None:
        """
        Leave with C{b} what it had when its call was taken over.
        """
        recording = session(
            self.roots[B], segments=(Segment(B, 1, START, None, ("1-0.rtpdump", "1-1.rtpdump")),)
        )
        self._write(recording, "1-0.rtpdump", FIRST)
        with open(os.path.join(recording.directory, "metadata-1.xml"), "w") as file:
            file.write("<recording/>")

    async def finishAt(self, node: SmallNode) -> None:
        """
        Finish the call at C{a}.
        """
        end = START + 2 * _SECONDS
        recording = session(
            node.root,
            segments=(
                Segment(B, 1, START, START + _SECONDS, ("1-0.rtpdump", "1-1.rtpdump")),
                Segment(A, 2, START + _SECONDS, end, ("2-0.rtpdump",)),
            ),
            metadata=(MetadataRecord("metadata-1.xml", START, "complete", "ok"),),
            state="finishing",
            endTime=end,
            endReason="bye",
        )
        recording = evolve(recording, streams=recording.streams[:1])
        self._write(recording, "2-0.rtpdump", SECOND)
        rendering = await node.parts[1].render(recording.directory)
        manifest = withRendering(describe(recording), rendering)
        self.assertEqual(manifest["state"], "incomplete")
        writeManifest(recording.directory, manifest)
        node.segments.recordingFinished(recording.directory, manifest)

    async def becomesWhole(self, a: SmallNode, b: SmallNode) -> None:
        """
        Wait for the recording, and see whether both parts are heard.
        """
        await eventually("a whole recording", lambda: a.manifest()["state"] == "complete")
        await eventually("the end of the copy", lambda: not os.path.exists(b.directory))
        await eventually("nothing to ask", lambda: not a.segments.pending)
        manifest = a.manifest()
        self.assertNotIn("missing", manifest)
        self.assertEqual(manifest["gaps"], [])
        self.assertEqual(manifest["streams"][0]["packets"], 2 * _PACKETS)
        frames = round(2 * _SECONDS * 8000)
        audio = audioOf(a.directory)
        self.assertEqual(audio[0].tolist(), expected(frames, (0, FIRST + SECOND)).tolist())
        self.assertEqual(
            sorted(os.listdir(a.directory)),
            ["1-0.rtpdump", "2-0.rtpdump", "audio.wav", "metadata-1.xml", "recording.json"],
        )

    @run
    async def test_whole(self) -> None:
        """
        A recording with a segment on the disk of each becomes whole, with the audio of
        both.
        """
        self.copyAt()
        a, b = self.start(A), self.start(B)
        await self.finishAt(a)
        await self.becomesWhole(a, b)

    @run
    async def test_brokenOff(self) -> None:
        """
        So it does if the node that fetches is stopped in the middle of a file; what had
        come is not fetched again.
        """
        self.copyAt()
        a, b = self.start(A), self.start(B)
        await self.finishAt(a)
        part = os.path.join(a.directory, "1-0.rtpdump.part")
        await eventually("a piece", lambda: os.path.exists(part), interval=0.001)
        await self.stop(a)
        came, whole = os.path.getsize(part), os.path.getsize(f"{b.directory}/1-0.rtpdump")
        self.assertTrue(0 < came < whole, (came, whole))
        again = self.start(A)
        await self.becomesWhole(again, b)
        document = os.path.getsize(os.path.join(again.directory, "metadata-1.xml"))
        self.assertEqual(again.segments.counters["fetchedOctets"], whole - came + document)

    @run
    async def test_goesAway(self) -> None:
        """
        So it does if the node that has the file is gone in the middle of it, and comes
        back.
        """
        self.copyAt()
        a, b = self.start(A), self.start(B)
        await self.finishAt(a)
        part = os.path.join(a.directory, "1-0.rtpdump.part")
        await eventually("a piece", lambda: os.path.exists(part), interval=0.001)
        await self.stop(b)
        await eventually("a failure", lambda: a.segments.counters["failed"])
        self.assertGreaterEqual(os.path.getsize(part), PIECE)
        back = self.start(B)
        orphans = back.parts[2].own()
        self.assertEqual([each.id for each in orphans], [identity()])
        self.assertEqual(await back.segments.wanted(orphans), {identity()})
        await self.becomesWhole(a, back)
