"""
Tests of L{siprec.store.redisclient}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from siprec.store.redisclient import ConnectionGone, RedisClient, Refused
from tests.store.fakeredis import FakeRedis


class RedisClientTests(SynchronousTestCase):
    """
    Commands and answers of one connection.
    """

    def setUp(self) -> None:
        self.server = FakeRedis()
        self.client: Any = self.successResultOf(
            self.server.connect(Factory.forProtocol(RedisClient))
        )

    def answer(self, reply: Any) -> Any:
        """
        @return: what comes back where the server answers so.
        """
        self.server.plain[b"X"] = reply
        return self.successResultOf(self.client.command("X"))

    def test_bytesStayBytes(self) -> None:
        """
        msgpack comes back as it was sent, also where it looks like a number or
        like text.
        """
        for value in (b"5", b"\x05", b"1.5", b"text", b"\xff\xfe", b"", b"-1"):
            self.assertEqual(self.answer(value), value)
            self.assertEqual(self.answer([value, 5, None]), [value, 5, None])

    def test_refused(self) -> None:
        """
        An error says its code; there may be none.
        """
        self.server.plain[b"X"] = ValueError("NOSCRIPT No matching script")
        error = self.failureResultOf(self.client.command("X"), Refused).value
        self.assertEqual(error.code, "NOSCRIPT")
        self.server.plain[b"X"] = ValueError("Something else")
        error = self.failureResultOf(self.client.command("X"), Refused).value
        self.assertEqual((error.code, str(error)), ("ERR", "Something else"))

    def test_cancelled(self) -> None:
        """
        The answer to a call that was cancelled is dropped, and the next one
        gets its own.
        """
        self.server.hung = True
        call = self.client.command("X")
        call.cancel()
        self.failureResultOf(call, CancelledError)
        other = self.client.command("Y")
        self.server.plain.update({b"X": 1, b"Y": 2})
        self.server.wake()
        self.assertEqual(self.successResultOf(other), 2)

    def test_lost(self) -> None:
        """
        Calls under way fail with the reason, and so do later ones.
        """
        lost: list[None] = []
        self.client.onLost(lambda: lost.append(None))
        self.server.hung = True
        call = self.client.command("X")
        self.server.lose()
        for each in (call, self.client.command("X")):
            error = self.failureResultOf(each, ConnectionGone).value
            self.assertIn("closed cleanly", str(error))
        self.assertEqual(len(lost), 1)
        self.assertFalse(self.client.alive)
        self.client.onLost(lambda: lost.append(None))
        self.assertEqual(len(lost), 2)

    def test_neverConnected(self) -> None:
        """
        Before there is a connection, a command fails, and there is nothing to
        close.
        """
        client = RedisClient()
        self.failureResultOf(client.command("X"), ConnectionGone)
        client.close()
        client.abort()

    def test_garbage(self) -> None:
        """
        A peer that speaks something else is left, without an unhandled error.
        """
        self.server.hung = True
        call = self.client.command("X")
        (transport,) = self.server.connections
        transport.reply(b"SSH-2.0-OpenSSH\r\n")
        self.failureResultOf(call, ConnectionGone)
        self.assertEqual(self.server.connections, [])
