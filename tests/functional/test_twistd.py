"""
C{twistd siprec} from outside: what it says and how it ends.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from siprec.session.manifest import Manifest
from siprec.testing.client import RecordingCall, RecordingClient
from siprec.testing.voice import ANN, BOB, conversation
from siprec.testing.wire import Law, encodeG711
from tests.functional.node import (
    HOST,
    NodeProcess,
    Program,
    eventually,
    freePort,
    freeSipPort,
    pause,
    reactor,
)

_NODE = "functional"
_TWISTD = os.path.join(os.path.dirname(sys.executable), "twistd")


class TwistdTestCase(TestCase):
    """
    A recordings directory, and processes on it.
    """

    def setUp(self) -> None:
        self.root: str = os.path.abspath(self.mktemp())

    def config(self, text: str) -> str:
        """
        @return: the path of a configuration file.
        """
        path: str = os.path.abspath(self.mktemp())
        with open(path, "w") as file:
            file.write(text)
        return path

    def node(self, *options: str) -> NodeProcess:
        """
        @return: a node that is not started yet.
        """
        node = NodeProcess(self.root, nodeID=_NODE, rtp="27000-27999", options=options)
        self.addCleanup(node.kill)
        return node


class StartTests(TwistdTestCase):
    """
    A node that cannot start ends at once with status 1 and one clear message.
    """

    async def _refused(self, *options: str) -> str:
        """
        @return: the line of all its output that says why.
        """
        given = {
            "--node-id": _NODE,
            "--recordings": self.root,
            "--sip": f"udp:{freeSipPort()}:interface={HOST}",
            "--http": f"tcp:{freePort()}:interface={HOST}",
            **dict(zip(options[::2], options[1::2], strict=True)),
        }
        program = Program.start(
            *(_TWISTD, "-n", "--pidfile=", "siprec"),
            *(word for option in given.items() for word in option),
        )
        self.addCleanup(program.kill)
        self.assertEqual(await program.ended(), 1, program.output)
        self.assertNotIn("Traceback", program.output)
        [line] = [each for each in program.output.splitlines() if "siprec: " in each]
        return line[line.index("siprec: ") :]

    async def test_badOption(self) -> None:
        """
        The key, the value and what was expected are all that is printed, on
        standard error.
        """
        program = Program.start(
            *("/bin/sh", "-c", 'exec "$@" >/dev/null', "sh"),
            *(_TWISTD, "-n", "--pidfile=", "siprec", "--rtp-ports", "x"),
        )
        self.addCleanup(program.kill)
        self.assertEqual(await program.ended(), 1)
        [line] = program.output.splitlines()
        self.assertTrue(line.startswith("siprec: media.ports = 'x': expected "), line)

    async def test_badFiles(self) -> None:
        """
        Files that the configuration names must be there; so must an address to
        listen on for other nodes.
        """
        store = ("--store", "redis://127.0.0.1:1/0")
        for key, value, more in (
            ("cluster.secret_file", "/nonexistent", ""),
            ("cluster.tls_certificate", "/nonexistent", 'tls_ca = "/nonexistent"\n'),
            ("store.password_file", "/nonexistent", ""),
            ("cluster.listen", "tcp:0:interface=192.0.2.1", ""),
        ):
            table, name = key.split(".")
            path = self.config(f'[{table}]\n{name} = "{value}"\n{more}')
            line = await self._refused("--config", path, *store)
            self.assertTrue(line.startswith(f"siprec: {key} = {value!r}: expected "), line)

    async def test_sipPortInUse(self) -> None:
        """
        A SIP port that another process has.
        """
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((HOST, 0))
            listen = f"udp:{other.getsockname()[1]}:interface={HOST}"
            line = await self._refused("--sip", listen)
        self.assertTrue(line.startswith(f"siprec: sip.listen = {listen!r}: expected "), line)
        self.assertIn("Address already in use", line)

    async def test_httpPortInUse(self) -> None:
        """
        An HTTP port that another process has.
        """
        with socket.socket() as other:
            other.bind((HOST, 0))
            other.listen()
            listen = f"tcp:{other.getsockname()[1]}:interface={HOST}"
            line = await self._refused("--http", listen)
        self.assertTrue(line.startswith(f"siprec: http.listen {listen}: "), line)
        self.assertIn("Address already in use", line)

    async def test_secondProcess(self) -> None:
        """
        A second process that is the same node on the same directory; the first
        one is none the worse.
        """
        first = self.node()
        await first.start()
        line = await self._refused()
        assert first.program is not None
        self.assertIn(f"siprec: node '{_NODE}' is already running: host ", line)
        self.assertIn(f"process {first.program.pid}", line)
        self.assertEqual((await first.get("/readyz"))[0], 200)

    async def test_daemon(self) -> None:
        """
        In the background it is the same: the command that was typed ends with
        status 1 and says why.
        """
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((HOST, 0))
            listen = f"udp:{other.getsockname()[1]}:interface={HOST}"
            program = Program.start(
                *(_TWISTD, "--pidfile=", f"--logfile={self.root}.log", "siprec"),
                *("--node-id", _NODE, "--recordings", self.root, "--http", "", "--sip", listen),
            )
            self.addCleanup(program.kill)
            self.assertEqual(await program.ended(), 1, program.output)
        # twistd cuts what a daemon says to a hundred characters.
        self.assertIn("ListenFailed: sip.listen = ", program.output)
        self.assertNotIn("Traceback", program.output)

    async def test_directory(self) -> None:
        """
        A recordings directory that cannot be made.
        """
        with open(self.root, "w"):
            pass
        line = await self._refused()
        self.assertIn(f"siprec: recordings.directory {self.root}: ", line)


class StopTests(TwistdTestCase):
    """
    SIGTERM while a call runs.
    """

    async def _speaking(self, node: NodeProcess) -> tuple[RecordingCall, Deferred[list[None]]]:
        """
        @return: a call on which both speak for a long time, and their speech.
        """
        await node.start()
        client = RecordingClient(reactor, "UDP", HOST, node.sip)
        self.addCleanup(client.stop)
        await client.start()
        call = await client.invite()
        speech = call.play(
            [encodeG711(each, Law.MU) for each in conversation([ANN, BOB], 60.0, 1.5)]
        )
        speech.addErrback(lambda _: [])  # it is cut off
        await pause(1.5)
        return call, speech

    def manifest(self, node: NodeProcess) -> Manifest:
        """
        @return: that of the only recording.
        """
        [found] = node.recordings()
        return found

    def directory(self, node: NodeProcess) -> str:
        """
        @return: that of the only recording.
        """
        manifest = self.manifest(node)
        day: str = manifest["startTime"][:10].replace("-", "/")
        return os.path.join(self.root, day, str(manifest["id"]))

    def markers(self) -> list[str]:
        """
        @return: what is marked as unfinished.
        """
        return os.listdir(os.path.join(self.root, ".running", _NODE))

    async def test_drains(self) -> None:
        """
        The peer gets a BYE, the recording is complete with all that came until
        then, and the process ends with status 0.
        """
        node = self.node()
        call, speech = await self._speaking(node)
        began = reactor.seconds()
        self.assertEqual(await node.stop(), 0)
        self.assertLess(reactor.seconds() - began, 15)
        await eventually("the BYE", lambda: call.over)
        speech.cancel()
        manifest = self.manifest(node)
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "drained"))
        for stream in manifest["streams"]:
            self.assertGreater(stream["packets"], 60)
            self.assertEqual((stream["lost"], stream["unwritten"]), (0, 0))
        self.assertTrue(os.path.exists(os.path.join(self.directory(node), "audio.wav")))
        self.assertEqual(self.markers(), [])
        self.assertNotIn("Traceback", node.program.output if node.program else "")

    async def test_rendererHangs(self) -> None:
        """
        A renderer that does not end holds the process up no longer than
        C{node.drain_timeout}; the recording is finished by the next start.
        """
        node = self.node("--config", self.config("[node]\ndrain_timeout = 4\n"))
        _, speech = await self._speaking(node)
        # Whoever opens this waits for somebody to write into it.
        trap = os.path.join(self.directory(node), "2-0.rtpdump")
        os.mkfifo(trap)
        began = reactor.seconds()
        self.assertEqual(await node.stop(), 0)
        self.assertLess(reactor.seconds() - began, 5.5)
        speech.cancel()
        manifest = self.manifest(node)
        self.assertEqual((manifest["state"], manifest["endReason"]), ("finishing", "drained"))
        self.assertEqual(self.markers(), [manifest["id"]])
        os.unlink(trap)
        again = self.node()
        await again.start()
        [manifest] = await again.finished()
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "drained"))
        self.assertEqual(self.markers(), [])
        self.assertEqual(await again.stop(), 0)

    async def test_twice(self) -> None:
        """
        A second SIGTERM changes nothing, and an idle node ends at once.
        """
        node = self.node()
        await node.start()
        assert node.program is not None
        began = reactor.seconds()
        node.program.signal(signal.SIGTERM)
        self.assertEqual(await node.stop(), 0)
        self.assertLess(reactor.seconds() - began, 5)
        self.assertNotIn("Traceback", node.program.output)

    async def test_killed(self) -> None:
        """
        After SIGKILL the next start ends the recording with its last packet.
        """
        node = self.node()
        _, speech = await self._speaking(node)
        await node.kill()
        speech.cancel()
        self.assertEqual(self.manifest(node)["state"], "recording")
        again = self.node()
        await again.start()
        [manifest] = await again.finished()
        self.assertEqual((manifest["state"], manifest["endReason"]), ("incomplete", "nodeDied"))
        self.assertEqual(manifest["endTime"], max(s["lastPacket"] for s in manifest["streams"]))
        for stream in manifest["streams"]:
            self.assertGreater(stream["packets"], 50)
        self.assertEqual(await again.stop(), 0)
