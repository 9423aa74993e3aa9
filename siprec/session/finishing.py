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
from siprec.session.disk import Disk
from siprec.session.equipment import Equipment
from siprec.session.files import RecordingFiles
from siprec.session.interfaces import RendererStopped
from siprec.session.live import LiveRecording
from siprec.session.manifest import Manifest, isWhole, nodeChangeSeconds, withRendering

__all__ = ["LINGER", "Finisher"]

log = Logger()

#: How long media is still captured after the end of a call, in seconds
#: (CONFORMANCE E1).
LINGER = 0.3


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
            ).addCallback(lambda _: self._forget(live, self._finishing.pop(live)))
        return done

    async def _finish(self, live: LiveRecording, reason: str) -> None:
        try:
            await self._complete(live, reason)
        finally:
            # The dialog is over whatever became of the files; but where another
            # one goes on with the recording, the record is its own.
            if live.files is not None:
                await self._forgetSnapshot(live)

    async def _forgetSnapshot(self, live: LiveRecording) -> None:
        try:
            await self._equipment.store.delete(live.recording.id)
        except Exception:
            log.failure("{recording}: snapshot not deleted", recording=live.recording.id)

    async def _complete(self, live: LiveRecording, reason: str) -> None:
        await live.stopCapture(LINGER, reason)
        if reason in ABANDONED:
            live.changed()  # that may be all for a while
            if not await self._stays(live):
                live.files = None
                return
        files = live.files
        assert files is not None, "only what has files is finished"
        if not await self._silent(live, files) and await self._written(live, files):
            await self._render(live, files)

    async def _silent(self, live: LiveRecording, files: RecordingFiles) -> bool:
        """
        Finish a recording of nothing in one go: no process needs to look for its audio.

        @return: whether that was done.
        """
        # An earlier process may have left journals.
        alone = len(live.recording.segments) == 1
        found = live.manifest()
        silence = self._equipment.renderer.silence(found) if alone and live.taps.silent else None
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

    async def _written(self, live: LiveRecording, files: RecordingFiles) -> bool:
        """
        Write the manifest of a call that is over, however long it takes: on a
        full disk until there is room, or until the node stops.  Then the
        marker stays, and the next start goes on with it.
        """
        while True:
            try:
                # The one after the rendering is synced: that takes a disk's time, and
                # until then the marker tells the next start to go on with it.
                await files.finish(live.manifest(), durable=False)
                return True
            except OSError as error:
                if not any(each["type"] == "manifestLate" for each in live.recording.events):
                    log.failure("{recording}: manifest not written", recording=live.recording.id)
                    live.event("manifestLate", reason=str(error))
                    self._equipment.metrics.journalErrors.inc()
            if not await self._disk.nextLook():
                return False

    async def _render(self, live: LiveRecording, files: RecordingFiles) -> None:
        recording, clock, metrics = live.recording, self._equipment.clock, self._equipment.metrics
        started = clock.seconds()
        try:
            rendering = await self._equipment.renderer.render(recording.directory)
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
        await files.finish(manifest)
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
