"""
C{siprec export}, and what Wireshark makes of it.
"""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import TestCase

from siprec.testing.client import RecordingClient
from siprec.testing.voice import ANN
from siprec.testing.wire import Law, encodeG711
from tests.functional.node import HOST, NodeProcess, Program, reactor
from tests.programs import requires


class ExportTests(TestCase):
    """
    A real call, exported.
    """

    @requires("tshark")
    async def test_readByWireshark(self) -> None:
        """
        Every packet that was sent is there once, with its source, its sequence number and
        the time between it and the next, and at the port at which it came.
        """
        node = NodeProcess(os.path.abspath(self.mktemp()), rtp="34400-34499")
        self.addCleanup(node.kill)
        await node.start()
        client = RecordingClient(reactor, "UDP", HOST, node.sip)
        self.addCleanup(client.stop)
        await client.start()
        call = await client.invite()
        payload = encodeG711(ANN.speak(2.0), Law.MU)
        await call.play([payload, payload])
        call.legs[0].report(reactor.seconds())
        await call.bye()
        [manifest] = await node.finished()
        directory = f"{node.root}/{manifest['startTime'][:10].replace('-', '/')}/{manifest['id']}"
        path = os.path.abspath(self.mktemp())
        command = (sys.executable, "-m", "siprec.cli", "export", directory, "--pcap", path)
        program = Program.start(*command)
        self.assertEqual(await program.ended(), 0)
        sent = sum(len(leg.sent) for leg in call.legs)
        self.assertIn(f"{sent + 1} packets", program.output)
        for leg in call.legs:
            assert leg.remote is not None
            rows = self.tshark(path, leg.remote[1], "rtp.ssrc", "rtp.seq", "rtp.p_type")
            sources = {row[0] for row in rows}
            self.assertEqual(sources, {f"0x{leg.ssrc:08x}"})
            numbers = [int.from_bytes(each.data[2:4], "big") for each in leg.sent]
            self.assertEqual([int(row[1]) for row in rows], numbers)
            self.assertEqual({row[2] for row in rows}, {"0"})

    def tshark(self, path: str, port: int, *fields: str) -> list[list[str]]:
        """
        @return: these fields of each RTP packet at a port.
        """
        asked = [part for each in fields for part in ("-e", each)]
        shown = subprocess.run(
            [
                *("tshark", "-r", path, "-d", f"udp.port=={port},rtp"),
                *("-Y", f"rtp && udp.dstport=={port}", "-T", "fields", *asked),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        return [line.split("\t") for line in shown.stdout.splitlines()]
