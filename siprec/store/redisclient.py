"""
One connection to a Redis server.

This is the only module that imports txredisapi, which installs the global
reactor: import it no sooner than a Redis store is really wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import ITCPTransport
from twisted.logger import Logger
from twisted.python.failure import Failure
from txredisapi import RedisError, RedisProtocol, ResponseError

__all__ = ["ConnectionGone", "RedisClient", "Refused"]

log = Logger()


class ConnectionGone(Exception):
    """
    The connection ended, or what came over it was not the protocol, before
    the answer did.
    """


class Refused(Exception):
    """
    The server answered with an error.

    @ivar code: its first word, such as C{NOSCRIPT}; C{ERR} where it has none.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        code = text.partition(" ")[0]
        self.code = code if code.isupper() else "ERR"


class RedisClient(RedisProtocol):
    """
    Sends commands and gives their answers, in order.

    @ivar answers: how many have come so far.
    """

    def __init__(self) -> None:
        # By default it turns b"5" into 5 and bytes that happen to be UTF-8 into
        # text, which destroys msgpack.
        super().__init__(charset=None, convertNumbers=False)
        self.answers = 0
        self._why = "not connected"
        self._whenLost: Callable[[], None] | None = None

    def connectionMade(self) -> None:
        """
        See L{Protocol.connectionMade}.
        """
        if ITCPTransport.providedBy(self.transport):
            # One call is one small packet; none may wait for another.
            self.transport.setTcpNoDelay(True)
            self.transport.setTcpKeepAlive(True)
        super().connectionMade()

    def onLost(self, whenLost: Callable[[], None]) -> None:
        """
        Have a function called when the connection ends; at once if it has.
        """
        if self.alive:
            self._whenLost = whenLost
        else:
            whenLost()

    @property
    def alive(self) -> bool:
        """
        Whether a command can be sent.
        """
        return bool(self.connected)

    def command(self, *words: bytes | str | int) -> Deferred[Any]:
        """
        Send a command.

        @return: fires with the answer (text is C{bytes}; a plain status may be
            C{str}, depending on the parser installed), or fails with
            L{Refused} or L{ConnectionGone}.  It waits as long as it takes; it
            may be cancelled.
        """
        if not self.connected:
            return fail(ConnectionGone(self._why))
        return self.execute_command(*words).addErrback(self._translated)

    def close(self) -> None:
        """
        End the connection when all that was sent has gone out.
        """
        if self.transport is not None:
            self.transport.loseConnection()

    def abort(self) -> None:
        """
        End the connection now: the peer does not answer.
        """
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        """
        See L{Protocol.dataReceived}.
        """
        try:
            super().dataReceived(data, unpause)
        except (RedisError, ValueError) as error:
            log.warn(
                "Redis: what {peer} says is not its protocol", peer=_peer(self), why=str(error)
            )
            self.abort()

    def replyReceived(self, reply: Any) -> None:
        """
        Take one answer.
        """
        self.answers += 1
        super().replyReceived(reply)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """
        See L{Protocol.connectionLost}.
        """
        self._why = reason.getErrorMessage()
        super().connectionLost(reason)
        whenLost, self._whenLost = self._whenLost, None
        if whenLost is not None:
            whenLost()

    def _translated(self, failure: Failure) -> Failure:
        if failure.check(ResponseError):
            return Failure(Refused(str(failure.value)))
        if failure.check(RedisError):
            return Failure(ConnectionGone(self._why))
        return failure


def _peer(client: RedisClient) -> str:
    return "the server" if client.transport is None else str(client.transport.getPeer())
