"""
Tests of L{siprec.session.recordings}.
"""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred

from tests.render.journals import audioOf
from tests.session.livecase import document
from tests.session.recordings import dialog
from tests.session.servicecase import ServiceTestCase
from tests.session.test_manifest import KEYS


class ReadyTests(ServiceTestCase):
    """
    Whether a recording can begin.
    """

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
        free = self.service.disk.free
        assert free is not None
        self.assertGreater(free, 0)
        os.rename(self.root, f"{self.root}.away")
        self.clock.advance(2)
        self.assertIsNone(self.service.disk.free)
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
