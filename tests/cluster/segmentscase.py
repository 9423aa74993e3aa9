"""
Nodes with a recordings directory each.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, cast

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.fetching import PIECE, RATE
from siprec.cluster.segments import Segments
from siprec.ids import NodeID, RecordingID
from siprec.metrics import Metrics
from siprec.render.recording import renderDirectory
from siprec.session.equipment import Equipment
from siprec.session.manifest import (
    Manifest,
    describe,
    readManifest,
    withRendering,
    writeManifest,
)
from siprec.session.model import (
    MetadataRecord,
    RecordingSession,
    Segment,
    SessionData,
)
from siprec.session.recordings import Recordings
from siprec.session.running import Orphan, RunningRecordings
from siprec.store.interfaces import ISnapshotStore
from siprec.store.memory import MemorySessionStore
from siprec.store.memorysessions import SessionMemory
from siprec.testing.control import ImmediateWorkers
from siprec.testing.fakes import FakeCapture, FakePortPool
from tests.cluster.memorylinks import MemoryLinks
from tests.render.journals import Packet, talk, writeJournal
from tests.session.recordings import START, FakeRenderer, identity, session

__all__ = ["FIRST", "SECOND", "A", "B", "C", "FakeLive", "SegmentsCase", "TestNode", "fileIn"]

A, B, C = NodeID("a"), NodeID("b"), NodeID("c")

#: What the first node captured of a call, and the second.
FIRST = talk(50)
SECOND = talk(50, begin=1.0, sequence=1050, timestamp=50_000 + 160 * 50, seed=2)

_DOCUMENT = b"<recording xmlns='urn:ietf:params:xml:ns:recording:1'/>"


def fileIn(directory: str, name: str) -> bytes:
    """
    @return: what is in a file.
    """
    with open(os.path.join(directory, name), "rb") as file:
        return file.read()


@define(eq=False)
class FakeLive:
    """
    A recording that has a call.
    """

    recording: RecordingSession

    def manifest(self) -> Manifest:
        """
        See L{siprec.session.live.LiveRecording.manifest}.
        """
        return describe(self.recording)


@define(eq=False)
class TestNode:
    """
    A node.

    @ivar recovered: the ids of what it was told to recover.
    """

    node: NodeID
    root: str
    running: RunningRecordings
    recordings: Recordings
    links: MemoryLinks
    renderer: FakeRenderer
    store: MemorySessionStore
    workers: ImmediateWorkers
    segments: Segments = field(init=False)
    recovered: list[RecordingID] = field(factory=list)

    def recover(self, orphans: list[Orphan]) -> Deferred[None]:
        """
        Note what is to be recovered.
        """
        self.recovered += [each.id for each in orphans]
        return succeed(None)

    def directory(self, number: int = 0) -> str:
        """
        @return: the folder of a recording.
        """
        return session(self.root, number).directory

    def manifest(self, number: int = 0) -> Manifest:
        """
        @return: what is on the disk.
        """
        return readManifest(self.directory(number))

    def files(self, number: int = 0) -> list[str]:
        """
        @return: the names in the folder; none if there is no folder.
        """
        directory = self.directory(number)
        return sorted(os.listdir(directory)) if os.path.isdir(directory) else []

    def marks(self) -> list[str]:
        """
        @return: the ids of what waits for others.
        """
        return sorted(set(os.listdir(os.path.join(self.root, ".missing"))) - {"root"})

    def markers(self) -> list[str]:
        """
        @return: the ids of what is not finished.
        """
        return sorted(os.listdir(os.path.join(self.root, ".running", self.node)))

    def live(self, recording: RecordingSession) -> None:
        """
        Have a call.
        """
        self.recordings.recordings[recording.id] = cast(Any, FakeLive(recording))


class SegmentsCase(SynchronousTestCase):
    """
    C{b} had the call first, C{a} goes on with it.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(START + 100)
        self.memory = SessionMemory(self.clock.seconds)
        self.network: dict[NodeID, MemoryLinks] = {}
        self.nodes: dict[NodeID, TestNode] = {}
        self.a, self.b = self.makeNode(A), self.makeNode(B)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def makeNode(self, node: NodeID, root: str | None = None) -> TestNode:
        """
        @param root: of a directory that is shared.
        @return: a node that is not started.
        """
        root = root or os.path.abspath(self.mktemp())
        running, workers, renderer = (
            RunningRecordings(root, node),
            ImmediateWorkers(),
            FakeRenderer(),
        )
        running.acquire()
        self.addCleanup(running.release)
        store = MemorySessionStore(self.clock, node, self.memory)
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
                clock=self.clock,
                now=self.clock.seconds,
                metrics=Metrics("1", node),
            ),
            minFree=1000,
        )
        links = MemoryLinks(node, self.clock, self.network)
        made = TestNode(node, root, running, recordings, links, renderer, store, workers)
        self.nodes[node] = made
        self.renew(made)
        return made

    def renew(self, node: TestNode) -> None:
        """
        Make its segments anew, as a restart does; they are not started.
        """
        node.segments = Segments(
            links=node.links,
            members=lambda: [
                each for each in self.nodes if each != node.node and not self.network[each].away
            ],
            node=node.node,
            root=node.root,
            running=node.running,
            recordings=node.recordings,
            workers=node.workers,
            renderer=node.renderer,
            store=node.store,
            clock=self.clock,
            now=self.clock.seconds,
            recover=node.recover,
        )

    def start(self, *nodes: TestNode) -> None:
        """
        Start nodes.
        """
        for each in nodes:
            each.segments.startService()
            self.addCleanup(self.stop, each)

    def stop(self, node: TestNode) -> None:
        """
        Stop a node.
        """
        if node.segments.running:
            self.successResultOf(node.segments.stopService())

    def pieces(self, count: int = 10) -> None:
        """
        Let so many pieces be fetched.
        """
        self.clock.pump([PIECE / RATE] * count)

    # Recordings.

    def call(self, root: str, *nodes: NodeID, **changes: Any) -> RecordingSession:
        """
        @return: a recording with a segment of a second for each of these nodes; all
            but the last one are closed.
        """
        segments = tuple(
            Segment(
                node,
                number,
                START + number - 1,
                START + number if number < len(nodes) else None,
                (f"{number}-0.rtpdump", f"{number}-1.rtpdump"),
            )
            for number, node in enumerate(nodes, 1)
        )
        return session(root, segments=segments, **changes)

    def write(
        self,
        recording: RecordingSession,
        journals: Mapping[str, Sequence[Packet]],
        documents: Sequence[str] = ("metadata-1.xml",),
    ) -> None:
        """
        Put a recording on the disk.
        """
        os.makedirs(recording.directory, exist_ok=True)
        for name, packets in journals.items():
            writeJournal(os.path.join(recording.directory, name), packets)
        for name in documents:
            with open(os.path.join(recording.directory, name), "wb") as file:
                file.write(_DOCUMENT + name.encode())
        writeManifest(recording.directory, describe(recording), durable=False)

    def copy(self, node: TestNode | None = None, **changes: Any) -> RecordingSession:
        """
        Put on a disk what C{b} had of the call when it was taken over.
        """
        recording = self.call((node or self.b).root, B, **changes)
        self.write(recording, {"1-0.rtpdump": FIRST})
        return recording

    def finish(self, *nodes: NodeID, node: TestNode | None = None, **changes: Any) -> Manifest:
        """
        Finish the call at C{a}, with the journal of the last segment.

        @return: the manifest, which is on the disk, and was told.
        """
        at = node or self.a
        nodes = nodes or (B, at.node)
        recording = self.call(at.root, *nodes, **changes)
        *before, last = recording.segments
        name = f"{len(nodes)}-0.rtpdump"
        recording = evolve(
            recording,
            segments=(*before, evolve(last, end=START + len(nodes), files=(name,))),
            state="finishing",
            endTime=START + len(nodes),
            endReason="bye",
        )
        self.write(recording, {name: SECOND}, ())
        rendering = renderDirectory(recording.directory)
        manifest = withRendering(describe(recording), rendering)
        writeManifest(recording.directory, manifest)
        at.segments.recordingFinished(recording.directory, manifest)
        return manifest

    def owns(self, node: TestNode, number: int = 0) -> None:
        """
        Have a record in the store.
        """
        data = SessionData(
            identity(number), f"call-{number}", "recording", START, START, "/r", node.node
        )
        self.successResultOf(node.store.store(data, 3600))


def documents(*names: str) -> tuple[MetadataRecord, ...]:
    """
    @return: what a recording knows of metadata documents.
    """
    return tuple(MetadataRecord(name, START, "complete", "ok") for name in names)
