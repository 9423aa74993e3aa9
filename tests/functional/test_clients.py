"""
Calls of other projects' session recording clients: PJSIP and Sipral.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from twisted.trial.unittest import TestCase

from siprec.session.manifest import Manifest
from siprec.testing.offer import makeMetadata
from tests.functional.node import HOST, NodeProcess, Program, freePort
from tests.programs import requireModule
from tests.sip.authority import Authority, alternatives
from tests.sip.credentials import ha1Of

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
        program = self.program(client, *arguments)
        self.assertEqual(await program.ended(60), 0, program.output)
        [manifest] = await self.node.finished()
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)
        self.assertEqual(manifest["state"], "complete", manifest)
        self.assertEqual(manifest["endReason"], "bye")
        return manifest

    def program(self, client: str, *arguments: str) -> Program:
        """
        @return: the client, which runs.
        """
        program = Program.start(
            *("/usr/bin/env", f"PYTHONPATH={_ROOT}:{os.environ.get('PYTHONPATH', '')}"),
            *(sys.executable, "-m", f"tests.functional.{client}"),
            *(each.replace("PORT", str(self.node.sip)) for each in arguments),
            cwd=self.root,
        )
        self.addCleanup(program.kill)
        return program

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

    async def check(self, uri: str, *more: str) -> Manifest:
        """
        A call of 4 s is recorded, of both streams and with both participants.

        @return: its manifest.
        """
        manifest = await self.called("pjsipclient", uri, "4", "metadata.xml", *more)
        streams = manifest["streams"]
        self.assertEqual([each["label"] for each in streams], ["96", "97"])
        names = {each["id"]: each["name"] for each in manifest["participants"]}
        self.assertEqual([names[each["participant"]] for each in streams], ["Ann", "Bob"])
        for stream in streams:
            self.assertEqual(stream["lost"], 0)
            self.assertGreater(stream["packets"], 100)
        self.heard(manifest)
        return manifest

    async def codec(self, name: str, rate: int) -> None:
        """
        A call in that codec is recorded in true pitch, in a file of its rate.
        """
        manifest = await self.check(f"sip:srs@{HOST}:PORT", f"codec={name}")
        self.assertEqual([each["codec"] for each in manifest["streams"]], [name, name])
        self.assertEqual(manifest["audio"]["sampleRate"], rate)
        kinds = {each["type"] for each in manifest["events"]}
        self.assertNotIn("payloadNotDecoded", kinds)

    async def test_E2_iLBC(self) -> None:
        """
        iLBC, as PJSIP encodes it.
        """
        await self.codec("iLBC", 8000)

    async def test_E2_GSM(self) -> None:
        """
        GSM, as PJSIP encodes it.
        """
        await self.codec("GSM", 8000)

    async def test_E2_G722(self) -> None:
        """
        G.722, as PJSIP encodes it, whose clock is half its rate.
        """
        await self.codec("G722", 16_000)

    async def test_E2_L16(self) -> None:
        """
        Linear samples, 44,100 a second.
        """
        await self.codec("L16", 44_100)

    async def test_E3_pressed(self) -> None:
        """
        The digits that it sends as telephone events, amid the tone of its first stream,
        are in the timeline in their order, each with the time that it lasted.
        """
        manifest = await self.check(f"sip:srs@{HOST}:PORT", "digits")
        found = [each for each in manifest["timeline"] if each["type"] == "dtmf"]
        self.assertEqual("".join(each["digit"] for each in found), "159#")
        self.assertEqual({each["stream"] for each in found}, {0})
        self.assertEqual(sorted(found, key=lambda each: each["at"]), found)
        for each in found:
            self.assertApproximates(each["durationMs"], 200, 20)
        self.assertApproximates(found[0]["at"], 2.0, 0.7)

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

    def secure(self) -> tuple[int, str, str]:
        """
        Let the node listen on TLS as well, for a peer that its certificate
        shows.

        @return: the port, the file of the peer's certificate and that of the
            authority.
        """
        authority = Authority(Path(self.root))
        authority.issue("srs.pem", alternatives(addresses=[HOST]))
        certificate = authority.issue("src.pem", alternatives(uris=["sip:src.example.com"]))
        with open(f"{self.root}/siprec.toml", "w") as file:
            file.write(f'[sip]\ntls_certificate = "{self.root}/srs.pem"\n')
            file.write(f'tls_ca = "{authority.path}"\ntls_client = "required"\n')
            file.write('[[peer]]\nname = "src"\ncertificate = ["sip:src.example.com"]\n')
        port = freePort()
        listen = ("--sip", f"ssl:{port}:interface={HOST}")
        self.node.options = ("--config", f"{self.root}/siprec.toml", *listen)
        return port, certificate, authority.path

    async def test_J8_tls(self) -> None:
        """
        Over TLS, where each side shows its certificate, with a re-INVITE in
        mid-call.  (sipp, as Debian has it, speaks no TLS.)
        """
        port, certificate, authority = self.secure()
        uri = f"sip:srs@{HOST}:{port};transport=tls"
        manifest = await self.check(uri, "reinvite", certificate, authority)
        self.assertEqual(manifest["sip"]["transport"], "TLS")
        self.assertEqual(await self.refused("stranger"), 0)

    async def test_J8_wrongCertificate(self) -> None:
        """
        Over TLS with a certificate of another authority nothing is recorded.
        """
        port, _, authority = self.secure()
        others = Authority(Path(self.root) / "others")
        wrong = others.issue("x.pem", alternatives(uris=["sip:src.example.com"]))
        uri = f"sip:srs@{HOST}:{port};transport=tls"
        await self.node.start()
        program = self.program("pjsipclient", uri, "4", "metadata.xml", wrong, authority)
        self.assertEqual(await program.ended(60), 1, program.output)
        self.assertEqual(self.node.recordings(), [])
        name = 'siprec_sip_transport_events_total{event="handshakeFailures"}'
        self.assertGreaterEqual(await self.node.metric(name), 1)

    async def test_D4_digest_pjsip(self) -> None:
        """
        It answers one of the challenges (RFC 8760), for each of its requests;
        with a wrong password nothing is recorded.
        """
        with open(f"{self.root}/users", "w") as file:
            for name in ("SHA-512-256", "SHA-256"):
                file.write(f"ann:siprec:{name}:{ha1Of(name, 'ann', 'secret')}\n")
        with open(f"{self.root}/siprec.toml", "w") as file:
            file.write(f'[sip]\ndigest = true\ndigest_file = "{self.root}/users"\n')
        self.node.options = ("--config", f"{self.root}/siprec.toml")
        uri = f"sip:srs@{HOST}:PORT"
        await self.check(uri, "reinvite", "password=secret")
        self.assertGreaterEqual(await self.refused("noCredentials"), 1)
        self.assertEqual(await self.refused("wrongCredentials"), 0)
        program = self.program("pjsipclient", uri, "4", "metadata.xml", "password=guess")
        self.assertEqual(await program.ended(60), 1, program.output)
        self.assertGreaterEqual(await self.refused("wrongCredentials"), 1)
        self.assertEqual(len(self.node.recordings()), 1)

    async def refused(self, reason: str) -> float:
        """
        @return: how many messages were refused for that reason.
        """
        return await self.node.metric(f'siprec_sip_refused_total{{reason="{reason}"}}')


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
