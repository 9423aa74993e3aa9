"""
How a node is reached by others of its cluster, as its lease tells.
"""

import re
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from siprec.cluster.wire import SCHEMAS
from siprec.session.model import NodeLease

__all__ = ["LEASE_KEY", "NoContact", "contactData", "contactOf", "joinAddress"]

#: Under which name it stands in C{NodeLease.data}.
LEASE_KEY = "cluster"

_ADDRESS = re.compile(r"(\[[^\[\]]+\]|[^:\[\]]+):([0-9]{1,5})")


class NoContact(ValueError):
    """
    A lease does not say how its node is reached.
    """


@frozen
class Contact:
    """
    Where a node listens, and what it proves itself with.

    @ivar host: name or IP address, without brackets.
    @ivar key: of this life of its process.
    """

    host: str
    port: int
    key: bytes = field(repr=False)


def joinAddress(host: str, port: int) -> str:
    """
    @return: C{"HOST:PORT"}, an IPv6 address in brackets.
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def contactData(address: str, key: bytes) -> dict[str, Any]:
    """
    @return: what goes into C{NodeLease.data} under L{LEASE_KEY}.
    """
    return {"address": address, "key": key.hex(), "schema": list(SCHEMAS)}


def contactOf(lease: NodeLease) -> Contact:
    """
    @raise NoContact: the lease does not say, or says it in another way.
    """
    data = lease.data.get(LEASE_KEY)
    if not isinstance(data, Mapping):
        raise NoContact("its lease names no cluster address")
    address, key = data.get("address"), data.get("key")
    match = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
    if match is None or not 0 < int(match[2]) <= 65535:
        raise NoContact("the cluster address in its lease is not HOST:PORT")
    try:
        secret = bytes.fromhex(key) if isinstance(key, str) else b""
    except ValueError:
        secret = b""
    if len(secret) < 16:
        raise NoContact("the cluster key in its lease is not hexadecimal, 16 bytes or more")
    return Contact(match[1].strip("[]"), int(match[2]), secret)
