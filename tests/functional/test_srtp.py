"""
Encrypted media from its sender to the recording.
"""

from __future__ import annotations

import base64
import os
import secrets
import sys

import numpy as np
import soundfile
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import TestCase

from siprec.media.journal import readJournal
from siprec.media.keys import SUITES
from siprec.media.libsrtp import CryptoSession
from siprec.session.manifest import Manifest
from siprec.testing.call import CallFailed, RecordingCall
from siprec.testing.client import RecordingClient
from siprec.testing.leg import Leg
from siprec.testing.offer import makeMetadata
from siprec.testing.rtp import Plan
from siprec.testing.voice import ANN
from siprec.testing.wire import Law, encodeG711
from tests.functional.avsender import TONE
from tests.functional.clustercase import ClusterCase, Watched
from tests.functional.node import HOST, NodeProcess, Program, configuredNode, pause, reactor
from tests.programs import requireModule

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

#: 64 packets before the sequence numbers wrap.
_NEAR_WRAP = 0xFFC0


class Cover:
    """
    What protects the packets of one leg.

    @ivar secret: all its keys so far, as they stand in descriptions.
    """

    def __init__(self, leg: Leg, suite: str) -> None:
        self._leg, self._suite = leg, suite
        self._sent: dict[bytes, bytes] = {}
        self.secret: list[str] = []
        self.announce()
        self.use()
        leg.cover = self._protect

    def announce(self) -> None:
        """
        Put a new key into the next offer.
        """
        self._key = secrets.token_bytes(SUITES[self._suite].keyOctets)
        self.secret.append(base64.b64encode(self._key).decode())
        self._leg.crypto = f"1 {self._suite} inline:{self.secret[-1]}"

    def use(self) -> None:
        """
        From now on, protect by the key that was announced.
        """
        self._session = CryptoSession(self._suite, self._key, inbound=False)

    def _protect(self, packet: bytes, control: bool) -> bytes:
        # One that is sent twice is the same twice, as it is when it is replayed.
        if packet not in self._sent:
            self._sent[packet] = self._session.protect(packet, control)
        return self._sent[packet]


def prepare(client: RecordingClient, *suites: str) -> tuple[RecordingCall, list[Cover]]:
    """
    @return: a call with a stream for each suite, whose sequence numbers wrap soon.
    """
    call = client.call(len(suites))
    for leg in call.legs:
        leg._sequence = _NEAR_WRAP
    return call, [Cover(leg, suite) for leg, suite in zip(call.legs, suites, strict=True)]


async def begin(call: RecordingCall) -> None:
    """
    Have the call answered.
    """
    labels = [each.label for each in call.legs]
    response = await call.invite(makeMetadata(["Ann"] * len(labels), labels))
    if response.status >= 300:
        raise CallFailed(response)


def kept(root: str, manifest: Manifest, stream: int) -> list[bytes]:
    """
    @return: the RTP packets in the journals of one stream.
    """
    day = manifest["startTime"][:10].replace("-", "/")
    folder, found = f"{root}/{day}/{manifest['id']}", []
    for name in sorted(os.listdir(folder)):
        if name.endswith(f"-{stream}.rtpdump"):
            for table in readJournal(f"{folder}/{name}"):
                found += [table.packet(n) for n in range(len(table)) if not table.rtcp[n]]
    return found


def everything(root: str) -> bytes:
    """
    @return: all that is on the disk below a directory.
    """
    found = b""
    for folder, _, names in os.walk(root):
        for path in (os.path.join(folder, name) for name in names):
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    found += file.read()
    return found


class SecureCase(TestCase):
    """
    One node.
    """

    def setUp(self) -> None:
        self.node = NodeProcess(os.path.abspath(self.mktemp()), rtp="33000-33999")
        self.addCleanup(self.node.kill)

    async def client(self) -> RecordingClient:
        """
        @return: a client of the running node.
        """
        await self.node.start()
        client = RecordingClient(reactor, "UDP", HOST, self.node.sip)
        self.addCleanup(client.stop)
        await client.start()
        return client


