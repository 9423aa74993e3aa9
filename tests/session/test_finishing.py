"""
Tests of L{siprec.session.finishing}.
"""

from __future__ import annotations

import errno
import gc
import os
from functools import partial
from typing import Any
from weakref import ref

from twisted.internet.defer import Deferred, succeed

from siprec.media.rtcp import Destination
from siprec.render.child import RenderFailed
from siprec.session.finishing import LINGER
from siprec.session.interfaces import RendererStopped, Silence
from siprec.session.manifest import Manifest
from tests.session.recordings import dialog
from tests.session.servicecase import ServiceTestCase

AUDIO = {"file": "audio.wav", "sha256": "0" * 64}
FOUND = {"duration": 0.0, "streams": [], "gaps": [], "events": [], "audio": AUDIO}


class FinisherTests(ServiceTestCase):
    """
    A recording whose call is over.
    """

    def test_linger(self) -> None:
        """
        Media that is on its way is still captured for a moment.
        """
        self.finish(self.begin())
        self.assertEqual([linger for _, linger in self.capture.detached], [LINGER] * 2)

    def test_E7_goodbye(self) -> None:
        """
        Who was told how the media comes in is told goodbye, before anything else.
        """
        live = self.begin()
        streams = list(self.capture.attached)
        live.taps.report(0, Destination("192.0.2.7", 40001, "name"))
        self.finish(live)
        self.assertEqual([each.left for each in streams], [True, False])

    def test_E7_noWord(self) -> None:
        """
        Where another node goes on with the recording nobody is told goodbye.
        """
        live = self.begin()
        stream = self.capture.attached[0]
        live.taps.report(0, Destination("192.0.2.7", 40001, "name"))
        self.service.letGo(live)
        self.assertFalse(stream.left)
        self.assertEqual(self.capture.attached, [])

    def test_finishing(self) -> None:
        """
        While the audio is made the manifest on the disk says so, with the end.
        """
        live = self.begin()
        self.renderer.waiting = []
        done = self.service.finish(live, "bye")
        self.assertNoResult(done)
        manifest = self.manifest(live)
        self.assertEqual((manifest["state"], manifest["endReason"]), ("finishing", "bye"))
        self.assertIsNotNone(manifest["segments"][0]["end"])
        self.assertEqual(self.markers(), [live.recording.id])
        self.renderer.waiting[0].errback(RendererStopped())
        self.successResultOf(done)

    def test_callIsForgotten(self) -> None:
        """
        A recording that waits for its audio keeps nothing of the call, which would be told
        if nothing could be recorded.
        """
        live = self.begin()
        told: list[Deferred[None]] = [Deferred()]
        live.making.onFailed = partial(told[0].callback, None)
        call = ref(told.pop())
        self.renderer.waiting = []
        done = self.service.finish(live, "bye")
        gc.collect()
        self.assertIsNone(call())
        self.renderer.waiting[0].callback(FOUND)
        self.successResultOf(done)
        self.assertEqual(self.manifest(live)["state"], "complete")

    def test_writes(self) -> None:
        """
        A call costs few writes: at its begin, when all its media is in, and when it is
        rendered.
        """
        live = self.begin()
        self.assertEqual(self.workers.called, ["createRecording"])
        files = self.manifest(live)["segments"][0]["files"]
        self.assertEqual(files, ["1-0.rtpdump", "1-1.rtpdump"])
        live.ending("bye", {"reason": "Q.850"})
        live.ending("bye")
        self.finish(live)
        self.assertEqual(self.workers.called[1:], ["_update"] * 2 + ["remove"])
        [event] = self.manifest(live)["events"]
        self.assertEqual((event["type"], event["reason"]), ("bye", "Q.850"))

    def test_silence(self) -> None:
        """
        Where no packet came there is one write after the call, and no process is asked.
        """
        self.renderer.ofNothing = Silence(FOUND, {"audio.wav": b"RIFF"})
        live = self.begin()
        manifest = self.finish(live)
        self.assertEqual(self.renderer.directories, [])
        self.assertEqual(self.workers.called[1:], ["_update", "remove"])
        self.assertEqual((manifest["state"], manifest["audio"]), ("complete", AUDIO))
        self.assertIsNotNone(manifest["segments"][0]["end"])
        with open(f"{live.recording.directory}/audio.wav", "rb") as file:
            self.assertEqual(file.read(), b"RIFF")
        self.assertEqual(self.markers(), [])
        self.assertEqual(self.count('siprec_renders_total{result="ok"}'), 1)
        self.assertEqual(self.count("siprec_render_seconds_count"), 1)

    def test_notSilent(self) -> None:
        """
        Where something came, if only on one stream, or was lost on the way to the
        journal, the renderer has to look.
        """
        self.renderer.ofNothing = Silence({}, {})
        live = self.begin()
        self.speak(live)
        self.finish(live)
        self.assertEqual(self.renderer.directories, [live.recording.directory])
        lossy = self.begin()
        handle: Any = lossy.taps.handles()[1]
        handle.kernelDrops = 1
        self.finish(lossy)
        self.assertEqual(self.renderer.directories[1:], [lossy.recording.directory])

    def test_silenceNotWritten(self) -> None:
        """
        If there is no room for it, it is rendered once there is.
        """
        found = {"duration": 0.0, "streams": [], "gaps": [], "events": [], "audio": None}
        self.renderer.ofNothing = Silence(found, {"not/there": b""})
        live = self.begin()
        self.finish(live)
        self.assertEqual(self.renderer.directories, [live.recording.directory])

    def test_twice(self) -> None:
        """
        Ending it twice is once: both wait for the same end.
        """
        live = self.begin()
        self.renderer.waiting = []
        first, second = (self.service.finish(live, reason) for reason in ("bye", "stopped"))
        self.assertEqual(len(self.renderer.directories), 1)
        self.assertNoResult(first)
        self.assertNoResult(second)
        self.renderer.waiting[0].errback(RendererStopped())
        self.successResultOf(first)
        self.successResultOf(second)
        self.successResultOf(self.service.finish(live, "again"))
        self.assertEqual(len(self.renderer.directories), 1)
        self.assertEqual(self.manifest(live)["endReason"], "bye")

    def test_renderFailure(self) -> None:
        """
        Without audio it is incomplete and says why; the journals are there.
        """
        live = self.begin()
        self.speak(live)
        self.renderer.failure = ValueError("out of paper")
        manifest = self.finish(live)
        self.assertEqual(manifest["state"], "incomplete")
        [event] = manifest["events"]
        self.assertEqual((event["type"], event["reason"]), ("renderFailed", "out of paper"))
        for name in ("1-0.rtpdump", "1-1.rtpdump"):
            self.assertTrue(os.path.getsize(f"{live.recording.directory}/{name}"))
        self.assertEqual(self.markers(), [])
        self.assertEqual(self.count('siprec_renders_total{result="failed"}'), 1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_onFinished(self) -> None:
        """
        Who wants to know is told of each recording that was finished, with or without
        audio, when its manifest is on the disk, and before it is forgotten that it
        was not finished.
        """
        told: list[tuple[str, Manifest]] = []

        def finished(directory: str, manifest: Manifest) -> Deferred[None]:
            self.assertIn(manifest["id"], self.markers())
            told.append((directory, manifest))
            return succeed(None)

        self.service.onFinished = finished
        live = self.begin()
        manifest = self.finish(live)
        self.assertEqual(told, [(live.recording.directory, manifest)])
        self.renderer.failure = RendererStopped()
        self.finish(self.begin())
        self.assertEqual(len(told), 1)
        self.renderer.failure = ValueError("out of paper")
        self.finish(self.begin())
        self.assertEqual(told[1][1]["state"], "incomplete")
        self.flushLoggedErrors(ValueError)

    def test_rendererStopped(self) -> None:
        """
        What the node has no time for stays C{finishing} and marked, so that
        the next start does it.
        """
        live = self.begin()
        self.renderer.failure = RendererStopped()
        manifest = self.finish(live)
        self.assertEqual(manifest["state"], "finishing")
        self.assertEqual(self.markers(), [live.recording.id])
        self.assertEqual(self.service.recordings, {})
        self.assertEqual(self.ports.taken, [])

    def test_diskFull(self) -> None:
        """
        If the manifest cannot be written at the end it is tried again with
        each look at the disk; when the node stops first, the marker stays for
        the next start, and nothing else does.
        """
        live = self.begin()
        self.successResultOf(Deferred.fromCoroutine(self.service.save(live, dialog())))
        os.makedirs(f"{live.recording.directory}/recording.json.new")
        done = self.service.finish(live, "bye")
        self.clock.pump([1.0] * 9)
        self.assertNoResult(done)
        self.service.stopService()
        self.successResultOf(done)
        self.assertEqual(self.manifest(live)["state"], "recording")
        self.assertEqual(self.renderer.directories, [])
        self.assertEqual(self.markers(), [live.recording.id])
        self.assertEqual(self.service.recordings, {})
        self.assertEqual(self.ports.taken, [])
        self.assertEqual(self.successResultOf(self.store.list()), [])
        errors = self.flushLoggedErrors(OSError)
        self.assertEqual(self.count("siprec_journal_errors_total"), len(errors))

    def test_diskFullForAWhile(self) -> None:
        """
        Once there is room again the recording is finished, and says that it
        had to wait.
        """
        live = self.begin()
        os.makedirs(f"{live.recording.directory}/recording.json.new")
        done = self.service.finish(live, "bye")
        self.clock.pump([1.0] * 5)
        self.assertNoResult(done)
        os.rmdir(f"{live.recording.directory}/recording.json.new")
        self.clock.pump([1.0] * 3)
        self.successResultOf(done)
        manifest = self.manifest(live)
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))
        self.assertIn("manifestLate", [each["type"] for each in manifest["events"]])
        self.assertEqual(self.markers(), [])
        self.flushLoggedErrors(OSError)

    def test_notMarkedOff(self) -> None:
        """
        If the marker cannot be removed the recording is complete all the same,
        and does not count as running.
        """
        live = self.begin()
        marker = os.path.join(self.root, ".running", "node-a", live.recording.id)
        os.unlink(marker)
        os.makedirs(marker)
        self.assertEqual(self.finish(live)["state"], "complete")
        self.assertEqual(self.service.recordings, {})
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_noRoomForAudio(self) -> None:
        """
        Audio for which there is no room is made when there is; it is looked for more
        and more seldom.
        """
        live = self.begin()
        self.speak(live)
        self.renderer.failure = RenderFailed("/r", "[Errno 28] No space left on device")
        done = self.service.finish(live, "bye")
        self.clock.pump([1.0] * 300)
        self.assertNoResult(done)
        self.assertEqual(len(self.renderer.directories), 9)
        self.assertEqual(self.manifest(live)["state"], "finishing")
        self.renderer.failure = None
        self.clock.pump([1.0] * 64)
        self.successResultOf(done)
        self.assertEqual(self.manifest(live)["state"], "complete")

    def test_noRoomUntilStop(self) -> None:
        """
        When the node stops first, the next start does it.
        """
        live = self.begin()
        self.renderer.failure = OSError(errno.ENOSPC, "full")
        done = self.service.finish(live, "bye")
        self.service.stopService()
        self.successResultOf(done)
        self.assertEqual(self.manifest(live)["state"], "finishing")
        self.assertEqual(self.markers(), [live.recording.id])

    def test_noRoomForLastManifest(self) -> None:
        """
        The manifest after the audio waits for room as well.
        """
        live = self.begin()
        self.renderer.waiting = []
        done = self.service.finish(live, "bye")
        os.makedirs(f"{live.recording.directory}/recording.json.new")
        self.renderer.waiting[0].callback(
            {"duration": 0.0, "streams": [], "gaps": [], "events": [], "audio": None}
        )
        self.clock.pump([1.0] * 5)
        self.assertNoResult(done)
        os.rmdir(f"{live.recording.directory}/recording.json.new")
        self.clock.pump([1.0] * 3)
        self.successResultOf(done)
        self.assertEqual(self.manifest(live)["state"], "complete")
        self.assertEqual(self.markers(), [])
        self.flushLoggedErrors(OSError)
