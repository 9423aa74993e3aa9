"""
Whole calls on a real node, from the INVITE to the finished audio.
"""

from __future__ import annotations

import os
import signal
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import TestCase

from siprec.session.manifest import Manifest, parseTime
from siprec.testing.client import RecordingClient
from siprec.testing.rtp import Plan
from siprec.testing.voice import ANN, BOB
from siprec.testing.wire import Law, decodeG711, encodeG711
from tests.functional.node import HOST, NodeProcess, pause, reactor
from tests.functional.test_sipp import find

_RATE = 8000
_PACKET = 160


class CallTests(TestCase):
    """
    One node, one client, and networks that are not always good.
    """

    transport = "UDP"

    def setUp(self) -> None:
        self.node = NodeProcess(os.path.abspath(self.mktemp()), rtp="31000-31999")
        self.addCleanup(self.node.kill)

    async def client(self) -> RecordingClient:
        """
        @return: a client of the running node.
        """
        await self.node.start()
        client = RecordingClient(reactor, self.transport, HOST, self.node.sip)
        self.addCleanup(client.stop)
        await client.start()
        return client

    def audio(self, manifest: Manifest) -> NDArray[np.int16]:
        """
        @return: samples by channel.
        """
        day = manifest["startTime"][:10].replace("-", "/")
        path = f"{self.node.root}/{day}/{manifest['id']}/{manifest['audio']['file']}"
        samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
        self.assertEqual(rate, _RATE)
        found: NDArray[np.int16] = samples
        return found

    async def test_lateLeg(self) -> None:
        """
        A leg that starts 2 s after the other is 2 s later in its channel,
        within 20 ms.
        """
        client = await self.client()
        call = await client.invite()
        first, second = encodeG711(ANN.speak(5.0), Law.MU), encodeG711(BOB.speak(3.0), Law.MU)
        playing = call.legs[0].play(first)
        await pause(2.0)
        await gatherResults([playing, call.legs[1].play(second)])
        await call.bye()
        [manifest] = await self.node.finished()
        samples = self.audio(manifest)
        places = [
            find(decodeG711(payload, Law.MU)[800:8800], samples[:, channel])
            for channel, payload in enumerate((first, second))
        ]
        assert places[0] is not None, "the first leg is not in its channel"
        assert places[1] is not None, "the second leg is not in its channel"
        began = [leg.sent[0].time for leg in call.legs]
        late = (places[1] - places[0]) / _RATE
        self.assertApproximates(late, began[1] - began[0], 0.02)
        self.assertApproximates(late, 2.0, 0.1)

    async def test_badNetwork(self) -> None:
        """
        With 2 % of the packets lost, 5 % reordered and some sent twice, every
        other sample is where it belongs and the counts are exact.
        """
        client = await self.client()
        call = await client.invite()
        payload = encodeG711(ANN.speak(12.0), Law.MU)
        plan = Plan(loss=0.02, duplicate=0.03, reorder=0.05, seed=7)
        await gatherResults([leg.play(payload, plan) for leg in call.legs])
        await call.bye()
        [manifest] = await self.node.finished()
        self.assertEqual(manifest["state"], "complete")
        samples = self.audio(manifest)
        for channel, leg in enumerate(call.legs):
            self.checkStream(manifest["streams"][channel], leg.sent, len(payload) // _PACKET)
            self.checkSamples(samples[:, channel], leg.sent, payload)

    def checkStream(self, stream: dict[str, Any], sent: list[Any], count: int) -> None:
        """
        The counts are those of what was sent.
        """
        numbers = [each.number for each in sent]
        unique = set(numbers)
        highest, late = -1, 0
        for position, number in enumerate(numbers):
            if number < highest and number not in numbers[:position]:
                late += 1
            highest = max(highest, number)
        self.assertEqual(stream["packets"], len(numbers))
        self.assertEqual(stream["duplicates"], len(numbers) - len(unique))
        self.assertEqual(stream["lost"], max(unique) - min(unique) + 1 - len(unique))
        self.assertEqual(stream["reordered"], late)
        self.assertGreater(len(numbers) - len(unique), 0)
        self.assertGreater(late, 0)
        self.assertLess(len(unique), count)

    def checkSamples(self, samples: NDArray[np.int16], sent: list[Any], payload: bytes) -> None:
        """
        Each packet that was sent is in its place, and zeros are where one is
        missing.
        """
        expected = decodeG711(payload, Law.MU).copy()
        numbers = {each.number for each in sent}
        for number in range(len(payload) // _PACKET):
            if number not in numbers:
                expected[number * _PACKET : (number + 1) * _PACKET] = 0
        first, last = min(numbers) * _PACKET, (max(numbers) + 1) * _PACKET
        self.assertIsNotNone(find(expected[first:last], samples))

    async def test_200Calls(self) -> None:
        """
        200 calls at once, 10 s each, two streams: all complete, no packet
        lost.
        """
        client = await self.client()
        calls = [await client.invite() for _ in range(200)]
        payload = encodeG711(ANN.speak(10.0), Law.MU)
        await gatherResults([call.play([payload, payload]) for call in calls])
        await pause(0.2)
        for call in calls:
            await call.bye()
        manifests = await self.node.finished(200, patience=200)
        self.assertEqual({each["state"] for each in manifests}, {"complete"})
        streams = [stream for each in manifests for stream in each["streams"]]
        self.assertEqual({each["packets"] for each in streams}, {500})
        self.assertEqual({each["lost"] for each in streams}, {0})
        self.assertEqual(len({each["callID"] for each in manifests}), 200)
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)

    async def test_killedInMidCall(self) -> None:
        """
        After C{kill -9} in mid-call every journal is readable to the last
        write, and a new start on the same directory renders what is there and
        sets the state to C{incomplete}.
        """
        client = await self.client()
        call = await client.invite()
        payload = encodeG711(ANN.speak(8.0), Law.MU)
        playing = call.play([payload, payload])
        await pause(4.0)
        await self.node.kill()
        [left] = self.node.recordings()
        self.assertEqual(left["state"], "recording")
        for leg in call.legs:
            leg.stop()
        await playing
        sent = [list(leg.sent) for leg in call.legs]
        await self.node.start()
        [manifest] = await self.node.finished()
        self.assertEqual(manifest["state"], "incomplete")
        self.assertEqual(manifest["endReason"], "nodeDied")
        self.assertEqual(manifest["id"], left["id"])
        samples = self.audio(manifest)
        for channel, stream in enumerate(manifest["streams"]):
            self.assertEqual(stream["lost"], 0)
            # At most the packets since the last visit of the capture.
            self.assertGreater(stream["packets"], 4.0 / 0.02 - 25)
            self.assertLessEqual(stream["packets"], len(sent[channel]))
            whole = decodeG711(payload[: stream["packets"] * _PACKET], Law.MU)
            self.assertIsNotNone(find(whole[800:], samples[:, channel]))
        self.assertGreater(parseTime(manifest["endTime"]), parseTime(manifest["startTime"]) + 3)

    async def test_stoppedInMidCall(self) -> None:
        """
        SIGTERM ends the calls with a BYE, and their files are complete when the
        process ends.
        """
        client = await self.client()
        call = await client.invite()
        payload = encodeG711(ANN.speak(6.0), Law.MU)
        playing = call.play([payload, payload])
        await pause(2.0)
        # twistd ends by the signal that it was stopped with.
        self.assertIn(await self.node.stop(), (0, -signal.SIGTERM))
        for leg in call.legs:
            leg.stop()
        await playing
        self.assertTrue(call.over)
        [bye] = [each for each in call.requests if each.method == "BYE"]
        self.assertIn("cause=503", bye.headers.get("Reason") or "")
        [manifest] = self.node.recordings()
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "drained"))
        self.assertGreater(manifest["duration"], 1.9)


class TCPCallTests(TestCase):
    """
    What differs over TCP.
    """

    async def test_connectionLost(self) -> None:
        """
        A call outlives its TCP connection: the peer's BYE comes on another
        one.
        """
        node = NodeProcess(os.path.abspath(self.mktemp()), rtp="31000-31999")
        self.addCleanup(node.kill)
        await node.start()
        client = RecordingClient(reactor, "TCP", HOST, node.sip)
        self.addCleanup(client.stop)
        await client.start()
        call = await client.invite()
        payload = encodeG711(ANN.speak(1.0), Law.MU)
        await call.play([payload, payload])
        assert client._service is not None
        await client._service._connections.close()
        await call.bye()
        [manifest] = await node.finished()
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))
