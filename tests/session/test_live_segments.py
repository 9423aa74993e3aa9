"""
Tests of L{siprec.session.live}: segments that other nodes close.
"""

from __future__ import annotations

from attrs import evolve

from siprec.session.manifest import readManifest
from siprec.session.model import RecordingSession, Segment
from tests.session.livecase import LiveTestCase
from tests.session.recordings import OTHER, START


class SegmentEndedTests(LiveTestCase):
    """
    A recording that came from another node.
    """

    def setUp(self) -> None:
        super().setUp()
        self.live.recording = self.withSegments(
            Segment(OTHER, 1, START - 9), *self.live.recording.segments
        )

    def withSegments(self, *segments: Segment) -> RecordingSession:
        """
        @return: the recording with these.
        """
        return evolve(self.live.recording, segments=segments)

    def test_ended(self) -> None:
        """
        The end and the journals of the other's segment are noted, and written.
        """
        self.withFiles()
        self.live.segmentEnded(1, START - 1, ("1-0.rtpdump",))
        first, last = self.live.manifest()["segments"]
        self.assertEqual(first["end"], "2026-01-05T08:59:59.000000Z")
        self.assertEqual(first["files"], ["1-0.rtpdump"])
        self.assertIsNone(last["end"])
        self.assertEqual(readManifest(self.directory)["segments"][0], first)

    def test_own(self) -> None:
        """
        Nobody else closes the segment that is being written, nor one that is not
        there.
        """
        before = self.live.recording
        for number in (-1, 0, 2, 3):
            self.live.segmentEnded(number, START, ("x",))
        self.assertIs(self.live.recording, before)
