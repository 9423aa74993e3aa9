"""
Calls of other projects' session recording clients: PJSIP and Sipral.
"""

from __future__ import annotations

import os
import sys

import numpy as np
import soundfile
from numpy.typing import NDArray
from twisted.trial.unittest import TestCase

from siprec.session.manifest import Manifest
from siprec.testing.offer import makeMetadata
from tests.functional.node import HOST, NodeProcess, Program
from tests.programs import requireModule

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

#: What both clients say, in Hz, by channel.
TONES = (500, 900)


def loudest(samples: NDArray[np.int16], rate: int) -> float:
    """
    @return: the frequency that is strongest in the middle second, in Hz.
    """
    start = len(samples) // 2 - rate // 2
    spectrum = np.abs(np.fft.rfft(samples[start : start + rate].astype(np.float64)))
    return float(np.argmax(spectrum) * rate / min(rate, len(samples)))


class _ClientTestCase(TestCase):
    """
    A node, and a client in a process of its own.
    """

    def setUp(self) -> None:
        self.root = os.path.abspath(self.mktemp())
        os.makedirs(self.root)
        self.node = NodeProcess(f"{self.root}/recordings", rtp="32000-32999")
        self.addCleanup(self.node.kill)

    async def called(self, client: str, *arguments: str) -> Manifest:
        """
        @return: the manifest of the call that the client has placed.
        """
        await self.node.start()
        program = Program.start(
            *("/usr/bin/env", f"PYTHONPATH={_ROOT}:{os.environ.get('PYTHONPATH', '')}"),
            *(sys.executable, "-m", f"tests.functional.{client}"),
            *(each.replace("PORT", str(self.node.sip)) for each in arguments),
            cwd=self.root,
        )
        self.addCleanup(program.kill)
        self.assertEqual(await program.ended(60), 0, program.output)
        [manifest] = await self.node.finished()
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)
        self.assertEqual(manifest["state"], "complete", manifest)
        self.assertEqual(manifest["endReason"], "bye")
        return manifest

    async def secured(self, suite: str) -> None:
        """
        Assert that both streams came as SRTP by this suite, and that no key is told.
        """
        [manifest] = await self.node.finished()
        for stream in manifest["streams"]:
            self.assertEqual((stream["srtp"], stream["unauthenticated"]), (suite, 0))
        self.assertNotIn("inline:", str(manifest))
        assert self.node.program is not None
        self.assertNotIn("inline:", self.node.program.output)

    def heard(self, manifest: Manifest) -> None:
        """
        Assert that each channel has the tone of its side.
        """
        day = manifest["startTime"][:10].replace("-", "/")
        path = f"{self.node.root}/{day}/{manifest['id']}/{manifest['audio']['file']}"
        samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
        found = [loudest(samples[:, channel], rate) for channel in (0, 1)]
        for frequency, tone in zip(found, TONES, strict=True):
            self.assertApproximates(frequency, tone, 15)


class PjsipTests(_ClientTestCase):
    """
    PJSIP puts the metadata before the description.
    """

    def setUp(self) -> None:
        requireModule("pjsua2")
        super().setUp()
        with open(f"{self.root}/metadata.xml", "wb") as file:
            file.write(makeMetadata(["Ann", "Bob"], ["96", "97"]))

    async def check(self, uri: str, *more: str) -> None:
        """
        A call of 4 s is recorded, of both streams and with both participants.
        """
        manifest = await self.called("pjsipclient", uri, "4", "metadata.xml", *more)
        streams = manifest["streams"]
        self.assertEqual([each["label"] for each in streams], ["96", "97"])
        names = {each["id"]: each["name"] for each in manifest["participants"]}
        self.assertEqual([names[each["participant"]] for each in streams], ["Ann", "Bob"])
        for stream in streams:
            self.assertEqual(stream["lost"], 0)
            self.assertGreater(stream["packets"], 150)
        self.heard(manifest)

    async def test_J8_udp(self) -> None:
        """
        Over UDP, with a re-INVITE in mid-call.
        """
        await self.check(f"sip:srs@{HOST}:PORT", "reinvite")

    async def test_J8_srtp(self) -> None:
        """
        With SRTP that is demanded; its re-INVITE brings no new keys.
        """
        await self.check(f"sip:srs@{HOST}:PORT", "reinvite", "AES_CM_128_HMAC_SHA1_80")
        await self.secured("AES_CM_128_HMAC_SHA1_80")

    async def test_J8_optionalSRTP(self) -> None:
        """
        With SRTP that is optional.
        """
        await self.check(f"sip:srs@{HOST}:PORT", "optional", "AES_256_CM_HMAC_SHA1_32")
        await self.secured("AES_256_CM_HMAC_SHA1_32")

    async def test_J8_tcp(self) -> None:
        """
        Over TCP.
        """
        await self.check(f"sip:srs@{HOST}:PORT;transport=tcp")


class SipralTests(_ClientTestCase):
    """
    Sipral records a call between two accounts of its own, over TCP.
    """

    def setUp(self) -> None:
        requireModule("sipral")
        super().setUp()

    async def test_J9_call(self) -> None:
        """
        Both sides are recorded, with what they say.
        """
        manifest = await self.called("sipralclient", "PORT", "4")
        self.assertEqual([each["label"] for each in manifest["streams"]], ["1", "2"])
        addresses = {each["aor"] for each in manifest["participants"]}
        self.assertEqual(addresses, {"sip:ann@127.0.0.1", "sip:bob@127.0.0.1"})
        for stream in manifest["streams"]:
            self.assertEqual(stream["lost"], 0)
            self.assertGreater(stream["packets"], 150)
        self.heard(manifest)

    async def test_J9_srtp(self) -> None:
        """
        With AES-GCM, on hold and after it.
        """
        await self.called("sipralclient", "PORT", "4.5", "hold", "AEAD_AES_256_GCM")
        await self.secured("AEAD_AES_256_GCM")

    async def test_J9_hold(self) -> None:
        """
        With hold and resume in mid-call the recording is one, and as long as
        the call.
        """
        manifest = await self.called("sipralclient", "PORT", "4.5", "hold")
        self.assertEqual([each["lost"] for each in manifest["streams"]], [0, 0])
        self.assertApproximates(manifest["audio"]["duration"], 4.5, 0.5)
