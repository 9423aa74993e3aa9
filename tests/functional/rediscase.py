"""
What the tests of L{siprec.store.redis} over real servers have in common.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from siprec.ids import NodeID, nodeID
from siprec.session.model import SessionData
from siprec.store.errors import StoreError
from siprec.store.redis import RedisSessionStore, openRedisStore
from tests.functional.redisserver import KINDS

__all__ = ["N1", "N2", "PREFIX", "RedisCase", "makeData", "overEach"]

N1, N2 = nodeID("n1"), nodeID("n2")
PREFIX = "{siprec}:"


def makeData(key: str = "s1", callID: str = "c1", node: NodeID = N1) -> SessionData:
    """
    @return: a record of two communication sessions.
    """
    return SessionData(key, callID, "recording", 1.0, 2.0, f"/r/{key}", node, sessions=("a", "b"))


class RedisCase(TestCase):
    """
    A server, and stores at it that are closed in the end.

    @cvar kind: which server.
    """

    kind = "redis"

    def openStore(self, url: str, node: NodeID = N1, **more: Any) -> RedisSessionStore:
        """
        @return: a store of an address.
        """
        store = openRedisStore(reactor, url, node, **{"timeout": 2.0, **more})
        self.addCleanup(store.close)
        return store

    async def failing(self, call: Deferred[Any], kind: type[StoreError]) -> str:
        """
        @return: how the call has failed.
        """
        return str(await self.assertFailure(call, kind))


def overEach(case: type[RedisCase]) -> tuple[type[RedisCase], ...]:
    """
    @return: the same tests over each kind of server, in the order of L{KINDS},
        each class named after its server: C{Redis6Recovery} of C{Recovery}.
    """
    return tuple(
        type(
            kind.capitalize().replace("-", "") + case.__name__,
            (case,),
            {"kind": kind, "__module__": case.__module__},
        )
        for kind in KINDS
    )
