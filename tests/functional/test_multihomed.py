"""
A node that listens at every address of a host with several.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import TestCase

from siprec.testing.client import RecordingClient
from siprec.testing.voice import ANN
from siprec.testing.wire import Law, encodeG711
from tests.functional.node import HOST, NodeProcess, freeSipPort, reactor

_SECOND = "127.0.8.8"


class MultihomedTests(TestCase):
    """
    C{--sip udp:PORT}.
    """

    async def test_D2_multihomed_call(self) -> None:
        """
        Who calls one of its addresses gets its answers, its Contact and its
        media at that one, and is recorded; a refresh from the recorder's side
        comes from there as well.
        """
        port = freeSipPort()
        options = ("--sip", f"udp:{port}")
        node = NodeProcess(os.path.abspath(self.mktemp()), rtp="33900-33999", options=options)
        self.addCleanup(node.kill)
        await node.start()
        client = RecordingClient(reactor, "UDP", _SECOND, port, HOST)
        self.addCleanup(client.stop)
        await client.start()
        call = await client.invite()
        response = call.responses[0]
        self.assertIn(f"<sip:{_SECOND}:{port}>", response.headers.get("Contact") or "")
        self.assertIn(f"IN IP4 {_SECOND}\r\n".encode(), response.body)
        payload = encodeG711(ANN.speak(1.0), Law.MU)
        await call.play([payload, payload])
        over = call.whenOver()
        [manifest] = node.recordings()
        await node.get(f"/api/recordings/{manifest['id']}/stop", b"POST")
        await over
        [bye] = call.requests
        self.assertEqual(
            (bye.method, bye.via.host, bye.via.param("received")), ("BYE", _SECOND, _SECOND)
        )
        [manifest] = await node.finished()
        packets = [each["packets"] for each in manifest["streams"]]
        self.assertEqual(packets, [len(leg.sent) for leg in call.legs])
        self.assertEqual(await node.metric("siprec_unhandled_errors_total"), 0)
