"""
The store that a configuration asks for.
"""

from __future__ import annotations

from typing import Any

from siprec.ids import NodeID
from siprec.store.interfaces import ISessionStore
from siprec.store.memory import MemorySessionStore


def openStore(
    reactor: Any,
    nodeID: NodeID,
    url: str,
    backup: str = "",
    *,
    timeout: float = 2.0,
    prefix: str = "siprec:",
    passwordFile: str = "",
) -> ISessionStore:
    """
    Make a store; it connects when it is first asked.

    @param url: C{memory:}, or the address of a Redis server in one of the forms
        of L{siprec.store.redisurl.parseRedisURL}.
    @param backup: of a second store that follows the first; empty: none.
    @param timeout: longest wait for one answer, in seconds.
    @raise ValueError: the password file is not as it should be.
    @raise OSError: a file cannot be read.
    """

    def one(address: str) -> ISessionStore:
        if address == "memory:":
            return MemorySessionStore(reactor, nodeID)
        # Not before it is needed: txredisapi imports the global reactor.
        from siprec.store.redis import openRedisStore

        return openRedisStore(
            reactor,
            address,
            nodeID,
            timeout=timeout,
            prefix=prefix,
            passwordFile=passwordFile or None,
        )

    primary = one(url)
    if not backup:
        return primary
    from siprec.store.backup import BackupSessionStore

    return BackupSessionStore(primary, one(backup), reactor)
