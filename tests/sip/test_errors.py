"""
Tests of L{siprec.sip.errors}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.errors import BadHeader, BadMessage, BadURI, SipError


class ErrorTests(SynchronousTestCase):
    """
    The errors say whose fault it is.
    """

    def test_family(self) -> None:
        """
        All are L{SipError}; wrong text is a C{ValueError} too.
        """
        self.assertTrue(issubclass(BadMessage, SipError))
        for kind in (BadHeader, BadURI):
            self.assertTrue(issubclass(kind, SipError) and issubclass(kind, ValueError))

    def test_sample(self) -> None:
        """
        A L{BadMessage} holds 80 bytes for the log, not all that a peer sends;
        its answer is 400 unless said otherwise.
        """
        error = BadMessage("why", b"x" * 1000)
        self.assertEqual((str(error), error.sample), ("why", b"x" * 80))
        self.assertEqual((error.status, error.request), (400, None))
