"""
Tests of L{siprec.session.running}: recordings of other nodes.
"""

from __future__ import annotations

import os

from siprec.ids import NodeID
from siprec.session.model import NodeLease
from siprec.session.running import Orphan
from tests.session.recordings import NODE, OTHER, identity
from tests.session.test_running import RunningTestCase


class LeftTests(RunningTestCase):
    """
    What other nodes on the same directory have left.
    """

    def orphan(self, number: int = 0) -> Orphan:
        """
        @return: a recording of the other node, in C{2026/x}.
        """
        return Orphan(OTHER, identity(number), os.path.join(self.root, "2026", "x"))

    def test_left(self) -> None:
        """
        Recordings of a process that is gone are found, and stay where they are.
        """
        self.mark(OTHER, identity(), b"2026/x")
        running = self.node()
        self.assertEqual(running.left(), [self.orphan()])
        self.assertEqual(running.left(), [self.orphan()])
        self.assertEqual((self.marked(OTHER), self.marked(NODE)), ([identity()], []))

    def test_alive(self) -> None:
        """
        Those of a process that lives are not; nor are this node's own.
        """
        self.node(OTHER)
        self.mark(OTHER, identity(), b"2026/x")
        running = self.node()
        self.mark(NODE, identity(1), b"2026/y")
        self.assertEqual(running.left(), [])
        self.assertEqual([each.id for each in running.own()], [identity(1)])

    def test_notHeld(self) -> None:
        """
        Looking keeps nobody from starting.
        """
        self.mark(OTHER, identity(), b"2026/x")
        self.node().left()
        self.node(OTHER)

    def test_adopt(self) -> None:
        """
        What is adopted is this node's, and no other's any more.
        """
        self.mark(OTHER, identity(), b"2026/x")
        running = self.node()
        self.assertTrue(running.adopt(self.orphan()))
        self.assertEqual((self.marked(OTHER), self.marked(NODE)), ([], [identity()]))
        self.assertFalse(self.node(NodeID("node-c")).adopt(self.orphan()))

    def test_backAgain(self) -> None:
        """
        A node that is back keeps its own.
        """
        self.mark(OTHER, identity(), b"2026/x")
        running = self.node()
        self.node(OTHER)
        self.assertFalse(running.adopt(self.orphan()))
        self.assertEqual(self.marked(OTHER), [identity()])

    def test_notAdopted(self) -> None:
        """
        What cannot be moved is left, and logged by its name.
        """
        self.mark(OTHER, identity(), b"2026/x")
        running = self.node()
        os.mkdir(self.marker(NODE, identity()))
        self.assertFalse(running.adopt(self.orphan()))
        self.assertEqual(self.marked(OTHER), [identity()])


class ForgetTests(RunningTestCase):
    """
    A recording goes on at another node.
    """

    def test_forget(self) -> None:
        """
        It is not the other node's any more, even while that has its lock: it may be
        frozen.
        """
        self.node(OTHER).add(identity(), os.path.join(self.root, "2026", "x"))
        self.node().forget(OTHER, identity())
        self.assertEqual(self.marked(OTHER), [])

    def test_nothing(self) -> None:
        """
        What is not there, as that node has a disk of its own, need not be forgotten.
        """
        running = self.node()
        running.forget(OTHER, identity())
        with open(self.marker(".", "strange"), "w"):
            pass
        running.forget(NodeID("strange"), identity())


class SharedTests(RunningTestCase):
    """
    Whether another process writes below the same directory.
    """

    def lease(self, **changes: object) -> NodeLease:
        """
        @return: of the other node, whose process is this one.
        """
        values = {"nodeID": OTHER, "host": os.uname().nodename, "pid": os.getpid(), **changes}
        return NodeLease(instance="1", **values)  # type: ignore[arg-type]

    def test_shared(self) -> None:
        """
        It does if its lock here names the process of its lease.
        """
        running = self.node()
        self.assertFalse(running.isSharedWith(self.lease()))
        self.node(OTHER)
        self.assertTrue(running.isSharedWith(self.lease()))

    def test_another(self) -> None:
        """
        Another process, or one of that number on another host, has its own disk; so
        has a node that once wrote here, under another process.
        """
        running = self.node()
        self.node(OTHER)
        self.assertFalse(running.isSharedWith(self.lease(pid=1)))
        self.assertFalse(running.isSharedWith(self.lease(host="elsewhere")))
        self.assertFalse(running.isSharedWith(self.lease(nodeID=NodeID("node-c"))))
