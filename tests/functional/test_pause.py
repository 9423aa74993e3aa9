"""
What is sent while an operator has paused a recording is in no file, whatever happens
meanwhile, and the rest is in its time.
"""

from __future__ import annotations

import json
import os
import secrets
import struct

import numpy as np
import soundfile
from numpy.typing import NDArray
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import TestCase

from siprec.session.manifest import Manifest
from siprec.session.times import parseTime
from siprec.testing.call import RecordingCall
from siprec.testing.client import RecordingClient
from siprec.testing.leg import Leg
from siprec.testing.wire import Law, decodeG711
from tests.functional.clustercase import ClusterCase, Watched
from tests.functional.node import HOST, NodeProcess, eventually, pause, reactor
from tests.functional.test_srtp import begin, everything, prepare

_PACKET = 160  # octets of 20 ms


def noise(seconds: float) -> bytes:
    """
    @return: G.711 such as nobody else sends.
    """
    return secrets.token_bytes(round(seconds * 50) * _PACKET)


def pieces(payload: bytes) -> list[bytes]:
    """
    @return: for each packet of a payload, what tells that some of it is on the disk: as it
        came, or decoded.
    """
    starts = range(0, len(payload), _PACKET)
    found = [payload[at : at + 16] for at in starts]
    return found + [decodeG711(each, Law.MU).astype("<i2").tobytes() for each in found]


def stamp(leg: Leg, number: int) -> int:
    """
    @return: the timestamp of a packet that was sent.
    """
    (found,) = struct.unpack_from("!I", leg.sent[number].data, 4)
    return int(found)


class PauseCase:
    """
    What these tests look for.
    """

    async def change(
        self, node: NodeProcess, identity: str, action: str, content: bytes = b"", status: int = 200
    ) -> Manifest:
        """
        Pause or resume a recording.

        @return: the answer.
        """
        path = f"/api/recordings/{identity}/{action}"
        found, body = await node.post(path, content)
        assert found == status, (found, body)
        answer: Manifest = json.loads(body)
        return answer

    def channel(self, root: str, manifest: Manifest, stream: int) -> NDArray[np.int16]:
        """
        @return: the samples of a stream.
        """
        day = manifest["startTime"][:10].replace("-", "/")
        path = f"{root}/{day}/{manifest['id']}/{manifest['audio']['file']}"
        samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
        assert rate == 8000
        found: NDArray[np.int16] = samples[:, stream]
        return found

    def places(self, samples: NDArray[np.int16], payload: bytes) -> list[int]:
        """
        @return: of each packet of a payload, where in the audio it is; -1: nowhere.
        """
        whole = samples.astype("<i2").tobytes()
        starts = range(0, len(payload), _PACKET)
        parts = [decodeG711(payload[at : at + _PACKET], Law.MU) for at in starts]
        found = [whole.find(each.astype("<i2").tobytes()) for each in parts]
        return [at if at < 0 else at // 2 for at in found]


class PauseTests(PauseCase, TestCase):
    """
    One node.
    """

    def setUp(self) -> None:
        self.node = NodeProcess(os.path.abspath(self.mktemp()), rtp="34000-34999")
        self.addCleanup(self.node.kill)

    async def call(self) -> tuple[RecordingClient, RecordingCall, str]:
        """
        @return: a client, its call with two streams, and the id of its recording.
        """
        await self.node.start()
        client = RecordingClient(reactor, "UDP", HOST, self.node.sip)
        self.addCleanup(client.stop)
        await client.start()
        call = await client.invite()
        [manifest] = await eventually("a recording", self.node.recordings)
        return client, call, manifest["id"]

    async def test_marker(self) -> None:
        """
        RTP, RTCP and digits of a paused recording are in no file, of a stream that was added
        meanwhile neither; a re-INVITE ends no pause.  What was sent before and after is there
        to the sample, and what is missing is a pause, and no loss.
        """
        client, call, identity = await self.call()
        before, marker, after = noise(1.0), noise(2.0), noise(1.0)
        await call.play([before, before])
        await pause(0.5)
        answer = await self.change(self.node, identity, "pause", b'{"reason": "card number"}')
        self.assertEqual(answer["paused"]["reason"], "card number")
        self.assertEqual(await self.node.metric("siprec_sessions_paused"), 1)
        playing = call.play([marker, marker])
        for leg in call.legs:
            leg.report(reactor.seconds(), "a-secret-name")
        again = await self.change(self.node, identity, "pause", b'{"reason": "other"}')
        self.assertEqual(again["paused"], answer["paused"])
        added = client.addStream(call)
        self.assertEqual((await call.reinvite(direction="inactive")).status, 200)
        self.assertEqual((await call.reinvite(direction="sendonly")).status, 200)
        hidden = added.play(marker)
        await playing
        await hidden
        answer = await self.change(self.node, identity, "resume")
        self.assertIsNone(answer["paused"])
        await call.play([after, after, after])
        await call.bye()
        [manifest] = await self.node.finished()
        disk = everything(self.node.root)
        self.assertNotIn(b"a-secret-name", disk)
        for piece in pieces(marker):
            self.assertNotIn(piece, disk)
        self.assertEqual((manifest["state"], manifest["paused"]), ("complete", None))
        for index, leg in enumerate(call.legs[:2]):
            samples = self.channel(self.node.root, manifest, index)
            first, last = self.places(samples, before), self.places(samples, after)
            self.assertNotIn(-1, [*first, *last])
            self.assertEqual(first, [first[0] + _PACKET * n for n in range(50)])
            self.assertEqual(last, [last[0] + _PACKET * n for n in range(50)])
            passed = (stamp(leg, -50) - stamp(leg, 0)) & 0xFFFFFFFF
            self.assertEqual(last[0] - first[0], passed)
            stream = manifest["streams"][index]
            self.assertEqual((stream["packets"], stream["lost"]), (100, 0))
            self.assertFalse(samples[first[-1] + _PACKET : last[0]].any())
            [gap] = [each for each in manifest["gaps"] if each["stream"] == index]
            self.assertEqual(gap["cause"], "pause")
            length = parseTime(gap["end"]) - parseTime(gap["start"])
            self.assertApproximates(length, 2.0, 1.0)
        self.assertEqual(manifest["streams"][2]["packets"], 50)
        events = {each["type"]: each for each in manifest["events"]}
        paused, resumed = events["recordingPaused"], events["recordingResumed"]
        self.assertEqual((paused["who"], paused["reason"]), (HOST, "card number"))
        self.assertEqual((resumed["who"], resumed["reason"]), (HOST, None))
        self.assertLess(paused["time"], resumed["time"])
        self.assertEqual([each["type"] for each in manifest["events"]].count("recordingPaused"), 1)
        # While the streams were inactive nothing was sent.
        unsaid = sum(len(leg.sent) for leg in call.legs) - 250
        discarded = await self.node.metric("siprec_media_discarded_total")
        self.assertGreaterEqual(discarded, unsaid)
        self.assertEqual(await self.node.metric("siprec_sessions_paused"), 0)
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)

    async def test_endsPaused(self) -> None:
        """
        A call that ends while it is paused ends in order, the audio is as long as it was,
        and nothing can be done to it any more.
        """
        _, call, identity = await self.call()
        before, marker = noise(1.0), noise(1.0)
        await call.play([before, before])
        await pause(0.5)
        await self.change(self.node, identity, "pause")
        await call.play([marker, marker])
        await call.bye()
        [manifest] = await self.node.finished()
        disk = everything(self.node.root)
        for piece in pieces(marker):
            self.assertNotIn(piece, disk)
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))
        length = parseTime(manifest["endTime"]) - parseTime(manifest["startTime"])
        self.assertApproximates(manifest["audio"]["duration"], length, 0.1)
        self.assertEqual({gap["cause"] for gap in manifest["gaps"]}, {"pause"})
        for action in ("pause", "resume"):
            found = await self.change(self.node, identity, action, status=409)
            self.assertEqual(found["error"], "not-running")
        unknown = identity[:-4] + "0000"
        await self.change(self.node, unknown, "pause", status=404)
        await self.change(self.node, identity, "pause", b"[]", 400)