class SecureTests(SecureCase):
    """
    Our own client as the sender.
    """

    async def test_E8_suites(self) -> None:
        """
        By every suite all of a stream is recorded, while its sequence numbers wrap, every
        packet is replayed, and new keys come in mid-call; the RTCP is, too. No key is in
        any file, in what the node logs, or in what it answers.
        """
        client = await self.client()
        call, covers = prepare(client, *SUITES)
        await begin(call)
        payload = encodeG711(ANN.speak(4.0), Law.MU)
        playing = call.play([payload] * len(covers), Plan(duplicate=1.0))
        await pause(2.0)
        for leg in call.legs:
            leg.report(reactor.seconds())
        for cover in covers:
            cover.announce()
        self.assertEqual((await call.reinvite()).status, 200)
        # Packets of the key before come for a while.
        await pause(0.5)
        for cover in covers:
            cover.use()
        answer = await self.node.get("/api/recordings")
        await playing
        await call.bye()
        [manifest] = await self.node.finished()
        self.assertEqual(manifest["state"], "complete")
        for index, (suite, leg) in enumerate(zip(SUITES, call.legs, strict=True)):
            stream = manifest["streams"][index]
            self.assertEqual((stream["srtp"], stream["unauthenticated"]), (suite, 0))
            self.assertEqual((stream["packets"], stream["replayed"]), (200, 200), suite)
            sent = list(dict.fromkeys(each.data for each in leg.sent))
            self.assertEqual(kept(self.node.root, manifest, index), sent, suite)
        types = [each["type"] for each in manifest["events"]]
        self.assertEqual(types.count("srtpChanged"), len(SUITES))
        self.assertIn("srtpKeysInClear", types)
        assert self.node.program is not None
        told = everything(self.node.root) + self.node.program.output.encode() + str(answer).encode()
        for key in [each for cover in covers for each in cover.secret]:
            self.assertNotIn(key.encode(), told)
            self.assertNotIn(base64.b64decode(key), told)
        self.assertNotIn(b"inline:", told)

    async def test_E8_wrongKey(self) -> None:
        """
        What is not protected by the key of the SDP, and what is not protected at all, is counted
        and not recorded; the stream beside it is whole.
        """
        client = await self.client()
        suites = ("AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_32")
        call, covers = prepare(client, *suites)
        await begin(call)
        covers[1].announce()
        covers[1].use()
        call.legs[2].cover = lambda packet, control: packet
        await call.play([encodeG711(ANN.speak(1.0), Law.MU)] * 3)
        await call.bye()
        [manifest] = await self.node.finished()
        streams = manifest["streams"]
        self.assertEqual([each["packets"] for each in streams], [50, 0, 0])
        self.assertEqual([each["unauthenticated"] for each in streams], [0, 50, 50])
        self.assertEqual(await self.node.metric("siprec_media_unauthenticated_total"), 100)
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)

    async def test_E8_required(self) -> None:
        """
        Where SRTP is required of a peer, a call without it gets 488, and one with it is
        recorded.
        """
        settings = (
            '[sip]\nsrtp = "refuse"\n[[peer]]\nname = "sbc"\n'
            'networks = ["127.0.0.1"]\nsrtp = "require"\n'
        )
        self.node = configuredNode(self, "33000-33999", settings)
        client = await self.client()
        response = await client.call(1).invite(makeMetadata(["Ann"], ["1"]))
        self.assertEqual(response.status, 488)
        self.assertIn("SRTP is required", response.headers.get("Warning") or "")
        call, _ = prepare(client, "AEAD_AES_128_GCM")
        await begin(call)
        await call.play([encodeG711(ANN.speak(0.5), Law.MU)])
        await call.bye()
        [manifest] = await self.node.finished()
        self.assertEqual(manifest["streams"][0]["packets"], 25)


