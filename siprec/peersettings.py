"""
The peers of the configuration: the C{[[peer]]} tables of the TOML file.
"""

import ipaddress
import re
from collections.abc import Mapping

from attrs import frozen

from siprec.addresses import isHostName
from siprec.setting import Setting
from siprec.values import choice, plainText

__all__ = ["PEER_SETTINGS", "BadPeer", "Network", "PeerSettings", "readPeers"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MOST_USER = 128


class BadPeer(ValueError):
    """
    A table of a peer cannot be used.

    @ivar key: the dotted key, with the number of the table, from 0.
    @ivar value: what was given.
    """

    def __init__(self, key: str, value: object, expected: str) -> None:
        super().__init__(expected)
        self.key, self.value = key, value


@frozen
class PeerSettings:
    """
    Who a peer is, and what goes for it.  What is empty is not looked at; of
    C{networks}, C{certificate} and C{digestUsers} one at least is not, and
    what there is of them has to hold all together.

    @ivar networks: where its messages come from.
    @ivar certificate: host names in lower case, of which its certificate must
        have one (RFC 5922 section 7.1).
    @ivar digestUsers: as one of whom it must authenticate.
    @ivar profile: which INVITEs are recording sessions; empty: as for all.
    @ivar srtp: whether its media is to be encrypted; empty: as for all.
    @ivar mediaSource: from where its media is taken; empty: as for all.
    """

    name: str
    networks: tuple[Network, ...] = ()
    certificate: tuple[str, ...] = ()
    digestUsers: tuple[str, ...] = ()
    profile: str = ""
    srtp: str = ""
    mediaSource: str = ""


def peerName(value: object) -> str:
    """
    Check the name of a peer, which metrics and logs will show.
    """
    text = plainText(value)
    if not _NAME.fullmatch(text):
        raise ValueError("1 to 64 of A-Z a-z 0-9 . _ -")
    return text


def networks(value: object) -> tuple[Network, ...]:
    """
    Check a list of networks in CIDR form, or single addresses.
    """
    expected = "a list of networks, such as ['192.0.2.0/24', '2001:db8::7']"
    if not isinstance(value, (list, tuple)):
        raise ValueError(expected)
    found = []
    for item in value:
        try:
            found.append(ipaddress.ip_network(plainText(item)))
        except ValueError as error:
            raise ValueError(f"{expected} ({error})") from None
    return tuple(found)


def certificateNames(value: object) -> tuple[str, ...]:
    """
    Check a list of host names, each alone or as a SIP URI without a user.

    @return: the names alone, in lower case.
    """
    expected = "a list of host names without wildcards, such as ['sip:sbc.example.com']"
    if not isinstance(value, (list, tuple)):
        raise ValueError(expected)
    names = []
    for item in value:
        text = item.lower() if isinstance(item, str) else ""
        name = text.removeprefix("sips:").removeprefix("sip:")
        if not isHostName(name):
            raise ValueError(expected)
        names.append(name)
    return tuple(names)


def userNames(value: object) -> tuple[str, ...]:
    """
    Check a list of digest users.
    """
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(item, str) and 0 < len(item) <= _MOST_USER and ":" not in item for item in value
    ):
        raise ValueError("a list of user names without colons")
    return tuple(value)


#: The keys of one table, as L{siprec.settings.SETTINGS} has the others.
PEER_SETTINGS: tuple[Setting, ...] = (
    Setting("peer.name", None, "", peerName, "Name of the peer in logs; each has its own."),
    Setting(
        "peer.networks",
        None,
        [],
        networks,
        "Networks or addresses that its messages come from; empty: from anywhere.",
    ),
    Setting(
        "peer.certificate",
        None,
        [],
        certificateNames,
        "Host names of which its certificate must have one; empty: no certificate is needed.",
    ),
    Setting(
        "peer.digest_users",
        None,
        [],
        userNames,
        "Users of sip.digest_file as one of whom it must authenticate; empty: as sip.digest says.",
    ),
    Setting(
        "peer.profile",
        None,
        "",
        choice("", "lenient", "strict", "legacy"),
        "Which of its INVITEs are recording sessions; empty: as sip.profile says.",
    ),
    Setting(
        "peer.srtp",
        None,
        "",
        choice("", "require", "allow", "refuse"),
        "Whether its media is to be encrypted; empty: as sip.srtp says.",
    ),
    Setting(
        "peer.media_source",
        None,
        "",
        choice("", "latch", "sdp", "any"),
        "From where its media is taken; empty: as media.source says.",
    ),
)

_BY_NAME = {each.key.partition(".")[2]: each for each in PEER_SETTINGS}


def readPeers(value: object) -> tuple[PeerSettings, ...]:
    """
    @param value: the list of tables, as TOML gives it.
    @return: the peers, in order.
    @raise BadPeer: one of them is wrong.
    """
    if not isinstance(value, list):
        raise BadPeer("peer", value, "tables, each with [[peer]] above it")
    peers: list[PeerSettings] = []
    for number, table in enumerate(value):
        peer = _readPeer(f"peer[{number}]", table)
        if any(peer.name == other.name for other in peers):
            raise BadPeer(f"peer[{number}].name", peer.name, "a name that no other peer has")
        peers.append(peer)
    return tuple(peers)


def _readPeer(where: str, table: object) -> PeerSettings:
    if not isinstance(table, Mapping):
        raise BadPeer(where, table, "a table")
    for name in table:
        if name not in _BY_NAME:
            raise BadPeer(f"{where}.{name}", table[name], f"one of {', '.join(_BY_NAME)}")
    given: dict[str, object] = {}
    for name, setting in _BY_NAME.items():
        value = table.get(name, setting.default)
        try:
            given[name] = setting.check(value)
        except ValueError as error:
            raise BadPeer(f"{where}.{name}", value, str(error)) from None
    given["digestUsers"] = given.pop("digest_users")
    given["mediaSource"] = given.pop("media_source")
    if not (given["networks"] or given["certificate"] or given["digestUsers"]):
        # It would be everybody.
        raise BadPeer(where, given["name"], "one of networks, certificate and digest_users")
    return PeerSettings(**given)  # type: ignore[arg-type]
