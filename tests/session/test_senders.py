"""
Tests of L{siprec.session.senders}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from siprec.ids import NodeID, RecordingID
from siprec.session.live import LiveRecording
from siprec.session.model import RecordingSession, Segment
from siprec.session.senders import Senders
from siprec.session.taps import Taps
from siprec.testing.fakes import FakeCapture, FakeCapturedStream, FakePortPool
from tests.session.recordings import START

_HOST = "198.51.100.9"


class SendersTests(SynchronousTestCase):
    """
    L{Senders}, with two recordings of a stream each.
    """

    def setUp(self) -> None:
        self.clock, self.ports = Clock(), FakePortPool()
        self.recordings = {RecordingID(each): self.live(each) for each in ("one", "two")}
        self.senders = Senders(self.recordings, self.clock.seconds)

    def live(self, name: str) -> LiveRecording:
        """
        @return: a recording with one stream that is captured.
        """
        taps = Taps(self.ports, FakeCapture())
        taps.allocate(0, "192.0.2.1")
        taps.attach(0, f"/r/{name}/1-0.rtpdump")
        recording = RecordingSession(
            id=RecordingID(name),
            callID=name,
            startTime=START,
            directory=f"/r/{name}",
            segments=(Segment(NodeID("n1"), 1, START),),
        )
        return LiveRecording(recording, NodeID("n1"), "192.0.2.1", "192.0.2.1", taps, lambda: START)

    def tell(self, kind: str, name: str = "two") -> list[dict[str, Any]]:
        """
        @return: what the log says then.
        """
        [stream] = self.recordings[RecordingID(name)].taps.handles()
        with capturedLogs() as logs:
            self.senders.tell(stream, kind, _HOST)
        return [dict(each) for each in logs]

    def events(self, name: str) -> list[tuple[Any, ...]]:
        """
        @return: those of a recording.
        """
        found = self.recordings[RecordingID(name)].recording.events
        return [(each["type"], each["stream"], each["address"]) for each in found]

    def test_E11_told(self) -> None:
        """
        The recording to which the stream belongs tells of strangers and of its sender; the
        log warns of the former.
        """
        [warning] = self.tell("stranger")
        self.clock.advance(1)
        [line] = self.tell("latched")
        self.assertEqual(
            self.events("two"), [("mediaStranger", 0, _HOST), ("mediaLatched", 0, _HOST)]
        )
        self.assertEqual(self.events("one"), [])
        self.assertEqual((warning["log_level"], warning["host"]), (LogLevel.warn, _HOST))
        self.assertEqual((line["log_level"], line["recording"]), (LogLevel.info, "two"))

    def test_E11_logged(self) -> None:
        """
        There is one line a second, which says how many there would have been besides.
        """
        self.assertEqual([len(self.tell("stranger")) for _ in range(5)], [1, 0, 0, 0, 0])
        self.clock.advance(1)
        [line] = self.tell("stranger")
        self.assertEqual(line["untold"], 4)
        self.clock.advance(1)
        self.assertEqual(self.tell("stranger")[0]["untold"], 0)
        self.assertEqual(len(self.events("two")), 7)

    def test_E11_over(self) -> None:
        """
        Nobody is told of a stream whose recording is over.
        """
        stream = FakeCapturedStream("/r/x", self.ports.allocate("192.0.2.1"))
        with capturedLogs() as logs:
            self.senders.tell(stream, "stranger", _HOST)
        self.assertEqual(len(logs), 0)
