"""
Tests of L{siprec.store.connection}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.store.connection import LONGEST_PAUSE, LONGEST_TRY, RedisConnection
from siprec.store.errors import StoreUnavailable
from siprec.store.scripts import NAMES, loadScripts
from tests.store.fakeredis import FakeRedis

TIMEOUT = 2.0


class RedisConnectionTests(SynchronousTestCase):
    """
    Calls end in time, whatever the server does.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.server = FakeRedis(answers={"get": 7})
        self.connection = self.makeConnection()

    def makeConnection(self, **more: Any) -> RedisConnection:
        """
        @return: a connection to the fake server; its timers are checked at the
            end of the test.
        """
        connection = RedisConnection(
            self.clock, self.server, loadScripts(), TIMEOUT, name="redis://r", **more
        )
        self.addCleanup(self.checkReleased, connection)
        return connection

    def checkReleased(self, connection: RedisConnection) -> None:
        """
        Nothing is left once the connection is closed.
        """
        self.assertIsNone(self.successResultOf(connection.close()))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.server.connections, [])

    def unavailable(self, call: Deferred[Any]) -> str:
        """
        @return: why the call has failed.
        """
        return str(self.failureResultOf(call, StoreUnavailable).value)

    def connect(self) -> None:
        """
        Make the connection, by a call.
        """
        self.assertEqual(self.successResultOf(self.connection.run("get", "a")), 7)

    def test_connectsWhenNeeded(self) -> None:
        """
        Nothing is opened before the first call.  Every script is loaded when a
        connection is made; from then on a call is one command.
        """
        self.assertEqual((self.server.tries, self.connection.connected), (0, False))
        self.connect()
        self.assertEqual(len(self.server.loaded), len(NAMES))
        self.server.commands.clear()
        self.successResultOf(self.connection.run("get", b"prefix", "id", 5))
        self.assertEqual(self.server.commands, ["get"])
        self.assertEqual(self.server.arguments[-1], [b"prefix", b"id", b"5"])
        self.assertTrue(self.connection.connected)

    def test_noConnectionInTime(self) -> None:
        """
        Where a try to connect hangs, a call fails after its timeout; the try
        itself is given up after its own.
        """
        self.server.away = True
        call = self.connection.run("get", "a")
        self.clock.advance(TIMEOUT - 0.01)
        self.assertNoResult(call)
        self.clock.advance(0.01)
        self.assertIn("no answer within 2 s", self.unavailable(call))
        self.clock.advance(LONGEST_TRY - TIMEOUT - 1)
        later = self.connection.run("get", "a")
        self.clock.advance(1)
        self.assertIn("not ready after 5 s", self.unavailable(later))

    def test_downFailsAtOnce(self) -> None:
        """
        A server that refuses connections makes calls fail at once, those
        that come before the next try as well.
        """
        self.server.down = True
        for _ in range(3):
            self.assertIn("refused", self.unavailable(self.connection.run("get", "a")))
        self.assertEqual(self.server.tries, 1)

    def test_pausesAreBounded(self) -> None:
        """
        The pauses between tries grow to two seconds, no further, and begin
        short again after a success.
        """
        self.server.down = True
        self.unavailable(self.connection.run("get", "a"))
        pauses = []
        for _ in range(8):
            (retry,) = self.clock.getDelayedCalls()
            pauses.append(round(retry.getTime() - self.clock.seconds(), 6))
            self.clock.advance(pauses[-1])
        self.assertEqual(pauses, [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0])
        self.server.down = False
        self.clock.advance(LONGEST_PAUSE)
        self.connect()
        self.server.lose()
        call = self.connection.run("get", "a")
        self.clock.advance(0.1)
        self.assertEqual(self.successResultOf(call), 7)
        self.assertEqual(self.connection.counters["losses"], 1)

    def test_lostDuringCalls(self) -> None:
        """
        Calls under way fail when the connection is lost.
        """
        self.connect()
        self.server.hung = True
        calls = [self.connection.run("get", "a") for _ in range(3)]
        self.server.lose()
        for call in calls:
            self.assertIn("connection lost", self.unavailable(call))

    def test_hangingServer(self) -> None:
        """
        A connection on which nothing was answered for as long as a call waits
        is given up, and the next one is used.
        """
        self.connect()
        self.server.hung = True
        call = self.connection.run("get", "a")
        self.clock.advance(TIMEOUT)
        self.assertIn("no answer", self.unavailable(call))
        self.assertEqual(self.server.connections, [])
        self.assertEqual(self.connection.counters["timeouts"], 1)
        self.server.hung = False
        self.clock.advance(0.1)
        self.connect()

    def test_slowServer(self) -> None:
        """
        A call that takes too long leaves the connection to the others, if
        there were answers in the meantime; its own answer, when it comes, is
        not taken for that of another.
        """
        self.connect()
        self.server.hung = True
        first = self.connection.run("get", "a")
        self.clock.advance(1)
        self.server.wake()
        self.assertEqual(self.successResultOf(first), 7)
        self.server.hung = True
        before, slow = self.connection.run("get", "a"), self.connection.run("exists", "b")
        self.clock.advance(1)
        (transport,) = self.server.connections
        transport.reply(b":7\r\n")
        self.successResultOf(before)
        self.clock.advance(1)
        self.unavailable(slow)
        self.assertTrue(self.connection.connected)
        other = self.connection.run("get", "a")
        transport.reply(b":8\r\n:9\r\n")
        self.assertEqual(self.successResultOf(other), 9)

    def test_scriptsAreLoadedAgain(self) -> None:
        """
        A server that has lost its scripts gets the one that is needed, and the
        call goes on.
        """
        self.connect()
        self.server.loaded.clear()
        self.server.commands.clear()
        self.connect()
        self.assertEqual(self.server.commands, ["get", "SCRIPT LOAD", "get"])
        self.assertEqual(self.connection.counters["reloads"], 1)

    def test_scriptCannotBeLoaded(self) -> None:
        """
        Where the script cannot be loaded again either, the call fails.
        """
        self.connect()
        self.server.loaded.clear()
        self.server.plain[b"SCRIPT"] = ValueError("NOPERM no")
        self.assertIn("NOPERM", self.unavailable(self.connection.run("get", "a")))

    def test_refusals(self) -> None:
        """
        An error of the server is no answer: it fails as unavailable and says
        why.  The connection goes on.
        """
        self.connect()
        for why in ("OOM command not allowed", "ERR user_script:1: bug", "something"):
            self.server.answers["get"] = ValueError(why)
            self.assertIn(
                why.removeprefix("ERR "), self.unavailable(self.connection.run("get", "a"))
            )
        self.assertTrue(self.connection.connected)

    def test_notTheMaster(self) -> None:
        """
        A server that takes no writes any more is left: another may be master.
        So is one that has lost its replicas, perhaps to that other one.
        """
        self.connect()
        for why in ("READONLY You can't write", "NOREPLICAS Not enough good replicas"):
            self.server.answers["store"] = ValueError(why)
            self.assertIn(why, self.unavailable(self.connection.run("store", "a")))
            self.assertFalse(self.connection.connected)
            self.clock.advance(0.1)
            self.assertTrue(self.connection.connected)

    def test_entry(self) -> None:
        """
        User, password and database are given before anything else, and asked
        for at each connection.
        """
        entries = iter([("u", "old", 3), (None, "new", 0)])
        self.connection = self.makeConnection(entry=lambda: next(entries))
        self.connect()
        self.assertEqual(self.server.commands[:3], ["AUTH u", "SELECT 3", "SCRIPT LOAD"])
        self.server.commands.clear()
        self.server.lose()
        self.clock.advance(0.1)
        self.assertEqual(self.server.commands[0], "AUTH new")

    def test_wrongPassword(self) -> None:
        """
        A refused password makes calls fail with the server's reason; it is
        tried again, as the server's operator may set it right.
        """
        self.connection = self.makeConnection(entry=lambda: (None, "hush", 0))
        self.server.plain[b"AUTH"] = ValueError("WRONGPASS invalid username-password pair")
        why = self.unavailable(self.connection.run("get", "a"))
        self.assertIn("WRONGPASS", why)
        self.assertNotIn("hush", why)
        self.assertEqual(self.server.connections, [])
        self.server.plain.clear()
        self.clock.advance(0.1)
        self.connect()

    def test_entryFails(self) -> None:
        """
        A password file that cannot be read is a reason like any other.
        """

        def entry() -> tuple[str | None, str | None, int]:
            raise FileNotFoundError(2, "No such file", "/secret")

        self.connection = self.makeConnection(entry=entry)
        self.assertIn("No such file", self.unavailable(self.connection.run("get", "a")))

    def test_scriptsRefusedAtOnce(self) -> None:
        """
        A connection on which scripts cannot be loaded is not used.
        """
        self.server.plain[b"SCRIPT"] = ValueError("NOPERM no scripts")
        self.assertIn("NOPERM no scripts", self.unavailable(self.connection.run("get", "a")))
        self.assertEqual(self.server.connections, [])

    def test_replicaIsRefused(self) -> None:
        """
        Where only a master will do, a replica is left until it is one.
        """
        self.connection = self.makeConnection(masterOnly=True)
        self.server.plain[b"ROLE"] = [b"slave", b"127.0.0.1", 6379]
        self.assertIn("it is a slave", self.unavailable(self.connection.run("get", "a")))
        self.server.plain[b"ROLE"] = [b"master", 0, []]
        self.clock.advance(0.1)
        self.connect()

    def test_lostWhilePreparing(self) -> None:
        """
        A connection that ends before it is ready is a failed try.
        """
        self.server.hung = True
        call = self.connection.run("get", "a")
        self.server.lose()
        self.assertIn("closed cleanly", self.unavailable(call))
        self.server.hung = False
        self.clock.advance(0.1)
        self.connect()

    def test_hangsWhilePreparing(self) -> None:
        """
        A server that takes the connection and never answers keeps nobody.
        """
        self.server.hung = True
        call = self.connection.run("get", "a")
        self.clock.advance(TIMEOUT)
        self.unavailable(call)
        self.clock.advance(LONGEST_TRY - TIMEOUT)
        self.assertEqual(self.server.connections, [])

    def test_noRedis(self) -> None:
        """
        What speaks another protocol is left.
        """
        self.server.hung = True
        call = self.connection.run("get", "a")
        (transport,) = self.server.connections
        transport.reply(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.unavailable(call)
        self.assertEqual(self.server.connections, [])

    def test_callIsCancelled(self) -> None:
        """
        A caller may give up by itself; that is no failure of the store.
        """
        self.connect()
        self.server.hung = True
        call = self.connection.run("get", "a")
        call.cancel()
        self.failureResultOf(call, CancelledError)
        self.assertEqual(self.connection.counters["timeouts"], 0)

    def test_close(self) -> None:
        """
        Calls under way, and those after it, fail; closing twice is no error.
        """
        self.connect()
        self.server.hung = True
        call = self.connection.run("get", "a")
        self.assertIsNone(self.successResultOf(self.connection.close()))
        self.unavailable(call)
        self.assertIn("closed", self.unavailable(self.connection.run("get", "a")))
        self.assertIsNone(self.successResultOf(self.connection.close()))

    def test_closeBeforeUse(self) -> None:
        """
        A store that was never used closes as well, and does not open then.
        """
        self.successResultOf(self.connection.close())
        self.unavailable(self.connection.run("get", "a"))
        self.assertEqual(self.server.tries, 0)

    def test_closeWhileConnecting(self) -> None:
        """
        A try that is under way is given up, and who waits for it is told.
        """
        for state in ("away", "hung"):
            setattr(self.server, state, True)
            connection = self.makeConnection()
            call = connection.run("get", "a")
            self.successResultOf(connection.close())
            self.unavailable(call)
            setattr(self.server, state, False)

    def test_closeWhileDown(self) -> None:
        """
        No further try is made.
        """
        self.server.down = True
        self.unavailable(self.connection.run("get", "a"))
        self.successResultOf(self.connection.close())
        self.clock.advance(10)
        self.assertEqual(self.server.tries, 1)

    def test_closeOfWhatLingers(self) -> None:
        """
        A peer that does not close its side is not waited for any longer than
        for an answer.
        """
        self.connect()
        self.server.lingers = True
        closed = self.connection.close()
        self.assertNoResult(closed)
        self.clock.advance(TIMEOUT)
        self.assertIsNone(self.successResultOf(closed))
