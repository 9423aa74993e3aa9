"""
Who may call a real node, and who may not: by address.
"""

from __future__ import annotations

import os
import signal

from twisted.trial.unittest import TestCase

from siprec.sip.message import Response
from siprec.testing.call import RecordingCall
from siprec.testing.client import RecordingClient
from siprec.testing.voice import ANN
from siprec.testing.wire import Law, encodeG711
from tests.functional.node import HOST, NodeProcess, eventually, reactor

STRANGER = "127.0.0.2"
OTHER = "127.0.0.3"

_PEERS = f"""
[[peer]]
name = "sbc"
networks = ["{HOST}"]
[[peer]]
name = "other"
networks = ["{OTHER}"]
"""


class AdmissionTests(TestCase):
    """
    A node with a list of peers.
    """

    async def start(self) -> None:
        """
        Start the node.
        """
        root = os.path.abspath(self.mktemp())
        os.makedirs(root)
        self.config = f"{root}/siprec.toml"
        self.write(_PEERS)
        options = ("--config", self.config)
        self.node = NodeProcess(f"{root}/recordings", rtp="31000-31999", options=options)
        self.addCleanup(self.node.kill)
        await self.node.start()

    def write(self, text: str) -> None:
        """
        Configure the node.
        """
        with open(self.config, "w") as file:
            file.write(text)

    async def client(self, host: str) -> RecordingClient:
        """
        @return: a client at an address.
        """
        client = RecordingClient(reactor, "UDP", HOST, self.node.sip, host)
        await client.start()
        self.addCleanup(client.stop)
        return client

    async def refused(self, reason: str) -> float:
        """
        @return: how many messages were refused for that reason.
        """
        return await self.node.metric(f'siprec_sip_refused_total{{reason="{reason}"}}')

    async def forge(self, client: RecordingClient, call: RecordingCall) -> Response:
        """
        @return: the answer to a BYE in a call of somebody else.
        """
        assert call.dialog is not None
        _, bye = call.dialog.request("BYE")
        flow = await client.flowTo(client.uri)
        return await client.layer.sendRequest(bye, flow)

    async def test_strangers(self) -> None:
        """
        A stranger is refused whatever it asks, and counted; once it is
        configured and SIGHUP has come, it is served.
        """
        await self.start()
        stranger = await self.client(STRANGER)
        self.assertEqual((await stranger.options()).status, 403)
        self.assertEqual((await stranger.call().invite()).status, 403)
        # The ACK is counted too, and may not have come yet.
        self.assertGreaterEqual(await self.refused("stranger"), 2)
        self.write(f'{_PEERS}[[peer]]\nname = "new"\nnetworks = ["{STRANGER}"]\n')
        assert self.node.program is not None
        self.node.program.signal(signal.SIGHUP)
        output = self.node.program
        await eventually("the new settings", lambda: "settings read again" in output.output)
        self.assertEqual((await stranger.options()).status, 200)

    async def test_forgedBye(self) -> None:
        """
        A BYE with all that identifies the call, from the address of a stranger
        or of another peer, is refused and counted, and the call goes on: every
        packet of it is recorded.
        """
        await self.start()
        client = await self.client(HOST)
        call = await client.invite()
        payload = encodeG711(ANN.speak(3.0), Law.MU)
        playing = call.play([payload, payload])
        for host in (STRANGER, OTHER):
            forger = await self.client(host)
            self.assertEqual((await self.forge(forger, call)).status, 403)
        await playing
        self.assertEqual((await call.bye()).status, 200)
        self.assertEqual(await self.refused("stranger"), 1)
        self.assertEqual(await self.refused("otherPeer"), 1)
        [manifest] = await self.node.finished()
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))
        packets = [each["packets"] for each in manifest["streams"]]
        self.assertEqual(packets, [len(leg.sent) for leg in call.legs])
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)
