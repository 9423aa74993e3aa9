"""
Calls without media, without a peer, and without an end.
"""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from siprec.session.manifest import Manifest
from siprec.testing.call import RecordingCall
from siprec.testing.client import RecordingClient
from siprec.testing.voice import ANN
from siprec.testing.wire import Law, encodeG711
from tests.functional.node import HOST, configuredNode, eventually, pause, reactor


class UpkeepTests(TestCase):
    """
    One node.
    """

    async def call(self, settings: str) -> RecordingCall:
        """
        @param settings: TOML of C{[session]}.
        @return: a call that is recorded.
        """
        # Nobody waits for another session of the call.
        settings = f"[session]\n{settings}\n[cluster]\nstitch_window = 0\n"
        self.node = configuredNode(self, "35000-35999", settings)
        await self.node.start()
        client = RecordingClient(reactor, "UDP", HOST, self.node.sip)
        self.addCleanup(client.stop)
        await client.start()
        return await client.invite()

    async def talk(self, call: RecordingCall, seconds: float) -> None:
        """
        Send media.
        """
        payload = encodeG711(ANN.speak(seconds), Law.MU)
        await call.play([payload, payload])

    def types(self) -> list[str]:
        """
        @return: the events of the recording, in its manifest.
        """
        [manifest] = self.node.recordings()
        return [each["type"] for each in manifest["events"]]

    async def ended(self) -> Manifest:
        """
        @return: the manifest of the recording when it is finished.
        """
        # Each transaction lasts for 32 seconds.
        [manifest] = await self.node.finished(patience=120.0)
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)
        return manifest

    async def test_E14_noMedia(self) -> None:
        """
        Media that stays away, and comes again, is told of, in the log and metrics, too.
        """
        call = await self.call("media_timeout = 2")
        await self.talk(call, 0.5)
        await eventually("an alarm", lambda: self.types().count("noMedia") == 2)
        self.assertEqual(await self.node.metric("siprec_streams_silent"), 2)
        self.assertEqual(await self.node.metric("siprec_media_silences_total"), 2)
        assert self.node.program is not None
        self.assertIn("no media on stream 1 for", self.node.program.output)
        await self.talk(call, 0.5)
        await eventually("its end", lambda: self.types().count("mediaAgain") == 2)
        await call.bye()
        self.assertEqual((await self.ended())["state"], "complete")

    async def test_E14_deadPeer(self) -> None:
        """
        A peer that is not heard of is asked; while it answers the call goes on, and when it
        knows of no call any more that is over.
        """
        call = await self.call("probe_after = 1")
        await self.talk(call, 0.5)
        await eventually("an OPTIONS", lambda: len(call.requests) > 1)
        self.assertEqual({each.method for each in call.requests}, {"OPTIONS"})
        self.assertEqual(self.node.recordings()[0]["state"], "recording")
        call.refuse["OPTIONS"] = 481
        manifest = await self.ended()
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "peerGone"))

    async def test_E14_silentPeer(self) -> None:
        """
        A peer that does not answer twice is told BYE.
        """
        call = await self.call("probe_after = 1")
        call.refuse["OPTIONS"] = 0
        await self.talk(call, 0.5)
        manifest = await self.ended()
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "timeout"))
        self.assertIn("noSignOfLife", self.types())
        *asked, bye = call.requests
        self.assertEqual([each.method for each in asked if each.method != "ACK"][-1], "OPTIONS")
        self.assertEqual(len({each.cseq.number for each in asked if each.method != "ACK"}), 2)
        self.assertEqual(bye.method, "BYE")
        self.assertIn("cause=408", bye.headers.get("Reason") or "")

    async def test_maxLength(self) -> None:
        """
        A call that has become too long is ended, though it has media.
        """
        call = await self.call("max_length = 4")
        await self.talk(call, 3.0)
        self.assertFalse(call.over)
        payload = encodeG711(ANN.speak(20.0), Law.MU)
        call.play([payload, payload])
        await eventually("a BYE", lambda: call.over)
        self.assertIn("maxLength", call.requests[-1].headers.get("Reason") or "")
        for leg in call.legs:
            leg.stop()
        await pause(0.0)
        manifest = await self.ended()
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "maxLength"))
        self.assertGreaterEqual(manifest["audio"]["duration"], 4.0)
