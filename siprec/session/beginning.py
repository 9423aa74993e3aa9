"""
How a recording begins: ports, directory, documents, capture, and the manifest
that follows it from then on.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from attrs import define
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.ids import newRecordingID
from siprec.metadata.masking import NO_MASK, Mask
from siprec.session.announcing import Announcement
from siprec.session.equipment import Equipment
from siprec.session.files import RecordingFiles, createRecording, removeRecording
from siprec.session.live import Document, LiveRecording, StreamRequest
from siprec.session.making import Making
from siprec.session.model import RecordingSession, Segment
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


def _writeSince(made: RecordingSession, live: LiveRecording) -> None:
    """
    Write what has become known while the directory was made.

    @param made: what was written into it.
    """
    assert live.files is not None, "it was just made"
    new = live.recording.metadata[len(made.metadata) :]
    bodies = live.documents[len(live.documents) - len(new) :]
    for record, document in zip(new, bodies, strict=True):
        live.files.writeDocument(record.file, document.body)
    if live.recording is not made:
        live.changed()


@define(eq=False, repr=False)
class Beginning:
    """
    Begins recordings with what a node has.

    @ivar exclude: patterns of header names that must not be kept.
    @ivar mask: for what is kept.
    """

    equipment: Equipment
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
        announcement: Announcement | None = None,
    ) -> LiveRecording:
        """
        See L{siprec.session.recordings.Recordings.begin}.
        """
        now, identity = self.equipment.now(), newRecordingID()
        recording = RecordingSession(
            id=identity,
            callID=callID,
            startTime=now,
            directory=directoryOf(self.equipment.root, identity, now),
            segments=(Segment(self.equipment.node, 1, now),),
            sip=sip,
        )
        live = self.live(recording, advertise, bind, headers)
        if announcement is not None:
            announcement.made(live, self.equipment.store)
        try:
            await self._open(live, streams, documents)
        except BaseException:
            if announcement is not None:
                await announcement.withdraw()
            raise
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
            node=self.equipment.node,
            advertise=advertise,
            bind=bind,
            taps=Taps(self.equipment.ports, self.equipment.capture, recording.pause is not None),
            now=self.equipment.now,
            headers=self.mask.values(headers),
            exclude=self.exclude,
            mask=self.mask,
        )

    def files(self, live: LiveRecording, isNew: bool = False) -> RecordingFiles:
        """
        @param isNew: see L{RecordingFiles.isNew}.
        @return: what keeps manifest and documents of a recording on the disk.
        """

        directory, equipment, key = live.recording.directory, self.equipment, live.recording.id

        def failed(failure: Failure) -> None:
            log.failure("{recording}: manifest not written", failure, recording=key)
            equipment.metrics.journalErrors.inc()

        files = RecordingFiles(directory, equipment.workers, live.manifest, failed, isNew)
        files.syncers = equipment.syncers
        return files

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
            live.making = Making(
                self.equipment.postponed,
                lambda: self._make(live),
                lambda: live.recording.state != "recording",
            )
            await live.making.begin()
        except BaseException:
            live.releasePorts(used=False)
            raise

    async def _make(self, live: LiveRecording) -> None:
        made = live.recording
        await self._createFiles(live)
        try:
            live.attach()
        except BaseException:
            live.files = None
            await self.equipment.workers.run(
                removeRecording, live.recording, self.equipment.running
            )
            raise
        _writeSince(made, live)

    def _bind(self, live: LiveRecording, stream: StreamRequest) -> None:
        try:
            live.bindStream(stream)
        except OSError as error:
            raise NoRoom(f"no media socket: {error}") from error

    async def _createFiles(self, live: LiveRecording) -> None:
        names = [each.file for each in live.recording.metadata]
        bodies = [each.body for each in live.documents]
        try:
            await self.equipment.workers.run(
                createRecording,
                live.recording,
                live.manifest(),
                list(zip(names, bodies, strict=True)),
                self.equipment.running,
            )
        except OSError as error:
            raise NoRoom(f"{error.strerror}: {live.recording.directory}") from error
        live.files = self.files(live)
