"""
A real Kamailio with C{etc/kamailio.cfg}, in front of nodes.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence

from attrs import define, field
from twisted.trial.unittest import TestCase

from tests.functional.node import HOST, NodeProcess, Program, eventually, freeSipPort
from tests.programs import require

__all__ = ["DOES_NOT", "TAKES_CALLS", "Kamailio", "startKamailio"]

ETC = os.path.join(os.path.dirname(__file__), "..", "..", "etc")

#: States of a node in the list of the dispatcher: active or inactive, probed.
TAKES_CALLS, DOES_NOT = "AP", "IP"

_STATES = re.compile(r"URI: sip:(\S+)\s+FLAGS: (\w+)")


@define(eq=False)
class Kamailio:
    """
    @ivar folder: for its files.
    @ivar host: the address that it listens on.
    @ivar port: the port of it, UDP and TCP.
    """

    _nodes: Sequence[NodeProcess]
    folder: str
    host: str
    port: int
    _prefix: tuple[str, ...] = ()
    _program: Program | None = field(default=None, init=False)

    async def start(self) -> None:
        """
        Start it, and wait until every node has answered its OPTIONS.
        """
        self._configure()
        self._program = Program.start(
            *self._prefix,
            *(shutil.which("kamailio") or "kamailio", "-DD", "-E", "-Y", self.folder),
            *("-f", f"{self.folder}/kamailio.cfg"),
        )
        await self.until(TAKES_CALLS, *self._nodes)

    async def stop(self) -> None:
        """
        End it, with its child processes, and remove its files.
        """
        if self._program is not None:
            self._program.signal(signal.SIGTERM)
            await self._program.ended()
        shutil.rmtree(self.folder)

    async def until(self, state: str, *nodes: NodeProcess) -> None:
        """
        Wait until all these nodes have a state in the dispatcher's list.
        """
        wanted = {f"{node.host}:{node.sip}" for node in nodes}
        what = f"{state} of {wanted} in the list"
        await eventually(what, lambda: wanted <= self._having(state), patience=20)

    @property
    def output(self) -> str:
        """
        What it has logged.
        """
        return "" if self._program is None else self._program.output

    def _having(self, state: str) -> set[str]:
        """
        @return: address and port of the nodes that have a state.
        """
        command = ["kamcmd", "-s", f"unix:{self.folder}/kamailio_ctl", "dispatcher.list"]
        shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return {where for where, flags in _STATES.findall(shown) if flags == state}

    def _configure(self) -> None:
        with open(f"{ETC}/kamailio.cfg", encoding="ascii") as file:
            text = file.read()
        for old, new in (
            ("192.0.2.10:5060", f"{self.host}:{self.port}"),
            ("/run/kamailio/", f"{self.folder}/"),
            ("/etc/kamailio/dispatcher", f"{self.folder}/dispatcher"),
        ):
            text = text.replace(old, new)
        with open(f"{self.folder}/kamailio.cfg", "w", encoding="ascii") as file:
            file.write(text)
        with open(f"{ETC}/kamailio-dispatcher.list", encoding="ascii") as file:
            lines = [line for line in file if not re.match(r"\d", line)]
        lines += [f"1 sip:{node.host}:{node.sip}\n" for node in self._nodes]
        with open(f"{self.folder}/dispatcher.list", "w", encoding="ascii") as file:
            file.writelines(lines)


async def startKamailio(
    test: TestCase,
    *nodes: NodeProcess,
    host: str = HOST,
    port: int | None = None,
    prefix: tuple[str, ...] = (),
) -> Kamailio:
    """
    Start a Kamailio that is gone when the test is over.

    @param nodes: what it is in front of; they run already.
    @param prefix: see L{NodeProcess.prefix}.
    """
    require("kamailio")
    # A short path: the one of its Unix socket may have 107 characters.
    folder = tempfile.mkdtemp(prefix="siprec-")
    kamailio = Kamailio(nodes, folder, host, port or freeSipPort(), prefix)
    test.addCleanup(kamailio.stop)
    await kamailio.start()
    return kamailio
