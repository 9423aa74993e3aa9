"""
The part of the contract of session stores that is about several nodes.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, gatherResults

from siprec.ids import NodeID
from siprec.session.model import SessionData
from siprec.store.interfaces import (
    LeaseHeld,
    NotOwner,
    SessionDeleted,
    VersionConflict,
)
from tests.store.samples import N1, N2, makeData, makeLease
from tests.store.sessioncase import LONG, SHORT, WAIT, SessionStoreCase


class OwnerRules(SessionStoreCase):
    """
    A session has one owner, and a copy does not undo what is newer.
    """

    async def test_claim(self) -> None:
        """
        A claim gives a new owner, epoch and version; the time to live goes on.
        """
        stored = await self.store.store(makeData("a"), LONG)
        other = await self.connect(N2)
        claimed = await other.claim("a", N2, 1)
        self.assertEqual(claimed, evolve(stored, nodeID=N2, version=2, epoch=2))
        self.assertApproximates(claimed.remaining, LONG, 5.0)
        self.assertEqual(await self.store.get("a"), claimed)
        await self.lists(self.store.list(N1))
        await self.lists(self.store.list(N2), "a")

    async def test_fencing(self) -> None:
        """
        Who owned the session before can write, extend, delete or claim it no
        more; the error says who has it, and it goes before that of the version.
        """
        stored = await self.store.store(makeData("a"), LONG)
        claimed = await self.store.claim("a", N2, 1)
        for call in (
            self.store.update(stored, LONG),
            self.store.extend("a", LONG, 1),
            self.store.delete("a", 1),
            self.store.claim("a", N1, 1),
        ):
            error = await self.fails(call, NotOwner)
            self.assertEqual((error.key, error.owner, error.epoch), ("a", N2, 2))
        self.assertEqual(await self.store.get("a"), claimed)
        self.assertIs(await self.store.delete("a", 2), True)

    async def test_claimOfFutureEpoch(self) -> None:
        """
        A claim must name the very epoch that is stored.
        """
        await self.store.store(makeData("a"), LONG)
        error = await self.fails(self.store.claim("a", N2, 2), NotOwner)
        self.assertEqual((error.owner, error.epoch), (N1, 1))

    async def test_newOwnerWrites(self) -> None:
        """
        The new owner writes with what it was given.
        """
        await self.store.store(makeData("a"), LONG)
        claimed = await self.store.claim("a", N2, 1)
        updated = await self.store.update(evolve(claimed, status="finishing"), LONG)
        self.assertEqual((updated.version, updated.epoch), (3, 2))

    async def test_replicate(self) -> None:
        """
        A copy is kept with its version, epoch and owner as they are, indexes
        included, and can be written on.
        """
        data = makeData("a", callID="x", nodeID=N2, version=4, epoch=3)
        self.assertIs(await self.store.replicate(data, LONG), True)
        self.assertEqual(await self.store.get("a"), data)
        await self.lists(self.store.list(N2), "a")
        await self.lists(self.store.listByCallID("x"), "a")
        self.assertEqual((await self.store.update(data, LONG)).version, 5)

    async def test_replicateNewer(self) -> None:
        """
        A copy replaces what is older, and only that: the epoch counts first,
        then the version.
        """
        await self.store.replicate(makeData("a", version=4, epoch=3), LONG)
        for version, epoch, newer in (
            (4, 3, False),
            (3, 3, False),
            (9, 2, False),
            (5, 3, True),
            (1, 4, True),
        ):
            data = makeData("a", callID=f"{epoch}-{version}", version=version, epoch=epoch)
            self.assertIs(await self.store.replicate(data, LONG), newer)
            self.assertEqual(await self.store.get("a") == data, newer)
        await self.lists(self.store.listByCallID("4-1"), "a")
        await self.lists(self.store.listByCallID("5-3"))

    async def test_replicateDeleted(self) -> None:
        """
        While a deletion is remembered, no copy brings the record back: be it
        newer, and be it that the record was not there.
        """
        await self.store.store(makeData("a"), LONG)
        await self.store.delete("a", remember=LONG)
        await self.store.delete("b", remember=LONG)
        for key in ("a", "b"):
            copy = makeData(key, version=9, epoch=9)
            error = await self.fails(self.store.replicate(copy, LONG), SessionDeleted)
            self.assertEqual(error.key, key)
        await self.lists(self.store.list())

    async def test_replicateCreatedAgain(self) -> None:
        """
        A record that was created again after its deletion can have copies.
        """
        await self.store.delete("a", remember=LONG)
        stored = await self.store.store(makeData("a"), LONG)
        self.assertIs(await self.store.replicate(evolve(stored, version=2), LONG), True)


class LeaseRules(SessionStoreCase):
    """
    A NodeID belongs to one process at a time.
    """

    async def test_heartbeat(self) -> None:
        """
        A lease is seen by all nodes, and renewed with what has changed.
        """
        self.assertIs(await self.store.heartbeat(makeLease(), LONG), False)
        other = await self.connect(N2)
        await other.heartbeat(makeLease(N2, "i2"), LONG)
        self.assertIs(await self.store.heartbeat(evolve(makeLease(), sessions=5), LONG), True)
        leases = {each.nodeID: each for each in await other.nodes()}
        self.assertEqual(set(leases), {N1, N2})
        lease = leases[N1]
        self.assertEqual(evolve(lease, expires=0.0), evolve(makeLease(), sessions=5))

    async def test_expires(self) -> None:
        """
        A lease that was not renewed is gone, and its NodeID free.
        """
        await self.store.heartbeat(makeLease(), SHORT)
        await self.store.heartbeat(makeLease(N2, "i2"), LONG)
        await self.provider.wait(WAIT)
        self.assertEqual([each.nodeID for each in await self.store.nodes()], [N2])
        await self.store.heartbeat(makeLease(instance="other"), LONG)

    async def test_expiresLater(self) -> None:
        """
        Each renewal moves the end of a lease, on the store's clock.
        """
        await self.store.heartbeat(makeLease(), LONG)
        (first,) = await self.store.nodes()
        await self.provider.wait(WAIT)
        await self.store.heartbeat(makeLease(), LONG)
        (second,) = await self.store.nodes()
        self.assertGreater(second.expires, first.expires)

    async def test_held(self) -> None:
        """
        Another process cannot take a NodeID that is in use; it learns by whom.
        """
        await self.store.heartbeat(makeLease(), LONG)
        error = await self.fails(self.store.heartbeat(makeLease(instance="other"), LONG), LeaseHeld)
        self.assertEqual(evolve(error.holder, expires=0.0), makeLease())

    async def test_release(self) -> None:
        """
        A lease that is given up is free at once; only its holder can do it.
        """
        await self.store.heartbeat(makeLease(), LONG)
        self.assertIsNone(await self.store.release(N1, "other"))
        self.assertEqual(len(await self.store.nodes()), 1)
        self.assertIsNone(await self.store.release(N1, makeLease().instance))
        self.assertEqual(await self.store.nodes(), [])
        self.assertIsNone(await self.store.release(N1, makeLease().instance))
        await self.store.heartbeat(makeLease(instance="other"), LONG)


class RaceRules(SessionStoreCase):
    """
    What several clients do at once comes out as if they had taken turns.
    """

    async def test_updatesOfTwoClients(self) -> None:
        """
        1,000 updates that two clients make interleaved, each reading again
        after a conflict, lose none.
        """
        await self.store.store(makeData("a", metadata={"count": 0}), LONG)
        clients = [await self.connect(node) for node in (N1, N2)]
        conflicts = []

        async def count(store: Any, known: SessionData) -> None:
            while True:
                metadata = {"count": known.metadata["count"] + 1}
                try:
                    await store.update(evolve(known, metadata=metadata), LONG)
                    return
                except VersionConflict as conflict:
                    conflicts.append(conflict)
                    known = await store.get("a")

        for _ in range(500):
            # Both have read before either writes.
            known = await gatherResults([each.get("a") for each in clients])
            await gatherResults(
                [
                    Deferred.fromCoroutine(count(store, data))
                    for store, data in zip(clients, known, strict=True)
                ]
            )
        end = await self.store.get("a")
        self.assertEqual((end.metadata, end.version), ({"count": 1000}, 1001))
        self.assertEqual(len(conflicts), 500)

    async def test_runningFreely(self) -> None:
        """
        The same with each client going on as soon as it can.
        """
        await self.store.store(makeData("a", metadata={"count": 0}), LONG)
        clients = [await self.connect(node) for node in (N1, N2)]

        async def count(store: Any) -> None:
            done = 0
            while done < 100:
                known = await store.get("a")
                metadata = {"count": known.metadata["count"] + 1}
                try:
                    await store.update(evolve(known, metadata=metadata), LONG)
                    done += 1
                except VersionConflict:
                    continue

        await gatherResults([Deferred.fromCoroutine(count(each)) for each in clients])
        end = await self.store.get("a")
        self.assertEqual((end.metadata, end.version), ({"count": 200}, 201))

    async def test_pipelinedUpdates(self) -> None:
        """
        Of writes that were sent together with one version, one is made.
        """
        stored = await self.store.store(makeData("a"), LONG)
        clients = [await self.connect(node) for node in (N1, N2)]
        outcomes = await _outcomes(
            [
                clients[number % 2].update(evolve(stored, metadata={"by": number}), LONG)
                for number in range(20)
            ],
            VersionConflict,
        )
        (winner,) = [each for each in outcomes if isinstance(each, SessionData)]
        self.assertEqual(await self.store.get("a"), winner)

    async def test_claimRace(self) -> None:
        """
        Of 8 clients that claim one session at once, one gets it; the others
        learn which.
        """
        await self.store.store(makeData("a"), LONG)
        nodes = [NodeID(f"m{number}") for number in range(8)]
        clients = [await self.connect(node) for node in nodes]
        outcomes = await _outcomes(
            [store.claim("a", node, 1) for store, node in zip(clients, nodes, strict=True)],
            NotOwner,
        )
        (winner,) = [each for each in outcomes if isinstance(each, SessionData)]
        losers = [each for each in outcomes if isinstance(each, NotOwner)]
        self.assertEqual({(each.owner, each.epoch) for each in losers}, {(winner.nodeID, 2)})
        self.assertEqual(len(losers), 7)
        self.assertEqual(await self.store.get("a"), winner)

    async def test_storeRace(self) -> None:
        """
        Of 8 clients that create one session at once, one does.
        """
        clients = [await self.connect(NodeID(f"m{number}")) for number in range(8)]
        outcomes = await _outcomes(
            [store.store(makeData("a", nodeID=store.nodeID), LONG) for store in clients],
            VersionConflict,
        )
        self.assertEqual(sum(isinstance(each, SessionData) for each in outcomes), 1)


async def _outcomes(calls: list[Deferred[Any]], lost: type[Exception]) -> list[Any]:
    """
    @return: what each call fired with, or the error if it lost the race.
    """

    async def outcome(call: Deferred[Any]) -> Any:
        try:
            return await call
        except lost as error:
            return error

    results: list[Any] = await gatherResults(
        [Deferred.fromCoroutine(outcome(call)) for call in calls]
    )
    return results
