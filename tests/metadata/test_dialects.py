"""
The dialects of CONFORMANCE B.4: what each says, in one internal form.
"""

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.bind import bind
from siprec.metadata.model import MetadataDocument
from siprec.metadata.parse import parseMetadata
from siprec.metadata.vendor import vendorFields
from tests.metadata.fixtures import (
    AUDIOCODES,
    AVAYA,
    AVAYA_UPDATE,
    BARE_AMPERSAND,
    BROADWORKS,
    CISCO,
    JAMBONZ,
    METASWITCH,
    OPENSIPS,
    ORACLE,
    ORACLE_UNQUOTED,
    RIBBON,
    RIBBON_BYE,
    SEMS,
    WEBEX,
    folded,
    original,
)


@frozen
class Expected:
    """
    @ivar heard: for each label in m-line order, the address of its sender.
    """

    body: bytes
    addresses: tuple[str, ...]
    heard: dict[str, str]
    names: tuple[str | None, ...] = ()
    ucids: tuple[str, ...] = ()
    vendor: str = "generic"
    status: str = "ok"


_ORACLE = Expected(
    ORACLE,
    ("sip:5550100@192.0.2.60", "sip:5550199@192.0.2.61"),
    {"218103809": "sip:5550100@192.0.2.60", "218103810": "sip:5550199@192.0.2.61"},
    ("5550100", "5550199"),
    ("00FA080001002A5F0A1B2C", "00001000421594497836", "0001002A5F0A1B2C"),
    "oracle",
)

DIALECTS = {
    "cisco": Expected(
        CISCO,
        ("sip:4101@192.0.2.40", "sip:4102@192.0.2.40"),
        {"1": "sip:4101@192.0.2.40", "2": "sip:4102@192.0.2.40"},
        (None, "Desk 4102"),
    ),
    "oracle": _ORACLE,
    "oracle unquoted": Expected(
        ORACLE_UNQUOTED,
        _ORACLE.addresses,
        _ORACLE.heard,
        _ORACLE.names,
        _ORACLE.ucids,
        "oracle",
        "recovered",
    ),
    "ribbon": Expected(
        RIBBON,
        ("sip:+498912@sbc.example", "sip:+498913@sbc.example"),
        {"1": "sip:+498912@sbc.example", "2": "sip:+498913@sbc.example"},
        vendor="ribbon",
    ),
    "avaya": Expected(
        AVAYA_UPDATE,
        ("sip:2001@avaya.example", "sip:+15550111@avaya.example"),
        {"11": "sip:2001@avaya.example", "12": "sip:+15550111@avaya.example"},
        ("Agent One", None),
    ),
    "broadworks": Expected(
        BROADWORKS,
        ("sip:2025550101@bw.example;user=phone", "2025550102"),
        {"1": "sip:2025550101@bw.example;user=phone", "2": "2025550102"},
        vendor="broadworks",
    ),
    "audiocodes": Expected(
        AUDIOCODES,
        ("1000@ac.example", "2000@ac.example"),
        {"1": "1000@ac.example", "2": "2000@ac.example"},
        ("Front Desk", None),
        ("00010004210123456789", "0A1B2C3D4E5F60718293A4B5C6D7E8F9"),
        "audiocodes",
    ),
    "opensips": Expected(
        OPENSIPS,
        ("sip:test_user@os.example", "sip:other@os.example"),
        {"0": "sip:test_user@os.example", "1": "sip:other@os.example"},
        ("test_user", None),
    ),
    "J2": Expected(
        BARE_AMPERSAND,
        ("sip:test&user@os.example", "sip:other@os.example"),
        {"0": "sip:test&user@os.example", "1": "sip:other@os.example"},
        ("test_user", None),
        status="recovered",
    ),
    "sems": Expected(
        SEMS,
        ("sip:alice@pbx.example", "sip:+4930555@carrier.example"),
        {"a_leg": "sip:alice@pbx.example", "b_leg": "sip:+4930555@carrier.example"},
        ("Alice", None),
    ),
    "jambonz": Expected(
        JAMBONZ,
        ("sip:caller@jb.example", "sip:callee@jb.example"),
        {"a_leg": "sip:caller@jb.example", "b_leg": "sip:callee@jb.example"},
    ),
}


def addresses(document: MetadataDocument) -> dict[str, str]:
    """
    @return: the address of each participant.
    """
    return {each.id: each.names[0].aor for each in document.participants}


