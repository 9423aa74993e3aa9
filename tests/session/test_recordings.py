"""
Tests of L{siprec.session.recordings}.
"""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred, succeed

from siprec.media.capture import CaptureStopped
from siprec.media.ports import NoFreePorts
from siprec.session.interfaces import RendererStopped
from siprec.session.manifest import Manifest
from siprec.session.recordings import NoRoom
from siprec.session.workers import WorkersStopped
from tests.render.journals import audioOf
from tests.session.livecase import document
from tests.session.recordings import HeldWorkers, dialog
from tests.session.servicecase import ServiceTestCase
from tests.session.test_manifest import KEYS


class BeginTests(ServiceTestCase):
    """
    A recording begins, or leaves nothing.
    """

    def assertNothingLeft(self) -> None:
        """
        No directory, no marker, no port, no capture, no recording.
        """
        self.assertEqual(self.left(), [])
        self.assertEqual(self.markers(), [])
        self.assertEqual((self.ports.taken, self.ports.free), ([], 1000))
        self.assertEqual(self.capture.attached, [])
        self.assertEqual(self.service.recordings, {})
        self.successResultOf(self.service.drained())

    def test_begin(self) -> None:
        """
        Ports, directory, documents, manifest, marker and capture are there
        when it has begun.
        """
        given = document("1", "2")
        live = self.begin(given, given)
        recording = live.recording
        day = os.path.join("2026", "01", "05", recording.id)
        self.assertEqual(recording.directory, os.path.join(self.root, day))
        self.assertEqual(
            self.left(),
            [f"{day}/metadata-1.xml", f"{day}/metadata-2.xml", f"{day}/recording.json"],
        )
        self.assertEqual(self.markers(), [recording.id])
        self.assertEqual(len(self.capture.attached), 2)
        self.assertEqual([pair.host for pair in self.ports.taken], ["192.0.2.1"] * 2)
        manifest = self.manifest(live)
        self.assertEqual(manifest.keys(), KEYS)
        self.assertEqual((manifest["state"], manifest["callID"]), ("recording", "call-1"))
        self.assertEqual([each["name"] for each in manifest["participants"]], ["Ann", "Bob"])
        self.assertEqual(manifest["segments"][0]["files"], ["1-0.rtpdump", "1-1.rtpdump"])
        self.assertEqual(self.service.recordings, {recording.id: live})

    def test_noPorts(self) -> None:
        """
        With one port for two streams there is no recording.
        """
        self.ports.free, self.ports.failure = 1, NoFreePorts()
        self.failureResultOf(self.beginning(), NoFreePorts)
        self.ports.free += 999
        self.assertNothingLeft()

    def test_noSocket(self) -> None:
        """
        An address that cannot be bound is told as such.
        """
        self.ports.free, self.ports.failure = 1, OSError(99, "Cannot assign requested address")
        error = self.failureResultOf(self.beginning(), NoRoom).value
        self.assertIn("Cannot assign requested address", str(error))
        self.ports.free += 999
        self.assertNothingLeft()

    def test_noDirectory(self) -> None:
        """
        Where the directory cannot be made, the error names it.
        """
        with open(os.path.join(self.root, "2026"), "w"):
            pass
        error = self.failureResultOf(self.beginning(), NoRoom).value
        self.assertIn("Not a directory", str(error))
        self.assertIn(self.root, str(error))
        os.unlink(os.path.join(self.root, "2026"))
        self.assertNothingLeft()

    def test_noCapture(self) -> None:
        """
        A capture that has been stopped takes no stream.
        """
        self.capture.failure = CaptureStopped()
        self.failureResultOf(self.beginning(document("1", "2")), CaptureStopped)
        self.assertNothingLeft()

    def test_workersStopped(self) -> None:
        """
        Nor is there a recording once the node has stopped.
        """
        self.workers = HeldWorkers()
        self.restart()
        beginning = self.beginning()
        [(done, _)] = self.workers.waiting
        done.errback(WorkersStopped())
        self.failureResultOf(beginning, WorkersStopped)
        self.assertNothingLeft()

    def test_notReady(self) -> None:
        """
        Each reason for which no call can be taken is told.
        """
        self.assertEqual(self.service.notReady(), [])
        self.service.draining = True
        self.ports.free = 0
        self.service.minFree = 1 << 62
        draining, space, ports = self.service.notReady()
        self.assertIn("draining", draining)
        self.assertIn("octets are free in", space)
        self.assertIn("port", ports)

    def test_disk(self) -> None:
        """
        The free space is looked at again and again; a directory that is gone
        makes the node not ready, and ready again when it is back.
        """
        free = self.service.diskFree
        assert free is not None
        self.assertGreater(free, 0)
        os.rename(self.root, f"{self.root}.away")
        self.clock.advance(2)
        self.assertIsNone(self.service.diskFree)
        [reason] = self.service.notReady()
        self.assertIn("cannot be read", reason)
        os.rename(f"{self.root}.away", self.root)
        self.clock.advance(2)
        self.assertEqual(self.service.notReady(), [])


