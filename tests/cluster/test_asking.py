"""
Tests of L{siprec.cluster.asking}.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.asking import Asking
from siprec.cluster.errors import Unreachable
from siprec.ids import NodeID
from tests.cluster.relaycase import FakeLinks

A, B, C = NodeID("a"), NodeID("b"), NodeID("c")


class AskingTests(SynchronousTestCase):
    """
    Node a asks b and c.
    """

    def setUp(self) -> None:
        self.every: dict[NodeID, FakeLinks] = {}
        self.answers: dict[NodeID, Any] = {B: False, C: False}
        for name in (A, B, C):
            self.every[name] = links = FakeLinks(name, self.every)
            links.handle("kind", partial(self.answer, name))
        self.asking = Asking(self.every[A], lambda: (B, C))

    def answer(self, node: NodeID, peer: Any, body: Any) -> Any:
        """
        Say what the test wants to be said.
        """
        return self.answers[node]

    def find(self) -> Deferred[NodeID | None]:
        """
        Ask them.
        """
        return Deferred.fromCoroutine(self.asking.find("kind", {}))

    def test_none(self) -> None:
        """
        No node says yes.
        """
        self.assertIsNone(self.successResultOf(self.find()))

    def test_one(self) -> None:
        """
        One says yes, after some time; until then nobody is told.
        """
        later: Deferred[bool] = Deferred()
        self.answers[B] = later
        finding = self.find()
        self.assertNoResult(finding)
        self.assertEqual(self.asking.underWay, 1)
        later.callback(True)
        self.assertEqual(self.successResultOf(finding), B)
        self.assertEqual(self.asking.underWay, 0)

    def test_failures(self) -> None:
        """
        Nodes that fail, or answer something else than yes, do not have it.
        """
        self.answers.update({B: fail(Unreachable(B, "no")), C: succeed("true")})
        self.assertIsNone(self.successResultOf(self.find()))

    def test_unreachable(self) -> None:
        """
        Nor do those that are not reached; the others are asked all the same.
        """
        self.every[A].gone.add(B)
        self.answers[C] = True
        self.assertEqual(self.successResultOf(self.find()), C)

    def test_alone(self) -> None:
        """
        Without another node there is nobody to ask.
        """
        self.asking = Asking(self.every[A], tuple)
        self.assertIsNone(self.successResultOf(self.find()))

    def test_tooMany(self) -> None:
        """
        Invented requests do not become a flood between the nodes: at most 100 are
        asked about at once.
        """
        held = self.every[A].held = []
        waiting = [self.find() for _ in range(100)]
        asked = len(self.every[A].asked)
        self.assertIsNone(self.successResultOf(self.find()))
        self.assertEqual((asked, len(self.every[A].asked)), (200, 200))
        for bring in held:
            bring()
        for each in waiting:
            self.assertIsNone(self.successResultOf(each))
        self.every[A].held = None
        self.answers[C] = True
        self.assertEqual(self.successResultOf(self.find()), C)
