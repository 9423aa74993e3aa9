"""
Tests of L{siprec.session.resume}: where the media comes in, and calls that are over.
"""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred, succeed

from siprec.session.beginning import NoRoom
from siprec.session.manifest import Manifest
from siprec.session.resume import SAME_PLACE
from tests.session.recordings import NODE, START
from tests.session.test_resume import ResumeTestCase


class PlanTests(ResumeTestCase):
    """
    Where a recording that goes on gets its media.
    """

    def bound(self) -> list[tuple[str, int]]:
        """
        @return: addresses and ports that are in use.
        """
        return [(pair.host, pair.rtpPort) for pair in self.ports.taken]

    def test_samePlace(self) -> None:
        """
        A process that comes back is bound where it was, and has moved nothing.
        """
        self.assertTrue(SAME_PLACE.keeps("203.0.113.1"))
        live = self.resume()
        self.assertEqual(self.bound(), [("203.0.113.1", 10000), ("203.0.113.1", 10002)])
        self.assertEqual((live.moved, self.ports.claims), ({}, [(10000, False), (10002, False)]))

    def test_shared(self) -> None:
        """
        Ports that a process of this host shares are claimed as such.
        """
        self.resume(shared=True)
        self.assertEqual(self.ports.claims, [(10000, True), (10002, True)])

    def test_notHere(self) -> None:
        """
        An address that is not this host's is not even tried: ports of this node are
        advertised under its own, and bound where that says.
        """
        live = self.resume(keeps=lambda host: False, advertise="198.51.100.1", bind="192.0.2.1")
        self.assertEqual([host for host, _ in self.bound()], ["192.0.2.1"] * 2)
        self.assertEqual(self.ports.claims, [])
        hosts = [each.host for each in live.recording.streams]
        self.assertEqual(hosts, ["198.51.100.1"] * 2)
        self.assertEqual([each.host for each in live.moved.values()], ["203.0.113.1"] * 2)
        resumed = live.recording.events[-1]
        self.assertEqual((resumed["type"], resumed["moved"]), ("resumed", [0, 1]))

    def test_asked(self) -> None:
        """
        That is asked of the address of each stream.
        """
        asked: list[str] = []
        self.resume(keeps=lambda host: not asked.append(host))  # type: ignore[func-returns-value]
        self.assertEqual(asked, ["203.0.113.1"] * 2)


class EndTests(ResumeTestCase):
    """
    The call is over; what there is of it is brought up to date and finished.
    """

    def test_finishedBefore(self) -> None:
        """
        Where the process died when all was done but the removal of its record and its
        marker, that is done, whoever wants to know is told, and nothing else changes.
        """
        told: list[str] = []

        def finished(directory: str, manifest: Manifest) -> Deferred[None]:
            told.append(manifest["state"])
            return succeed(None)

        first = self.end()
        self.assertIn(first["state"], ("complete", "incomplete"))
        directory = self.snapshot.recording.directory
        with open(f"{directory}/recording.json", "rb") as file:
            before = file.read()
        self.successResultOf(self.store.save(self.snapshot.key, self.snapshot))
        self.running.add(self.snapshot.recording.id, directory)
        self.service.onFinished = finished
        rendered = len(self.renderer.directories)
        ending = Deferred.fromCoroutine(self.service.end(self.snapshot, 7, "nodeDied"))
        self.successResultOf(ending)
        with open(f"{directory}/recording.json", "rb") as file:
            self.assertEqual(file.read(), before)
        self.assertEqual(told, [first["state"]])
        self.assertEqual(len(self.renderer.directories), rendered)
        self.assertEqual((self.markers(), self.service.ending), ([], set()))
        self.assertEqual(self.successResultOf(self.store.list()), [])

    def end(self, reason: str = "nodeDied") -> Manifest:
        """
        Die, and finish what is left.
        """
        self.die()
        ending = Deferred.fromCoroutine(self.service.end(self.snapshot, 7, reason))
        self.clock.pump([0.1] * 5)
        self.successResultOf(ending)
        return self.manifest(self.live)

    def test_cutOff(self) -> None:
        """
        A call that was cut off ends with its last packet: there is no new segment, and
        nothing is bound or captured.
        """
        manifest = self.end()
        self.assertEqual((manifest["state"], manifest["endReason"]), ("incomplete", "nodeDied"))
        self.assertEqual(manifest["endTime"], "2026-01-05T09:00:01.980000Z")
        [segment] = manifest["segments"]
        self.assertEqual(segment["node"], NODE)
        self.assertEqual(segment["files"], ["1-0.rtpdump", "1-1.rtpdump"])
        self.assertEqual((self.ports.claims, self.capture.attached), ([], []))
        self.assertEqual((self.markers(), self.service.recordings), ([], {}))

    def test_bye(self) -> None:
        """
        One that the peer had ended keeps the time and the reason of that.
        """
        self.change(state="finishing", endTime=START + 1.5, endReason="bye")
        manifest = self.end()
        self.assertEqual(manifest["endReason"], "bye")
        self.assertEqual(manifest["endTime"], "2026-01-05T09:00:01.500000Z")

    def test_documents(self) -> None:
        """
        Metadata that came after the last save is taken in.
        """
        self.change(metadata=())
        manifest = self.end()
        self.assertEqual([each["file"] for each in manifest["metadata"]], ["metadata-1.xml"])

    def test_nothingCame(self) -> None:
        """
        Without any packet it ends when its segment began.
        """
        os.unlink(self.path("1-0.rtpdump"))
        os.unlink(self.path("1-1.rtpdump"))
        manifest = self.end()
        self.assertEqual(manifest["endTime"], manifest["startTime"])

    def test_noRoom(self) -> None:
        """
        If its files cannot be had, it stays marked as unfinished.
        """
        with open(os.path.join(self.root, "file"), "w"):
            pass
        self.change(directory=os.path.join(self.root, "file", "x"))
        self.die()
        ending = Deferred.fromCoroutine(self.service.end(self.snapshot, 7, "nodeDied"))
        self.failureResultOf(ending, NoRoom)
        self.assertEqual(self.markers(), [self.live.recording.id])
        self.assertEqual(self.service.recordings, {})
