"""
The torture tests of RFC 4475 on the wire: each message, our own and where it is
at hand the original, comes to a real node.
"""

from __future__ import annotations

import os
import re
import select
import socket
import time
from collections.abc import Iterator

from attrs import frozen
from twisted.trial.unittest import TestCase

from tests.functional.node import HOST, NodeProcess, pause
from tests.sip.test_torture import FATAL
from tests.sip.vectors import original
from tests.uas import test_torture, test_torture_invalid

#: Where the messages come from: answers go to the ports that their Via name.
PEER = "127.0.7.7"

_PORT = re.compile(rb"^(?:via|v)[ \t]*:[^,\r\n]*?[\w.\]]:(\d+)", re.IGNORECASE | re.MULTILINE)

# Of our own messages.
_CALL_ID = "a84b4c76e66710"

# Seconds in which an answer is there, and in which it is seen that there is none.
_PATIENCE, _SILENCE = 5.0, 0.2


@frozen
class Vector:
    """
    A message.

    @ivar status: of the answer; C{None}: there is none.
    """

    name: str
    status: int | None
    data: bytes


class _Enough(Exception):
    """
    The test's message is known.
    """


def _collect(case: type) -> Iterator[Vector]:
    """
    @return: what the tests of single messages send, and what they expect.
    """
    found: list[Vector] = []

    class Collecting(case):
        def treated(self, name: str, status: int | None, own: bytes) -> None:
            # Each is to be a transaction of its own.
            for text in (b"776asdhds", _CALL_ID.encode()):
                own = own.replace(text, text + name.encode())
            found.append(Vector(name, status, own))
            raise _Enough

    for name in sorted(dir(case)):
        if name.startswith("test_F_"):
            try:
                getattr(Collecting(name), name)()
            except _Enough:
                continue
    yield from found
    folder = original("rfc4475")
    if folder is not None:
        for each in found:
            yield Vector(each.name, each.status, (folder / f"{each.name}.dat").read_bytes())


VECTORS = [
    each
    for case in (test_torture.ValidTests, test_torture_invalid.InvalidTests)
    for each in _collect(case)
]


class TortureTests(TestCase):
    """
    A node that takes what asks for a recording.
    """

    async def begin(self) -> None:
        """
        Start it.
        """
        self.node = NodeProcess(os.path.abspath(self.mktemp()), rtp="33800-33899")
        self.addCleanup(self.node.kill)
        await self.node.start()
        self.assertEqual(len({each.name for each in VECTORS}), 49)

    async def unharmed(self) -> None:
        """
        Nothing broke, and nothing was recorded but, on a connection, what
        stands behind another message.
        """
        await pause(0.1)
        behind = {each["callID"].startswith(f"{_CALL_ID}dblreq") for each in self.node.recordings()}
        self.assertLessEqual(behind, {True})
        self.assertEqual(await self.node.metric("siprec_unhandled_errors_total"), 0)
        self.assertEqual((await self.node.get("/readyz"))[0], 200)

    async def test_F_onTheWire(self) -> None:
        """
        In a datagram each gets the answer that it should, at the port that it
        names.
        """
        await self.begin()
        ports = {int(port) for each in VECTORS for port in _PORT.findall(each.data)[:1]}
        sockets = {port: _socket(socket.SOCK_DGRAM, port) for port in {5060, *ports} - {0}}
        answers = _Answers(list(sockets.values()))
        found = []
        for each in VECTORS:
            sockets[5060].sendto(each.data, (HOST, self.node.sip))
            found.append((each.name, answers.next(each.status is None)))
        for one in sockets.values():
            one.close()
        self.assertEqual(found, [(each.name, each.status) for each in VECTORS])
        await self.unharmed()

    async def test_F_byteByByte(self) -> None:
        """
        On a connection, where each byte comes by itself, the answers are the
        same, but where only a datagram has an end without a length.
        """
        await self.begin()
        expected, found = [], []
        for each in VECTORS:
            status = None if each.name == "clerr" else 400 if each.name in FATAL else each.status
            expected.append((each.name, status))
            connection = _socket(socket.SOCK_STREAM, 0)
            connection.connect((HOST, self.node.sip))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # One of the originals lacks its blank line.
            for byte in each.data + (b"\r\n" if each.name == "baddn" else b""):
                try:
                    connection.send(bytes((byte,)))
                except OSError:
                    break  # it was refused at once
            found.append((each.name, _Answers([connection]).next(status is None)))
            connection.close()
        self.assertEqual(found, expected)
        await self.unharmed()


def _socket(kind: socket.SocketKind, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, kind)
    made.bind((PEER, port))
    return made


class _Answers:
    """
    What comes to some sockets.
    """

    def __init__(self, sockets: list[socket.socket]) -> None:
        self._sockets = sockets
        # A rejection of an INVITE is repeated, as nobody acknowledges it.
        self._seen: set[bytes] = set()

    def next(self, silent: bool) -> int | None:
        """
        @param silent: whether nothing is to come.
        @return: the status of the next final answer.
        """
        end = time.monotonic() + (_SILENCE if silent else _PATIENCE)
        while time.monotonic() < end:
            ready, _, _ = select.select(self._sockets, [], [], _SILENCE)
            for each in ready:
                data = each.recv(65536)
                if data in self._seen or data.startswith(b"SIP/2.0 1"):
                    continue
                self._seen.add(data)
                if data:
                    return int(data.split(b" ")[1])
        return None