class TakeoverTests(PauseCase, ClusterCase):
    """
    Two nodes, one of which dies.
    """

    firstPort = 51000

    async def takenOver(self, call: RecordingCall, drained: bool = False) -> None:
        """
        Pause a call, kill its node or have it drained, and let the other one resume it.
        """
        before, marker, after = noise(1.0), noise(6.0), noise(1.0)
        count = len(call.legs)
        watched = Watched(call, 0)
        await call.play([before] * count)
        await pause(0.5)
        [manifest] = self.recordings()
        await self.change(self.nodes[0], manifest["id"], "pause", b'{"reason": "card"}')
        watched.playing = call.play([marker] * count)
        await pause(1.0)
        if drained:
            self.assertEqual(await self.nodes[0].stop(), 0)
        else:
            await self.nodes[0].kill()
        await gatherResults([watched.playing])
        event = "taken" if drained else "claimed"
        claimed = f'siprec_cluster_sessions_total{{event="{event}"}}'
        self.assertEqual(await self.nodes[1].metric(claimed), 1)
        self.assertEqual(await self.nodes[1].metric("siprec_sessions_paused"), 1)
        found = await self.nodes[1].getJSON(f"/api/recordings/{manifest['id']}")
        self.assertEqual(found["paused"]["reason"], "card")
        await self.change(self.nodes[1], manifest["id"], "resume")
        await call.play([after] * count)
        self.assertEqual((await call.bye()).status, 200)
        manifest = (await self.finished(1))[call.callID]
        disk = everything(self.nodes[0].root)
        for piece in pieces(marker):
            self.assertNotIn(piece, disk)
        self.assertEqual(manifest["state"], "complete")
        for index, leg in enumerate(call.legs):
            samples = self.channel(self.nodes[0].root, manifest, index)
            first, last = self.places(samples, before), self.places(samples, after)
            self.assertNotIn(-1, [*first, *last])
            passed = (stamp(leg, -50) - stamp(leg, 0)) & 0xFFFFFFFF
            self.assertEqual(last[0] - first[0], passed)
            stream = manifest["streams"][index]
            self.assertEqual((stream["packets"], stream["lost"]), (100, 0))
        self.assertEqual({gap["cause"] for gap in manifest["gaps"]}, {"pause"})
        await self.checkErrors(self.nodes[1])

    async def test_takeover(self) -> None:
        """
        A node that takes a paused call over keeps nothing of it until it is resumed there.
        """
        await self.begin(2)
        await self.takenOver(await self.clients[0].invite())

    async def test_drained(self) -> None:
        """
        Nor does one to which it is handed over.
        """
        await self.begin(2)
        await self.takenOver(await self.clients[0].invite(), drained=True)

    async def test_secured(self) -> None:
        """
        Nor does it with encrypted media.
        """
        await self.begin(2)
        suites = ("AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM")
        call, _ = prepare(self.clients[0], *suites)
        await begin(call)
        await self.takenOver(call)


__all__ = ["PauseCase"]
