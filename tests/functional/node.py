"""
The recorder as an operator runs it: C{twistd -n siprec} in a process of its own,
on free ports of the loopback interface.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sys
from collections.abc import Callable
from io import BytesIO
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool, readBody

from siprec.session.archive import newest
from siprec.session.manifest import Manifest

HOST = "127.0.0.1"
reactor: Any = _reactor
_T = TypeVar("_T")


class NeverHappened(Exception):
    """
    What a test waited for did not come.
    """


def pause(seconds: float) -> Deferred[None]:
    """
    Let a real peer, in real time, go on for a while.
    """
    done: Deferred[None] = Deferred()
    reactor.callLater(seconds, done.callback, None)
    return done


async def eventually(
    what: str, look: Callable[[], _T | None], patience: float = 30.0, interval: float = 0.05
) -> _T:
    """
    @param look: gives something true once it is so.
    @return: what it gave.
    @raise NeverHappened: it has not been so within C{patience} seconds.
    """
    end = reactor.seconds() + patience
    while True:
        found = look()
        if found:
            return found
        if reactor.seconds() > end:
            raise NeverHappened(what)
        await pause(interval)


def freePort(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """
    @return: a port that was free a moment ago.
    """
    with socket.socket(socket.AF_INET, kind) as each:
        each.bind((HOST, 0))
        port: int = each.getsockname()[1]
        return port


def freeSipPort() -> int:
    """
    @return: a port that was free on UDP and TCP a moment ago.
    """
    while True:
        port = freePort()
        if _isFree(port, socket.SOCK_DGRAM):
            return port


def lastingSipPort(lowest: int, highest: int) -> int:
    """
    @return: one of these ports that was free on UDP and TCP a moment ago.  Below
        those that the system gives to anybody (32768), it is so for longer.
    """
    while True:
        port = random.randint(lowest, highest)
        if _isFree(port, socket.SOCK_DGRAM) and _isFree(port, socket.SOCK_STREAM):
            return port


def _isFree(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as each:
        try:
            each.bind((HOST, port))
        except OSError:
            return False
        return True


class _Output(ProcessProtocol):
    """
    Collects what a process says.
    """

    def __init__(self) -> None:
        self.output: list[bytes] = []
        self.status: int | None = None
        self.ended: Deferred[None] = Deferred()

    def outReceived(self, data: bytes) -> None:
        self.output.append(data)

    errReceived = outReceived

    def processEnded(self, reason: Failure = ProcessDone) -> None:  # type: ignore[assignment]
        value = reason.value
        self.status = 0
        if isinstance(value, ProcessTerminated):
            self.status = -value.signal if value.signal else value.exitCode
        self.ended.callback(None)


@define(eq=False)
class Program:
    """
    A program that runs.
    """

    _protocol: _Output
    _transport: Any

    @classmethod
    def start(cls, *command: str, cwd: str | None = None) -> Program:
        """
        @param command: the program and its arguments.
        """
        protocol = _Output()
        environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
        transport = reactor.spawnProcess(protocol, command[0], command, environ, cwd)
        return cls(protocol, transport)

    @property
    def output(self) -> str:
        """
        All that it has said so far.
        """
        return b"".join(self._protocol.output).decode("utf-8", "replace")

    @property
    def pid(self) -> int:
        """
        Its process id.
        """
        number: int = self._transport.pid
        return number

    @property
    def status(self) -> int | None:
        """
        Its exit status, negative for a signal; C{None} while it runs.
        """
        return self._protocol.status

    def signal(self, number: int) -> None:
        """
        Send it a signal, if it still runs.
        """
        if self.status is None:
            os.kill(self.pid, number)

    async def ended(self, patience: float = 60.0) -> int:
        """
        @return: its exit status, once it has ended.
        """
        await eventually(
            f"the end of the program\n{self.output}", lambda: self.status is not None, patience
        )
        assert self.status is not None
        return self.status

    async def kill(self) -> None:
        """
        End it at once.
        """
        self.signal(signal.SIGKILL)
        await self.ended()


@define(eq=False)
class NodeProcess:
    """
    @ivar root: its recordings directory.
    @ivar sip: its SIP port, UDP and TCP.
    @ivar http: its HTTP port.
    @ivar host: the address that it listens on.
    @ivar prefix: command that runs the node's command, such as one that enters
        a network namespace; it has to become that, by C{exec}.
    """

    root: str
    sip: int = field(factory=freeSipPort)
    http: int = field(factory=freePort)
    rtp: str = "20000-29999"
    nodeID: str = "functional"
    options: tuple[str, ...] = ()
    host: str = HOST
    prefix: tuple[str, ...] = ()
    program: Program | None = field(default=None, init=False)

    async def start(self) -> None:
        """
        Start it, and wait until it can take a call.
        """
        self.program = Program.start(
            *self.prefix,
            *(os.path.join(os.path.dirname(sys.executable), "twistd"), "-n", "--pidfile="),
            *("siprec", "--node-id", self.nodeID, "--recordings", self.root),
            *("--sip", f"udp:{self.sip}:interface={self.host}"),
            *("--sip", f"tcp:{self.sip}:interface={self.host}"),
            *("--http", f"tcp:{self.http}:interface={self.host}", "--rtp-ports", self.rtp),
            *self.options,
        )
        end = reactor.seconds() + 30
        while True:
            try:
                status, _ = await self.get("/readyz")
            except Exception:
                status = 0
            if status == 200:
                return
            if self.program.status is not None or reactor.seconds() > end:
                raise NeverHappened(f"the node's start\n{self.program.output}")
            await pause(0.1)

    async def get(self, path: str, method: bytes = b"GET") -> tuple[int, bytes]:
        """
        @return: status and body.
        """
        return await self._ask(path, method)

    async def post(self, path: str, content: bytes) -> tuple[int, bytes]:
        """
        @param content: the body of the request.
        @return: status and body.
        """
        return await self._ask(path, b"POST", content)

    async def _ask(self, path: str, method: bytes, content: bytes = b"") -> tuple[int, bytes]:
        pool = HTTPConnectionPool(reactor, persistent=False)
        agent = Agent(reactor, connectTimeout=5, pool=pool)
        body = FileBodyProducer(BytesIO(content)) if content else None
        url = f"http://{self.host}:{self.http}{path}".encode()
        response = await agent.request(method, url, bodyProducer=body)
        return response.code, await readBody(response)

    async def getJSON(self, path: str) -> Any:
        """
        @return: a JSON answer.
        """
        return json.loads((await self.get(path))[1])

    async def metric(self, name: str) -> float:
        """
        @return: the value of a metric, its labels included in C{name}.
        """
        for line in (await self.get("/metrics"))[1].decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[-1])
        return 0.0

    def recordings(self) -> list[Manifest]:
        """
        @return: all manifests, the newest first.
        """
        if not os.path.isdir(self.root):
            return []
        return newest(self.root, None, 100_000, lambda manifest: True).recordings

    async def finished(self, count: int = 1, patience: float = 60.0) -> list[Manifest]:
        """
        @return: all manifests once there are so many, and all in a final state.
        """

        def look() -> list[Manifest] | None:
            found = self.recordings()
            done = [each for each in found if each["state"] in ("complete", "incomplete")]
            return found if len(done) == len(found) == count else None

        return await eventually(f"{count} finished recordings", look, patience)

    async def stop(self) -> int:
        """
        @return: the exit status after SIGTERM.
        """
        if self.program is None:
            return 0
        self.program.signal(signal.SIGTERM)
        return await self.program.ended()

    async def kill(self) -> None:
        """
        End it as a crash would.
        """
        if self.program is not None:
            await self.program.kill()


def configuredNode(test: TestCase, rtp: str, settings: str) -> NodeProcess:
    """
    @param settings: TOML of its configuration file.
    @return: a node that is yet to be started, and is killed when the test ends.
    """
    path = os.path.abspath(test.mktemp())
    with open(path, "w", encoding="ascii") as file:
        file.write(settings)
    node = NodeProcess(os.path.abspath(test.mktemp()), rtp=rtp, options=("--config", path))
    test.addCleanup(node.kill)
    return node
