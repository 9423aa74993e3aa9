"""
Tests of L{siprec.session.making}: recordings of a node that has much to do.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred

from siprec.session.interfaces import Silence
from siprec.session.live import LiveRecording, StreamRequest
from siprec.session.postponed import Postponed
from siprec.session.recordings import Recordings
from tests.session.livecase import document
from tests.session.recordings import PCMU, HeldWorkers, dialog
from tests.session.servicecase import ServiceTestCase

_NOTHING: dict[str, Any] = {
    "duration": 0.0,
    "streams": [],
    "gaps": [],
    "events": [],
    "audio": {"file": "audio.wav", "sha256": "0" * 64},
}


class _Socket:
    """
    A socket that nobody reads.
    """

    def __init__(self, holds: bool) -> None:
        self._holds = holds

    def recv(self, size: int, flags: int) -> bytes:
        """
        Look what is there.
        """
        if not self._holds:
            raise BlockingIOError
        return b"x"


class BusyTests(ServiceTestCase):
    """
    More works wait than there usually are.
    """

    def setUp(self) -> None:
        self.messages = 0
        super().setUp()
        self.renderer.ofNothing = Silence(_NOTHING, {"audio.wav": b"RIFF"})
        for _ in range(20):
            self.postponed.turn()

    def makeService(self) -> Recordings:
        """
        @return: a service that postpones.
        """
        service = super().makeService()
        self.postponed = Postponed(self.clock, lambda: self.messages)
        object.__setattr__(service.equipment, "postponed", self.postponed)
        return service

    def hold(self, something: bool) -> None:
        """
        Say whether anything has come at the sockets.
        """
        for pair in self.ports.taken:
            pair.rtp, pair.rtcp = _Socket(False), _Socket(something)

    def ended(self, live: LiveRecording) -> Deferred[None]:
        """
        End the call.
        """
        return self.service.finish(live, "bye")

    def turns(self) -> None:
        """
        Let there be time for all that waits.
        """
        self.clock.pump([0.01] * 100)

    def test_later(self) -> None:
        """
        The call can be answered before its directory is made; that has what came meanwhile.
        """
        live = self.begin(document("1", "2"))
        self.assertEqual((self.left(), self.markers(), self.capture.attached), ([], [], []))
        self.assertEqual(len(self.ports.taken), 2)
        self.assertIn(live.recording.id, self.service.recordings)
        live.receive(document("1", "2"))
        live.event("something")
        self.turns()
        names = [os.path.basename(each) for each in self.left()]
        self.assertEqual(names, ["metadata-1.xml", "metadata-2.xml", "recording.json"])
        self.assertEqual(self.markers(), [live.recording.id])
        self.assertEqual(len(self.capture.attached), 2)
        manifest = self.manifest(live)
        self.assertEqual([each["type"] for each in manifest["events"]], ["something"])
        self.assertEqual(manifest["segments"][0]["files"], ["1-0.rtpdump", "1-1.rtpdump"])

    def test_whileMade(self) -> None:
        """
        Nor is anything lost that comes while the directory is being made.
        """
        live = self.begin()
        before = live.recording
        live.receive(document("1", "2"))
        live.making.wanted = False
        self.successResultOf(Deferred.fromCoroutine(self.service._resources()._make(live)))
        self.assertIsNot(live.recording, before)
        self.turns()
        self.assertEqual(len(self.manifest(live)["metadata"]), 1)

    def test_afterwards(self) -> None:
        """
        What comes between the write and its end is written then.
        """
        live = self.begin()
        live.making.wanted = False
        held = HeldWorkers()
        object.__setattr__(self.service.equipment, "workers", held)
        making = Deferred.fromCoroutine(self.service._resources()._make(live))
        live.receive(document("1", "2"))
        while held.work():
            pass
        self.successResultOf(making)
        [record] = self.manifest(live)["metadata"]
        self.assertTrue(os.path.exists(f"{live.recording.directory}/{record['file']}"))
        self.turns()

    def test_inTime(self) -> None:
        """
        While peers go on speaking it is made all the same, within half a second; the sockets
        hold what comes for longer than that.
        """
        live = self.begin()
        for _ in range(60):
            self.messages += 1
            self.clock.advance(0.01)
        self.assertEqual(self.markers(), [live.recording.id])
        self.assertEqual(len(self.capture.attached), 2)
        self.turns()

    def test_newStream(self) -> None:
        """
        A stream that is new by then is captured with the others, and each journal has one
        name.
        """
        live = self.begin()
        live.bindStream(StreamRequest(2, "3", (PCMU,)))
        live.startCapture()
        self.assertEqual(self.capture.attached, [])
        self.turns()
        self.assertEqual(len(self.capture.attached), 3)
        files = self.manifest(live)["segments"][0]["files"]
        self.assertEqual(files, ["1-0.rtpdump", "1-1.rtpdump", "1-2.rtpdump"])

    def test_endedSilent(self) -> None:
        """
        If the call has ended by then and nothing had come, its ports are free at once, and
        the rest is done when there is time.
        """
        live = self.begin(document("1", "2"))
        self.hold(False)
        done = self.ended(live)
        self.assertEqual(self.ports.taken, [])
        end = live.recording.endTime
        for _ in range(100):
            self.messages += 1
            self.clock.advance(0.01)
        self.assertEqual(self.left(), [])
        self.turns()
        self.successResultOf(done)
        manifest = self.manifest(live)
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))
        self.assertEqual(live.recording.endTime, end)
        self.assertEqual([each["packets"] for each in manifest["streams"]], [0, 0])
        self.assertTrue(os.path.exists(f"{live.recording.directory}/metadata-1.xml"))
        self.assertEqual((self.capture.attached, self.capture.detached), ([], []))
        self.assertEqual(self.markers(), [])

    def test_endedHeard(self) -> None:
        """
        If something had come, it is captured then.
        """
        live = self.begin()
        self.hold(True)
        done = self.ended(live)
        self.assertEqual(len(self.ports.taken), 2)
        self.turns()
        self.successResultOf(done)
        self.assertEqual(len(self.capture.detached), 2)
        self.assertEqual(self.ports.taken, [])

    def test_letGo(self) -> None:
        """
        What another node has by then is not made here.
        """
        live = self.begin()
        self.service.letGo(live)
        self.turns()
        self.assertEqual((self.left(), self.markers(), self.ports.taken), ([], [], []))
        self.assertEqual(self.capture.attached, [])
        self.successResultOf(self.service.drained())

    def test_cannot(self) -> None:
        """
        If the directory cannot be made, who has the call is told, and nothing is left of the
        recording once it has ended.
        """
        with open(os.path.join(self.root, "2026"), "w"):
            pass
        live = self.begin()
        self.successResultOf(Deferred.fromCoroutine(self.service.save(live, dialog())))
        ended: list[Deferred[None]] = []
        live.making.onFailed = lambda: ended.append(self.ended(live))
        self.turns()
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.successResultOf(ended[0])
        self.assertEqual((self.ports.taken, self.markers()), ([], []))
        self.assertEqual(self.service.recordings, {})
        self.assertEqual(self.successResultOf(self.store.list()), [])

    def test_finishing(self) -> None:
        """
        Of a call that was heard the capture ends in time; the rest waits.
        """
        live = self.begin()
        self.turns()
        self.speak(live)
        for _ in range(20):
            self.postponed.turn()
        done = self.ended(live)
        self.assertEqual(self.ports.taken, [])
        self.assertEqual(self.manifest(live)["state"], "recording")
        self.turns()
        self.successResultOf(done)
        self.assertEqual(self.manifest(live)["state"], "complete")

    def test_tooMuch(self) -> None:
        """
        When too much waits no call can be taken.
        """
        self.postponed.limit = 20
        self.assertIn("20 works wait, the limit", self.service.notReady())
        self.turns()
        self.assertNotIn("20 works wait, the limit", self.service.notReady())
