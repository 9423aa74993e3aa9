"""
Digest authentication at several nodes with one secret.
"""

from __future__ import annotations

import os

from siprec.ids import newBranch, newCallID
from siprec.sip.message import Request, Response, parseMessage
from tests.functional.clustercase import ClusterCase
from tests.functional.node import HOST, NodeProcess, pause, reactor
from tests.functional.peers import DatagramPeer, options
from tests.sip.credentials import ha1Of, withCredentials

_CONFIG = """
[sip]
digest = true
digest_file = "{root}/users"
digest_algorithms = ["SHA-256"]
[cluster]
secret_file = "{root}/secret"
"""


class ClusterDigestTests(ClusterCase):
    """
    Two nodes, whose peers must authenticate.
    """

    async def both(self) -> None:
        """
        Start them.
        """
        root = os.path.abspath(self.mktemp())
        os.makedirs(root)
        with open(f"{root}/users", "w") as file:
            file.write(f"ann:siprec:SHA-256:{ha1Of('SHA-256', 'ann', 'secret')}\n")
        with open(f"{root}/secret", "w") as file:
            file.write("0123456789abcdef0123456789abcdef\n")
        await self.begin(2, config=_CONFIG.format(root=root))
        self.peer = DatagramPeer()
        port = reactor.listenUDP(0, self.peer, interface=HOST)
        self.addCleanup(port.stopListening)

    async def ask(self, node: NodeProcess, count: int = 0) -> Response:
        """
        @param count: of the challenge that came first; 0: without credentials.
        @return: the answer of that node.
        """
        request = parseMessage(options(f"UDP {HOST};rport", newBranch()))
        assert isinstance(request, Request)
        headers = request.headers.replacing("Call-ID", newCallID())
        request = Request(request.method, request.uri, headers)
        if count:
            request = withCredentials(request, self.challenge, count=count)
        self.peer.transport.write(request.serialize(), (HOST, node.sip))  # type: ignore[union-attr]
        response = parseMessage((await self.peer.received.get())[0])
        assert isinstance(response, Response)
        return response

    async def refused(self, node: NodeProcess, reason: str) -> float:
        """
        @return: how many messages a node has refused for that reason.
        """
        return await node.metric(f'siprec_sip_refused_total{{reason="{reason}"}}')

    async def test_D4_digest_nodes(self) -> None:
        """
        The challenge of one node can be answered at the other, each count once:
        what was used at one is a replay at the other.  When the node that made
        it is gone, a new one is given, and nobody needs a password again.
        """
        await self.both()
        one, two = self.nodes
        [self.challenge] = (await self.ask(one)).headers.getAll("WWW-Authenticate")
        # They have just met: until the second has seen the lease of the first, it
        # can ask nobody, and says so.
        while (await self.ask(two, 100)).status != 200:
            await pause(0.1)
        early = await self.refused(two, "staleNonce")
        good = [(one, 101), (two, 102), (one, 103), (two, 104)]
        for node, count in good:
            self.assertEqual((await self.ask(node, count)).status, 200, count)
        for node, count in [(two, 101), (one, 102), (two, 103), (one, 104), (one, 101), (two, 102)]:
            again = await self.ask(node, count)
            self.assertEqual(again.status, 401, count)
            self.assertIn("stale=true", again.headers.get("WWW-Authenticate") or "")
        for node in self.nodes:
            self.assertEqual(await self.refused(node, "replayedNonce"), 3)
        await one.kill()
        again = await self.ask(two, 105)
        self.assertEqual(again.status, 401)
        self.assertEqual(await self.refused(two, "staleNonce"), early + 1)
        [self.challenge] = again.headers.getAll("WWW-Authenticate")
        self.assertEqual((await self.ask(two, 1)).status, 200)
        await self.checkErrors(two)
