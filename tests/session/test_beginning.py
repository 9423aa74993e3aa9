"""
Tests of L{siprec.session.beginning}.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from siprec.media.capture import CaptureStopped
from siprec.media.ports import NoFreePorts
from siprec.session.beginning import NoRoom, directoryOf
from siprec.session.workers import WorkersStopped
from tests.session.livecase import document
from tests.session.recordings import START, HeldWorkers
from tests.session.servicecase import ServiceTestCase
from tests.session.test_manifest import KEYS


class DirectoryTests(SynchronousTestCase):
    """
    Where a recording lies.
    """

    def test_day(self) -> None:
        """
        Below the UTC date of its start, up to the last moment of it.
        """
        self.assertEqual(directoryOf("/r", "x", START), "/r/2026/01/05/x")
        self.assertEqual(directoryOf("/r", "x", START + 15 * 3600 - 0.001), "/r/2026/01/05/x")
        self.assertEqual(directoryOf("/r", "x", START + 15 * 3600), "/r/2026/01/06/x")


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
