"""
Media of strangers at a real node: it is not recorded.
"""

from __future__ import annotations

import os

from attrs import define, field
from twisted.internet.task import LoopingCall
from twisted.trial.unittest import TestCase

from siprec.session.manifest import Manifest
from siprec.testing.call import RecordingCall
from siprec.testing.client import RecordingClient
from siprec.testing.leg import Leg
from siprec.testing.rtp import MediaSockets
from siprec.testing.voice import ANN
from siprec.testing.wire import Law, RTPStream, encodeG711, senderReport
from tests.functional.clustercase import ClusterCase
from tests.functional.node import HOST, configuredNode, eventually, pause, reactor
from tests.functional.test_srtp import begin, everything, kept

#: From where strangers send.
ELSEWHERE = "127.0.0.2"

#: The loudest there is: what of it is kept can be heard and found.
_LOUD = b"\x00\x80" * 80


@define(eq=False)
class Stranger:
    """
    Sends RTP and RTCP to a stream from another address, fifty times a second.

    @ivar sent: packets of both so far.
    """

    _leg: Leg
    _ssrc: int = 0x5EED5EED
    sent: int = field(default=0, init=False)
    _sockets: MediaSockets = field(factory=lambda: MediaSockets.open(ELSEWHERE), init=False)
    _to: tuple[str, int] = field(init=False)
    _control: tuple[str, int] = field(init=False)
    _packets: list[bytes] = field(init=False)
    _call: LoopingCall = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._packets = RTPStream(self._ssrc, 0, 1, 0).packets([_LOUD] * 10_000)
        self._call = LoopingCall(self._send)
        self._call.clock = reactor
        assert self._leg.remote is not None and self._leg.remoteControl is not None
        self._to, self._control = self._leg.remote, self._leg.remoteControl

    def start(self) -> None:
        """
        Send from now on.
        """
        self._call.start(0.02).addErrback(lambda failure: None)

    def stop(self) -> None:
        """
        Send no more.
        """
        if self._call.running:
            self._call.stop()

    def close(self) -> None:
        """
        Give the ports back.
        """
        self.stop()
        self._sockets.close()

    def heard(self) -> list[bytes]:
        """
        @return: what came back.
        """
        found: list[bytes] = []
        for sock in (self._sockets.rtp, self._sockets.rtcp):
            try:
                while True:
                    found.append(sock.recv(2048))
            except OSError:
                pass
        return found

    def _send(self) -> None:
        try:
            self._sockets.sendMedia(self._packets[self.sent // 2], self._to)
            report = senderReport(self._ssrc, reactor.seconds(), 0, 1, 1, "stranger@example.com")
            self._sockets.sendControl(report, self._control)
            self.sent += 2
        except OSError:
            return  # the call is over, and its ports are closed


def moveTo(leg: Leg, host: str) -> MediaSockets:
    """
    Have a leg send from other sockets from now on.

    @return: those before.
    """
    before, leg._sockets = leg._sockets, MediaSockets.open(host)
    assert isinstance(before, MediaSockets)
    return before


def describedAs(call: RecordingCall, host: str) -> None:
    """
    Have the descriptions of a call say this address, whatever it sends from.
    """
    call._media.host = host


class SenderCase(TestCase):
    """
    One node that reports every second.
    """

    source = "latch"

    def setUp(self) -> None:
        settings = f'[media]\nsource = "{self.source}"\nrtcp_interval = 1\n'
        self.node = configuredNode(self, "35000-35999", settings)

    async def call(self, host: str = HOST) -> RecordingCall:
        """
        @param host: what the description says.
        @return: a call of one stream that is answered.
        """
        await self.node.start()
        client = RecordingClient(reactor, "UDP", HOST, self.node.sip)
        self.addCleanup(client.stop)
        await client.start()
        call = client.call(1)
        describedAs(call, host)
        await begin(call)
        return call

    def stranger(self, leg: Leg) -> Stranger:
        """
        @return: one that is closed when the test ends.
        """
        found = Stranger(leg)
        self.addCleanup(found.close)
        return found

    async def end(self, call: RecordingCall) -> Manifest:
        """
        @return: the manifest after the BYE.
        """
        await call.bye()
        [manifest] = await self.node.finished()
        self.assertEqual(manifest["state"], "complete")
        return manifest

    def check(self, manifest: Manifest, leg: Leg) -> None:
        """
        All that the leg has sent was recorded, and nothing else.
        """
        self.assertEqual(kept(self.node.root, manifest, 0), [each.data for each in leg.sent])

    def checkNothing(self) -> None:
        """
        On the disk there is nothing that a stranger has sent.
        """
        content = everything(self.node.root)
        self.assertNotIn(_LOUD, content)
        self.assertNotIn(b"stranger@example.com", content)

    def told(self, manifest: Manifest, kind: str) -> list[str]:
        """
        @return: the addresses that events of a kind tell of.
        """
        return [each["address"] for each in manifest["events"] if each["type"] == kind]


def speech(seconds: float) -> bytes:
    """
    @return: as much, encoded.
    """
    return encodeG711(ANN.speak(seconds), Law.MU)


class LatchTests(SenderCase):
    """
    By default.
    """

    async def test_E11_stranger(self) -> None:
        """
        A stranger that sends before, during and after the sender is not recorded, in no file,
        neither RTP nor RTCP; it is counted, told of once, and hears nothing from the
        recorder.
        """
        call = await self.call()
        [leg] = call.legs
        stranger = self.stranger(leg)
        stranger.start()
        await pause(0.5)
        await call.play([speech(3.0)])
        leg.report(reactor.seconds())
        await pause(0.7)
        counted = await self.node.metric("siprec_media_strangers_total")
        self.assertGreater(counted, 200)
        manifest = await self.end(call)
        self.assertEqual(stranger.heard(), [])
        stranger.stop()
        self.check(manifest, leg)
        self.checkNothing()
        [stream] = manifest["streams"]
        self.assertEqual((stream["packets"], stream["ssrcs"]), (150, [f"0x{leg.ssrc:08x}"]))
        self.assertGreaterEqual(stream["strangers"], counted)
        self.assertLessEqual(stream["strangers"], stranger.sent)
        self.assertEqual(self.told(manifest, "mediaStranger"), [ELSEWHERE])
        self.assertEqual(self.told(manifest, "mediaLatched"), [])

    async def test_E11_onlyStranger(self) -> None:
        """
        One that sends to a call that has had its media is all that comes then, and yet
        nothing of it is kept.
        """
        call = await self.call()
        [leg] = call.legs
        await call.play([speech(1.0)])
        stranger = self.stranger(leg)
        stranger.start()
        await pause(3.5)
        manifest = await self.end(call)
        self.check(manifest, leg)
        self.checkNothing()

    async def test_E11_translated(self) -> None:
        """
        Where the description says another address than media comes from, as behind NAT,
        all of it is recorded, from the first packet on; then nobody else is.
        """
        call = await self.call("192.0.2.1")
        [leg] = call.legs
        playing = call.play([speech(4.0)])
        await pause(2.0)
        stranger = self.stranger(leg)
        stranger.start()
        await playing
        manifest = await self.end(call)
        stranger.stop()
        self.check(manifest, leg)
        self.checkNothing()
        self.assertEqual(self.told(manifest, "mediaLatched"), [HOST])
        self.assertEqual(self.told(manifest, "mediaStranger"), [ELSEWHERE])

    async def test_E11_short(self) -> None:
        """
        So it is where the call is over before it was certain who sends.
        """
        call = await self.call("192.0.2.1")
        [leg] = call.legs
        await call.play([speech(0.4)])
        manifest = await self.end(call)
        self.check(manifest, leg)
        self.assertEqual(manifest["streams"][0]["packets"], 20)

    async def test_E11_held(self) -> None:
        """
        What comes while the description says the null address is recorded.
        """
        call = await self.call()
        [leg] = call.legs
        await call.play([speech(1.0)])
        describedAs(call, "0.0.0.0")
        self.assertEqual((await call.reinvite()).status, 200)
        # Nothing is to be sent back to it, but what still comes counts.
        await call.play([speech(1.0)])
        manifest = await self.end(call)
        self.check(manifest, leg)
        self.assertEqual(manifest["streams"][0]["packets"], 100)

    async def test_E11_switchover(self) -> None:
        """
        Where the sender goes on at another address, with its SSRC and its sequence numbers,
        the stream goes with it, and nothing is lost.
        """
        call = await self.call()
        [leg] = call.legs
        await call.play([speech(1.0)])
        before = moveTo(leg, ELSEWHERE)
        self.addCleanup(before.close)
        await call.play([speech(3.0)])
        manifest = await self.end(call)
        self.check(manifest, leg)
        self.assertEqual(self.told(manifest, "mediaLatched"), [ELSEWHERE])
        self.assertEqual(manifest["streams"][0]["packets"], 200)

    async def test_E11_reoffered(self) -> None:
        """
        With another address in the description the stream goes there, whatever its SSRC.
        """
        call = await self.call()
        [leg] = call.legs
        await call.play([speech(1.0)])
        before = moveTo(leg, ELSEWHERE)
        self.addCleanup(before.close)
        leg.ssrc ^= 0x1234
        describedAs(call, ELSEWHERE)
        self.assertEqual((await call.reinvite()).status, 200)
        await call.play([speech(1.0)])
        manifest = await self.end(call)
        self.check(manifest, leg)
        self.assertEqual(manifest["streams"][0]["strangers"], 0)


class DescribedTests(SenderCase):
    """
    Only the address of the description counts.
    """

    source = "sdp"

    async def test_E11_described(self) -> None:
        """
        What the described address sends is recorded, and nothing else.
        """
        call = await self.call()
        [leg] = call.legs
        stranger = self.stranger(leg)
        stranger.start()
        await pause(1.5)
        await call.play([speech(1.0)])
        manifest = await self.end(call)
        stranger.stop()
        self.check(manifest, leg)
        self.checkNothing()

    async def test_E11_otherwise(self) -> None:
        """
        Media from elsewhere than described is not recorded, and makes no journal; the
        manifest says from where it came.
        """
        call = await self.call("192.0.2.1")
        await call.play([speech(1.0)])
        manifest = await self.end(call)
        [stream] = manifest["streams"]
        self.assertEqual((stream["packets"], stream["strangers"]), (0, 50))
        self.assertEqual(self.told(manifest, "mediaStranger"), [HOST])
        self.assertEqual(kept(self.node.root, manifest, 0), [])
        self.assertEqual(_journals(self.node.root), [])


class AnyTests(SenderCase):
    """
    There is no check.
    """

    source = "any"

    async def test_E11_any(self) -> None:
        """
        Whatever comes is recorded.
        """
        call = await self.call("192.0.2.1")
        [leg] = call.legs
        stranger = self.stranger(leg)
        stranger.start()
        await call.play([speech(1.0)])
        manifest = await self.end(call)
        stranger.stop()
        [stream] = manifest["streams"]
        self.assertEqual(stream["strangers"], 0)
        self.assertIn(_LOUD, everything(self.node.root))
        self.assertGreater(stream["packets"], 80)


class TakeoverTests(ClusterCase):
    """
    Another node goes on with a call.
    """

    firstPort = 47000

    async def test_E11_takenOver(self) -> None:
        """
        The node that takes a call over goes on recording its sender, and nobody else.
        """
        await self.begin(2)
        [watched] = await self.calls(0, 1, 8.0)
        leg = watched.call.legs[0]
        stranger = Stranger(leg)
        self.addCleanup(stranger.close)
        await pause(1.5)
        stranger.start()
        await pause(0.5)
        await self.nodes[0].kill()
        await eventually(
            "the takeover", lambda: self._nodesOf(watched.call.callID) == ["n1", "n2"], 30
        )
        await self.hangUp([watched])
        manifest = (await self.finished(1))[watched.call.callID]
        stranger.stop()
        for stream, sender in zip(manifest["streams"], watched.call.legs, strict=True):
            self.assertEqual(stream["ssrcs"], [f"0x{sender.ssrc:08x}"])
            self.assertGreater(stream["packets"], 200)
        for node in self.nodes:
            self.assertNotIn(_LOUD, everything(node.root))
        self.assertIn(ELSEWHERE, [each.get("address") for each in manifest["events"]])

    def _nodesOf(self, callID: str) -> list[str]:
        found = [each for node in self.nodes for each in node.recordings()]
        return max((each["nodes"] for each in found if each["callID"] == callID), default=[])


def _journals(root: str) -> list[str]:
    return [name for _, _, names in os.walk(root) for name in names if name.endswith(".rtpdump")]


__all__ = ["AnyTests", "DescribedTests", "LatchTests", "TakeoverTests"]
