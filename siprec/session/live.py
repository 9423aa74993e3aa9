"""
One recording while its call runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from attrs import define, evolve, field
from twisted.logger import Logger

from siprec.ids import NodeID
from siprec.metadata.masking import NO_MASK, Mask
from siprec.metadata.merge import merge
from siprec.metadata.state import RecordingMetadata
from siprec.metadata.vendor import keptHeaders, withEarlier
from siprec.session.brought import MEDIA_TYPE, Document, StreamRequest
from siprec.session.files import RecordingFiles
from siprec.session.later import withLater
from siprec.session.making import Making, made
from siprec.session.manifest import JOURNAL_ERROR, Manifest, describe, formatTime
from siprec.session.model import Format, MetadataRecord, RecordingSession, StreamInfo
from siprec.session.protecting import protectionOf
from siprec.session.segments import journalName, withClosed, withEnd, withEnded, withLast
from siprec.session.taps import Taps
from siprec.session.told import VendorFields, recordOf, withHistory, withMetadata

__all__ = ["Document", "LiveRecording", "StreamRequest"]

log = Logger()


@define(eq=False, repr=False)
class LiveRecording:
    """
    The streams, metadata and files of a call that is being recorded.

    @ivar recording: what is known now.
    @ivar bind: the local address of its sockets.
    @ivar state: the merged metadata.
    @ivar documents: every metadata document that came to this process, in order.
    @ivar making: sees to its directory.
    @ivar taps: its sockets and captures.
    @ivar mask: for what is stored of the metadata.
    @ivar before: the vendors' fields that an earlier process found.
    @ivar lacks: what a complete document of the peer would set right: C{state}, that of
        an earlier process being lost, or C{metadata}; else empty.
    @ivar moved: the streams whose ports are others than those of an earlier
        process, as they were there.
    """

    recording: RecordingSession
    node: NodeID
    advertise: str
    bind: str
    taps: Taps
    _now: Callable[[], float]
    headers: list[tuple[str, str]] = field(factory=list)
    exclude: tuple[str, ...] = ()
    state: RecordingMetadata = field(factory=RecordingMetadata)
    before: Mapping[str, Any] = field(factory=dict)
    mask: Mask = NO_MASK
    lacks: str = field(default="", init=False)
    moved: dict[int, StreamInfo] = field(factory=dict, init=False)
    documents: list[Document] = field(factory=list, init=False)
    files: RecordingFiles | None = field(default=None, init=False)
    making: Making = field(factory=made, init=False)
    _vendors: VendorFields = field(factory=VendorFields, init=False)

    # Streams.

    def bindStream(self, request: StreamRequest) -> StreamInfo:
        """
        Bind a port pair for a new stream.

        @raise siprec.media.ports.NoFreePorts: there is none.
        """
        index = len(self.recording.streams)
        port = self.taps.allocate(index, self.bind)
        stream = StreamInfo(
            index=index,
            mediaIndex=request.mediaIndex,
            label=request.label,
            formats=request.formats,
            host=self.advertise,
            port=port,
            kind=request.kind,
            direction=request.direction,
            keys=request.keys,
        )
        self._evolve(streams=(*self.recording.streams, stream))
        return stream

    def reclaimStream(
        self, stream: StreamInfo, bind: str | None = None, shared: bool = False
    ) -> bool:
        """
        Bind the ports that a stream had in an earlier process.

        @param bind: the local address; C{None}: the stream's own.
        @param shared: that process has them still, and shares them.
        @return: whether they could be had.
        """
        try:
            self.taps.claim(stream.index, bind or stream.host, stream.port, shared)
        except (OSError, ValueError) as error:
            log.warn(
                "{recording}: port {port} cannot be had again: {why}",
                recording=self.recording.id,
                port=stream.port,
                why=str(error),
            )
            return False
        return True

    def moveStream(self, index: int) -> None:
        """
        Bind other ports for a stream than it had in an earlier process.

        @raise siprec.media.ports.NoFreePorts: there are none.
        @raise OSError: there is no such address here.
        """
        port = self.taps.allocate(index, self.bind)
        self.moved.setdefault(index, self.recording.streams[index])
        self.changeStream(index, host=self.advertise, port=port)

    async def moveBack(self, keeps: Callable[[str], bool]) -> bool:
        """
        Bind the ports after all that moved streams had in an earlier process,
        as the peer goes on sending there.

        @param keeps: tells of an address whether it may be bound here.
        @return: whether that could be done for all of them.
        """
        for index, before in list(self.moved.items()):
            # Where the address of the SDP is another one than that of the sockets,
            # only the latter is of this host.
            bind = before.host if self.bind == self.advertise else self.bind
            if keeps(before.host) and await self.taps.replace(index, bind, before.port):
                self.moved.pop(index, None)
                self.changeStream(index, host=before.host, port=before.port)
        return not self.moved

    def startCapture(self) -> None:
        """
        Capture every bound stream that is not captured yet, in the directory that is there.
        """
        self.nameJournals()
        self.attach()
        self.rebind()

    def nameJournals(self) -> None:
        """
        Tell the journals of all bound streams that are not captured yet.
        """
        segments = self.recording.segments
        names = (journalName(len(segments), index) for index in self.taps.waiting())
        files = dict.fromkeys((*segments[-1].files, *names))
        self.recording = withLast(self.recording, files=tuple(files))

    def attach(self) -> None:
        """
        L{startCapture}, where the manifest names the journals already.
        """
        if self.making.wanted:
            return  # it does this, too
        number, directory = len(self.recording.segments), self.recording.directory
        for index in list(self.taps.waiting()):
            protection = protectionOf(self.recording, index, self._now())
            self.taps.attach(index, f"{directory}/{journalName(number, index)}", protection)

    def stream(self, mediaIndex: int) -> StreamInfo | None:
        """
        @return: the stream that is on an m-line now.
        """
        found = (each for each in self.recording.streams if each.active)
        return next((each for each in found if each.mediaIndex == mediaIndex), None)

    def changeStream(self, index: int, **changes: Any) -> None:
        """
        Change what is said of a stream, by the names of L{StreamInfo}.
        """
        every = self.recording.streams
        kept = (evolve(each, **changes) if each.index == index else each for each in every)
        self._evolve(streams=tuple(kept))

    def dropStream(self, index: int) -> None:
        """
        Its m-line has been given up.  The capture goes on until the end of the
        recording, because what is on the way still belongs to it.
        """
        self.changeStream(index, active=False, direction="inactive")

    def replaced(self, callID: str, before: str) -> None:
        """
        Another dialog goes on with this recording.

        @param callID: of that one.
        @param before: of the one until now.
        """
        self.event("replaced", callID=callID, before=before)
        self._evolve(callID=callID)

    def givenUp(self, mediaIndex: int, label: str | None) -> StreamInfo | None:
        """
        @return: the last stream of an m-line that was given up, if it had this
            label: it is the same one that comes back then.
        """
        for each in reversed(self.recording.streams):
            if each.mediaIndex == mediaIndex:
                return each if label is not None and each.label == label else None
        return None

    def addFormats(self, index: int, formats: Iterable[Format]) -> None:
        """
        Payload types that a later offer brought; earlier ones stay known,
        because their packets are in the journal.
        """
        stream = self.recording.streams[index]
        known = {each.payloadType: each for each in formats}
        rest = tuple(each for each in stream.formats if each.payloadType not in known)
        self.changeStream(index, formats=(*known.values(), *rest))

    def lastArrival(self) -> float | None:
        """
        @return: when the last packet of any stream came, or C{None} if none
            has; up to one visit of the capture behind.
        """
        return max((each.lastHeard or 0.0 for each in self.taps.handles()), default=0.0) or None

    # Metadata.

    def receive(self, document: Document) -> MetadataRecord:
        """
        Take in a metadata document; it is kept byte for byte whatever it says.

        @return: its entry in the manifest.
        """
        now = self._now()
        parsed, body = self.mask.document(document.parsed, document.body)
        document = evolve(document, parsed=parsed, body=body)
        record = recordOf(parsed, len(self.recording.metadata) + 1, now)
        self.documents.append(document)
        self._evolve(metadata=(*self.recording.metadata, record))
        if parsed.status == "error":
            self.event("metadataError", file=record.file, reason="; ".join(parsed.notes))
            self.lacks = self.lacks or "metadata"
        else:
            baseless = parsed.mode == "partial" and not self.state.based
            self.lacks = (self.lacks or "metadata") if baseless else ""
            moment = datetime.fromtimestamp(now, UTC)
            before, self.state = self.state, merge(self.state, parsed, moment)
            self.recording = withHistory(self.recording, before, self.state, now)
            self.changed()
        self.rebind(now)
        if self.files is not None:
            self.files.writeDocument(record.file, document.body)
        return record

    def noteHeaders(self, method: str, headers: Sequence[tuple[str, str]]) -> None:
        """
        Keep what is new in the headers of a later request.
        """
        kept = self.mask.values(keptHeaders(headers, self.exclude))
        sip, added = withLater(self.recording.sip, kept, formatTime(self._now()), method)
        if added:
            self.headers += added
            self._evolve(sip=sip)
            self.rebind()

    def rebind(self, at: float | None = None) -> None:
        """
        Work out again who is heard on which stream.

        @param at: since when it is so; C{None}: now.
        """
        found = self._vendors.fields(self.headers, self.documents, self.exclude)
        vendor = withEarlier(self.before, found)
        at = self._now() if at is None else at
        self.recording = withMetadata(self.recording, self.state, vendor, at)
        self.changed()

    @property
    def mediaType(self) -> str:
        """
        The media type of metadata as the peer sends it.
        """
        return self.documents[-1].mediaType if self.documents else MEDIA_TYPE

    # The rest of what the manifest says.

    def event(self, type: str, **facts: Any) -> None:
        """
        Note that something happened, for whoever reads the manifest.
        """
        happened = {"time": self._now(), "type": type, **facts}
        self._evolve(events=(*self.recording.events, happened))

    def changed(self) -> None:
        """
        Have the manifest written, if the directory is there already.
        """
        if self.files is not None:
            self.files.manifestChanged()

    def manifest(self) -> Manifest:
        """
        @return: the manifest as it is now, with live counts of the media.
        """
        manifest = describe(self.recording)
        for stream in manifest["streams"]:
            stream.update(self.taps.counted(stream["index"]))
        return manifest

    def segmentEnded(self, number: int, end: float, files: tuple[str, ...]) -> None:
        """
        Another node has closed the segment that it had before.

        @param number: of the segment, from 1.
        @param end: when its last packet came, seconds since the epoch.
        @param files: its journals.
        """
        found = withEnded(self.recording, number, end, files)
        if found is not None:
            self.recording = found
            self.changed()

    # The end.

    def ending(self, reason: str, event: Mapping[str, Any] | None = None) -> None:
        """
        The call is over, though what is on its way is still captured.

        @param event: facts of an event C{reason} that is noted with it.
        """
        # Written once all media is in, a moment later; until then the snapshot says it.
        self.recording = withEnd(self.recording, reason, self._now(), event)

    async def stopCapture(self, linger: float, reason: str, quiet: float | None = None) -> None:
        """
        The call is over: capture what is still on its way, then close.

        @param linger: seconds to wait for it.
        @param quiet: seconds of silence after which there is no need to; C{None}:
            wait in any case.
        """
        self.ending(reason)
        await self.making.done()
        for failure in await self.taps.stop(linger, quiet):
            log.failure(
                "{recording}: a journal was not closed", failure, recording=self.recording.id
            )
            self.event(JOURNAL_ERROR, reason=failure.getErrorMessage())
        if self.taps.captured or self.taps.silent:
            # Who goes on from here writes the manifest.
            self.recording = withClosed(self.recording, self.taps.used())
        self.releasePorts()

    def settle(self) -> None:
        """
        All is recorded and written.  Until the audio is made, which may take long where many
        wait for that, nothing of the call is kept that is not of the recording.
        """
        self.making = made()  # whom the other one would tell leads to all of the call

    def disown(self) -> None:
        """
        Write nothing more of it here: it is another node's.
        """
        self.files = None
        self.making.wanted = False

    async def abandon(self) -> None:
        """
        Let go of captures and sockets, as the recording does not go on here.
        """
        self.disown()
        await self.taps.stop(0)
        self.releasePorts()

    def releasePorts(self, used: bool = True) -> None:
        """
        Give the sockets back.

        @param used: whether the peer was told of them.
        """
        self.taps.release(used)

    def _evolve(self, **changes: Any) -> None:
        self.recording = evolve(self.recording, **changes)
        self.changed()
