"""
Tests of L{siprec.media.recvmmsg}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.media.recvmmsg import findRecvmmsg


class FindTests(SynchronousTestCase):
    """
    L{findRecvmmsg}.
    """

    def test_elsewhere(self) -> None:
        """
        Where pointers are not 64 bits, or the C library has no such function, there is
        none.
        """
        self.assertIsNone(findRecvmmsg(pointer=4))
        self.assertIsNone(findRecvmmsg(name="recvmmsg_of_no_library"))
