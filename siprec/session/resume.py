"""
How a recording goes on whose process has died: from the snapshot in the store
and from what lies in its directory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

from attrs import define, evolve, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from siprec.ids import NodeID
from siprec.metadata.parse import parseMetadata
from siprec.metadata.state import RecordingMetadata
from siprec.metadata.storing import fromDict
from siprec.session.beginning import Beginning, NoRoom, directoryOf
from siprec.session.files import RecordingFiles
from siprec.session.live import Document, LiveRecording
from siprec.session.manifest import JOURNAL_ERROR, RECOVERED, BadManifest, readManifest
from siprec.session.model import CallSnapshot, RecordingSession, Segment, StreamInfo
from siprec.session.pausing import withTold
from siprec.session.recovery import journalsOf, lastArrival
from siprec.session.replay import readDocuments, replayed
from siprec.session.running import RunningRecordings

_P = ParamSpec("_P")
_T = TypeVar("_T")

log = Logger()

_DOCUMENT = re.compile(r"metadata-([1-9][0-9]{0,5})\.xml", re.ASCII)

#: Segment number, from 1, and stream index of each journal, by name.
Journals = Mapping[str, tuple[int, int]]


@frozen
class Entered:
    """
    What a recording's directory tells at a glance.

    @ivar nodes: of each segment that its manifest knows.
    @ivar events: that its manifest tells.
    @ivar elsewhere: it was not there, since the node that had the recording
        last has it on a disk of its own.
    """

    journals: Journals
    nodes: tuple[str, ...]
    events: tuple[Mapping[str, Any], ...]
    elsewhere: bool


@frozen
class Found:
    """
    What there is of a recording on the disk.

    @ivar ends: when the last packet of each segment that has journals came.
    @ivar documents: numbers and bytes of the metadata documents that the
        snapshot does not know yet.
    @ivar missing: names of those that it knows, and that are not there.
    """

    ends: dict[int, float]
    documents: list[bytes]
    missing: list[str]


def enter(recording: RecordingSession, running: RunningRecordings) -> Entered:
    """
    Mark a recording as unfinished, make its directory if that is gone, and see
    which journals are there.  Blocks, but not for long.

    @raise OSError: it cannot be read or made.
    """
    running.add(recording.id, recording.directory)
    other = recording.segments[-1].node != running.node
    elsewhere = other and not os.path.isdir(recording.directory)
    os.makedirs(recording.directory, exist_ok=True)
    nodes: tuple[str, ...] = ()
    events: tuple[Mapping[str, Any], ...] = ()
    with suppress(FileNotFoundError, BadManifest, KeyError, TypeError):
        manifest = readManifest(recording.directory)
        nodes = tuple(each["node"] for each in manifest["segments"])
        events = tuple(manifest["events"])
    return Entered(journalsOf(recording.directory), nodes, events, elsewhere)


def look(recording: RecordingSession, entered: Entered) -> Found:
    """
    See what is in the directory.  Blocks.

    @param recording: as it was in the snapshot.
    @param entered: what was there before this process wrote.
    @raise OSError: it cannot be read.
    """
    directory, journals = recording.directory, entered.journals
    ends = {}
    # Those before the last one have had their end from whoever opened it.
    for number in {number for number, _ in journals.values()}:
        if number >= len(recording.segments):
            last = lastArrival(directory, number)
            if last is not None:
                ends[number] = last
    known = {each.file for each in recording.metadata}
    names = os.listdir(directory)
    numbers = sorted(int(found[1]) for name in names if (found := _DOCUMENT.fullmatch(name)))
    documents = []
    for number in numbers:
        if f"metadata-{number}.xml" not in known:
            with open(os.path.join(directory, f"metadata-{number}.xml"), "rb") as file:
                documents.append(file.read())
    missing = [] if entered.elsewhere else sorted(known.difference(names))
    return Found(ends, documents, missing)


def withSegment(
    recording: RecordingSession, entered: Entered, segment: Segment
) -> RecordingSession:
    """
    Bring a snapshot's recording up to date with the disk, which may know more:
    the process died between a packet and its next save.

    @param segment: the new one.  Its number is that of no journal, nor of one that
        a process may still begin which opened a segment and is held up since.
    @return: the recording with that and all that are in the directory.
    """
    journals, segments = entered.journals, list(recording.segments)
    highest = max((number for number, _ in journals.values()), default=0)
    while len(segments) < max(highest, len(entered.nodes)):
        # Opened by a process that died before it could say so.
        at = segments[-1].end or segments[-1].start
        node = entered.nodes[len(segments) :][:1] or (segment.node,)
        segments.append(evolve(segment, node=NodeID(node[0]), start=at))
    listed = tuple(
        evolve(each, files=_files(number, each, entered)) for number, each in enumerate(segments, 1)
    )
    count = max((index + 1 for _, index in journals.values()), default=0)
    # Offered by a peer that had no answer: it offers the line again, and that
    # is another stream.
    unknown = (
        StreamInfo(index, index, None, (), "", 0, direction="inactive", active=False)
        for index in range(len(recording.streams), count)
    )
    streams = (*recording.streams, *unknown)
    return withTold(evolve(recording, segments=(*listed, segment), streams=streams), entered.events)


def _files(number: int, segment: Segment, entered: Entered) -> tuple[str, ...]:
    here = [name for name, (one, _) in sorted(entered.journals.items()) if one == number]
    if segment.end is None and (here or entered.nodes[number - 1 : number] == (segment.node,)):
        # Of a stream on which nothing came there is no journal.
        return tuple(here)
    # The rest is with a node whose disk is not this one, until it is fetched.
    return tuple(sorted({*here, *segment.files}))


def closed(recording: RecordingSession, found: Found, known: int) -> RecordingSession:
    """
    @param known: how many segments the snapshot had.
    @return: the recording, all its segments but the last one closed.
    """
    *before, last = recording.segments
    segments: list[Segment] = []
    for number, each in enumerate(before, 1):
        begin = each.start
        if number > known:
            begin = found.ends.get(number - 1, segments[-1].end or begin)
        end = each.end
        if end is None:
            # What lies on another node's disk may go up to now.
            unseen = last.start if each.node != last.node and each.files else begin
            # The clock may have been set meanwhile.
            end = min(max(found.ends.get(number, unseen), begin), last.start)
        segments.append(evolve(each, start=begin, end=end))
    return evolve(recording, segments=(*segments, last))


def headersOf(recording: RecordingSession) -> list[tuple[str, str]]:
    """
    @return: the headers of the INVITE, as far as they were kept.
    """
    kept = recording.sip.get("headers") or {}
    return [(name, value) for name, values in kept.items() for value in values]


def stateOf(recording: RecordingSession) -> RecordingMetadata | None:
    """
    @return: the merged metadata, or C{None} where it cannot be read.
    """
    try:
        return fromDict(recording.metadataState)
    except ValueError as error:
        log.error("{recording}: {why}", recording=recording.id, why=str(error))
        return None


def _always(host: str) -> bool:
    """
    A process that comes back finds the addresses it had.
    """
    return True


def _atOnce() -> Deferred[None]:
    """
    Nobody has to wait.
    """
    return succeed(None)


@frozen
class MediaPlan:
    """
    Where a recording that goes on gets its media.

    @ivar bind: the local address for media; C{None}: that of each stream.
    @ivar advertise: the address for the SDP where media has to move; C{None}:
        that of the streams.
    @ivar keeps: tells of the address of a stream whether it may be bound here,
        so that the peer notices nothing.
    @ivar shared: whether the process that had it is on this host and shares its
        ports.
    @ivar bound: called once the ports are bound; gives what fires when the rest may
        be done, which others may have to wait for.
    """

    bind: str | None = None
    advertise: str | None = None
    keeps: Callable[[str], bool] = _always
    shared: bool = False
    bound: Callable[[], Deferred[None]] = _atOnce


#: Of a process that comes back where it was.
SAME_PLACE = MediaPlan()


@define(eq=False, repr=False)
class Resumption:
    """
    Goes on with one recording.

    @ivar epoch: the owner epoch of its new segment.
    """

    _around: Beginning
    _snapshot: CallSnapshot
    _epoch: int
    _plan: MediaPlan = SAME_PLACE

    async def run(self) -> LiveRecording:
        """
        See L{siprec.session.recordings.Recordings.resume}.
        """
        around, recording = self._around, self._located()
        equipment = around.equipment
        state = stateOf(recording)
        live = self._live(recording, state)
        files: RecordingFiles | None = None
        try:
            # First of all: from here on the kernel keeps what comes.
            self._bindAll(live)
            await self._plan.bound()
            segment = Segment(equipment.node, self._epoch, equipment.now())
            entered = await self._work(recording, enter, recording, equipment.running)
            files = around.files(live, entered.elsewhere)
            live.recording = withSegment(live.recording, entered, segment)
            live.taps.muted = live.recording.pause is not None
            # Before the rest, for which many calls may have to wait long: the
            # kernel has room for a few seconds.
            live.startCapture()
            found = await self._work(recording, look, recording, entered)
            live.recording = closed(live.recording, found, len(recording.segments))
            live.files = files
            lost = state is None and not await self._replay(live, recording)
            self._tell(live, found, lost)
            live.event("resumed", node=equipment.node, moved=list(live.moved))
        except BaseException:
            await live.abandon()
            if files is not None:
                await self._discard(recording, files)
            raise
        log.info(
            "{recording}: goes on in segment {number}, {moved} streams have moved",
            recording=recording.id,
            number=len(live.recording.segments),
            moved=len(live.moved),
            node=equipment.node,
        )
        return live

    async def end(self) -> LiveRecording:
        """
        Bring a recording that is over up to date with what is on the disk, so
        that it can be finished; nothing more is captured.

        @raise NoRoom: its files cannot be had.
        """
        around, recording = self._around, self._located()
        equipment = around.equipment
        state = stateOf(recording)
        live = self._live(recording, state)
        entered = await self._work(recording, enter, recording, equipment.running)
        segment = Segment(equipment.node, self._epoch, equipment.now())
        live.recording = withSegment(live.recording, entered, segment)
        found = await self._work(recording, look, recording, entered)
        ended = closed(live.recording, found, len(recording.segments))
        segments = ended.segments[:-1]
        # A call that was cut off ended with what was captured of it last.
        until = ended.endTime or segments[-1].end
        live.recording = evolve(ended, segments=segments, endTime=until)
        live.files = around.files(live)
        lost = state is None and not await self._replay(live, recording)
        self._tell(live, found, lost)
        if any(each.end is None for each in recording.segments):
            # Its last packets may have died with the process.
            live.event(RECOVERED, node=recording.segments[-1].node)
        return live

    async def _replay(self, live: LiveRecording, recording: RecordingSession) -> bool:
        """
        Make the state of the metadata from the documents that were kept.

        @return: whether all of them are there.
        """
        documents = await self._work(recording, readDocuments, recording)
        live.state, whole = replayed(recording, documents)
        return whole

    def _live(self, recording: RecordingSession, state: RecordingMetadata | None) -> LiveRecording:
        around, plan = self._around, self._plan
        host = next((each.host for each in recording.streams if each.active), "")
        advertise = plan.advertise or host
        live = around.live(recording, advertise, plan.bind or advertise, headersOf(recording))
        live.state, live.before = state or RecordingMetadata(), recording.vendor
        return live

    def _located(self) -> RecordingSession:
        recording = self._snapshot.recording
        root = self._around.equipment.root
        if recording.directory.startswith(os.path.join(root, "")):
            return recording
        # The same directory may be mounted elsewhere on another machine.
        return evolve(recording, directory=directoryOf(root, recording.id, recording.startTime))

    def _bindAll(self, live: LiveRecording) -> None:
        try:
            active = [each for each in live.recording.streams if each.active]
            # All of them first: what replaces one must not be another one's.
            lost = [each for each in active if not self._reclaim(live, each)]
            for stream in lost:
                live.moveStream(stream.index)
        except OSError as error:
            raise NoRoom(f"no media socket: {error}") from error

    def _reclaim(self, live: LiveRecording, stream: StreamInfo) -> bool:
        plan = self._plan
        return plan.keeps(stream.host) and live.reclaimStream(stream, plan.bind, plan.shared)

    async def _work(
        self,
        recording: RecordingSession,
        step: Callable[_P, _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        try:
            return await self._around.equipment.workers.run(step, *args, **kwargs)
        except OSError as error:
            raise NoRoom(f"{error.strerror}: {recording.directory}") from error

    async def _discard(self, recording: RecordingSession, files: RecordingFiles) -> None:
        equipment = self._around.equipment
        try:
            if await files.discard():
                await equipment.workers.run(equipment.running.remove, recording.id)
        except OSError as error:
            log.error("{recording}: not removed: {why}", recording=recording.id, why=str(error))

    def _tell(self, live: LiveRecording, found: Found, stateLost: bool) -> None:
        for body in found.documents:
            live.receive(Document(body, parseMetadata(body)))
        for name in found.missing:
            live.event("metadataLost", file=name)
        if stateLost:
            live.event("metadataStateLost")
            live.lacks = "" if live.state.based else "state"
        # Until now the recording could not be told.
        for each in live.taps.handles():
            if each.error is not None:
                file = os.path.basename(each.path)
                live.event(JOURNAL_ERROR, file=file, reason=each.error)
