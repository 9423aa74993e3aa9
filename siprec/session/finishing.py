"""
How a recording whose call is over is finished: its journals are closed, its audio is
made, and nothing says any more that it is not finished.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from siprec.session.abandoned import ABANDONED
from siprec.session.beginning import directoryOf
from siprec.session.disk import Disk
from siprec.session.equipment import Equipment
from siprec.session.files import RecordingFiles
from siprec.session.interfaces import RendererStopped, isFull
from siprec.session.live import LiveRecording
from siprec.session.manifest import (
    BadManifest,
    Manifest,
    isFinished,
    isWhole,
    nodeChangeSeconds,
    readManifest,
    withRendering,
)
from siprec.session.model import RecordingSession

__all__ = ["LINGER", "Finisher", "finishedManifest"]

log = Logger()

#: How long media is still captured after the end of a call, in seconds
#: (CONFORMANCE E1).
LINGER = 0.3

# The most looks at the disk from one attempt to make the audio to the next.
_MOST_LOOKS = 32


def finishedManifest(directory: str, segments: int) -> Manifest | None:
    """
    @param segments: how many its record has.
    @return: the manifest of a recording that a process finished, and whose record it could
        not remove any more; C{None}: it is not finished.  Blocks.
    """
    try:
        manifest = readManifest(directory)
    except (OSError, BadManifest):
        return None  # whoever finishes it tells
    return manifest if isFinished(manifest) and len(manifest["segments"]) >= segments else None


@define(eq=False, repr=False)
class Finisher:
    """
    Finishes recordings, each once.

    @ivar stays: tells of a recording that ends for one of the reasons in L{ABANDONED}
        whether it is to be finished, once that is known.
    @ivar tell: called with directory and manifest of each recording that was
        finished; its marker stays until that is done.  It must not fail.
    @ivar forget: called with each recording whose files are as they will stay, and
        with what is to be fired then.
    """

    _equipment: Equipment
    _disk: Disk
    _stays: Callable[[LiveRecording], Coroutine[Any, Any, bool]]
    _tell: Callable[[str, Manifest], Coroutine[Any, Any, None]]
    _forget: Callable[[LiveRecording, list[Deferred[None]]], None]
    _finishing: dict[LiveRecording, list[Deferred[None]]] = field(factory=dict, init=False)

    def __contains__(self, live: LiveRecording) -> bool:
        return live in self._finishing

    def finish(self, live: LiveRecording, reason: str) -> Deferred[None]:
        """
        End a recording.

        @return: fires when its files are as they will stay.
        """
        done: Deferred[None] = Deferred()
        if live in self._finishing:
            self._finishing[live].append(done)
        else:
            self._finishing[live] = [done]
            Deferred.fromCoroutine(self._finish(live, reason)).addErrback(
                lambda failure: log.failure(
                    "{recording}: not finished", failure, recording=live.recording.id
                )
            ).addCallback(lambda _: self._ended(live))
        return done

    def _ended(self, live: LiveRecording) -> None:
        live.settle()
        if live.files is not None:
            live.files.settled()
        self._forget(live, self._finishing.pop(live))

    async def settle(self, recording: RecordingSession) -> bool:
        """
        A process has died that had this recording: where it had been finished by then,
        nothing of it must change any more.

        @return: whether it is so, and there is nothing left to do.
        @raise OSError: its marker cannot be removed.
        """
        equipment = self._equipment
        # The same directory may be mounted elsewhere on another machine.
        directory = directoryOf(equipment.root, recording.id, recording.startTime)
        manifest = await equipment.workers.run(finishedManifest, directory, len(recording.segments))
        if manifest is None:
            return False
        log.info("{recording}: was finished before", recording=recording.id)
        await self._tell(directory, manifest)
        await self._forgetSnapshot(recording)
        await equipment.workers.run(equipment.running.remove, recording.id)
        return True

    async def _finish(self, live: LiveRecording, reason: str) -> None:
        try:
            await self._complete(live, reason)
        finally:
            # The dialog is over whatever became of the files; but where another
            # one goes on with the recording, the record is its own.
            if live.files is not None or live.making.failed:
                await self._forgetSnapshot(live.recording)

    async def _forgetSnapshot(self, recording: RecordingSession) -> None:
        try:
            await self._equipment.store.delete(recording.id)
        except Exception:
            log.failure("{recording}: snapshot not deleted", recording=recording.id)

    async def _complete(self, live: LiveRecording, reason: str) -> None:
        live.taps.leave()
        live.ending(reason)
        if live.taps.heard:
            # What still comes is not to be recorded for longer than that.
            await live.stopCapture(LINGER, reason)
            await self._equipment.postponed.turn()
        else:
            if live.making.wanted:
                live.taps.closeSilent()
            await self._equipment.postponed.turn()
            await live.stopCapture(LINGER, reason)
        if live.making.failed:
            return  # it has said so, and nothing was recorded
        if reason in ABANDONED:
            live.changed()  # that may be all for a while
            if not await self._stays(live):
                live.files = None
                return
        files = live.files
        assert files is not None, "only what has files is finished"
        if await self._silent(live, files):
            return
        # The manifest after the rendering is synced: that takes a disk's time, and until
        # then the marker tells the next start to go on with it.
        if await self._written(live, files, live.manifest, durable=False):
            live.settle()
            await self._render(live, files)

    async def _silent(self, live: LiveRecording, files: RecordingFiles) -> bool:
        """
        Finish a recording of nothing in one go: no process needs to look for its audio.

        @return: whether that was done.
        """
        # An earlier process may have left journals.
        if not live.taps.silent or len(live.recording.segments) != 1:
            return False
        found = live.manifest()
        silence = self._equipment.renderer.silence(found)
        if silence is None:
            return False
        manifest = self._withRendering(found, silence.rendering)
        try:
            await files.finish(manifest, files=silence.files)
        except OSError:
            return False  # there is a way that waits for room on the disk
        self._equipment.metrics.renders.labels("ok").inc()
        self._equipment.metrics.renderSeconds.observe(0.0)
        await self._finished(live, manifest)
        return True

    async def _written(
        self,
        live: LiveRecording,
        files: RecordingFiles,
        describe: Callable[[], Manifest],
        durable: bool,
    ) -> bool:
        """
        Write the manifest of a call that is over, however long it takes: on a
        full disk until there is room, or until the node stops.  Then the
        marker stays, and the next start goes on with it.
        """
        while True:
            try:
                await files.finish(describe(), durable=durable)
                return True
            except OSError as error:
                if not any(each["type"] == "manifestLate" for each in live.recording.events):
                    log.failure("{recording}: manifest not written", recording=live.recording.id)
                    live.event("manifestLate", reason=str(error))
                    self._equipment.metrics.journalErrors.inc()
            if not await self._disk.nextLook():
                return False

    async def _rendered(self, live: LiveRecording) -> dict[str, Any]:
        """
        Make the audio, on a full disk when there is room.

        @raise RendererStopped: the node stops before that.
        @raise Exception: it cannot be made, for another reason.
        """
        looks = 1
        while True:
            try:
                return await self._equipment.renderer.render(live.recording.directory)
            except Exception as error:
                if not isFull(error):
                    raise
                log.error(
                    "{recording}: no room for its audio: {why}",
                    recording=live.recording.id,
                    why=str(error),
                )
            # It may be room for others that there is, and not for this one.
            for _ in range(looks):
                if not await self._disk.nextLook():
                    raise RendererStopped(live.recording.directory)
            looks = min(2 * looks, _MOST_LOOKS)

    async def _render(self, live: LiveRecording, files: RecordingFiles) -> None:
        recording, clock, metrics = live.recording, self._equipment.clock, self._equipment.metrics
        started = clock.seconds()
        try:
            rendering = await self._rendered(live)
        except RendererStopped:
            # The marker stays: the next start does it.
            log.info("{recording}: left to be rendered", recording=recording.id)
            return
        except Exception as error:
            log.failure("{recording}: not rendered", recording=recording.id)
            metrics.renders.labels("failed").inc()
            live.event("renderFailed", reason=str(error))
            live.recording = evolve(live.recording, state="incomplete")
            manifest = live.manifest()
        else:
            metrics.renders.labels("ok").inc()
            manifest = self._withRendering(live.manifest(), rendering)
        metrics.renderSeconds.observe(clock.seconds() - started)
        if await self._written(live, files, lambda: manifest, durable=True):
            await self._finished(live, manifest)

    def _withRendering(self, found: Manifest, rendering: dict[str, Any]) -> Manifest:
        return withRendering(found, rendering, "complete" if isWhole(found) else "incomplete")

    async def _finished(self, live: LiveRecording, manifest: Manifest) -> None:
        recording, metrics = live.recording, self._equipment.metrics
        await self._tell(recording.directory, manifest)
        await self._equipment.workers.run(self._equipment.running.remove, recording.id)
        metrics.recordings.labels(manifest["state"]).inc()
        metrics.gapSeconds.inc(nodeChangeSeconds(manifest))
        log.info(
            "{recording}: {state} after {duration} s, {reason}",
            recording=recording.id,
            state=manifest["state"],
            duration=manifest["duration"],
            reason=recording.endReason,
            callID=recording.callID,
            node=self._equipment.node,
        )
