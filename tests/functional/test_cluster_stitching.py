"""
Clients that open a new session for a call whose first one was lost.
"""

from __future__ import annotations

from siprec.session.manifest import Manifest
from siprec.testing.call import RecordingCall
from siprec.testing.offer import makeMetadata
from tests.functional.clustercase import ClusterCase
from tests.functional.node import pause
from tests.functional.test_cluster_takeover import REINVITE
from tests.functional.voices import PAYLOAD


class StitchingTests(ClusterCase):
    """
    One call, one recording, however many sessions it took.
    """

    firstPort = 52000

    async def invite(self, node: int, metadata: bytes) -> RecordingCall:
        """
        Begin a session, whose media plays from now on.
        """
        call = await self.clients[node].invite(metadata=metadata)
        call.play([PAYLOAD, PAYLOAD]).addErrback(lambda _: None)
        return call

    async def test_afterCrash(self) -> None:
        """
        A client that sees its node die begins anew at another one: its call is
        one recording, with the same channels.
        """
        await self.begin(2)
        metadata = makeMetadata(["Ann", "Bob"], ["1", "2"])
        first = await self.invite(0, metadata)
        await pause(2.0)
        await self.nodes[0].kill()
        first.close()
        await pause(1.0)
        second = await self.invite(1, metadata)
        await pause(2.0)
        await second.bye()
        manifest = await self.one(first)
        self.assertEqual(manifest["nodes"], ["n1", "n2"])
        self.check(manifest)

    async def test_after481(self) -> None:
        """
        A client that does not know its session any more, as it says to a
        re-INVITE, begins anew: the recording waits for that, and goes on.
        """
        await self.begin(2, config=REINVITE)
        metadata = makeMetadata(["Ann", "Bob"], ["1", "2"])
        first = await self.invite(0, metadata)
        first.refuse["INVITE"] = 481
        await pause(2.0)
        await self.nodes[0].kill()
        await pause(2.0)
        first.close()
        [manifest] = self.recordings()
        self.assertEqual((manifest["state"], manifest["endReason"]), ("finishing", "peerGone"))
        second = await self.invite(1, metadata)
        await pause(2.0)
        await second.bye()
        self.check(await self.one(first))

    async def test_ownerLives(self) -> None:
        """
        A client that gives up a session whose node lives, and begins anew at
        another one: the first one lets go without a word.
        """
        await self.begin(2)
        metadata = makeMetadata(["Ann", "Bob"], ["1", "2"])
        first = await self.invite(0, metadata)
        await pause(2.0)
        first.close()
        await pause(1.5)
        second = await self.invite(1, metadata)
        await pause(2.0)
        await second.bye()
        manifest = await self.one(first)
        self.assertEqual(manifest["nodes"], ["n1", "n2"])
        self.check(manifest)
        await self.checkErrors(*self.nodes)

    async def test_twoAtOnce(self) -> None:
        """
        A client that records at two places at once has two recordings.
        """
        await self.begin(2)
        metadata = makeMetadata(["Ann", "Bob"], ["1", "2"])
        calls = [await self.invite(node, metadata) for node in (0, 1)]
        await pause(2.0)
        for call in calls:
            await call.bye()
        manifests = await self.finished(2)
        self.assertEqual({each["state"] for each in manifests.values()}, {"complete"})
        self.assertEqual({len(each["segments"]) for each in manifests.values()}, {1})

    async def one(self, first: RecordingCall) -> Manifest:
        """
        @return: the only recording, named after the first session.
        """
        manifests = await self.finished(1)
        await self.checkEmptyStore()
        return manifests[first.callID]

    def check(self, manifest: Manifest) -> None:
        """
        It is whole, with two channels that have both sessions' media.
        """
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))
        self.assertIn("stitched", [each["type"] for each in manifest["events"]])
        self.assertEqual([each["label"] for each in manifest["streams"]], ["1", "2"])
        for stream in manifest["streams"]:
            self.assertEqual(len(stream["ssrcs"]), 2)
            self.assertGreater(stream["packets"], 150)


__all__ = ["StitchingTests"]
