"""
Tests of L{siprec.shell.views}; more of them are in
L{tests.shell.test_commands}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from siprec.shell.views import NodeView, StoreView
from tests.shell.kit import ShellNode
from tests.uas.kit import RecorderTestCase


class _Store:
    """
    A store with one method that reads and one that writes.
    """

    def list(self) -> Deferred[list[str]]:
        """
        See L{siprec.store.interfaces.ISnapshotStore}.
        """
        return succeed(["1"])

    def delete(self, key: str) -> None:
        """
        Must not be reached.
        """
        raise AssertionError(key)


class StoreViewTests(SynchronousTestCase):
    """
    The store is read only.
    """

    def setUp(self) -> None:
        self.view = StoreView(_Store())

    def test_reads(self) -> None:
        """
        Its reading methods can be called, and are named.
        """
        self.assertEqual(self.successResultOf(self.view.list()), ["1"])
        self.assertEqual(dir(self.view), ["list"])
        self.assertEqual(repr(self.view), "_Store: list()")

    def test_writes(self) -> None:
        """
        The others cannot; the error says what can.
        """
        error = self.assertRaises(AttributeError, getattr, self.view, "delete")
        self.assertEqual(str(error), "the shell only reads: list")


class NodeViewTests(RecorderTestCase):
    """
    What is shown of the node.
    """

    def setUp(self) -> None:
        super().setUp()
        self.node = ShellNode(self.house)
        self.view = NodeView(self.node)

    def test_objects(self) -> None:
        """
        It leads to the objects themselves.
        """
        self.src.call()
        self.assertEqual(self.view.calls, list(self.house.recorder.calls.values()))
        self.assertEqual(
            list(self.view.recordings.values()), list(self.house.service.recordings.values())
        )
        self.assertIs(self.view.settings, self.node.settings)

    def test_shown(self) -> None:
        """
        It shows where it listens, IPv6 in brackets, and that it takes calls.
        """
        shown = repr(self.view)
        self.assertIn("udp 192.0.2.1:5060, tcp [2001:db8::1]:5060", shown)
        self.assertRegex(shown, r"HTTP +off")
        self.node.httpAddress = ("127.0.0.1", 8080)
        self.assertRegex(repr(self.view), r"HTTP +127\.0\.0\.1:8080")