class DialectTests(SynchronousTestCase):
    """
    One test for each row of CONFORMANCE B.4 that sends metadata.
    """

    def _check(self, expected: Expected) -> None:
        document = parseMetadata(expected.body)
        self.assertEqual(document.status, expected.status, document.notes)
        self.assertEqual(document.mode, "complete")
        known = addresses(document)
        self.assertEqual(tuple(known.values()), expected.addresses)
        names = tuple(each.names[0].name for each in document.participants)
        self.assertEqual(names, expected.names or (None,) * len(known))
        state = folded(document)
        bindings = bind(state, list(expected.heard))
        heard = {each.label: known.get(each.participantID or "") for each in bindings}
        self.assertEqual(heard, expected.heard)
        self.assertEqual({each.confidence for each in bindings}, {"label"})
        for participation in state.participations.values():
            self.assertIsNone(participation.intervals[0].closed)
        self.assertEqual(len(state.participations), len(known))
        fields = vendorFields([], [document])
        self.assertEqual(fields["ucid"], list(expected.ucids))
        self.assertEqual(fields["type"], expected.vendor)

    def test_B4_Cisco(self) -> None:
        """
        Elements in any order; a nameID without a name; a time with fractions.
        """
        self._check(DIALECTS["cisco"])

    def test_B4_Oracle(self) -> None:
        """
        Draft namespace, C{id} and C{session} attributes, streams inside the
        participant, times without a zone, C{http:/} with one slash.
        """
        self._check(DIALECTS["oracle"])

    def test_B4_Oracle_unquoted(self) -> None:
        """
        Attributes without quotes lose nothing in the recovering pass.
        """
        self._check(DIALECTS["oracle unquoted"])
        extensions = parseMetadata(ORACLE_UNQUOTED).sessions[0].extensions
        self.assertEqual(
            extensions[-1].fields,
            (("header@label", "Diversion"), ("header/value", "<sip:7@a.example>")),
        )

    def test_B4_Ribbon(self) -> None:
        """
        C{tns:} everywhere, a capital in the mode, the session named in the
        participant; a time of 1970 harms nobody.
        """
        self._check(DIALECTS["ribbon"])

    def test_B4_Ribbon_bye(self) -> None:
        """
        Participants that have no nameID and a disassociate-time leave, and keep
        the names they had (CONFORMANCE A34).
        """
        goodbye = parseMetadata(RIBBON_BYE)
        self.assertEqual(goodbye.mode, "partial")
        state = folded(parseMetadata(RIBBON), goodbye)
        self.assertEqual(
            {each.intervals[0].cause for each in state.participations.values()}, {"stated"}
        )
        self.assertEqual({each.names[0].name for each in state.participants.values()}, {None})
        self.assertEqual(list(state.senders()), [])

    def test_B4_Avaya_update(self) -> None:
        """
        C{dataMode} in the RFC's namespace, hexadecimal identifiers, associations
        without times.
        """
        self._check(DIALECTS["avaya"])

    def test_A15_AvayaPlaceholder(self) -> None:
        """
        The first document describes one party that is no one and a stream with
        an empty identifier; the next one, without SDP, takes its place for the
        labels of the SDP before.
        """
        first, second = parseMetadata(AVAYA), parseMetadata(AVAYA_UPDATE)
        self.assertEqual((first.streams[0].id, first.streams[0].label), ("", None))
        before = bind(folded(first), ["11", "12"])
        self.assertEqual([each.confidence for each in before], ["none", "none"])
        state = folded(first, second)
        after = bind(state, ["11", "12"])
        self.assertEqual([each.confidence for each in after], ["label", "label"])
        placeholder = state.participations["6162636465660001", "00010004210123456789"]
        self.assertEqual(placeholder.intervals[0].cause, "absent-in-snapshot")

    def test_B4_BroadWorks(self) -> None:
        """
        C{recording_metadata}, addresses and streams as child elements, extension
        data that names its parent.
        """
        self._check(DIALECTS["broadworks"])
        fields = vendorFields([], [parseMetadata(BROADWORKS)])
        prefix = "ext_session_0_broadworks_broadWorksRecordingMetadata_"
        self.assertEqual(fields[prefix + "extTrackingID"], "4711:1")
        self.assertEqual(fields[prefix + "version"], "3.0")
        self.assertEqual(
            fields[prefix + "callType_origCall_callingPartyNumber"], "sip:2025550101@bw.example"
        )

    def test_B4_BroadWorks_Webex(self) -> None:
        """
        Both parties send the one stream: it has no single speaker.
        """
        document = parseMetadata(WEBEX)
        (binding,) = bind(folded(document), ["1"])
        self.assertEqual(binding.confidence, "label")
        self.assertEqual(binding.participantID, None)
        self.assertEqual(len(binding.senders), 2)
        self.assertEqual(document.streams[0].mode, "mixed")

    def test_B4_Metaswitch(self) -> None:
        """
        An identifier on the root, C{id} here and C{participant_id} there, a name
        of one blank, a number for an address, a mixed stream, extension data in
        no namespace.
        """
        document = parseMetadata(METASWITCH)
        self.assertEqual(document.recordingID, "5b000000-aaaa-11f0-9000-0a1b2c3d4e5f")
        self.assertEqual(
            list(addresses(document).values()), ["sip:2125550001@ms.example", "2125550002"]
        )
        self.assertEqual([each.names[0].name for each in document.participants], [None, None])
        (binding,) = bind(folded(document), ["1"])
        self.assertEqual(len(binding.senders), 2)
        fields = vendorFields([], [document])
        self.assertEqual(fields["type"], "metaswitch")
        self.assertEqual(
            fields["ext_recording_metaswitch_metaswitchRecordingMetadata_billingNumber"],
            "2125550001",
        )

    def test_B4_AudioCodes(self) -> None:
        """
        Legacy format with bare line ends, an empty line before the XML
        declaration (J11), and identifiers of two contact centres.
        """
        self._check(DIALECTS["audiocodes"])

    def test_B4_OpenSIPS(self) -> None:
        """
        Zones without a colon (J6), a language inside the name, label 0.
        """
        self._check(DIALECTS["opensips"])
        group = parseMetadata(OPENSIPS).groups[0]
        assert group.associated is not None
        self.assertEqual(
            str(group.associated.value), "2026-11-22 17:48:33+00:00", group.associated.raw
        )

    def test_J2_bareAmpersand(self) -> None:
        """
        An unescaped C{&} in the caller's URI leaves both participants and the
        URI whole.
        """
        self._check(DIALECTS["J2"])

    def test_B4_SEMS(self) -> None:
        """
        Plain UUIDs, names of legs as labels, a participant of both legs' session, and
        extension data at the top that belongs to no namespace.
        """
        self._check(DIALECTS["sems"])
        fields = vendorFields([], [parseMetadata(SEMS)])
        self.assertEqual(fields["ext_recording_call_id"], "7c1e@sbc.example")

    def test_B4_SEMS_jambonz(self) -> None:
        """
        Plain UUIDs, names as labels, nobody said to be in the session, extension
        data at the top.
        """
        self._check(DIALECTS["jambonz"])
        fields = vendorFields([], [parseMetadata(JAMBONZ)])
        self.assertEqual(fields["ext_recording_accountName"], "Widgets")
        self.assertEqual(fields["ext_recording_queue_name"], "sales")

    def test_B4_CiscoNBR(self) -> None:
        """
        No metadata at all: the headers say who takes part, and are kept.
        """
        headers = [("X-Cisco-Recording-Participant", 'sip:4101@192.0.2.40;media-index="0"')]
        fields = vendorFields(headers, [])
        self.assertEqual(fields["type"], "cisco")
        self.assertEqual(fields["sip_x_cisco_recording_participant"], headers[0][1])


