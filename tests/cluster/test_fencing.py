"""
Tests of L{siprec.cluster.fencing}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed

from tests.cluster.nodecase import ClusterTestCase


class FencingTests(ClusterTestCase):
    """
    A node with a call.
    """

    count = 1

    def setUp(self) -> None:
        super().setUp()
        [self.a] = self.nodes
        self.call()
        self.fenced = self.a.cluster.fencing.fenced

    def say(self, found: Deferred[bool]) -> None:
        """
        @param found: fires with whether a call is another node's.
        """
        self.patch(type(self.a.cluster.giver), "isAnothers", lambda giver, key: found)

    def test_anothers(self) -> None:
        """
        It is let go of without a word, and counted once.
        """
        key = self.key()
        self.a.wire.take()
        self.fenced(key)
        self.fenced(key)
        self.assertEqual((self.a.calls, self.a.service.recordings), ([], {}))
        self.assertEqual((self.a.cluster.counters["fenced"], self.sent(0)), (1, []))

    def test_ours(self) -> None:
        """
        One whose taker does not have it stays.
        """
        self.say(succeed(False))
        self.fenced(self.key())
        self.assertEqual((len(self.a.calls), self.a.cluster.counters["fenced"]), (1, 0))

    def test_failure(self) -> None:
        """
        An error that nobody foresaw is logged, and the call stays.
        """
        self.say(fail(ValueError("bug")))
        self.fenced(self.key())
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(len(self.a.calls), 1)
