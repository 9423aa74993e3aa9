"""
Tests of L{siprec.cluster.taking}: what a call that goes back leaves on a disk that is
the taker's own.
"""

from __future__ import annotations

import glob
import os

from siprec.ids import NodeID
from siprec.sip.message import Request
from tests.cluster.fakenodes import FakeNode
from tests.cluster.nodecase import ClusterTestCase
from tests.uas.kit import offer


class OwnDisksTests(ClusterTestCase):
    """
    The peer does not take the taker's media, so that the giver keeps the call.
    """

    byAddress = False

    def setUp(self) -> None:
        super().setUp()
        self.a, self.b = self.nodes
        self.src = self.call()
        self.recordingID = self.key()

    def make(self, number: int, **options: object) -> FakeNode:
        """
        @return: a node with a disk of its own.
        """
        name = NodeID(f"n{number}")
        return FakeNode(
            *(name, os.path.join(self.root, name), self.clock, self.memory, self.wires),
            self.byAddress,
            options,
        )

    def refuse(self, status: int = 488) -> None:
        """
        Have C{n1} give the call, and the peer answer the re-INVITE of C{n2} like this.
        """
        giving = self.given()
        [request] = self.b.wire.take()
        assert isinstance(request, Request)
        self.src.house = self.b  # type: ignore[assignment]
        if status == 200:
            contact = ("Contact", self.src.contact)
            self.src.answer(request, status, contact, body=offer(version=2))
        else:
            self.src.answer(request, status)
        self.assertEqual(self.successResultOf(giving), status == 200)
        if status != 200:
            self.src.house = self.a  # type: ignore[assignment]
            self.assertEqual(self.owners(), ["n1"])

    def folders(self, node: str) -> list[str]:
        """
        @return: those of recordings on a node's disk.
        """
        return glob.glob(os.path.join(self.root, node, "*", "*", "*", self.recordingID))

    def marked(self, node: str) -> list[str]:
        """
        @return: what is marked as unfinished on a node's disk.
        """
        return os.listdir(os.path.join(self.root, node, ".running", node))

    def test_nothing(self) -> None:
        """
        Nothing is left at the taker, and the giver has all that it had.
        """
        self.refuse()
        self.assertEqual((self.folders("n2"), self.marked("n2")), ([], []))
        self.assertEqual((len(self.folders("n1")), len(self.marked("n1"))), (1, 1))
        self.assertEqual(self.src.bye().status, 200)
        self.wait(1)
        self.assertEqual((self.manifest["state"], self.manifest["nodes"]), ("complete", ["n1"]))

    def test_again(self) -> None:
        """
        The same node may be given the same call again at once.
        """
        self.refuse()
        self.refuse(200)
        self.wait(11)
        self.assertEqual((len(self.folders("n2")), len(self.b.calls)), (1, 1))
        self.assertEqual(self.marked("n2"), [self.recordingID])

    def test_recorded(self) -> None:
        """
        What came in at the taker before the peer refused is kept.
        """
        giving = self.given()
        [folder] = self.folders("n2")
        with open(os.path.join(folder, "2-0.rtpdump"), "wb") as file:
            file.write(b"packets")
        [request] = self.b.wire.take()
        assert isinstance(request, Request)
        self.src.house = self.b  # type: ignore[assignment]
        self.src.answer(request, 488)
        self.src.house = self.a  # type: ignore[assignment]
        self.assertFalse(self.successResultOf(giving))
        self.assertEqual((self.folders("n2"), self.marked("n2")), ([folder], []))
        self.assertIn("2-0.rtpdump", os.listdir(folder))
