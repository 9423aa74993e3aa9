"""
Tests for L{siprec.web.interfaces}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.session import archive
from siprec.web import interfaces


class FailureTests(SynchronousTestCase):
    """
    What the interface fails with.
    """

    def test_oneName(self) -> None:
        """
        The node and the archive mean the same by a recording that there is
        not: whoever catches one catches the other.
        """
        self.assertIs(interfaces.NoSuchRecording, archive.NoSuchRecording)
