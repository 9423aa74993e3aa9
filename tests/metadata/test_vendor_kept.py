"""
Tests of L{siprec.metadata.vendor}: extension data, and headers as they came.
"""

import json
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.model import MetadataDocument
from siprec.metadata.parse import parseMetadata
from siprec.metadata.vendor import keptHeaders, vendorFields, withEarlier
from tests.metadata.fixtures import (
    AUDIOCODES,
    AVAYA_UPDATE,
    ORACLE,
    partial,
    recording,
)

_UCID = "0001002A5F0A1B2C"
_DECIMAL = "00001000421594497836"


def fields(
    *headers: tuple[str, str],
    documents: Sequence[MetadataDocument] = (),
    exclude: Sequence[str] = (),
) -> dict[str, object]:
    """
    @return: what is found in these headers and documents.
    """
    return vendorFields(headers, documents, exclude)


class ExtensionTests(SynchronousTestCase):
    """
    Fields from extension data.
    """

    def test_oracle(self) -> None:
        """
        The UCID without its encoding and in decimal, the origin, and who calls.
        """
        found = fields(documents=[parseMetadata(ORACLE)])
        self.assertEqual(found["sip_oracle_ucid"], f"00FA08{_UCID}")
        self.assertEqual(found["ucid"], [f"00FA08{_UCID}", _DECIMAL, _UCID])
        self.assertEqual(found["oracle_caller_orig"], "true")
        self.assertEqual(found["oracle_calling_party"], "sip:5550100@192.0.2.60")
        self.assertEqual(found["oracle_calling_party_id"], "cGFydHktb25lLW9mLXNiYw==")
        self.assertEqual(found["ext_session_0_oracle_request-uri"], "sip:8000@sbc.example")
        self.assertEqual(found["ext_session_0_oracle_header_label"], "Diversion")
        self.assertEqual(found["ext_session_0_oracle_header_value"], "<sip:7@a.example>")
        self.assertEqual(found["ext_participant_1_oracle_callingParty"], "false")

    def test_oracleWithoutAddress(self) -> None:
        """
        A calling party without an address is what the element says.
        """
        document = recording(
            '<participant participant_id="P"><callingParty '
            'xmlns="http://acmepacket.com/siprec/extensiondata">+49</callingParty></participant>'
        )
        found = fields(documents=[document])
        self.assertEqual(found["oracle_calling_party"], "+49")
        self.assertEqual(found["oracle_calling_party_id"], "P")

    def test_oracleHeaderBeforeXML(self) -> None:
        """
        A header of the call wins over the document; the list has both.
        """
        found = fields(("X-OCSBC-UCID", "9"), documents=[parseMetadata(ORACLE)])
        self.assertEqual(found["sip_oracle_ucid"], "9")
        self.assertEqual(found["ucid"], ["9", f"00FA08{_UCID}", _DECIMAL, _UCID])

    def test_audioCodes(self) -> None:
        """
        Identifiers of the contact centre behind the box.
        """
        found = fields(documents=[parseMetadata(AUDIOCODES)])
        self.assertEqual(found["sip_avaya_ucid"], "00010004210123456789")
        self.assertEqual(found["sip_genesys_interaction_id"], "0A1B2C3D4E5F60718293A4B5C6D7E8F9")

    def test_avayaSession(self) -> None:
        """
        The session of an Avaya system has the call's UCID for its name; that of others
        may look the same.
        """
        documents = [parseMetadata(AVAYA_UPDATE)]
        found = vendorFields([("User-Agent", "Avaya-SBC/8.1")], documents)
        self.assertEqual(found["ucid"], ["00010004210123456789"])
        self.assertEqual(found["sip_avaya_ucid"], "00010004210123456789")
        self.assertEqual(vendorFields([], documents)["ucid"], [])

    def test_nice(self) -> None:
        """
        Local names in NICE's namespace, or with its name in front anywhere.
        """
        document = recording(
            '<session session_id="S"><n:data xmlns:n="http://schemas.nice.com/x">'
            '<n:InteractionId>1</n:InteractionId><n:ucid a="x">2</n:ucid></n:data>'
            '<nice_call_id xmlns="urn:other">3</nice_call_id>'
            '<agentId xmlns="urn:other">4</agentId><NiceAgentID xmlns="urn:other"/></session>'
        )
        found = fields(documents=[document])
        self.assertEqual(found["nice_interaction_id"], "1")
        self.assertEqual(found["nice_ucid"], "2")
        self.assertEqual(found["ucid"], ["2"])
        self.assertEqual(found["nice_call_id"], "3")
        self.assertNotIn("nice_agent_id", found)

    def test_generic(self) -> None:
        """
        Extension data of any parent, flattened; what comes twice is numbered.
        """
        e = '<e xmlns="urn:e" a="1"><f>2</f><f>3</f><g/></e>'
        document = recording(
            f'<group group_id="G">{e}</group><session session_id="S"/>'
            f'<session session_id="S2">{e}</session><stream stream_id="T">{e}</stream>'
            f'<sessionrecordingassoc session_id="S">{e}</sessionrecordingassoc>'
        )
        found = fields(documents=[document])
        for prefix in ("group_0", "session_1", "stream_0", "recsession_0"):
            self.assertEqual(
                {key: value for key, value in found.items() if key.startswith(f"ext_{prefix}")},
                {
                    f"ext_{prefix}_e_a": "1",
                    f"ext_{prefix}_e_f": "2",
                    f"ext_{prefix}_e_f_2": "3",
                    f"ext_{prefix}_e_g": "",
                },
            )

    def test_laterDocument(self) -> None:
        """
        A later document overrides what it repeats and adds to the rest.
        """
        one = recording('<group group_id="G"><a xmlns="urn:e">1</a><b xmlns="urn:e">1</b></group>')
        two = partial('<group group_id="G"><a xmlns="urn:e">2</a></group>')
        found = fields(documents=[one, two])
        self.assertEqual((found["ext_group_0_a"], found["ext_group_0_b"]), ("2", "1"))


