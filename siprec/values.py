"""
Checks of single configuration values.

A check takes what TOML or a command line gave (a command line only ever gives
text) and returns what the program works with.  It raises C{ValueError} whose
message says what was expected, to be read after the word "expected".
"""

import contextlib
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
    "digestAlgorithms",
    "directory",
    "filePath",
    "headerPatterns",
    "keyPrefix",
    "nodeName",
    "optionalFile",
    "optionalStoreURL",
    "plainText",
    "rate",
    "realm",
    "seconds",
    "size",
    "storeURL",
    "takeoverWays",
    "upToSeconds",
    "whole",
    "yesNo",
]

Check = Callable[[object], object]

# RFC 3261 section 25.1, token; and the two wildcards.
_HEADER_PATTERN = re.compile(r"[A-Za-z0-9.!%*_+`'~?-]+")
_SIZE = re.compile(r"(\d{1,18})\s*(B|KiB|MiB|GiB|TiB)?", re.ASCII)
_KEY_PREFIX = re.compile(r"[A-Za-z0-9:._{}-]{1,64}")
_REALM = re.compile(r"[ !#-9;-\[\]-~]{1,64}")
_DIGESTS = frozenset(("SHA-512-256", "SHA-256", "MD5"))
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


def yesNo(value: object) -> bool:
    """
    Check a switch: TOML's C{true} or C{false}.
    """
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def realm(value: object) -> str:
    """
    Check a digest realm: printable text without quotes or colons.
    """
    text = plainText(value)
    if not _REALM.fullmatch(text):
        raise ValueError("1 to 64 printable ASCII characters without quotes, colons, backslashes")
    return text


def digestAlgorithms(value: object) -> tuple[str, ...]:
    """
    Check a list of digest algorithms.
    """
    if not isinstance(value, (list, tuple)) or not value or not _DIGESTS.issuperset(value):
        raise ValueError(f"a list of at least one of {', '.join(sorted(_DIGESTS, reverse=True))}")
    return tuple(value)


def rate(highest: int) -> Check:
    """
    Make a check for how many a second, from 0, which means no limit.
    """
    within = seconds(highest)

    def check(value: object) -> object:
        if not isinstance(value, bool) and value in (0, "0"):
            return 0.0
        try:
            return within(value)
        except ValueError:
            raise ValueError(f"a number a second, from 0 to {highest}") from None

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
        return nodeID(plainText(value))
    except ValueError:
        raise ValueError("1 to 64 of A-Z a-z 0-9 . _ -") from None


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
