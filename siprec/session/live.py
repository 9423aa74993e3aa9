"""
One recording while its call runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import define, evolve, field, frozen
from twisted.internet.defer import DeferredList
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.ids import NodeID
from siprec.media.interfaces import ICapture, ICapturedStream, IPortPair, IPortPool
from siprec.metadata.merge import merge
from siprec.metadata.model import MetadataDocument
from siprec.metadata.state import RecordingMetadata
from siprec.metadata.storing import toDict
from siprec.metadata.vendor import vendorFields, withEarlier
from siprec.session.correlation import correlationKeys
from siprec.session.files import RecordingFiles
from siprec.session.manifest import JOURNAL_ERROR, Manifest, describe, formatTime
from siprec.session.model import (
    Format,
    MetadataRecord,
    RecordingSession,
    StreamInfo,
)
from siprec.session.speakers import communicationSessions, withSpeakers

log = Logger()


@frozen
class StreamRequest:
    """
    A stream that is to be recorded.

    @ivar mediaIndex: its m-line, from 0.
    @ivar formats: the payload types that our answer will accept.
    @ivar direction: of our answer, C{recvonly} or C{inactive}.
    """

    mediaIndex: int
    label: str | None
    formats: tuple[Format, ...]
    kind: str = "audio"
    direction: str = "recvonly"


@frozen
class Document:
    """
    An rs-metadata document: what came and what was understood of it.
    """

    body: bytes = field(repr=False)
    parsed: MetadataDocument


@define(eq=False, repr=False)
class _Tap:
    """
    A stream's sockets and, once attached, its capture.
    """

    pair: IPortPair
    handle: ICapturedStream | None = None


@define(eq=False, repr=False)
class LiveRecording:
    """
    The streams, metadata and files of a call that is being recorded.

    @ivar recording: what is known now.
    @ivar state: the merged metadata.
    @ivar documents: every metadata document that came to this process, in order.
    @ivar captured: every capture so far, those that have ended too.
    @ivar before: the vendors' fields that an earlier process found.
    @ivar moved: indexes of the streams whose ports are others than those of an
        earlier process.
    """

    recording: RecordingSession
    node: NodeID
    advertise: str
    _bind: str
    _ports: IPortPool
    _capture: ICapture
    _now: Callable[[], float]
    headers: list[tuple[str, str]] = field(factory=list)
    exclude: tuple[str, ...] = ()
    state: RecordingMetadata = field(factory=RecordingMetadata)
    before: Mapping[str, Any] = field(factory=dict)
    moved: list[int] = field(factory=list, init=False)
    documents: list[Document] = field(factory=list, init=False)
    captured: list[ICapturedStream] = field(factory=list, init=False)
    _taps: dict[int, _Tap] = field(factory=dict, init=False)
    _counts: dict[int, dict[str, Any]] = field(factory=dict, init=False)
    files: RecordingFiles | None = field(default=None, init=False)

    # Streams.

    def bindStream(self, request: StreamRequest) -> StreamInfo:
        """
        Bind a port pair for a new stream.

        @raise siprec.media.ports.NoFreePorts: there is none.
        """
        pair = self._ports.allocate(self._bind)
        stream = StreamInfo(
            index=len(self.recording.streams),
            mediaIndex=request.mediaIndex,
            label=request.label,
            formats=request.formats,
            host=self.advertise,
            port=pair.rtpPort,
            kind=request.kind,
            direction=request.direction,
        )
        self._taps[stream.index] = _Tap(pair)
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
            pair = self._ports.claim(bind or stream.host, stream.port, shared)
        except (OSError, ValueError) as error:
            log.warn(
                "{recording}: port {port} cannot be had again: {why}",
                recording=self.recording.id,
                port=stream.port,
                why=str(error),
            )
            return False
        self._taps[stream.index] = _Tap(pair)
        return True

    def moveStream(self, index: int) -> None:
        """
        Bind other ports for a stream than it had in an earlier process.

        @raise siprec.media.ports.NoFreePorts: there are none.
        @raise OSError: there is no such address here.
        """
        pair = self._ports.allocate(self._bind)
        self._taps[index] = _Tap(pair)
        self.moved.append(index)
        self.changeStream(index, host=self.advertise, port=pair.rtpPort)

    def startCapture(self) -> None:
        """
        Capture every bound stream that is not captured yet; the recording's
        directory is there.
        """
        segment = self.recording.segments[-1]
        files = list(segment.files)
        for index, tap in self._taps.items():
            if tap.handle is None:
                name = f"{len(self.recording.segments)}-{index}.rtpdump"
                tap.handle = self._capture.attach(tap.pair, f"{self.recording.directory}/{name}")
                self.captured.append(tap.handle)
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

    def handles(self) -> list[ICapturedStream]:
        """
        The captures that run.
        """
        return [tap.handle for tap in self._taps.values() if tap.handle is not None]

    def lastArrival(self) -> float | None:
        """
        @return: when the last packet of any stream came, or C{None} if none
            has; up to one visit of the capture behind.
        """
        return max((each.lastArrival or 0.0 for each in self.handles()), default=0.0) or None

    # Metadata.

    def receive(self, document: Document) -> MetadataRecord:
        """
        Take in a metadata document; it is kept byte for byte whatever it says.

        @return: its entry in the manifest.
        """
        now = self._now()
        parsed = document.parsed
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
        else:
            self.state = merge(self.state, parsed, datetime.fromtimestamp(now, UTC))
        self.rebind()
        if self.files is not None:
            self.files.writeDocument(record.file, document.body)
        return record

    def rebind(self) -> None:
        """
        Work out again who is heard on which stream.
        """
        documents = [each.parsed for each in self.documents]
        found = vendorFields(self.headers, documents, self.exclude)
        vendor = withEarlier(self.before, found)
        known = self.state.participants
        lost = (each for each in self.recording.participants if each.id not in known)
        recording = withSpeakers(self.recording, self.state)
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
            stream.update(self._counted(stream["index"]))
        return manifest

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
        results = await DeferredList(
            [
                self._capture.detach(each, linger)
                if quiet is None
                else self._capture.detachWhenQuiet(each, quiet, linger)
                for each in self.handles()
            ],
            consumeErrors=True,
        )
        for success, result in results:
            if not success and isinstance(result, Failure):
                log.failure(
                    "{recording}: a journal was not closed", result, recording=self.recording.id
                )
                self.event(JOURNAL_ERROR, reason=result.getErrorMessage())
        if not self._taps:
            return  # nothing was captured by this process
        self._counts = {index: self._counted(index) for index in self._taps}
        used = {index for index, each in self._counts.items() if each.get("firstPacket")}
        self._segment(
            end=self.recording.endTime,
            # A stream on which nothing came has no journal.
            files=tuple(
                name
                for name in self.recording.segments[-1].files
                if int(name.partition("-")[2].partition(".")[0]) in used
            ),
        )
        self.releasePorts()

    async def abandon(self) -> None:
        """
        Let go of captures and sockets: the recording does not go on here.
        """
        self.files = None
        await DeferredList(
            [self._capture.detach(each, 0) for each in self.handles()], consumeErrors=True
        )
        self.releasePorts()

    def releasePorts(self, used: bool = True) -> None:
        """
        Give the sockets back.

        @param used: whether the peer was told of them.
        """
        for tap in self._taps.values():
            self._ports.release(tap.pair, used)
        self._taps.clear()

    def _counted(self, index: int) -> dict[str, Any]:
        tap = self._taps.get(index)
        if tap is None or tap.handle is None:
            return self._counts.get(index, {})
        handle = tap.handle
        first, last = handle.firstArrival, handle.lastArrival
        return {
            "packets": handle.packets,
            "firstPacket": None if first is None else formatTime(first),
            "lastPacket": None if last is None else formatTime(last),
            "kernelDrops": handle.kernelDrops,
            "unwritten": handle.unwritten,
            "truncated": handle.truncated,
        }

    def _segment(self, **changes: Any) -> None:
        *before, last = self.recording.segments
        self._evolve(segments=(*before, evolve(last, **changes)))

    def _evolve(self, **changes: Any) -> None:
        self.recording = evolve(self.recording, **changes)
        self.changed()
