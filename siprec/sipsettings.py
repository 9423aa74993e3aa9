"""
The rows of the settings that are about signalling; see L{siprec.settings}.
"""

from siprec.addresses import hostPort
from siprec.endpoints import listenStrings
from siprec.setting import Setting
from siprec.values import (
    choice,
    digestAlgorithms,
    optionalFile,
    rate,
    realm,
    seconds,
    upToSeconds,
    whole,
    yesNo,
)

__all__ = ["SIP_SETTINGS"]

SIP_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "sip.listen",
        "sip",
        ["udp:5060", "tcp:5060"],
        listenStrings,
        "Where to listen: udp:PORT[:interface=IP], or Twisted's tcp: and ssl: strings.",
    ),
    Setting(
        "sip.advertise",
        "advertise",
        "",
        hostPort,
        "HOST[:PORT] that peers reach us at, for Contact; empty: the listening address.",
    ),
    Setting(
        "sip.profile",
        None,
        "lenient",
        choice("lenient", "strict", "legacy"),
        "Which INVITEs are recording sessions: lenient, strict (RFC 7866) or legacy.",
    ),
    Setting(
        "sip.srtp",
        None,
        "allow",
        choice("require", "allow", "refuse"),
        "Encrypted media (SRTP, keys in the SDP): require, allow or refuse.",
    ),
    Setting(
        "sip.max_sessions",
        None,
        0,
        whole(0, 1_000_000),
        "Calls at a time above which new ones are refused; 0: no limit.",
    ),
    Setting(
        "sip.not_ready",
        None,
        "refuse",
        choice("refuse", "inactive"),
        "What a call gets while only disk space is lacking: refuse (503), or inactive for now.",
    ),
    Setting(
        "sip.max_streams",
        None,
        0,
        whole(0, 1_000_000),
        "Streams of all calls together above which new calls are refused; 0: no limit.",
    ),
    Setting(
        "sip.max_unacknowledged",
        None,
        1000,
        whole(0, 1_000_000),
        "Calls answered but not acknowledged above which new ones are refused; 0: no limit.",
    ),
    Setting(
        "sip.max_wait",
        None,
        20,
        upToSeconds(30),
        "Seconds after which a new call that waits for its turn is refused; 0: never.",
    ),
    Setting(
        "sip.invite_rate",
        None,
        0,
        rate(100_000),
        "New calls a second above which they are refused; 0: no limit.",
    ),
    Setting(
        "sip.source_rate",
        None,
        0,
        rate(100_000),
        "New calls a second of one address above which they are refused; 0: no limit.",
    ),
    Setting(
        "sip.source_connections",
        None,
        1000,
        whole(0, 100_000),
        "TCP and TLS connections with one address above which new ones are closed; 0: no limit.",
    ),
    Setting(
        "sip.idle_timeout",
        None,
        600,
        upToSeconds(86_400),
        "Seconds after which a quiet connection that no call needs is closed; 0: never.",
    ),
    Setting(
        "sip.tls_certificate",
        None,
        "",
        optionalFile,
        "PEM file of the certificate for SIP over TLS, and those up to its authority.",
    ),
    Setting(
        "sip.tls_key",
        None,
        "",
        optionalFile,
        "PEM file of its private key; empty: it is in the same file.",
    ),
    Setting(
        "sip.tls_ca",
        None,
        "",
        optionalFile,
        "PEM file of the authorities of peers' certificates; empty: peers need not have one.",
    ),
    Setting(
        "sip.tls_client",
        None,
        "required",
        choice("required", "optional"),
        "Whether with sip.tls_ca every peer that connects must show a certificate.",
    ),
    Setting(
        "sip.digest",
        None,
        False,
        yesNo,
        "Whether every peer must authenticate by digest, not only those with digest_users.",
    ),
    Setting(
        "sip.digest_file",
        None,
        "",
        optionalFile,
        "File of the digest users, lines of user:realm:algorithm:HA1; empty: there are none.",
    ),
    Setting(
        "sip.digest_realm",
        None,
        "siprec",
        realm,
        "Realm of the digest users; the same on all nodes.",
    ),
    Setting(
        "sip.digest_algorithms",
        None,
        ["SHA-512-256", "SHA-256"],
        digestAlgorithms,
        "Digest algorithms that are taken, of SHA-512-256, SHA-256 and, for old peers, MD5.",
    ),
    Setting(
        "sip.digest_lifetime",
        None,
        300,
        seconds(86_400),
        "Seconds for which the nonce of a digest challenge can be used.",
    ),
)
