"""
Tests of L{siprec.metadata.merge}: which documents count, what holds for any of
them, and how long it takes.
"""

import time

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.merge import merge
from siprec.metadata.model import MetadataDocument, ParticipantStream
from siprec.metadata.parse import parseMetadata
from siprec.metadata.state import RecordingMetadata
from tests.metadata.documents import documents, split
from tests.metadata.fixtures import PROPERTY, TWO_PARTIES, folded, minute, partial, recording

_TWO = recording(TWO_PARTIES)


class DocumentTests(SynchronousTestCase):
    """
    Which documents count.
    """

    def test_A38_error(self) -> None:
        """
        A document that could not be read leaves the state as it is, and so does
        a request for a snapshot.
        """
        state = folded(_TWO)
        for body in (b"", b"<requestsnapshot/>"):
            self.assertIs(merge(state, parseMetadata(body), minute(1)), state)

    def test_A36_partialFirst(self) -> None:
        """
        A partial document on nothing is followed as far as it goes, and noted.
        """
        state = folded(partial('<participant participant_id="P"/>'))
        self.assertEqual((state.based, list(state.participants)), (False, ["P"]))
        self.assertEqual(state.notes, ("partial document before any complete one",))
        self.assertTrue(merge(state, _TWO, minute(1)).based)

    def test_A42_definedElsewhere(self) -> None:
        """
        A reference to what another recording session defines is no error.
        """
        state = folded(recording('<session session_id="S"><group-ref>G</group-ref></session>'))
        self.assertEqual((state.notes, state.groups["G"].defined), ((), False))

    def test_notesAreBounded(self) -> None:
        """
        However many conflicts there are, the state does not grow with them.
        """
        sessions = "".join(f'<session session_id="{number}"/>' for number in range(300))
        people = "".join(f'<participant participant_id="{number}"/>' for number in range(300))
        self.assertEqual(len(folded(recording(sessions), partial(people)).notes), 100)

    def _party(self, number: int) -> str:
        return (
            f'<participant participant_id="P{number}"><nameID aor="sip:{number}@x"/>'
            f'</participant><stream stream_id="T{number}" session_id="S"><label>{number}'
            f'</label></stream><participantsessionassoc participant_id="P{number}" '
            'session_id="S"><associate-time>2026-01-05T09:00:00Z</associate-time>'
            f'</participantsessionassoc><participantstreamassoc participant_id="P{number}">'
            f"<send>T{number}</send><recv>T0</recv></participantstreamassoc>"
        )

    def test_speed(self) -> None:
        """
        A conference of 500 takes a few milliseconds; the bound is generous for
        the sake of busy machines.
        """
        document = recording('<session session_id="S"/>' + "".join(map(self._party, range(500))))
        times = []
        for _ in range(10):
            began = time.process_time()
            merge(RecordingMetadata(), document, minute(0))
            times.append(time.process_time() - began)
        self.assertLess(min(times), 0.03)


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
