"""
Tests of L{siprec.metadata.serialize}.
"""

from datetime import datetime, timedelta, timezone

from attrs import evolve
from hypothesis import given
from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.model import (
    Extension,
    Group,
    MetadataDocument,
    NameID,
    Participant,
    ParticipantSession,
    Reason,
    Session,
    Stream,
    Time,
)
from siprec.metadata.parse import parseMetadata
from siprec.metadata.serialize import serialize, snapshotRequest
from tests.metadata.documents import documents
from tests.metadata.fixtures import (
    AUDIOCODES,
    AVAYA,
    BROADWORKS,
    CISCO,
    JAMBONZ,
    METASWITCH,
    OPENSIPS,
    ORACLE,
    ORACLE_UNQUOTED,
    PROPERTY,
    RIBBON,
    RIBBON_BYE,
    TWO_PARTIES,
    recording,
)

_DIALECTS = (
    AUDIOCODES,
    AVAYA,
    BROADWORKS,
    CISCO,
    JAMBONZ,
    METASWITCH,
    OPENSIPS,
    ORACLE,
    ORACLE_UNQUOTED,
    RIBBON,
    RIBBON_BYE,
)


class SerializeTests(SynchronousTestCase):
    """
    What is written.
    """

    def again(self, document: MetadataDocument) -> MetadataDocument:
        """
        @return: the document written and read, which must need no tolerance.
        """
        found = parseMetadata(serialize(document))
        self.assertEqual((found.status, found.notes), ("ok", ()))
        return found

    def test_B1_roundTrip(self) -> None:
        """
        A document with base64 identifiers comes back as it was.
        """
        document = recording(
            TWO_PARTIES.replace("==", "xx") + '<e xmlns="urn:e"><f g="1">text</f></e>'
            '<participantsessionassoc participant_id="PAxx" session_id="S1xx">'
            '<param pname="isfocus" pval="true"/></participantsessionassoc>'
        )
        self.assertEqual(self.again(document), document)

    def test_B1_order(self) -> None:
        """
        Elements come in the order of the schema, whatever the order of reading.
        """
        tags = [
            etree.QName(child).localname
            for child in etree.fromstring(serialize(parseMetadata(CISCO)))
        ]
        self.assertEqual(
            list(dict.fromkeys(tags)),
            [
                "datamode",
                "session",
                "participant",
                "stream",
                "participantsessionassoc",
                "participantstreamassoc",
            ],
        )

    def test_B1_declaration(self) -> None:
        """
        UTF-8, declared, with the RFC's namespace as the default one.
        """
        body = serialize(
            MetadataDocument(participants=(Participant("P", (NameID("sip:ü@x", "Ü"),)),))
        )
        self.assertTrue(
            body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<recording xmlns=')
        )
        self.assertIn("<name>Ü</name>".encode(), body)
        self.assertIn(b'aor="sip:%C3%BC@x"', body)

    def test_identifiers(self) -> None:
        """
        Base64 stays, a UUID becomes its 16 octets, everything else its UTF-8 in
        base64; the same one the same way everywhere.
        """
        uuid = "urn:uuid:0a000000-0000-4000-8000-000000000001"
        document = MetadataDocument(
            sessions=(Session("S1=="), Session(uuid), Session("any thing")),
            streams=(Stream("T", uuid),),
        )
        found = self.again(document)
        encoded = ["UzE9PQ==", "CgAAAAAAQACAAAAAAAAAAQ==", "YW55IHRoaW5n"]
        self.assertEqual([each.id for each in found.sessions], encoded)
        self.assertEqual(found.streams[0].sessionID, encoded[1])
        self.assertEqual(self.again(found), found)

    def test_times(self) -> None:
        """
        Times are written in UTC; one that could not be read is left out.
        """
        east = datetime(2026, 1, 5, 10, 0, 0, 250000, timezone(timedelta(hours=1)))
        document = MetadataDocument(groups=(Group("GGGG", Time("x", east), Time("soon", None)),))
        found = self.again(document).groups[0]
        assert found.associated is not None
        self.assertEqual(found.associated.raw, "2026-01-05T09:00:00.250000Z")
        self.assertIsNone(found.disassociated)

    def test_reasons(self) -> None:
        """
        A reason without a cause, or with one beyond the schema, is left out.
        """
        reasons = (Reason("a", 16, "Q.850"), Reason("b"), Reason("c", 70000))
        found = self.again(MetadataDocument(sessions=(Session("SSSS", (), reasons),)))
        self.assertEqual(found.sessions[0].reasons, reasons[:1])

    def test_anonymous(self) -> None:
        """
        A participant needs a nameID: without one it is anonymous.
        """
        (found,) = self.again(MetadataDocument(participants=(Participant("PPPP"),))).participants
        self.assertEqual(found.names[0].aor, "sip:anonymous@anonymous.invalid")

    def test_addresses(self) -> None:
        """
        What a URI cannot hold is escaped.
        """
        for aor, expected in (
            ("sip:a&b@x;user=phone", "sip:a&b@x;user=phone"),
            ("sip:a b@x", "sip:a%20b@x"),
            ("7602922411", "7602922411"),
            ("10:20", "10%3A20"),
            ("sip:50%@x", "sip:50%25@x"),
            ("sip:%41@x", "sip:%41@x"),
            ("sip:a@[2001:db8::1]", "sip:a@%5B2001:db8::1%5D"),
            ("http://host:80/x", "http://host:80/x"),
            ("//", "%2F%2F"),
        ):
            document = MetadataDocument(participants=(Participant("PPPP", (NameID(aor),)),))
            self.assertEqual(self.again(document).participants[0].names[0].aor, expected)

    def test_forbiddenCharacters(self) -> None:
        """
        What XML cannot hold becomes U+FFFD; a wrong language is left out.
        """
        name = NameID("sip:x", "a\x00b\ud800", "not a language")
        document = MetadataDocument(
            participants=(Participant("PPPP", (name,)),),
            participantSessions=(ParticipantSession("PPPP", "SSSS", params=(("a\x01", "b"),)),),
        )
        found = self.again(document)
        self.assertEqual(found.participants[0].names, (NameID("sip:x", "a\ufffdb\ufffd"),))
        self.assertEqual(found.participantSessions[0].params, (("a\ufffd", "b"),))

    def test_extensionsOutsideNamespaces(self) -> None:
        """
        Extensions of no namespace, or of ours, come back as they were; one that
        looks like another document does not confuse.
        """
        extensions = (
            Extension("", "plain", '<plain a="1"/>', (("plain@a", "1"),)),
            Extension("urn:x", "x", '<x:x xmlns:x="urn:x"/>', (("x", ""),)),
            Extension("", "recording", "<recording><b/></recording>", (("recording/b", ""),)),
        )
        found = self.again(MetadataDocument(groups=(Group("GGGG", extensions=extensions),)))
        self.assertEqual(
            {(each.namespace, each.name, each.fields) for each in found.groups[0].extensions},
            {(each.namespace, each.name, each.fields) for each in extensions},
        )
        ours = Extension(
            "urn:ietf:params:xml:ns:recording:1",
            "recording",
            '<recording xmlns="urn:ietf:params:xml:ns:recording:1"><odd/></recording>',
        )
        (found,) = [self.again(MetadataDocument(extensions=(ours,)))]
        self.assertEqual([each.name for each in found.extensions], ["recording"])

    def test_languageInExtension(self) -> None:
        """
        A language that is none would not be valid even there.
        """
        xml = '<x xmlns="urn:x" xml:lang="en"><y xml:lang="?!"/></x>'
        body = serialize(MetadataDocument(extensions=(Extension("urn:x", "x", xml),)))
        self.assertIn(b'<x xmlns="urn:x" xml:lang="en"><y/></x>', body)

    def test_brokenExtension(self) -> None:
        """
        An extension that is no XML is the caller's mistake.
        """
        document = MetadataDocument(extensions=(Extension("urn:x", "x", "<x>"),))
        self.assertRaises(etree.XMLSyntaxError, serialize, document)

    def test_A39_snapshotRequest(self) -> None:
        """
        The request of RFC 7866 section 9.2, with and without a reason, and with
        what a peer may have put into one.
        """
        body = snapshotRequest("state <lost>")
        self.assertEqual(
            body,
            b'<?xml version="1.0" encoding="UTF-8"?>\n'
            b'<requestsnapshot xmlns="urn:ietf:params:xml:ns:recording:1">'
            b'<requestreason xml:lang="en">state &lt;lost&gt;</requestreason></requestsnapshot>',
        )
        found = parseMetadata(body)
        self.assertEqual(found.requestReason, ("state <lost>", "en"))
        self.assertEqual(serialize(found), body)
        self.assertIsNone(parseMetadata(snapshotRequest("")).requestReason)
        extended = evolve(found, extensions=(Extension("urn:x", "x", '<x xmlns="urn:x"/>'),))
        self.assertEqual(len(self.again(extended).extensions), 1)

    @PROPERTY
    @given(documents)
    def test_anything(self, document: MetadataDocument) -> None:
        """
        Whatever a document holds, what is written can be read.
        """
        self.assertEqual(parseMetadata(serialize(document)).status, "ok")
