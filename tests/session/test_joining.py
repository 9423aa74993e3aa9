"""
Tests of L{siprec.session.joining}.
"""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from siprec.session.joining import reopened
from siprec.session.live import LiveRecording, StreamRequest
from siprec.session.model import CallSnapshot
from tests.session.livecase import document
from tests.session.recordings import PCMU, START, dialog, session
from tests.session.test_resume import ResumeTestCase


class ReopenedTests(SynchronousTestCase):
    """
    A recording whose dialog was lost.
    """

    def test_reopened(self) -> None:
        """
        It is one that runs; nothing else of it changes.
        """
        recording = session("/r", state="recording")
        lost = evolve(recording, state="finishing", endTime=START + 9, endReason="timeout")
        snapshot = CallSnapshot(lost, dialog(), START)
        self.assertEqual(reopened(snapshot), evolve(snapshot, recording=recording))


class JoiningTests(ResumeTestCase):
    """
    A recording of two streams goes on in another dialog.
    """

    def join(self, *labels: str) -> LiveRecording:
        """
        @return: the recording, with a stream of each label.
        """
        self.die()
        joining = self.service.join(
            self.snapshot,
            2,
            "call-2",
            [("X-Other", "2")],
            [StreamRequest(index, label, (PCMU,)) for index, label in enumerate(labels)],
            [document(*labels, names=tuple(f"P{each}" for each in labels))],
            "203.0.113.1",
            "192.0.2.1",
        )
        live = self.successResultOf(Deferred.fromCoroutine(joining))
        self.addCleanup(self.finish, live)
        return live

    def test_sameLabels(self) -> None:
        """
        Streams of the same labels go on in their channels, whatever their order.
        """
        streams = self.join("2", "1").recording.streams
        found = [(each.label, each.mediaIndex, each.active) for each in streams]
        self.assertEqual(found, [("1", 1, True), ("2", 0, True)])

    def test_otherLabel(self) -> None:
        """
        One of another label gets a channel of its own; what is not offered any
        more has ended.
        """
        streams = self.join("1", "3").recording.streams
        found = [(each.label, each.active) for each in streams]
        self.assertEqual(found, [("1", True), ("2", False), ("3", True)])

    def test_said(self) -> None:
        """
        There is a new segment, the document is taken in, and the event names
        the dialog.
        """
        live = self.join("1", "2")
        self.assertEqual([each.epoch for each in live.recording.segments][-1], 2)
        self.assertEqual(len(live.recording.metadata), 2)
        event = live.recording.events[-1]
        self.assertEqual((event["type"], event["callID"]), ("stitched", "call-2"))
        self.assertEqual(live.headers, [("X-Other", "2")])
