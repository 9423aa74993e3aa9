"""
L{siprec.store.redis}: what it asks of real servers, counted by MONITOR.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock

from siprec.session.heartbeat import HeartbeatService
from siprec.session.model import NodeLease
from tests.functional.node import eventually
from tests.functional.rediscase import N1, N2, RedisCase, makeData, overEach
from tests.functional.redisserver import startServer

SESSIONS, AT_ONCE, BEATS = 10_000, 500, 5


def sentUntilEcho(monitor: Any) -> list[str]:
    """
    @return: the commands that clients sent, as far as the next ECHO; without
        what scripts ask for themselves.
    """
    sent: list[str] = []
    while True:
        command: dict[str, Any] = monitor.next_command()
        verb = command["command"].split(" ")[0].upper()
        if verb == "ECHO":
            return sent
        assert verb not in ("KEYS", "SCAN", "SSCAN", "ZSCAN", "HSCAN"), verb
        if command["client_type"] != "lua":
            sent.append(verb)


class Commands(RedisCase):
    """
    What the server is asked, as MONITOR shows it.
    """

    async def test_oneCommandEach(self) -> None:
        """
        Each operation, and the heartbeat whatever number of sessions the node
        has, is one command; nothing walks the key space, in no script either.
        """
        server = startServer(self, self.kind)
        store, raw = self.openStore(server.url), server.client()
        data = await store.store(makeData(), 60)
        await gatherResults([store.store(makeData(f"x{i}"), 60) for i in range(50)])
        operations: list[tuple[str, Callable[[], Deferred[Any]], int]] = [
            ("store", lambda: store.store(makeData("s2"), 60), 1),
            ("get", lambda: store.get("s1"), 1),
            ("update", lambda: store.update(data, 60), 1),
            ("replicate", lambda: store.replicate(evolve(data, version=9), 60), 1),
            ("exists", lambda: store.exists("s1"), 1),
            ("extend", lambda: store.extend("s1", 60, 1), 1),
            ("claim", lambda: store.claim("s1", N2, 1), 1),
            ("list", lambda: store.list(), 1),
            ("list of a node", lambda: store.list(N1), 1),
            ("listByCallID", lambda: store.listByCallID("c1"), 1),
            ("listBySession", lambda: store.listBySession("a"), 1),
            ("heartbeat", lambda: store.heartbeat(NodeLease(N1, "i", "h", 1), 3), 1),
            ("nodes", lambda: store.nodes(), 1),
            ("release", lambda: store.release(N1, "i"), 1),
            ("stats", lambda: store.stats(), 1),
            ("health", lambda: store.health(), 1),
            ("delete", lambda: store.delete("s1", remember=5), 1),
            ("cleanup", lambda: store.cleanup(), 2),
        ]
        raw.ping()
        with server.client().monitor() as monitor:
            for _, call, _ in operations:
                await call()
                raw.echo("next")
            for name, _, expected in operations:
                self.assertEqual(sentUntilEcho(monitor), ["EVALSHA"] * expected, name)


RedisCommands, Redis6Commands, ValkeyCommands, Valkey8Commands = overEach(Commands)
del Commands


class HeartbeatTests(RedisCase):
    """
    A node with many sessions.
    """

    async def test_oneCommandEachBeat(self) -> None:
        """
        A beat of a node that has 10,000 sessions in the store is one command,
        and says how many they are.
        """
        server = startServer(self, self.kind)
        store, raw, clock = self.openStore(server.url, timeout=10.0), server.client(), Clock()
        for first in range(0, SESSIONS, AT_ONCE):
            numbers = range(first, first + AT_ONCE)
            await gatherResults(
                [store.store(makeData(f"s{each}", f"c{each}"), 600) for each in numbers]
            )
        own = await store.list(N1)
        self.assertEqual(len(own), SESSIONS)
        lease = NodeLease(N1, "i", "h", 1, sessions=len(own))
        service = HeartbeatService(store, clock, lambda: lease, onLost=self.fail)
        await service.acquire()
        with server.client().monitor() as monitor:
            for _ in range(BEATS):
                clock.advance(1.0)
                if not service.running:
                    service.startService()
                await eventually("a beat", lambda: service.lastBeat == clock.seconds())
            raw.echo("enough")
            self.assertEqual(sentUntilEcho(monitor), ["EVALSHA"] * BEATS)
        [found] = await store.nodes()
        self.assertEqual(found.sessions, SESSIONS)
        await service.stopService()
