"""
Tests of L{siprec.session.speakers}.
"""

from __future__ import annotations

from datetime import UTC, datetime

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.merge import merge
from siprec.metadata.parse import parseMetadata
from siprec.metadata.state import RecordingMetadata
from siprec.session.model import RecordingSession
from siprec.session.speakers import communicationSessions, withSpeakers
from siprec.testing.offer import makeMetadata
from tests.session.recordings import START, session

AT = datetime.fromtimestamp(START, UTC)


def metadata(*labels: str) -> RecordingMetadata:
    """
    @return: what a document says of Ann and Bob, who send on these labels.
    """
    return merge(RecordingMetadata(), parseMetadata(makeMetadata(("Ann", "Bob"), labels)), AT)


def heard(recording: RecordingSession) -> list[str | None]:
    """
    @return: the name of who is heard on each stream.
    """
    names = {each.id: each.name for each in recording.participants}
    return [names.get(each.participant or "") for each in recording.streams]


class SpeakerTests(SynchronousTestCase):
    """
    Metadata and streams brought together.
    """

    def test_byLabel(self) -> None:
        """
        The label decides, whatever the order is (RFC 7866 section 7.1.1).
        """
        bound = withSpeakers(session("/r"), metadata("2", "1"))
        self.assertEqual(heard(bound), ["Bob", "Ann"])
        self.assertEqual([each.confidence for each in bound.streams], ["label", "label"])
        self.assertEqual([each.streams for each in bound.participants], [("2",), ("1",)])

    def test_orderOfMediaLines(self) -> None:
        """
        Without labels the order is that of the m-lines, not of our indexes: a
        slot may have been used again.
        """
        recording = session("/r")
        first, second = (evolve(each, label=None) for each in recording.streams)
        streams = (evolve(first, mediaIndex=1), evolve(second, mediaIndex=0))
        bound = withSpeakers(evolve(recording, streams=streams), metadata("1", "2"))
        self.assertEqual(heard(bound), ["Bob", "Ann"])
        self.assertEqual({each.confidence for each in bound.streams}, {"order"})
        self.assertEqual([each.streams for each in bound.participants], [(), ()])

    def test_overStreams(self) -> None:
        """
        A stream that was given up keeps whom it had.
        """
        bound = withSpeakers(session("/r"), metadata("1", "2"))
        first, second = bound.streams
        given = evolve(bound, streams=(evolve(first, active=False), second))
        again = withSpeakers(given, metadata("x", "2"))
        self.assertEqual(heard(again)[1], "Bob")
        self.assertEqual(again.streams[0], given.streams[0])

    def test_knownBefore(self) -> None:
        """
        Where the labels do not tell and one of two lines is given up, the
        other keeps whom it had by the order of both.
        """
        recording, state = session("/r"), metadata("1", "2")
        streams = tuple(evolve(each, label=None) for each in recording.streams)
        bound = withSpeakers(evolve(recording, streams=streams), state)
        first, second = bound.streams
        given = evolve(bound, streams=(evolve(first, active=False), second))
        self.assertEqual(heard(withSpeakers(given, state)), ["Ann", "Bob"])

    def test_nothingKnown(self) -> None:
        """
        Without metadata nobody is heard, and that is no error.
        """
        bound = withSpeakers(session("/r"), RecordingMetadata())
        self.assertEqual(heard(bound), [None, None])
        self.assertEqual({each.confidence for each in bound.streams}, {"none"})
        self.assertEqual(bound.participants, ())
        self.assertEqual(communicationSessions(RecordingMetadata()), ())

    def test_participants(self) -> None:
        """
        A participant's first name and first address stand in the manifest.
        """
        state = metadata("1", "2")
        ann, _ = withSpeakers(session("/r"), state).participants
        self.assertEqual(ann.name, "Ann")
        self.assertTrue((ann.aor or "").startswith("sip:"), ann.aor)
        self.assertEqual(len(communicationSessions(state)), 1)
