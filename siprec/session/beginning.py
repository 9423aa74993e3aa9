"""
How a recording begins: ports, directory, documents, capture, and the manifest
that follows it from then on.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from attrs import define
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.ids import NodeID, newRecordingID
from siprec.media.interfaces import ICapture, IPortPool
from siprec.metadata.masking import NO_MASK, Mask
from siprec.metrics import Metrics
from siprec.session.files import RecordingFiles, createRecording, removeRecording
from siprec.session.interfaces import IWorkers
from siprec.session.live import Document, LiveRecording, StreamRequest
from siprec.session.model import RecordingSession, Segment
from siprec.session.running import RunningRecordings
from siprec.session.taps import Taps

log = Logger()


class NoRoom(Exception):
    """
    The recording's sockets or files could not be made.
    """


def directoryOf(root: str, recording: str, start: float) -> str:
    """
    @param root: the recordings directory.
    @param start: of the recording, seconds since the epoch.
    @return: the recording's own directory.
    """
    day = datetime.fromtimestamp(start, UTC).strftime("%Y/%m/%d")
    return f"{root}/{day}/{recording}"


@define(eq=False, repr=False)
class Beginning:
    """
    Begins recordings with what a node has.

    @ivar root: the recordings directory, absolute.
    @ivar exclude: patterns of header names that must not be kept.
    @ivar mask: for what is kept.
    """

    node: NodeID
    root: str
    ports: IPortPool
    capture: ICapture
    workers: IWorkers
    running: RunningRecordings
    now: Callable[[], float]
    metrics: Metrics
    exclude: tuple[str, ...]
    mask: Mask = NO_MASK

    async def begin(
        self,
        callID: str,
        sip: dict[str, Any],
        headers: list[tuple[str, str]],
        streams: list[StreamRequest],
        documents: list[Document],
        advertise: str,
        bind: str,
    ) -> LiveRecording:
        """
        See L{siprec.session.recordings.Recordings.begin}.
        """
        now, identity = self.now(), newRecordingID()
        recording = RecordingSession(
            id=identity,
            callID=callID,
            startTime=now,
            directory=directoryOf(self.root, identity, now),
            segments=(Segment(self.node, 1, now),),
            sip=sip,
        )
        live = self.live(recording, advertise, bind, headers)
        await self._open(live, streams, documents)
        return live

    def live(
        self,
        recording: RecordingSession,
        advertise: str,
        bind: str,
        headers: list[tuple[str, str]],
    ) -> LiveRecording:
        """
        @return: a recording that has neither sockets nor files yet.
        """
        return LiveRecording(
            recording=recording,
            node=self.node,
            advertise=advertise,
            bind=bind,
            taps=Taps(self.ports, self.capture),
            now=self.now,
            headers=self.mask.values(headers),
            exclude=self.exclude,
            mask=self.mask,
        )

    def files(self, live: LiveRecording) -> RecordingFiles:
        """
        @return: what keeps manifest and documents of a recording on the disk.
        """

        def failed(failure: Failure) -> None:
            log.failure("{recording}: manifest not written", failure, recording=live.recording.id)
            self.metrics.journalErrors.inc()

        return RecordingFiles(
            live.recording.directory, self.workers, describe=live.manifest, onError=failed
        )

    async def _open(
        self, live: LiveRecording, streams: list[StreamRequest], documents: list[Document]
    ) -> None:
        try:
            for stream in streams:
                self._bind(live, stream)
            for document in documents:
                live.receive(document)
            if not documents:
                live.rebind()  # else the last of them has done it
            # Before the manifest, which so is written once.
            live.nameJournals()
            await self._createFiles(live)
            try:
                live.attach()
            except BaseException:
                live.files = None
                await self.workers.run(removeRecording, live.recording, self.running)
                raise
        except BaseException:
            live.releasePorts(used=False)
            raise

    def _bind(self, live: LiveRecording, stream: StreamRequest) -> None:
        try:
            live.bindStream(stream)
        except OSError as error:
            raise NoRoom(f"no media socket: {error}") from error

    async def _createFiles(self, live: LiveRecording) -> None:
        names = [each.file for each in live.recording.metadata]
        bodies = [each.body for each in live.documents]
        try:
            await self.workers.run(
                createRecording,
                live.recording,
                live.manifest(),
                list(zip(names, bodies, strict=True)),
                self.running,
            )
        except OSError as error:
            raise NoRoom(f"{error.strerror}: {live.recording.directory}") from error
        live.files = self.files(live)
