"""
A Redis server without a socket: it answers what it is told to.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha1
from typing import Any

from attrs import define, field
from hiredis import Reader
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from siprec.store.scripts import loadScripts

__all__ = ["FakeRedis", "encodeReply"]

Reply = bytes | str | int | None | Exception | list[Any]
_NAMES = {script.digest: name for name, script in loadScripts().items()}


def encodeReply(reply: Reply) -> bytes:
    """
    @return: an answer on the wire: C{str} is a status, an exception an error.
    """
    if reply is None:
        return b"$-1\r\n"
    if isinstance(reply, Exception):
        return f"-{reply}\r\n".encode()
    if isinstance(reply, str):
        return f"+{reply}\r\n".encode()
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, bytes):
        return b"$%d\r\n%s\r\n" % (len(reply), reply)
    return b"*%d\r\n" % len(reply) + b"".join(map(encodeReply, reply))


class _Transport(StringTransport):
    """
    Gives each command to the server.
    """

    def __init__(self, server: FakeRedis) -> None:
        super().__init__()
        self._server, self._reader = server, Reader()
        self.protocol: Any = None
        self.lingers = False

    def write(self, data: bytes) -> None:
        self._reader.feed(data)
        while (words := self._reader.gets()) is not False:
            self._server.take(self, words)

    def loseConnection(self) -> None:
        super().loseConnection()
        if not self._server.lingers:
            self.lose()

    def abortConnection(self) -> None:
        super().abortConnection()
        self.lose()

    def lose(self) -> None:
        """
        End the connection, as the peer or the network would.
        """
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            self._server.connections.remove(self)
            protocol.connectionLost(Failure(ConnectionDone()))

    def reply(self, data: bytes) -> None:
        """
        Send bytes to the client.
        """
        if self.protocol is not None:
            self.protocol.dataReceived(data)


@implementer(IStreamClientEndpoint)
@define(eq=False)
class FakeRedis:
    """
    A server, and the endpoint that leads to it.

    @ivar answers: what a script returns, by its name; or what gives that, from
        its arguments.
    @ivar plain: the same for commands, by their first word.
    @ivar down: it refuses connections.
    @ivar away: nothing is heard of a try to connect.
    @ivar hung: it takes commands and gives no answer; L{wake} does.
    @ivar lingers: it does not close its side.
    @ivar commands: what it was sent: the names of scripts, and other commands.
    """

    answers: dict[str, Reply | Callable[[list[bytes]], Reply]] = field(factory=dict)
    plain: dict[bytes, Reply] = field(factory=dict)
    down: bool = False
    away: bool = False
    hung: bool = False
    lingers: bool = False
    tries: int = 0
    commands: list[str] = field(factory=list)
    arguments: list[list[bytes]] = field(factory=list)
    loaded: set[bytes] = field(factory=set)
    connections: list[_Transport] = field(factory=list)
    _late: list[tuple[_Transport, list[bytes]]] = field(factory=list)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        See L{IStreamClientEndpoint.connect}.
        """
        self.tries += 1
        if self.away:
            return Deferred()
        if self.down:
            return fail(ConnectionRefusedError())
        transport = _Transport(self)
        protocol: Any = protocolFactory.buildProtocol(transport.getPeer())
        transport.protocol = protocol
        self.connections.append(transport)
        protocol.makeConnection(transport)
        return succeed(protocol)

    def take(self, transport: _Transport, words: list[bytes]) -> None:
        """
        Answer a command, now or later.
        """
        if words[0] == b"EVALSHA":
            self.commands.append(_NAMES[words[1]])
            self.arguments.append(words[3:])
        elif words[:2] != [b"SCRIPT", b"LOAD"] or not self.loaded:
            self.commands.append(b" ".join(words[:2]).decode("utf-8", "replace"))
        if self.hung:
            self._late.append((transport, words))
        else:
            transport.reply(encodeReply(self._answer(words)))

    def wake(self) -> None:
        """
        Give the answers that are due.
        """
        self.hung, late, self._late = False, self._late, []
        for transport, words in late:
            transport.reply(encodeReply(self._answer(words)))

    def lose(self) -> None:
        """
        End all connections.
        """
        for each in list(self.connections):
            each.lose()

    def _answer(self, words: list[bytes]) -> Reply:
        if words[0] in self.plain:
            return self.plain[words[0]]
        if words[:2] == [b"SCRIPT", b"LOAD"]:
            digest = sha1(words[2], usedforsecurity=False).hexdigest().encode()
            self.loaded.add(digest)
            return digest
        if words[0] != b"EVALSHA":
            return "OK"
        if words[1] not in self.loaded:
            return ValueError("NOSCRIPT No matching script. Please use EVAL.")
        answer = self.answers.get(_NAMES[words[1]], 1)
        return answer(words[4:]) if callable(answer) else answer
