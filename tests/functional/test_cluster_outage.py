"""
Nodes whose store goes away and comes back, and calls that do not notice.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from siprec.session.manifest import Manifest
from tests.functional.clustercase import ClusterCase, Watched
from tests.functional.node import HOST, eventually, pause
from tests.functional.redisserver import Server, startSentinel, startServer

# Seconds for which the store is away; the figures in the documentation are of 60.
_OUTAGE = float(os.environ.get("SIPREC_OUTAGE_SECONDS", "8"))

# Calls to each node.
_EACH = 4


class OutageCase(ClusterCase):
    """
    Three nodes with calls, and what must hold when the store was away.
    """

    async def third(self, seconds: float) -> list[Watched]:
        """
        @param seconds: of media.
        @return: calls, as many to each node.
        """
        found: list[Watched] = []
        for node in range(3):
            found += await self.calls(node, _EACH, seconds)
        return found

    async def checkWhole(self, calls: list[Watched]) -> dict[str, Manifest]:
        """
        Hang up: every call stayed where it was, and nothing of it is missing.
        """
        await self.hangUp(calls)
        manifests = await self.finished(len(calls))
        for each in calls:
            manifest = manifests[each.call.callID]
            self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))
            self.assertEqual(manifest["nodes"], [f"n{each.node + 1}"])
            self.assertEqual((len(manifest["segments"]), manifest["gaps"]), (1, []))
            self.assertEqual(self.missing(manifest, each.call), [0.0, 0.0])
            # Nobody said a word to the peer.
            self.assertEqual(each.call.requests, [])
        self.checkSignalling(calls)
        for node in self.nodes:
            for event in ("claimed", "fenced"):
                name = f'siprec_cluster_sessions_total{{event="{event}"}}'
                self.assertEqual(await node.metric(name), 0, node.nodeID)
        await self.checkEmptyStore()
        await self.checkErrors(*self.nodes)
        return manifests

    async def allBack(self, count: int) -> None:
        """
        Wait until the store has so many records, and all leases.
        """
        await eventually("records in the store", lambda: self.recordsNow() == count)
        await self.seenByAll(3)

    def recordsNow(self) -> int | None:
        """
        @return: how many sessions the store has; C{None} while it is away.
        """
        try:
            return self.records()
        except Exception:
            return None


class KilledCase(OutageCase):
    """
    One Redis that is killed and started again.
    """

    async def outage(self) -> None:
        """
        The store is killed in mid-call, and calls begin and end without it.
        """
        calls = await self.third(_OUTAGE + 9.0)
        await pause(1.5)
        self.server.kill()
        await pause(1.0)
        # Without a store calls begin, and end.
        begun = await self.calls(0, 1, _OUTAGE + 6.0)
        ended = await self.calls(1, 1, 0.5)
        await self.hangUp(ended)
        await pause(_OUTAGE - 1.5)
        self.server.start()
        await self.allBack(len(calls) + 1)
        # As long as it takes until somebody would be dead for want of a lease.
        await pause(4.0)
        await self.checkWhole([*calls, *begun])

    async def finished(self, count: int, patience: float = 60.0) -> dict[str, Manifest]:
        """
        The call that ended during the outage is counted, too.
        """
        return await super().finished(count + 1, patience)


class EmptyTests(KilledCase):
    """
    It has nothing when it is back.
    """

    firstPort = 36000

    async def test_killed(self) -> None:
        """
        A store that comes back with nothing in it has all records again; no
        call was lost, none claimed, each is one segment without a gap.
        """
        await self.begin(3)
        await self.outage()


class KeptTests(KilledCase):
    """
    It has kept what it had.
    """

    firstPort = 33000

    async def openStore(self) -> str:
        """
        See L{ClusterCase.openStore}.
        """
        options = ("--appendonly", "yes", "--appendfsync", "always")
        self.server = startServer(self, "redis", *options)
        return self.server.url

    async def test_killed(self) -> None:
        """
        A store that comes back with all records, and with leases that have all
        ended meanwhile, is no reason to take anybody for dead.
        """
        await self.begin(3)
        await self.outage()


class FailoverTests(OutageCase):
    """
    A master whose replica takes its place.
    """

    firstPort = 30000

    async def openStore(self) -> str:
        """
        See L{ClusterCase.openStore}.
        """
        self.master = startServer(self, "redis")
        self.server = startServer(self, "redis", replicaOf=self.master.port)
        sentinels = [startSentinel(self, self.master.port) for _ in range(3)]
        for each in sentinels:
            await eventually("Sentinels know all", partial(_knowsAll, each))
        hosts = ",".join(f"{HOST}:{each.port}" for each in sentinels)
        return f"redis+sentinel://{hosts}/calls/0"

    async def test_failover(self) -> None:
        """
        The master is killed in mid-call: no call is lost, none claimed, and
        writes go on at the new one.
        """
        await self.begin(3)
        calls = await self.third(20.0)
        await pause(1.5)
        self.master.kill()
        await eventually("a new master", lambda: _isMaster(self.server))
        await self.allBack(len(calls))
        more = await self.calls(2, 1, 3.0)
        await eventually("a new record", lambda: self.recordsNow() == len(calls) + 1)
        await self.checkWhole([*calls, *more])


def _isMaster(server: Server) -> bool:
    with server.client() as client:
        role: Any = client.execute_command("ROLE")
        return bool(role[0] == b"master")


def _knowsAll(sentinel: Server) -> bool:
    with sentinel.client(decode_responses=True) as client:
        raw: Any = client.execute_command("SENTINEL", "MASTER", "calls")
    state = raw if isinstance(raw, dict) else dict(zip(raw[::2], raw[1::2], strict=True))
    return (int(state["num-slaves"]), int(state["num-other-sentinels"])) == (1, 2)


del KilledCase
__all__ = ["EmptyTests", "FailoverTests", "KeptTests"]
