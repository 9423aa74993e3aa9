"""
Nodes and a real Redis: calls that outlive their node's process, and calls while
the store is away.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from twisted.internet.defer import gatherResults
from twisted.trial.unittest import TestCase

from siprec.session.manifest import Manifest, parseTime
from siprec.testing.client import RecordingClient
from siprec.testing.voice import ANN
from siprec.testing.wire import Law, encodeG711
from tests.functional.node import HOST, NodeProcess, Program, eventually, pause, reactor
from tests.functional.redisserver import Server, startServer

#: How long Redis stays away, in seconds, once everything else has been done that
#: is done meanwhile.
OUTAGE = float(os.environ.get("SIPREC_OUTAGE_SECONDS") or 8)


class StateTestCase(TestCase):
    """
    A Redis server, a node that keeps its state there, and a client.
    """

    ports = "33000-33999"

    async def begin(self, *options: str) -> RecordingClient:
        """
        Start everything.
        """
        self.server: Server = startServer(self, "redis")
        self.node = NodeProcess(
            os.path.abspath(self.mktemp()),
            rtp=self.ports,
            options=("--store", self.server.url, *options),
        )
        self.addCleanup(self.node.kill)
        await self.node.start()
        client = RecordingClient(reactor, "UDP", HOST, self.node.sip)
        self.addCleanup(client.stop)
        await client.start()
        return client

    def records(self) -> int:
        """
        @return: how many sessions the store has.
        """
        with self.server.client() as client:
            return len(client.keys("{siprec}:session:*"))  # the test's own look

    def audio(self, manifest: Manifest) -> NDArray[np.int16]:
        """
        @return: samples by channel.
        """
        day = manifest["startTime"][:10].replace("-", "/")
        path = f"{self.node.root}/{day}/{manifest['id']}/{manifest['audio']['file']}"
        samples: NDArray[np.int16] = soundfile.read(path, dtype="int16", always_2d=True)[0]
        return samples


class RestartTests(StateTestCase):
    """
    A node that comes back under its NodeID.
    """

    ports = "33000-33199"

    async def test_killedDuring20Calls(self) -> None:
        """
        A node killed with C{kill -9} during 20 calls and started again within
        3 s goes on with all of them: each has one recording with two segments,
        only the packets sent while it was down are missing, and the manifest's
        gap says so.
        """
        client = await self.begin()
        calls = [await client.invite() for _ in range(20)]
        payload = encodeG711(ANN.speak(10.0), Law.MU)
        playing = gatherResults([call.play([payload, payload]) for call in calls])
        await pause(3.0)
        killed = reactor.seconds()
        await self.node.kill()
        await self.node.start()
        up = reactor.seconds()
        self.assertLess(up - killed, 3.0)
        await playing
        await pause(0.3)
        for call in calls:
            self.assertEqual((await call.update()).status, 200)
            self.assertEqual((await call.bye()).status, 200)
        manifests = await self.node.finished(20)
        sent = {call.dialog.callID: call for call in calls if call.dialog is not None}
        self.assertEqual({each["callID"] for each in manifests}, set(sent))
        for manifest in manifests:
            self.checkRecording(manifest, sent[manifest["callID"]], killed, up)
        await eventually("an empty store", lambda: self.records() == 0)
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)

    def checkRecording(self, manifest: Manifest, call: Any, killed: float, up: float) -> None:
        """
        One call has one recording, with a gap where the node was down.
        """
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))
        self.assertEqual([len(each["files"]) for each in manifest["segments"]], [2, 2])
        for stream, leg in zip(manifest["streams"], call.legs, strict=True):
            # The capture takes what waits every 200 ms, so as much may have
            # been waiting when the process was killed.
            down = [each for each in leg.sent if killed - 0.25 <= each.time <= up]
            self.assertEqual(stream["packets"] + stream["lost"], len(leg.sent))
            self.assertLessEqual(stream["lost"], len(down))
            self.assertGreater(stream["lost"], 10)
        gaps = [each for each in manifest["gaps"] if each["cause"] == "nodeChange"]
        self.assertEqual({each["stream"] for each in gaps}, {0, 1})
        for gap in gaps:
            seconds = parseTime(gap["end"]) - parseTime(gap["start"])
            self.assertLess(seconds, up - killed + 0.5)

    async def test_secondProcess(self) -> None:
        """
        A second live process with the same NodeID refuses to start, with
        status 1, and says which host and process has it; other recordings
        directories do not make it another node.
        """
        await self.begin()
        other = NodeProcess(os.path.abspath(self.mktemp()), options=self.node.options)
        starting = other.start()
        await self.assertFailure(_deferred(starting), Exception)
        program = other.program
        assert program is not None
        self.assertEqual(await program.ended(), 1)
        assert self.node.program is not None
        self.assertIn(f"process {self.node.program.pid}", program.output)
        self.assertIn(os.uname().nodename, program.output)
        self.assertEqual((await self.node.get("/readyz"))[0], 200)


class OutageTests(StateTestCase):
    """
    The store may be away.
    """

    ports = "33200-33599"

    async def test_redisKilled(self) -> None:
        """
        Redis is killed during 50 calls, and 20 more arrive while it is away:
        none is refused or lost, C{/readyz} and the metrics say what is the
        matter, and when Redis is back all records are right.  How long that is
        can be set, by C{SIPREC_OUTAGE_SECONDS}.
        """
        client = await self.begin()
        calls = [await client.invite() for _ in range(50)]
        payload = encodeG711(ANN.speak(OUTAGE + 4.0), Law.MU)
        playing = [call.play([payload, payload]) for call in calls]
        self.assertEqual(self.records(), 50)
        self.server.kill()
        more = [await client.invite() for _ in range(20)]
        playing += [call.play([payload, payload]) for call in more]
        ready = await self.node.getJSON("/readyz")
        self.assertEqual(ready["status"], "ready")
        self.assertIn("the store is away", ready["notes"][0])
        self.assertEqual(await self.node.metric("siprec_store_away"), 1)
        self.assertGreaterEqual(await self.node.metric("siprec_store_waiting"), 20)
        for call in calls[:10]:
            self.assertEqual((await call.update()).status, 200)
        await pause(OUTAGE)
        self.server.start()
        await eventually("70 records", lambda: self.records() == 70)
        await eventually("quiet", lambda: self.records() == 70)
        await gatherResults(playing)
        await pause(0.3)
        for call in [*calls, *more]:
            await call.bye()
        manifests = await self.node.finished(70, patience=120)
        self.assertEqual({each["state"] for each in manifests}, {"complete"})
        streams = [stream for each in manifests for stream in each["streams"]]
        packets = len(payload) // 160
        self.assertEqual({(each["packets"], each["lost"]) for each in streams}, {(packets, 0)})
        await eventually("an empty store", lambda: self.records() == 0)
        self.assertEqual(await self.node.metric("siprec_store_away"), 0)
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)

    async def test_startWithoutStore(self) -> None:
        """
        A node starts, and takes calls, though its store is not there yet.
        """
        self.server = startServer(self, "redis")
        self.server.kill()
        self.node = NodeProcess(
            os.path.abspath(self.mktemp()), rtp=self.ports, options=("--store", self.server.url)
        )
        self.addCleanup(self.node.kill)
        await self.node.start()
        client = RecordingClient(reactor, "UDP", HOST, self.node.sip)
        self.addCleanup(client.stop)
        await client.start()
        call = await client.invite()
        self.server.start()
        await eventually("its record", lambda: self.records() == 1)
        await call.bye()
        [manifest] = await self.node.finished()
        self.assertEqual(manifest["state"], "complete")
        await eventually("an empty store", lambda: self.records() == 0)


def _deferred(coroutine: Any) -> Any:
    from twisted.internet.defer import Deferred

    return Deferred.fromCoroutine(coroutine)


__all__ = ["OutageTests", "Program", "RestartTests"]
