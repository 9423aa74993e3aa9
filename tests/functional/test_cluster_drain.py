"""
Planned work on a node: its calls go to another one without losing a packet.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from siprec.session.manifest import Manifest
from tests.functional.clustercase import ClusterCase, Watched
from tests.functional.node import eventually, pause
from tests.functional.test_cluster_takeover import REINVITE

_CALLS = int(os.environ.get("SIPREC_CLUSTER_CALLS", "50"))


class DrainTests(ClusterCase):
    """
    One of two nodes is drained in mid-call.
    """

    firstPort = 46000

    async def test_byAddress(self) -> None:
        """
        On one host the ports go over: not a packet is missing, no peer hears of
        it, nobody says BYE, and the process ends.
        """
        await self.begin(2)
        calls = await self.calls(0, _CALLS, 9.0)
        await pause(2.0)
        program = self.nodes[0].program
        assert program is not None
        program.signal(signal.SIGTERM)
        self.assertEqual(await program.ended(25), 0)
        manifests = await self.end(calls)
        self.assertEqual([each.call.requests for each in calls if _asked(each)], [])
        for manifest in manifests.values():
            self.assertEqual(manifest["nodes"], ["n1", "n2"])

    async def test_byReinvite(self) -> None:
        """
        By re-INVITE the old node goes on until nothing comes in any more: not a
        packet is missing either.
        """
        await self.begin(2, config=REINVITE)
        calls = await self.calls(0, _CALLS, 12.0)
        await pause(2.0)
        status, _ = await self.nodes[0].get("/api/drain", b"POST")
        self.assertIn(status, (200, 202))
        await eventually("calls moved", lambda: all(_asked(each) for each in calls))
        self.assertEqual((await self.nodes[0].get("/readyz"))[0], 503)
        manifests = await self.end(calls)
        self.assertEqual({tuple(_asked(each)) for each in calls}, {("INVITE",)})
        for manifest in manifests.values():
            self.assertEqual(manifest["nodes"], ["n1", "n2"])

    async def test_alone(self) -> None:
        """
        Where there is no other node, the calls are ended with a BYE that says
        why, and their recordings are complete.
        """
        await self.begin(1)
        calls = await self.calls(0, 3, 2.0)
        await pause(1.0)
        self.assertEqual(await self.nodes[0].stop(), 0)
        for each in calls:
            [bye] = [one for one in each.call.requests if one.method == "BYE"]
            self.assertIn("cause=503", bye.headers.get("Reason") or "")
        manifests = await self.finished(3)
        self.assertEqual({each["state"] for each in manifests.values()}, {"complete"})
        self.assertEqual({each["endReason"] for each in manifests.values()}, {"drained"})
        await self.checkEmptyStore()

    async def end(self, calls: Sequence[Watched]) -> dict[str, Manifest]:
        """
        Hang up, and compare every recording with what was sent.
        """
        await self.hangUp(calls)
        manifests = await self.finished(len(calls))
        for each in calls:
            manifest = manifests[each.call.callID]
            self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))
            counts = [
                (stream["packets"] - len(leg.sent), stream["lost"], stream["duplicates"])
                for stream, leg in zip(manifest["streams"], each.call.legs, strict=True)
            ]
            self.assertEqual(counts, [(0, 0, 0)] * 2)
            self.assertEqual(manifest["gaps"], [])
        self.checkSignalling(calls)
        self.assertNotIn("BYE", [method for each in calls for method in _asked(each)])
        await self.checkEmptyStore()
        await self.checkErrors(self.nodes[1])
        return manifests


def _asked(watched: Watched) -> list[str]:
    return [each.method for each in watched.call.requests if each.method != "ACK"]


__all__ = ["DrainTests"]
