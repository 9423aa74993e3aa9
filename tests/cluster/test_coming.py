"""
Tests of L{siprec.cluster.coming}; more of them are in
L{tests.cluster.test_cluster}.
"""

from __future__ import annotations

from siprec.session.model import SessionData
from tests.cluster.nodecase import ClusterTestCase


class ComingTests(ClusterTestCase):
    """
    C{n1} had a call and is gone; C{n2} owns its record.
    """

    def setUp(self) -> None:
        super().setUp()
        self.a, self.b = self.nodes
        self.call()
        self.recordingID = self.key()
        self.coming = self.b.cluster.coming

    def claimed(self) -> SessionData:
        """
        @return: the record.
        """
        data = self.memory.claim(self.recordingID, self.b.node, 1)
        self.a.recorder.letGo(self.recordingID)
        self.a.state.adapter.forget(self.recordingID)
        return data

    def test_takeUp(self) -> None:
        """
        The call is on its way until it is here.
        """
        self.b.workers.held = []
        taking = self.coming.takeUp(self.claimed())
        self.assertTrue(self.coming.has(self.recordingID))
        self.b.workers.finish()
        self.successResultOf(taking)
        self.assertFalse(self.coming.has(self.recordingID))
        self.assertEqual(list(self.b.service.recordings), [self.recordingID])

    def test_beingGiven(self) -> None:
        """
        One that this node was giving to the dead goes on as if nothing had been.
        """
        data = self.record(self.recordingID)
        self.a.cluster.giver.underWay.begin(self.recordingID)
        self.successResultOf(self.a.cluster.coming.takeUp(data))
        self.assertEqual(self.a.cluster.coming.keys, set())
        self.a.cluster.giver.underWay.end(self.recordingID)

    def test_draining(self) -> None:
        """
        A node that drains gives it away again.
        """
        began: list[bool] = []
        self.patch(type(self.b.cluster.emptying), "begin", lambda emptying: began.append(True))
        self.b.service.draining = True
        self.successResultOf(self.coming.takeUp(self.claimed()))
        self.assertEqual(began, [True])

    def test_loads(self) -> None:
        """
        The load of the others is what their leases say.
        """
        self.wait(2)
        self.assertEqual(self.a.cluster.coming.loads(), (1, [0]))
        self.assertEqual(self.coming.loads(), (0, [1]))
