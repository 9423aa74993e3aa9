"""
The recordings of this node: what begins, keeps and ends them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred, succeed
from twisted.logger import Logger

from siprec.ids import NodeID, RecordingID
from siprec.media.interfaces import ICapturedStream
from siprec.metadata.masking import NO_MASK, Mask
from siprec.session.abandoned import Abandoned
from siprec.session.announcing import Announcement
from siprec.session.beginning import Beginning, NoRoom
from siprec.session.disk import Disk
from siprec.session.equipment import Equipment
from siprec.session.finishing import Finisher
from siprec.session.joining import Joining, reopened
from siprec.session.live import Document, LiveRecording, StreamRequest
from siprec.session.manifest import JOURNAL_ERROR, Manifest
from siprec.session.model import CallSnapshot, DialogInfo
from siprec.session.protecting import withCounters
from siprec.session.resume import SAME_PLACE, MediaPlan, Resumption
from siprec.session.shortage import Shortage
from siprec.session.tally import Tally

__all__ = ["NoRoom", "Recordings"]

log = Logger()


@define(eq=False, repr=False, slots=False)
class Recordings(Service):
    """
    Begins, keeps and ends recordings.

    @ivar minFree: octets of free disk below which no new recording is begun.
    @ivar exclude: patterns of header names that must not be kept; C{mask} for the rest.
    @ivar disk: knows how much room there is, and C{shortage} what to do about that.
    @ivar syncing: runs with it, to hand manifests to the disk; see
        L{siprec.session.syncing}.
    @ivar window: for how many seconds a recording that ends for one of the reasons in
        L{siprec.session.abandoned.ABANDONED} waits for another session of its call.
    @ivar recordings: what is being recorded or finished, by id.
    @ivar ending: what another process had, and L{end} finishes.
    @ivar draining: set when no new recording may be begun.
    @ivar onFinished: called with directory and manifest of each recording that was
        finished, or C{None}; its marker stays until that has fired.  It must not fail.
    """

    equipment: Equipment
    minFree: int
    exclude: tuple[str, ...] = ()
    window: float = 0.0
    mask: Mask = NO_MASK
    recordings: dict[RecordingID, LiveRecording] = field(factory=dict, init=False)
    ending: set[RecordingID] = field(factory=set, init=False)
    draining: bool = field(default=False, init=False)
    disk: Disk = field(init=False)
    onFinished: Callable[[str, Manifest], Deferred[None]] | None = field(default=None, init=False)
    _abandoned: Abandoned = field(init=False)
    _finisher: Finisher = field(init=False)
    shortage: Shortage = field(init=False)
    syncing: Service = field(factory=Service, init=False)
    _tally: Tally = field(factory=Tally, init=False)
    _beginning: int = field(default=0, init=False)
    _idle: list[Deferred[None]] = field(factory=list, init=False)

    @disk.default
    def _makeDisk(self) -> Disk:
        return Disk(self.root, self.equipment.clock)

    @shortage.default
    def _makeShortage(self) -> Shortage:
        shortage = Shortage(self.equipment.capture, lambda: list(self.recordings.values()))
        self.disk.onLook = lambda: shortage.look(self.disk.free, self.minFree)
        return shortage

    @_abandoned.default
    def _makeAbandoned(self) -> Abandoned:
        return Abandoned(self.equipment.clock)

    @_finisher.default
    def _makeFinisher(self) -> Finisher:
        return Finisher(self.equipment, self.disk, self._stays, self._tell, self._forget)

    @property
    def node(self) -> NodeID:
        """
        The node whose recordings they are.
        """
        return self.equipment.node

    @property
    def root(self) -> str:
        """
        The recordings directory, absolute.
        """
        return self.equipment.root

    def startService(self) -> None:
        """
        See L{twisted.application.service.IService.startService}.
        """
        super().startService()
        self.disk.startService()
        self.syncing.startService()

    def drained(self) -> Deferred[None]:
        """
        @return: fires when no recording is being begun, kept or finished.
            Cancelling it ends the waiting and nothing else.
        """
        done: Deferred[None] = Deferred()
        self._idle.append(done)
        self._checkIdle()
        return done

    def _checkIdle(self) -> None:
        if not self.recordings and not self._beginning:
            idle, self._idle = self._idle, []
            for done in idle:
                done.callback(None)

    def stopService(self) -> Deferred[None]:
        """
        Stop looking after the disk.  Whoever owns their dialogs has ended the recordings.
        """
        super().stopService()
        ends = [maybeDeferred(each.stopService) for each in (self.disk, self.syncing)]
        return gatherResults(ends).addCallback(lambda _: None)

    def media(self, name: str) -> int:
        """
        @param name: C{packets} that were written, their C{octets} or
            C{kernelDrops}.
        @return: how many, of all recordings since the start.
        """
        return self._tally.total(name, (live.taps for live in self.recordings.values()))

    @property
    def paused(self) -> int:
        """
        How many recordings are paused.
        """
        return sum(each.recording.pause is not None for each in self.recordings.values())

    @property
    def full(self) -> bool:
        """
        Whether so little room is left on the disk that nothing more should be received.
        """
        return self.disk.free is not None and self.disk.free < max(self.minFree, 1)

    def notReady(self) -> list[str]:
        """
        @return: why no new recording can be begun; empty when one can.
        """
        reasons = self.equipment.postponed.reasons()
        if self.draining:
            reasons.append("the node is draining")
        if self.disk.free is None:
            reasons.append(f"the recordings directory {self.root} cannot be read")
        elif self.full:
            stopped = ": nothing is recorded" if self.shortage.stopped else ""
            reasons.append(f"only {self.disk.free} octets are free in {self.root}{stopped}")
        if not self.equipment.ports.free:
            reasons.append("every RTP port is taken")
        return reasons

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
        Begin a recording: bind ports, make its directory, start the capture.

        @param sip: the manifest's C{sip}.
        @param headers: of the INVITE, for the vendors' fields.
        @param advertise: the address for the SDP.
        @param bind: the local address to bind.
        @param announcement: for the store, should it take long.
        @raise siprec.media.ports.NoFreePorts: not all ports could be had.
        @raise NoRoom: sockets or files could not be made.  Nothing is ever left behind.
        """
        return await self._begun(
            self._resources().begin(
                callID, sip, headers, streams, documents, advertise, bind, announcement
            )
        )

    async def resume(
        self, snapshot: CallSnapshot, epoch: int, plan: MediaPlan = SAME_PLACE
    ) -> LiveRecording:
        """
        Go on with a recording that another process had, in a new segment.

        @param epoch: the owner epoch of that segment.
        @raise siprec.media.ports.NoFreePorts: not all ports could be had.
        @raise NoRoom: sockets or files could not be had.  In every case ports
            and captures are given back; what is on the disk stays, marked as
            unfinished, unless it is an empty directory that was made for this.
        """
        return await self._begun(Resumption(self._resources(), snapshot, epoch, plan).run())

    async def join(
        self,
        snapshot: CallSnapshot,
        epoch: int,
        callID: str,
        headers: list[tuple[str, str]],
        streams: list[StreamRequest],
        documents: list[Document],
        advertise: str,
        bind: str,
    ) -> LiveRecording:
        """
        Go on with a recording in another dialog; arguments as of L{begin}.

        @param snapshot: of the recording, which is this node's.
        @raise siprec.media.ports.NoFreePorts: not all ports could be had.
        @raise NoRoom: sockets or files could not be had.
        """
        joining = Joining(
            self._resources(),
            reopened(snapshot),
            epoch,
            MediaPlan(bind, advertise),
            streams=streams,
            documents=documents,
            headers=headers,
            callID=callID,
        )
        return await self._begun(joining.run())

    def isWaiting(self, live: LiveRecording) -> bool:
        """
        @return: whether a recording whose call is over could still go on in another session.
        """
        return live in self._abandoned

    async def end(self, snapshot: CallSnapshot, epoch: int, reason: str) -> None:
        """
        Finish a recording that another process had, and whose call is over.

        @param reason: C{endReason}, if it has none yet.
        @raise NoRoom: its files cannot be had; what is on the disk stays,
            marked as unfinished.
        """
        self.ending.add(snapshot.recording.id)
        try:
            if await self._finisher.settle(snapshot.recording):
                return
            live = await self._begun(Resumption(self._resources(), snapshot, epoch).end())
            await self.finish(live, snapshot.recording.endReason or reason)
        finally:
            self.ending.discard(snapshot.recording.id)

    async def _begun(self, beginning: Coroutine[Any, Any, LiveRecording]) -> LiveRecording:
        self._beginning += 1
        try:
            live = await beginning
            self.recordings[live.recording.id] = live
            self.shortage.begun(live)
        finally:
            self._beginning -= 1
            self._checkIdle()
        return live

    def _resources(self) -> Beginning:
        return Beginning(self.equipment, self.exclude, self.mask)

    async def save(self, live: LiveRecording, dialog: DialogInfo) -> None:
        """
        Save the call's snapshot.  A store that is away costs a log entry, never the call.
        """
        if live.recording.id not in self.recordings:
            return  # it has been let go, or has ended
        # Not noted in the recording, whose manifest does not say it.
        recording = withCounters(live.recording, live.taps)
        snapshot = CallSnapshot(recording, dialog, lastActivity=self.equipment.now())
        try:
            await self.equipment.store.save(snapshot.key, snapshot)
        except Exception:
            log.failure("{recording}: snapshot not saved", recording=live.recording.id)

    def journalFailed(self, stream: ICapturedStream, error: OSError) -> None:
        """
        A journal cannot be written; its recording is told so, and the others
        go on.
        """
        self.equipment.metrics.journalErrors.inc()
        for live in self.recordings.values():
            if stream in live.taps.handles():
                live.event(JOURNAL_ERROR, file=os.path.basename(stream.path), reason=str(error))
                log.error(
                    "{recording}: {path} cannot be written: {error}",
                    recording=live.recording.id,
                    path=stream.path,
                    error=str(error),
                )

    def finish(self, live: LiveRecording, reason: str) -> Deferred[None]:
        """
        End a recording: close its journals, make the audio, say so in the
        manifest.  Ending it twice is the same as once.

        @return: fires when its files are as they will stay.
        """
        if live.recording.id not in self.recordings:
            return succeed(None)
        return self._finisher.finish(live, reason)

    def letGo(self, live: LiveRecording) -> None:
        """
        Another node has this recording: stop capturing, and write nothing more
        of it but what its journals still hold back.
        """
        identity = live.recording.id
        if live in self._abandoned:
            # It is closed already; whoever waits sees that it is gone.
            self._abandoned.discard(live)
            del self.recordings[identity]
            return
        if live in self._finisher or self.recordings.pop(identity, None) is None:
            return
        live.disown()
        stopping = Deferred.fromCoroutine(live.stopCapture(0.0, "fenced"))
        unmark = self.equipment.running.remove
        stopping.addCallback(lambda _: self.equipment.workers.run(unmark, identity))
        stopping.addErrback(
            lambda failure: log.failure("{recording}: not let go", failure, recording=identity)
        )
        self._checkIdle()

    async def undo(self, live: LiveRecording) -> None:
        """
        This node was to go on with another one's recording, and does not: let go of
        it, and leave no directory in which nothing was recorded.  It never fails.
        """
        identity, files = live.recording.id, live.files
        if live in self._finisher or self.recordings.pop(identity, None) is None:
            return
        live.disown()
        try:
            await live.stopCapture(0.0, "fenced")
            if files is not None:
                await files.discard()
            await self.equipment.workers.run(self.equipment.running.remove, identity)
        except Exception:
            log.failure("{recording}: not let go", recording=identity)
        self._checkIdle()

    async def leave(self, live: LiveRecording, linger: float, quiet: float | None) -> None:
        """
        Another node has this recording, and media may still come in here:
        capture that, then close the last segment.

        @param linger: as of L{LiveRecording.stopCapture}, as is C{quiet}.
        """
        identity = live.recording.id
        live.disown()
        try:
            await live.stopCapture(linger, "handedOver", quiet)
            await self.equipment.workers.run(self.equipment.running.remove, identity)
        finally:
            if self.recordings.get(identity) is live:
                self._tally.add(live.taps)
                del self.recordings[identity]
            self._checkIdle()

    def _forget(self, live: LiveRecording, waiting: list[Deferred[None]]) -> None:
        self._tally.add(live.taps)
        # Another session may have gone on with it meanwhile.
        if self.recordings.get(live.recording.id) is live:
            del self.recordings[live.recording.id]
        for done in waiting:
            done.callback(None)
        self._checkIdle()

    async def _stays(self, live: LiveRecording) -> bool:
        return await self._abandoned.stayed(live, self.window, lambda: self.draining)

    async def _tell(self, directory: str, manifest: Manifest) -> None:
        if self.onFinished is not None:
            await self.onFinished(directory, manifest)
