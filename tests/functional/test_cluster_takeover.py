"""
Nodes that die, and calls that do not.
"""

from __future__ import annotations

from siprec.session.manifest import Manifest
from tests.functional.clustercase import ClusterCase, Watched
from tests.functional.node import eventually, pause


class CrashTests(ClusterCase):
    """
    A process that is gone.
    """

    async def test_killed(self) -> None:
        """
        Of three nodes one is killed in mid-call: all its calls go on at the
        others, and each ends as one complete recording of both nodes' segments.
        """
        await self.begin(3)
        calls = [each for node in range(3) for each in await self.calls(node, 10, 8.0)]
        await pause(2.0)
        await self.nodes[0].kill()
        await self.hangUp(calls)
        manifests = await self.finished(30)
        self.check(manifests, [each for each in calls if each.node == 0], 1.0)
        self.checkSignalling(calls)
        await self.checkEmptyStore()
        await self.checkErrors(*self.nodes[1:])

    def check(self, manifests: dict[str, Manifest], calls: list[Watched], limit: float) -> None:
        """
        Each call has one recording, with at most so many seconds missing.
        """
        for each in calls:
            manifest = manifests[each.call.callID]
            self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))
            self.assertEqual(len(manifest["segments"]), 2)
            self.assertEqual(manifest["nodes"][0], "n1")
            missing = self.missing(manifest, each.call)
            print(manifest["nodes"], [round(m,2) for m in missing], [g["cause"] for g in manifest["gaps"]])
            self.assertLess(max(missing), limit)
            self.assertEqual({gap["cause"] for gap in manifest["gaps"]}, {"nodeChange"})


__all__ = ["CrashTests", "eventually"]
