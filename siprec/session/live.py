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
from siprec.metadata.changes import changes
from siprec.metadata.masking import NO_MASK, Mask
from siprec.metadata.merge import merge
from siprec.metadata.state import RecordingMetadata
from siprec.metadata.storing import toDict
from siprec.metadata.vendor import keptHeaders, vendorFields, withEarlier
from siprec.session.brought import MEDIA_TYPE, Document, StreamRequest
from siprec.session.correlation import correlationKeys
from siprec.session.files import RecordingFiles
from siprec.session.later import withLater
from siprec.session.manifest import JOURNAL_ERROR, Manifest, describe, formatTime
from siprec.session.model import (
    Format,
    MetadataRecord,
    RecordingSession,
    StreamInfo,
)
from siprec.session.speakers import communicationSessions, withSpeakers
from siprec.session.taps import Taps

__all__ = ["Document", "LiveRecording", "StreamRequest"]

log = Logger()

# How much of what the metadata told is kept: more than any call has, and a bound for
# what a hostile peer can make each save cost.
_MOST_HISTORY = 2000


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def keysOf(
    headers: list[tuple[str, str]], documents: Sequence[Document], exclude: tuple[str, ...]
) -> tuple[str, ...]:
    """
    @return: the correlation keys of a session that is about to begin.
    """
    state = RecordingMetadata()
    for document in documents:
        if document.parsed.status != "error":
            state = merge(state, document.parsed, datetime.fromtimestamp(0, UTC))
    vendor = vendorFields(headers, [each.parsed for each in documents], exclude)
    return correlationKeys(state, vendor)


