"""
What each vendor's equipment says of a call, as data.

Header names are in lower case.  The rows only say where to look:
L{siprec.metadata.vendor} runs all of them over every call, because a call may
have passed the boxes of several vendors.
"""

import re

from attrs import frozen

__all__ = ["GENERIC_HEADERS", "NICE_NAMES", "VENDORS", "XML_FIELDS", "Vendor"]


@frozen
class Vendor:
    """
    @ivar type: the value of C{type} for this vendor, and the middle part of the
        keys of its extension data.
    @ivar agent: matches from the first letter of a product in User-Agent or
        Server, in lower case: product tokens, never free text.
    @ivar evidence: beginnings of header names that only this vendor uses.
    @ivar namespace: matches the XML namespace of its extension data, in lower
        case; or, after a C{#}, the local name of an element without one.
    @ivar fields: key and the headers it is taken from, the first one present
        counts.
    @ivar ucids: headers that hold a call identifier across systems.
    """

    type: str
    agent: re.Pattern[str]
    evidence: tuple[str, ...] = ()
    namespace: re.Pattern[str] | None = None
    fields: tuple[tuple[str, tuple[str, ...]], ...] = ()
    ucids: tuple[str, ...] = ()


def _words(*tokens: str) -> re.Pattern[str]:
    """
    @return: matches a product that is, or begins with, one of these words.
    """
    return re.compile(rf"(?:{'|'.join(tokens)})(?![a-z])")


def _host(*hosts: str) -> re.Pattern[str]:
    """
    @return: matches a namespace with one of these as host, or the end of it.
    """
    alternatives = "|".join(re.escape(host) for host in hosts)
    return re.compile(rf"(?:https?:/{{1,2}})(?:[\w-]+\.)*(?:{alternatives})(?:[:/].*)?")


def _each(pattern: str, *vendors: str) -> tuple[str, ...]:
    return tuple(pattern.format(vendor) for vendor in vendors)


_RIBBON = ("ribbon", "sonus", "genband")

