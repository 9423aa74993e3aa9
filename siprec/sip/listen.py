"""
Where to listen for SIP: the strings of the configuration, taken apart.
"""

import re

from attrs import frozen

from siprec.endpoints import escapeArgument, escapeInterface, splitEndpoint
from siprec.sip.matching import isAddress

_TRANSPORTS = {"udp": "UDP", "tcp": "TCP", "ssl": "TLS"}


@frozen
class Listen:
    """
    One place to listen at.

    @ivar transport: C{"UDP"}, C{"TCP"} or C{"TLS"}.
    @ivar interface: an IP address, or empty: all of IPv4.
    @ivar port: 0 for any that is free.
    @ivar endpoint: the string, escaped as Twisted's C{serverFromString} wants
        it; for TLS that of the TCP below.
    @ivar certificate: the file of it, for TLS with another than all have.
    @ivar key: the file of its private key, likewise.
    """

    transport: str
    interface: str
    port: int
    endpoint: str
    certificate: str = ""
    key: str = ""


def parseListen(text: str) -> Listen:
    """
    @param text: C{udp:PORT[:interface=IP]}, or one of Twisted's strings that
        begin with C{tcp:} or C{ssl:}; the latter with no more than
        C{privateKey} and C{certKey} for TLS.  The colons of an IPv6 address may be
        escaped, as Twisted wants it, or not.
    @raise ValueError: it is none of these.
    """
    endpoint = escapeInterface(text)
    kind, positional, named = splitEndpoint(endpoint)
    transport = _TRANSPORTS.get(kind)
    if transport is None:
        raise ValueError(f"one of {', '.join(_TRANSPORTS)} before the first colon, not {text!r}")
    ports = [*positional, *([named["port"]] if "port" in named else [])]
    if len(ports) != 1 or not re.fullmatch(r"[0-9]{1,5}", ports[0]) or int(ports[0]) > 65535:
        raise ValueError(f"one port from 0 to 65535 after '{kind}:' in {text!r}")
    interface = named.get("interface", "")
    if interface and not isAddress(interface):
        raise ValueError(f"an IP address after 'interface=' in {text!r}")
    if transport == "UDP" and set(named) - {"interface", "port"}:
        raise ValueError(f"nothing but interface after the port in {text!r}")
    if transport != "TLS":
        return Listen(transport, interface, int(ports[0]), endpoint)
    key = named.pop("privateKey", "")
    certificate = named.pop("certKey", key)
    named.pop("port", None)
    unknown = set(named) - {"interface", "backlog"}
    if unknown:
        raise ValueError(f"nothing like {', '.join(sorted(unknown))} in {text!r}")
    rest = "".join(f":{name}={escapeArgument(value)}" for name, value in named.items())
    return Listen(transport, interface, int(ports[0]), f"tcp:{ports[0]}{rest}", certificate, key)
