"""
The start of a node: what it has loaded when it says that it is ready.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import TestCase

from siprec.testing.client import RecordingClient
from siprec.testing.voice import ANN
from siprec.testing.wire import Law, encodeG711
from tests.functional.node import HOST, NodeProcess, pause, reactor

# Python loads its codecs itself, with the first name that is encoded.
_CODECS = {"encodings.idna", "stringprep"}


class StartTests(TestCase):
    """
    A node in a process of its own, which notes what it loads.
    """

    def loaded(self) -> list[str]:
        """
        @return: the names of modules, in the order in which they were loaded.
        """
        assert self.node.program is not None
        lines = self.node.program.output.splitlines()
        return [each.rpartition("|")[2].strip() for each in lines if "import time:" in each]

    async def test_firstCall(self) -> None:
        """
        The first call does not wait for anything to be loaded: that is done when the node is
        ready.
        """
        self.patch(os, "environ", {**os.environ, "PYTHONPROFILEIMPORTTIME": "1"})
        self.node = NodeProcess(os.path.abspath(self.mktemp()), rtp="30000-30099")
        self.addCleanup(self.node.kill)
        await self.node.start()
        before = self.loaded()
        self.assertIn("siprec.node", before)
        client = RecordingClient(reactor, "UDP", HOST, self.node.sip)
        self.addCleanup(client.stop)
        await client.start()
        call = await client.invite()
        await call.legs[0].play(encodeG711(ANN.speak(0.5), Law.MU))
        while not await self.node.metric("siprec_media_packets_total"):
            await pause(0.1)
        await call.bye()
        self.assertEqual(set(self.loaded()[len(before) :]) - _CODECS, set())
