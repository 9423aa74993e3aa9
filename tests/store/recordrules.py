"""
The part of the contract of session stores that is about records and indexes.
"""

from __future__ import annotations

from attrs import evolve
from zope.interface.verify import verifyObject

from siprec.ids import NodeID
from siprec.store.interfaces import (
    ISessionStore,
    ISnapshotStore,
    SessionNotFound,
    StoreUnavailable,
    VersionConflict,
)
from tests.store.samples import N1, N2, makeData, makeLease, makeSnapshot
from tests.store.sessioncase import LONG, SHORT, WAIT, SessionStoreCase


class RecordRules(SessionStoreCase):
    """
    Records are kept, and changed by who read them last.
    """

    async def test_interface(self) -> None:
        """
        The store provides the interface, for the node it was made for; the
        snapshot layer over it is had by adaptation.
        """
        self.assertTrue(verifyObject(ISessionStore, self.store))
        self.assertEqual(self.store.nodeID, N1)
        self.assertGreaterEqual(self.store.timeout, 0)
        self.assertTrue(verifyObject(ISnapshotStore, ISnapshotStore(self.store)))

    async def test_store(self) -> None:
        """
        A new record begins at version 1 and epoch 1, whatever the caller
        thought, and comes back equal, its snapshot included.
        """
        data = makeData("a", version=7, epoch=7, snapshot=makeSnapshot("a"))
        stored = await self.store.store(data, LONG)
        self.assertEqual(stored, evolve(data, version=1, epoch=1))
        self.assertEqual(await self.store.get("a"), stored)

    async def test_storeTwice(self) -> None:
        """
        What is there is not created again: the conflict says its version.
        """
        stored = await self.store.store(makeData("a"), LONG)
        await self.store.update(stored, LONG)
        error = await self.fails(self.store.store(makeData("a", callID="x"), LONG), VersionConflict)
        self.assertEqual((error.key, error.expected, error.found), ("a", 0, 2))
        self.assertEqual(await self.store.get("a"), evolve(stored, version=2))

    async def test_remaining(self) -> None:
        """
        A record says how many seconds it has left.
        """
        stored = await self.store.store(makeData("a"), LONG)
        for data in (stored, await self.store.get("a")):
            self.assertApproximates(data.remaining, LONG, 5.0)

    async def test_notFound(self) -> None:
        """
        What is not there is not found, by every method that is about one
        record; deleting it is no error.
        """
        for call in (
            self.store.get("nobody"),
            self.store.update(makeData("nobody", version=1, epoch=1), LONG),
            self.store.extend("nobody", LONG, 1),
            self.store.claim("nobody", N2, 1),
        ):
            error = await self.fails(call, SessionNotFound)
            self.assertEqual(error.key, "nobody")
        self.assertIs(await self.store.exists("nobody"), False)
        self.assertIs(await self.store.delete("nobody"), False)
        self.assertIs(await self.store.delete("nobody", 1), False)

    async def test_update(self) -> None:
        """
        A write that names the version and epoch that are stored is made; the
        version grows by one.
        """
        stored = await self.store.store(makeData("a"), LONG)
        changed = evolve(stored, status="finishing", metadata={"queue": ("x", [1, 2.5, None])})
        updated = await self.store.update(changed, LONG)
        self.assertEqual(updated, evolve(changed, version=2))
        self.assertEqual(await self.store.get("a"), updated)

    async def test_updateOfOldVersion(self) -> None:
        """
        A write that names another version is refused, and changes nothing.
        """
        first = await self.store.store(makeData("a"), LONG)
        second = await self.store.update(evolve(first, status="finishing"), LONG)
        for version in (1, 3, 0):
            late = evolve(first, status="complete", version=version)
            error = await self.fails(self.store.update(late, LONG), VersionConflict)
            self.assertEqual((error.key, error.expected, error.found), ("a", version, 2))
        self.assertEqual(await self.store.get("a"), second)

    async def test_updateOfFutureEpoch(self) -> None:
        """
        An epoch that the store has not heard of is a conflict: the store has
        lost a claim.
        """
        stored = await self.store.store(makeData("a"), LONG)
        await self.fails(self.store.update(evolve(stored, epoch=2), LONG), VersionConflict)

    async def test_delete(self) -> None:
        """
        What was deleted is gone, for every way to look.
        """
        await self.store.store(makeData("a"), LONG)
        self.assertIs(await self.store.exists("a"), True)
        self.assertIs(await self.store.delete("a"), True)
        self.assertIs(await self.store.exists("a"), False)
        await self.fails(self.store.get("a"), SessionNotFound)
        await self.lists(self.store.list())
        await self.lists(self.store.list(N1))
        await self.lists(self.store.listByCallID("c1@src.example"))
        await self.lists(self.store.listBySession("cs1"))
        await self.lists(self.store.listByCorrelation("session:cs1"))
        self.assertEqual(await self.store.owners(), {})
        self.assertIs(await self.store.delete("a"), False)

    async def test_storeAgain(self) -> None:
        """
        What was deleted can be created anew, even where that is remembered.
        """
        await self.store.store(makeData("a"), LONG)
        await self.store.delete("a", remember=LONG)
        stored = await self.store.store(makeData("a"), LONG)
        self.assertEqual((stored.version, stored.epoch), (1, 1))
        self.assertEqual(await self.store.get("a"), stored)

    async def test_expiry(self) -> None:
        """
        A record whose time has run out is gone, for every way to look.
        """
        stored = await self.store.store(makeData("a"), SHORT)
        await self.provider.wait(WAIT)
        for call in (
            self.store.get("a"),
            self.store.update(stored, LONG),
            self.store.extend("a", LONG, 1),
            self.store.claim("a", N2, 1),
        ):
            await self.fails(call, SessionNotFound)
        self.assertIs(await self.store.exists("a"), False)
        await self.lists(self.store.list())
        await self.lists(self.store.list(N1))
        await self.lists(self.store.listByCallID("c1@src.example"))
        await self.lists(self.store.listBySession("cs1"))
        await self.lists(self.store.listByCorrelation("session:cs1"))
        self.assertIs(await self.store.delete("a"), False)
        await self.store.store(makeData("a"), LONG)

    async def test_updateGivesTime(self) -> None:
        """
        A write sets the time to live anew.
        """
        stored = await self.store.store(makeData("a"), SHORT)
        await self.store.update(stored, LONG)
        await self.provider.wait(WAIT)
        self.assertIs(await self.store.exists("a"), True)

    async def test_extend(self) -> None:
        """
        A record can be given more time, without a new version.
        """
        stored = await self.store.store(makeData("a"), SHORT)
        self.assertIsNone(await self.store.extend("a", LONG, 1))
        await self.provider.wait(WAIT)
        self.assertEqual(await self.store.get("a"), stored)
        await self.lists(self.store.listByCallID("c1@src.example"), "a")
        await self.store.extend("a", SHORT, 1)
        await self.provider.wait(WAIT)
        self.assertIs(await self.store.exists("a"), False)

    async def test_badLifetime(self) -> None:
        """
        A time to live that is not above 0 is refused, and changes nothing.
        """
        stored = await self.store.store(makeData("a"), LONG)
        newer = evolve(stored, version=5)
        for ttl in (0.0, -1.0, float("nan")):
            for call in (
                self.store.store(makeData("b"), ttl),
                self.store.update(stored, ttl),
                self.store.extend("a", ttl, 1),
                self.store.replicate(newer, ttl),
                self.store.heartbeat(makeLease(), ttl),
            ):
                await self.fails(call, ValueError)
        await self.lists(self.store.list(), "a")
        self.assertEqual(await self.store.get("a"), stored)
        self.assertEqual(await self.store.nodes(), [])

    async def test_cleanup(self) -> None:
        """
        Cleaning up removes what has expired and nothing else; there is nothing
        left to be removed after it.
        """
        await self.store.store(makeData("a"), LONG)
        for key in ("b", "c"):
            await self.store.store(makeData(key), SHORT)
        await self.provider.wait(WAIT)
        self.assertGreaterEqual(await self.store.cleanup(), 2)
        self.assertEqual(await self.store.cleanup(), 0)
        await self.lists(self.store.list(), "a")
        await self.lists(self.store.listByCallID("c1@src.example"), "a")

    async def test_stats(self) -> None:
        """
        The counts are those of the records and leases that are there.
        """
        await self.store.store(makeData("a"), LONG)
        await self.store.store(makeData("b"), LONG)
        await self.store.heartbeat(makeLease(), LONG)
        stats = await self.store.stats()
        self.assertEqual((stats["sessions"], stats["nodes"]), (2, 1))
        self.assertIsInstance(stats["provider"], str)
        self.assertGreaterEqual(stats["latency"], 0.0)

    async def test_health(self) -> None:
        """
        A store that answers says so.
        """
        self.assertIs(await self.store.health(), True)

    async def test_close(self) -> None:
        """
        A closed store is unavailable; closing it again is no error.
        """
        store = await self.connect()
        self.assertIsNone(await store.close())
        self.assertIsNone(await store.close())
        for call in (
            store.get("a"),
            store.list(),
            store.store(makeData("a"), LONG),
            store.delete("a"),
            store.heartbeat(makeLease(), LONG),
            store.nodes(),
            store.owners(),
            store.claimFrom(N1, N2, 25),
            store.health(),
        ):
            await self.fails(call, StoreUnavailable)


