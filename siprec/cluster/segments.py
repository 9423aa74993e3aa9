"""
Recordings whose segments lie on the disks of several nodes are brought together at the
node that has finished them.

One that lacks files is marked (L{siprec.cluster.waiting}) until each node that may have
some was asked and told that all is here.  A node is asked for one file at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.cluster.claims import Claims
from siprec.cluster.completing import Completing, look, namesIn
from siprec.cluster.copies import Copies
from siprec.cluster.errors import LinkError
from siprec.cluster.fetching import Fetching, Stopped
from siprec.cluster.interfaces import IClusterLinks
from siprec.cluster.lacks import wantedOf
from siprec.cluster.marking import Marking
from siprec.cluster.offering import Offering
from siprec.cluster.serving import Serving
from siprec.cluster.turns import Turns, ended
from siprec.cluster.waiting import Waiting, WaitingRecordings
from siprec.ids import NodeID, RecordingID
from siprec.rounds import Rounds
from siprec.session.interfaces import IRenderer, IWorkers, RendererStopped
from siprec.session.manifest import BadManifest, Manifest
from siprec.session.recordings import Recordings
from siprec.session.running import Orphan, RunningRecordings
from siprec.session.workers import WorkersStopped
from siprec.store.interfaces import ISessionStore

__all__ = ["INTERVAL", "Segments"]

log = Logger()

#: Seconds between two looks at what is to be fetched.
INTERVAL = 60.0


class Segments(Service):
    """
    Fetches what recordings of this node lack, and gives other nodes what theirs do.

    @ivar counters: of files C{fetchedFiles}, C{fetchedOctets}, C{wrongDigests},
        C{servedOctets}; of recordings C{completed}, C{incomplete} (made anew, and
        something is missing), C{notRendered}; of copies C{kept}, C{expired} and
        C{removed}; C{failed} attempts.
    """

    def __init__(
        self,
        *,
        links: IClusterLinks,
        members: Callable[[], Iterable[NodeID]],
        node: NodeID,
        root: str,
        running: RunningRecordings,
        recordings: Recordings,
        workers: IWorkers,
        renderer: IRenderer,
        store: ISessionStore,
        clock: IReactorTime,
        now: Callable[[], float],
        recover: Callable[[list[Orphan]], Deferred[None]],
        counters: Counter[str] | None = None,
    ) -> None:
        """
        @param members: gives the other nodes that live.
        @param root: the recordings directory, absolute.
        @param recover: makes recordings of orphans; it must not fail.
        @param counters: where to count; C{None}: in one of its own.
        """
        self.counters: Counter[str] = Counter() if counters is None else counters
        self._members = members
        self._node = node
        self._recordings = recordings
        self._workers = workers
        self._finished: set[RecordingID] = set()
        self._turns = Turns()
        self._busy: dict[NodeID, bool] = {}
        self._work: set[Deferred[Any]] = set()
        failed = "what recordings wait for was not looked at"
        self._rounds = Rounds(clock, INTERVAL, self._turn, failed)
        self._opened: Deferred[None] = succeed(None)
        self._looking: Deferred[None] = succeed(None)
        self._marks = WaitingRecordings(root)
        self._marking = Marking(
            self._marks, workers, node, lambda identity: self._liveHere(identity) is not None
        )
        self._copies = Copies(node, self._marks, running, now)
        self._serving = Serving(
            links,
            self._copies,
            self._marks,
            self._marking.waiting,
            workers,
            store,
            lambda identity: identity in recordings.recordings,
            self._ready,
            self.counters,
        )
        self._fetching = Fetching(links, self._marks, workers, clock, self._room, self.counters)
        self._claims = Claims(
            links,
            self._fetching,
            self._copies,
            self._marks,
            workers,
            store,
            clock,
            now,
            members,
            self._liveHere,
            self._copyAt,
            self._ready,
            recover,
            self.counters,
        )
        self._offering = Offering(
            links,
            self._fetching,
            self._copies,
            self._marks,
            clock,
            members,
            self._claims.hasIt,
            self._copyAt,
            self._ready,
        )
        self._completing = Completing(node, renderer, workers, now, self.counters)

    # The service.

    def startService(self) -> None:
        """
        See L{twisted.application.service.IService.startService}.
        """
        super().startService()
        self._fetching.start()
        for part in (self._serving, self._claims, self._offering):
            part.start()
        self._opened = self._begin(self._open())
        self._rounds.start(now=False)

    def stopService(self) -> Deferred[None]:
        """
        @return: fires when the step that is under way has ended.  A recording that is
            being rendered is one, until the renderer is stopped.
        """
        super().stopService()
        ends = [self._rounds.stop()]
        self._fetching.stop()
        ends += [ended(each) for each in list(self._work)]
        return DeferredList(ends).addCallback(lambda _: None)

    async def _open(self) -> None:
        """
        Read which recordings wait.
        """
        try:
            await self._marking.open()
        except Exception:
            # What needs the name of the directory says so; the next turn tries again.
            log.failure("what recordings wait for is not known")
            return
        self._lookAround()

    def _turn(self) -> None:
        self._finished.intersection_update(self._recordings.recordings)
        if not self._marks.name:
            self._begin(self._open())
            return
        self._lookAround()
        # While the store is away it waits.
        if self._looking.called:
            self._looking = self._begin(self._claims.look())

    def _lookAround(self) -> None:
        for node in list(self._members()):
            self._start(node)

    # What it is told.

    def nodeJoined(self, node: NodeID) -> None:
        """
        A node has turned up, or is back.
        """
        self._start(node)

    def recordingFinished(self, directory: str, manifest: Manifest) -> Deferred[None]:
        """
        A recording was finished here: see whether another node has some of it.

        @return: fires when a crash cannot make it forgotten any more; it never fails.
        """
        if not self.running:
            return succeed(None)
        self._finished.add(manifest["id"])
        return self._begin(self._see(directory, manifest))

    def segmentClosed(self, recording: RecordingID, directory: str) -> None:
        """
        Another node has a recording, and what this one has captured of it is closed.
        """
        if self.running:
            self._copies.offered[recording] = directory
            self._begin(self._offering.tell([recording]))

    async def wanted(self, orphans: Iterable[Orphan]) -> set[RecordingID]:
        """
        See L{Claims.wanted}.  To be called while it runs, once the other nodes are
        known, and before the orphans are recovered.

        @return: the ids of those that must not be recovered.
        """
        await self._ready()
        orphans = list(orphans)
        try:
            found = await self._claims.wanted(orphans)
        except Stopped:
            # Nothing may be recovered any more; they stay marked as they are.
            return {each.id for each in orphans}
        # Who was faster has heard that they may still be written.
        self._begin(self._offering.tell(found.intersection(self._copies.kept)))
        return found

    async def offered(self, until: float) -> None:
        """
        Wait until the other nodes have fetched what was closed here, or until a time
        of the clock.
        """
        await self._offering.wait(until)

    @property
    def pending(self) -> list[dict[str, Any]]:
        """
        The recordings of this node that have other nodes to ask: C{id}, and
        C{nodes} to ask.
        """
        return self._marking.pending

    # What is here.

    def _ready(self) -> Deferred[None]:
        return ended(self._opened)

    def _room(self) -> int | None:
        free = self._recordings.disk.free
        return None if free is None else free - self._recordings.minFree

    def _liveHere(self, identity: RecordingID) -> str | None:
        live = self._recordings.recordings.get(identity)
        if live is None or identity in self._finished:
            return None
        return live.recording.directory

    def _copyAt(self, identity: RecordingID, directory: str, node: NodeID) -> None:
        self._begin(self._note(identity, directory, node))

    async def _note(self, identity: RecordingID, directory: str, node: NodeID) -> None:
        await self._marking.note(identity, directory, node)
        self._start(node)

    async def _see(self, directory: str, manifest: Manifest) -> None:
        await self._ready()
        waiting = await self._marking.see(directory, manifest)
        if waiting is not None:
            # Nobody waits for this: it may be rendered again.
            self._begin(self._follow(waiting))

    async def _follow(self, waiting: Waiting) -> None:
        async with self._turns.of(waiting.id):
            if not waiting.ask:
                await self._completing.run(waiting, last=True)
                await self._marking.settle(waiting)
        self._lookAround()

    # Fetching, one node at a time.

    def _start(self, node: NodeID) -> None:
        """
        Ask a node for what it may have, unless it is being asked.
        """
        if not self.running or not self._marks.name or node not in self._members():
            return
        if node in self._busy:
            self._busy[node] = True
        elif self._marking.of(node):
            self._busy[node] = True
            self._begin(self._askAll(node))

    async def _askAll(self, node: NodeID) -> None:
        try:
            while self._busy[node]:
                # What comes meanwhile makes another round.
                self._busy[node] = False
                for waiting in self._marking.of(node):
                    await self._askFor(waiting, node)
        except (LinkError, TimeoutError) as error:
            self.counters["failed"] += 1
            log.info("{node}: asked again later: {why}", node=node, why=repr(error))
        finally:
            del self._busy[node]

    async def _askFor(self, waiting: Waiting, node: NodeID) -> None:
        try:
            async with self._turns.of(waiting.id):
                await self._ask(waiting, node)
        except (BadManifest, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            # That of one recording; another one's disk, even, may be well.
            self.counters["failed"] += 1
            log.error("{recording}: not fetched: {why}", recording=waiting.id, why=str(error))

    async def _ask(self, waiting: Waiting, node: NodeID) -> None:
        found = await self._look(waiting)
        if found is None or node not in waiting.ask:
            return
        manifest, there = found
        listing = await self._fetching.listing(node, waiting.id)
        names: list[str] = []
        if listing is not None:
            if listing.live:
                return
            offered = {each.name: each for each in listing.files}
            for name in wantedOf(manifest, there, self._node, offered):
                await self._fetching.fetch(node, waiting.id, waiting.directory, offered[name])
            waiting.learn(node, listing.known, listing.told, len(manifest["segments"]))
            names = sorted(offered)
        if self._liveHere(waiting.id) is None:
            await self._completing.run(waiting, last=waiting.ask == {node})
        if listing is None or not listing.known or await self._tell(waiting, node, names):
            waiting.ask.discard(node)
        await self._marking.settle(waiting)

    async def _tell(self, waiting: Waiting, node: NodeID, names: list[str]) -> bool:
        return await self._fetching.done(node, waiting.id, waiting.directory, names)

    async def _look(self, waiting: Waiting) -> tuple[Manifest, frozenset[str]] | None:
        live = self._recordings.recordings.get(waiting.id)
        if live is not None and waiting.id not in self._finished:
            return live.manifest(), await self._workers.run(namesIn, waiting.directory)
        return await self._workers.run(look, waiting.directory)

    # What nobody waits for.

    def _begin(self, work: Coroutine[Any, Any, None]) -> Deferred[None]:
        done = Deferred.fromCoroutine(work)
        self._work.add(done)
        done.addErrback(_broken)
        done.addBoth(lambda _: self._work.discard(done))
        return done


def _broken(failure: Failure) -> None:
    # The next start goes on with what was under way when the node stops.
    if not failure.check(Stopped, RendererStopped, WorkersStopped):
        log.failure("files of other nodes: a step failed", failure)
