"""
Tests of L{siprec.metadata.merge}: which documents count, what holds for any of
them, and how long it takes.
"""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.merge import merge
from siprec.metadata.model import MetadataDocument, ParticipantStream
from siprec.metadata.state import RecordingMetadata
from tests.metadata.documents import documents, split
from tests.metadata.fixtures import PROPERTY, TWO_PARTIES, folded, minute, recording

_TWO = recording(TWO_PARTIES)


class PropertyTests(SynchronousTestCase):
    """
    What holds for any documents.
    """

    @PROPERTY
    @given(st.lists(documents, min_size=1, max_size=4))
    def test_B2_10_idempotent(self, sequence: list[MetadataDocument]) -> None:
        """
        After any sequence, the last document again changes nothing.
        """
        state = folded(*sequence)
        self.assertEqual(merge(state, sequence[-1], minute(999)), state)

    @PROPERTY
    @given(documents, st.lists(st.integers(0, 8), max_size=4))
    def test_B2_10_partialsFold(self, document: MetadataDocument, lengths: list[int]) -> None:
        """
        A snapshot in pieces, the first one complete and the others partial, gives
        the same state as the whole at once.  (A stream without a session is idle
        while all known sessions are over: that depends on what is known when.)
        """
        streams = tuple(evolve(each, sessionID=each.sessionID or "S") for each in document.streams)
        document = evolve(document, mode="complete", streams=streams)
        state = RecordingMetadata()
        for part in split(document, lengths):
            state = merge(state, part, minute(0))
        self.assertEqual(state, merge(RecordingMetadata(), document, minute(0)))

    @PROPERTY
    @given(st.lists(documents, max_size=3))
    def test_B2_2_nothingIsRemoved(self, sequence: list[MetadataDocument]) -> None:
        """
        Whatever was defined once stays known.
        """
        state = RecordingMetadata()
        for number, document in enumerate(sequence):
            after = merge(state, document, minute(number))
            self.assertLessEqual(set(state.participants), set(after.participants))
            self.assertLessEqual(set(state.participations), set(after.participations))
            self.assertLessEqual(set(state.streams), set(after.streams))
            for pair, before in state.participations.items():
                now = after.participations[pair].intervals
                self.assertGreaterEqual(len(now), len(before.intervals))
            state = after

    def test_severalUsesInOneDocument(self) -> None:
        """
        Several elements of one participant in one document count together.
        """
        several = recording(
            '<participantstreamassoc participant_id="P"><send>T</send></participantstreamassoc>'
            '<participantstreamassoc participant_id="P"><send>U</send><recv>T</recv>'
            "</participantstreamassoc>"
        )
        self.assertEqual(len(several.participantStreams), 2)
        self.assertIsInstance(several.participantStreams[0], ParticipantStream)
        current = folded(several).uses["P"].current
        assert current is not None
        self.assertEqual((current.send, current.recv), (("T", "U"), ("T",)))
