"""
Tests of L{siprec.metadata.parse}; the dialects have L{tests.metadata.test_dialects}.
"""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.model import (
    MetadataDocument,
    NameID,
    ParticipantSession,
    ParticipantStream,
    Reason,
    SessionRecording,
    Stream,
    Time,
)
from siprec.metadata.parse import parseMetadata
from tests.metadata.fixtures import (
    BROADWORKS,
    CISCO,
    ORACLE,
    PROPERTY,
    RIBBON,
    partial,
    recording,
)

_NINE = Time("2026-01-05T09:00:00Z", datetime(2026, 1, 5, 9, tzinfo=UTC))


class SchemaTests(SynchronousTestCase):
    """
    Every element and attribute of CONFORMANCE B.1.
    """

    def test_B1_everything(self) -> None:
        """
        All of the schema, in its order.
        """
        when = "<associate-time>2026-01-05T09:00:00Z</associate-time>"
        gone = "<disassociate-time>2026-01-05T09:00:00Z</disassociate-time>"
        ext = '<e xmlns="urn:e"/>'
        document = recording(
            f'<group group_id="G">{when}{gone}{ext}</group>'
            '<session session_id="S"><sipSessionID>a;\n remote=b</sipSessionID>'
            "<sipSessionID>c</sipSessionID>"
            '<reason cause="486">busy</reason><reason cause="16" protocol="Q.850"/>'
            "<group-ref> G\n</group-ref><start-time>2026-01-05T09:00:00Z</start-time>"
            f"<stop-time>2026-01-05T09:00:00Z</stop-time>{ext}</session>"
            '<participant participant_id="P"><nameID aor="sip:p@x"><name xml:lang="it">Pia</name>'
            f'</nameID><nameID aor="tel:+39"/>{ext}</participant>'
            f'<stream stream_id="T" session_id="S"><label>96</label>{ext}</stream>'
            '<stream stream_id="U"/>'
            f'<sessionrecordingassoc session_id="S">{when}{gone}{ext}</sessionrecordingassoc>'
            f'<participantsessionassoc participant_id="P" session_id="S">{when}{gone}'
            f'<param pname="isfocus" pval="true"/>{ext}</participantsessionassoc>'
            '<participantstreamassoc participant_id="P"><send>T</send><recv>U</recv>'
            f"<recv>T</recv>{when}{gone}{ext}</participantstreamassoc>{ext}"
        )
        self.assertEqual((document.status, document.notes), ("ok", ()))
        (group,), (session,), (participant,) = (
            document.groups,
            document.sessions,
            document.participants,
        )
        extensions = group.extensions
        self.assertEqual([(each.namespace, each.name) for each in extensions], [("urn:e", "e")])
        self.assertEqual((group.id, group.associated, group.disassociated), ("G", _NINE, _NINE))
        self.assertEqual(session.sipSessionIDs, ("a;remote=b", "c"))
        self.assertEqual(session.reasons, (Reason("busy", 486), Reason("", 16, "Q.850")))
        self.assertEqual((session.groupRef, session.start, session.stop), ("G", _NINE, _NINE))
        self.assertEqual(session.extensions, extensions)
        self.assertEqual(participant.names, (NameID("sip:p@x", "Pia", "it"), NameID("tel:+39")))
        self.assertEqual(participant.extensions, extensions)
        self.assertEqual(
            document.streams, (Stream("T", "S", "96", extensions=extensions), Stream("U"))
        )
        self.assertEqual(
            document.sessionRecordings, (SessionRecording("S", _NINE, _NINE, extensions),)
        )
        self.assertEqual(
            document.participantSessions,
            (ParticipantSession("P", "S", _NINE, _NINE, (("isfocus", "true"),), extensions),),
        )
        self.assertEqual(
            document.participantStreams,
            (ParticipantStream("P", ("T",), ("U", "T"), _NINE, _NINE, extensions),),
        )
        self.assertEqual(document.extensions, extensions)

    def test_B1_modes(self) -> None:
        """
        Absent means complete; case does not count; anything else is complete,
        with a note.
        """
        for text, mode, notes in (
            ("", "complete", 0),
            ("<datamode>partial</datamode>", "partial", 0),
            ("<dataMode> Partial </dataMode>", "partial", 0),
            ("<datamode>COMPLETE</datamode>", "complete", 0),
            ("<datamode>delta</datamode>", "complete", 1),
        ):
            body = f'<recording xmlns="urn:ietf:params:xml:ns:recording:1">{text}</recording>'
            document = parseMetadata(body.encode())
            self.assertEqual((document.mode, len(document.notes)), (mode, notes), text)

    def test_A39_snapshotRequest(self) -> None:
        """
        The other root: a request, with its reason and language if there is one.
        """
        body = (
            '<requestsnapshot xmlns="urn:ietf:params:xml:ns:recording:1">'
            '<requestreason xml:lang="en">lost</requestreason><x xmlns="urn:x"/></requestsnapshot>'
        )
        document = parseMetadata(body.encode())
        self.assertEqual(document.root, "requestsnapshot")
        self.assertEqual(document.requestReason, ("lost", "en"))
        self.assertEqual([each.name for each in document.extensions], ["x"])
        self.assertIsNone(parseMetadata(b"<requestsnapshot/>").requestReason)
        self.assertEqual(parseMetadata(b"<requestsnapshot>").status, "recovered")


