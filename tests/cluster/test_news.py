"""
Tests of L{siprec.cluster.news}; more of them are in
L{tests.cluster.test_cluster}.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.news import News
from siprec.ids import NodeID
from siprec.session.model import NodeLease

B = NodeID("b")


@define(eq=False)
class _Parts:
    """
    All parts in one, which note what they are told.

    @ivar seen: what the witnesses say, or what that fails with.
    """

    notes: list[tuple[Any, ...]] = field(factory=list)
    seen: bool | Exception = False

    def __getattr__(self, name: str) -> Any:
        return lambda *args: self.notes.append((name, *args))

    def haveSeen(self, node: NodeID) -> Deferred[bool]:
        if isinstance(self.seen, Exception):
            raise self.seen
        return succeed(self.seen)


class NewsTests(SynchronousTestCase):
    """
    What the parts are told.
    """

    def setUp(self) -> None:
        self.parts, self.running = _Parts(), True
        self.counters: Counter[str] = Counter()
        parts = cast(Any, self.parts)
        self.news = News(
            self.counters, parts, parts, parts, parts, parts, parts, lambda: self.running
        )
        self.lease = NodeLease(B, "b1", "there", 7, sessions=12)

    def test_joined(self) -> None:
        """
        One that is back has its addresses, and its journals are asked for.
        """
        self.news.joined(self.lease)
        self.assertEqual(self.parts.notes, [("giveBack", B, self.lease), ("nodeJoined", B)])
        self.assertEqual(self.counters, {"joined": 1})

    def test_suspected(self) -> None:
        """
        Of one that is suspected nobody needs to know.
        """
        self.news.suspected(self.lease)
        self.assertEqual((self.parts.notes, self.counters), ([], {"suspected": 1}))

    def test_died(self) -> None:
        """
        The process that is dead is named only where that is certain; how many calls
        it had is told in any case.
        """
        for certain, instance in ((True, "b1"), (False, "")):
            member = cast(Any, _Death(self.lease, certain))
            self.parts.notes.clear()
            self.news.died(member)
            self.assertEqual(
                self.parts.notes,
                [
                    ("unsettle",),
                    ("nodeDied", B),
                    ("nodeDied", B, instance, 12),
                    ("take", self.lease),
                ],
            )
        self.assertEqual(self.counters, {"died": 2})

    def test_orphaned(self) -> None:
        """
        Calls of a node that nobody has seen are taken over.
        """
        self.news.orphaned(B)
        self.assertEqual(self.parts.notes, [("unsettle",), ("nodeDied", B)])

    def test_notOrphaned(self) -> None:
        """
        Those of one that others have seen are not, nor are any while this node
        does not run.
        """
        self.parts.seen = True
        self.news.orphaned(B)
        self.parts.seen, self.running = False, False
        self.news.orphaned(B)
        self.assertEqual(self.parts.notes, [])

    def test_failure(self) -> None:
        """
        An error that nobody foresaw is logged.
        """
        self.parts.seen = ValueError("bug")
        self.news.orphaned(B)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)


@define
class _Death:
    """
    What L{siprec.cluster.membership.Member} has of it.
    """

    lease: NodeLease
    certain: bool
