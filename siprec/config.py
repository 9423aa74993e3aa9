"""
Configuration: a TOML file and the options of a command line become frozen settings.

What keys there are is in L{siprec.settings}.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from attrs import frozen

from siprec.ids import NodeID
from siprec.peersettings import BadPeer, PeerSettings, readPeers
from siprec.settings import SETTINGS, Setting

__all__ = [
    "SETTINGS",
    "ClusterSettings",
    "ConfigError",
    "HttpSettings",
    "ManholeSettings",
    "MediaSettings",
    "MetadataSettings",
    "NodeSettings",
    "PeerSettings",
    "RecordingsSettings",
    "SessionSettings",
    "Setting",
    "Settings",
    "SipSettings",
    "StoreSettings",
    "TraceSettings",
    "loadSettings",
]

_PASSWORD = re.compile(r"(//[^/@:]*:)[^@]*@")


class ConfigError(Exception):
    """
    The configuration cannot be used.

    @ivar key: the dotted TOML key, or C{"--config"} for the file as a whole.
    @ivar value: what was given, without the password of a URL in it: it goes
        to a terminal or a log.
    @ivar expected: what would have been right.
    """

    def __init__(self, key: str, value: object, expected: str) -> None:
        if isinstance(value, str):
            value = _PASSWORD.sub(r"\1***@", value)
        super().__init__(key, value, expected)
        self.key, self.value, self.expected = key, value, expected

    def __str__(self) -> str:
        return f"{self.key} = {self.value!r}: expected {self.expected}"


@frozen
class NodeSettings:
    """
    This process.  C{drainTimeout} is in seconds.
    """

    id: NodeID
    drainTimeout: float


@frozen
class SipSettings:
    """
    Signalling.  C{advertise} is host and port for our Contact; C{None} for
    either: what we listen on.  C{notReady} is C{refuse} or C{inactive}.  Of
    limits 0 is none; rates are by second.  The files may be empty;
    C{idleTimeout} and C{digestLifetime} are in seconds.
    """

    listen: tuple[str, ...]
    advertise: tuple[str, int | None] | None
    profile: str
    srtp: str
    maxSessions: int
    notReady: str
    maxStreams: int
    maxUnacknowledged: int
    maxWait: float
    inviteRate: float
    sourceRate: float
    sourceConnections: int
    idleTimeout: float
    tlsCertificate: str
    tlsKey: str
    tlsCa: str
    tlsClient: str
    digest: bool
    digestFile: str
    digestRealm: str
    digestAlgorithms: tuple[str, ...]
    digestLifetime: float


@frozen
class MediaSettings:
    """
    RTP.  C{ports} are the lowest (even) and the highest; C{pollInterval} and
    C{rtcpInterval} are in seconds; C{None} for an address: found out for each peer;
    C{source} is C{latch}, C{sdp} or C{any}.
    """

    address: str | None
    bind: str | None
    ports: tuple[int, int]
    pollInterval: float
    rtcpInterval: float
    source: str


@frozen
class StoreSettings:
    """
    Where the state of running sessions is kept.  C{backup} and C{passwordFile}
    may be empty; C{timeout} is in seconds.
    """

    url: str
    backup: str
    passwordFile: str
    prefix: str
    timeout: float


@frozen
class SessionSettings:
    """
    The life of sessions; all in seconds.  C{timeout}: a call without any sign
    of life is ended after it; its peer is asked after C{probeAfter}.  Where
    C{mediaTimeout}, C{probeAfter} or C{maxLength} is 0, that is never done.
    """

    heartbeatInterval: float
    cleanupInterval: float
    timeout: float
    mediaTimeout: float
    probeAfter: float
    maxLength: float


@frozen
class ClusterSettings:
    """
    What several nodes do together.  C{listen} is an endpoint string, with or
    without an address.  The files may be empty; times are in seconds;
    C{mediaTakeover} holds C{address} and C{reinvite} in the order in which they
    are tried.
    """

    listen: str
    advertise: tuple[str, int | None] | None
    secretFile: str
    tlsCertificate: str
    tlsKey: str
    tlsCa: str
    mediaTakeover: tuple[str, ...]
    addressWait: float
    confirmTime: float
    stitchWindow: float


@frozen
class RecordingsSettings:
    """
    Recordings on disk.  C{directory} is absolute; C{minFree} is in bytes,
    C{fsync} in seconds, 0: never;
    C{split} is C{none} or C{session}; C{maskDtmf}: digits are not told; C{format} and
    C{layout} are as in L{siprec.render.form}; C{keepUndecodable}: codecs that nobody
    decodes are taken.
    """

    directory: str
    format: str
    layout: str
    peaks: bool
    keepUndecodable: bool
    split: str
    maskDtmf: bool
    minFree: int
    fsync: float
    workers: int


@frozen
class MetadataSettings:
    """
    What is kept about a call.  C{exclude} are patterns of header names, C{mask}
    regular expressions; C{snapshotRequest} is C{never}, C{lost} or C{errors}.
    """

    exclude: tuple[str, ...]
    mask: tuple[str, ...]
    snapshotRequest: str


@frozen
class HttpSettings:
    """
    The HTTP server.  C{listen} is an endpoint string; empty: none.
    """

    listen: str


@frozen
class ManholeSettings:
    """
    The SSH shell.  C{listen} is an endpoint string; empty: none.  The others
    are absolute paths: the public keys that may log in, and our private one.
    """

    listen: str
    authorizedKeys: str
    hostKey: str


@frozen
class TraceSettings:
    """
    The latest SIP messages, for those who look.  C{socket} is an absolute path;
    empty: below the recordings directory.
    """

    messages: int
    bytes: int
    socket: str


@frozen
class Settings:
    """
    Everything that can be configured, one attribute for each table of the file.
    Without C{peers} everybody is one.
    """

    node: NodeSettings
    sip: SipSettings
    media: MediaSettings
    store: StoreSettings
    session: SessionSettings
    cluster: ClusterSettings
    recordings: RecordingsSettings
    metadata: MetadataSettings
    http: HttpSettings
    manhole: ManholeSettings
    trace: TraceSettings
    peers: tuple[PeerSettings, ...] = ()


_GROUPS: dict[str, type[Any]] = {
    "node": NodeSettings,
    "sip": SipSettings,
    "media": MediaSettings,
    "store": StoreSettings,
    "session": SessionSettings,
    "cluster": ClusterSettings,
    "recordings": RecordingsSettings,
    "metadata": MetadataSettings,
    "http": HttpSettings,
    "manhole": ManholeSettings,
    "trace": TraceSettings,
}


_BY_KEY = {setting.key: setting for setting in SETTINGS}


def loadSettings(path: str | None, overrides: Mapping[str, object]) -> Settings:
    """
    Read the configuration.

    @param path: a TOML file, or C{None} for the defaults alone.
    @param overrides: values by dotted key, that win over the file; C{None}
        stands for not given.
    @raise ConfigError: the file cannot be read, or a key or value is wrong.
    """
    given = {} if path is None else dict(_flatten(_readFile(path)))
    given.update({key: value for key, value in overrides.items() if value is not None})
    try:
        peers = readPeers(given.pop("peer", []))
    except BadPeer as error:
        raise ConfigError(error.key, error.value, str(error)) from None
    for key, value in given.items():
        if key not in _BY_KEY:
            raise ConfigError(key, value, _nearest(key))
    tables: dict[str, dict[str, object]] = {table: {} for table in _GROUPS}
    for setting in SETTINGS:
        value = given.get(setting.key, setting.default)
        try:
            checked = setting.check(value)
        except ValueError as error:
            raise ConfigError(setting.key, value, str(error)) from None
        table, name = setting.key.split(".")
        tables[table][_attribute(name)] = checked
    groups = {table: _GROUPS[table](**values) for table, values in tables.items()}
    settings = Settings(**groups, peers=peers)
    _checkTogether(settings)
    return settings


def _checkTogether(settings: Settings) -> None:
    """
    @raise ConfigError: values do not fit each other.
    """
    sip = settings.sip
    if (sip.digest or any(each.digestUsers for each in settings.peers)) and not sip.digestFile:
        raise ConfigError("sip.digest_file", "", "a file, since peers have to authenticate")


def _readFile(path: str) -> dict[str, object]:
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError("--config", path, f"a readable file ({error.strerror})") from error
    except ValueError as error:  # bad TOML, or not UTF-8
        raise ConfigError("--config", path, f"a TOML file ({error})") from error


def _flatten(document: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """
    @return: dotted keys and their values; a table within a table is a value.
    """
    for table, content in document.items():
        if isinstance(content, dict):
            for name, value in content.items():
                yield f"{table}.{name}", value
        elif table in _GROUPS:
            raise ConfigError(table, content, f"a table, [{table}]")
        else:
            yield table, content


def _nearest(key: str) -> str:
    close = get_close_matches(key, _BY_KEY, n=1)
    if close:
        return f"a known key, perhaps {close[0]}"
    return f"a known key, one of {', '.join(_BY_KEY)}"


def _attribute(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
