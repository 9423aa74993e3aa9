"""
Tests of L{siprec.cluster.ownership}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from siprec.ids import NodeID
from siprec.store.interfaces import CorruptRecord
from tests.cluster.nodecase import ClusterTestCase


class OwnershipTests(ClusterTestCase):
    """
    A node with two calls.
    """

    count = 1

    def setUp(self) -> None:
        super().setUp()
        [self.a] = self.nodes
        for number in (1, 2):
            self.call(0, number)
        self.first, self.second = sorted(self.a.service.recordings)

    def verify(self) -> Deferred[None]:
        """
        Compare them with the store.
        """
        return self.a.cluster.verify()

    def test_own(self) -> None:
        """
        Calls that are still its own stay; one question is enough.
        """
        before = len(self.a.store.calls)
        self.successResultOf(self.verify())
        self.assertEqual(len(self.a.calls), 2)
        self.assertEqual(self.a.store.calls[before:], ["list"])

    def test_anothers(self) -> None:
        """
        One that another node has is let go of, and counts.
        """
        self.memory.claim(self.first, NodeID("n9"), 1)
        self.successResultOf(self.verify())
        self.assertEqual(list(self.a.service.recordings), [self.second])
        self.assertEqual(self.a.cluster.counters["fenced"], 1)

    def test_lost(self) -> None:
        """
        One that the store has lost is written once more.
        """
        self.memory.delete(self.first, None, 0)
        self.successResultOf(self.verify())
        self.wait(0.1)
        self.assertEqual(sorted(self.memory.list(None)), [self.first, self.second])
        self.assertEqual(len(self.a.calls), 2)

    def test_ended(self) -> None:
        """
        One that another node has ended finds that out by the same.
        """
        self.memory.delete(self.first, None, 60)
        self.successResultOf(self.verify())
        self.wait(0.1)
        self.assertEqual(list(self.a.service.recordings), [self.second])

    def test_away(self) -> None:
        """
        While the store is away it is asked for three seconds; then the calls
        are taken for this node's.
        """
        self.a.store.away = True
        verifying = self.verify()
        self.wait(2.9)
        self.assertNoResult(verifying)
        self.wait(0.2)
        self.successResultOf(verifying)
        self.assertEqual(len(self.a.calls), 2)

    def test_back(self) -> None:
        """
        If it is back in that time, its word holds.
        """
        self.memory.claim(self.first, NodeID("n9"), 1)
        self.a.store.away = True
        verifying = self.verify()
        self.wait(1.1)
        self.a.store.away = False
        self.wait(0.6)
        self.successResultOf(verifying)
        self.assertEqual(list(self.a.service.recordings), [self.second])

    def test_unreadable(self) -> None:
        """
        A record that cannot be read says nothing of who has the call.
        """
        self.memory.claim(self.first, NodeID("n9"), 1)
        self.a.store.errors["get"] = CorruptRecord(self.first, "no")
        self.successResultOf(self.verify())
        self.a.store.errors.clear()
        self.assertEqual(len(self.a.calls), 2)
