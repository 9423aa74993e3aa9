"""
C{siprec trace}: shows the SIP messages of a node that runs on this host.
"""

from __future__ import annotations

import os
import socket
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import IO, Any

from attrs import define, field

from siprec.config import loadSettings
from siprec.trace.ladder import Ladder, byCall
from siprec.trace.pcap import PcapWriter
from siprec.trace.place import SUFFIX, SocketPlace, socketPath
from siprec.trace.wire import Query, TracedMessage, parseLine, parsePeer

__all__ = ["TraceCommand", "TraceError", "addArguments", "connect"]


class TraceError(Exception):
    """
    Nothing can be shown; the text says why.
    """


def addArguments(parser: ArgumentParser) -> None:
    """
    Say what the command takes.
    """
    parser.add_argument("--config", metavar="FILE", help="the node's configuration file")
    parser.add_argument("--node-id", metavar="ID", help="the node's id, as it was started with")
    parser.add_argument("--recordings", metavar="FOLDER", help="the node's recordings directory")
    parser.add_argument("--socket", metavar="PATH", help="the node's socket, instead of all these")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--call-id", metavar="ID", default="", help="only this call")
    which.add_argument(
        "--session",
        metavar="ID",
        default="",
        help="only the call of this recording, or those of this communication session",
    )
    parser.add_argument(
        "--peer", metavar="IP[:PORT]", default="", help="only messages from and to this address"
    )
    parser.add_argument(
        "--no-follow",
        action="store_true",
        help="end after what the node has kept, and show it call by call",
    )
    parser.add_argument("--full", action="store_true", help="write out the messages")
    parser.add_argument(
        "--write", metavar="FILE", help="also make a pcap file; -: write that and nothing else"
    )


def connect(path: str, query: bytes) -> IO[bytes]:
    """
    Ask a node.

    @return: what it answers.
    @raise OSError: nobody listens there.
    """
    place = SocketPlace.of(path)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(place.address)
            # A node that has closed already may have said why.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(query)
            return connection.makefile("rb")
    finally:
        place.close()


@define(eq=False, repr=False)
class TraceCommand:
    """
    One run of the command.

    @ivar say: prints a line of what was asked for.
    @ivar warn: prints a line of what else should be known.
    @ivar octets: where a pcap goes if it is not to go to a file.
    """

    options: Namespace
    say: Callable[[str], object]
    warn: Callable[[str], object]
    octets: Callable[[], IO[bytes]]
    _connect: Callable[[str, bytes], IO[bytes]] = connect
    _pcap: PcapWriter = field(factory=PcapWriter, init=False)
    _file: IO[bytes] | None = field(default=None, init=False)
    _ladder: Ladder = field(factory=Ladder, init=False)

    def run(self) -> None:
        """
        Show what is to be shown; returns when there is no more of it.

        @raise TraceError: that cannot be.
        @raise ConfigError: the node's configuration cannot be read.
        """
        options = self.options
        # Told at once, rather than by the node.
        parsePeer(options.peer)
        self._ladder.full = options.full
        query = Query(not options.no_follow, options.call_id, options.session, options.peer)
        with ExitStack() as stack:
            lines = self._lines(stack.enter_context(self._asked(query.line())))
            # A query that is refused must not cost a file that is there already.
            first = next(lines, None)
            self._openFile(stack)
            if first is not None:
                self._tell(first, lines)

    def _asked(self, query: bytes) -> IO[bytes]:
        options = self.options
        path = options.socket
        if path is None:
            overrides = {"node.id": options.node_id, "recordings.directory": options.recordings}
            path = socketPath(loadSettings(options.config, overrides))
        try:
            return self._connect(path, query)
        except FileNotFoundError:
            raise TraceError(
                f"{path}: no node listens there; is it running, are --config, --recordings and"
                f" --node-id those of the node, is trace.messages above 0?{_others(path)}"
            ) from None
        except ConnectionRefusedError:
            raise TraceError(f"{path}: the node that made it runs no more") from None
        except PermissionError:
            raise TraceError(
                f"{path}: permission denied; only the user that runs the node may read its trace"
            ) from None
        except OSError as error:
            raise TraceError(f"{path}: {error.strerror or error}") from None

    def _lines(self, connection: IO[bytes]) -> Iterator[tuple[str, Any]]:
        """
        @return: what the node says, but for how it ends.
        """
        while True:
            try:
                line = connection.readline()
                kind, value = parseLine(line) if line else ("lost", "")
            except (ConnectionError, ValueError) as error:
                raise TraceError(f"the node cannot be understood: {error}") from None
            if kind == "lost":
                raise TraceError("the connection to the node is lost")
            if kind == "error":
                raise TraceError(str(value))
            if kind == "end":
                if value:
                    self.warn(str(value))
                return
            yield kind, value

    def _openFile(self, stack: ExitStack) -> None:
        path = self.options.write
        if path is None:
            return
        if path == "-":
            self._file = self.octets()
        else:
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            except OSError as error:
                raise TraceError(f"--write {path}: {error.strerror}") from None
            self._file = stack.enter_context(os.fdopen(descriptor, "wb"))
        self._put(self._pcap.head())

    def _tell(self, first: tuple[str, Any], others: Iterator[tuple[str, Any]]) -> None:
        kept: list[TracedMessage] = []
        for kind, value in _joined(first, others):
            if kind == "missed":
                self.warn(
                    f"up to {value} messages were missed: they came faster than they were read"
                )
            elif kind == "message":
                self._put(self._pcap.packets(value))
                if self.options.no_follow:
                    kept.append(value)
                else:
                    self._draw(value)
        for number, call in enumerate(byCall(kept)):
            if number and self.options.write != "-":
                self.say("")
            for message in call:
                self._draw(message)

    def _draw(self, message: TracedMessage) -> None:
        if self.options.write != "-":
            for line in self._ladder.lines(message):
                self.say(line)

    def _put(self, octets: bytes) -> None:
        if self._file is None:
            return
        try:
            self._file.write(octets)
            # Whoever reads along, or ends this by Ctrl-C, has whole packets.
            self._file.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise TraceError(f"--write {self.options.write}: {error.strerror}") from None


def _joined(first: tuple[str, Any], others: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    yield first
    yield from others


def _others(path: str) -> str:
    """
    @return: which nodes have sockets in the same folder.
    """
    try:
        names = sorted(each for each in os.listdir(os.path.dirname(path)) if each.endswith(SUFFIX))
    except OSError:
        return ""
    nodes = ", ".join(each.removesuffix(SUFFIX) for each in names)
    return f" Others there: {nodes}" if nodes else ""
