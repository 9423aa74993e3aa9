"""
Checks of configured addresses, host names and ports.  See L{siprec.values} for what a
check is.
"""

import ipaddress
import re

from siprec.values import plainText

__all__ = [
    "hostPort",
    "interfaceAddress",
    "ipAddress",
    "isHostName",
    "isPort",
    "mediaAddress",
    "portRange",
]

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")


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
    return isHostName(text)


def isHostName(text: str) -> bool:
    """
    @return: whether this could be a host's name or its IPv4 address.
    """
    return len(text) <= 253 and _HOST_NAME.fullmatch(text) is not None


def isPort(text: str) -> bool:
    """
    @return: whether this is a port from 0 to 65535.
    """
    return re.fullmatch(r"\d{1,5}", text, re.ASCII) is not None and int(text) <= 65535
