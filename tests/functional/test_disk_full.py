"""
A small file system that gets full while calls run, and has room again.
"""

from __future__ import annotations

import os
import subprocess

from twisted.trial.unittest import SkipTest, TestCase

from siprec.session.manifest import Manifest, parseTime
from siprec.sip.message import Response
from siprec.testing.client import RecordingClient
from siprec.testing.voice import ANN
from siprec.testing.wire import Law, encodeG711
from tests.functional.node import HOST, NodeProcess, eventually, pause, reactor

_MIB = 1 << 20


class DiskFullTests(TestCase):
    """
    A node that records on 48 MiB.
    """

    async def begin(self, reserve: str) -> RecordingClient:
        """
        Start node and client.

        @param reserve: C{recordings.min_free}.
        """
        self.root = os.path.abspath(self.mktemp())
        os.makedirs(self.root)
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=48M", "tmpfs", self.root],
            capture_output=True,
            check=False,
        )
        if mounted.returncode:
            raise SkipTest(f"no file system can be mounted: {mounted.stderr.decode()}")
        # Lazily: the node that is in it may be dying still.
        self.addCleanup(subprocess.run, ["umount", "--lazy", self.root], check=True)
        config = os.path.abspath(self.mktemp())
        with open(config, "w") as file:
            file.write(f'[recordings]\nmin_free = "{reserve}"\nfsync = 1\n')
        self.node = NodeProcess(self.root, rtp="34000-34199", options=("--config", config))
        self.addCleanup(self.node.kill)
        await self.node.start()
        client = RecordingClient(reactor, "UDP", HOST, self.node.sip)
        self.addCleanup(client.stop)
        await client.start()
        return client

    def fill(self, left: int) -> None:
        """
        Take all room but C{left} octets.
        """
        found = os.statvfs(self.root)
        size = found.f_bavail * found.f_frsize - left
        with open(f"{self.root}/filler", "wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)

    def fillUp(self) -> None:
        """
        Take all room, while others write.
        """
        with open(f"{self.root}/filler", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return

    def empty(self) -> None:
        """
        Give it back.
        """
        os.unlink(f"{self.root}/filler")

    async def reasons(self, part: str) -> None:
        """
        Wait until C{/readyz} says so; empty: until it is ready.
        """
        while True:
            status, body = await self.node.get("/readyz")
            if (status == 503 and part.encode() in body) if part else status == 200:
                return
            await pause(0.2)

    async def refused(self, client: RecordingClient) -> Response:
        """
        @return: the answer to a new call.
        """
        return await client.call().invite()

    def kinds(self, manifest: Manifest) -> list[str]:
        """
        @return: the types of its events.
        """
        return [each["type"] for each in manifest["events"]]

    async def test_reserve(self) -> None:
        """
        When half of the reserve is gone capture stops, and goes on when there is room;
        the manifest has both and the gap with its cause, and everything else is recorded.
        Meanwhile new calls are refused with a reason, and the call goes on.
        """
        client = await self.begin("16MiB")
        call = await client.invite()
        payload = encodeG711(ANN.speak(40.0), Law.MU)
        playing = call.play([payload, payload])
        await pause(1.0)
        self.fill(7 * _MIB)
        await self.reasons("nothing is recorded")
        response = await self.refused(client)
        self.assertEqual(response.status, 503)
        self.assertIn("octets are free", response.headers.get("Warning") or "")
        self.assertEqual((await call.update()).status, 200)
        await pause(1.0)
        self.empty()
        await self.reasons("")
        await pause(1.5)
        self.assertEqual((await call.bye()).status, 200)
        await playing
        [manifest] = await self.node.finished()
        self.assertEqual((manifest["state"], manifest["endReason"]), ("incomplete", "bye"))
        kinds = self.kinds(manifest)
        self.assertLess(kinds.index("captureStopped"), kinds.index("captureResumed"))
        self.checkGaps(manifest)
        for stream, leg in zip(manifest["streams"], call.legs, strict=True):
            self.assertEqual(stream["packets"] + stream["unwritten"], len(leg.sent))
            self.assertLessEqual(abs(stream["lost"] - stream["unwritten"]), 2)
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)

    def checkGaps(self, manifest: Manifest) -> None:
        """
        Each stream has one, of that cause, as long as capture had stopped.
        """
        gaps = [each for each in manifest["gaps"] if each["cause"] == "diskFull"]
        self.assertEqual({each["stream"] for each in gaps}, {0, 1})
        times = [
            parseTime(each["time"])
            for each in manifest["events"]
            if each["type"] in ("captureStopped", "captureResumed")
        ]
        for gap in gaps:
            seconds = parseTime(gap["end"]) - parseTime(gap["start"])
            self.assertLess(abs(seconds - (times[1] - times[0])), 0.6)

    async def test_nothingLeft(self) -> None:
        """
        Where nothing can be written any more, journal, manifest and audio, nothing dies of
        it: what came meanwhile is lost and counted, the rest is finished once there is
        room, and a new call is recorded.
        """
        client = await self.begin("0")
        call = await client.invite()
        payload = encodeG711(ANN.speak(3.0), Law.MU)
        playing = call.play([payload, payload])
        await pause(1.0)
        self.fillUp()
        self.assertEqual((await call.reinvite(direction="sendonly")).status, 200)
        await playing
        self.assertEqual((await self.refused(client)).status, 503)
        self.assertEqual((await call.bye()).status, 200)
        await pause(3.0)
        [manifest] = self.node.recordings()
        self.assertNotIn(manifest["state"], ("complete", "incomplete"))
        self.empty()
        [manifest] = await self.node.finished()
        self.assertEqual((manifest["state"], manifest["endReason"]), ("incomplete", "bye"))
        for stream, leg in zip(manifest["streams"], call.legs, strict=True):
            self.assertGreaterEqual(stream["packets"], 30)
            self.assertEqual(stream["packets"] + stream["unwritten"], len(leg.sent))
        await self.reasons("")
        again = await client.invite()
        await again.play([payload[:8000], payload[:8000]])
        await again.bye()
        manifests = await self.node.finished(2)
        self.assertEqual(sorted(each["state"] for each in manifests), ["complete", "incomplete"])
        left = [
            name
            for _, _, names in os.walk(self.root)
            for name in names
            if name.endswith((".new", ".unfinished"))
        ]
        self.assertEqual(left, [])
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)
        await eventually("no marker", lambda: not os.listdir(self.markers) or None)

    @property
    def markers(self) -> str:
        """
        Where the marks of what is unfinished are.
        """
        return os.path.join(self.root, ".running", self.node.nodeID)