class FinishTests(ServiceTestCase):
    """
    A recording ends.
    """

    def test_complete(self) -> None:
        """
        It ends with its audio and without marker, ports or snapshot.
        """
        live = self.begin(document("1", "2"))
        self.successResultOf(Deferred.fromCoroutine(self.service.save(live, dialog())))
        self.assertEqual(self.successResultOf(self.store.list()), [live.recording.id])
        self.speak(live, 2.0)
        manifest = self.finish(live)
        self.assertEqual(manifest.keys(), KEYS)
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))
        self.assertEqual(manifest["endTime"], "2026-01-05T09:00:02.000000Z")
        self.assertAlmostEqual(manifest["duration"], 2.0, 2)
        self.assertEqual([each["packets"] for each in manifest["streams"]], [100, 100])
        self.assertEqual(audioOf(live.recording.directory).shape, (2, 16000))
        self.assertEqual((self.markers(), self.ports.taken), ([], []))
        self.assertEqual(self.service.recordings, {})
        self.assertEqual(self.successResultOf(self.store.list()), [])
        self.assertEqual(self.count('siprec_recordings_total{state="complete"}'), 1)
        self.assertEqual(self.count('siprec_renders_total{result="ok"}'), 1)

    def test_mediaCounts(self) -> None:
        """
        What was captured is counted while a recording runs and goes on to
        count when it is over.
        """
        one, two = self.begin(), self.begin()
        for number, stream in enumerate(self.capture.attached):
            stream.packets, stream.octets, stream.controlPackets = 10, 1000, number
        self.capture.attached[0].unwritten = self.capture.attached[1].kernelDrops = 2

        def counted() -> list[int]:
            return [self.service.media(each) for each in ("packets", "octets", "kernelDrops")]

        self.assertEqual(counted(), [44, 4000, 2])
        self.finish(one)
        self.assertEqual(counted(), [44, 4000, 2])
        self.capture.attached[0].packets += 1
        self.assertEqual(counted(), [45, 4000, 2])
        self.finish(two)
        self.assertEqual(counted(), [45, 4000, 2])

    def test_J7_nothingCame(self) -> None:
        """
        A call without a packet is a recording of length 0 that says so, not an
        error.
        """
        live = self.begin()
        manifest = self.finish(live, "cancelled")
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "cancelled"))
        self.assertEqual(manifest["duration"], 0.0)
        self.assertEqual([each["packets"] for each in manifest["streams"]], [0, 0])
        self.assertEqual(manifest["segments"][0]["files"], [])
        self.assertEqual(manifest["events"], [])
        self.assertEqual(audioOf(live.recording.directory).shape, (2, 0))

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

    def test_journalError(self) -> None:
        """
        A journal that cannot be written is an event on its own recording,
        which becomes incomplete; others are as they were.
        """
        one, two = self.begin(), self.begin()
        [_, stream] = one.taps.handles()
        error = OSError(28, "No space left on device", stream.path)
        self.service.journalFailed(stream, error)
        [event] = self.manifest(one)["events"]
        self.assertEqual((event["type"], event["file"]), ("journalError", "1-1.rtpdump"))
        self.assertIn("No space left on device", event["reason"])
        self.assertEqual(self.manifest(two)["events"], [])
        self.assertEqual(self.finish(one)["state"], "incomplete")
        self.assertEqual(self.finish(two)["state"], "complete")
        self.assertEqual(self.count("siprec_journal_errors_total"), 1)
        self.assertEqual(self.count('siprec_recordings_total{state="incomplete"}'), 1)
        self.assertEqual(self.markers(), [])

    def test_lateJournalError(self) -> None:
        """
        An error of a journal whose recording is over does no harm.
        """
        live = self.begin()
        [stream, _] = live.taps.handles()
        before = self.finish(live)
        self.service.journalFailed(stream, OSError("late"))
        self.assertEqual(self.manifest(live), before)

    def test_unwritten(self) -> None:
        """
        A packet that is in no journal makes it incomplete.
        """
        live = self.begin()
        self.speak(live)
        self.capture.attached[0].unwritten = 1
        manifest = self.finish(live)
        self.assertEqual(manifest["state"], "incomplete")
        self.assertEqual(manifest["streams"][0]["unwritten"], 1)
        self.assertIsNotNone(manifest["audio"])

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

    def test_diskFullMeanwhile(self) -> None:
        """
        While a call runs, a manifest that cannot be written costs a log entry;
        the next change writes it.
        """
        live = self.begin()
        os.symlink("/dev/full", f"{live.recording.directory}/recording.json.new")
        live.event("first")
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertEqual(self.manifest(live)["events"], [])
        live.event("second")
        self.assertEqual([e["type"] for e in self.manifest(live)["events"]], ["first", "second"])

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
