"""
Digest authentication of real clients at a real node.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from twisted.trial.unittest import TestCase

from siprec.ids import newBranch, newCallID
from siprec.sip.message import Request, Response, parseMessage
from tests.functional.node import HOST, NodeProcess, Program, freeSipPort, reactor
from tests.functional.peers import DatagramPeer, options
from tests.programs import require
from tests.sip.credentials import ha1Of, withCredentials

_SCENARIO = os.path.join(os.path.dirname(__file__), "scenarios", "digest.xml")
_ALL = ("SHA-512-256", "SHA-256", "MD5")


class DigestTests(TestCase):
    """
    A node whose peers must authenticate.
    """

    async def start(self, algorithms: Sequence[str] = _ALL) -> None:
        """
        Start the node.
        """
        self.root = os.path.abspath(self.mktemp())
        os.makedirs(self.root)
        with open(f"{self.root}/users", "w") as file:
            for name in _ALL:
                file.write(f"ann:siprec:{name}:{ha1Of(name, 'ann', 'secret')}\n")
        with open(f"{self.root}/siprec.toml", "w") as file:
            file.write(f'[sip]\ndigest = true\ndigest_file = "{self.root}/users"\n')
            file.write(f"digest_algorithms = {json.dumps(algorithms)}\n")
        config = ("--config", f"{self.root}/siprec.toml")
        self.node = NodeProcess(f"{self.root}/recordings", rtp="32000-32999", options=config)
        self.addCleanup(self.node.kill)
        await self.node.start()

    async def call(self, password: str) -> int:
        """
        @return: the exit status of sipp, which has made ten calls.
        """
        require("sipp")
        sipp = Program.start(
            *("sipp", f"{HOST}:{self.node.sip}", "-sf", _SCENARIO, "-m", "10", "-r", "10"),
            *("-au", "ann", "-ap", password, "-i", HOST, "-p", str(freeSipPort())),
            *(
                "-nostdin",
                "-timeout",
                "30",
                "-trace_err",
                "-auth_uri",
                f"srs@{HOST}:{self.node.sip}",
            ),
            # A refusal that it does not expect it takes for none.
            *("-max_invite_retrans", "2"),
            cwd=self.root,
        )
        self.addCleanup(sipp.kill)
        return await sipp.ended(60)

    async def refused(self, reason: str) -> float:
        """
        @return: how many messages were refused for that reason.
        """
        return await self.node.metric(f'siprec_sip_refused_total{{reason="{reason}"}}')

    async def test_sipp(self) -> None:
        """
        sipp, which knows MD5 only, is let in with it and is recorded; each of
        its requests is challenged.
        """
        await self.start(["MD5"])
        self.assertEqual(await self.call("secret"), 0)
        manifests = await self.node.finished(10)
        self.assertEqual({each["endReason"] for each in manifests}, {"bye"})
        self.assertEqual(await self.refused("noCredentials"), 20)
        self.assertEqual(await self.refused("wrongCredentials"), 0)

    async def test_wrongPassword(self) -> None:
        """
        With a wrong password nobody is let in: refused and counted.
        """
        await self.start(["MD5"])
        self.assertNotEqual(await self.call("guess"), 0)
        self.assertGreaterEqual(await self.refused("wrongCredentials"), 10)
        self.assertEqual(self.node.recordings(), [])

    async def ask(self, request: Request) -> Response:
        """
        @return: the answer to a request that is sent in a datagram.
        """
        self.peer.transport.write(request.serialize(), (HOST, self.node.sip))  # type: ignore[union-attr]
        data, _ = await self.peer.received.get()
        response = parseMessage(data)
        assert isinstance(response, Response)
        return response

    def options(self) -> Request:
        """
        @return: an OPTIONS that was not sent yet.
        """
        request = parseMessage(options(f"UDP {HOST};rport", newBranch()))
        assert isinstance(request, Request)
        headers = request.headers.replacing("Call-ID", newCallID())
        return Request(request.method, request.uri, headers)

    async def test_replay(self) -> None:
        """
        Each algorithm is taken; credentials that somebody has seen on the wire
        are good for nothing more: refused, counted.
        """
        await self.start()
        self.peer = DatagramPeer()
        port = reactor.listenUDP(0, self.peer, interface=HOST)
        self.addCleanup(port.stopListening)
        challenged = await self.ask(self.options())
        self.assertEqual(challenged.status, 401)
        challenges = challenged.headers.getAll("WWW-Authenticate")
        self.assertEqual(len(challenges), 3)
        for count, challenge in enumerate(challenges, 1):
            proven = withCredentials(self.options(), challenge, count=count)
            self.assertEqual((await self.ask(proven)).status, 200)
            value = proven.headers.get("Authorization") or ""
            replay = self.options()
            stolen = Request("OPTIONS", replay.uri, replay.headers.adding("Authorization", value))
            self.assertEqual((await self.ask(stolen)).status, 401)
        self.assertEqual(await self.refused("replayedNonce"), 3)