class ToleranceTests(SynchronousTestCase):
    """
    What documents lack or have too much of.
    """

    def test_A38_error(self) -> None:
        """
        What is no metadata has the status error, a reason, and nothing else.
        """
        for body in (b"", b"\0\1\2", b"<html/>", b"<!DOCTYPE recording><recording/>", b"v=0\r\n"):
            document = parseMetadata(body)
            self.assertEqual(document.status, "error", body)
            self.assertTrue(document.notes)
            self.assertEqual(document.participants, ())

    def test_B3_anyPrefixAndNamespace(self) -> None:
        """
        A prefix does not count, declared or not, nor does the namespace of the
        root, which is noted.
        """
        for head, tail in (
            ('<r:recording xmlns:r="urn:ietf:params:xml:ns:recording:1">', "</r:recording>"),
            ("<r:recording>", "</r:recording>"),
            ('<r:RECORDING xmlns:r="urn:of:some:draft">', "</r:RECORDING>"),
        ):
            body = f'{head}<r:session Session-ID="S"/>{tail}'
            document = parseMetadata(body.encode())
            self.assertEqual([each.id for each in document.sessions], ["S"], body)
        self.assertIn("namespace 'urn:of:some:draft'", document.notes)

    def test_B3_identifiersAreOpaque(self) -> None:
        """
        Trimmed, and otherwise whatever they are; an empty one is an identifier.
        """
        document = recording(
            '<session session_id=" 00FF "/><stream stream_id="" session_id="a b">'
            "<label> 1 </label></stream>"
        )
        self.assertEqual(document.sessions[0].id, "00FF")
        self.assertEqual(document.streams, (Stream("", "a b", "1"),))
        self.assertEqual(document.notes, ())

    def test_B3_missingIdentifiers(self) -> None:
        """
        A participant is then known by its address and a stream by its label;
        the rest by nothing.
        """
        document = recording(
            '<group/><session/><participant><nameID aor="sip:p@x"/></participant><participant/>'
            "<stream><label>1</label></stream><stream/><participantstreamassoc/>"
        )
        self.assertEqual([each.id for each in document.participants], ["aor:sip:p@x", ""])
        self.assertEqual([each.id for each in document.streams], ["label:1", ""])
        self.assertEqual(document.sessions[0].id, "")
        self.assertEqual(document.participantStreams[0].participantID, "")
        self.assertEqual(len(document.notes), 6)

    def test_B3_draftParticipant(self) -> None:
        """
        Addresses and names, streams and times of a participant become what the
        RFC has for them.
        """
        document = partial(
            '<participant id="P" session="S"><aor>sip:1@x</aor><aor>sip:2@x</aor>'
            "<name>One</name><send>T</send><recv><id>U</id></recv>"
            "<start-time>2026-01-05T09:00:00Z</start-time></participant>"
            '<participant id="Q" name="Quinn"><disassociate-time>2026-01-05T09:00:00Z'
            "</disassociate-time></participant>"
        )
        first, second = document.participants
        self.assertEqual(first.names, (NameID("sip:1@x", "One"), NameID("sip:2@x")))
        self.assertEqual(second.names, (NameID("", "Quinn"),))
        self.assertEqual(document.participantSessions, (ParticipantSession("P", "S", _NINE),))
        self.assertEqual(document.participantStreams, (ParticipantStream("P", ("T",), ("U",)),))
        # Nobody can tell which session Q has left.
        self.assertEqual(document.notes, ("participant times without a session",))

    def test_B3_draftTimesOfTheOnlySession(self) -> None:
        """
        With one session in the document there is no doubt.
        """
        document = partial(
            '<session id="S"/><participant id="Q"><disassociate-time>2026-01-05T09:00:00Z'
            "</disassociate-time></participant>"
        )
        self.assertEqual(document.participantSessions, (ParticipantSession("Q", "S", None, _NINE),))

    def test_B3_impliedParties(self) -> None:
        """
        If a complete document with one session never says who takes part, all
        do; a partial one or one with two sessions says nothing of the kind.
        """
        people = '<participant participant_id="P"/><participant participant_id="Q"/>'
        session = '<session session_id="S"/>'
        document = recording(session + people)
        self.assertEqual(
            document.participantSessions,
            (ParticipantSession("P", "S"), ParticipantSession("Q", "S")),
        )
        self.assertIn("only session", document.notes[0])
        self.assertEqual(partial(session + people).participantSessions, ())
        two = recording(session + '<session session_id="S2"/>' + people)
        self.assertEqual(two.participantSessions, ())

    def test_B3_draftSession(self) -> None:
        """
        Its times become the association with the recording session.
        """
        document = recording(
            '<session id="S" group="G"><associate-time>2026-01-05T09:00:00Z</associate-time>'
            "</session>"
        )
        self.assertEqual(document.sessions[0].groupRef, "G")
        self.assertEqual(document.sessionRecordings, (SessionRecording("S", _NINE),))

    def test_B3_draftStream(self) -> None:
        """
        Its mode and times are kept.
        """
        document = recording(
            '<stream id="T" session="S"><mode>mixed</mode>'
            "<associate-time>2026-01-05T09:00:00Z</associate-time>"
            "<disassociate-time>2026-01-05T09:00:00Z</disassociate-time></stream>"
        )
        self.assertEqual(document.streams, (Stream("T", "S", None, "mixed", _NINE, _NINE),))

    def test_B3_adoptedExtensionData(self) -> None:
        """
        Extension data goes to the parent it names; without one that is known it
        stays at the top.
        """
        document = recording(
            '<extensiondata parent="S"><a xmlns="urn:x"/></extensiondata>'
            '<extensiondata parent="nobody"><b xmlns="urn:x"/></extensiondata>'
            '<extensiondata>text</extensiondata><session session_id="S"/>'
        )
        self.assertEqual([each.name for each in document.sessions[0].extensions], ["a"])
        self.assertEqual([each.name for each in document.extensions], ["extensiondata", "b"])

    def test_B3_zone(self) -> None:
        """
        Times without a zone are noted and read in the peer's.
        """
        body = (
            b'<recording><session id="S"><start-time>2026-01-05T10:00:00</start-time></session>'
            b"</recording>"
        )
        document = parseMetadata(body, zone=timezone(timedelta(hours=1)))
        start = document.sessions[0].start
        assert start is not None
        self.assertEqual((start.value, start.naive), (_NINE.value, True))
        self.assertIn("times without a zone", document.notes)

    def test_B3_charset(self) -> None:
        """
        The MIME charset reaches the decoder.
        """
        body = '<recording><participant id="P" aor="sip:é@x"/></recording>'.encode("cp1252")
        document = parseMetadata(body, "windows-1252")
        self.assertEqual(document.participants[0].names, (NameID("sip:é@x"),))


class RobustnessTests(SynchronousTestCase):
    """
    Whatever comes, a value goes.
    """

    def test_B4_truncatedAnywhere(self) -> None:
        """
        A dialect document cut at any byte has an outcome, and what came whole
        before the cut is there.
        """
        for body in (CISCO, ORACLE, RIBBON, BROADWORKS):
            whole = parseMetadata(body)
            for length in range(0, len(body), 3):
                document = parseMetadata(body[:length])
                self.assertIn(document.status, ("ok", "recovered", "error"))
                known = len(document.participants)
                if known:
                    self.assertEqual(
                        document.participants[: known - 1], whole.participants[: known - 1]
                    )

    @PROPERTY
    @given(st.binary(max_size=60), st.integers(0, 1500))
    def test_neverRaises(self, noise: bytes, place: int) -> None:
        """
        Noise anywhere in a document is survived.
        """
        body = CISCO[:place] + noise + CISCO[place + len(noise) :]
        self.assertIsInstance(parseMetadata(body), MetadataDocument)
