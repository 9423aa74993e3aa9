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
from siprec.session.model import RecordingSession, StreamInfo
from siprec.session.speakers import communicationSessions, withSpeakers
from siprec.testing.offer import makeMetadata
from tests.metadata.calls import call, hold, stop, transfer
from tests.metadata.fixtures import folded
from tests.session.recordings import START, session

AT = datetime.fromtimestamp(START, UTC)


def metadata(*labels: str) -> RecordingMetadata:
    """
    @return: what a document says of Ann and Bob, who send on these labels.
    """
    return merge(RecordingMetadata(), parseMetadata(makeMetadata(("Ann", "Bob"), labels)), AT)


def labelled(*labels: str) -> tuple[StreamInfo, ...]:
    """
    @return: streams with these labels.
    """
    return tuple(
        StreamInfo(index, index, label, (), "192.0.2.1", 10000)
        for index, label in enumerate(labels)
    )


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
        bound = withSpeakers(session("/r"), metadata("2", "1"), START)
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
        bound = withSpeakers(evolve(recording, streams=streams), metadata("1", "2"), START)
        self.assertEqual(heard(bound), ["Bob", "Ann"])
        self.assertEqual({each.confidence for each in bound.streams}, {"order"})
        self.assertEqual([each.streams for each in bound.participants], [(), ()])

    def test_overStreams(self) -> None:
        """
        A stream that was given up keeps whom it had.
        """
        bound = withSpeakers(session("/r"), metadata("1", "2"), START)
        first, second = bound.streams
        given = evolve(bound, streams=(evolve(first, active=False), second))
        again = withSpeakers(given, metadata("x", "2"), START + 9)
        self.assertEqual(heard(again)[1], "Bob")
        (ann,) = again.streams[0].speakers
        self.assertEqual((ann.start, ann.end), (START, START + 9))
        self.assertEqual(
            evolve(again.streams[0], speakers=()), evolve(given.streams[0], speakers=())
        )

    def test_knownBefore(self) -> None:
        """
        Where the labels do not tell and one of two lines is given up, the
        other keeps whom it had by the order of both.
        """
        recording, state = session("/r"), metadata("1", "2")
        streams = tuple(evolve(each, label=None) for each in recording.streams)
        bound = withSpeakers(evolve(recording, streams=streams), state, START)
        first, second = bound.streams
        given = evolve(bound, streams=(evolve(first, active=False), second))
        self.assertEqual(heard(withSpeakers(given, state, START)), ["Ann", "Bob"])

    def test_nothingKnown(self) -> None:
        """
        Without metadata nobody is heard, and that is no error.
        """
        bound = withSpeakers(session("/r"), RecordingMetadata(), START)
        self.assertEqual(heard(bound), [None, None])
        self.assertEqual({each.confidence for each in bound.streams}, {"none"})
        self.assertEqual(bound.participants, ())
        self.assertEqual(communicationSessions(RecordingMetadata()), ())

    def test_history(self) -> None:
        """
        A transfer ends the time of the one and begins that of the other at the moment
        of the update; who is on hold is still who speaks there.
        """
        before = folded(call("A", "B"))
        bound = withSpeakers(session("/r", streams=labelled("0", "1")), before, START)
        held = merge(before, hold("A"), AT)
        bound = withSpeakers(bound, held, START + 3)
        after = merge(held, transfer("A", "C"), AT)
        bound = withSpeakers(bound, after, START + 5)
        self.assertEqual(
            [
                [(each.participant, each.start - START, each.end) for each in stream.speakers]
                for stream in bound.streams
            ],
            [[("PA", 0.0, START + 5), ("PC", 5.0, None)], [("PB", 0.0, None)]],
        )
        self.assertEqual(
            [each.confidence for each in bound.streams[0].speakers], ["label", "elimination"]
        )

    def test_over(self) -> None:
        """
        When all have left nobody is heard any more, though the lines keep whom they had.
        """
        state = folded(call("A", "B"), stop())
        streams = labelled("0", "1")
        bound = withSpeakers(session("/r", streams=streams), folded(call("A", "B")), START)
        bound = withSpeakers(bound, state, START + 5)
        self.assertEqual([each.participant for each in bound.streams], ["PA", "PB"])
        ends = [each.end for stream in bound.streams for each in stream.speakers]
        self.assertEqual(ends, [START + 5] * 2)

    def test_stateLost(self) -> None:
        """
        Where the metadata of an earlier process is lost, its speakers speak on.
        """
        bound = withSpeakers(session("/r"), metadata("1", "2"), START)
        again = withSpeakers(bound, RecordingMetadata(), START + 5)
        self.assertEqual(again.streams, bound.streams)

    def test_mixed(self) -> None:
        """
        On a mixed stream several are heard at a time, none of them alone, and it is a
        stream of each.
        """
        state = folded(call("A", "B", mixed=True))
        bound = withSpeakers(session("/r", streams=labelled("0")), state, START)
        (stream,) = bound.streams
        self.assertEqual([each.participant for each in stream.speakers], ["PA", "PB"])
        self.assertIsNone(stream.participant)
        self.assertEqual([each.streams for each in bound.participants], [("0",), ("0",)])

    def test_participants(self) -> None:
        """
        A participant's first name and first address stand in the manifest.
        """
        state = metadata("1", "2")
        ann, _ = withSpeakers(session("/r"), state, START).participants
        self.assertEqual(ann.name, "Ann")
        self.assertTrue((ann.aor or "").startswith("sip:"), ann.aor)
        self.assertEqual(len(communicationSessions(state)), 1)
