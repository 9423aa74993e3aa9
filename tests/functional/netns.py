"""
A small network of our own: named network namespaces on one bridge, in which
programs run as if on hosts of their own, and whose links can be cut.

The bridge is in a namespace too, so nothing of it is seen or touched outside,
and addresses may be the same as in another test.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
from typing import Any

from attrs import define, field
from twisted.trial.unittest import SkipTest, TestCase

from tests.functional.node import NodeProcess, Program
from tests.programs import NAMESPACES, require

__all__ = ["NamespaceNode", "Network", "makeNetwork", "makeNode", "startSource"]

_ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
_HUB = "hub"
_numbers = itertools.count(1)

# A MAC address that no interface has: what is sent to it is lost.
_NOBODY = "02:00:00:00:00:01"

_GET = """
import http.client, json, sys
host, port, method, path = sys.argv[1:]
connection = http.client.HTTPConnection(host, int(port), timeout=5)
connection.request(method, path)
response = connection.getresponse()
print(json.dumps([response.status, response.read().decode()]))
"""


@define(eq=False)
class Network:
    """
    @ivar names: of the namespaces, in the order of their addresses.
    """

    names: tuple[str, ...]
    _prefix: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._prefix = f"siprec-{os.getpid()}-{next(_numbers)}-"

    def address(self, name: str) -> str:
        """
        @return: the IPv4 address of a namespace.
        """
        return f"10.77.0.{self.names.index(name) + 1}"

    def prefix(self, name: str) -> tuple[str, ...]:
        """
        @return: command that runs another one within a namespace, and becomes it.
        """
        return ("ip", "netns", "exec", self._full(name))

    def start(self, name: str, *command: str) -> Program:
        """
        Run a program within a namespace, in the folder that has C{tests}.
        """
        return Program.start(*self.prefix(name), *command, cwd=_ROOT)

    def cut(self, one: str, other: str) -> None:
        """
        From now on everything between these two is lost, without a word to
        either; all others reach both.
        """
        for here, there in ((one, other), (other, one)):
            # A blackhole route would tell the sender; a wire that is cut does not.
            entry = ("lladdr", _NOBODY, "dev", "eth0", "nud", "permanent")
            self._ip("-n", self._full(here), "neigh", "replace", self.address(there), *entry)

    def heal(self, one: str, other: str) -> None:
        """
        End what L{cut} began.
        """
        for here, there in ((one, other), (other, one)):
            self._ip("-n", self._full(here), "neigh", "del", self.address(there), "dev", "eth0")

    def make(self) -> None:
        """
        @raise SkipTest: namespaces cannot be made here.
        """
        hub = self._full(_HUB)
        try:
            self._ip("netns", "add", hub)
            self._ip("-n", hub, "link", "add", "bridge", "up", "type", "bridge")
        except subprocess.CalledProcessError as error:
            raise SkipTest(f"{NAMESPACES}: {error.stderr.strip()}") from None
        for number, name in enumerate(self.names):
            full, port = self._full(name), f"port{number}"
            self._ip("netns", "add", full)
            ends = ("eth0", "netns", full, "type", "veth", "peer", "name", port, "netns", hub)
            self._ip("link", "add", *ends)
            self._ip("-n", hub, "link", "set", port, "master", "bridge", "up")
            self._ip("-n", full, "address", "add", f"{self.address(name)}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                self._ip("-n", full, "link", "set", device, "up")

    def remove(self) -> None:
        """
        End what still runs in the namespaces, and remove them.
        """
        there = self._ip("-json", "netns", "list") or "[]"
        existing = {each["name"] for each in json.loads(there)}
        for name in existing & {self._full(name) for name in (*self.names, _HUB)}:
            for pid in self._ip("netns", "pids", name).split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            self._ip("netns", "delete", name)

    def _full(self, name: str) -> str:
        return self._prefix + name

    def _ip(self, *arguments: str) -> str:
        """
        @return: what C{ip} said.
        @raise subprocess.CalledProcessError: it has failed.
        """
        command = ("ip", *arguments)
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout


@define(eq=False)
class NamespaceNode(NodeProcess):
    """
    A node within a namespace, where no HTTP request of the test itself gets.
    """

    async def get(self, path: str, method: bytes = b"GET") -> tuple[int, bytes]:
        """
        @return: status and body.
        """
        command = (sys.executable, "-IS", "-c", _GET)
        arguments = (self.host, str(self.http), method.decode(), path)
        program = Program.start(*self.prefix, *command, *arguments)
        if await program.ended(10):
            raise ConnectionError(program.output)
        status, body = json.loads(program.output)
        return status, body.encode()


def makeNetwork(test: TestCase, *names: str) -> Network:
    """
    Make a network that is gone when the test is over.

    @param names: of its namespaces.
    @raise SkipTest: it cannot be made here.
    """
    require("ip")
    network = Network(names)
    test.addCleanup(network.remove)
    network.make()
    return network


def makeNode(
    test: TestCase,
    network: Network,
    name: str,
    *options: str,
    root: str | None = None,
    **more: Any,
) -> NamespaceNode:
    """
    Make a node with the name of its namespace, which does not run yet and is
    gone when the test is over.

    @param root: its recordings directory; C{None}: one of its own.
    @param more: attributes of it.
    """
    node = NamespaceNode(
        root or os.path.abspath(test.mktemp()),
        nodeID=name,
        sip=5060,
        http=8080,
        host=network.address(name),
        prefix=network.prefix(name),
        options=options,
        **more,
    )
    test.addCleanup(node.kill)
    return node


def startSource(
    test: TestCase,
    network: Network,
    recorder: str,
    *more: str,
    transport: str = "UDP",
    source: str = "src",
) -> Program:
    """
    Let L{tests.functional.src} make a call; it is gone when the test is over.

    @param recorder: the namespace of who is called, at port 5060.
    @param more: its arguments from SECONDS on.
    @param source: the namespace that it is in.
    """
    addresses = (network.address(recorder), "5060", network.address(source))
    command = (sys.executable, "-m", "tests.functional.src", transport, *addresses, *more)
    program = network.start(source, *command)
    test.addCleanup(program.kill)
    return program
