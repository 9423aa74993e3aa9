"""
Tests of L{siprec.metadata.merge}: the eleven rules of CONFORMANCE B.2.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.merge import merge
from siprec.metadata.model import NameID
from siprec.metadata.state import Interval, StreamUse
from tests.metadata.fixtures import TWO_PARTIES, folded, minute, partial, recording

_TWO = recording(TWO_PARTIES)
_NO_STREAMS = '<participantstreamassoc participant_id="PA=="/>'


class RuleTests(SynchronousTestCase):
    """
    One rule each.
    """

    def test_B2_1_identifiers(self) -> None:
        """
        Everything is found by its identifier.
        """
        state = folded(_TWO)
        self.assertTrue(state.based)
        self.assertEqual(list(state.groups), ["R0=="])
        self.assertEqual(list(state.sessions), ["S1=="])
        self.assertEqual(list(state.participants), ["PA==", "PB=="])
        self.assertEqual(list(state.streams), ["TA==", "TB=="])
        self.assertEqual(list(state.recordings), ["S1=="])
        self.assertEqual(list(state.participations), [("PA==", "S1=="), ("PB==", "S1==")])
        self.assertEqual(state.uses["PA=="].uses, (StreamUse(("TA==",), ("TB==",), minute(0)),))
        self.assertEqual(state.notes, ())

    def test_B2_2_completeCloses(self) -> None:
        """
        A complete document ends what it does not mention, and keeps it.
        """
        state = folded(_TWO, recording('<participant participant_id="PA=="/>'))
        self.assertEqual(state.sessions["S1=="].cause, "absent-in-snapshot")
        self.assertEqual({each.cause for each in state.streams.values()}, {"absent-in-snapshot"})
        for intervals in (
            state.groups["R0=="].intervals,
            state.recordings["S1=="].intervals,
            state.participations["PA==", "S1=="].intervals,
        ):
            self.assertEqual(
                [(each.closed, each.cause) for each in intervals],
                [(minute(1), "absent-in-snapshot")],
            )
        self.assertEqual(state.uses["PB=="].uses[-1].closed, minute(1))
        self.assertEqual(state.participants["PA=="].names[0].name, "Ann")

    def test_B2_2_completeBringsBack(self) -> None:
        """
        What the next complete document mentions again goes on.
        """
        state = folded(_TWO, recording(""), _TWO)
        self.assertIsNone(state.sessions["S1=="].closed)
        self.assertEqual({each.closed for each in state.streams.values()}, {None})
        (interval,) = state.participations["PA==", "S1=="].intervals
        self.assertEqual((interval.seen, interval.closed), (minute(0), None))
        self.assertEqual(len(state.groups["R0=="].intervals), 2)
        self.assertEqual(dict(state.senders()), {"TA==": "PA==", "TB==": "PB=="})

    def test_B2_3_partialUpserts(self) -> None:
        """
        A partial document changes what it mentions: a scalar if present, a list
        as a whole.
        """
        change = partial(
            '<session session_id="S1=="><sipSessionID>a;remote=b</sipSessionID>'
            '<reason cause="480">gone</reason></session>'
            '<participant participant_id="PA=="><nameID aor="sip:other@a.example"/></participant>'
        )
        again = partial(
            '<session session_id="S1=="><sipSessionID>c</sipSessionID></session>'
            '<participant participant_id="PA=="/>'
        )
        state = folded(_TWO, change, again)
        session = state.sessions["S1=="]
        self.assertEqual(session.sipSessionIDs, ("c",))
        self.assertEqual([each.cause for each in session.reasons], [480])
        self.assertEqual((session.groupRef, session.startTime is None), ("R0==", False))
        self.assertEqual(state.participants["PA=="].names, (NameID("sip:other@a.example"),))
        self.assertEqual(state.participants["PB=="], folded(_TWO).participants["PB=="])
        self.assertIsNone(state.sessions["S1=="].closed)

    def test_B2_4_usesAreReplaced(self) -> None:
        """
        An element replaces both sets of its participant, also by nothing; those
        of others stay.
        """
        state = folded(_TWO, partial(_NO_STREAMS))
        self.assertEqual(
            state.uses["PA=="].uses,
            (
                StreamUse(("TA==",), ("TB==",), minute(0), None, minute(1), None, "superseded"),
                StreamUse((), (), minute(1)),
            ),
        )
        self.assertEqual(state.uses["PB=="], folded(_TWO).uses["PB=="])

    def test_B2_5_groupTimes(self) -> None:
        """
        Groups have intervals like every association.
        """
        end = partial(
            '<group group_id="R0=="><disassociate-time>2026-01-05T09:01:00Z</disassociate-time>'
            "</group>"
        )
        self.assertEqual(
            folded(_TWO, end, partial('<group group_id="R0=="/>')).groups["R0=="].intervals,
            (Interval(minute(0), None, minute(1), minute(1), "stated"),),
        )

    def test_B2_5_impliedRecording(self) -> None:
        """
        A session that a document describes is being recorded, whether the
        document says so or not.
        """
        state = folded(recording('<session session_id="S"/>'))
        self.assertEqual(state.recordings["S"].intervals, (Interval(minute(0)),))
        over = partial(
            '<sessionrecordingassoc session_id="S"><disassociate-time>2026-01-05T09:01:00Z'
            "</disassociate-time></sessionrecordingassoc>"
        )
        ended = merge(state, over, minute(1))
        self.assertEqual(merge(ended, partial('<session session_id="S"/>'), minute(2)), ended)

    def test_B2_6_stop(self) -> None:
        """
        A stop-time ends everybody's part and idles the streams; the recording
        session may go on with another session.
        """
        stop = partial(
            '<session session_id="S1=="><stop-time>2026-01-05T09:01:00Z</stop-time></session>'
        )
        state = folded(_TWO, stop)
        self.assertEqual(state.sessions["S1=="].closed, minute(1))
        for pair in state.participations:
            (interval,) = state.participations[pair].intervals
            self.assertEqual(
                (interval.closed, interval.end, interval.cause),
                (minute(1), minute(1), "session-stopped"),
            )
        self.assertEqual({each.cause for each in state.streams.values()}, {"session-stopped"})
        self.assertEqual(list(state.senders()), [])
        later = partial('<session session_id="S2=="/><stream stream_id="TA==" session_id="S2=="/>')
        self.assertIsNone(merge(state, later, minute(2)).streams["TA=="].closed)

    def test_B2_6_stopOfOneOfTwo(self) -> None:
        """
        A party in two sessions goes on with the streams of the other.
        """
        both = recording(
            '<session session_id="S"/><session session_id="S2"/><participant participant_id="P"/>'
            '<stream stream_id="T" session_id="S"/><stream stream_id="U" session_id="S2"/>'
            '<participantsessionassoc participant_id="P" session_id="S"/>'
            '<participantsessionassoc participant_id="P" session_id="S2"/>'
            '<participantstreamassoc participant_id="P"><send>T</send><send>U</send>'
            "</participantstreamassoc>"
        )
        stop = partial('<session session_id="S"><stop-time>soon</stop-time></session>')
        state = folded(both, stop)
        self.assertEqual(dict(state.senders()), {"U": "P"})
        self.assertEqual(
            state.uses["P"].uses,
            (
                StreamUse(("T", "U"), (), minute(0), None, minute(1), None, "session-stopped"),
                StreamUse(("U",), (), minute(1)),
            ),
        )

    def test_B2_7_label(self) -> None:
        """
        A new stream with the label of another ends that; two of one document may
        share it.
        """
        new = partial('<stream stream_id="TC==" session_id="S1=="><label>1</label></stream>')
        state = folded(_TWO, new)
        self.assertEqual(
            (state.streams["TA=="].closed, state.streams["TA=="].cause), (minute(1), "label-taken")
        )
        self.assertIsNone(state.streams["TC=="].closed)
        twins = recording(
            '<stream stream_id="A"><label>1</label></stream>'
            '<stream stream_id="B"><label>1</label></stream>'
        )
        self.assertEqual({each.closed for each in folded(twins).streams.values()}, {None})

    def test_B2_7_labelLost(self) -> None:
        """
        The stream that lost its label comes back only by claiming it.
        """
        new = partial('<stream stream_id="TC==" session_id="S1=="><label>1</label></stream>')
        mention = partial('<stream stream_id="TA=="/>')
        claim = partial('<stream stream_id="TA=="><label>1</label></stream>')
        self.assertIsNotNone(folded(_TWO, new, mention).streams["TA=="].closed)
        state = folded(_TWO, new, claim)
        self.assertIsNone(state.streams["TA=="].closed)
        self.assertEqual(state.streams["TC=="].cause, "label-taken")

    def test_B2_7_draftStreamEnd(self) -> None:
        """
        A draft ends a stream by its own disassociate-time.
        """
        end = partial(
            '<stream id="TA=="><disassociate-time>2026-01-05T09:01:00Z</disassociate-time></stream>'
        )
        state = folded(_TWO, end)
        stream = state.streams["TA=="]
        self.assertEqual(
            (stream.closed, stream.end, stream.cause), (minute(1), minute(1), "stated")
        )
        self.assertEqual(merge(state, end, minute(5)), state)
        self.assertIsNone(merge(state, _TWO, minute(5)).streams["TA=="].closed)

    def test_B2_8_danglingReferences(self) -> None:
        """
        What is only referred to has a placeholder until it is defined (A42: it
        may be defined elsewhere).
        """
        references = recording(
            '<session session_id="S"><group-ref>G</group-ref></session>'
            '<stream stream_id="T" session_id="S2"/>'
            '<participantsessionassoc participant_id="P" session_id="S3"/>'
            '<participantstreamassoc participant_id="Q"><send>U</send></participantstreamassoc>'
        )
        state = folded(references)
        self.assertEqual(
            [
                [each.id for each in values if not each.defined]
                for values in (
                    state.groups.values(),
                    state.sessions.values(),
                    state.participants.values(),
                    state.streams.values(),
                )
            ],
            [["G"], ["S2", "S3"], ["P", "Q"], ["U"]],
        )
        defined = folded(references, partial('<stream stream_id="U" session_id="S"/>'))
        self.assertTrue(defined.streams["U"].defined)
        self.assertEqual(dict(defined.senders()), {"U": "Q"})

    def test_B2_9_extensions(self) -> None:
        """
        Extension data is replaced by parent and expanded name.
        """
        one = recording(
            '<session session_id="S"><a xmlns="urn:x">1</a><a xmlns="urn:y">1</a></session>'
            '<top xmlns="urn:x">1</top>'
        )
        two = partial('<session session_id="S"><a xmlns="urn:x">2</a></session>')
        state = folded(one, two)
        self.assertEqual(
            [(each.namespace, each.fields[0][1]) for each in state.sessions["S"].extensions],
            [("urn:y", "1"), ("urn:x", "2")],
        )
        self.assertEqual([each.name for each in state.extensions], ["top"])

    def test_B2_10_twice(self) -> None:
        """
        The same document again changes nothing, at whatever time.
        """
        state = folded(_TWO)
        self.assertEqual(merge(state, _TWO, minute(99)), state)

    def test_A42_elsewhere(self) -> None:
        """
        An identifier that only another recording session defines is no error, and
        resolved if it is defined later (RFC 7866 section 9.2).
        """
        elsewhere = partial(
            '<participantstreamassoc participant_id="PX=="><send>TX==</send>'
            "</participantstreamassoc>"
        )
        later = partial(
            '<participant participant_id="PX=="><nameID aor="sip:x@x"/></participant>'
            '<stream stream_id="TX==" session_id="S1=="><label>3</label></stream>'
        )
        state = folded(_TWO, elsewhere)
        self.assertFalse(state.participants["PX=="].defined or state.streams["TX=="].defined)
        self.assertEqual(state.notes, ())
        state = folded(_TWO, elsewhere, later)
        self.assertEqual(state.participants["PX=="].names[0].aor, "sip:x@x")
        self.assertEqual(state.streams["TX=="].label, "3")

    def test_A42_twoElements(self) -> None:
        """
        An identifier of two elements costs its own part, and nothing else.
        """
        clash = partial(
            '<stream stream_id="PA=="/><participant participant_id="PB==">'
            '<nameID aor="sip:bob@b"/></participant>'
        )
        state = folded(_TWO, clash)
        self.assertEqual(state.participants["PB=="].names[0].aor, "sip:bob@b")
        self.assertNotIn("PA==", state.streams)
        self.assertEqual(len(state.notes), 1)

    def test_B2_11_conflict(self) -> None:
        """
        An identifier of two elements counts for the first; the rest of the
        document is followed, and the conflict noted.
        """
        clash = partial(
            '<stream stream_id="PA=="><label>9</label></stream>'
            '<participant participant_id="TB=="/><session session_id="R0=="/>'
            '<group group_id="S1=="/>'
            '<participantstreamassoc participant_id="PA=="><send>PB==</send><recv>TB==</recv>'
            "</participantstreamassoc>"
            '<participantstreamassoc participant_id="TA=="><send>TB==</send>'
            "</participantstreamassoc>"
            '<participantsessionassoc participant_id="PA==" session_id="TA=="/>'
            '<sessionrecordingassoc session_id="PB=="/>'
            '<stream stream_id="N" session_id="PA=="/>'
        )
        before, state = folded(_TWO), folded(_TWO, clash)
        self.assertEqual(state.participants, before.participants)
        self.assertEqual(state.sessions, before.sessions)
        self.assertEqual(state.groups, before.groups)
        self.assertEqual(state.recordings, before.recordings)
        self.assertEqual(state.participations, before.participations)
        self.assertEqual(list(state.streams), ["TA==", "TB==", "N"])
        self.assertEqual(state.streams["N"].sessionID, None)
        self.assertEqual(state.uses["PA=="].uses[-1], StreamUse((), ("TB==",), minute(1)))
        self.assertEqual(list(state.uses), ["PA==", "PB=="])
        self.assertEqual(len(state.notes), 6)
        self.assertEqual(merge(state, clash, minute(9)), state)

    def test_B2_11_placeholderGivesWay(self) -> None:
        """
        A definition wins over a mere reference, and says so.
        """
        state = folded(
            recording('<session session_id="S"><group-ref>X</group-ref></session>'),
            partial('<participant participant_id="X"/>'),
        )
        self.assertEqual((list(state.groups), list(state.participants)), ([], ["X"]))
        self.assertEqual(len(state.notes), 1)

    def test_B2_11_ownIdentifier(self) -> None:
        """
        An element that refers to itself as something else is followed no further.
        """
        odd = recording(
            '<session session_id="S"><group-ref>S</group-ref></session>'
            '<stream stream_id="T" session_id="T"/>'
        )
        state = folded(odd)
        self.assertEqual(state.sessions["S"].groupRef, None)
        self.assertEqual(state.streams["T"].sessionID, None)
        self.assertEqual(merge(state, odd, minute(9)), state)
