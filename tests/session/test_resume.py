"""
Tests of L{siprec.session.resume}.
"""

from __future__ import annotations

import os
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from siprec.media.capture import CaptureStopped
from siprec.media.ports import NoFreePorts
from siprec.session.live import LiveRecording, StreamRequest
from siprec.session.model import CallSnapshot, OperatorPause
from siprec.session.pausing import pause, resume
from siprec.session.recordings import NoRoom
from siprec.session.resume import MediaPlan, Resumption
from siprec.testing.fakes import FakeCapture, FakePortPool
from tests.render.journals import talk, writeJournal
from tests.session.livecase import document
from tests.session.recordings import NODE, PCMU, START, dialog
from tests.session.servicecase import ServiceTestCase

UCID = "00FA08001900014B3F"


class ResumeTestCase(ServiceTestCase):
    """
    A recording of two streams whose process dies two seconds after it began.
    """

    def setUp(self) -> None:
        super().setUp()
        self.live = self.begin(document("1", "2"))
        self.speak(self.live, 2.0)
        self.snapshot = CallSnapshot(self.live.recording, dialog(), START)
        self.directory = self.live.recording.directory

    def die(self) -> None:
        """
        Nothing of the process is left but its files.
        """
        self.ports, self.capture = FakePortPool(), FakeCapture()
        self.restart()
        self.clock.advance(3.0)

    def resuming(self, **options: Any) -> Deferred[LiveRecording]:
        """
        @return: fires when the recording goes on.
        """
        return Deferred.fromCoroutine(self.service.resume(self.snapshot, 7, MediaPlan(**options)))

    def resume(self, **options: Any) -> LiveRecording:
        """
        Die, and go on.
        """
        self.die()
        return self.successResultOf(self.resuming(**options))

    def change(self, **changes: Any) -> None:
        """
        Have something else in the store.
        """
        recording = evolve(self.snapshot.recording, **changes)
        self.snapshot = evolve(self.snapshot, recording=recording)

    def path(self, name: str) -> str:
        """
        @return: of a file of the recording.
        """
        return os.path.join(self.directory, name)


class SegmentTests(ResumeTestCase):
    """
    The new segment, and the end of the old one.
    """

    def test_segments(self) -> None:
        """
        The old segment ends with its last packet; the new one has the epoch,
        the node and the time, and journals of its own.
        """
        live = self.resume()
        self.assertEqual(self.service.recordings, {live.recording.id: live})
        first, second = live.recording.segments
        self.assertEqual(first.files, ("1-0.rtpdump", "1-1.rtpdump"))
        assert first.end is not None
        self.assertAlmostEqual(first.end, START + 1.98, 2)
        self.assertEqual((second.node, second.epoch, second.start), (NODE, 7, START + 5.0))
        self.assertEqual((second.end, second.files), (None, ("2-0.rtpdump", "2-1.rtpdump")))
        attached = [os.path.relpath(each.path, self.directory) for each in self.capture.attached]
        self.assertEqual(attached, ["2-0.rtpdump", "2-1.rtpdump"])
        self.assertEqual(len(self.manifest(live)["segments"]), 2)
        self.assertEqual(self.markers(), [live.recording.id])

    def test_bound(self) -> None:
        """
        Its ports are bound first of all; the rest waits for as long as it is told to.
        """
        self.die()
        may: Deferred[None] = Deferred()
        resuming = self.resuming(bound=lambda: may)
        self.assertEqual((len(self.ports.taken), self.capture.attached), (2, []))
        self.assertNoResult(resuming)
        may.callback(None)
        live = self.successResultOf(resuming)
        self.assertEqual((len(self.ports.taken), len(live.taps.handles())), (2, 2))

    def test_finished(self) -> None:
        """
        At the end there is one recording, with the audio of both segments and
        a gap that says why.
        """
        live = self.resume()
        for stream in live.taps.handles():
            packets = [
                evolve(
                    each,
                    arrival=each.arrival + 5.0,
                    sequence=each.sequence + 250,
                    timestamp=each.timestamp + 40000,
                )
                for each in talk(50)
            ]
            writeJournal(stream.path, packets)
            self.capture.attached[live.taps.handles().index(stream)].firstArrival = START + 5
        self.clock.advance(1.0)
        manifest = self.finish(live)
        self.assertEqual(manifest["state"], "complete")
        self.assertEqual([each["packets"] for each in manifest["streams"]], [150, 150])
        self.assertEqual([each["lost"] for each in manifest["streams"]], [150, 150])
        self.assertEqual({each["cause"] for each in manifest["gaps"]}, {"nodeChange"})
        self.assertEqual(len(manifest["gaps"]), 2)
        self.assertEqual([len(each["files"]) for each in manifest["segments"]], [2, 2])

    def test_nothingCame(self) -> None:
        """
        A segment without a packet ends where it began.
        """
        for name in ("1-0.rtpdump", "1-1.rtpdump"):
            os.unlink(self.path(name))
        first, _ = self.resume().recording.segments
        self.assertEqual((first.end, first.files), (START, ()))

    def test_ended(self) -> None:
        """
        A segment that had its end keeps it.
        """
        [segment] = self.snapshot.recording.segments
        self.change(segments=(evolve(segment, end=START + 1),))
        self.assertEqual(self.resume().recording.segments[0].end, START + 1)

    def test_unlisted(self) -> None:
        """
        Journals that the snapshot does not know are added, and so are streams
        and segments that only they tell of; numbers are never used twice.
        """
        writeJournal(self.path("1-2.rtpdump"), talk(10))
        writeJournal(self.path("2-0.rtpdump"), talk(10))
        live = self.resume()
        first, second, third = live.recording.segments
        self.assertEqual(first.files, ("1-0.rtpdump", "1-1.rtpdump", "1-2.rtpdump"))
        self.assertEqual(second.files, ("2-0.rtpdump",))
        self.assertEqual(third.files, ("3-0.rtpdump", "3-1.rtpdump"))
        self.assertTrue(first.end and second.end and first.end <= second.end)
        self.assertFalse(live.recording.streams[2].active)
        self.assertEqual(live.bindStream(StreamRequest(2, "3", (PCMU,))).index, 3)

    def test_paused(self) -> None:
        """
        What an operator had paused is paused in the new process from the first packet on.
        """
        self.change(pause=OperatorPause(START + 1, "x"))
        live = self.resume()
        self.assertEqual([each.muted for each in self.capture.attached], [True, True])
        self.successResultOf(resume(live, "y", None))
        self.assertEqual([each.muted for each in self.capture.attached], [False, False])

    def test_pausedOnDisk(self) -> None:
        """
        So it is where only the manifest says so, as the store was away.
        """
        self.successResultOf(pause(self.live, "x", "card"))
        live = self.resume()
        self.assertEqual([each.muted for each in self.capture.attached], [True, True])
        self.assertEqual(live.recording.pause, self.live.recording.pause)

    def test_resumedOnDisk(self) -> None:
        """
        And the other way round.
        """
        self.successResultOf(pause(self.live, "x", "card"))
        self.snapshot = CallSnapshot(self.live.recording, dialog(), START)
        self.clock.advance(0.5)
        self.successResultOf(resume(self.live, "x", None))
        live = self.resume()
        self.assertEqual([each.muted for each in self.capture.attached], [False, False])
        self.assertIsNone(live.recording.pause)

    def test_otherRoot(self) -> None:
        """
        Where the recordings are mounted elsewhere, the same directory is found
        below that.
        """
        self.change(directory=f"/elsewhere{self.directory[len(self.root) :]}")
        live = self.resume()
        self.assertEqual(live.recording.directory, self.directory)
        self.assertEqual(len(live.recording.segments[0].files), 2)


