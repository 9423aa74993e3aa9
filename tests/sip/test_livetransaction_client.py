"""
Tests for L{siprec.sip.livetransaction}: client transactions.
"""

from collections import Counter

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.flow import Flow
from siprec.sip.interfaces import FlowGone, TransactionTimeout
from siprec.sip.livetransaction import ClientTransaction
from siprec.sip.message import Request, Response
from siprec.sip.runner import Surroundings
from tests.sip.traffic import TCP, UDP, Wire, answer, request


class ClientTransactionTests(SynchronousTestCase):
    """
    A request of ours, on a clock and a wire.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.wire = Wire(self.clock.seconds)
        self.counters: Counter[str] = Counter()
        self.around = Surroundings(self.clock, self.wire, self.counters, Counter())
        self.responses: list[int] = []
        self.ended = 0
        self.cancels = 0
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def start(self, asked: Request, flow: Flow = UDP) -> ClientTransaction:
        """
        @return: the transaction of a request that has just been sent.
        """

        def onResponse(response: Response) -> None:
            self.responses.append(response.status)

        def onEnd(transaction: ClientTransaction) -> None:
            self.ended += 1

        def onCancel(transaction: ClientTransaction) -> None:
            self.cancels += 1

        transaction = ClientTransaction(asked, flow, self.around, onResponse, onEnd, onCancel)
        transaction.start()
        return transaction

    def test_invite(self) -> None:
        """
        Provisional responses and the further 2xx go to the callback, the first
        2xx to the Deferred.
        """
        invite = request()
        transaction = self.start(invite)
        self.clock.advance(0.5)
        self.assertEqual(self.wire.methods(), ["INVITE", "INVITE"])
        for status in (100, 180, 200, 200):
            transaction.received(answer(invite, status))
        self.assertEqual(self.successResultOf(transaction.result).status, 200)
        self.assertEqual(self.responses, [100, 180, 200])
        self.clock.advance(32)
        self.assertEqual(self.ended, 1)

    def test_rejected(self) -> None:
        """
        A rejection of an INVITE is acknowledged here, each time it comes.
        """
        invite = request()
        transaction = self.start(invite)
        transaction.received(answer(invite, 488))
        transaction.received(answer(invite, 488))
        self.assertEqual(self.wire.methods(), ["INVITE", "ACK", "ACK"])
        self.assertEqual(self.successResultOf(transaction.result).status, 488)
        self.assertEqual(self.responses, [])
        self.clock.advance(32)
        self.assertEqual(self.ended, 1)

    def test_strayResponse(self) -> None:
        """
        A response that has no meaning any more is counted and dropped.
        """
        bye = request("BYE", toTag="x")
        transaction = self.start(bye)
        transaction.received(answer(bye, 200))
        transaction.received(answer(bye, 200))
        self.successResultOf(transaction.result)
        self.assertEqual(self.counters["strayResponses"], 1)
        self.clock.advance(5)

    def test_timeout(self) -> None:
        """
        A request without an answer is repeated at the times of timer E, and
        fails after 64*T1.
        """
        transaction = self.start(request("BYE", toTag="x"))
        self.clock.pump([0.5] * 64)
        times = [when for when, _, _ in self.wire.sent]
        self.assertEqual(times, [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5])
        self.failureResultOf(transaction.result, TransactionTimeout)
        self.assertEqual(self.ended, 1)

    def test_gone(self) -> None:
        """
        If nothing can be sent, it fails at once, and no timer is left.
        """
        self.wire.gone = True
        for asked in (request(), request("BYE", toTag="x")):
            transaction = self.start(asked)
            self.failureResultOf(transaction.result, FlowGone)
        self.assertEqual((self.ended, self.counters["sendFailures"]), (2, 2))

    def test_ackNotSent(self) -> None:
        """
        If the ACK to a rejection cannot be sent, the rejection counts all the same.
        """
        invite = request()
        transaction = self.start(invite)
        self.wire.gone = True
        transaction.received(answer(invite, 488))
        self.assertEqual(self.successResultOf(transaction.result).status, 488)
        self.assertEqual(self.ended, 1)

    def test_cancelOther(self) -> None:
        """
        Whoever does not wait any more for the answer to another request just
        forgets it: such a request cannot be cancelled.
        """
        transaction = self.start(request("BYE", toTag="x"))
        transaction.result.cancel()
        self.failureResultOf(transaction.result, CancelledError)
        self.assertEqual((self.ended, self.cancels), (1, 0))

    def test_cancelInvite(self) -> None:
        """
        CANCEL follows once there was a provisional response; the 487 ends it.
        """
        invite = request()
        transaction = self.start(invite)
        transaction.received(answer(invite, 100))
        transaction.result.cancel()
        self.failureResultOf(transaction.result, CancelledError)
        self.assertEqual(self.cancels, 1)
        transaction.received(answer(invite, 487))
        self.assertEqual(self.wire.methods(), ["INVITE", "ACK"])
        self.assertEqual(self.responses, [100, 487])
        self.clock.advance(32)

    def test_cancelInviteEarly(self) -> None:
        """
        Before any response CANCEL must wait (RFC 3261 section 9.1).
        """
        invite = request()
        transaction = self.start(invite)
        transaction.result.cancel()
        self.failureResultOf(transaction.result, CancelledError)
        self.assertEqual(self.cancels, 0)
        transaction.received(answer(invite, 100))
        transaction.received(answer(invite, 180))
        self.assertEqual(self.cancels, 1)
        # A peer of RFC 2543 may never send the 487.
        self.clock.advance(32)
        self.assertEqual(self.ended, 1)

    def test_cancelInviteNeverAnswered(self) -> None:
        """
        An INVITE that is not wanted any more still ends after 64*T1.
        """
        transaction = self.start(request(), TCP)
        transaction.result.cancel()
        self.failureResultOf(transaction.result, CancelledError)
        self.clock.advance(32)
        self.assertEqual((self.ended, self.cancels), (1, 0))

    def test_cancelTooLate(self) -> None:
        """
        A 2xx that crosses the CANCEL goes to the callback, since it wants an ACK.
        """
        invite = request()
        transaction = self.start(invite)
        transaction.received(answer(invite, 100))
        transaction.result.cancel()
        self.failureResultOf(transaction.result, CancelledError)
        transaction.received(answer(invite, 200))
        self.assertEqual(self.responses, [100, 200])
        self.clock.advance(32)
        self.assertEqual(self.ended, 1)
