"""
How L{siprec.store.redis} asks for what a dead node owns.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.session.model import Claimed
from siprec.store.codec import SCHEMA, encode, encodeLease
from siprec.store.connection import RedisConnection
from siprec.store.interfaces import LeaseHeld, StoreUnavailable
from siprec.store.redis import RedisSessionStore
from siprec.store.scripts import loadScripts
from tests.store.fakeredis import FakeRedis
from tests.store.samples import N1, N2, makeData, makeLease


class TakeoverTests(SynchronousTestCase):
    """
    One script, or as many as it takes to find something.
    """

    def setUp(self) -> None:
        self.clock, self.server = Clock(), FakeRedis()
        connection = RedisConnection(self.clock, self.server, loadScripts(), 2.0)
        self.redis = RedisSessionStore(connection, N2, self.clock)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(self.redis.close)

    def asked(self) -> list[list[bytes]]:
        """
        @return: what the script was called with, each time.
        """
        self.assertEqual(set(self.server.commands) - {"SCRIPT LOAD"}, {"claimfrom"})
        return [words[1:] for words in self.server.arguments]

    def answers(self, *answers: list[Any]) -> None:
        """
        The script gives these, one after the other.
        """
        each = iter(answers)
        self.server.answers["claimfrom"] = lambda words: next(each)

    def test_oneScript(self) -> None:
        """
        Where something is found, that is all.
        """
        found = [[b"a", encode(makeData("a")), 2, 2, 1500]]
        self.answers([b"claimed", 3, 1, b"x", found])
        claimed = self.successResultOf(self.redis.claimFrom(N1, N2, 25, "i1"))
        expected = makeData("a", nodeID=N2, version=2, epoch=2)
        self.assertEqual(claimed, Claimed((expected,), 3))
        self.assertEqual(self.asked(), [[b"n1", b"n2", b"25", b"i1", b"%d" % SCHEMA, b"", b"0"]])

    def test_goesOn(self) -> None:
        """
        Where a script has met nothing but what cannot be read, the next one
        goes on behind it, until there is something or nothing more.
        """
        self.answers(
            [b"claimed", 9, 525, b"x", []],
            [b"claimed", 8, 1050, b"y", []],
            [b"claimed", 0, 1051, b"", []],
        )
        claimed = self.successResultOf(self.redis.claimFrom(N1, N2, 25))
        self.assertEqual(claimed, Claimed((), 0))
        self.assertEqual(
            [words[-2:] for words in self.asked()],
            [[b"", b"0"], [b"x", b"525"], [b"y", b"1050"]],
        )

    def test_held(self) -> None:
        """
        A lease of the owner is a failure.
        """
        self.answers([b"held", b"i1", encodeLease(makeLease()), 5500])
        error = self.failureResultOf(self.redis.claimFrom(N1, N2, 25), LeaseHeld).value
        self.assertEqual(error.holder.instance, "i1")

    def test_lostOnTheWay(self) -> None:
        """
        A server that goes silent between two scripts is unavailable.
        """

        def first(words: list[bytes]) -> list[Any]:
            self.server.hung = True
            return [b"claimed", 9, 525, b"x", []]

        self.server.answers["claimfrom"] = first
        call = self.redis.claimFrom(N1, N2, 25)
        self.clock.advance(2.0)
        self.failureResultOf(call, StoreUnavailable)

    def test_badClaims(self) -> None:
        """
        Nothing is sent for what no store can do.
        """
        for owner, limit in ((N2, 25), (N1, 0), (N1, 501)):
            self.failureResultOf(self.redis.claimFrom(owner, N2, limit), ValueError)
        self.assertEqual(self.server.commands, [])

    def test_owners(self) -> None:
        """
        Owners come by name; a name that is no text can still be shown.
        """
        self.server.answers["owners"] = [[b"n1", 3], [b"\xff", 1]]
        self.assertEqual(self.successResultOf(self.redis.owners()), {"n1": 3, "\\xff": 1})