class KeptHeaderTests(SynchronousTestCase):
    """
    Headers as they came.
    """

    headers = (
        ("Via", "SIP/2.0/UDP 192.0.2.1"),
        ("v", "SIP/2.0/UDP 192.0.2.2"),
        ("Route", "<sip:r>"),
        ("Record-Route", "<sip:r>"),
        ("Max-Forwards", "70"),
        ("CSeq", "1 INVITE"),
        ("Content-Type", "application/sdp"),
        ("l", "0"),
        ("Authorization", "Digest secret"),
        ("Proxy-Authorization", "Digest secret"),
        ("f", "<sip:a@x>"),
        ("Diversion", "<sip:b@x>"),
        ("DIVERSION", "<sip:c@x>"),
        ("X-Card-Number", "4111"),
        ("x-agent", "7"),
    )

    def test_kept(self) -> None:
        """
        Everything that the SIP layer does not consume, under the name received
        first, with every value.
        """
        self.assertEqual(
            keptHeaders(self.headers),
            {
                "From": ["<sip:a@x>"],
                "Diversion": ["<sip:b@x>", "<sip:c@x>"],
                "X-Card-Number": ["4111"],
                "x-agent": ["7"],
            },
        )

    def test_exclude(self) -> None:
        """
        Names and patterns, without regard to case, compact forms included.
        """
        self.assertEqual(
            keptHeaders(self.headers, ["x-card-*", "DIVERSION", "from"]), {"x-agent": ["7"]}
        )
        self.assertEqual(
            list(keptHeaders(self.headers, ["X-?gent"])), ["From", "Diversion", "X-Card-Number"]
        )

    def test_excludedFields(self) -> None:
        """
        What must not be stored is in no field either, whether it is named as a
        header or as a field (RFC 7865 section 10).
        """
        found = fields(
            *self.headers,
            ("X-Avaya-UCID", "1"),
            documents=[parseMetadata(ORACLE)],
            exclude=["x-card-*", "X-Avaya-*", "from", "ext_*", "Oracle_Calling_*"],
        )
        self.assertEqual(
            sorted(found),
            [
                "oracle_caller_orig",
                "sip_oracle_ucid",
                "sip_ucid",
                "sip_vendor_type",
                "sip_x_agent",
                "type",
                "ucid",
            ],
        )
        self.assertNotIn("4111", json.dumps(found))


class EarlierTests(SynchronousTestCase):
    """
    What was found before what is at hand now.
    """

    def test_nothing(self) -> None:
        """
        Without anything earlier there is what was found.
        """
        found = vendorFields([("User-Agent", "x")], [])
        self.assertEqual(withEarlier({}, found), found)

    def test_merged(self) -> None:
        """
        Identifiers add up, each once; the later field overrides; a vendor that
        was recognised stays until another one is.
        """
        before = {"type": "oracle", "ucid": ["1", "2"], "sip_x_a": "old", "ext_b": "kept"}
        merged = withEarlier(before, {"type": "generic", "ucid": ["2", "3"], "sip_x_a": "new"})
        self.assertEqual(
            merged,
            {"type": "oracle", "ucid": ["1", "2", "3"], "sip_x_a": "new", "ext_b": "kept"},
        )
        self.assertEqual(withEarlier(before, {"type": "cisco"})["type"], "cisco")
