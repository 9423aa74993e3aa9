"""
C{kill -9} at random moments of calls that start, run, change and end.  How many there
are is set by C{SIPREC_KILLS}, and which by C{SIPREC_SEED}.
"""

from __future__ import annotations

import os
from collections import Counter
from random import Random

from twisted.internet.defer import Deferred, gatherResults

from siprec.testing.client import RecordingClient
from tests.functional.killing import Caller, Folders, told
from tests.functional.node import (
    HOST,
    NodeProcess,
    eventually,
    lastingSipPort,
    pause,
    reactor,
)
from tests.functional.redisserver import startServer
from tests.functional.test_state import StateTestCase

_KILLS = int(os.environ.get("SIPREC_KILLS") or 6)
_SEED = int(os.environ.get("SIPREC_SEED") or 1)
_CALLERS = 6


class KillingTests(StateTestCase):
    """
    One node, a real store, and some callers.
    """

    ports = "33600-33999"
    timeout = 240 + 30 * _KILLS

    async def test_kills(self) -> None:
        """
        After every kill each manifest can be read and nothing finished has changed; in
        the end each recording is finished and has audio that can be played, is
        incomplete where something may be missing, and nothing lies about.
        """
        client = await self.begin("--config", self.config())
        self.folders, counted = Folders(self.node.root), Counter[str]()
        callers = [
            Caller(client, Random(f"{_SEED}-{number}"), counted) for number in range(_CALLERS)
        ]
        running = [Deferred.fromCoroutine(each.run()) for each in callers]
        chance = Random(_SEED)
        for _ in range(_KILLS):
            # Mostly amid much, and now and then so late that much is finished.
            await pause(
                chance.choice((chance.uniform(0.0, 2.0),) * 3 + (chance.uniform(4.0, 9.0),))
            )
            await self.node.kill()
            self.folders.look()
            self.assertEqual(self.folders.problems, [])
            await self.node.start()
        for each in callers:
            each.over = True
        await gatherResults(running)
        began = reactor.seconds()
        await eventually("all finished", lambda: self.folders.running() == 0 or None, 90.0, 0.5)
        await eventually("no markers", lambda: not self.markers() or None, 30.0)
        self.folders.end(self.node.nodeID)
        print(f"\n{_KILLS} kills, seed {_SEED}: {told(self.folders, counted)}")
        print(f"all finished {reactor.seconds() - began:.1f} s after the last call")
        self.assertEqual(self.folders.problems, [])
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)

    async def begin(self, *options: str) -> RecordingClient:
        """
        See L{StateTestCase.begin}; a node that is away finds its ports when it is back.
        """
        self.server = startServer(self, "redis")
        self.node = NodeProcess(
            os.path.abspath(self.mktemp()),
            sip=lastingSipPort(31000, 32699),
            http=lastingSipPort(31000, 32699),
            rtp=self.ports,
            options=("--store", self.server.url, *options),
        )
        self.addCleanup(self.node.kill)
        await self.node.start()
        client = RecordingClient(reactor, "UDP", HOST, self.node.sip)
        self.addCleanup(client.stop)
        await client.start()
        return client

    def markers(self) -> list[str]:
        """
        @return: of what is not finished.
        """
        return os.listdir(os.path.join(self.node.root, ".running", self.node.nodeID))

    def config(self) -> str:
        """
        @return: the path of a configuration in which much happens at a time.
        """
        path: str = os.path.abspath(self.mktemp())
        with open(path, "w") as file:
            file.write("[recordings]\nfsync = 0.5\nworkers = 2\n")
            # A call that its client has given up is found out soon after the last kill.
            file.write("[session]\nprobe_after = 20\n")
        return path
