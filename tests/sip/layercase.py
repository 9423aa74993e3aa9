"""
What the tests of the transaction layer have in common.
"""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.flow import Flow
from siprec.sip.layer import SipLayer
from siprec.sip.message import Request, Response
from tests.sip.traffic import UDP, User, Wire, answer


class LayerTestCase(SynchronousTestCase):
    """
    A layer between a wire and a user.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.wire = Wire(self.clock.seconds)
        self.user = User()
        self.layer = SipLayer(self.clock, self.wire, self.user)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(self.layer.stop)

    def receive(self, *messages: Request | Response, flow: Flow = UDP) -> None:
        """
        These messages come.
        """
        for message in messages:
            self.layer.messageReceived(message, flow)

    def respond(self, status: int, index: int = -1) -> None:
        """
        The user answers a request.
        """
        transaction = self.user.requests[index]
        transaction.respond(answer(transaction.request, status))
