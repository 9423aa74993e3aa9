"""
What nodes send one another of requests and responses, as plain values.
"""

from __future__ import annotations

from typing import Any

from siprec.cluster.errors import Refusal
from siprec.sip.errors import BadMessage
from siprec.sip.flow import Flow
from siprec.sip.framing import parseDatagram
from siprec.sip.message import Request, Response

__all__ = [
    "BadPassing",
    "packed",
    "packedFlow",
    "unpackedRequest",
    "unpackedResponse",
]

_TRANSPORTS = ("UDP", "TCP", "TLS")


class BadPassing(Refusal):
    """
    A node has sent what this one does not understand.
    """


def packed(request: Request, flow: Flow, key: str) -> dict[str, Any]:
    """
    @param flow: what it came by.
    @param key: of the record of its dialog.
    """
    return {"message": request.serialize(), "flow": packedFlow(flow), "key": key}


def packedFlow(flow: Flow) -> list[Any]:
    """
    @return: the flow, without the node whose it is.
    """
    return [flow.transport, *flow.local, *flow.remote, flow.connection]


def unpackedRequest(body: Any) -> tuple[Request, Flow, str]:
    """
    @return: what L{packed} was given.
    @raise BadPassing: it is anything else.
    """
    data, plain, key = _fields(body, "message", "flow", "key")
    message = _message(data)
    if not isinstance(message, Request) or not isinstance(key, str):
        raise BadPassing("not a request")
    return message, _flow(plain), key


def unpackedResponse(body: Any) -> tuple[Response, Flow, bytes]:
    """
    @return: a response, where it goes, and its bytes.
    @raise BadPassing: it is anything else.
    """
    data, plain = _fields(body, "data", "flow")
    message = _message(data)
    if not isinstance(message, Response):
        raise BadPassing("not a response")
    return message, _flow(plain), data


def _fields(body: Any, *names: str) -> list[Any]:
    if not isinstance(body, dict):
        raise BadPassing("not a map")
    return [body.get(name) for name in names]


def _message(data: Any) -> Request | Response | None:
    if not isinstance(data, bytes):
        raise BadPassing("no message")
    try:
        return parseDatagram(data)
    except BadMessage as error:
        raise BadPassing(str(error)) from error


def _flow(plain: Any) -> Flow:
    if not isinstance(plain, list) or [type(each) for each in plain] != [
        *(str, str, int, str, int, int)
    ]:
        raise BadPassing("not a flow")
    transport, localHost, localPort, remoteHost, remotePort, connection = plain
    ports = (localPort, remotePort)
    if transport not in _TRANSPORTS or any(not 0 <= port < 65536 for port in ports):
        raise BadPassing("not a flow")
    return Flow(transport, (localHost, localPort), (remoteHost, remotePort), connection)
