"""
Tests of L{siprec.session.silence}.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import capturedLogs

from siprec.session.model import StreamInfo
from siprec.session.pausing import pause, resume
from siprec.session.silence import Silence
from siprec.testing.fakes import FakeCapturedStream
from tests.session.livecase import LiveTestCase


class SilenceTests(LiveTestCase):
    """
    A recording of two streams; the limit is 30 seconds.
    """

    def setUp(self) -> None:
        super().setUp()
        self.bind("1", "2")
        self.live.startCapture()
        self.first, self.second = self.capture.attached
        self.held: set[int] = set()
        self.time = 0.0
        self.silence = Silence(self.live, 30.0)
        self.look()

    def look(self, seconds: float = 0.0, *heard: FakeCapturedStream) -> int:
        """
        @param seconds: since the last look.
        @param heard: on which something came meanwhile.
        @return: how many streams have become silent.
        """
        self.time += seconds
        for each in heard:
            each.packets += 1
        return self.silence.look(self.time, self.isHeld)

    def isHeld(self, stream: StreamInfo) -> bool:
        """
        @return: what the peer says of a stream.
        """
        return stream.index in self.held

    def told(self) -> list[tuple[str, Any]]:
        """
        @return: type and stream of each event.
        """
        events = self.live.recording.events
        return [
            (each["type"], each["stream"])
            for each in events
            if each["type"] in ("noMedia", "mediaAgain")
        ]

    def test_E14_noMedia(self) -> None:
        """
        A stream on which nothing comes is told of once; the one beside it is not.
        """
        self.assertEqual(self.look(29.9, self.second), 0)
        with capturedLogs() as logs:
            self.assertEqual(self.look(0.1), 1)
            self.assertEqual(self.look(29.0, self.second), 0)
        self.assertEqual(self.told(), [("noMedia", 0)])
        [event] = self.live.recording.events
        self.assertEqual(event["seconds"], 30.0)
        [logged] = logs
        self.assertEqual((logged["log_level"].name, logged["stream"]), ("warn", 0))
        self.assertEqual(self.silence.silent, 1)

    def test_E14_mediaAgain(self) -> None:
        """
        So is the moment at which something comes again; then it may become silent anew.
        """
        self.look(30, self.second)
        self.look(5, self.first, self.second)
        self.assertEqual(self.told(), [("noMedia", 0), ("mediaAgain", 0)])
        self.assertEqual(self.silence.silent, 0)
        self.look(29, self.second)
        self.assertEqual(self.look(1), 1)

    def test_held(self) -> None:
        """
        While a stream is held, inactive, given up or paused nothing is due, and the time
        begins anew afterwards.
        """
        self.held = {0}
        self.live.changeStream(1, direction="inactive")
        self.assertEqual(self.look(40), 0)
        self.held = set()
        self.assertEqual(self.look(29), 0)
        self.assertEqual(self.look(1), 1)
        self.look(1, self.first)
        self.successResultOf(pause(self.live, "x", None))
        self.assertEqual(self.look(40), 0)
        self.successResultOf(resume(self.live, "x", None))
        self.live.dropStream(0)
        self.assertEqual(self.look(40), 0)

    def test_control(self) -> None:
        """
        RTCP is enough: who is mute may send no RTP for long.
        """
        self.first.controlPackets = 5
        self.assertEqual(self.look(30, self.second), 0)
        self.assertEqual(self.look(30, self.second), 1)

    def test_added(self) -> None:
        """
        The time of a stream that is added begins when it is seen first, whether it is
        captured already or not.
        """
        self.look(20, self.first, self.second)
        self.bind("3")
        self.look(5)
        self.live.startCapture()
        self.assertEqual(self.look(24, self.first, self.second), 0)
        self.assertEqual(self.look(6, self.first, self.second), 1)
        self.assertEqual(self.told(), [("noMedia", 2)])

    def test_otherProcess(self) -> None:
        """
        What another process has told is not told again.
        """
        self.look(30, self.second)
        self.silence = Silence(self.live, 30.0)
        self.look()
        self.assertEqual(self.silence.silent, 1)
        self.assertEqual(self.look(40, self.second), 0)
        self.look(1, self.first)
        self.assertEqual(self.told(), [("noMedia", 0), ("mediaAgain", 0)])
        self.silence = Silence(self.live, 30.0)
        self.look()
        self.assertEqual(self.silence.silent, 0)

    def test_againMeanwhile(self) -> None:
        """
        If media came before this process looked for the first time, that is told.
        """
        self.look(30, self.second)
        self.silence = Silence(self.live, 30.0)
        self.first.packets = 7
        self.look()
        self.look(1)
        self.assertEqual(self.told(), [("noMedia", 0), ("mediaAgain", 0)])
