"""
Servers and Sentinels with the configuration of C{etc/redis.conf} and
C{etc/sentinel.conf}.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import Any

from valkey.exceptions import ValkeyError

from siprec.store.errors import StoreError, StoreUnavailable
from siprec.store.redis import RedisSessionStore
from tests.functional.node import HOST, eventually, freePort, pause, reactor
from tests.functional.rediscase import RedisCase, makeData
from tests.functional.redisserver import Server, program

ETC = os.path.join(os.path.dirname(__file__), "..", "..", "etc")


class ExampleTests(RedisCase):
    """
    Three servers, three Sentinels, addresses changed and nothing else.
    """

    def startServer(self, kind: str, name: str, master: int = 0) -> Server:
        """
        Start a server that is gone when the test is over.

        @param name: of the file in C{etc}.
        @param master: port of the master, if this is another one.
        """
        binary = program(kind)
        folder, port = tempfile.mkdtemp(prefix="siprec-"), freePort()
        with open(f"{ETC}/{name}", encoding="ascii") as file:
            text = file.read()
        for old, new in (
            ("# replicaof 192.0.2.21 6379", f"replicaof {HOST} {master}" if master else ""),
            ("monitor calls 192.0.2.21 6379", f"monitor calls {HOST} {master}"),
            ("bind 192.0.2.21", f"bind {HOST}\nunixsocket {folder}/socket"),
            ("port 6379", f"port {port}"),
            ("port 26379", f"port {port}"),
            ("dir /var/lib/redis", f"dir {folder}"),
        ):
            text = text.replace(old, new)
        with open(f"{folder}/conf", "w", encoding="ascii") as file:
            file.write(text)
        server = Server([binary, f"{folder}/conf"], folder, port)
        self.addCleanup(server.remove)
        server.start()
        return server

    def ask(self, server: Server, *command: str) -> Any:
        """
        @return: an answer, as text; empty while there is none.
        """
        with contextlib.suppress(ValkeyError), server.client(decode_responses=True) as client:
            return client.execute_command(*command)
        return ""

    def facts(self, server: Server, *command: str) -> dict[str, str]:
        """
        @return: an answer of names and values; empty while there is none.
        """
        answer = self.ask(server, *command)
        # Some are made a dictionary by the client.
        return (
            answer
            if isinstance(answer, dict)
            else dict(zip(answer[::2], answer[1::2], strict=True))
        )

    async def test_failover(self) -> None:
        """
        The binaries take the files.  What is stored by way of the Sentinels
        outlives the master, and the next one, which has one replica left, takes
        writes.
        """
        master = self.startServer("redis", "redis.conf")
        replicas = [self.startServer("redis", "redis.conf", master.port) for _ in range(2)]
        sentinels = [
            self.startServer("redis-sentinel", "sentinel.conf", master.port) for _ in range(3)
        ]
        for name, value in (
            ("appendonly", "yes"),
            ("maxmemory-policy", "noeviction"),
            ("min-replicas-to-write", "1"),
        ):
            for server in (master, *replicas):
                self.assertEqual(self.facts(server, "CONFIG", "GET", name), {name: value})
        await eventually("all know all", lambda: all(map(self.knowsAll, sentinels)))
        hosts = ",".join(f"{HOST}:{each.port}" for each in sentinels)
        store = self.openStore(f"redis+sentinel://{hosts}/calls/0", timeout=1.0)
        data = await self.stored(store, "s1")
        self.assertEqual(self.ask(master, "WAIT", "2", "5000"), 2)
        master.kill()
        await self.stored(store, "s2")
        self.assertEqual(await store.get("s1"), data)

    async def test_alone(self) -> None:
        """
        A master without a replica takes no writes, which is said.
        """
        store = self.openStore(self.startServer("redis", "redis.conf").url)
        why = await self.failing(store.store(makeData(), 60), StoreUnavailable)
        self.assertIn("NOREPLICAS", why)

    def knowsAll(self, sentinel: Server) -> bool:
        """
        @return: whether a Sentinel has found two replicas and two others.
        """
        found = self.facts(sentinel, "SENTINEL", "MASTER", "calls")
        return [str(found.get(f"num-{name}")) for name in ("slaves", "other-sentinels")] == [
            "2"
        ] * 2

    async def stored(self, store: RedisSessionStore, key: str) -> Any:
        """
        @return: a record, once it could be written.
        """
        end = reactor.seconds() + 30
        while True:
            try:
                return await store.store(makeData(key), 60)
            except StoreError:
                self.assertLess(reactor.seconds(), end, f"{key} was not written")
                await pause(0.2)