class PortTests(ResumeTestCase):
    """
    The ports of the call.
    """

    def _taken(self) -> list[tuple[str, int]]:
        return [(pair.host, pair.rtpPort) for pair in self.ports.taken]

    def test_same(self) -> None:
        """
        The same ports are bound, at the stream's own address.
        """
        live = self.resume()
        self.assertEqual(self._taken(), [("203.0.113.1", 10000), ("203.0.113.1", 10002)])
        self.assertEqual(list(live.moved), [])
        event = live.recording.events[-1]
        self.assertEqual((event["type"], event["node"], event["moved"]), ("resumed", NODE, []))

    def test_bind(self) -> None:
        """
        Or at the address that is to be bound.
        """
        self.resume(bind="192.0.2.1")
        self.assertEqual([host for host, _ in self._taken()], ["192.0.2.1"] * 2)

    def test_shared(self) -> None:
        """
        Ports that the other process of this host still has are claimed as such.
        """
        self.die()
        around = self.service._resources()
        resumption = Resumption(around, self.snapshot, 7, MediaPlan(shared=True))
        self.successResultOf(Deferred.fromCoroutine(resumption.run()))
        self.assertEqual(self.ports.claims, [(10000, True), (10002, True)])

    def test_moved(self) -> None:
        """
        A port that is another's is replaced, never by the port of a further
        stream; it is said which one it was.
        """
        self.die()
        self.ports.claim("203.0.113.1", 10000)
        live = self.successResultOf(self.resuming())
        self.assertEqual([each.port for each in live.recording.streams], [10004, 10002])
        self.assertEqual(list(live.moved), [0])
        self.assertEqual(live.recording.events[-1]["moved"], [0])

    def test_elsewhere(self) -> None:
        """
        Moved media is told at the address of this node.
        """
        self.die()
        self.ports.claim("192.0.2.2", 10000)
        live = self.successResultOf(self.resuming(bind="192.0.2.2", advertise="203.0.113.2"))
        hosts = [each.host for each in live.recording.streams]
        self.assertEqual(hosts, ["203.0.113.2", "203.0.113.1"])

    def test_givenUp(self) -> None:
        """
        A stream whose line was given up needs no port.
        """
        one, two = self.snapshot.recording.streams
        self.change(streams=(evolve(one, active=False), two))
        self.resume()
        self.assertEqual([port for _, port in self._taken()], [10002])