class IndexRules(SessionStoreCase):
    """
    Records are found by what is in them.
    """

    async def test_lists(self) -> None:
        """
        Records are listed by owner, by Call-ID, by each of their communication
        sessions and by each of their correlation keys.
        """
        await self.store.store(makeData("a", callID="x", sessions=("s1", "s2")), LONG)
        await self.store.store(makeData("b", callID="x", sessions=("s2",), nodeID=N2), LONG)
        await self.store.store(makeData("c", callID="y", sessions=()), LONG)
        await self.lists(self.store.list(), "a", "b", "c")
        await self.lists(self.store.list(N1), "a", "c")
        await self.lists(self.store.list(N2), "b")
        await self.lists(self.store.list(NodeID("n3")))
        await self.lists(self.store.listByCallID("x"), "a", "b")
        await self.lists(self.store.listByCallID("z"))
        await self.lists(self.store.listBySession("s1"), "a")
        await self.lists(self.store.listBySession("s2"), "a", "b")
        await self.lists(self.store.listBySession("s3"))
        await self.store.store(makeData("d", correlations=("group:g", "ucid:1")), LONG)
        await self.store.store(makeData("e", sessions=("g",), correlations=("ucid:1",)), LONG)
        await self.lists(self.store.listByCorrelation("group:g"), "d")
        await self.lists(self.store.listByCorrelation("ucid:1"), "d", "e")
        await self.lists(self.store.listByCorrelation("g"))

    async def test_follow(self) -> None:
        """
        The indexes follow a change of what they hold.
        """
        data = makeData("a", callID="x", sessions=("s1", "s2"), correlations=("k1", "k2"))
        stored = await self.store.store(data, LONG)
        changed = evolve(stored, callID="y", sessions=("s2", "s3"), nodeID=N2)
        await self.store.update(evolve(changed, correlations=("k2", "k3", "k2")), LONG)
        await self.lists(self.store.listByCorrelation("k1"))
        await self.lists(self.store.listByCorrelation("k2"), "a")
        await self.lists(self.store.listByCorrelation("k3"), "a")
        await self.lists(self.store.listByCallID("x"))
        await self.lists(self.store.listByCallID("y"), "a")
        await self.lists(self.store.listBySession("s1"))
        await self.lists(self.store.listBySession("s2"), "a")
        await self.lists(self.store.listBySession("s3"), "a")
        await self.lists(self.store.list(N1))
        await self.lists(self.store.list(N2), "a")

    async def test_followNothing(self) -> None:
        """
        A write that is refused changes no index.
        """
        stored = await self.store.store(makeData("a", callID="x"), LONG)
        late = evolve(stored, callID="y", version=9)
        await self.fails(self.store.update(late, LONG), VersionConflict)
        await self.lists(self.store.listByCallID("x"), "a")
        await self.lists(self.store.listByCallID("y"))

    async def test_anyText(self) -> None:
        """
        What peers send stands in the indexes as it is: separators, spaces,
        nothing at all, and bytes that were no UTF-8.
        """
        for number, text in enumerate(("a:b{c}*?[d]", "", "ü \n\x00", "\udcff\udc80")):
            key = f"k{number}"
            data = makeData(key, callID=text, sessions=(text,), correlations=(text,))
            await self.store.store(data, LONG)
            await self.lists(self.store.listByCorrelation(text), key)
            await self.lists(self.store.listByCallID(text), key)
            await self.lists(self.store.listBySession(text), key)
            self.assertEqual((await self.store.get(key)).callID, text)
            await self.store.delete(key)
            await self.lists(self.store.listByCallID(text))
