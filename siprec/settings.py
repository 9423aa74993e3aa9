"""
The table of what can be configured, one row for each key.

The options of C{twistd siprec} are made from it, and C{etc/siprec.toml} and
the documentation are checked against it.
"""

from attrs import frozen

from siprec.endpoints import clusterListen, httpListen, listenStrings, manholeListen
from siprec.values import (
    Check,
    choice,
    directory,
    filePath,
    headerPatterns,
    hostPort,
    interfaceAddress,
    keyPrefix,
    mediaAddress,
    nodeName,
    optionalFile,
    optionalStoreURL,
    portRange,
    seconds,
    size,
    storeURL,
    takeoverWays,
    textPatterns,
    upToSeconds,
    whole,
)

__all__ = ["SETTINGS", "Setting"]


@frozen
class Setting:
    """
    One key of the configuration.

    @ivar key: C{table.name}, as in the file.
    @ivar option: the command line's long option without its dashes, or C{None}.
    @ivar default: as it would stand in the file.
    @ivar check: makes the setting of a given value, or raises C{ValueError}.
    @ivar meaning: one line for help and documentation.
    """

    key: str
    option: str | None
    default: str | int | float | list[str]
    check: Check
    meaning: str

    @property
    def repeatable(self) -> bool:
        """
        Whether the option may be given several times, each adding to a list.
        """
        return isinstance(self.default, list)


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "node.id",
        "node-id",
        "",
        nodeName,
        "Name of this node, other than that of any other; empty: the host's name.",
    ),
    Setting(
        "node.drain_timeout",
        None,
        30,
        seconds(3600),
        "Longest time in seconds that a stop may take to end calls and finish files.",
    ),
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
        "media.address",
        "media-address",
        "",
        mediaAddress,
        "IP address written into SDP; empty: the local one that faces the peer.",
    ),
    Setting(
        "media.bind",
        None,
        "",
        interfaceAddress,
        "IP address that RTP sockets are bound to; empty: the same as in SDP.",
    ),
    Setting(
        "media.ports",
        "rtp-ports",
        "10000-19999",
        portRange,
        "LOW-HIGH, the ports for pairs of RTP (even) and RTCP (odd).",
    ),
    Setting(
        "media.poll_interval",
        None,
        0.2,
        # A socket's receive buffer holds a few seconds of a stream, no more.
        seconds(2),
        "Seconds between two visits to a media socket.",
    ),
    Setting(
        "store.url",
        "store",
        "memory:",
        storeURL,
        "Where the state of running calls is kept: memory: (this process) or a Redis URL.",
    ),
    Setting(
        "store.backup",
        "backup-store",
        "",
        optionalStoreURL,
        "A second store that follows the first, in the same forms; empty: none.",
    ),
    Setting(
        "store.password_file",
        None,
        "",
        optionalFile,
        "File with the stores' password, or two lines, user and password; empty: as in the URL.",
    ),
    Setting(
        "store.prefix",
        None,
        "siprec:",
        keyPrefix,
        "What every key in Redis begins with; the same on all nodes.",
    ),
    Setting(
        "store.timeout",
        None,
        2.0,
        seconds(30),
        "Longest wait in seconds for one answer of the store.",
    ),
    Setting(
        "session.heartbeat_interval",
        None,
        1.0,
        seconds(60),
        "Seconds between two signs of life to the store; the node's lease is three of them.",
    ),
    Setting(
        "session.cleanup_interval",
        None,
        300,
        seconds(86_400),
        "Seconds between two removals of what has expired in the store.",
    ),
    Setting(
        "session.timeout",
        None,
        3600,
        seconds(604_800),
        "Seconds without any RTP, RTCP or SIP after which a call is taken for dead.",
    ),
    Setting(
        "cluster.listen",
        None,
        "tcp:0",
        clusterListen,
        "Where other nodes connect to: tcp:PORT[:interface=IP]; port 0: any that is free.",
    ),
    Setting(
        "cluster.advertise",
        None,
        "",
        hostPort,
        "HOST[:PORT] that other nodes reach us at; empty: the address that faces the store.",
    ),
    Setting(
        "cluster.secret_file",
        None,
        "",
        optionalFile,
        "File with a secret that all nodes share; empty: to read the store is enough to be a node.",
    ),
    Setting(
        "cluster.tls_certificate",
        None,
        "",
        optionalFile,
        "PEM file of this node's certificate for connections between nodes; empty: no TLS.",
    ),
    Setting(
        "cluster.tls_key",
        None,
        "",
        optionalFile,
        "PEM file of that certificate's private key; empty: it is in the same file.",
    ),
    Setting(
        "cluster.tls_ca",
        None,
        "",
        optionalFile,
        "PEM file of the authority that signs the certificates of all nodes.",
    ),
    Setting(
        "cluster.media_takeover",
        None,
        "address,reinvite",
        takeoverWays,
        "Ways to take over a node's media, tried in order: address, reinvite.",
    ),
    Setting(
        "cluster.address_wait",
        None,
        0,
        upToSeconds(60),
        "Seconds to wait for a media address that moves to this host before the re-INVITE.",
    ),
    Setting(
        "cluster.confirm_time",
        None,
        0.3,
        seconds(10),
        "Seconds for which a node is looked at whose connection broke, before its lease decides.",
    ),
    Setting(
        "cluster.stitch_window",
        None,
        30,
        upToSeconds(3600),
        "Seconds in which a new session of a call goes on with its broken recording; 0: never.",
    ),
    Setting(
        "recordings.directory",
        "recordings",
        "./recordings",
        directory,
        "Folder that recordings go to.",
    ),
    Setting(
        "recordings.format",
        None,
        "wav",
        choice("wav"),
        "Format of the finished audio.",
    ),
    Setting(
        "recordings.split",
        None,
        "none",
        choice("none", "session"),
        "Further audio files: none, or session, one for each communication session.",
    ),
    Setting(
        "recordings.min_free",
        None,
        "256MiB",
        size,
        "Free disk space in bytes, or as 256MiB, below which no new call is taken.",
    ),
    Setting(
        "recordings.workers",
        None,
        1,
        whole(1, 256),
        "Processes that make audio files at the same time.",
    ),
    Setting(
        "metadata.exclude",
        None,
        [],
        headerPatterns,
        "Names of SIP headers and vendor fields that are not stored; * stands for any text.",
    ),
    Setting(
        "metadata.mask",
        None,
        [],
        textPatterns,
        "Regular expressions: digits that they match are stored as *.",
    ),
    Setting(
        "metadata.snapshot_request",
        None,
        "lost",
        choice("never", "lost", "errors"),
        "When a full document is asked for: never, after lost state, or after any error.",
    ),
    Setting(
        "http.listen",
        "http",
        "tcp:8080:interface=127.0.0.1",
        httpListen,
        "Where health, metrics and the API are served; empty: nowhere.",
    ),
    Setting(
        "manhole.listen",
        "manhole",
        "",
        manholeListen,
        "Where the SSH shell listens, such as tcp:2222:interface=127.0.0.1; empty: nowhere.",
    ),
    Setting(
        "manhole.authorized_keys",
        None,
        "./authorized_keys",
        filePath,
        "File of the public keys that may log in to the SSH shell, one a line.",
    ),
    Setting(
        "manhole.host_key",
        None,
        "./manhole_host_key",
        filePath,
        "File of the SSH shell's own private key; made at the first start.",
    ),
)
