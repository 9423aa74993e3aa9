"""
Tests of L{siprec.cluster.table}.
"""

from __future__ import annotations

from siprec.cluster.link import Link
from siprec.cluster.table import LinkTable
from siprec.ids import NodeID
from tests.cluster.linkcase import A, B, LinkCase


class TableTests(LinkCase):
    """
    The links of C{A} and of C{B}, which lead to each other.
    """

    def setUp(self) -> None:
        super().setUp()
        self.ofA, self.ofB = LinkTable(A.nodeID), LinkTable(B.nodeID)

    def more(self) -> tuple[Link, Link]:
        """
        @return: another connection that C{A} opened, in both tables.
        """
        self.join()
        self.ofA.add(self.near)
        self.ofB.add(self.far)
        return self.near, self.far

    def test_find(self) -> None:
        """
        A link is found by the node, and by its instance where that is known.
        """
        self.assertIsNone(self.ofA.find(B.nodeID, None))
        near, _ = self.more()
        self.assertIs(self.ofA.find(B.nodeID, None), near)
        self.assertIs(self.ofA.find(B.nodeID, "b1"), near)
        self.assertIsNone(self.ofA.find(B.nodeID, "b2"))
        self.assertIsNone(self.ofA.find(NodeID("c"), None))

    def test_open(self) -> None:
        """
        A link that closes is not found any more.
        """
        near, _ = self.more()
        near.close()
        self.assertIsNone(self.ofA.find(B.nodeID, None))
        self.network.settle()
        self.ofA.remove(near)
        self.ofA.remove(near)
        self.assertEqual(list(self.ofA), [])

    def test_neverThere(self) -> None:
        """
        A link that was never authenticated can be removed.
        """
        self.ofA.remove(self.makeNear())

    def test_same(self) -> None:
        """
        Both ends choose the same of two: the one that the node with the lower name
        opened, whichever came first.
        """
        for order in (0, 1):
            near, far = self.more()
            other, back = self.more()
            # As if B had opened this one.
            other.ours, back.ours = False, True
            for table, link in ((self.ofA, other), (self.ofB, back)):
                if order:
                    table.remove(link)
                    table.add(link)
            self.assertIs(self.ofA.find(B.nodeID, "b1"), near)
            self.assertIs(self.ofB.find(A.nodeID, "a1"), far)
            for table in (self.ofA, self.ofB):
                for link in table:
                    table.remove(link)

    def test_notSilent(self) -> None:
        """
        Before all else, one that is not silent is chosen; then the newest.
        """
        first, _ = self.more()
        second, _ = self.more()
        self.assertIs(self.ofA.find(B.nodeID, "b1"), second)
        for _ in range(4):
            second.beat()
        self.assertIs(self.ofA.find(B.nodeID, "b1"), first)
