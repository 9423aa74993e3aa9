"""
The part of the contract of session stores that is about the records of nodes
that are dead.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, gatherResults

from siprec.ids import NodeID
from siprec.session.model import Claimed, SessionData
from siprec.store.interfaces import LeaseHeld, NotOwner
from tests.store.samples import N1, N2, makeData, makeLease, makeSnapshot
from tests.store.sessioncase import LONG, SHORT, WAIT, SessionStoreCase

N3 = NodeID("n3")


class TakeoverRules(SessionStoreCase):
    """
    What a dead node owns goes to others, in parts.
    """

    async def create(self, *keys: str, **fields: Any) -> list[SessionData]:
        """
        @return: new records, as stored; each has less time than the one before.
        """
        return [
            await self.store.store(makeData(key, **fields), LONG - number)
            for number, key in enumerate(keys)
        ]

    async def test_owners(self) -> None:
        """
        Each node that owns something is told with how much it is; what expired
        or was deleted does not count, whether or not there is a lease does not
        matter.
        """
        self.assertEqual(await self.store.owners(), {})
        await self.create("a", "b")
        await self.create("c", nodeID=N2)
        await self.store.store(makeData("d", nodeID=N3), SHORT)
        await self.store.heartbeat(makeLease(N3, "i3"), LONG)
        self.assertEqual(await self.store.owners(), {N1: 2, N2: 1, N3: 1})
        await self.provider.wait(WAIT)
        await self.store.delete("a")
        await self.store.claim("c", N1, 1)
        self.assertEqual(await self.store.owners(), {N1: 2})

    async def test_claimFrom(self) -> None:
        """
        The records come with a new owner, epoch and version, and as they are
        stored; nothing else of them changes, nor their time to live.
        """
        (first, second) = await self.create("a", "b", correlations=("group:g",))
        third = await self.store.store(makeData("c", snapshot=makeSnapshot("c")), LONG / 2)
        other = await self.connect(N2)
        claimed = await other.claimFrom(N1, N2, 500)
        expected = [evolve(each, nodeID=N2, version=2, epoch=2) for each in (first, second, third)]
        self.assertEqual(claimed, Claimed(tuple(expected), 0))
        for data, ttl in zip(claimed.records, (LONG, LONG, LONG / 2), strict=True):
            self.assertApproximates(data.remaining, ttl, 5.0)
            self.assertEqual(await self.store.get(data.sessionID), data)
        await self.lists(self.store.list(N1))
        await self.lists(self.store.list(N2), "a", "b", "c")
        await self.lists(self.store.list(), "a", "b", "c")
        await self.lists(self.store.listByCorrelation("group:g"), "a", "b")
        self.assertEqual(await self.store.owners(), {N2: 3})

    async def test_order(self) -> None:
        """
        What was written last comes first, as it has the most time; the others
        are left, and counted.
        """
        await self.create("a", "b", "c", "d", "e")
        await self.create("x", nodeID=N3)
        e = await self.store.get("e")
        await self.store.update(e, LONG)
        await self.store.extend("c", 2 * LONG, 1)
        taken = []
        for limit, left in ((2, 3), (1, 2), (5, 0), (5, 0)):
            claimed = await self.store.claimFrom(N1, N2, limit)
            taken.append("".join(each.sessionID for each in claimed.records))
            self.assertEqual(claimed.left, left)
        self.assertEqual(taken, ["ce", "a", "bd", ""])
        await self.lists(self.store.list(N3), "x")

    async def test_nothingToClaim(self) -> None:
        """
        A node that owns nothing, and one that nobody knows, are no error.
        """
        await self.create("a", nodeID=N2)
        self.assertEqual(await self.store.claimFrom(N1, N2, 25), Claimed((), 0))
        self.assertEqual(await self.store.claimFrom(N1, N2, 25, "i1"), Claimed((), 0))

    async def test_claimFromFences(self) -> None:
        """
        The node that was thought dead can write, extend or delete nothing of it
        any more, and is told whose it is; the new owner can, and others can
        take it over from there.
        """
        (stored,) = await self.create("a")
        (claimed,) = (await self.store.claimFrom(N1, N2, 1)).records
        for call in (
            self.store.update(stored, LONG),
            self.store.extend("a", LONG, 1),
            self.store.delete("a", 1),
            self.store.claim("a", N1, 1),
        ):
            error = await self.fails(call, NotOwner)
            self.assertEqual((error.key, error.owner, error.epoch), ("a", N2, 2))
        await self.lists(self.store.list(N1))
        updated = await self.store.update(evolve(claimed, status="finishing"), LONG)
        self.assertEqual((updated.version, updated.epoch), (3, 2))
        (again,) = (await self.store.claimFrom(N2, N3, 1)).records
        self.assertEqual(again, evolve(updated, nodeID=N3, version=4, epoch=3))

    async def test_copiesOfBefore(self) -> None:
        """
        A copy from before does not bring a record back to the node that had it.
        """
        (stored,) = await self.create("a")
        (claimed,) = (await self.store.claimFrom(N1, N2, 1)).records
        late = evolve(stored, version=9)
        self.assertIs(await self.store.replicate(late, LONG), False)
        self.assertEqual(await self.store.get("a"), claimed)

    async def test_expiredIsNotClaimed(self) -> None:
        """
        What has expired is gone for those who take over, too.
        """
        await self.create("a")
        await self.store.store(makeData("b"), SHORT)
        await self.provider.wait(WAIT)
        claimed = await self.store.claimFrom(N1, N2, 25)
        self.assertEqual([each.sessionID for each in claimed.records], ["a"])
        self.assertEqual(claimed.left, 0)

    async def test_livingOwner(self) -> None:
        """
        Nothing is taken from a node with a lease: not by who knows of no
        process that died, and not by who knows of another one.  They learn who
        has it.
        """
        (stored,) = await self.create("a")
        await self.store.heartbeat(makeLease(), LONG)
        for instance in ("", "other"):
            error = await self.fails(self.store.claimFrom(N1, N2, 1, instance), LeaseHeld)
            self.assertEqual(evolve(error.holder, expires=0.0), makeLease())
        self.assertEqual(await self.store.get("a"), stored)
        self.assertEqual([each.nodeID for each in await self.store.nodes()], [N1])

    async def test_namelessInstance(self) -> None:
        """
        A lease of a process without a name cannot be ended by naming none.
        """
        await self.create("a")
        await self.store.heartbeat(makeLease(instance=""), LONG)
        await self.fails(self.store.claimFrom(N1, N2, 1), LeaseHeld)

    async def test_endsTheLease(self) -> None:
        """
        The lease of the process that is known to be dead ends with the first
        part that is taken, so that it is there for another process at once.
        """
        await self.create("a", "b")
        await self.store.heartbeat(makeLease(), LONG)
        await self.store.heartbeat(makeLease(N2, "i2"), LONG)
        self.assertEqual((await self.store.claimFrom(N1, N2, 1, "i1")).left, 1)
        self.assertEqual([each.nodeID for each in await self.store.nodes()], [N2])
        self.assertEqual((await self.store.claimFrom(N1, N2, 1, "i1")).left, 0)
        await self.store.heartbeat(makeLease(instance="next"), LONG)
        await self.fails(self.store.claimFrom(N1, N2, 1, "i1"), LeaseHeld)

    async def test_endsTheLeaseOfNothing(self) -> None:
        """
        So does that of a node that owned nothing.
        """
        await self.store.heartbeat(makeLease(), LONG)
        self.assertEqual(await self.store.claimFrom(N1, N2, 25, "i1"), Claimed((), 0))
        self.assertEqual(await self.store.nodes(), [])

    async def test_expiredLease(self) -> None:
        """
        A lease that has expired protects nobody, whosever it was.
        """
        await self.create("a")
        await self.store.heartbeat(makeLease(), SHORT)
        await self.provider.wait(WAIT)
        self.assertEqual(len((await self.store.claimFrom(N1, N2, 1, "other")).records), 1)

    async def test_badClaims(self) -> None:
        """
        A node does not take over from itself, and not more than 500 records or
        less than one at a time.
        """
        await self.create("a")
        for owner, node, limit in ((N1, N1, 25), (N1, N2, 0), (N1, N2, -1), (N1, N2, 501)):
            await self.fails(self.store.claimFrom(owner, node, limit), ValueError)
        await self.lists(self.store.list(N1), "a")

    async def test_claimFromRace(self) -> None:
        """
        Of 8 nodes that take over from one at once, in parts, each gets records
        that no other gets, and together they get all.
        """
        keys = {f"k{number:03}" for number in range(200)}
        await gatherResults([self.store.store(makeData(key), LONG) for key in keys])
        await self.store.heartbeat(makeLease(), LONG)
        clients = [await self.connect(NodeID(f"m{number}")) for number in range(8)]
        got: dict[NodeID, list[str]] = {}

        async def take(store: Any) -> None:
            mine = got[store.nodeID] = []
            while True:
                claimed = await store.claimFrom(N1, store.nodeID, 7, "i1")
                for each in claimed.records:
                    self.assertEqual((each.nodeID, each.version, each.epoch), (store.nodeID, 2, 2))
                    mine.append(each.sessionID)
                if not claimed.left:
                    return

        await gatherResults([Deferred.fromCoroutine(take(store)) for store in clients])
        everything = [key for mine in got.values() for key in mine]
        self.assertEqual(len(everything), 200)
        self.assertEqual(set(everything), keys)
        for node, mine in got.items():
            await self.lists(self.store.list(node), *mine)
        self.assertEqual(sum((await self.store.owners()).values()), 200)

    async def test_claimRacesClaimFrom(self) -> None:
        """
        A claim of one record and one of many at the same time do not get the
        same.
        """
        stored = await self.create(*(f"k{number}" for number in range(20)))
        one, other = await self.connect(N2), await self.connect(N3)
        singles = [one.claim(each.sessionID, N2, 1).addErrback(_lost) for each in stored]
        rest = other.claimFrom(N1, N3, 500)
        won = {each.sessionID for each in await gatherResults(singles) if each is not None}
        claimed = {each.sessionID for each in (await rest).records}
        self.assertEqual(won & claimed, set())
        self.assertEqual(won | claimed, {each.sessionID for each in stored})


def _lost(failure: Any) -> None:
    failure.trap(NotOwner)
