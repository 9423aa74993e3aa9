"""
Where a node listens for the others of its cluster.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from twisted.logger import Logger

from siprec.endpoints import escapeInterface, splitEndpoint
from siprec.sip.datagram import facingAddress
from siprec.sip.matching import isAddress
from siprec.store.redisurl import parseRedisURL

__all__ = ["listenAt"]

log = Logger()

_LOOPBACK = "127.0.0.1"


def _resolve(host: str) -> str | None:
    """
    Blocks; it is asked once, before the reactor runs.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except OSError:
        return None
    return str(found[0][4][0])


def listenAt(
    listen: str,
    storeURL: str,
    resolve: Callable[[str], str | None] = _resolve,
    facing: Callable[[str], str | None] = facingAddress,
) -> str:
    """
    @param listen: as configured: an endpoint string with or without an address.
    @param storeURL: of the store that all nodes share.
    @return: the same with an address: if none is given, the one that faces the
        store, as the others reach that too.
    """
    _, positional, named = splitEndpoint(listen)
    if named.get("interface"):
        return listen
    url = parseRedisURL(storeURL)
    host = url.hosts[0][0] if url.hosts else _LOOPBACK
    address = host if isAddress(host) else resolve(host)
    own = None if address is None else facing(address)
    if own is None:
        log.warn(
            "no way to the store at {host}: other nodes are listened for on {own}",
            host=host,
            own=_LOOPBACK,
        )
        own = _LOOPBACK
    return escapeInterface(f"tcp:{positional[0]}:interface={own}")
