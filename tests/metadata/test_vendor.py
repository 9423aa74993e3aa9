"""
Tests of L{siprec.metadata.vendor}: headers and extension data by vendor.
"""

import json
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.model import MetadataDocument
from siprec.metadata.parse import parseMetadata
from siprec.metadata.vendor import vendorFields
from siprec.metadata.vendortable import VENDORS
from tests.metadata.fixtures import (
    AUDIOCODES,
    BROADWORKS,
    METASWITCH,
    ORACLE,
    RIBBON,
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


class HeaderTests(SynchronousTestCase):
    """
    Fields from SIP headers.
    """

    def test_always(self) -> None:
        """
        From, To and the generic ones are there for every call, in whatever
        spelling; without anything special the vendor is generic.
        """
        found = fields(
            ("f", "<sip:a@x>;tag=1"),
            ("TO", "<sip:b@x>"),
            ("Session-ID", "11111111aaaa5bbb8ccc000000000001;remote=22222222aaaa"),
            ("P-Asserted-Identity", "<sip:a@x>"),
            ("p-asserted-identity", "<tel:+1>"),
            ("k", "timer"),
        )
        self.assertEqual(found["sip_from"], "<sip:a@x>;tag=1")
        self.assertEqual(found["sip_to"], "<sip:b@x>")
        self.assertEqual(
            found["sip_session_id"], "11111111aaaa5bbb8ccc000000000001;remote=22222222aaaa"
        )
        self.assertEqual(found["sip_p_asserted_identity"], ["<sip:a@x>", "<tel:+1>"])
        self.assertEqual(found["sip_supported"], "timer")
        self.assertEqual((found["type"], found["sip_vendor_type"]), ("generic", "generic"))
        self.assertEqual(found["ucid"], ["11111111aaaa5bbb8ccc000000000001"])
        self.assertEqual(found["sip_ucid"], found["ucid"])

    def test_empty(self) -> None:
        """
        Nothing in, nothing out but type and list.
        """
        self.assertEqual(
            fields(),
            {"type": "generic", "sip_vendor_type": "generic", "ucid": [], "sip_ucid": []},
        )

    def test_everyField(self) -> None:
        """
        Each header of each row fills its field, and is kept by its own name too.
        """
        for vendor in VENDORS:
            for key, names in vendor.fields:
                for name in names:
                    header, _, parameter = name.partition(";")
                    value = f'{parameter}="v 1"' if parameter else "v 1"
                    found = fields((header.title(), value))
                    self.assertEqual(found[key], "v 1", name)
                    self.assertEqual(found["sip_" + header.replace("-", "_")], value)

    def test_firstListedWins(self) -> None:
        """
        The order of the row decides, not that of the headers.
        """
        found = fields(("X-UCID", "2"), ("X-Avaya-UCID", "1"), ("X-OCSBC-UCID", "3"))
        self.assertEqual(found["sip_avaya_ucid"], "1")
        self.assertEqual(found["sip_oracle_ucid"], "3")

    def test_everyUCID(self) -> None:
        """
        Each header that holds a call identifier adds it to the list, once.
        """
        for vendor in VENDORS:
            for name in vendor.ucids:
                found = fields((name, "77;encoding=hex"), (name, "77"))
                self.assertEqual(found["ucid"], ["77"], name)

    def test_severalVendors(self) -> None:
        """
        A call that passed the boxes of several vendors has the fields of all.
        """
        found = fields(
            ("X-Avaya-UCID", "1"),
            ("X-Genesys-Call-UUID", "2"),
            ("Cisco-Guid", "3"),
            ("X-Nice-Agent-ID", "4"),
        )
        self.assertEqual(found["sip_avaya_ucid"], "1")
        self.assertEqual(found["sip_genesys_interaction_id"], "2")
        self.assertEqual(found["sip_cisco_guid"], "3")
        self.assertEqual(found["sip_nice_agent_id"], "4")
        self.assertEqual(found["ucid"], ["1", "3"])

    def test_everyXHeader(self) -> None:
        """
        Every C{X-} header is kept, known or not.
        """
        found = fields(("X-Whatever-It-Is", "1"), ("X-ANI", "2"), ("Unknown", "3"))
        self.assertEqual((found["sip_x_whatever_it_is"], found["sip_x_ani"]), ("1", "2"))
        self.assertNotIn("sip_unknown", found)

    def test_chargingVector(self) -> None:
        """
        Its parameters are kept; its icid stands in for a missing identifier.
        """
        found = fields(("P-Charging-Vector", 'icid-value="ab;c";orig-ioi=home.example'))
        self.assertEqual(found["pcv_icid_value"], "ab;c")
        self.assertEqual(found["pcv_orig_ioi"], "home.example")
        self.assertEqual(found["sip_oracle_ucid"], "ab;c")
        self.assertEqual(found["sip_huawei_session_id"], "ab;c")
        self.assertEqual(found["type"], "generic")
        self.assertNotIn("sip_oracle_ucid", fields(("P-Charging-Vector", "icid-generated-at=1")))

    def test_userToUser(self) -> None:
        """
        User-to-User is decoded where it says so, and its identifiers are found;
        several values are a list (RFC 7433).
        """
        self.assertEqual(fields(("User-to-User", "48656C6C6F;encoding=hex"))["sip_uui"], "Hello")
        found = fields(
            ("X-User-to-User", f"04FA08{_UCID};encoding=hex"),
            ("User-To-User", '"a,b", 48656C6C6F;encoding=hex'),
        )
        self.assertEqual(found["sip_uui"], ['"a,b"', "Hello", f"04FA08{_UCID};encoding=hex"])
        self.assertEqual(found["ucid"], [_DECIMAL, _UCID])
        self.assertEqual(found["type"], "avaya")

    def test_nilSession(self) -> None:
        """
        The nil Session-ID (RFC 7989 section 5) identifies nothing.
        """
        self.assertEqual(fields(("Session-ID", "0" * 32 + ";remote=1"))["ucid"], [])

    def test_octets(self) -> None:
        """
        Octets that are no UTF-8 come out as characters that can be stored.
        """
        value = b"J\xfcrgen".decode("utf-8", "surrogateescape")
        found = fields(("X-Name", value))
        self.assertEqual(found["sip_x_name"], "Jürgen")
        json.dumps(found, ensure_ascii=False).encode("utf-8")


class DetectionTests(SynchronousTestCase):
    """
    The vendor of the recording client.
    """

    def type(self, *headers: tuple[str, str], documents: Sequence[MetadataDocument] = ()) -> object:
        return fields(*headers, documents=documents)["type"]

    def test_userAgents(self) -> None:
        """
        Products by their tokens.
        """
        for agent, expected in (
            ("Avaya-SBCE/8.1", "avaya"),
            ("Aura Session Manager", "avaya"),
            ("Session Manager 8", "avaya"),
            ("Cisco-SIPGateway/IOS-16.9.1", "cisco"),
            ("CiscoSystemsSIP-GW-UserAgent", "cisco"),
            ("Acme Packet 4600", "oracle"),
            ("Oracle SBC", "oracle"),
            ("Genesys/8", "genesys"),
            ("PureCloud/1", "genesys"),
            ("NICE", "nice"),
            ("NICE Engage Recording 7", "nice"),
            ("nice/2", "nice"),
            ("NTR/5.2", "nice"),
            ("Asterisk PBX 20.5", "asterisk"),
            ("FPBX-16.0.33(18.9)", "asterisk"),
            ("FreeSWITCH-mod_sofia/1.10.9", "freeswitch"),
            ("OpenSIPS (3.4.2 (x86_64/linux))", "opensips"),
            ("kamailio (5.5.2 (x86_64/linux))", "opensips"),
            ("Mediant 800B/v.7.20A", "audiocodes"),
            ("AudioCodes-Sip-Gateway", "audiocodes"),
            ("Sonus-SBC", "ribbon"),
            ("SBC Edge 1000", "ribbon"),
            ("SWe Lite", "ribbon"),
            ("VSXi", "sansay"),
            ("USG6000/1", "huawei"),
            ("Microsoft.PSTNHub.SIPProxy v.2026", "microsoft"),
            ("BroadWorks/24", "broadworks"),
            ("Perimeta/4", "metaswitch"),
            ("gateway/1 Oracle/9", "oracle"),
        ):
            self.assertEqual(self.type(("User-Agent", agent)), expected, agent)
            self.assertEqual(self.type(("Server", agent)), expected, agent)

    def test_freeText(self) -> None:
        """
        A word in free text is no product.
        """
        for agent in (
            "A very nice phone",
            "Nice phone/1.0",
            "Venice/1.0",
            "docsis/1",
            "phone (made for Cisco)",
            "Teamspeak/3",
            "auraphone/1",
            "my avaya like phone",
            "",
        ):
            self.assertEqual(self.type(("User-Agent", agent)), "generic", agent)

    def test_headers(self) -> None:
        """
        A header of the vendor's own speaks for it.
        """
        for header, expected in (
            ("X-Avaya-Anything", "avaya"),
            ("Sigma-UUI-A", "avaya"),
            ("X-Cisco-Recording-Participant", "cisco"),
            ("P-OCSBC-UCID", "oracle"),
            ("X-Inin-IC-UserID", "genesys"),
            ("X-CXone-Contact-ID", "nice"),
            ("X-ARI-Channel", "asterisk"),
            ("X-FS-UUID", "freeswitch"),
            ("X-Kamailio-Dialog-ID", "opensips"),
            ("X-AUDC-Call-ID", "audiocodes"),
            ("X-Genband-Call-ID", "ribbon"),
            ("X-VSXi-Call-ID", "sansay"),
            ("X-eSpace-Id", "huawei"),
            ("ms-conversation-id", "microsoft"),
        ):
            self.assertEqual(self.type((header, "1")), expected, header)

    def test_sharedHeaders(self) -> None:
        """
        A header that several use speaks for none: above all a Session-ID, which
        is everybody's (RFC 7989).
        """
        for header in ("Session-ID", "X-UCID", "X-Conversation-ID", "X-Interaction-ID"):
            self.assertEqual(self.type((header, "1")), "generic", header)

    def test_avaya(self) -> None:
        """
        Two more signs of an Avaya system.
        """
        self.assertEqual(self.type(("m", "<sip:a@x>;+av.sip.iptolerance")), "avaya")
        self.assertEqual(self.type(("User-to-User", f"04FA08{_UCID}")), "avaya")
        self.assertEqual(self.type(("User-to-User", f"00FA08{_UCID}")), "generic")

    def test_extensionData(self) -> None:
        """
        The namespace of extension data, not its prefix.
        """
        for body, expected in (
            (ORACLE, "oracle"),
            (RIBBON, "ribbon"),
            (BROADWORKS, "broadworks"),
            (METASWITCH, "metaswitch"),
            (AUDIOCODES, "audiocodes"),
        ):
            self.assertEqual(self.type(documents=[parseMetadata(body)]), expected)
        prefix = recording('<apkt:x xmlns:apkt="http://example.com/"/>')
        self.assertEqual(self.type(documents=[prefix]), "generic")

    def test_order(self) -> None:
        """
        What the client says of itself counts before what has passed through it.
        """
        oracle = [parseMetadata(ORACLE)]
        avaya = ("X-Avaya-UCID", "1")
        self.assertEqual(self.type(avaya, documents=oracle), "oracle")
        self.assertEqual(self.type(avaya, ("User-Agent", "Cisco/1"), documents=oracle), "cisco")
