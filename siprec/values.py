"""
Checks of single configuration values.

A check takes what TOML or a command line gave (a command line only ever gives
text) and returns what the program works with.  It raises C{ValueError} whose
message says what was expected, to be read after the word "expected".
"""

import contextlib
import ipaddress
import math
import os
import re
import socket
from collections.abc import Callable

from siprec.ids import NodeID, nodeID
from siprec.store.redisurl import BadRedisURL, parseRedisURL

__all__ = [
    "Check",
    "choice",
    "directory",
    "escapeInterface",
    "filePath",
    "headerPatterns",
    "hostPort",
    "httpListen",
    "interfaceAddress",
    "keyPrefix",
    "listenStrings",
    "manholeListen",
    "mediaAddress",
    "nodeName",
    "optionalFile",
    "optionalStoreURL",
    "portRange",
    "seconds",
    "size",
    "splitEndpoint",
    "storeURL",
    "whole",
]

Check = Callable[[object], object]

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
# RFC 3261 section 25.1, token; and the two wildcards.
_HEADER_PATTERN = re.compile(r"[A-Za-z0-9.!%*_+`'~?-]+")
_SIZE = re.compile(r"(\d{1,18})\s*(B|KiB|MiB|GiB|TiB)?", re.ASCII)
_KEY_PREFIX = re.compile(r"[A-Za-z0-9:._{}-]{1,64}")
_UNITS = {"B": 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}

# Pieces of an endpoint string; a backslash takes the meaning from what follows.
_WELL_ESCAPED = re.compile(r"(?:[^\\]|\\.)*", re.DOTALL)
_FIELD = re.compile(r"(?:\A|:)((?:[^:\\]|\\.)*)", re.DOTALL)
_NAME = re.compile(r"((?:[^=\\]|\\.)*)=", re.DOTALL)
_PLAIN_INTERFACE = re.compile(
    r"(?<=:interface=)\[?([0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)\]?(?=$|:[A-Za-z])"
)

_TCP_FIELDS = frozenset({"interface", "backlog"})
_TLS_FIELDS = _TCP_FIELDS | {
    "privateKey",
    "certKey",
    "extraCertChain",
    "sslmethod",
    "dhParameters",
}
_SIP_FIELDS = {"udp": frozenset({"interface"}), "tcp": _TCP_FIELDS, "ssl": _TLS_FIELDS}
_HTTP_FIELDS = {"tcp": _TCP_FIELDS, "ssl": _TLS_FIELDS}
_SSH_FIELDS = {"tcp": _TCP_FIELDS}


def whole(lowest: int, highest: int) -> Check:
    """
    Make a check for a whole number; both limits are allowed.
    """

    def check(value: object) -> int:
        number = _integer(value)
        if number is None or not lowest <= number <= highest:
            raise ValueError(f"a whole number from {lowest} to {highest}")
        return number

    return check


def seconds(longest: float) -> Check:
    """
    Make a check for a duration in seconds, above 0 and at most C{longest}.
    """

    def check(value: object) -> float:
        number = math.nan
        # bool is an int to Python, and never meant as a duration.
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            with contextlib.suppress(ValueError, OverflowError):
                number = float(value)
        if not 0 < number <= longest:
            raise ValueError(f"seconds, above 0 and at most {longest:g}")
        return number

    return check


def choice(*names: str) -> Check:
    """
    Make a check for one of some words.
    """

    def check(value: object) -> str:
        for name in names:
            if value == name:
                return name
        raise ValueError(" or ".join(repr(name) for name in names))

    return check


def size(value: object) -> int:
    """
    Check a number of bytes: a whole number, or text like C{"256MiB"}.
    """
    if isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())):
        return int(match[1]) << _UNITS[match[2] or "B"]
    number = _integer(value)
    if number is None or number < 0:
        raise ValueError("a number of bytes, 0 or more, such as 268435456 or '256MiB'")
    return number


