"""
Tests of L{siprec.store.redis}, over a server that is made up.  What real ones
do is in L{tests.functional.test_store_redis}.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.ids import nodeID
from siprec.session.model import NodeLease, SessionData
from siprec.store.codec import SCHEMA, encode, encodeLease
from siprec.store.connection import RedisConnection
from siprec.store.errors import (
    CorruptRecord,
    LeaseHeld,
    NotOwner,
    SessionDeleted,
    SessionNotFound,
    StoreUnavailable,
    VersionConflict,
)
from siprec.store.interfaces import ISessionStore
from siprec.store.redis import AUDITED, BATCH, PAGE, RedisSessionStore, openRedisStore
from siprec.store.scripts import loadScripts
from tests.store.fakeredis import FakeRedis

NODE = nodeID("n1")
DATA = SessionData("s1", "c1", "recording", 1.0, 2.0, "/r/s1", NODE, sessions=("a", "b", "a"))
LEASE = NodeLease(NODE, "i1", "h", 42)
TIMEOUT = 2.0


class RedisSessionStoreTests(SynchronousTestCase):
    """
    What scripts are called with, and what becomes of their answers.
    """

    def setUp(self) -> None:
        self.clock, self.server = Clock(), FakeRedis()
        self.redis = self.makeStore()

    def makeStore(self, prefix: str = "siprec:") -> RedisSessionStore:
        """
        @return: a store at the fake server.
        """
        connection = RedisConnection(self.clock, self.server, loadScripts(), TIMEOUT)
        store = RedisSessionStore(connection, NODE, self.clock, prefix)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(store.close)
        return store

    def everyCall(self) -> dict[str, Callable[[], Deferred[Any]]]:
        """
        @return: a call of each method, by name.
        """
        redis = self.redis
        return {
            "store": lambda: redis.store(DATA, 60),
            "get": lambda: redis.get("s1"),
            "update": lambda: redis.update(DATA, 60),
            "replicate": lambda: redis.replicate(DATA, 60),
            "delete": lambda: redis.delete("s1"),
            "exists": lambda: redis.exists("s1"),
            "extend": lambda: redis.extend("s1", 60, 1),
            "claim": lambda: redis.claim("s1", NODE, 1),
            "owners": lambda: redis.owners(),
            "claimFrom": lambda: redis.claimFrom(NODE, nodeID("n2"), 25),
            "list": lambda: redis.list(),
            "listByCallID": lambda: redis.listByCallID("c1"),
            "listBySession": lambda: redis.listBySession("a"),
            "listByCorrelation": lambda: redis.listByCorrelation("a"),
            "heartbeat": lambda: redis.heartbeat(LEASE, 3),
            "nodes": lambda: redis.nodes(),
            "release": lambda: redis.release(NODE, "i1"),
            "stats": lambda: redis.stats(),
            "cleanup": lambda: redis.cleanup(),
            "health": lambda: redis.health(),
        }

    def test_interface(self) -> None:
        """
        The store provides the interface.
        """
        self.assertTrue(verifyObject(ISessionStore, self.redis))
        self.assertEqual((self.redis.nodeID, self.redis.timeout), (NODE, TIMEOUT))
        known = {
            name for name in ISessionStore.names() if name not in ("nodeID", "timeout", "close")
        }
        self.assertEqual(set(self.everyCall()), known)

    def test_nothingWaitsWithoutLimit(self) -> None:
        """
        Whether the server cannot be reached, hangs, or is down: each method
        fails as unavailable after the timeout at the latest.
        """
        for state in ("away", "hung", "down"):
            setattr(self.server, state, True)
            for call in self.everyCall().values():
                outcome = call()
                self.clock.advance(TIMEOUT)
                self.failureResultOf(outcome, StoreUnavailable)
            setattr(self.server, state, False)

    def test_refused(self) -> None:
        """
        An error of the server is unavailability for every method, not an
        answer.
        """
        self.server.plain[b"EVALSHA"] = ValueError("MISCONF cannot persist")
        for call in self.everyCall().values():
            self.failureResultOf(call(), StoreUnavailable)

    def test_closed(self) -> None:
        """
        After C{close} every method fails as unavailable.
        """
        self.assertIsNone(self.successResultOf(self.redis.close()))
        for call in self.everyCall().values():
            self.failureResultOf(call(), StoreUnavailable)

    def test_failures(self) -> None:
        """
        Answers that are failures, and the facts they carry.
        """
        owner: list[Any] = [b"owner", 5, b"n2"]
        for script, call, answer, kind, facts in (
            ("get", "get", [b"absent"], SessionNotFound, {"key": "s1"}),
            ("get", "get", [b"unreadable", b"x"], CorruptRecord, {"key": "s1", "why": "x"}),
            ("update", "update", [b"absent"], SessionNotFound, {"key": "s1"}),
            ("update", "update", owner, NotOwner, {"owner": "n2", "epoch": 5}),
            ("update", "update", [b"conflict", 7], VersionConflict, {"expected": 0, "found": 7}),
            ("store", "store", [b"conflict", 7], VersionConflict, {"expected": 0, "found": 7}),
            ("delete", "delete", owner, NotOwner, {"key": "s1", "owner": "n2", "epoch": 5}),
            ("extend", "extend", [b"absent"], SessionNotFound, {"key": "s1"}),
            ("extend", "extend", owner, NotOwner, {"epoch": 5}),
            ("claim", "claim", owner, NotOwner, {"owner": "n2"}),
            ("replicate", "replicate", [b"deleted"], SessionDeleted, {"key": "s1"}),
            ("replicate", "replicate", [b"unreadable", b"x"], CorruptRecord, {"why": "x"}),
        ):
            self.server.answers[script] = answer
            error = self.failureResultOf(self.everyCall()[call](), kind).value
            for name, value in facts.items():
                self.assertEqual(getattr(error, name), value)

    def test_store(self) -> None:
        """
        A record is sent with its links, each once, its schema and its time to
        live in milliseconds, and comes back as version 1 of epoch 1.
        """
        self.server.answers["store"] = [b"stored", 1]
        stored = self.successResultOf(self.redis.store(evolve(DATA, version=9, epoch=9), 1.5))
        self.assertEqual(stored, evolve(DATA, version=1, epoch=1))
        self.assertEqual(stored.remaining, 1.5)
        prefix, key, node, ttl, blob, links, schema = self.server.arguments[-1]
        self.assertEqual((prefix, key, node, ttl), (b"{siprec}:", b"s1", b"n1", b"1500"))
        self.assertEqual(blob, encode(stored))
        self.assertIn(b"communication:b", links)
        self.assertEqual(links.count(b"communication:a"), 1)
        self.assertEqual(schema, b"%d" % SCHEMA)

    def test_update(self) -> None:
        """
        The version and epoch that the caller knew go with the record, and the
        new version comes back.
        """
        self.server.answers["update"] = [b"stored", 4]
        known = evolve(DATA, version=3, epoch=2)
        self.assertEqual(self.successResultOf(self.redis.update(known, 60)).version, 4)
        self.assertEqual(self.server.arguments[-1][-2:], [b"3", b"2"])

    def test_replicate(self) -> None:
        """
        Whether a copy was written or the record here kept.
        """
        self.server.answers["replicate"] = [b"stored", 4]
        self.assertIs(self.successResultOf(self.redis.replicate(DATA, 60)), True)
        self.server.answers["replicate"] = [b"kept"]
        self.assertIs(self.successResultOf(self.redis.replicate(DATA, 60)), False)

    def test_get(self) -> None:
        """
        Version, epoch, owner and the time left are those of the server, not
        those that were encoded.
        """
        self.server.answers["get"] = [b"record", encode(DATA), 7, 3, b"n2", 2500]
        found = self.successResultOf(self.redis.get("s1"))
        self.assertEqual(found, evolve(DATA, version=7, epoch=3, nodeID=nodeID("n2")))
        self.assertEqual(found.remaining, 2.5)

    def test_corrupt(self) -> None:
        """
        A record that cannot be decoded, or is that of another session, is
        corrupt; the error names it.
        """
        for blob in (encode(DATA)[:-1], b"", encode(evolve(DATA, sessionID="other"))):
            self.server.answers["get"] = [b"record", blob, 7, 3, b"n2", 2500]
            error = self.failureResultOf(self.redis.get("s1"), CorruptRecord).value
            self.assertEqual(error.key, "s1")

    def test_delete(self) -> None:
        """
        The epoch may be left out; whether there was a record comes back.
        """
        self.server.answers["delete"] = [b"removed", 1]
        self.assertIs(self.successResultOf(self.redis.delete("s1")), True)
        self.assertEqual(self.server.arguments[-1][1:], [b"s1", b"", b"0"])
        self.server.answers["delete"] = [b"removed", 0]
        self.assertIs(self.successResultOf(self.redis.delete("s1", 3, 1.5)), False)
        self.assertEqual(self.server.arguments[-1][1:], [b"s1", b"3", b"1500"])

    def test_lists(self) -> None:
        """
        Each list is an index; names that are no valid text survive; records
        that cannot be read are left out, and logged.
        """
        odd = "caf\udce9"
        self.server.answers["list"] = [
            [b"s1", odd.encode("utf-8", "surrogatepass"), b"\xff"],
            [],
            b"",
        ]
        for call in (
            self.redis.list(),
            self.redis.list(NODE),
            self.redis.listByCallID(odd),
            self.redis.listBySession("a"),
        ):
            self.assertEqual(self.successResultOf(call), ["s1", odd, "\\xff"])
        indexes = [arguments[1] for arguments in self.server.arguments]
        self.assertEqual(
            indexes, [b"expiry", b"node:n1", b"call:caf\xed\xb3\xa9", b"communication:a"]
        )
        self.server.answers["list"] = [[b"s1"], [b"s2"], b""]
        with capturedLogs() as logs:
            self.assertEqual(self.successResultOf(self.redis.list()), ["s1"])
        (event,) = (each for each in logs if "keys" in each)
        self.assertEqual((event["count"], event["keys"]), (1, ["b's2'"]))

    def test_pages(self) -> None:
        """
        A long list comes in pages, each from the expiry on that the one before
        ended with; what is met twice is there once.  Where more expire in one
        moment than a page holds, the page grows.
        """
        pages: list[Any] = [
            [[b"a"], [b"x"], b"5"],
            [[b"a", b"b"], [b"x"], b"5"],
            [[b"b", b"c"], [], b""],
        ]
        answers = iter(pages)
        self.server.answers["list"] = lambda words: next(answers)
        self.assertEqual(self.successResultOf(self.redis.list()), ["a", "b", "c"])
        asked = [words[3:] for words in self.server.arguments]
        page = b"%d" % PAGE
        self.assertEqual(asked, [[b"", page], [b"5", page], [b"5", b"%d" % (2 * PAGE)]])

    def test_timesToLive(self) -> None:
        """
        A time to live that is not above 0 is the caller's mistake: nothing is
        sent.  The shortest one is a millisecond.
        """
        for ttl in (0, -1, float("nan")):
            for call in (
                self.redis.store(DATA, ttl),
                self.redis.update(DATA, ttl),
                self.redis.replicate(DATA, ttl),
                self.redis.extend("s1", ttl, 1),
                self.redis.heartbeat(LEASE, ttl),
            ):
                self.failureResultOf(call, ValueError)
        self.assertEqual(self.server.commands, [])
        self.server.answers["extend"] = [b"stored", 1]
        self.assertIsNone(self.successResultOf(self.redis.extend("s1", 0.0001, 4)))
        self.assertEqual(self.server.arguments[-1][1:], [b"s1", b"1", b"4"])

    def test_whatCannotBeEncoded(self) -> None:
        """
        Free data that is no plain value is the caller's mistake.
        """
        odd: dict[str, Any] = {"x": object()}
        for call in (
            self.redis.store(evolve(DATA, metadata=odd), 60),
            self.redis.heartbeat(evolve(LEASE, data=odd), 3),
        ):
            self.failureResultOf(call, TypeError)

    def test_leases(self) -> None:
        """
        A lease is taken in one command.  One that is held names its holder,
        even where little is known of it; one that cannot be read is left out.
        """
        for renewed in (0, 1):
            self.server.answers["heartbeat"] = [b"taken", renewed]
            self.assertIs(self.successResultOf(self.redis.heartbeat(LEASE, 3)), bool(renewed))
        self.assertEqual(self.server.arguments[-1][1:], [b"n1", b"i1", b"3000", encodeLease(LEASE)])
        self.server.answers["heartbeat"] = [b"held", b"i2", encodeLease(LEASE), 5500]
        held = self.failureResultOf(self.redis.heartbeat(LEASE, 3), LeaseHeld).value.holder
        self.assertEqual(held, evolve(LEASE, expires=5.5))
        self.server.answers["heartbeat"] = [b"held", b"i2", b"", 5500]
        held = self.failureResultOf(self.redis.heartbeat(LEASE, 3), LeaseHeld).value.holder
        self.assertEqual((held.nodeID, held.instance, held.expires), (NODE, "i2", 5.5))
        self.server.answers["nodes"] = [[b"n1", encodeLease(LEASE), b"5500"], [b"n2", b"", b"1"]]
        with capturedLogs() as logs:
            self.assertEqual(self.successResultOf(self.redis.nodes()), [evolve(LEASE, expires=5.5)])
        self.assertEqual([each["node"] for each in logs if "node" in each], ["n2"])
        self.assertIsNone(self.successResultOf(self.redis.release(NODE, "i1")))

    def test_stats(self) -> None:
        """
        Counts of the server and of the connection, and how long it took.
        """
        self.successResultOf(self.redis.health())
        self.server.answers["stats"] = [3, 1, 2]
        self.server.hung = True
        call = self.redis.stats()
        self.clock.advance(0.25)
        self.server.wake()
        stats = self.successResultOf(call)
        self.assertEqual(stats["provider"], "redis")
        self.assertEqual((stats["sessions"], stats["expired"], stats["nodes"]), (3, 1, 2))
        self.assertEqual((stats["latency"], stats["connections"]), (0.25, 1))

    def test_cleanup(self) -> None:
        """
        What has expired goes in batches until there is no more.  Of all
        entries, so many are audited each time, and the next ones the next time.
        """
        batches = iter([BATCH, 5, 0, 0])
        self.server.answers["cleanup"] = lambda words: next(batches)
        self.server.answers["audit"] = [BATCH, 1]
        self.assertEqual(self.successResultOf(self.redis.cleanup()), BATCH + 5 + AUDITED // BATCH)
        self.server.answers["audit"] = [3, 0]
        self.assertEqual(self.successResultOf(self.redis.cleanup()), 0)
        ranks = [int(words[1]) for words in self.server.arguments if len(words) == 3]
        self.assertEqual(ranks[:3], [0, BATCH - 1, 2 * (BATCH - 1)])
        self.assertEqual(ranks[-1], AUDITED - AUDITED // BATCH)

    def test_prefix(self) -> None:
        """
        Keys are in one slot of a cluster: the prefix is a hash tag, unless it
        has one.
        """
        for given, used in (("calls:", b"{calls}:"), ("calls", b"{calls}:"), ("a{b}c:", b"a{b}c:")):
            self.server.answers["exists"] = [b"found", 1]
            self.assertIs(self.successResultOf(self.makeStore(given).exists("x")), True)
            self.assertEqual(self.server.arguments[-1][0], used)


class OpenTests(SynchronousTestCase):
    """
    A store is made of an address.
    """

    def test_forms(self) -> None:
        """
        Nothing is opened yet.
        """
        reactor = MemoryReactorClock()
        for url in ("redis://:p@127.0.0.1:1/3", "unix:///s", "redis+sentinel://h/m"):
            store = openRedisStore(reactor, url, NODE, timeout=1.5)
            self.assertEqual((store.nodeID, store.timeout), (NODE, 1.5))
        self.assertEqual((reactor.tcpClients, reactor.unixClients), ([], []))

    def test_passwordFile(self) -> None:
        """
        The password file is read for each connection, and a bad one found at
        once.
        """
        path = Path(self.mktemp())
        reactor = MemoryReactorClock()
        self.assertRaises(
            OSError, openRedisStore, reactor, "unix:///s", NODE, passwordFile=str(path)
        )
        path.write_text("first\n")
        store = openRedisStore(reactor, "unix:///s", NODE, passwordFile=str(path))
        path.write_text("me\nsecond\n")
        call = store.health()
        server = FakeRedis()
        ((_, factory, _, _),) = reactor.unixClients
        server.connect(factory)
        self.assertEqual(server.commands[0], "AUTH me")
        self.assertTrue(self.successResultOf(call))
        self.successResultOf(store.close())

    def test_bad(self) -> None:
        """
        What is no address is refused.
        """
        self.assertRaises(ValueError, openRedisStore, MemoryReactorClock(), "redis:x", NODE)
