"""
Nodes that each have a disk of their own.
"""

from __future__ import annotations

import os

from siprec.session.archive import newest
from siprec.session.manifest import Manifest
from tests.functional.clustercase import ClusterCase
from tests.functional.node import NodeProcess, eventually, pause


class DisksTests(ClusterCase):
    """
    A recording whose segments lie apart is brought together.
    """

    firstPort = 55000

    def of(self, node: NodeProcess) -> list[Manifest]:
        """
        @return: the manifests on the disk of one node.
        """
        if not os.path.isdir(node.root):
            return []
        return newest(node.root, None, 1000, lambda manifest: True).recordings

    async def test_crash(self) -> None:
        """
        What a dead node had captured is fetched when it is back; until then
        the recording is incomplete, and names what is missing.
        """
        await self.begin(2, shared=False)
        one, two = self.nodes
        calls = await self.calls(0, 3, 6.0)
        await pause(2.0)
        await one.kill()
        await self.hangUp(calls)
        incomplete = await eventually("three recordings", lambda: self.final(two, "incomplete", 3))
        for manifest in incomplete:
            [missing] = manifest["missing"]
            self.assertEqual((missing["node"], len(missing["files"])), ("n1", 2))
        await one.start()
        complete = await eventually("whole ones", lambda: self.final(two, "complete", 3))
        for manifest in complete:
            self.assertNotIn("missing", manifest)
            self.assertEqual(manifest["nodes"], ["n1", "n2"])
            [call] = [each.call for each in calls if each.call.callID == manifest["callID"]]
            self.assertLess(max(self.missing(manifest, call)), 1.0)
        await eventually("a clean disk", lambda: self.of(one) == [] or None)
        await self.checkErrors(*self.nodes)

    async def test_drain(self) -> None:
        """
        What a node had captured that was drained is fetched before it ends.
        """
        await self.begin(2, shared=False)
        one, two = self.nodes
        calls = await self.calls(0, 3, 6.0)
        await pause(2.0)
        self.assertEqual(await one.stop(), 0)
        await self.hangUp(calls)
        complete = await eventually("three recordings", lambda: self.final(two, "complete", 3))
        for manifest in complete:
            [call] = [each.call for each in calls if each.call.callID == manifest["callID"]]
            self.assertEqual(self.missing(manifest, call), [0.0, 0.0])
        self.assertEqual(self.of(one), [])

    def final(self, node: NodeProcess, state: str, count: int) -> list[Manifest] | None:
        """
        @return: the recordings of a node in that state, if there are so many.
        """
        found = [each for each in self.of(node) if each["state"] == state]
        return found if len(found) == count else None


__all__ = ["DisksTests"]
