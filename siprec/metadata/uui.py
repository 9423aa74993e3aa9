"""
User-to-User information (RFC 7433) and the call identifiers hidden in it.
"""

import re
from collections.abc import Iterator

__all__ = [
    "decodeUUI",
    "isAvayaUUI",
    "parametersOf",
    "splitParameters",
    "splitValues",
    "ucidsOf",
]

#: Protocol discriminators (ITU-T Q.931 section 4.5.30) that gateways leave in
#: front of the information: user specific, and IA5 characters.
_DISCRIMINATORS = (0x00, 0x04)
#: The element of Avaya's shared data that holds the UCID.
_UCID = 0xFA
# Without backslashes in quotes: no peer uses them, and they would cost a time
# that grows with the square of the length.
_OUTSIDE_QUOTES = r'(?:[^{0}"]|"[^"]*"|")+'
_VALUES = re.compile(_OUTSIDE_QUOTES.format(","))
_PARAMETERS = re.compile(_OUTSIDE_QUOTES.format(";"))
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")


def splitValues(line: str) -> list[str]:
    """
    @return: the values of a header line, split at commas outside quotes.
    """
    return [value for part in _VALUES.findall(line) if (value := part.strip())]


def parametersOf(text: str) -> dict[str, str]:
    """
    @return: parameters separated by semicolons, by lower-case name and without
        quotes; the first of a name counts.
    """
    parameters: dict[str, str] = {}
    for part in _PARAMETERS.findall(text):
        name, _, value = part.partition("=")
        parameters.setdefault(name.strip().lower(), value.strip().strip('"'))
    return parameters


def splitParameters(value: str) -> tuple[str, dict[str, str]]:
    """
    @return: a header value without its parameters, and these.
    """
    first = found[0] if (found := _PARAMETERS.match(value)) else ""
    return first.strip().strip('"'), parametersOf(value[len(first) :])


def decodeUUI(value: str) -> str:
    """
    @param value: one value of a User-to-User header.

    @return: the text it carries, if it says that it is hexadecimal and the
        outcome can be printed; else C{value} itself.
    """
    content, parameters = splitParameters(value)
    data = _octets(content)
    if parameters.get("encoding", "").lower() != "hex" or not data:
        return value
    for candidate in (data, data[1:] if data[0] in _DISCRIMINATORS else b""):
        try:
            text = candidate.decode("utf-8")
        except UnicodeDecodeError:
            continue
        if text and text.isprintable():
            return text
    return value


def isAvayaUUI(value: str) -> bool:
    """
    Is it the shared data of an Avaya system: discriminator 04 and a UCID?
    """
    content, _ = splitParameters(value)
    return content.startswith("04") and any(True for _ in _elements(_octets(content)))


def ucidsOf(value: str) -> list[str]:
    """
    @param value: one value of a User-to-User header, or an identifier that may
        be written the same way.

    @return: the Avaya call identifiers in it: each as its hexadecimal digits
        and, the way agents and reports show it, as the 20 decimal digits of
        node, sequence number and time.
    """
    content, _ = splitParameters(value)
    found = []
    for ucid in _elements(_octets(content)):
        if len(ucid) == 8:
            node, sequence = int.from_bytes(ucid[:2]), int.from_bytes(ucid[2:4])
            found.append(f"{node:05d}{sequence:05d}{int.from_bytes(ucid[4:]):010d}")
        found.append(ucid.hex().upper())
    return found


def _octets(content: str) -> bytes:
    return bytes.fromhex(content) if _HEX.fullmatch(content) else b""


def _elements(data: bytes) -> Iterator[bytes]:
    """
    @return: the content of each UCID element.
    """
    if not data or data[0] not in _DISCRIMINATORS:
        return
    at = 1
    while at + 2 <= len(data):
        kind, length = data[at], data[at + 1]
        content = data[at + 2 : at + 2 + length]
        if kind == _UCID and length and len(content) == length:
            yield content
        at += 2 + length
