"""
Tests of L{siprec.trace.command}; with a real node it is tested in
L{tests.functional.test_trace}.
"""

from __future__ import annotations

import io
import os
from argparse import ArgumentParser
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from siprec.config import ConfigError
from siprec.trace.command import TraceCommand, TraceError, addArguments, connect
from siprec.trace.pcap import PcapWriter
from siprec.trace.ring import Entry
from siprec.trace.wire import BadQuery, Query, messageLine, noteLine
from tests.trace.samples import NOON, UDP, sip, traced

_NODE = noteLine("node", "rec1")
_END = noteLine("end", "")


def line(data: bytes, time: float = NOON) -> bytes:
    """
    @return: the line of a message.
    """
    return messageLine(Entry(0, time, UDP, False, data), data)


class _Broken(io.BytesIO):
    """
    Cannot be written to.
    """

    error: OSError = OSError(28, "No space left on device")

    def write(self, data: Any) -> int:
        raise self.error


class CommandCase(SynchronousTestCase):
    """
    A command, and a node that says what the test wants.
    """

    def setUp(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []
        self.paths: list[str] = []
        self.asked = b""
        self.output: io.BytesIO = io.BytesIO()
        self.refusal: OSError | None = None
        self.folder = os.path.abspath(self.mktemp())
        os.makedirs(self.folder)

    def run_(self, *arguments: str, lines: bytes = _NODE + _END) -> None:
        """
        Run the command with these arguments against a node that says these lines.
        """
        parser = ArgumentParser()
        addArguments(parser)

        def reach(path: str, query: bytes) -> io.BytesIO:
            self.paths.append(path)
            self.asked = query
            if self.refusal is not None:
                raise self.refusal
            return io.BytesIO(lines)

        options = parser.parse_args(arguments)
        TraceCommand(
            options, self.said.append, self.warned.append, lambda: self.output, reach
        ).run()

    def fails(self, *arguments: str, lines: bytes = _NODE + _END) -> str:
        """
        @return: why it fails.
        """
        return str(self.assertRaises(TraceError, self.run_, *arguments, lines=lines))


class QueryTests(CommandCase):
    """
    What a node is asked.
    """

    def query(self, *arguments: str) -> Query:
        """
        @return: the query of a command.
        """
        self.run_(*arguments)
        return Query.parse(self.asked)

    def test_query(self) -> None:
        """
        The options become the query.
        """
        self.assertEqual(self.query(), Query())
        self.assertEqual(
            self.query("--no-follow", "--call-id", "a", "--peer", "192.0.2.7"),
            Query(False, "a", "", "192.0.2.7"),
        )
        self.assertEqual(self.query("--session", "s"), Query(session="s"))

    def test_badPeer(self) -> None:
        """
        A peer that is none is refused before anybody is asked.
        """
        self.assertRaises(BadQuery, self.run_, "--peer", "sbc")
        self.assertEqual(self.paths, [])

    def test_path(self) -> None:
        """
        The socket is that of the configuration, of the node with these options, or any other.
        """
        file = os.path.join(self.folder, "siprec.toml")
        with open(file, "w") as written:
            written.write('[node]\nid = "n"\n[recordings]\ndirectory = "/srv/a"\n')
        self.run_("--config", file)
        self.run_("--config", file, "--recordings", "/srv/b", "--node-id", "m")
        self.run_("--socket", "x")
        self.assertEqual(self.paths, ["/srv/a/.running/n.trace", "/srv/b/.running/m.trace", "x"])
        self.assertRaises(ConfigError, self.run_, "--config", "/nowhere")


class ShownTests(CommandCase):
    """
    What is shown.
    """

    def test_follow(self) -> None:
        """
        Messages are shown as they come.
        """
        lines = [line(sip(callID="a")), line(sip(callID="b")), line(sip("BYE", "a"))]
        self.run_(lines=_NODE + b"".join(lines) + _END)
        self.assertEqual([each[:3] for each in self.said], ["[1]", "09:", "[2]", "09:", "09:"])
        self.assertEqual(self.warned, [])

    def test_noFollow(self) -> None:
        """
        If no more come, they are shown call by call.
        """
        lines = [line(sip(callID="a")), line(sip(callID="b")), line(sip("BYE", "a"))]
        self.run_("--no-follow", lines=_NODE + b"".join(lines) + _END)
        self.assertEqual([each[:3] for each in self.said], ["[1]", "09:", "09:", "", "[2]", "09:"])

    def test_full(self) -> None:
        """
        Messages can be written out.
        """
        self.run_("--full", lines=_NODE + line(sip()) + _END)
        self.assertIn("    Call-ID: call-1", self.said)

    def test_missed(self) -> None:
        """
        What was missed is told, and why the node sends no more.
        """
        more = noteLine("missed", 7) + noteLine("end", "the node stops")
        self.run_(lines=_NODE + more)
        self.assertEqual(
            self.warned,
            [
                "up to 7 messages were missed: they came faster than they were read",
                "the node stops",
            ],
        )

    def test_nothing(self) -> None:
        """
        A node that ends at once has nothing to show.
        """
        self.run_(lines=_END)
        self.assertEqual(self.said, [])

    def test_errors(self) -> None:
        """
        What the node refuses, and what it should not do, is an error.
        """
        self.assertEqual(self.fails(lines=noteLine("error", "no such call")), "no such call")
        self.assertEqual(self.fails(lines=_NODE), "the connection to the node is lost")
        self.assertIn("cannot be understood: not a line", self.fails(lines=b"SSH-2.0\r\n"))


class FileTests(CommandCase):
    """
    A pcap file.
    """

    def test_write(self) -> None:
        """
        It has every message, in the order in which they came, and is for its owner only.
        """
        path = os.path.join(self.folder, "x.pcap")
        first, second = sip(callID="a"), sip(callID="b")
        self.run_("--write", path, lines=_NODE + line(first) + line(second) + _END)
        writer = PcapWriter()
        expected = writer.head() + writer.packets(traced(first)) + writer.packets(traced(second))
        with open(path, "rb") as file:
            self.assertEqual(file.read(), expected)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertEqual(len(self.said), 4)

    def test_output(self) -> None:
        """
        It can go to a program that reads it; then nothing else is written there.
        """
        for arguments in (("--write", "-"), ("--write", "-", "--no-follow")):
            self.output = io.BytesIO()
            lines = line(sip(callID="a")) + line(sip(callID="b"))
            self.run_(*arguments, lines=_NODE + lines + _END)
            self.assertTrue(self.output.getvalue().startswith(PcapWriter().head()))
            self.assertEqual(self.said, [])

    def test_refused(self) -> None:
        """
        A file that cannot be made is an error; one that is there is not touched
        if the node refuses.
        """
        self.assertEqual(
            self.fails("--write", "/nowhere/x"), "--write /nowhere/x: No such file or directory"
        )
        path = os.path.join(self.folder, "x.pcap")
        with open(path, "w") as file:
            file.write("mine")
        self.fails("--write", path, lines=noteLine("error", "no"))
        self.assertEqual(os.stat(path).st_size, 4)

    def test_full(self) -> None:
        """
        So is one that cannot be written; a reader that has seen enough is none.
        """
        self.output = broken = _Broken()
        self.assertEqual(self.fails("--write", "-"), "--write -: No space left on device")
        broken.error = BrokenPipeError(32, "Broken pipe")
        self.assertRaises(BrokenPipeError, self.run_, "--write", "-")


class ReachTests(CommandCase):
    """
    Nodes that cannot be reached.
    """

    def refused(self, error: OSError) -> str:
        """
        @return: what is said of it.
        """
        self.refusal = error
        return self.fails("--socket", f"{self.folder}/a.trace")

    def test_missing(self) -> None:
        """
        Where there is no socket it is said what to look at, and which others are there.
        """
        why = self.refused(FileNotFoundError(2, "x"))
        self.assertTrue(why.startswith(f"{self.folder}/a.trace: no node listens there"), why)
        self.assertTrue(why.endswith("above 0?"), why)
        for name in ("c.trace", "b.trace", "c.lock"):
            with open(f"{self.folder}/{name}", "w"):
                pass
        why = self.refused(FileNotFoundError(2, "x"))
        self.assertTrue(why.endswith("Others there: b, c"), why)
        self.assertNotIn("Others", self.fails("--socket", "/nowhere/a"))

    def test_others(self) -> None:
        """
        Each other reason is told.
        """
        self.assertIn("runs no more", self.refused(ConnectionRefusedError(111, "x")))
        self.assertIn("permission denied", self.refused(PermissionError(13, "x")))
        self.assertTrue(self.refused(OSError(5, "broken")).endswith("/a.trace: broken"))

    def test_connect(self) -> None:
        """
        A path that nothing is at cannot be connected to, however long it is.
        """
        long = f"{self.folder}/{'x' * 100}"
        os.makedirs(long)
        for path in (f"{self.folder}/a", f"{long}/a", f"/nowhere/{'x' * 100}/a"):
            self.assertRaises(FileNotFoundError, connect, path, b"")
