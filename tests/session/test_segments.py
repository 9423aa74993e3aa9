"""
Tests of L{siprec.session.segments}.
"""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from siprec.session.model import Segment
from siprec.session.segments import journalName, withClosed, withEnded, withLast
from tests.session.recordings import NODE, OTHER, START, session


class SegmentTests(SynchronousTestCase):
    """
    A recording that another node had before.
    """

    def setUp(self) -> None:
        names = tuple(journalName(2, index) for index in (0, 1, 10))
        self.first, self.last = Segment(OTHER, 1, START - 9), Segment(NODE, 2, START, None, names)
        self.recording = session("/r", segments=(self.first, self.last), endTime=START + 2)

    def test_name(self) -> None:
        """
        A journal is named by segment, from 1, and stream, from 0.
        """
        self.assertEqual(journalName(1, 0), "1-0.rtpdump")

    def test_last(self) -> None:
        """
        Only the last segment is changed.
        """
        found = withLast(self.recording, files=("x",))
        self.assertEqual(found.segments, (self.first, evolve(self.last, files=("x",))))

    def test_closed(self) -> None:
        """
        It ends with the call, and has the journals of the streams on which something
        came.
        """
        before, last = withClosed(self.recording, {1, 10}).segments
        self.assertEqual(before, self.first)
        self.assertEqual((last.end, last.files), (START + 2, ("2-1.rtpdump", "2-10.rtpdump")))

    def test_ended(self) -> None:
        """
        What another node has closed has its end and its journals.
        """
        found = withEnded(self.recording, 1, START - 1, ("1-0.rtpdump",))
        assert found is not None
        ended = evolve(self.first, end=START - 1, files=("1-0.rtpdump",))
        self.assertEqual(found.segments, (ended, self.last))

    def test_notEnded(self) -> None:
        """
        Nobody else closes the last one, nor one that is not there.
        """
        for number in (-1, 0, 2, 3):
            self.assertIsNone(withEnded(self.recording, number, START, ("x",)))