class OriginalTests(SynchronousTestCase):
    """
    The public samples of two vendors.
    """

    def _parse(self, name: str) -> MetadataDocument:
        body = original("dialects", name)
        return parseMetadata(body[body.index(b"<?xml") : body.index(b"</recording>") + 12])

    def test_B4_Oracle_original(self) -> None:
        """
        Two parties, each on the stream it sends.
        """
        document = self._parse("acme-siprec-offer.txt")
        self.assertEqual(document.status, "ok")
        bindings = bind(folded(document), ["16777227", "16777228"])
        known = addresses(document)
        self.assertEqual(
            [known[each.participantID or ""] for each in bindings],
            ["sip:9000@192.168.50.102", "sip:1002@192.168.50.10"],
        )
        fields = vendorFields([], [document])
        self.assertEqual(fields["oracle_calling_party"], "sip:9000@192.168.50.102")

    def test_B4_Cisco_original(self) -> None:
        """
        Two parties, each on the stream it sends.
        """
        document = self._parse("cisco-siprec-offer.txt")
        self.assertEqual(document.status, "ok")
        bindings = bind(folded(document), ["1", "2"])
        known = addresses(document)
        self.assertEqual(
            [known[each.participantID or ""] for each in bindings],
            ["sip:7301@35.162.237.204", "sip:7300@35.162.237.204"],
        )