def nodeName(value: object) -> NodeID:
    """
    Check the name of this node; empty text stands for the host's own name.
    """
    if value == "":
        # Most host names are in the alphabet already; the others must not
        # keep a recorder that nobody configured from starting.
        value = re.sub(r"[^A-Za-z0-9._-]+", "-", socket.gethostname())[:64] or "localhost"
    try:
        return nodeID(_text(value))
    except ValueError:
        raise ValueError("1 to 64 of A-Z a-z 0-9 . _ -") from None


def mediaAddress(value: object) -> str | None:
    """
    Check the IP address that is written into SDP; empty text stands for none.
    """
    expected = "an IP address that peers can send to, or '' for the one that faces each peer"
    address = _address(value, expected)
    # 0.0.0.0 in an answer means hold to a peer (RFC 3264 section 8.4).
    if address is not None and (address.is_unspecified or address.is_multicast):
        raise ValueError(expected)
    return None if address is None else str(address)


def interfaceAddress(value: object) -> str | None:
    """
    Check an IP address that sockets are bound to; empty text stands for none.
    """
    expected = "an IP address of this machine, or '' for the same as media.address"
    address = _address(value, expected)
    return None if address is None else str(address)


def portRange(value: object) -> tuple[int, int]:
    """
    Check C{"LOW-HIGH"}: RTP takes the even ports and RTCP the odd ones after
    them (RFC 3550 section 11), so it begins even and holds one pair at least.
    """
    match = re.fullmatch(r"(\d{1,5})-(\d{1,5})", _text(value), re.ASCII)
    low, high = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 0 < low < high <= 65535 or low % 2:
        raise ValueError("'LOW-HIGH', ports from 1 to 65535, LOW even and below HIGH")
    return low, high


def hostPort(value: object) -> tuple[str, int | None] | None:
    """
    Check C{"HOST"} or C{"HOST:PORT"}; empty text stands for none.

    @return: the host (an IPv6 address without its brackets) and the port.
    """
    if value == "":
        return None
    text = _text(value)
    match = re.fullmatch(r"(\[[^\[\]]+\]|[^:\[\]]+)(?::(\d{1,5}))?", text, re.ASCII)
    host, port = (match[1], match[2]) if match else ("", None)
    number = None if port is None else int(port)
    if not _isHost(host) or not (number is None or 0 < number <= 65535):
        raise ValueError("'HOST' or 'HOST:PORT', an IPv6 address in brackets, or ''")
    return host.strip("[]"), number


def listenStrings(value: object) -> tuple[str, ...]:
    """
    Check where to listen for SIP: a list of C{udp:PORT[:interface=IP]} and of
    Twisted's C{tcp:} and C{ssl:} endpoint strings.

    @return: the strings, escaped as Twisted wants them.
    """
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError("a list of at least one string like 'udp:5060:interface=192.0.2.1'")
    return tuple(_endpoint(item, _SIP_FIELDS) for item in value)


def httpListen(value: object) -> str:
    """
    Check where to listen for HTTP: a C{tcp:} or C{ssl:} endpoint string, or
    empty text for not at all.
    """
    text = _text(value)
    return _endpoint(text, _HTTP_FIELDS) if text else ""


def manholeListen(value: object) -> str:
    """
    Check where to listen for SSH: a C{tcp:} endpoint string, or empty text for
    not at all.  Who comes in there may do everything that this process may, so
    an address that others can reach must be written down: it is not a default.
    """
    text = _text(value)
    if not text:
        return ""
    endpoint = _endpoint(text, _SSH_FIELDS)
    if splitEndpoint(endpoint)[2].get("interface"):
        return endpoint
    raise ValueError(f"an address after the port of {text!r}, such as ':interface=127.0.0.1'")


def storeURL(value: object) -> str:
    """
    Check the address of a session store.
    """
    text = _text(value)
    if text != "memory:":
        try:
            parseRedisURL(text)
        except BadRedisURL as error:
            raise ValueError(f"'memory:', or {error}") from None
    return text


def optionalStoreURL(value: object) -> str:
    """
    Check the address of a second store; empty text means none.
    """
    return "" if value == "" else storeURL(value)


