"""
Tests of L{siprec.uas.peers}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.uas.peers import Peers


class PeersTests(SynchronousTestCase):
    """
    What is known of peers.
    """

    def test_learned(self) -> None:
        """
        Of a peer that was never asked nothing is known; of others what they did last.
        """
        peers = Peers()
        self.assertIsNone(peers.takesReinvite("192.0.2.7"))
        peers.answered("192.0.2.7", False)
        peers.answered("192.0.2.8", True)
        self.assertIs(peers.takesReinvite("192.0.2.7"), False)
        self.assertIs(peers.takesReinvite("192.0.2.8"), True)
        peers.answered("192.0.2.7", True)
        self.assertIs(peers.takesReinvite("192.0.2.7"), True)

    def test_most(self) -> None:
        """
        Not more than 1,000 are remembered, those that were met last.
        """
        peers = Peers()
        for number in range(1000):
            peers.answered(str(number), True)
        peers.answered("0", False)
        peers.answered("1000", True)
        self.assertIs(peers.takesReinvite("0"), False)
        self.assertIsNone(peers.takesReinvite("1"))
        self.assertIs(peers.takesReinvite("2"), True)
