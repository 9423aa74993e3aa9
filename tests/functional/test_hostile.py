"""
Everything that an attacker may try, at once, while calls run at a real node.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from siprec.ids import newBranch, newCallID
from siprec.sip.interfaces import FlowGone
from siprec.sip.message import Request, Response, parseMessage
from siprec.sip.tls import SipTLS, TLSFiles
from siprec.testing.call import RecordingCall
from siprec.testing.client import RecordingClient
from siprec.testing.voice import ANN
from siprec.testing.wire import Law, encodeG711
from tests.functional.node import HOST, NodeProcess, Program, freePort, freeSipPort, pause, reactor
from tests.functional.peers import DatagramPeer, options
from tests.programs import require
from tests.sip.authority import Authority, alternatives
from tests.sip.credentials import ha1Of, withCredentials

_SCENARIO = os.path.join(os.path.dirname(__file__), "scenarios", "flood.xml")

#: Another peer, one that must authenticate, and nobody.
_OTHER, _USER, _STRANGER = "127.0.0.2", "127.0.0.3", "127.0.0.4"

_CONFIG = """
[sip]
source_rate = 30
digest_file = "{root}/users"
tls_certificate = "{root}/srs.pem"
tls_ca = "{authority}"
[[peer]]
name = "sbc"
networks = ["127.0.0.1"]
[[peer]]
name = "other"
networks = ["127.0.0.2"]
[[peer]]
name = "user"
networks = ["127.0.0.3"]
digest_users = ["ann"]
"""


class HostileTests(TestCase):
    """
    A node with peers, certificates, users and limits.
    """

    async def start(self) -> None:
        """
        Start the node.
        """
        self.root = os.path.abspath(self.mktemp())
        self.authority = Authority(Path(self.root))
        self.authority.issue("srs.pem", alternatives(addresses=[HOST]))
        with open(f"{self.root}/users", "w") as file:
            file.write(f"ann:siprec:SHA-256:{ha1Of('SHA-256', 'ann', 'secret')}\n")
        with open(f"{self.root}/siprec.toml", "w") as file:
            file.write(_CONFIG.format(root=self.root, authority=self.authority.path))
        self.port = freePort()
        self.node = NodeProcess(
            f"{self.root}/recordings",
            rtp="35000-35999",
            options=(
                *("--config", f"{self.root}/siprec.toml"),
                *("--sip", f"ssl:{self.port}:interface={HOST}"),
            ),
        )
        self.addCleanup(self.node.kill)
        await self.node.start()

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

    async def handshakes(self) -> float:
        """
        @return: how many handshakes have failed.
        """
        name = 'siprec_sip_transport_events_total{event="handshakeFailures"}'
        return await self.node.metric(name)

    async def forgeBye(self, call: RecordingCall) -> None:
        """
        End a call of another one, from two addresses.
        """
        assert call.dialog is not None
        for host in (_OTHER, _STRANGER):
            client = await self.client(host)
            _, bye = call.dialog.request("BYE")
            flow = await client.flowTo(client.uri)
            self.assertEqual((await client.layer.sendRequest(bye, flow)).status, 403)
        self.assertEqual((await self.refused("otherPeer"), await self.refused("stranger")), (1, 1))

    async def guess(self) -> None:
        """
        Guess a password, and use credentials of somebody else again.
        """
        peer = DatagramPeer()
        port = reactor.listenUDP(0, peer, interface=_USER)
        self.addCleanup(port.stopListening)

        async def ask(authorization: str | None) -> Response:
            given = parseMessage(options(f"UDP {_USER};rport", newBranch()))
            assert isinstance(given, Request)
            headers = given.headers.replacing("Call-ID", newCallID())
            if authorization is not None:
                headers = headers.adding("Authorization", authorization)
            request = Request(given.method, given.uri, headers)
            port.write(request.serialize(), (HOST, self.node.sip))
            response = parseMessage((await peer.received.get())[0])
            assert isinstance(response, Response)
            return response

        def credentials(password: str) -> str:
            bare = parseMessage(options(f"UDP {_USER}"))
            assert isinstance(bare, Request)
            proven = withCredentials(bare, challenges[-1], password=password)
            return proven.headers.get("Authorization") or ""

        challenged = await ask(None)
        challenges = challenged.headers.getAll("WWW-Authenticate")
        self.assertEqual((await ask(credentials("guess"))).status, 401)
        good = credentials("secret")
        self.assertEqual((await ask(good)).status, 200)
        self.assertEqual((await ask(good)).status, 401)
        for reason in ("wrongCredentials", "replayedNonce"):
            self.assertEqual(await self.refused(reason), 1)

    async def wrongCertificate(self) -> None:
        """
        Connect with a certificate of an authority that nobody knows.
        """
        others = Authority(Path(self.root) / "others")
        files = TLSFiles(others.issue("x.pem"), "", self.authority.path)
        client = RecordingClient(reactor, "TLS", HOST, self.port, HOST, tls=SipTLS(files))
        await client.start()
        asking = Deferred.fromCoroutine(client.options())
        while not await self.handshakes():
            await pause(0.05)
        await client.stop()
        await self.assertFailure(asking, FlowGone)

    async def test_allAtOnce(self) -> None:
        """
        A wrong certificate, a wrong password, replayed credentials, forged
        BYEs from two addresses and a flood of INVITEs: each is refused and
        counted, and 20 running calls lose no packet and end as they should.
        """
        require("sipp")
        await self.start()
        client = await self.client(HOST)
        calls = [await client.invite() for _ in range(20)]
        payload = encodeG711(ANN.speak(10.0), Law.MU)
        playing = [call.play([payload, payload]) for call in calls]
        sipp = Program.start(
            *("sipp", f"{HOST}:{self.node.sip}", "-sf", _SCENARIO, "-m", "1200", "-r", "200"),
            *("-i", _OTHER, "-p", str(freeSipPort()), "-nostdin", "-timeout", "60"),
            cwd=self.root,
        )
        self.addCleanup(sipp.kill)
        await pause(1.0)
        await self.forgeBye(calls[0])
        await self.guess()
        await self.wrongCertificate()
        self.assertEqual((await calls[1].update()).status, 200)
        for each in playing:
            await each
        await sipp.ended(60)
        self.assertGreater(await self.refused("sourceRate"), 800)
        self.assertEqual(await self.node.metric("siprec_sessions"), 20)
        for call in calls:
            self.assertFalse(call.over)
            self.assertEqual((await call.bye()).status, 200)
        for manifest in await self.node.finished(20):
            [call] = [each for each in calls if each.callID == manifest["callID"]]
            self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))
            packets = [each["packets"] for each in manifest["streams"]]
            self.assertEqual(packets, [len(leg.sent) for leg in call.legs])
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)
