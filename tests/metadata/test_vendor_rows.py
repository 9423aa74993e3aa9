"""
Which header fills which field, vendor by vendor, as the vendors document it; written
down once more, so that a row that is changed by mistake shows.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.metadata.vendor import keptHeaders, vendorFields
from siprec.metadata.vendortable import VENDORS

#: Key and headers, the first one first.
ROWS = """
sip_avaya_ucid: x-avaya-ucid x-ucid
sip_avaya_conf_id: x-avaya-conf-id
sip_avaya_station_id: x-avaya-station-id
sip_avaya_agent_id: x-avaya-agent-id
sip_avaya_vdn: x-avaya-vdn
sip_avaya_conversation_id: x-avaya-interaction-id x-avaya-conversation-id x-avaya-sm-session-id
sip_avaya_skill_group: x-avaya-skill-group x-avaya-skill
sip_sigma_uui_a: sigma-uui-a
sip_cisco_session_id: session-id
sip_oracle_ucid: x-ocsbc-ucid x-oracle-ucid p-ocsbc-ucid x-ucid
sip_oracle_conversation_id: x-ocsbc-conversation-id x-oracle-conversation-id
sip_oracle_conversation_id: p-ocsbc-conversation-id x-conversation-id
sip_genesys_interaction_id: x-genesys-interaction-id x-interaction-id x-inin-interaction-id
sip_genesys_interaction_id: x-genesys-call-uuid
sip_genesys_conversation_id: x-genesys-conversation-id x-conversation-id
sip_genesys_session_id: x-genesys-session-id x-gvp-session-id
sip_genesys_queue_name: x-genesys-queue-name x-genesys-queue x-inin-ic-workgroup
sip_genesys_agent_id: x-genesys-agent-id x-inin-ic-userid
sip_genesys_campaign_id: x-genesys-campaign-id
sip_nice_interaction_id: x-nice-interaction-id x-incontact-contact-id x-cxone-contact-id
sip_nice_interaction_id: x-engage-call-id
sip_nice_session_id: x-nice-session-id x-ntr-session-id
sip_nice_recording_id: x-nice-recording-id x-engage-recording-id
sip_nice_call_id: x-nice-call-id x-ntr-call-id
sip_nice_contact_id: x-incontact-contact-id x-cxone-contact-id x-incontact-master-contact-id
sip_nice_contact_id: x-cxone-master-contact-id
sip_nice_agent_id: x-nice-agent-id x-incontact-agent-id x-cxone-agent-id
sip_asterisk_unique_id: x-asterisk-unique-id x-asterisk-uniqueid
sip_asterisk_linked_id: x-asterisk-linkedid x-asterisk-linked-id
sip_asterisk_channel_id: x-asterisk-channel x-asterisk-channel-name
sip_asterisk_account_code: x-asterisk-accountcode x-asterisk-account-code
sip_asterisk_account_code: x-asterisk-cdr-accountcode
sip_asterisk_context: x-asterisk-context
sip_freeswitch_uuid: x-fs-uuid x-fs-unique-id x-freeswitch-uuid x-fs-call-uuid
sip_freeswitch_core_uuid: x-fs-core-uuid x-freeswitch-core-uuid
sip_freeswitch_channel_name: x-fs-channel-name x-freeswitch-channel-name
sip_freeswitch_profile_name: x-fs-profile-name x-freeswitch-profile-name x-fs-sofia-profile
sip_freeswitch_account_code: x-fs-accountcode x-fs-account-code x-freeswitch-accountcode
sip_opensips_dialog_id: x-opensips-dialog-id x-opensips-did x-kamailio-dialog-id
sip_opensips_transaction_id: x-opensips-transaction-id x-opensips-tid x-kamailio-transaction-id
sip_opensips_call_id: x-opensips-call-id x-opensips-th-callid
sip_audiocodes_session_id: x-ac-session-id x-audiocodes-session-id
sip_audiocodes_call_id: x-ac-call-id
sip_audiocodes_ac_action: x-ac-action
sip_ribbon_session_id: x-ribbon-session-id x-sonus-session-id x-genband-session-id
sip_ribbon_call_id: x-ribbon-call-id x-sonus-call-id x-genband-call-id
sip_ribbon_gw_id: x-ribbon-gw-id x-sonus-gw-id
sip_sansay_session_id: x-sansay-session-id x-vsxi-session-id
sip_sansay_call_id: x-sansay-call-id x-vsxi-call-id
sip_sansay_trunk_id: x-sansay-trunk-id x-sansay-ingress-trunk
sip_huawei_session_id: x-huawei-session-id x-huawei-icid
sip_huawei_call_id: x-huawei-call-id
sip_huawei_trunk_id: x-huawei-trunk-id x-huawei-trunk-group
sip_ms_conversation_id: ms-conversation-id x-ms-conversation-id x-ms-skype-chain-id
sip_ms_call_id: x-ms-call-id x-ms-teams-call-id
sip_ms_correlation_id: x-ms-correlation-id
"""

#: Headers that hold a call identifier across systems.
UCIDS = """
x-avaya-ucid x-ucid x-avaya-conf-id x-avaya-cm-call-id x-avaya-interaction-id
session-id cisco-guid x-ocsbc-ucid x-oracle-ucid p-ocsbc-ucid x-ac-avaya-ucid
"""

#: Generic headers, kept whoever sends them.
GENERIC = """
X-Call-ID X-Original-Call-ID X-Correlation-ID X-Transaction-ID X-Customer-ID X-Account-ID
X-Agent-ID X-Queue-ID X-Campaign-ID X-Recording-ID X-Session-ID X-Tenant-ID X-Application-ID
X-Custom-Data X-Metadata X-Call-Type X-Call-Direction X-ANI X-DNIS X-Called-Number
X-Calling-Number X-Redirect-Number X-Original-Called-Number X-Diversion-Reason
P-Asserted-Identity Remote-Party-ID P-Preferred-Identity Privacy Supported Require
"""

#: Families of headers, and others that stay in the manifest.
FAMILIES = """
P-Anything Remote-Party-ID Diversion History-Info Privacy Reason User-to-User Session-ID
x-avaya-a x-cisco-a x-ocsbc-a x-genesys-a x-inin-a x-gvp-a x-nice-a x-asterisk-a x-ari-a
x-pjsip-a x-fpbx-a x-fs-a x-freeswitch-a x-sofia-a x-opensips-a x-kamailio-a x-ac-a x-ribbon-a
x-sonus-a x-genband-a x-sansay-a x-vsxi-a x-huawei-a x-espace-a x-ms-a ms-a
"""

#: User-Agent, and the vendor it is of.
AGENTS = """
avaya: Avaya-SBC/8.1|Aura Session Manager|session manager/1
cisco: Cisco-SIPGateway/IOS-17|CUBE/1.0|CCM/12|CUCM/14
oracle: Oracle SBC/9|Acme Packet/6|OCSBC/1|ESBC/1
genesys: Genesys/8|PureConnect/1|PureCloud/1|PureEngage/1|GVP/9|ININ/1
nice: NICE/6|NTR/1|inContact/1|CXone/1|Engage Recording/1|Nexidia/1|Actimize/1
asterisk: Asterisk PBX/18
freeswitch: FreeSWITCH/1.10
opensips: OpenSIPS/3.4|kamailio/5.7
audiocodes: AudioCodes/7|Mediant VE/7.4
ribbon: Sonus/1|GENBAND/1|SBC Edge/1|SBC Core/1|SWe Lite/1
sansay: VSXi/1
huawei: eSpace/1|USG/1|Eudemon/1
microsoft: Teams/1|Skype/1|Lync/1|UCMA/5
"""


# Vendors whose fields do not have their whole name.
_TYPES = {"ms": "microsoft", "sigma": "avaya"}


class RowTests(SynchronousTestCase):
    """
    The table, row by row.
    """

    def rows(self) -> list[tuple[str, list[str]]]:
        """
        @return: each key once, with all its headers in order.
        """
        found: dict[str, list[str]] = {}
        for line in ROWS.strip().splitlines():
            key, _, names = line.partition(": ")
            found.setdefault(key, []).extend(names.split())
        return list(found.items())

    def test_eachHeader(self) -> None:
        """
        Each header of a row alone fills its field, however its name is spelled.
        """
        for key, names in self.rows():
            for name in names:
                for spelled in (name, name.title(), name.upper()):
                    self.assertEqual(vendorFields([(spelled, "v")], [])[key], "v", (key, name))

    def test_firstListedWins(self) -> None:
        """
        Of several the first one listed counts, whatever their order in the message.
        """
        for key, names in self.rows():
            headers = [(name, name) for name in reversed(names)]
            self.assertEqual(vendorFields(headers, [])[key], names[0], key)

    def test_complete(self) -> None:
        """
        Each field of the program is one of these rows, but for the one that Cisco's GUID
        has beside the list of identifiers.
        """
        keys = {key for vendor in VENDORS for key, _ in vendor.fields}
        self.assertEqual(keys - {key for key, _ in self.rows()}, {"sip_cisco_guid"})

    def test_chargingVector(self) -> None:
        """
        The icid of a P-Charging-Vector stands in for the fields of two vendors.
        """
        found = vendorFields([("P-Charging-Vector", "icid-value=7;orig-ioi=home")], [])
        for key in ("sip_oracle_ucid", "sip_huawei_session_id", "pcv_icid_value"):
            self.assertEqual(found[key], "7")
        self.assertEqual(found["pcv_orig_ioi"], "home")

    def test_UCIDs(self) -> None:
        """
        Each of these headers adds to the identifiers across systems.
        """
        for name in UCIDS.split():
            self.assertEqual(vendorFields([(name, "77")], [])["sip_ucid"], ["77"], name)
        uui = ("User-to-User", "04FA080001002A5F0A1B2C;encoding=hex")
        self.assertIn("0001002A5F0A1B2C", str(vendorFields([uui], [])["sip_ucid"]))

    def test_generic(self) -> None:
        """
        These are kept as C{sip_} and their name.
        """
        for name in GENERIC.split():
            key = "sip_" + name.lower().replace("-", "_")
            self.assertEqual(vendorFields([(name, "v")], [])[key], "v", name)

    def test_passthrough(self) -> None:
        """
        Nothing that the SIP layer does not consume is thrown away; what local policy
        forbids is neither kept nor used.
        """
        for name in FAMILIES.split():
            self.assertEqual(keptHeaders([(name, "v")]), {name: ["v"]})
            self.assertEqual(keptHeaders([(name, "v")], [name.lower()]), {})
            excluded = vendorFields([(name, "v")], [], [name])
            self.assertNotIn("v", [*excluded.values()], name)

    def test_agents(self) -> None:
        """
        Each vendor's product tokens, and no vendor's in free text.
        """
        for line in AGENTS.strip().splitlines():
            vendor, _, agents = line.partition(": ")
            for agent in agents.split("|"):
                found = vendorFields([("User-Agent", agent)], [])
                self.assertEqual(found["sip_vendor_type"], vendor, agent)
        for free in ("a nice office", "docs/1", "Service/1"):
            self.assertEqual(vendorFields([("User-Agent", free)], [])["type"], "generic")

    def test_evidence(self) -> None:
        """
        A vendor's own header tells it too; the Session-ID of RFC 7989 is everybody's.
        """
        for key, names in self.rows():
            vendor = key.split("_")[1]
            for name in names:
                if vendor in name.split("-"):
                    found = vendorFields([(name, "v")], [])["type"]
                    self.assertEqual(found, _TYPES.get(vendor, vendor), name)
        self.assertEqual(vendorFields([("Session-ID", "v")], [])["type"], "generic")
        contact = ("Contact", "<sip:a@x;av.sip.iptolerance=1>")
        self.assertEqual(vendorFields([contact], [])["type"], "avaya")
