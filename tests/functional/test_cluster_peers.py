"""
Clients of all kinds, whose calls change their node.
"""

from __future__ import annotations

from typing import Any

from siprec.session.manifest import Manifest
from tests.functional.clustercase import ClusterCase, Watched
from tests.functional.node import pause
from tests.functional.test_cluster_takeover import REINVITE

BOTH = '[cluster]\nmedia_takeover = "reinvite,address"\n'


class PeerTests(ClusterCase):
    """
    What a client says to a re-INVITE of a recorder that it did not call.
    """

    firstPort = 49000

    async def test_models(self) -> None:
        """
        Where only a re-INVITE can move the media: the recording survives
        whatever the client says to it, and is whole where it accepts.
        """
        accepts, later, refuses, silent = await self.killed(REINVITE)
        await self.hangUp([accepts, later, refuses, silent])
        manifests = await self.finished(4)
        for each in (accepts, later):
            manifest = self.check(manifests, each)
            self.assertLess(max(self.missing(manifest, each.call)), 3.0)
        self.assertEqual(len(_asked(later)), 2)
        for each, status in ((refuses, 488), (silent, None)):
            manifest = self.check(manifests, each)
            self.assertGreater(min(self.missing(manifest, each.call)), 3.0)
            found = [one for one in manifest["events"] if one["type"] == "mediaNotMoved"]
            self.assertEqual([one["status"] for one in found], [status] if status else [])
        await self.checkEmptyStore()
        await self.checkErrors(self.nodes[1])

    async def test_addressAfterRefusal(self) -> None:
        """
        Where the address may be taken after that: a client that refuses goes
        on sending there, and is heard.
        """
        calls = await self.killed(BOTH)
        await self.hangUp(calls)
        manifests = await self.finished(4)
        refuses = calls[2]
        manifest = self.check(manifests, refuses)
        self.assertLess(max(self.missing(manifest, refuses.call)), 1.5)
        self.assertIn("mediaAtOldAddress", [each["type"] for each in manifest["events"]])
        await self.checkEmptyStore()
        await self.checkErrors(self.nodes[1])

    async def killed(self, config: str) -> list[Watched]:
        """
        @return: calls of clients that accept, accept at the second time,
            refuse, and do not answer; their node is dead.
        """
        await self.begin(2, config=config)
        calls = await self.calls(0, 4, 9.0)
        calls[1].call.refuseOnce["INVITE"] = 491
        calls[2].call.refuse["INVITE"] = 488
        calls[3].call.refuse["INVITE"] = 0
        await pause(2.0)
        await self.nodes[0].kill()
        return calls

    def check(self, manifests: dict[str, Manifest], watched: Watched) -> Any:
        """
        @return: the manifest of a recording that is complete.
        """
        manifest = manifests[watched.call.callID]
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))
        self.assertEqual(manifest["nodes"], ["n1", "n2"])
        return manifest


def _asked(watched: Watched) -> list[str]:
    return [each.method for each in watched.call.requests if each.method != "ACK"]


__all__ = ["PeerTests"]
