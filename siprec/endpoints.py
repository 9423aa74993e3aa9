"""
Checks of configured places to listen: Twisted's endpoint strings, and the same
form for UDP.  See L{siprec.values} for what a check is.
"""

import re

from siprec.addresses import ipAddress, isPort
from siprec.values import plainText

__all__ = [
    "clusterListen",
    "escapeArgument",
    "escapeInterface",
    "httpListen",
    "listenStrings",
    "manholeListen",
    "splitEndpoint",
]

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
_SIP_FIELDS = {
    "udp": frozenset({"interface"}),
    "tcp": _TCP_FIELDS,
    # What else Twisted knows there is not for TLS as SIP wants it.
    "ssl": _TCP_FIELDS | {"privateKey", "certKey"},
}
_HTTP_FIELDS = {"tcp": _TCP_FIELDS, "ssl": _TLS_FIELDS}
_PLAIN_FIELDS = {"tcp": _TCP_FIELDS}


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
    text = plainText(value)
    return _endpoint(text, _HTTP_FIELDS) if text else ""


def manholeListen(value: object) -> str:
    """
    Check where to listen for SSH: a C{tcp:} endpoint string, or empty text for
    not at all.  Who comes in there may do everything that this process may, so
    an address that others can reach must be written down: it is not a default.
    """
    text = plainText(value)
    if not text:
        return ""
    endpoint = _endpoint(text, _PLAIN_FIELDS)
    if splitEndpoint(endpoint)[2].get("interface"):
        return endpoint
    raise ValueError(f"an address after the port of {text!r}, such as ':interface=127.0.0.1'")


def clusterListen(value: object) -> str:
    """
    Check where to listen for other nodes: a C{tcp:} endpoint string.
    """
    return _endpoint(plainText(value), _PLAIN_FIELDS)


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


def escapeArgument(text: str) -> str:
    """
    @return: a value of an endpoint string with its own colons escaped.
    """
    return re.sub(r"([\\:])", r"\\\1", text)


def _endpoint(value: object, kinds: dict[str, frozenset[str]]) -> str:
    """
    @return: the endpoint string, escaped.
    @raise ValueError: it is not C{KIND:PORT[:NAME=VALUE...]} with one of the
        kinds and its names.
    """
    text = escapeInterface(plainText(value))
    kind, positional, named = splitEndpoint(text)
    if kind not in kinds or not _WELL_ESCAPED.fullmatch(text):
        forms = " or ".join(f"'{name}:PORT[:interface=IP]'" for name in kinds)
        raise ValueError(f"{forms}, not {text!r}")
    if len(positional) != 1 or not isPort(positional[0]):
        raise ValueError(f"one port from 0 to 65535 after '{kind}:' in {text!r}")
    for name in named:
        if name not in kinds[kind]:
            known = ", ".join(sorted(kinds[kind]))
            raise ValueError(f"nothing but {known} after the port in {text!r}, not {name!r}")
    if "interface" in named:
        ipAddress(named["interface"], f"an IP address after 'interface=' in {text!r}")
    return text


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