#: In order of preference where several show in the same way.
VENDORS = (
    Vendor(
        "avaya",
        _words("avaya", "aura", "session manager"),
        ("x-avaya-", "sigma-uui-"),
        _host("avaya.com"),
        (
            ("sip_avaya_ucid", ("x-avaya-ucid", "x-ucid")),
            ("sip_avaya_conf_id", ("x-avaya-conf-id",)),
            ("sip_avaya_station_id", ("x-avaya-station-id",)),
            ("sip_avaya_agent_id", ("x-avaya-agent-id",)),
            ("sip_avaya_vdn", ("x-avaya-vdn",)),
            (
                "sip_avaya_conversation_id",
                ("x-avaya-interaction-id", "x-avaya-conversation-id", "x-avaya-sm-session-id"),
            ),
            ("sip_avaya_skill_group", ("x-avaya-skill-group", "x-avaya-skill")),
            ("sip_sigma_uui_a", ("sigma-uui-a",)),
        ),
        (
            "x-avaya-ucid",
            "x-ucid",
            "x-avaya-conf-id",
            "x-avaya-cm-call-id",
            "x-avaya-interaction-id",
        ),
    ),
    Vendor(
        "cisco",
        _words("cisco[a-z]*", "cube", "ccm", "cucm"),
        ("x-cisco-", "cisco-guid"),
        _host("cisco.com"),
        (("sip_cisco_session_id", ("session-id",)), ("sip_cisco_guid", ("cisco-guid",))),
        ("session-id", "cisco-guid"),
    ),
    Vendor(
        "oracle",
        _words("oracle", "acme packet", "acmepacket", "ocsbc", "esbc"),
        ("x-ocsbc-", "x-oracle-", "p-ocsbc-"),
        _host("acmepacket.com"),
        (
            (
                "sip_oracle_ucid",
                (
                    "x-ocsbc-ucid",
                    "x-oracle-ucid",
                    "p-ocsbc-ucid",
                    "x-ucid",
                    "p-charging-vector;icid-value",
                ),
            ),
            (
                "sip_oracle_conversation_id",
                (
                    "x-ocsbc-conversation-id",
                    "x-oracle-conversation-id",
                    "p-ocsbc-conversation-id",
                    "x-conversation-id",
                ),
            ),
        ),
        ("x-ocsbc-ucid", "x-oracle-ucid", "p-ocsbc-ucid"),
    ),
    Vendor(
        "genesys",
        _words("genesys", "pureconnect", "purecloud", "pureengage", "gvp", "inin"),
        ("x-genesys-", "x-inin-", "x-gvp-"),
        _host("genesys.com", "genesyslab.com", "inin.com"),
        (
            (
                "sip_genesys_interaction_id",
                (
                    "x-genesys-interaction-id",
                    "x-interaction-id",
                    "x-inin-interaction-id",
                    "x-genesys-call-uuid",
                    "x-genesys-calluuid",
                ),
            ),
            ("sip_genesys_conversation_id", ("x-genesys-conversation-id", "x-conversation-id")),
            ("sip_genesys_session_id", ("x-genesys-session-id", "x-gvp-session-id")),
            (
                "sip_genesys_queue_name",
                ("x-genesys-queue-name", "x-genesys-queue", "x-inin-ic-workgroup"),
            ),
            ("sip_genesys_agent_id", ("x-genesys-agent-id", "x-inin-ic-userid")),
            ("sip_genesys_campaign_id", ("x-genesys-campaign-id",)),
        ),
    ),
    Vendor(
        "nice",
        # The word alone could begin any text: only with a version or a product.
        re.compile(
            r"nice(?:$|/|[ -](?:engage|recording|interaction|systems|trading|uptivity|ntr)\b)"
            r"|(?:ntr|incontact|cxone|engage recording|nexidia|actimize)(?![a-z])"
        ),
        ("x-nice-", "x-ntr-", "x-incontact-", "x-cxone-", "x-engage-"),
        _host("nice.com", "incontact.com", "niceincontact.com", "cxone.com", "nexidia.com"),
        (
            (
                "sip_nice_interaction_id",
                (
                    "x-nice-interaction-id",
                    "x-incontact-contact-id",
                    "x-cxone-contact-id",
                    "x-engage-call-id",
                ),
            ),
            ("sip_nice_session_id", ("x-nice-session-id", "x-ntr-session-id")),
            ("sip_nice_recording_id", ("x-nice-recording-id", "x-engage-recording-id")),
            ("sip_nice_call_id", ("x-nice-call-id", "x-ntr-call-id")),
            (
                "sip_nice_contact_id",
                (
                    "x-incontact-contact-id",
                    "x-cxone-contact-id",
                    "x-incontact-master-contact-id",
                    "x-cxone-master-contact-id",
                ),
            ),
            (
                "sip_nice_agent_id",
                ("x-nice-agent-id", "x-incontact-agent-id", "x-cxone-agent-id"),
            ),
        ),
        ("x-nice-ucid",),
    ),
    Vendor(
        "asterisk",
        _words("asterisk", "fpbx", "freepbx"),
        ("x-asterisk-", "x-ari-", "x-pjsip-", "x-fpbx-"),
        None,
        (
            ("sip_asterisk_unique_id", ("x-asterisk-unique-id", "x-asterisk-uniqueid")),
            ("sip_asterisk_linked_id", ("x-asterisk-linkedid", "x-asterisk-linked-id")),
            ("sip_asterisk_channel_id", ("x-asterisk-channel", "x-asterisk-channel-name")),
            (
                "sip_asterisk_account_code",
                (
                    "x-asterisk-accountcode",
                    "x-asterisk-account-code",
                    "x-asterisk-cdr-accountcode",
                ),
            ),
            ("sip_asterisk_context", ("x-asterisk-context",)),
        ),
    ),
    Vendor(
        "freeswitch",
        _words("freeswitch"),
        ("x-fs-", "x-freeswitch-", "x-sofia-"),
        None,
        (
            (
                "sip_freeswitch_uuid",
                ("x-fs-uuid", "x-fs-unique-id", "x-freeswitch-uuid", "x-fs-call-uuid"),
            ),
            ("sip_freeswitch_core_uuid", ("x-fs-core-uuid", "x-freeswitch-core-uuid")),
            ("sip_freeswitch_channel_name", ("x-fs-channel-name", "x-freeswitch-channel-name")),
            (
                "sip_freeswitch_profile_name",
                ("x-fs-profile-name", "x-freeswitch-profile-name", "x-fs-sofia-profile"),
            ),
            (
                "sip_freeswitch_account_code",
                ("x-fs-accountcode", "x-fs-account-code", "x-freeswitch-accountcode"),
            ),
        ),
    ),
    Vendor(
        "opensips",
        _words("opensips", "kamailio", "openser"),
        ("x-opensips-", "x-kamailio-"),
        None,
        (
            (
                "sip_opensips_dialog_id",
                ("x-opensips-dialog-id", "x-opensips-did", "x-kamailio-dialog-id"),
            ),
            (
                "sip_opensips_transaction_id",
                ("x-opensips-transaction-id", "x-opensips-tid", "x-kamailio-transaction-id"),
            ),
            ("sip_opensips_call_id", ("x-opensips-call-id", "x-opensips-th-callid")),
        ),
    ),
    Vendor(
        "audiocodes",
        _words("audiocodes", "mediant"),
        ("x-ac-", "x-audiocodes-", "x-audc-"),
        _host("audiocodes", "audiocodes.com"),
        (
            ("sip_audiocodes_session_id", ("x-ac-session-id", "x-audiocodes-session-id")),
            ("sip_audiocodes_call_id", ("x-ac-call-id", "x-audc-call-id")),
            ("sip_audiocodes_ac_action", ("x-ac-action",)),
        ),
        ("x-ac-avaya-ucid",),
    ),
    Vendor(
        "ribbon",
        _words(*_RIBBON, "sonussbc", "sbc edge", "sbc core", "swe lite"),
        _each("x-{}-", *_RIBBON),
        re.compile(
            r"urn:ietf:params:xml:ns:calldata|https?://(?:[\w-]+\.)*(?:sonusnet|rbbn)\.com.*"
        ),
        (
            ("sip_ribbon_session_id", _each("x-{}-session-id", *_RIBBON)),
            ("sip_ribbon_call_id", _each("x-{}-call-id", *_RIBBON)),
            ("sip_ribbon_gw_id", ("x-ribbon-gw-id", "x-sonus-gw-id")),
        ),
    ),
    Vendor(
        "sansay",
        _words("sansay", "vsxi"),
        ("x-sansay-", "x-vsxi-"),
        _host("sansay.com"),
        (
            ("sip_sansay_session_id", ("x-sansay-session-id", "x-vsxi-session-id")),
            ("sip_sansay_call_id", ("x-sansay-call-id", "x-vsxi-call-id")),
            ("sip_sansay_trunk_id", ("x-sansay-trunk-id", "x-sansay-ingress-trunk")),
        ),
    ),
    Vendor(
        "huawei",
        _words("huawei", "espace", "usg[0-9]*", "eudemon"),
        ("x-huawei-", "x-espace-"),
        _host("huawei.com"),
        (
            (
                "sip_huawei_session_id",
                ("x-huawei-session-id", "x-huawei-icid", "p-charging-vector;icid-value"),
            ),
            ("sip_huawei_call_id", ("x-huawei-call-id",)),
            ("sip_huawei_trunk_id", ("x-huawei-trunk-id", "x-huawei-trunk-group")),
        ),
    ),
    Vendor(
        "microsoft",
        _words("microsoft", "teams", "skype", "lync", "ucma"),
        ("x-ms-", "ms-"),
        _host("microsoft.com"),
        (
            (
                "sip_ms_conversation_id",
                ("ms-conversation-id", "x-ms-conversation-id", "x-ms-skype-chain-id"),
            ),
            ("sip_ms_call_id", ("x-ms-call-id", "x-ms-teams-call-id")),
            ("sip_ms_correlation_id", ("x-ms-correlation-id",)),
        ),
    ),
    Vendor(
        "broadworks",
        _words("broadworks", "webex"),
        ("x-broadworks-",),
        _host("broadsoft.com"),
    ),
    Vendor(
        "metaswitch",
        _words("metaswitch", "perimeta"),
        ("x-metaswitch-",),
        re.compile(
            r"https?://(?:[\w-]+\.)*metaswitch\.com(?:[:/].*)?|#metaswitchrecordingmetadata"
        ),
    ),
)

#: Headers that are kept under their own name, C{sip_} and C{_} for C{-}, like
#: every header of the rows above and every C{X-} header.
GENERIC_HEADERS = (
    "p-asserted-identity",
    "remote-party-id",
    "p-preferred-identity",
    "privacy",
    "supported",
    "require",
    "user-to-user",
    "session-id",
    "p-charging-vector",
)

#: Local names of NICE's extension data, without case and punctuation; those of
#: other namespaces count only with C{nice} in front.
NICE_NAMES = {
    "interactionid": "nice_interaction_id",
    "sessionid": "nice_session_id",
    "recordingid": "nice_recording_id",
    "contactid": "nice_contact_id",
    "agentid": "nice_agent_id",
    "callid": "nice_call_id",
    "ucid": "nice_ucid",
}

#: Extension data with a key of its own: vendor and local name in lower case, to
#: the key and whether the value is a call identifier across systems.
XML_FIELDS = {
    ("oracle", "ucid"): ("sip_oracle_ucid", True),
    ("oracle", "callerorig"): ("oracle_caller_orig", False),
    ("audiocodes", "avayaucid"): ("sip_avaya_ucid", True),
    ("audiocodes", "genesysuuid"): ("sip_genesys_interaction_id", True),
}
