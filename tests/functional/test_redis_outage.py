"""
L{siprec.store.redis} while servers die, hang and are replaced.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, gatherResults

from siprec.store.errors import SessionNotFound, StoreUnavailable
from siprec.store.redis import RedisSessionStore
from tests.functional.node import HOST, eventually, pause
from tests.functional.rediscase import RedisCase, makeData, overEach
from tests.functional.redisserver import Server, startSentinel, startServer

reactor: Any = _reactor


class Recovery(RedisCase):
    """
    The server goes and comes.
    """

    async def test_killed(self) -> None:
        """
        While the server is down a call fails at once or in time, as unavailable
        and never as not found; once it is back, calls work again, and records
        that it kept are there.
        """
        server = startServer(self, self.kind, "--appendonly", "yes", "--appendfsync", "always")
        store = self.openStore(server.url)
        data = await store.store(makeData(), 60)
        server.kill()
        for _ in range(5):
            began = reactor.seconds()
            await self.failing(store.get("s1"), StoreUnavailable)
            await self.failing(store.update(data, 60), StoreUnavailable)
            self.assertLess(reactor.seconds() - began, 2 * 2.0 + 0.5)
            await pause(0.1)
        server.start()
        self.assertEqual((await self.whenBack(store)).version, 1)
        self.assertEqual((await store.update(data, 60)).version, 2)
        self.assertGreaterEqual((await store.stats())["losses"], 1)

    async def test_hangs(self) -> None:
        """
        A server that keeps its connections and says nothing costs a call its
        timeout and no more.
        """
        server = startServer(self, self.kind)
        store = self.openStore(server.url, timeout=0.5)
        await store.store(makeData(), 60)
        server.hang()
        began = reactor.seconds()
        calls = [self.failing(store.get("s1"), StoreUnavailable) for _ in range(20)]
        await gatherResults([Deferred.fromCoroutine(call) for call in calls])
        self.assertLess(reactor.seconds() - began, 1.5)
        server.wake()
        self.assertEqual((await self.whenBack(store)).version, 1)

    async def test_scriptsAreFlushed(self) -> None:
        """
        A server that has forgotten its scripts, all calls under way included,
        gets them again.
        """
        server = startServer(self, self.kind)
        store = self.openStore(server.url)
        data = await store.store(makeData(), 60)
        server.client().script_flush()
        found = await gatherResults([store.get("s1") for _ in range(10)])
        self.assertEqual(found, [data] * 10)
        self.assertGreaterEqual((await store.stats())["reloads"], 1)

    async def test_readOnly(self) -> None:
        """
        A server that was made a replica takes no writes: that is no health.
        """
        server = startServer(self, self.kind)
        store = self.openStore(server.url)
        self.assertIs(await store.health(), True)
        server.client().replicaof(HOST, 1)
        await self.failing(store.health(), StoreUnavailable)
        server.client().replicaof("NO", "ONE")
        await self.whenBack(store, missing=True)
        self.assertIs(await store.health(), True)

    async def test_fullMemory(self) -> None:
        """
        A server whose memory is full fails writes whole, as unavailable, and
        still answers reads.
        """
        server = startServer(self, self.kind)
        store = self.openStore(server.url)
        data = await store.store(makeData(), 60)
        server.client().config_set("maxmemory", 1)
        await self.failing(store.update(evolve(data, callID="c2"), 60), StoreUnavailable)
        await self.failing(store.health(), StoreUnavailable)
        self.assertEqual(await store.get("s1"), data)
        self.assertEqual(await store.listByCallID("c1"), ["s1"])
        server.client().config_set("maxmemory", 0)
        self.assertEqual((await store.update(data, 60)).version, 2)

    async def whenBack(self, store: RedisSessionStore, missing: bool = False) -> Any:
        """
        @return: the record, once the store answers again.
        """
        for _ in range(100):
            try:
                return await store.get("s1")
            except SessionNotFound:
                self.assertTrue(missing)
                return None
            except StoreUnavailable:
                await pause(0.1)
        raise AssertionError("it did not come back")


RedisRecovery, Redis6Recovery, ValkeyRecovery, Valkey8Recovery = overEach(Recovery)
del Recovery


class SentinelTests(RedisCase):
    """
    A master that is replaced.
    """

    async def test_masterIsKilled(self) -> None:
        """
        With three Sentinels, writes go on at the new master within 10 seconds
        after the old one was killed, and find what was written before.
        """
        master = startServer(self, "redis")
        replica = startServer(self, "redis", replicaOf=master.port)
        sentinels = [startSentinel(self, master.port) for _ in range(3)]
        await eventually("Sentinels know all", lambda: all(map(self.knowsAll, sentinels)))
        hosts = ",".join(f"{HOST}:{each.port}" for each in sentinels)
        store = self.openStore(f"redis+sentinel://{hosts}/calls/0", timeout=1.0)
        data = await store.store(makeData(), 60)
        # WAIT is for what its own connection has written.
        marker = master.client()
        marker.set("marker", 1)
        self.assertEqual(marker.wait(1, 5000), 1)
        master.kill()
        killed = reactor.seconds()
        while data.version < 2:
            try:
                data = await store.update(data, 60)
            except StoreUnavailable:
                self.assertLess(reactor.seconds() - killed, 10)
                await pause(0.05)
        self.assertLess(reactor.seconds() - killed, 10)
        role: Any = replica.client().execute_command("ROLE")
        self.assertEqual(role[0], b"master")
        self.assertEqual(await store.get("s1"), data)

    def knowsAll(self, sentinel: Server) -> bool:
        """
        @return: whether a Sentinel knows the replica and the two others.
        """
        client = sentinel.client(decode_responses=True)
        raw: Any = client.execute_command("SENTINEL", "MASTER", "calls")
        state = raw if isinstance(raw, dict) else dict(zip(raw[::2], raw[1::2], strict=True))
        return (int(state["num-slaves"]), int(state["num-other-sentinels"])) == (1, 2)
