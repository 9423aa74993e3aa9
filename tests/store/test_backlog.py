"""
Tests of L{siprec.store.backlog}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.store.backlog import Backlog, Copy, Deletion, Extension, Step
from tests.store.contract import makeData
from tests.store.samples import N1, N2


class BacklogTests(SynchronousTestCase):
    """
    The backlog holds the latest of each session, and no more than its limit.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.backlog = Backlog(3, self.clock.seconds)

    def write(self, key: str = "a", version: int = 1, ttl: float = 100.0) -> bool:
        """
        A record was written.
        """
        return self.backlog.write(makeData(key, version=version, epoch=1), ttl)

    def only(self) -> Step:
        """
        @return: the one step that there is.
        """
        ((_, step),) = self.backlog.next(10)
        return step

    def test_empty(self) -> None:
        """
        At first there is nothing to do.
        """
        self.assertEqual(self.backlog.next(10), [])
        self.assertEqual((len(self.backlog), self.backlog.age()), (0, 0.0))
        self.assertIsNone(self.backlog.copy("a"))
        self.assertFalse(self.backlog.deleted("a"))

    def test_latest(self) -> None:
        """
        Of several writes of a session the newest is left, whatever the order
        of their answers; it is late since the first.
        """
        self.write(version=1)
        self.clock.advance(5)
        self.write(version=3)
        self.write(version=2)
        step = self.only()
        assert isinstance(step, Copy)
        self.assertEqual((step.data.version, step.until, step.since), (3, 105.0, 0.0))
        self.assertEqual((len(self.backlog), self.backlog.age()), (1, 5.0))

    def test_extend(self) -> None:
        """
        More time is a step of its own, or part of the write that waits.
        """
        self.backlog.extend("a", 50.0, 1)
        step = self.only()
        assert isinstance(step, Extension)
        self.assertEqual((step.epoch, step.until), (1, 50.0))
        self.write(ttl=100.0)
        self.clock.advance(10)
        self.backlog.extend("a", 200.0, 1)
        step = self.only()
        assert isinstance(step, Copy)
        self.assertEqual((step.until, step.since), (210.0, 0.0))

    def test_delete(self) -> None:
        """
        A deletion takes the place of what was to be written before, and goes
        before what is written after.
        """
        self.write()
        self.clock.advance(5)
        self.backlog.delete("a")
        step = self.only()
        assert isinstance(step, Deletion)
        self.assertEqual(step.since, 0.0)
        self.assertTrue(self.backlog.deleted("a"))
        self.write(version=1)
        self.assertFalse(self.backlog.deleted("a"))
        self.assertEqual(len(self.backlog), 2)
        self.assertIs(self.only(), step)
        self.backlog.done("a", step)
        self.assertIsInstance(self.only(), Copy)

    def test_createdAgain(self) -> None:
        """
        A record that was created again begins at version 1, and is newer.
        """
        self.write(version=9)
        self.backlog.delete("a")
        for version in (1, 2):
            self.write(version=version)
        copy = self.backlog.copy("a")
        assert copy is not None
        self.assertEqual(copy.version, 2)

    def test_done(self) -> None:
        """
        A step that was taken is gone; one that came meanwhile is not.
        """
        self.write(version=1)
        step = self.only()
        self.write(version=2)
        self.backlog.done("a", step)
        self.assertEqual(len(self.backlog), 1)
        self.backlog.done("a", self.only())
        self.backlog.done("a", step)
        self.assertEqual(len(self.backlog), 0)

    def test_limit(self) -> None:
        """
        What does not fit pushes the oldest out, which is counted.
        """
        self.assertEqual([self.write(key) for key in "abcd"], [True, True, True, False])
        self.assertEqual([key for key, _ in self.backlog.next(10)], ["b", "c", "d"])
        self.assertEqual([key for key, _ in self.backlog.next(2)], ["b", "c"])
        self.assertEqual(self.backlog.dropped, 1)
        self.assertFalse(self.backlog.extend("e", 1.0, 1))

    def test_deletionsLast(self) -> None:
        """
        Changes push no deletion out; too many deletions do.
        """
        self.backlog.delete("x")
        for key in "abcd":
            self.write(key)
        self.assertTrue(self.backlog.deleted("x"))
        self.assertEqual([self.backlog.delete(key) for key in "yzw"], [True, True, False])
        self.assertFalse(self.backlog.deleted("x"))

    def test_copy(self) -> None:
        """
        What waits to be told can be read, for as long as it lives.
        """
        self.write(ttl=10.0)
        self.clock.advance(4)
        copy = self.backlog.copy("a")
        assert copy is not None
        self.assertEqual((copy, copy.remaining), (makeData("a", version=1, epoch=1), 6.0))
        self.clock.advance(6)
        self.assertIsNone(self.backlog.copy("a"))
        self.backlog.extend("b", 10.0, 1)
        self.assertIsNone(self.backlog.copy("b"))

    def test_corrected(self) -> None:
        """
        A list of the second store is put right by what it does not know yet.
        """
        self.backlog.delete("gone")
        self.write("new")
        self.backlog.write(makeData("moved", nodeID=N2, version=2, epoch=2), 100.0)
        listed = self.backlog.corrected(["gone", "moved", "old"], lambda data: data.nodeID == N1)
        self.assertEqual(listed, ["old", "new"])
