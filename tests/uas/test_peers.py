"""
Tests of L{siprec.uas.peers}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from siprec.uas.peers import Peers


class PeersTests(SynchronousTestCase):
    """
    What is known of peers.
    """

    def setUp(self) -> None:
        self.peers = Peers()

    def test_unknown(self) -> None:
        """
        Nothing is known of whom we have not met.
        """
        self.assertIsNone(self.peers.takesReinvite("192.0.2.1"))
        self.assertIsNone(self.peers.takesSnapshotRequest("192.0.2.1"))

    def test_learned(self) -> None:
        """
        The last answer counts, and one thing says nothing of the other.
        """
        self.peers.answered("192.0.2.1", True)
        self.peers.answered("192.0.2.1", False)
        self.assertFalse(self.peers.takesReinvite("192.0.2.1"))
        self.assertIsNone(self.peers.takesSnapshotRequest("192.0.2.1"))
        self.peers.answeredSnapshotRequest("192.0.2.1", True)
        self.assertTrue(self.peers.takesSnapshotRequest("192.0.2.1"))

    def test_bounded(self) -> None:
        """
        Whom we met long ago is forgotten.
        """
        for number in range(1001):
            self.peers.answered(f"192.0.2.{number}", True)
        self.assertIsNone(self.peers.takesReinvite("192.0.2.0"))
        self.assertTrue(self.peers.takesReinvite("192.0.2.1000"))