class KnownTests(ResumeTestCase):
    """
    What was known of the call.
    """

    def test_metadata(self) -> None:
        """
        The state goes on: people, sessions, and the numbers of documents.
        """
        before = self.snapshot.recording
        live = self.resume()
        now = live.recording
        self.assertEqual(
            (now.participants, now.sessions, now.streams, now.vendor),
            (before.participants, before.sessions, before.streams, before.vendor),
        )
        record = live.receive(document("1", "2", names=("Ann", "Carol")))
        self.assertEqual(record.file, "metadata-2.xml")
        self.assertIn("Carol", [each.name for each in live.recording.participants])
        self.assertEqual(sum("metadata-" in name for name in self.left()), 2)

    def test_unknownDocument(self) -> None:
        """
        A document that was written but not saved is taken in, under the name
        that it has.
        """
        body = document("1", "2", names=("Ann", "Carol")).body
        with open(self.path("metadata-2.xml"), "wb") as file:
            file.write(body)
        live = self.resume()
        self.assertEqual(live.recording.metadata[-1].file, "metadata-2.xml")
        self.assertIn("Carol", [each.name for each in live.recording.participants])
        with open(self.path("metadata-2.xml"), "rb") as file:
            self.assertEqual(file.read(), body)

    def test_vendor(self) -> None:
        """
        Vendors' fields of before stay, whether they came in headers or in
        documents.
        """
        sip = {"headers": {"User-Agent": ["Oracle ESD/9"], "X-Thing": ["1", "2"]}}
        self.change(vendor={"ucid": [UCID], "type": "oracle", "ext_x": "y"}, sip=sip)
        live = self.resume()
        vendor = live.recording.vendor
        self.assertEqual((vendor["ucid"], vendor["ext_x"]), ([UCID], "y"))
        self.assertEqual((vendor["type"], vendor["sip_x_thing"]), ("oracle", ["1", "2"]))

    def test_stateLost(self) -> None:
        """
        A state that cannot be read costs neither the call nor what it had
        been used for.
        """
        self.change(metadataState={"schema": 99})
        os.unlink(self.path("metadata-1.xml"))
        people = self.snapshot.recording.participants
        live = self.resume()
        self.assertEqual(live.recording.participants, people)
        self.assertEqual(live.recording.sessions, self.snapshot.recording.sessions)
        kinds = [each["type"] for each in live.recording.events]
        self.assertEqual(kinds, ["metadataLost", "metadataStateLost", "resumed"])
        self.assertEqual(live.lacks, "state")

    def test_stateReplayed(self) -> None:
        """
        Where the documents are at hand the state is made of them again.
        """
        self.change(metadataState={"schema": 99})
        live = self.resume()
        self.assertTrue(live.state.based)
        kinds = [each["type"] for each in live.recording.events]
        self.assertEqual((kinds, live.lacks), (["resumed"], ""))


class FailureTests(ResumeTestCase):
    """
    What cannot go on leaves nothing half open, and its files as they are.
    """

    def setUp(self) -> None:
        super().setUp()
        self.die()

    def assertNothingOpen(self) -> None:
        """
        No port, no capture, no recording; files and marker are there.
        """
        self.assertEqual((self.ports.taken, self.capture.attached), ([], []))
        self.assertEqual(self.service.recordings, {})
        self.assertEqual(self.markers(), [self.snapshot.key])
        self.assertTrue(os.path.exists(self.path("1-0.rtpdump")))
        self.successResultOf(self.service.drained())

    def test_noPorts(self) -> None:
        """
        With one port for two streams.
        """
        self.ports.free, self.ports.failure = 1, NoFreePorts()
        self.failureResultOf(self.resuming(), NoFreePorts)
        self.assertNothingOpen()

    def test_noAddress(self) -> None:
        """
        Where no port can be bound at all.
        """
        self.ports.free, self.ports.failure = 1, OSError(99, "Cannot assign requested address")
        error = self.failureResultOf(self.resuming(), NoRoom).value
        self.assertIn("Cannot assign requested address", str(error))
        self.assertNothingOpen()

    def test_noDirectory(self) -> None:
        """
        Where the directory cannot be made, the error names it.
        """
        day = os.path.dirname(self.directory)
        os.rename(day, f"{day}.away")
        with open(day, "w"):
            pass
        error = self.failureResultOf(self.resuming(), NoRoom).value
        self.assertIn(self.directory, str(error))
        os.unlink(day)
        os.rename(f"{day}.away", day)
        self.assertNothingOpen()

    def test_noCapture(self) -> None:
        """
        A capture that has been stopped.
        """
        self.capture.failure = CaptureStopped()
        self.failureResultOf(self.resuming(), CaptureStopped)
        self.assertNothingOpen()
