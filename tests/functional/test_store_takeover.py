"""
Taking over from a dead node, over real servers, where what lies in them is not
as it should be.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import gatherResults
from twisted.logger import capturedLogs

from siprec.session.model import Claimed, NodeLease
from siprec.store.codec import SCHEMA
from siprec.store.errors import StoreUnavailable
from tests.functional.rediscase import N1, N2, PREFIX, RedisCase, makeData, overEach
from tests.functional.redisserver import startServer

FOREVER = 4e12


class Takeover(RedisCase):
    """
    What cannot be read stays where it is and is in nobody's way.
    """

    def setUp(self) -> None:
        self.server = startServer(self, self.kind)
        self.raw: Any = self.server.client(decode_responses=False)
        self.store = self.openStore(self.server.url)

    async def create(self, *keys: str) -> None:
        """
        Store records, each with less time than the one before.
        """
        for number, key in enumerate(keys):
            await self.store.store(makeData(key), 600 - number)

    def spoil(self, key: str, **fields: object) -> None:
        """
        Change the fields of a record behind the back of the store.
        """
        self.raw.hset(f"{PREFIX}session:{key}", mapping=fields)

    async def taken(self, limit: int) -> tuple[list[str], int]:
        """
        @return: what node 2 got, and what is left.
        """
        claimed: Claimed = await self.store.claimFrom(N1, N2, limit)
        return [each.sessionID for each in claimed.records], claimed.left

    async def test_unreadable(self) -> None:
        """
        A record that was cut short, is of a newer schema, another program's or
        no record at all is stepped over, wherever it stands, and left with its
        owner as it is; what is left is said without it once it was met.
        """
        await self.create("cut", "a", "newer", "b", "other", "c", "text", "d", "last")
        blob = self.raw.hget(f"{PREFIX}session:cut", "blob")
        self.spoil("cut", blob=blob[:-3])
        self.spoil("newer", schema=999)
        self.spoil("other", version="nan")
        self.raw.delete(f"{PREFIX}session:text")
        self.raw.set(f"{PREFIX}session:text", "x")
        self.spoil("last", schema="none")
        bad = ("cut", "newer", "other", "text", "last")
        before = {key: self.raw.dump(f"{PREFIX}session:{key}") for key in bad}
        # One unreadable record is known on the way to "a", three have not been met.
        self.assertEqual(await self.taken(1), (["a"], 7))
        self.assertEqual(await self.taken(2), (["b", "c"], 3))
        with capturedLogs() as logs:
            self.assertEqual(await self.taken(2), (["d"], 0))
        self.assertEqual([each["count"] for each in logs if "owner" in each], [5])
        self.assertEqual(await self.taken(25), ([], 0))
        self.assertEqual({key: self.raw.dump(f"{PREFIX}session:{key}") for key in bad}, before)
        self.assertEqual(await self.store.owners(), {N1: 5, N2: 4})
        self.assertEqual(sorted(await self.store.list(N2)), ["a", "b", "c", "d"])

    async def test_readableLater(self) -> None:
        """
        What an older program had to leave, a newer one takes over.
        """
        await self.create("a")
        self.spoil("a", schema=999)
        self.assertEqual(await self.taken(25), ([], 0))
        self.spoil("a", schema=1)
        self.assertEqual(await self.taken(25), (["a"], 0))

    async def test_manyUnreadable(self) -> None:
        """
        However many there are, no script looks at all of them, and those behind
        them are found all the same.
        """
        keys = [f"s{number}" for number in range(1200)]
        for at in range(0, len(keys), 200):
            await gatherResults(
                [self.store.store(makeData(key), 600) for key in keys[at : at + 200]]
            )
        for key in keys:
            self.raw.hset(f"{PREFIX}session:{key}", "schema", 999)
        for key in ("x", "y"):
            await self.store.store(makeData(key), 60)
        calls = self.calls()
        self.assertEqual((await self.taken(1))[0], ["y"])
        self.assertEqual(self.calls() - calls, 3)
        self.assertEqual(await self.taken(25), (["x"], 0))
        self.assertEqual(await self.taken(25), ([], 0))
        self.assertEqual((await self.store.owners())[N1], 1200)

    def calls(self) -> int:
        """
        @return: how many scripts the server was asked for.
        """
        return int(self.raw.info("commandstats")["cmdstat_evalsha"]["calls"])

    async def test_changedOnTheWay(self) -> None:
        """
        Where the record that a script stopped at is gone when the next one
        wants to go on, the next one begins anew.
        """
        await self.create("a", "b")
        self.spoil("a", schema=999)
        words = (b"n1", b"n2", 25, b"", SCHEMA, b"gone", 7)
        answer = await self.store._run("claimfrom", *words)
        self.assertEqual((answer[1], answer[2], [each[0] for each in answer[4]]), (0, 1, [b"b"]))

    async def test_badBlob(self) -> None:
        """
        A record that looks well and is not is found out when it has been taken
        over: it is logged and left out, and the others come.
        """
        await self.create("a", "b", "c")
        blob = self.raw.hget(f"{PREFIX}session:b", "blob")
        self.spoil("b", blob=b"\xc1" * len(blob))
        with capturedLogs() as logs:
            self.assertEqual(await self.taken(2), (["a"], 1))
        self.assertEqual([each["recording"] for each in logs if "why" in each], ["b"])
        self.assertEqual(await self.taken(2), (["c"], 0))

    async def test_wrongEntries(self) -> None:
        """
        An entry without a record, of one that has expired or of one that is
        another node's leads nowhere, and goes.
        """
        await self.create("a")
        await self.store.store(makeData("other", node=N2), 60)
        await self.store.store(makeData("old"), 60)
        self.spoil("old", expires=1)
        wrong = dict.fromkeys(("ghost", "other", "old"), FOREVER)
        self.raw.zadd(f"{PREFIX}node:n1", wrong)
        self.assertEqual(await self.taken(25), (["a"], 0))
        self.assertEqual(self.raw.exists(f"{PREFIX}node:n1"), 0)
        self.assertEqual((await self.store.get("other")).epoch, 1)

    async def test_damaged(self) -> None:
        """
        What another program put in the place of a lease is no lease, and what
        it put in that of an index is moved aside.
        """
        await self.create("a")
        for key in ("lease:n1", "node:n2", "owners"):
            self.raw.delete(f"{PREFIX}{key}")
            self.raw.set(f"{PREFIX}{key}", "x")
        self.assertEqual(await self.taken(25), (["a"], 0))
        self.assertEqual(await self.store.list(N2), ["a"])
        self.assertEqual(await self.store.owners(), {N2: 1})
        self.assertEqual(self.raw.get(f"{PREFIX}lease:n1"), b"x")

    async def test_fullMemory(self) -> None:
        """
        A server whose memory is full takes nothing over, nor ends the lease.
        """
        await self.create("a")
        await self.store.heartbeat(NodeLease(N1, "i", "h", 1), 60)
        self.raw.zadd(f"{PREFIX}node:n1", {"ghost": FOREVER})
        self.raw.config_set("maxmemory", 1)
        await self.failing(self.store.claimFrom(N1, N2, 25, "i"), StoreUnavailable)
        self.assertEqual([each.nodeID for each in await self.store.nodes()], [N1])
        self.assertEqual(await self.store.owners(), {N1: 2})
        self.raw.config_set("maxmemory", 0)
        claimed = await self.store.claimFrom(N1, N2, 25, "i")
        self.assertEqual((len(claimed.records), claimed.left), (1, 0))

    async def test_nothingIsLeft(self) -> None:
        """
        When what was taken over goes, so do its links and all indexes.
        """
        await self.create("a", "b")
        await self.store.heartbeat(NodeLease(N1, "i", "h", 1), 60)
        await self.store.claimFrom(N1, N2, 25, "i")
        for key in ("a", "b"):
            await self.store.delete(key)
        await self.store.cleanup()
        self.assertEqual([key for key in self.raw.keys("*") if not key.endswith(b"health")], [])


RedisTakeover, Redis6Takeover, ValkeyTakeover, Valkey8Takeover = overEach(Takeover)
del Takeover
