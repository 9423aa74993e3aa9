"""
L{siprec.manhole} with OpenSSH's client.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.ssh.keys import FingerprintFormats, Key
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from siprec.manhole import ManholeService
from siprec.testing.client import RecordingClient
from tests.functional.node import HOST, NodeProcess, Program, eventually, freePort, reactor
from tests.programs import requires
from tests.shell.kit import ShellNode
from tests.uas.house import House
from tests.uas.kit import Src


class SshTestCase(TestCase):
    """
    A folder with a key that may log in, and one that may not.
    """

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.makedirs(self.folder)
        self.authorized = self.path("authorized_keys")
        self.hostKey = self.path("host_key")
        for name in ("ours", "theirs"):
            key = Key(Ed25519PrivateKey.generate())
            self.write(name, key.toString("OPENSSH", subtype="v1"))
            self.write(f"{name}.pub", key.public().toString("OPENSSH", comment=name) + b"\n")
        os.link(self.path("ours.pub"), self.authorized)

    def path(self, name: str) -> str:
        """
        @return: of a file in the folder.
        """
        return os.path.join(self.folder, name)

    def write(self, name: str, content: bytes) -> None:
        """
        Write a file that nobody else can read.
        """
        with open(os.open(self.path(name), os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(content)

    async def ssh(
        self, port: int, *command: str, key: str = "ours", typed: str = "", options: str = ""
    ) -> tuple[int, str]:
        """
        Run the client, who trusts the host key on the disk and no other.

        @param typed: given to it as it were from the keyboard.
        @return: its exit status and all it said.
        """
        with open(self.hostKey, "rb") as file:
            public = Key.fromString(file.read()).public().toString("OPENSSH")
        known = f"[{HOST}]:{port} ".encode() + public + b"\n"
        self.write("known_hosts", known)
        arguments = [
            *("ssh", "-F", "none", "-p", str(port), "-i", self.path(key)),
            *("-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"),
            *("-o", f"UserKnownHostsFile={self.path('known_hosts')}"),
            *("-o", "StrictHostKeyChecking=yes", "-o", "LogLevel=ERROR"),
            *(*options.split(), f"admin@{HOST}", *command),
        ]
        line = f"printf %s {shlex.quote(typed)} | {shlex.join(arguments)}"
        client = Program.start("/bin/sh", "-c", line)
        self.addCleanup(client.kill)
        status = await client.ended()
        return status, client.output


@requires("ssh")
class NodeTests(SshTestCase):
    """
    The shell of a whole node.
    """

    async def test_liveCall(self) -> None:
        """
        With its key an operator sees the call that runs; with a password, or
        another key, nobody comes in.
        """
        port = freePort()
        config = (
            f'[manhole]\nlisten = "tcp:{port}:interface={HOST}"\n'
            f'authorized_keys = "{self.authorized}"\nhost_key = "{self.hostKey}"\n'
        )
        self.write("siprec.toml", config.encode())
        node = NodeProcess(
            self.path("recordings"),
            rtp="32000-32999",
            options=("--config", self.path("siprec.toml")),
        )
        self.addCleanup(node.kill)
        await node.start()
        self.assertEqual(stat.S_IMODE(os.stat(self.hostKey).st_mode), 0o600)
        client = RecordingClient(reactor, "UDP", HOST, node.sip)
        self.addCleanup(client.stop)
        await client.start()
        call = await client.invite()
        [manifest] = node.recordings()
        status, output = await self.ssh(port, "sessions()")
        self.assertEqual(status, 0, output)
        self.assertIn(manifest["id"], output)
        self.assertIn("recording", output)
        status, output = await self.ssh(port, f"pause('{manifest['id']}', 'card')")
        self.assertEqual(status, 0, output)
        [paused] = node.recordings()
        self.assertEqual(paused["paused"]["reason"], "card")
        self.assertRegex(paused["paused"]["who"], r"manhole: admin \(SHA256:")
        _, output = await self.ssh(port, f"resume('{manifest['id']}')")
        self.assertIn("is recorded", output)
        _, output = await self.ssh(port, typed=f"session('{manifest['callID']}')\nnodes()\n")
        self.assertIn(manifest["id"], output)
        self.assertRegex(output, r"functional +0\.1\.0 .* 1 .* yes")
        for options, key in (
            ("-o BatchMode=yes", "theirs"),
            ("-o PubkeyAuthentication=no -o NumberOfPasswordPrompts=1", "ours"),
        ):
            status, output = await self.ssh(port, "sessions()", key=key, options=options)
            self.assertEqual(status, 255, output)
            self.assertIn("Permission denied (publickey)", output)
        assert node.program is not None
        self.assertRegex(
            node.program.output, r"admin \(SHA256:\S+\) from 127\.0\.0\.1:\d+ typed 'sessions\(\)'"
        )
        await call.bye()
        await node.finished()
        self.assertEqual(await node.stop(), 0)

    async def test_badKeys(self) -> None:
        """
        Without a file of keys the node does not start, and says why in a line.
        """
        os.unlink(self.authorized)
        self.write("siprec.toml", f'[manhole]\nauthorized_keys = "{self.authorized}"\n'.encode())
        node = NodeProcess(
            self.path("recordings"),
            options=(
                *("--config", self.path("siprec.toml")),
                *("--manhole", f"tcp:0:interface={HOST}"),
            ),
        )
        self.addCleanup(node.kill)
        with self.assertRaises(Exception) as raised:
            await node.start()
        self.assertIn(
            f"siprec: manhole.authorized_keys {self.authorized}: No such file",
            str(raised.exception),
        )
        assert node.program is not None
        self.assertEqual(node.program.status, 1)


class _Mute(Protocol):
    """
    Says nothing, or only what it is told to.
    """

    closed = False

    def connectionLost(self, reason: object = None) -> None:
        self.closed = True


@requires("ssh")
class ServiceTests(SshTestCase):
    """
    The shell in this process.
    """

    def setUp(self) -> None:
        super().setUp()
        self.house = House(self.path("recordings"))
        self.addCleanup(self.house.close)
        self.node = ShellNode(self.house)
        self.service = self.make()
        self.service.startService()
        self.addCleanup(self.service.stopService)
        address = self.service.address
        assert address is not None
        self.port = address[1]

    def make(self, port: int = 0) -> ManholeService:
        """
        @return: a service that is not started.
        """
        return ManholeService(
            *(reactor, f"tcp:{port}:interface={HOST}", self.authorized, self.hostKey),
            *(self.node, self.house.now),
        )

    async def test_terminal(self) -> None:
        """
        On a terminal there are a greeting, a prompt, an echo and, at the end
        of the input, an exit status of 0.
        """
        Src(self.house).invite()
        status, output = await self.ssh(
            self.port, typed="sessions\t)\nawaited = 7\nnodes()\nawaited\n", options="-tt"
        )
        self.assertEqual(status, 0, output)
        text = re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|.)", "", output)
        self.assertIn("node n1: help() says what there is\r\n>>> sessions()\r\n", text)
        [identity] = self.house.service.recordings
        self.assertIn(identity, text)
        self.assertRegex(text, r"id +sessions\r\nn1 +1\r\n>>> awaited")
        self.assertIn("7", text.partition(">>> awaited")[2])

    async def test_command(self) -> None:
        """
        A command on the command line is run, its Deferred is awaited, and its
        result has no control characters; with a terminal its lines end as
        terminals want it.
        """
        status, output = await self.ssh(self.port, "nodes()\nsessions()")
        self.assertEqual((status, output), (0, "id  sessions\nn1         0\nnothing is recorded\n"))
        _, output = await self.ssh(self.port, "nodes()", options="-tt")
        self.assertIn("n1         0\r\n", output)

    async def test_lines(self) -> None:
        """
        Without a terminal, lines are read until the input ends; C{exit()} ends
        it before, and does not end this process.
        """
        status, output = await self.ssh(self.port, typed="for x in (1, 2):\n  print(x)")
        self.assertEqual((status, output), (0, "1\n2\n"))
        status, output = await self.ssh(self.port, typed="1+1\nexit()\n2+2\n")
        self.assertEqual((status, output), (0, "2\n"))
        status, output = await self.ssh(self.port, typed="raise SystemExit(3)\n")
        self.assertEqual((status, output), (0, ""))

    async def test_logged(self) -> None:
        """
        Who logs in and out, from where, each line, and who is refused are in
        the log; conch's complaint about primes is not.
        """
        with capturedLogs() as events:
            await self.ssh(self.port, typed="1\n\n'{x}'\n")
            await self.ssh(self.port, "1", key="theirs", options="-o BatchMode=yes")
        ours = [each for each in events if each["log_namespace"] == "siprec.shell.server"]
        self.assertEqual(
            [each.get("way") or each.get("line") or each.get("kind") for each in ours],
            ["in", "1", "'{x}'", "out", "publickey"],
        )
        with open(self.path("ours.pub"), "rb") as file:
            key = Key.fromString(file.read())
        fingerprint = key.fingerprint(FingerprintFormats.SHA256_BASE64).rstrip("=")
        self.assertEqual({each["who"] for each in ours[:4]}, {f"admin (SHA256:{fingerprint})"})
        self.assertEqual(ours[4]["user"], "admin")
        for each in ours:
            self.assertRegex(each["peer"], r"^127\.0\.0\.1:\d+$")
        self.assertFalse([each for each in events if "moduli" in str(each["log_format"])])
        self.assertFalse([each for each in events if each["log_level"].name == "critical"])

    async def test_revoked(self) -> None:
        """
        A key that is taken out of the file is out at once, without a restart.
        """
        os.unlink(self.authorized)
        os.link(self.path("theirs.pub"), self.authorized)
        batch = "-o BatchMode=yes"
        self.assertEqual((await self.ssh(self.port, "1", options=batch))[0], 255)
        self.assertEqual((await self.ssh(self.port, "1", key="theirs", options=batch))[0], 0)

    async def test_hostKeyStays(self) -> None:
        """
        The next start has the same host key: its clients notice nothing.
        """
        await self.service.stopService()
        other = self.make(self.port)
        other.startService()
        self.addCleanup(other.stopService)
        self.assertEqual((await self.ssh(self.port, "1"))[0], 0)

    def test_portInUse(self) -> None:
        """
        A port that is taken is an error with the setting's name.
        """
        error = self.assertRaises(OSError, self.make(self.port).startService)
        self.assertIn(f"manhole.listen tcp:{self.port}:interface={HOST}: ", str(error))

    async def test_stopClosesSessions(self) -> None:
        """
        A stop closes the sessions that are open, those that are not logged in
        too.
        """
        await self.ssh(self.port, "1")  # which writes known_hosts
        client = Program.start(
            *("ssh", "-F", "none", "-p", str(self.port), "-i", self.path("ours")),
            *("-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"),
            *("-o", f"UserKnownHostsFile={self.path('known_hosts')}", f"admin@{HOST}"),
        )
        self.addCleanup(client.kill)
        mute = await self._connect()
        connections: Any = self.service._factory.connections
        await eventually("both connections", lambda: len(connections) == 2)
        await eventually("the log-in", lambda: any(hasattr(each, "avatar") for each in connections))
        await self.service.stopService()
        self.assertEqual(connections, set())
        await eventually("the end of the connection", lambda: mute.closed)

    async def _connect(self) -> _Mute:
        factory = Factory.forProtocol(_Mute)
        connected: Any = await TCP4ClientEndpoint(reactor, HOST, self.port).connect(factory)
        self.addCleanup(connected.transport.abortConnection)
        found: _Mute = connected
        return found
