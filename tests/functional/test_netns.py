"""
Tests of the network of namespaces, and calls across it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from typing import Any

from twisted.trial.unittest import SkipTest, TestCase

from tests.functional.netns import NamespaceNode, Network, makeNetwork, makeNode, startSource
from tests.functional.node import NeverHappened, Program, eventually, pause, reactor
from tests.functional.redisserver import startServer
from tests.programs import isMissingProgram

_ECHO = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
    here.bind((sys.argv[1], 7000))
    print("up", flush=True)
    while True:
        data, peer = here.recvfrom(65535)
        here.sendto(data, peer)
"""

_ASK = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
    here.settimeout(float(sys.argv[2]))
    here.sendto(b"x" * 8000, (sys.argv[1], 7000))
    try:
        here.recv(65535)
    except TimeoutError:
        sys.exit(1)
"""


class NetworkTests(TestCase):
    """
    The network itself.
    """

    async def reaches(self, one: str, other: str, patience: float = 5.0) -> bool:
        """
        @return: whether an answer comes back in time.
        """
        command = (sys.executable, "-IS", "-c", _ASK, self.network.address(other), str(patience))
        program = self.network.start(one, *command)
        status = await program.ended()
        self.assertIn((status, program.output), [(0, ""), (1, "")])
        return status == 0

    async def test_cutAndHealed(self) -> None:
        """
        Namespaces reach one another; between two that are cut apart all is lost
        in silence, while a third one reaches both; healed, they do again.
        """
        self.network = network = makeNetwork(self, "a", "b", "c")
        for name in network.names:
            echo = (sys.executable, "-IS", "-c", _ECHO, network.address(name))
            program = network.start(name, *echo)
            self.addCleanup(program.kill)
            await eventually("the echo", partial(_isUp, program))
        every = [(one, other) for one in network.names for other in network.names]
        for one, other in every:
            self.assertTrue(await self.reaches(one, other), f"{one} to {other}")
        network.cut("a", "b")
        for one, other in every:
            apart = {one, other} == {"a", "b"}
            reached = await self.reaches(one, other, 0.5 if apart else 5.0)
            self.assertEqual(reached, not apart, f"{one} to {other}")
        network.heal("b", "a")
        for one, other in every:
            self.assertTrue(await self.reaches(one, other), f"{one} to {other}")

    async def test_removed(self) -> None:
        """
        Two networks at a time have nothing in common; a network that is removed
        leaves nothing, and ends what ran in it.
        """
        networks = [Network(("a",)), Network(("a",))]
        for network in networks:
            self.addCleanup(network.remove)
        self.network = makeNetwork(self, "a")
        for network in networks:
            network.make()
        program = networks[0].start("a", "sleep", "600")
        self.addCleanup(program.kill)
        await eventually("the program", lambda: _command(program) == b"sleep")
        networks[0].remove()
        self.assertEqual(await program.ended(), -9)
        listed = subprocess.run(("ip", "netns", "list"), capture_output=True, check=True).stdout
        left = [line.split()[0].decode() for line in listed.splitlines()]
        self.assertNotIn(networks[0].prefix("a")[-1], left)
        self.assertIn(networks[1].prefix("a")[-1], left)
        self.assertEqual(await networks[1].start("a", "true").ended(), 0)

    def test_notPermitted(self) -> None:
        """
        Where namespaces cannot be made the test is skipped, for a reason that
        counts as something missing.
        """

        def refuse(network: Network, *arguments: str) -> str:
            raise subprocess.CalledProcessError(1, "ip", stderr="Operation not permitted\n")

        self.patch(Network, "_ip", refuse)
        error = self.assertRaises(SkipTest, Network(("a",)).make)
        self.assertTrue(str(error).endswith(": Operation not permitted"), str(error))
        self.assertTrue(isMissingProgram(str(error)))


def _isUp(program: Program) -> bool:
    return program.output == "up\n"


def _command(program: Program) -> bytes:
    with open(f"/proc/{program.pid}/cmdline", "rb") as file:
        return file.read().partition(b"\0")[0]


class CallTests(TestCase):
    """
    A node, its store and an SRC, each on a host of its own.
    """

    async def record(self, cut: bool) -> dict[str, Any]:
        """
        @param cut: whether the store is out of reach for a part of the call.
        @return: the manifest of a call.
        """
        network = makeNetwork(self, "node", "redis", "src")
        where, prefix = network.address("redis"), network.prefix("redis")
        server = startServer(self, "redis", host=where, prefix=prefix)
        node = makeNode(self, network, "node", "--store", server.url)
        await node.start()
        src = startSource(self, network, "node", "10")
        await eventually("the answer", lambda: "answered" in src.output or src.status)
        with server.client() as client:
            self.assertEqual(len(client.keys("{siprec}:session:*")), 1)
        if cut:
            network.cut("node", "redis")
            await _away(node, 1)
            network.heal("node", "redis")
            await _away(node, 0)
        self.assertEqual(await src.ended(), 0, src.output)
        said = [json.loads(line) for line in src.output.splitlines()]
        [manifest] = await node.finished()
        self.assertEqual(manifest["callID"], said[0]["answered"])
        self.assertEqual(said[1]["bye"], 200)
        self.assertEqual([each["packets"] for each in manifest["streams"]], said[1]["sent"])
        self.assertEqual([each["lost"] for each in manifest["streams"]], [0, 0])
        self.assertTrue(manifest["sip"]["remoteAddress"].startswith(network.address("src")))
        return manifest

    async def test_recorded(self) -> None:
        """
        A call across the network is recorded, and its state is in the store.
        """
        manifest = await self.record(cut=False)
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))

    async def test_storeCutOff(self) -> None:
        """
        The way to the store is cut, which tells the node nothing, and healed,
        during a call: the call is none the worse.
        """
        manifest = await self.record(cut=True)
        self.assertEqual((manifest["state"], manifest["endReason"]), ("complete", "bye"))


async def _away(node: NamespaceNode, value: float) -> None:
    """
    Wait until a node says so of its store.
    """
    end = reactor.seconds() + 30
    while await node.metric("siprec_store_away") != value:
        if reactor.seconds() > end:
            raise NeverHappened(f"siprec_store_away {value}")
        await pause(0.1)
