"""
Tests of L{siprec.cluster.knowledge}; more of them are in
L{tests.cluster.test_cluster}.
"""

from __future__ import annotations

from siprec.ids import NodeID
from tests.cluster.nodecase import ClusterTestCase


class KnowledgeTests(ClusterTestCase):
    """
    Two nodes, the first one with a call.
    """

    def setUp(self) -> None:
        super().setUp()
        self.src = self.call()
        self.a, self.b = (each.cluster.knowledge for each in self.nodes)

    def test_knows(self) -> None:
        """
        A call is known where it is, and while it goes, at both ends.
        """
        key = self.key()
        self.assertEqual([each.knows(key) for each in (self.a, self.b)], [True, False])
        self.nodes[1].workers.held = []
        giving = self.given()
        self.assertEqual([each.knows(key) for each in (self.a, self.b)], [True, True])
        self.nodes[1].workers.finish()
        self.successResultOf(giving)
        self.assertTrue(self.b.knows(key))

    def test_has(self) -> None:
        """
        So are its dialog and its transactions.
        """
        bye = self.src.make("BYE")
        self.assertEqual([each.has(bye) for each in (self.a, self.b)], [True, False])

    def test_unsettled(self) -> None:
        """
        After a death it takes 32 seconds until all first INVITEs are over.
        """
        self.assertFalse(self.a.unsettled())
        self.a.unsettle()
        self.wait(31.9)
        self.assertTrue(self.a.unsettled())
        self.wait(0.2)
        self.assertFalse(self.a.unsettled())

    def test_isDead(self) -> None:
        """
        A node that nobody knows is as dead for this as it is for membership; one
        that lives is not.
        """
        membership, unknown = self.nodes[0].cluster.membership, NodeID("n9")
        self.assertFalse(self.a.isDead(self.nodes[1].node))
        self.assertEqual(self.a.isDead(unknown), membership.isDead(unknown))

    def test_others(self) -> None:
        """
        The other nodes that live; the store is believed while it takes the beats.
        """
        self.assertEqual(list(self.a.others()), [self.nodes[1].node])
        self.assertTrue(self.a.isSure())
        self.nodes[0].store.away = True
        self.wait(2.0)
        self.assertFalse(self.a.isSure())