def optionalFile(value: object) -> str:
    """
    Check the path of a file; empty text means none.
    """
    return "" if value == "" else filePath(value)


def keyPrefix(value: object) -> str:
    """
    Check what the keys of a store begin with.
    """
    text = _text(value)
    if not _KEY_PREFIX.fullmatch(text):
        raise ValueError("1 to 64 letters, digits or any of : . _ - { }")
    return text


def directory(value: object) -> str:
    """
    Check the path of a folder, which need not be there yet.

    @return: the absolute path, as a daemon may change its working directory.
    """
    text = _text(value)
    if not text or "\0" in text:
        raise ValueError("the path of a folder")
    return os.path.abspath(text)


def filePath(value: object) -> str:
    """
    Check the path of a file, which need not be there yet.

    @return: the absolute path, as a daemon may change its working directory.
    """
    text = _text(value)
    if not text or "\0" in text or text.endswith("/"):
        raise ValueError("the path of a file")
    return os.path.abspath(text)


def headerPatterns(value: object) -> tuple[str, ...]:
    """
    Check a list of header names, in which C{*} stands for any text and C{?}
    for any one character.
    """
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(item, str) and _HEADER_PATTERN.fullmatch(item) for item in value
    ):
        raise ValueError("a list of header names, such as ['Authorization', 'X-Private-*']")
    return tuple(value)


def splitEndpoint(text: str) -> tuple[str, list[str], dict[str, str]]:
    """
    Take an endpoint string apart, as Twisted's C{serverFromString} does: at
    each colon without a backslash before it.

    @return: the kind, the other arguments by position, and those by name.
    """
    positional: list[str] = []
    named: dict[str, str] = {}
    for field in _FIELD.findall(text):
        name = _NAME.match(field)
        if name is None:
            positional.append(_unescape(field))
        else:
            named[_unescape(name[1])] = _unescape(field[name.end() :])
    return positional[0] if positional else "", positional[1:], named


def escapeInterface(text: str) -> str:
    """
    Escape the colons of an IPv6 address after C{interface=}, which Twisted's
    endpoint strings want and people forget; with or without its brackets.
    """
    return _PLAIN_INTERFACE.sub(lambda match: match[1].replace(":", "\\:"), text)


def _endpoint(value: object, kinds: dict[str, frozenset[str]]) -> str:
    """
    @return: the endpoint string, escaped.
    @raise ValueError: it is not C{KIND:PORT[:NAME=VALUE...]} with one of the
        kinds and its names.
    """
    text = escapeInterface(_text(value))
    kind, positional, named = splitEndpoint(text)
    if kind not in kinds or not _WELL_ESCAPED.fullmatch(text):
        forms = " or ".join(f"'{name}:PORT[:interface=IP]'" for name in kinds)
        raise ValueError(f"{forms}, not {text!r}")
    if len(positional) != 1 or not _isPort(positional[0]):
        raise ValueError(f"one port from 0 to 65535 after '{kind}:' in {text!r}")
    for name in named:
        if name not in kinds[kind]:
            known = ", ".join(sorted(kinds[kind]))
            raise ValueError(f"nothing but {known} after the port in {text!r}, not {name!r}")
    if "interface" in named:
        _address(named["interface"], f"an IP address after 'interface=' in {text!r}")
    return text


def _address(value: object, expected: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if value == "":
        return None
    try:
        return ipaddress.ip_address(_text(value))
    except ValueError:
        raise ValueError(expected) from None


def _isHost(text: str) -> bool:
    if text.startswith("["):
        try:
            return ipaddress.ip_address(text[1:-1]).version == 6
        except ValueError:
            return False
    return len(text) <= 253 and _HOST_NAME.fullmatch(text) is not None


def _isPort(text: str) -> bool:
    return re.fullmatch(r"\d{1,5}", text, re.ASCII) is not None and int(text) <= 65535


def _integer(value: object) -> int | None:
    """
    @return: a TOML integer, or the decimal digits of an option, as a number.
    """
    if isinstance(value, str) and re.fullmatch(r"\d{1,18}", value, re.ASCII):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("text")
    return value


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
