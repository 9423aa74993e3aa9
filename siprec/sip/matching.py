"""
Which message belongs to which transaction, and where a response goes (RFC 3261
sections 8.2.2.2, 17.1.3, 17.2.3 and 18.2; RFC 3581).
"""

import hashlib
import hmac
import ipaddress
import secrets
from functools import lru_cache

from attrs import evolve

from siprec.sip.flow import Flow
from siprec.sip.grammar import withoutParam, withParam
from siprec.sip.headers import Via
from siprec.sip.message import Request, Response

ServerKey = tuple[object, ...]
ClientKey = tuple[str, str]
MergeKey = tuple[str | None, str, int, str]

_MAGIC_COOKIE = "z9hG4bK"
_SECRET = secrets.token_bytes(16)


# The same few peers ask, several times for each message.
@lru_cache(maxsize=512)
def plainHost(host: str) -> str:
    """
    @return: an IP address in its shortest form, without brackets, and IPv4
        rather than IPv4-mapped IPv6; any other text in lower case.
    """
    text = host[1:-1] if host.startswith("[") else host
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text.lower()
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


@lru_cache(maxsize=512)
def isAddress(host: str) -> bool:
    """
    @return: whether this is an IP address, without brackets, and not a name.
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def defaultPort(transport: str) -> int:
    """
    @return: the port where a Via or a URI names none (RFC 3261 section 18.1.1).
    """
    return 5061 if transport == "TLS" else 5060


def serverKey(request: Request) -> ServerKey:
    """
    Identify the server transactions of a request, apart from its method: an
    ACK has the key of its INVITE, and a CANCEL that of what it cancels.

    The branch should be enough, but some peers use one for a whole dialog: so
    Call-ID and CSeq are compared as well.

    Without the magic cookie, or with nothing behind it, the rules for RFC 2543
    apply.  Then the tag of To is left out here, as an ACK has another than its
    INVITE; the caller compares it.

    @param request: as received, before L{stamped}.
    """
    via = request.via
    branch = via.branch or ""
    if branch.startswith(_MAGIC_COOKIE) and branch != _MAGIC_COOKIE:
        port = via.port or defaultPort(via.transport)
        return (branch, via.host.lower(), port, request.callID, request.cseq.number)
    return (None, via, request.callID, request.cseq.number, request.fromTag, request.uri)


def legacy(key: ServerKey) -> bool:
    """
    @return: whether the key was made by the rules for RFC 2543.
    """
    return key[0] is None


def clientKey(message: Request | Response) -> ClientKey:
    """
    Identify the client transaction of a request we sent or a response to one.
    Our branches are random, so sent-by need not be compared.
    """
    return (message.via.branch or "", message.cseq.method)


def mergeKey(request: Request) -> MergeKey:
    """
    Two requests with this in common and different branches are one request
    that came by two ways (RFC 3261 section 8.2.2.2).
    """
    return (request.fromTag, request.callID, request.cseq.number, request.method)


def stamped(request: Request, flow: Flow) -> Request:
    """
    Note in the topmost Via where the request came from (RFC 3261 section
    18.2.1, RFC 3581 section 4).  What the peer itself wrote as C{received} is
    taken out, or it could have us send to anybody.  A peer that would like to
    send keepalives is told that it may, as often as it wants (RFC 6223).
    """
    via = request.via
    host, port = flow.remote
    params = withoutParam(via.params, "received")
    if via.hasParam("rport"):
        params = withParam(withParam(params, "rport", str(port)), "received", host)
    elif plainHost(via.host) != host:
        params = withParam(params, "received", host)
    if via.hasParam("keep") and via.param("keep") is None:
        params = withParam(params, "keep", "0")
    if params == via.params:
        return request
    values = [str(evolve(via, params=params)), *request.headers.values("Via")[1:]]
    headers = request.headers.replacing("Via", *values)
    return Request(request.method, request.uri, headers, request.body)


def replyAddress(via: Via, flow: Flow) -> tuple[str, int]:
    """
    Where a response goes if not back on a connection: to C{received}, and at
    UDP to C{rport}.  C{maddr} is not followed: it would let a peer choose a
    third party to be sent to.

    @param via: the topmost Via of the request, as L{stamped} left it.
    """
    host = via.param("received") or via.host
    if not isAddress(plainHost(host)):
        host = flow.remote[0]
    rport = via.param("rport")
    if flow.transport == "UDP" and rport is not None and rport.isdecimal():
        return plainHost(host), int(rport)
    return plainHost(host), via.port or defaultPort(flow.transport)


def statelessTag(request: Request) -> str:
    """
    Make the To tag of an answer without a transaction: each copy of the
    request must have the same (RFC 3261 section 8.2.7).
    """
    seed = f"{request.headers.get('Via')}\n{request.headers.get('Call-ID')}"
    data = seed.encode("utf-8", "surrogateescape")
    return hmac.new(_SECRET, data, hashlib.sha256).hexdigest()[:16]
