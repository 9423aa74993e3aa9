"""
Calls over TLS, with real certificates and real sockets.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from siprec.sip.interfaces import FlowGone
from siprec.sip.tls import SipTLS, TLSFiles
from siprec.testing.call import RecordingCall
from siprec.testing.client import RecordingClient
from siprec.testing.voice import ANN
from siprec.testing.wire import Law, encodeG711
from tests.functional.node import HOST, NodeProcess, eventually, freePort, pause, reactor
from tests.sip.authority import Authority, alternatives

_PEERS = """
[[peer]]
name = "sbc"
certificate = ["sip:sbc.example.com"]
"""


class TLSTests(TestCase):
    """
    A node that wants certificates, and peers that have some.
    """

    async def start(self) -> None:
        """
        Start the node.
        """
        self.root = os.path.abspath(self.mktemp())
        self.authority = Authority(Path(self.root))
        self.certify("one.example.com")
        with open(f"{self.root}/siprec.toml", "w") as file:
            file.write(f'[sip]\ntls_certificate = "{self.root}/srs.pem"\n')
            file.write(f'tls_ca = "{self.authority.path}"\n{_PEERS}')
        self.port = freePort()
        options = ("--config", f"{self.root}/siprec.toml")
        listen = ("--sip", f"ssl:{self.port}:interface={HOST}")
        self.node = NodeProcess(
            f"{self.root}/recordings", rtp="33000-33999", options=(*options, *listen)
        )
        self.addCleanup(self.node.kill)
        await self.node.start()

    def certify(self, name: str) -> None:
        """
        Give the node a certificate of this name.
        """
        self.authority.issue("srs.pem", alternatives(names=[name], addresses=[HOST]))

    def files(self, file: str, name: str = "sbc.example.com", hours: float = 24) -> TLSFiles:
        """
        @return: the files of a peer of this name.
        """
        certificate = self.authority.issue(file, alternatives(uris=[f"sip:{name}"]), hours=hours)
        return TLSFiles(certificate, "", self.authority.path)

    async def client(self, files: TLSFiles) -> RecordingClient:
        """
        @return: a client with these files.
        """
        client = RecordingClient(reactor, "TLS", HOST, self.port, HOST, tls=SipTLS(files))
        await client.start()
        self.addCleanup(client.stop)
        return client

    async def refused(self, files: TLSFiles) -> None:
        """
        Assert that a peer with these files gets no answer at all.
        """
        client = RecordingClient(reactor, "TLS", HOST, self.port, HOST, tls=SipTLS(files))
        # Without a certificate it cannot listen, and needs not.
        assert client._service is not None
        client._service._listen = (f"udp:0:interface={HOST}",)
        await client.start()
        failed = await self.event("handshakeFailures")
        asking = Deferred.fromCoroutine(client.options())
        while await self.event("handshakeFailures") == failed:
            await pause(0.05)
        # With TLS 1.3 a client learns late that it was refused, or never.
        await client.stop()
        await self.assertFailure(asking, FlowGone)

    def play(self, call: RecordingCall, seconds: float) -> Deferred[list[None]]:
        """
        Talk on both streams.
        """
        payload = encodeG711(ANN.speak(seconds), Law.MU)
        return call.play([payload, payload])

    async def check(self, call: RecordingCall) -> None:
        """
        The call was recorded with all its packets, and nothing broke.
        """
        [manifest] = await self.node.finished()
        self.assertEqual(manifest["state"], "complete")
        self.assertEqual(manifest["sip"]["transport"], "TLS")
        packets = [each["packets"] for each in manifest["streams"]]
        self.assertEqual(packets, [len(leg.sent) for leg in call.legs])
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)

    async def event(self, name: str) -> float:
        """
        @return: how often something happened to the node's sockets.
        """
        return await self.node.metric(f'siprec_sip_transport_events_total{{event="{name}"}}')

    async def test_A60_call(self) -> None:
        """
        A peer with a good certificate is recorded.  Others, while it talks,
        are not let in: without a certificate, with one of another authority,
        one that has expired, one of a name that is no peer's; each is counted,
        and no packet of the call is lost.
        """
        await self.start()
        client = await self.client(self.files("sbc.pem"))
        call = await client.invite()
        playing = self.play(call, 3.0)
        others = Authority(Path(self.root) / "others")
        names = alternatives(uris=["sip:sbc.example.com"])
        for files in (
            TLSFiles("", "", self.authority.path),
            TLSFiles(others.issue("x.pem", names), "", self.authority.path),
            self.files("old.pem", hours=-1),
        ):
            await self.refused(files)
        stranger = await self.client(self.files("other.pem", "other.example.com"))
        self.assertEqual((await stranger.options()).status, 403)
        await playing
        self.assertEqual((await call.bye()).status, 200)
        await self.check(call)
        self.assertEqual(await self.event("handshakeFailures"), 3)
        reasons = 'siprec_sip_refused_total{reason="stranger"}'
        self.assertEqual(await self.node.metric(reasons), 1)

    async def test_A60_newCertificate(self) -> None:
        """
        After SIGHUP new connections see the new certificate, and a call on an
        old connection goes on.
        """
        await self.start()
        client = await self.client(self.files("sbc.pem"))
        call = await client.invite()
        playing = self.play(call, 2.0)
        self.certify("two.example.com")
        program = self.node.program
        assert program is not None
        program.signal(signal.SIGHUP)
        await eventually("the new files", lambda: "settings read again" in program.output)
        names = []
        for each in (client, await self.client(self.files("again.pem"))):
            self.assertEqual((await each.options()).status, 200)
            names.append((await each.flowTo(each.uri)).identities)
        self.assertEqual(names, [("one.example.com",), ("two.example.com",)])
        await playing
        self.assertEqual((await call.bye()).status, 200)
        await self.check(call)
        expires = await self.node.metric("siprec_sip_certificate_expires")
        self.assertGreater(expires, 0)

    async def test_D2_ownConnection(self) -> None:
        """
        While the connection of the peer is open our requests go by that: at
        its Contact it need not be known.
        """
        await self.start()
        client = await self.client(self.files("sbc.pem"))
        call = await client.invite()
        await self.play(call, 0.5)
        over = call.whenOver()
        await self.node.get("/api/drain", b"POST")
        await over
        await self.check(call)
        self.assertEqual([each.method for each in call.requests], ["BYE"])
        self.assertEqual(await self.event("wrongPeers"), 0)

    async def test_D2_toContact(self) -> None:
        """
        If the connection of the peer is gone, our requests go to its Contact by
        a new one, where both sides show who they are.
        """
        await self.toContact("sip")

    async def test_D2_sips_call(self) -> None:
        """
        A call to a SIPS URI: ours is one, too, and what we send later goes over
        TLS as well, by a new connection.
        """
        call = await self.toContact("sips")
        contact = call.responses[0].headers.get("Contact") or ""
        self.assertTrue(contact.startswith(f"<sips:{HOST}:{self.port}>"), contact)

    async def toContact(self, scheme: str) -> RecordingCall:
        """
        Make a call, close its connection, and let the node end it.
        """
        await self.start()
        client = await self.client(self.files("sbc.pem"))
        client.uri = client.uri.replace("sip:", f"{scheme}:")
        # What the peer has at its Contact names no address of it: who it may
        # be there, the list of peers says.
        with open(f"{self.root}/siprec.toml", "a") as file:
            file.write(f'networks = ["{HOST}"]\n')
        program = self.node.program
        assert program is not None
        program.signal(signal.SIGHUP)
        await eventually("the new files", lambda: "settings read again" in program.output)
        call = await client.invite()
        await self.play(call, 0.5)
        assert client._service is not None
        for connection in list(client._service._connections._open.values()):
            connection.close()
        over = call.whenOver()
        await self.node.get("/api/drain", b"POST")
        await over
        await self.check(call)
        self.assertEqual([each.method for each in call.requests], ["BYE"])
        return call

    async def test_D2_wrongContact(self) -> None:
        """
        At a Contact where somebody else answers, nothing is said; the call
        ends all the same.
        """
        await self.start()
        client = await self.client(self.files("sbc.pem"))
        call = await client.invite()
        await self.play(call, 0.5)
        assert client._service is not None
        for connection in list(client._service._connections._open.values()):
            connection.close()
        # The name at that address is not known to be one of it.
        await self.node.get("/api/drain", b"POST")
        await self.check(call)
        self.assertEqual(call.requests, [])
        self.assertEqual(await self.event("wrongPeers"), 1)
