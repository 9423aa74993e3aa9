"""
Tests of L{siprec.session.pausing}.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from siprec.session.manifest import describe
from siprec.session.model import OperatorPause
from siprec.session.pausing import MOST_REASON, isReason, pause, resume, withTold
from siprec.testing.fakes import FakeCapturedStream
from tests.session.livecase import LiveTestCase
from tests.session.recordings import START, session


class PausingTests(LiveTestCase):
    """
    A recording of two streams.
    """

    def setUp(self) -> None:
        super().setUp()
        self.bind("1", "2")
        self.live.startCapture()

    def muted(self) -> list[bool]:
        """
        @return: of each stream that is captured.
        """
        handles = self.live.taps.handles()
        return [isinstance(each, FakeCapturedStream) and each.muted for each in handles]

    def kinds(self) -> list[str]:
        """
        @return: the types of the events.
        """
        return [each["type"] for each in self.live.recording.events]

    def test_pause(self) -> None:
        """
        All streams are muted, and it is told who did it, why and when.
        """
        self.now += 5
        self.successResultOf(pause(self.live, "192.0.2.7", "card"))
        self.assertEqual(self.muted(), [True, True])
        self.assertEqual(self.live.recording.pause, OperatorPause(START + 5, "192.0.2.7", "card"))
        [event] = self.live.recording.events
        self.assertEqual(
            event,
            {"time": START + 5, "type": "recordingPaused", "who": "192.0.2.7", "reason": "card"},
        )
        self.assertEqual(
            self.live.manifest()["paused"],
            {"since": "2026-01-05T09:00:05.000000Z", "who": "192.0.2.7", "reason": "card"},
        )

    def test_inEffect(self) -> None:
        """
        Nobody is told before it holds for all streams.
        """
        self.capture.muting = []
        done = pause(self.live, "x", None)
        first, second = self.capture.muting
        first.callback(None)
        self.assertNoResult(done)
        second.callback(None)
        self.successResultOf(done)

    def test_again(self) -> None:
        """
        Who asks again waits as the first one did, and changes nothing.
        """
        self.successResultOf(pause(self.live, "x", "one"))
        before = self.live.recording
        self.capture.muting = []
        done: Deferred[None] = pause(self.live, "y", "two")
        self.assertNoResult(done)
        self.assertIs(self.live.recording, before)

    def test_resume(self) -> None:
        """
        What comes is kept again; that is told, too, and once.
        """
        self.successResultOf(pause(self.live, "x", None))
        for _ in range(2):
            self.successResultOf(resume(self.live, "y", "done"))
        self.assertEqual((self.muted(), self.live.recording.pause), ([False, False], None))
        self.assertEqual(self.kinds(), ["recordingPaused", "recordingResumed"])
        event = self.live.recording.events[-1]
        self.assertEqual((event["who"], event["reason"]), ("y", "done"))
        self.assertIsNone(self.live.manifest()["paused"])

    def test_newStream(self) -> None:
        """
        A stream that is added meanwhile is muted from the beginning, and so is one that is
        received elsewhere.
        """
        self.successResultOf(pause(self.live, "x", None))
        self.bind("3")
        self.live.startCapture()
        self.assertEqual(self.muted(), [True, True, True])
        moved = Deferred.fromCoroutine(self.live.taps.replace(0, "192.0.2.1", 20000))
        self.assertTrue(self.successResultOf(moved))
        self.assertEqual(self.muted(), [True, True, True])

    def test_alive(self) -> None:
        """
        What is discarded is a sign of life, and nothing that was captured.
        """
        self.successResultOf(pause(self.live, "x", None))
        [first, _] = self.capture.attached
        first.lastArrival, first.discardedArrival = START, START + 9
        self.assertEqual(self.live.lastArrival(), START + 9)
        self.assertEqual(self.live.taps.counted(0)["lastPacket"], "2026-01-05T09:00:00.000000Z")

    def test_ended(self) -> None:
        """
        What has ended is not paused any more, but the events say that it was.
        """
        self.successResultOf(pause(self.live, "x", None))
        self.stop()
        self.assertIsNone(self.live.manifest()["paused"])
        self.assertEqual(self.kinds(), ["recordingPaused"])

    def test_reason(self) -> None:
        """
        A reason has up to 256 characters that can be printed.
        """
        for good in ("a", "card number", "\xe9t\xe9", "x" * MOST_REASON):
            self.assertTrue(isReason(good), good)
        for bad in ("", "x" * (MOST_REASON + 1), "two\nlines", "\x1b[2J", "\ud800"):
            self.assertFalse(isReason(bad), bad)


class ToldTests(LiveTestCase):
    """
    What a manifest tells that the store does not know.
    """

    def test_paused(self) -> None:
        """
        A pause that is only in the manifest holds.
        """
        self.bind("1")
        before = self.live.recording
        self.successResultOf(pause(self.live, "x", "card"))
        found = withTold(before, describe(self.live.recording)["events"])
        self.assertEqual(found, self.live.recording)

    def test_resumed(self) -> None:
        """
        So does the end of one, if it is the later of both.
        """
        self.successResultOf(pause(self.live, "x", None))
        paused = self.live.recording
        self.now += 1
        self.successResultOf(resume(self.live, "x", None))
        resumed = self.live.recording
        self.assertEqual(withTold(paused, describe(resumed)["events"]), resumed)
        # An older manifest than what the store has: nothing to learn.
        self.assertIs(withTold(resumed, describe(paused)["events"]), resumed)
        early = evolve(resumed, events=(resumed.events[1],))
        self.assertEqual(withTold(early, describe(paused)["events"]), resumed)

    def test_nothing(self) -> None:
        """
        Other events, and what is damaged, say nothing.
        """
        recording = session("/r")
        for event in (
            {"type": "bye", "time": "2026-01-05T09:00:00.000000Z"},
            {"type": "recordingPaused", "time": "noon"},
            {"type": "recordingPaused"},
            {"time": "x"},
        ):
            self.assertIs(withTold(recording, [event]), recording)
        damaged: Any = [7, None]
        self.assertIs(withTold(recording, damaged), recording)