class FFmpegTests(SecureCase):
    """
    FFmpeg as the sender.
    """

    async def test_E8_ffmpeg(self) -> None:
        """
        What it sends by the suites that it has is recorded whole, its RTCP too.
        """
        requireModule("av")
        client = await self.client()
        suites = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")
        # By the name of RFC 4568 it would cut the tag of SRTCP, too.
        names = (suites[0], "SRTP_AES128_CM_HMAC_SHA1_32")
        call, covers = prepare(client, *suites)
        await begin(call)
        programs = []
        for leg, cover, suite in zip(call.legs, covers, names, strict=True):
            assert leg.remote is not None
            programs.append(
                Program.start(
                    *("/usr/bin/env", f"PYTHONPATH={_ROOT}:{os.environ.get('PYTHONPATH', '')}"),
                    *(sys.executable, "-m", "tests.functional.avsender"),
                    *(str(leg.remote[1]), "6", suite, cover.secret[0]),
                )
            )
            self.addCleanup(programs[-1].kill)
        for program in programs:
            self.assertEqual(await program.ended(60), 0, program.output)
        await call.bye()
        [manifest] = await self.node.finished()
        day = manifest["startTime"][:10].replace("-", "/")
        folder = f"{self.node.root}/{day}/{manifest['id']}"
        samples, rate = soundfile.read(f"{folder}/{manifest['audio']['file']}", always_2d=True)
        for index, stream in enumerate(manifest["streams"]):
            self.assertEqual((stream["srtp"], stream["unauthenticated"]), (suites[index], 0))
            self.assertGreaterEqual(stream["packets"], 290)
            self.assertEqual(stream["lost"], 0)
            spectrum = np.abs(np.fft.rfft(samples[rate : 2 * rate, index]))
            self.assertApproximates(float(np.argmax(spectrum)), TONE, 2)
            journal = f"{folder}/1-{index}.rtpdump"
            self.assertTrue(any(table.rtcp.any() for table in readJournal(journal)))


class TakeoverTests(ClusterCase):
    """
    Two nodes, one of which dies.
    """

    firstPort = 56000

    async def test_E8_handedOver(self) -> None:
        """
        When a node is drained, the other one goes on with its encrypted streams; nothing is
        missing.
        """
        await self.begin(2)
        suites = ("AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM")
        call, _ = prepare(self.clients[0], *suites)
        await begin(call)
        watched = Watched(call, 0)
        watched.playing = call.play([encodeG711(ANN.speak(6.0), Law.MU)] * len(suites))
        await pause(2.5)
        self.assertEqual(await self.nodes[0].stop(), 0)
        await gatherResults([watched.playing])
        self.assertEqual((await call.bye()).status, 200)
        manifests = await self.finished(1)
        self.checkRecordings(manifests, [watched], 0.0)
        for index, leg in enumerate(call.legs):
            stream = manifests[call.callID]["streams"][index]
            self.assertEqual((stream["unauthenticated"], stream["lost"]), (0, 0))
            found = set(kept(self.nodes[0].root, manifests[call.callID], index))
            self.assertEqual(found, {each.data for each in leg.sent})
        await self.checkErrors(self.nodes[1])

    async def test_E8_takeover(self) -> None:
        """
        A node that takes a call over opens its media, though the sequence numbers have
        wrapped since its keys were stored; a new key in the call comes there.
        """
        await self.begin(2)
        suites = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_256_GCM")
        call, covers = prepare(self.clients[0], *suites)
        await begin(call)
        watched = Watched(call, 0)
        payload = encodeG711(ANN.speak(8.0), Law.MU)
        watched.playing = call.play([payload] * len(suites))
        await pause(2.5)
        await self.nodes[0].kill()
        await pause(3.0)
        for cover in covers:
            cover.announce()
        self.assertEqual((await call.reinvite()).status, 200)
        for cover in covers:
            cover.use()
        await gatherResults([watched.playing])
        self.assertEqual((await call.bye()).status, 200)
        manifests = await self.finished(1)
        manifest = manifests[call.callID]
        self.checkRecordings(manifests, [watched], 1.0)
        for index, leg in enumerate(call.legs):
            self.assertEqual(manifest["streams"][index]["unauthenticated"], 0)
            found = kept(self.nodes[0].root, manifest, index)
            sent = [each.data for each in leg.sent]
            self.assertEqual(found, [each for each in sent if each in set(found)])
            self.assertIn(sent[-1], found)
        await self.checkEmptyStore()
        await self.checkErrors(self.nodes[1])
