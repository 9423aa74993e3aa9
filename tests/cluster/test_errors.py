"""
Tests of L{siprec.cluster.errors}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.cluster.errors import LinkError, LinkLost, PeerFailed, PeerLeft, Unreachable
from siprec.ids import NodeID


class ErrorTests(SynchronousTestCase):
    """
    What errors carry.
    """

    def test_facts(self) -> None:
        """
        They say what is wrong, and who it is about.
        """
        failed, unreachable = PeerFailed("KeyError", "k"), Unreachable(NodeID("n"), "refused")
        self.assertEqual((failed.name, failed.text, str(failed)), ("KeyError", "k", "KeyError: k"))
        self.assertEqual((unreachable.nodeID, str(unreachable)), ("n", "n: refused"))

    def test_kinds(self) -> None:
        """
        Who catches L{LinkError} catches all, and who left is lost, too.
        """
        self.assertTrue(issubclass(PeerLeft, LinkLost))
        for kind in (PeerFailed, Unreachable, LinkLost):
            self.assertTrue(issubclass(kind, LinkError))
