"""
L{siprec.store.redis} over real servers: Redis and Valkey, an older and a newer of each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, evolve
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from siprec.ids import NodeID, nodeID
from siprec.session.model import NodeLease
from siprec.store.backup import BackupSessionStore
from siprec.store.errors import CorruptRecord, NotOwner, SessionNotFound, VersionConflict
from siprec.store.interfaces import ISessionStore, ISnapshotStore, SessionIDs
from siprec.store.redis import PAGE, openRedisStore
from tests.functional.node import pause
from tests.functional.rediscase import N1, N2, PREFIX, RedisCase, makeData, overEach
from tests.functional.redisserver import Server, startServer
from tests.store.contract import makeSessionStoreTests, makeSnapshot

reactor: Any = _reactor
FOREVER = 4e12


@define
class RedisProvider:
    """
    Stores at one server.
    """

    _server: Server

    def connect(self, nodeID: NodeID) -> Deferred[ISessionStore]:
        """
        See L{tests.store.contract.Provider.connect}.
        """
        return succeed(openRedisStore(reactor, self._server.url, nodeID, timeout=10.0))

    def wait(self, seconds: float) -> Deferred[None]:
        """
        See L{tests.store.contract.Provider.wait}.
        """
        return pause(seconds)


@define
class BackupProvider(RedisProvider):
    """
    Stores over two servers.
    """

    _second: Server

    def connect(self, nodeID: NodeID) -> Deferred[ISessionStore]:
        """
        See L{tests.store.contract.Provider.connect}.
        """
        primary, second = (
            openRedisStore(reactor, each.url, nodeID, timeout=10.0)
            for each in (self._server, self._second)
        )
        # The contract has deletions that are forgotten within the test.
        return succeed(BackupSessionStore(primary, second, reactor, remember=0.1))


def _over(kind: str) -> Callable[[TestCase], RedisProvider]:
    return lambda test: RedisProvider(startServer(test, kind))


def _overTwo(test: TestCase) -> BackupProvider:
    return BackupProvider(startServer(test, "redis"), startServer(test, "valkey"))


class ServerTests(TestCase):
    """
    The servers that these tests are run with.
    """

    def test_versions(self) -> None:
        """
        Each is the line that it is named after.
        """
        for kind, name, version in (
            ("redis-6", "redis_version", "6.2."),
            ("valkey-8", "valkey_version", "8."),
            ("valkey", "valkey_version", "9."),
        ):
            info: Any = startServer(self, kind).client().info("server")
            self.assertTrue(info[name].startswith(version), info[name])


class RedisContractTests(makeSessionStoreTests(_over("redis"))):  # type: ignore[misc]
    """
    The session store in Redis keeps the contract of all session stores.
    """


class ValkeyContractTests(makeSessionStoreTests(_over("valkey"))):  # type: ignore[misc]
    """
    The session store in Valkey keeps the contract of all session stores.
    """


class Redis6ContractTests(makeSessionStoreTests(_over("redis-6"))):  # type: ignore[misc]
    """
    The same in Redis 6.2.
    """


class Valkey8ContractTests(makeSessionStoreTests(_over("valkey-8"))):  # type: ignore[misc]
    """
    The same in Valkey 8.
    """


class BackupContractTests(makeSessionStoreTests(_overTwo)):  # type: ignore[misc]
    """
    Redis, backed up by Valkey, keeps the contract of all session stores.
    """


class Adapted(RedisCase):
    """
    The snapshot layer over it.
    """

    async def test_snapshots(self) -> None:
        """
        Snapshots are saved, loaded by another node, listed for their own, and
        deleted; one that was taken over is not written any more.
        """
        server = startServer(self, self.kind)
        store, other = self.openStore(server.url), self.openStore(server.url, N2)
        snapshots, others = ISnapshotStore(store), ISnapshotStore(other)
        saved = makeSnapshot("k")
        await snapshots.save("k", saved)
        later = evolve(saved, lastActivity=2000.0)
        await snapshots.save("k", later)
        self.assertEqual(await snapshots.load("k"), later)
        self.assertEqual(await snapshots.list(), ["k"])
        self.assertEqual(await others.list(), [])
        self.assertEqual(await store.listByCallID(saved.dialog.callID), ["k"])
        await other.claim("k", N2, 1)
        self.assertEqual(await others.load("k"), later)
        self.assertEqual(await others.list(), ["k"])
        await self.failing(snapshots.save("k", saved), NotOwner)
        await others.delete("k")
        await others.delete("k")
        await self.failing(others.load("k"), SessionNotFound)


class Records(RedisCase):
    """
    What lies in the server.
    """

    def setUp(self) -> None:
        self.server = startServer(self, self.kind)
        self.raw = self.server.client(decode_responses=False)
        self.store = self.openStore(self.server.url)

    def keys(self) -> list[str]:
        """
        @return: the keys of the server, but for the one that health writes.
        """
        found: Any = self.raw.keys("*")
        return sorted(key.decode() for key in found if not key.endswith(b"health"))

    async def test_nothingIsLeft(self) -> None:
        """
        When the last record and lease go, so do all indexes.
        """
        await self.store.store(makeData(), 60)
        await self.store.claim("s1", N2, 1)
        await self.store.heartbeat(NodeLease(N1, "i", "h", 1), 3)
        self.assertTrue(all(key.startswith(PREFIX) for key in self.keys()))
        await self.store.delete("s1")
        await self.store.release(N1, "i")
        await self.store.cleanup()
        self.assertEqual(self.keys(), [])

    async def test_expired(self) -> None:
        """
        What expired is gone at once for every reader, and L{cleanup} removes
        it with its index entries, in several batches.
        """
        await gatherResults([self.store.store(makeData(f"s{i}"), 0.2) for i in range(250)])
        await self.store.store(makeData("stays", "c2", N2), 60)
        await pause(0.25)
        await self.failing(self.store.get("s1"), SessionNotFound)
        self.assertEqual(await self.store.list(), ["stays"])
        self.assertEqual(await self.store.list(N1), [])
        self.assertEqual(await self.store.listByCallID("c1"), [])
        self.assertEqual((await self.store.stats())["expired"], 250)
        self.assertEqual(await self.store.cleanup(), 250)
        self.assertEqual(len([key for key in self.keys() if ":session:" in key]), 1)
        self.assertEqual([key for key in self.keys() if key.endswith((":c1", ":n1"))], [])

    async def test_expiredIsReplaced(self) -> None:
        """
        A record may be made anew where one has expired; no link of the old one
        is left.
        """
        await self.store.store(makeData("s1", "old"), 0.05)
        await pause(0.1)
        await self.store.store(makeData("s1", "new"), 60)
        self.assertEqual(await self.store.listByCallID("old"), [])
        self.assertNotIn(f"{PREFIX}call:old", self.keys())

    async def test_longLists(self) -> None:
        """
        A list longer than a page has everything, once, also where more expire
        in one moment than a page holds.
        """
        keys = [f"s{number}" for number in range(2 * PAGE + 1)]
        for at in range(0, len(keys), 200):
            await gatherResults(
                [self.store.store(makeData(key), 60) for key in keys[at : at + 200]]
            )
        self.assertEqual(sorted(await self.store.list(N1)), sorted(keys))
        self.raw.zadd(f"{PREFIX}expiry", dict.fromkeys(keys, FOREVER))
        self.assertEqual(sorted(await self.store.list()), sorted(keys))

    async def test_orphans(self) -> None:
        """
        Where records were taken away behind our back, as a server does that is
        short of memory, their entries go: by who lists them, or by cleanup.
        """
        for key in ("s1", "s2", "s3"):
            await self.store.store(makeData(key), 60)
        self.raw.delete(f"{PREFIX}session:s1")
        self.assertEqual(sorted(await self.store.listByCallID("c1")), ["s2", "s3"])
        self.raw.delete(f"{PREFIX}session:s2", f"{PREFIX}session:s3")
        self.assertEqual(await self.store.cleanup(), 3)
        self.assertEqual(await self.store.list(), [])
        self.assertEqual([key for key in self.keys() if "node" in key or "expiry" in key], [])
        self.raw.zadd(f"{PREFIX}node:n2", {"ghost": FOREVER})
        self.assertEqual(await self.store.list(N2), [])
        self.assertNotIn(f"{PREFIX}node:n2", self.keys())

    async def test_garbage(self) -> None:
        """
        A record that is of the wrong type, cut short, of a newer schema or of
        another program is reported by who asks for it, left out of every list
        with one line in the log, and left as it is by cleanup; everything else
        works.
        """
        await self.store.store(makeData("good"), 60)
        bad = ("cut", "newer", "other", "string")
        for key in ("cut", "newer"):
            await self.store.store(makeData(key), 60)
        blob: Any = self.raw.hget(f"{PREFIX}session:cut", "blob")
        self.raw.hset(f"{PREFIX}session:cut", mapping={"blob": blob[:-3]})
        newer = b"\x92\xcd\x03\xe7\x80"
        self.raw.hset(
            f"{PREFIX}session:newer", mapping={"blob": newer, "size": len(newer), "schema": 999}
        )
        self.raw.hset(f"{PREFIX}session:other", mapping={"name": "x", "version": "nan"})
        self.raw.set(f"{PREFIX}session:string", b"\x00\xff")
        for key in ("other", "string"):
            for index in ("expiry", "node:n1", "call:c1", "communication:a"):
                self.raw.zadd(f"{PREFIX}{index}", {key: FOREVER})
        before = {key: self.raw.dump(f"{PREFIX}session:{key}") for key in bad}
        for key in bad:
            self.assertIn(repr(key), await self.failing(self.store.get(key), CorruptRecord))
            self.assertIs(await self.store.exists(key), True)
            await self.failing(self.store.store(makeData(key), 60), VersionConflict)
        for key in ("other", "string"):
            for call in (
                self.store.update(makeData(key), 60),
                self.store.extend(key, 60, 1),
                self.store.claim(key, N2, 1),
                self.store.replicate(makeData(key), 60),
            ):
                await self.failing(call, CorruptRecord)
        for listed in (
            self.store.list,
            lambda: self.store.list(N1),
            lambda: self.store.listByCallID("c1"),
            lambda: self.store.listBySession("a"),
        ):
            with capturedLogs() as logs:
                self.assertEqual(await self.lookUp(listed), ["good"])
            self.assertEqual([each["count"] for each in logs if "keys" in each], [4])
        self.assertEqual(await self.store.cleanup(), 0)
        self.assertEqual({key: self.raw.dump(f"{PREFIX}session:{key}") for key in bad}, before)
        self.assertEqual((await self.store.update(await self.store.get("good"), 60)).version, 2)
        for key in bad:
            self.assertIs(await self.store.delete(key), True)
            self.assertIs(await self.store.exists(key), False)

    async def lookUp(self, listed: Callable[[], Deferred[SessionIDs]]) -> SessionIDs:
        """
        @return: the list, in order.
        """
        return sorted(await listed())

    async def test_expiredGarbage(self) -> None:
        """
        An entry of what is no record goes when its time is over; what it names
        is left alone, and cleanup comes to its end.
        """
        self.raw.set(f"{PREFIX}session:string", "x")
        self.raw.zadd(f"{PREFIX}expiry", {"string": 1, "nothing": 2})
        self.assertEqual(await self.store.cleanup(), 2)
        self.assertEqual(self.keys(), [f"{PREFIX}session:string"])
        await self.store.store(makeData(), 60)
        self.raw.zadd(f"{PREFIX}expiry", {"s1": 1})
        await self.store.cleanup()
        self.assertEqual(await self.store.list(), ["s1"])

    async def test_linksOfAnother(self) -> None:
        """
        A record whose links are nonsense is not one of ours.
        """
        for links in (b"", b"\xc1", b"\x91\x91\xa1x", b"\x05"):
            await self.store.store(makeData(), 60)
            self.raw.hset(f"{PREFIX}session:s1", mapping={"links": links})
            await self.failing(self.store.get("s1"), CorruptRecord)
            await self.store.delete("s1")
            self.assertIs(await self.store.exists("s1"), False)

    async def test_damagedIndexes(self) -> None:
        """
        What another program put in an index's place is moved aside, so that it
        neither keeps a record from being saved nor is lost.
        """
        for index in ("expiry", "node:n1", "call:c1", "communication:a", "owners", "nodes"):
            self.raw.set(f"{PREFIX}{index}", "x")
        self.raw.set(f"{PREFIX}lease:n1", "x")
        await self.store.store(makeData(), 60)
        await self.store.heartbeat(NodeLease(N1, "i", "h", 1), 3)
        self.assertEqual(await self.store.list(), ["s1"])
        self.assertEqual(await self.store.list(N1), ["s1"])
        self.assertEqual(await self.store.listByCallID("c1"), ["s1"])
        self.assertEqual([each.instance for each in await self.store.nodes()], ["i"])
        self.assertEqual(self.raw.get(f"{PREFIX}call:c1:damaged"), b"x")

    async def test_damagedLeases(self) -> None:
        """
        A lease that cannot be read is left out; releasing it does nothing.
        """
        await self.store.heartbeat(NodeLease(N1, "i", "h", 1), 3)
        self.raw.set(f"{PREFIX}lease:n8", "x")
        self.raw.hset(f"{PREFIX}lease:n9", mapping={"instance": "j", "blob": "x"})
        self.raw.zadd(f"{PREFIX}nodes", {"n7": FOREVER, "n8": FOREVER, "n9": FOREVER})
        self.assertEqual([each.nodeID for each in await self.store.nodes()], ["n1"])
        await self.store.release(nodeID("n8"), "i")
        self.assertEqual(self.raw.get(f"{PREFIX}lease:n8"), b"x")

    async def test_prefixes(self) -> None:
        """
        Two clusters may share a server: each has its prefix.
        """
        other = self.openStore(self.server.url, prefix="other:")
        await self.store.store(makeData(), 60)
        self.assertEqual(await other.list(), [])
        await other.store(makeData(), 60)
        self.assertEqual({key.partition(":")[0] for key in self.keys()}, {"{siprec}", "{other}"})


RedisAdapted, Redis6Adapted, ValkeyAdapted, Valkey8Adapted = overEach(Adapted)
RedisRecords, Redis6Records, ValkeyRecords, Valkey8Records = overEach(Records)
del Adapted, Records