@define(eq=False, repr=False)
class LiveRecording:
    """
    The streams, metadata and files of a call that is being recorded.

    @ivar recording: what is known now.
    @ivar state: the merged metadata.
    @ivar documents: every metadata document that came to this process, in order.
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
    _bind: str
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

    # Streams.

    def bindStream(self, request: StreamRequest) -> StreamInfo:
        """
        Bind a port pair for a new stream.

        @raise siprec.media.ports.NoFreePorts: there is none.
        """
        index = len(self.recording.streams)
        port = self.taps.allocate(index, self._bind)
        stream = StreamInfo(
            index=index,
            mediaIndex=request.mediaIndex,
            label=request.label,
            formats=request.formats,
            host=self.advertise,
            port=port,
            kind=request.kind,
            direction=request.direction,
        )
        self._evolve(streams=(*self.recording.streams, stream))
        return stream

    def rebindStream(self, request: StreamRequest) -> StreamInfo:
        """
        Bind a port pair for a stream of another dialog: the one that had its
        label before, or a new one.

        @raise siprec.media.ports.NoFreePorts: there is none.
        """
        for each in self.recording.streams:
            if request.label is not None and each.label == request.label and not each.active:
                break
        else:
            return self.bindStream(request)
        port = self.taps.allocate(each.index, self._bind)
        self.changeStream(
            each.index,
            mediaIndex=request.mediaIndex,
            host=self.advertise,
            port=port,
            direction=request.direction,
            active=True,
        )
        self.addFormats(each.index, request.formats)
        return self.recording.streams[each.index]

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
        port = self.taps.allocate(index, self._bind)
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
            bind = before.host if self._bind == self.advertise else self._bind
            if keeps(before.host) and await self.taps.replace(index, bind, before.port):
                self.moved.pop(index, None)
                self.changeStream(index, host=before.host, port=before.port)
        return not self.moved

    def startCapture(self) -> None:
        """
        Capture every bound stream that is not captured yet; the recording's
        directory is there.
        """
        segment = self.recording.segments[-1]
        files = list(segment.files)
        for index in list(self.taps.waiting()):
            name = f"{len(self.recording.segments)}-{index}.rtpdump"
            self.taps.attach(index, f"{self.recording.directory}/{name}")
            files.append(name)
        self._segment(files=tuple(files))
        self.rebind()

    def stream(self, mediaIndex: int) -> StreamInfo | None:
        """
        @return: the stream that is on an m-line now.
        """
        for each in self.recording.streams:
            if each.active and each.mediaIndex == mediaIndex:
                return each
        return None

    def changeStream(self, index: int, **changes: Any) -> None:
        """
        Change what is said of a stream, by the names of L{StreamInfo}.
        """
        streams = tuple(
            evolve(each, **changes) if each.index == index else each
            for each in self.recording.streams
        )
        self._evolve(streams=streams)

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
        return max((each.lastArrival or 0.0 for each in self.taps.handles()), default=0.0) or None

    # Metadata.

    def receive(self, document: Document) -> MetadataRecord:
        """
        Take in a metadata document; it is kept byte for byte whatever it says.

        @return: its entry in the manifest.
        """
        now = self._now()
        parsed, body = self.mask.document(document.parsed, document.body)
        document = evolve(document, parsed=parsed, body=body)
        record = MetadataRecord(
            file=f"metadata-{len(self.recording.metadata) + 1}.xml",
            time=now,
            mode=parsed.mode,
            status=parsed.status,
            notes=tuple(parsed.notes),
        )
        self.documents.append(document)
        self._evolve(metadata=(*self.recording.metadata, record))
        if parsed.status == "error":
            reason = "; ".join(parsed.notes)
            self.event("metadataError", file=record.file, reason=reason)
            self.lacks = self.lacks or "metadata"
        else:
            baseless = parsed.mode == "partial" and not self.state.based
            self.lacks = (self.lacks or "metadata") if baseless else ""
            before, self.state = self.state, merge(self.state, parsed, _moment(now))
            told = (
                {"time": now, "type": each.type, **each.facts}
                for each in changes(before, self.state)
            )
            self._evolve(history=(*self.recording.history, *told)[-_MOST_HISTORY:])
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
        documents = [each.parsed for each in self.documents]
        found = vendorFields(self.headers, documents, self.exclude)
        vendor = withEarlier(self.before, found)
        known = self.state.participants
        lost = (each for each in self.recording.participants if each.id not in known)
        recording = withSpeakers(self.recording, self.state, self._now() if at is None else at)
        self.recording = evolve(
            recording,
            # Where the state of an earlier process is lost, its people are still
            # those who spoke.
            participants=(*lost, *recording.participants),
            metadataState=toDict(self.state),
            sessions=tuple(
                dict.fromkeys((*recording.sessions, *communicationSessions(self.state)))
            ),
            correlations=tuple(
                dict.fromkeys((*recording.correlations, *correlationKeys(self.state, vendor)))
            ),
            vendor=vendor,
        )
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
        segments = list(self.recording.segments)
        if 0 < number < len(segments):
            segments[number - 1] = evolve(segments[number - 1], end=end, files=files)
            self._evolve(segments=tuple(segments))

    # The end.

    def ending(self, reason: str) -> None:
        """
        The call is over, though what is on its way is still captured.
        """
        end = self.recording.endTime or self._now()
        self._evolve(state="finishing", endTime=end, endReason=reason)

    async def stopCapture(self, linger: float, reason: str, quiet: float | None = None) -> None:
        """
        The call is over: capture what is still on its way, then close.

        @param linger: seconds to wait for it.
        @param quiet: seconds of silence after which there is no need to; C{None}:
            wait in any case.
        """
        self.ending(reason)
        for failure in await self.taps.stop(linger, quiet):
            log.failure(
                "{recording}: a journal was not closed", failure, recording=self.recording.id
            )
            self.event(JOURNAL_ERROR, reason=failure.getErrorMessage())
        if self.taps.captured:
            self._closeSegment()
        self.releasePorts()

    def _closeSegment(self) -> None:
        used = self.taps.used()
        self._segment(
            end=self.recording.endTime,
            # A stream on which nothing came has no journal.
            files=tuple(
                name
                for name in self.recording.segments[-1].files
                if int(name.partition("-")[2].partition(".")[0]) in used
            ),
        )

    async def abandon(self) -> None:
        """
        Let go of captures and sockets: the recording does not go on here.
        """
        self.files = None
        await self.taps.stop(0)
        self.releasePorts()

    def releasePorts(self, used: bool = True) -> None:
        """
        Give the sockets back.

        @param used: whether the peer was told of them.
        """
        self.taps.release(used)

    def _segment(self, **changes: Any) -> None:
        *before, last = self.recording.segments
        self._evolve(segments=(*before, evolve(last, **changes)))

    def _evolve(self, **changes: Any) -> None:
        self.recording = evolve(self.recording, **changes)
        self.changed()
