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
    "filePath",
    "headerPatterns",
    "hostPort",
    "interfaceAddress",
    "ipAddress",
    "isPort",
    "keyPrefix",
    "mediaAddress",
    "nodeName",
    "optionalFile",
    "optionalStoreURL",
    "plainText",
    "portRange",
    "seconds",
    "size",
    "storeURL",
    "takeoverWays",
    "upToSeconds",
    "whole",
]

Check = Callable[[object], object]

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
# RFC 3261 section 25.1, token; and the two wildcards.
_HEADER_PATTERN = re.compile(r"[A-Za-z0-9.!%*_+`'~?-]+")
_SIZE = re.compile(r"(\d{1,18})\s*(B|KiB|MiB|GiB|TiB)?", re.ASCII)
_KEY_PREFIX = re.compile(r"[A-Za-z0-9:._{}-]{1,64}")
_UNITS = {"B": 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}


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


def upToSeconds(longest: float) -> Check:
    """
    Make a check for a duration in seconds, from 0, which means none, to
    C{longest}.
    """
    above = seconds(longest)

    def check(value: object) -> object:
        if not isinstance(value, bool) and value in (0, "0"):
            return 0.0
        try:
            return above(value)
        except ValueError:
            raise ValueError(f"seconds, from 0 to {longest:g}") from None

    return check


def takeoverWays(value: object) -> tuple[str, ...]:
    """
    Check the ways to take media over: C{address}, C{reinvite} or both, as a
    list or with a comma between them, in the order in which they are tried.
    """
    names = value.split(",") if isinstance(value, str) else value
    if isinstance(names, (list, tuple)):
        ways = tuple(each.strip() if isinstance(each, str) else "" for each in names)
        if ways and len(set(ways)) == len(ways) and {"address", "reinvite"}.issuperset(ways):
            return ways
    raise ValueError("'address', 'reinvite', or both with a comma between them")


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
        return nodeID(plainText(value))
    except ValueError:
        raise ValueError("1 to 64 of A-Z a-z 0-9 . _ -") from None


def mediaAddress(value: object) -> str | None:
    """
    Check the IP address that is written into SDP; empty text stands for none.
    """
    expected = "an IP address that peers can send to, or '' for the one that faces each peer"
    address = ipAddress(value, expected)
    # 0.0.0.0 in an answer means hold to a peer (RFC 3264 section 8.4).
    if address is not None and (address.is_unspecified or address.is_multicast):
        raise ValueError(expected)
    return None if address is None else str(address)


def interfaceAddress(value: object) -> str | None:
    """
    Check an IP address that sockets are bound to; empty text stands for none.
    """
    expected = "an IP address of this machine, or '' for the same as media.address"
    address = ipAddress(value, expected)
    return None if address is None else str(address)


def portRange(value: object) -> tuple[int, int]:
    """
    Check C{"LOW-HIGH"}: RTP takes the even ports and RTCP the odd ones after
    them (RFC 3550 section 11), so it begins even and holds one pair at least.
    """
    match = re.fullmatch(r"(\d{1,5})-(\d{1,5})", plainText(value), re.ASCII)
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
    text = plainText(value)
    match = re.fullmatch(r"(\[[^\[\]]+\]|[^:\[\]]+)(?::(\d{1,5}))?", text, re.ASCII)
    host, port = (match[1], match[2]) if match else ("", None)
    number = None if port is None else int(port)
    if not _isHost(host) or not (number is None or 0 < number <= 65535):
        raise ValueError("'HOST' or 'HOST:PORT', an IPv6 address in brackets, or ''")
    return host.strip("[]"), number


def storeURL(value: object) -> str:
    """
    Check the address of a session store.
    """
    text = plainText(value)
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
    text = plainText(value)
    if not _KEY_PREFIX.fullmatch(text):
        raise ValueError("1 to 64 letters, digits or any of : . _ - { }")
    return text


def directory(value: object) -> str:
    """
    Check the path of a folder, which need not be there yet.

    @return: the absolute path, as a daemon may change its working directory.
    """
    text = plainText(value)
    if not text or "\0" in text:
        raise ValueError("the path of a folder")
    return os.path.abspath(text)


def filePath(value: object) -> str:
    """
    Check the path of a file, which need not be there yet.

    @return: the absolute path, as a daemon may change its working directory.
    """
    text = plainText(value)
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


def textPatterns(value: object) -> tuple[str, ...]:
    """
    Check a list of regular expressions.
    """
    expected = r"a list of regular expressions, such as ['\d{6,}']"
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise ValueError(expected)
    for item in value:
        try:
            re.compile(item)
        except re.error as error:
            raise ValueError(f"{expected}; {item!r}: {error}") from None
        if re.fullmatch(item, ""):
            raise ValueError(f"{expected}; {item!r} matches no text at all")
    return tuple(value)


def ipAddress(value: object, expected: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """
    @param expected: what the error says.
    @return: the address, or C{None} for empty text.
    """
    if value == "":
        return None
    try:
        return ipaddress.ip_address(plainText(value))
    except ValueError:
        raise ValueError(expected) from None


def _isHost(text: str) -> bool:
    if text.startswith("["):
        try:
            return ipaddress.ip_address(text[1:-1]).version == 6
        except ValueError:
            return False
    return len(text) <= 253 and _HOST_NAME.fullmatch(text) is not None


def isPort(text: str) -> bool:
    """
    @return: whether this is a port from 0 to 65535.
    """
    return re.fullmatch(r"\d{1,5}", text, re.ASCII) is not None and int(text) <= 65535


def _integer(value: object) -> int | None:
    """
    @return: a TOML integer, or the decimal digits of an option, as a number.
    """
    if isinstance(value, str) and re.fullmatch(r"\d{1,18}", value, re.ASCII):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def plainText(value: object) -> str:
    """
    @raise ValueError: it is no text.
    """
    if not isinstance(value, str):
        raise ValueError("text")
    return value
