"""
A dialog that takes the place of one at another node (RFC 3891).
"""

from __future__ import annotations

from siprec.testing.call import RecordingCall
from siprec.testing.voice import ANN
from siprec.testing.wire import Law, encodeG711
from tests.functional.clustercase import ClusterCase


class ClusterReplacesTests(ClusterCase):
    """
    The second of a pair of SBCs goes on with a call of the first, and reaches
    another node.
    """

    firstPort = 44000

    def header(self, call: RecordingCall) -> tuple[str, str]:
        """
        @return: the header that names a call.
        """
        dialog = call.dialog
        assert dialog is not None
        tags = f"to-tag={dialog.remoteTag};from-tag={dialog.localTag}"
        return ("Replaces", f"{dialog.callID};{tags}")

    async def replaced(self, killed: bool) -> tuple[RecordingCall, RecordingCall]:
        """
        Call the first node, and replace that call at the second.

        @param killed: whether the first dies between.
        @return: both calls, after the second was hung up.
        """
        await self.begin(2)
        first = await self.clients[0].invite()
        payload = encodeG711(ANN.speak(1.0), Law.MU)
        await first.play([payload, payload])
        if killed:
            await self.nodes[0].kill()
        second = await self.clients[1].invite(headers=[self.header(first)])
        await second.play([payload, payload])
        self.assertEqual((await second.bye()).status, 200)
        return first, second

    async def test_D4_replaces_atOtherNode(self) -> None:
        """
        The node that has the call takes the INVITE, by way of the one that it
        came to: the recording is one, with what both have sent, and the old
        dialog is ended.
        """
        first, second = await self.replaced(killed=False)
        manifests = await self.finished(1)
        [manifest] = manifests.values()
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))
        self.assertEqual((manifest["callID"], manifest["nodes"]), (second.callID, ["n1"]))
        self.assertEqual(len(manifest["streams"]), 2)
        for index, stream in enumerate(manifest["streams"]):
            sent = len(first.legs[index].sent) + len(second.legs[index].sent)
            self.assertEqual(stream["packets"], sent)
        self.assertIn("replaced", [each["type"] for each in manifest["events"]])
        self.assertEqual([each.method for each in first.requests], ["BYE"])
        await self.checkEmptyStore()
        await self.checkErrors(*self.nodes)

    async def test_D4_replaces_ofDeadNode(self) -> None:
        """
        If that node is dead, the one that the INVITE came to takes the call
        over, and then replaces it.
        """
        _, second = await self.replaced(killed=True)
        [manifest] = (await self.finished(1)).values()
        self.assertEqual((manifest["callID"], manifest["nodes"]), (second.callID, ["n1", "n2"]))
        self.assertIn("replaced", [each["type"] for each in manifest["events"]])
        await self.checkErrors(self.nodes[1])
