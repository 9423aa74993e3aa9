"""
A flood of calls from one address at a real node.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import TestCase

from siprec.testing.client import RecordingClient
from siprec.testing.voice import ANN
from siprec.testing.wire import Law, encodeG711
from tests.functional.node import HOST, NodeProcess, Program, freeSipPort, pause, reactor
from tests.programs import require

_ATTACKER = "127.0.0.2"
_SCENARIO = os.path.join(os.path.dirname(__file__), "scenarios", "flood.xml")


class FloodTests(TestCase):
    """
    A node with a limit for each source.
    """

    async def test_flood(self) -> None:
        """
        INVITEs of one source, 300 a second, are refused and counted, while 20
        calls of another have all their packets; the other can still call.
        """
        require("sipp")
        root = os.path.abspath(self.mktemp())
        os.makedirs(root)
        with open(f"{root}/siprec.toml", "w") as file:
            file.write("[sip]\nsource_rate = 20\nmax_unacknowledged = 100\n")
        options = ("--config", f"{root}/siprec.toml")
        node = NodeProcess(f"{root}/recordings", rtp="34000-34999", options=options)
        self.addCleanup(node.kill)
        await node.start()
        client = RecordingClient(reactor, "UDP", HOST, node.sip, HOST)
        await client.start()
        self.addCleanup(client.stop)
        calls = [await client.invite() for _ in range(20)]
        payload = encodeG711(ANN.speak(8.0), Law.MU)
        playing = [call.play([payload, payload]) for call in calls]
        sipp = Program.start(
            *("sipp", f"{HOST}:{node.sip}", "-sf", _SCENARIO, "-m", "1500", "-r", "300"),
            *("-i", _ATTACKER, "-p", str(freeSipPort()), "-nostdin", "-timeout", "60"),
            cwd=root,
        )
        self.addCleanup(sipp.kill)
        await pause(2.0)
        # While the flood is on.
        self.assertIsNone(sipp.status)
        self.assertEqual((await client.options()).status, 200)
        self.assertEqual((await calls[0].update()).status, 200)
        late = await client.invite()
        for each in playing:
            await each
        await sipp.ended(60)
        for call in (*calls, late):
            self.assertEqual((await call.bye()).status, 200)
        refused = await node.metric('siprec_sip_refused_total{reason="sourceRate"}')
        self.assertGreater(refused, 1000)
        manifests = {each["callID"]: each for each in await node.finished(21)}
        for call in calls:
            streams = manifests[call.callID]["streams"]
            packets = [each["packets"] for each in streams]
            self.assertEqual(packets, [len(leg.sent) for leg in call.legs])
        self.assertEqual(await node.metric("siprec_unhandled_errors_total"), 0)
        self.assertEqual(await node.metric("siprec_media_kernel_drops_total"), 0)
