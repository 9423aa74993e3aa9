"""
Tests for L{siprec.sip.livetransaction}.
"""

from collections import Counter

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.sip.flow import Flow
from siprec.sip.interfaces import IServerTransaction
from siprec.sip.livetransaction import ServerTransaction
from siprec.sip.message import Request, Response, makeResponse
from siprec.sip.runner import Surroundings
from tests.sip.traffic import TCP, UDP, Wire, answer, request


class ServerTransactionTests(SynchronousTestCase):
    """
    A request of a peer, on a clock and a wire.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.wire = Wire(self.clock.seconds)
        self.counters: Counter[str] = Counter()
        self.responses: Counter[str] = Counter()
        self.around = Surroundings(self.clock, self.wire, self.counters, self.responses)
        self.acks: list[Request] = []
        self.ended: list[ServerTransaction] = []

    def make(self, asked: Request | None = None, flow: Flow = UDP) -> ServerTransaction:
        """
        @return: the transaction of a request that has just come.
        """
        asked = asked or request()

        def onAck(ack: Request, flow: Flow) -> None:
            self.acks.append(ack)

        transaction = ServerTransaction(asked, flow, self.around, onAck, self.ended.append)
        self.addCleanup(transaction.stop)
        return transaction

    def test_interface(self) -> None:
        """
        It provides what the transaction user is promised.
        """
        verifyObject(IServerTransaction, self.make())

    def test_D1_tryingAfter200ms(self) -> None:
        """
        An INVITE that is not answered within 200 ms is answered 100, without
        a To tag, and with our delay in the Timestamp (RFC 3261 sections
        8.2.6.1 and 17.2.1).
        """
        self.make(request(more=(("Timestamp", "54.2"),)))
        self.clock.advance(0.19)
        self.assertEqual(self.wire.sent, [])
        self.clock.advance(0.01)
        (trying,) = self.wire.take()
        assert isinstance(trying, Response)
        self.assertEqual((trying.status, trying.toTag), (100, None))
        self.assertEqual(trying.headers.get("Timestamp"), "54.2 0.200")

    def test_D1_tryingOnceSaved(self) -> None:
        """
        Whoever wants to do something before the 100 is asked to after 200 ms, and again;
        the 100 goes out when that is done, and once.
        """
        transaction, slow = self.make(), list[float]()
        transaction.defer(5.0, lambda: slow.append(self.clock.seconds()))
        self.clock.advance(0.2)
        self.assertEqual((slow, self.wire.sent), ([0.2], []))
        self.clock.advance(0.2)
        transaction.trying()
        transaction.trying()
        self.assertEqual(self.wire.statuses(), [100])
        self.clock.advance(10)
        self.assertEqual((slow, self.wire.sent), ([0.2, 0.4], []))

    def test_D1_tryingAtLast(self) -> None:
        """
        It goes out in the end, whatever is still to be done.
        """
        for seconds, found in ((1.0, [100]), (0.1, [])):
            self.make().defer(seconds)
            self.clock.advance(0.19)
            self.assertEqual(self.wire.sent, [])
            self.clock.pump([0.02, 0.78])
            self.assertEqual(self.wire.statuses(), [100][len(found) :])
            self.clock.advance(0.02)
            self.assertEqual(self.wire.statuses(), found)

    def test_D1_tryingReliable(self) -> None:
        """
        Where no INVITE is repeated, the 100 does not wait.
        """
        transaction, slow = self.make(flow=TCP), list[float]()
        transaction.defer(5.0, lambda: slow.append(self.clock.seconds()))
        self.clock.advance(0.2)
        self.assertEqual((slow, self.wire.statuses()), ([], [100]))

    def test_tryingTooLate(self) -> None:
        """
        There is no 100 after the final answer, nor when somebody else answers.
        """
        transaction = self.make()
        transaction.respond(answer(transaction.request, 200))
        transaction.trying()
        self.assertEqual(self.wire.statuses(), [200])
        other = self.make()
        other.stop()
        other.trying()
        self.clock.advance(2)
        self.assertEqual((self.wire.sent, self.responses), ([], {"200": 1}))

    def test_repeat(self) -> None:
        """
        A rejection can be sent again unasked, until its ACK; a 2xx is its user's.
        """
        transaction = self.make()
        transaction.respond(answer(transaction.request, 486))
        transaction.repeat()
        self.assertEqual(self.wire.statuses(), [486, 486])
        transaction.acknowledge(request("ACK", toTag="srs1"))
        transaction.repeat()
        accepted = self.make()
        accepted.respond(answer(accepted.request, 200))
        accepted.repeat()
        self.assertEqual(self.wire.statuses(), [200])

    def test_noTryingAfterAnswer(self) -> None:
        """
        An INVITE that is answered in time gets no 100.
        """
        for status in (180, 200, 486):
            transaction = self.make()
            transaction.respond(answer(transaction.request, status))
            self.clock.advance(0.3)
            self.assertEqual(self.wire.statuses(), [status])

    def test_D1_tryingOfOthers(self) -> None:
        """
        Another request gets a 100 only when its sender's timer E has reached
        T2 (RFC 4320 section 4.1).
        """
        self.make(request("INFO"))
        self.clock.advance(3.49)
        self.assertEqual(self.wire.sent, [])
        self.clock.advance(0.01)
        self.assertEqual(self.wire.statuses(), [100])

    def test_D1_forbiddenAnswers(self) -> None:
        """
        To other requests than INVITE there are no provisional responses of the
        user, and no 408 (RFC 4320 section 4).
        """
        transaction = self.make(request("INFO"))
        for status in (100, 183, 408):
            self.assertRaises(ValueError, transaction.respond, answer(transaction.request, status))
        self.assertEqual(self.wire.sent, [])

    def test_rejectionRepeats(self) -> None:
        """
        Until the ACK a rejection over UDP is sent again after T1, 2*T1 and so
        on up to T2, for 64*T1 (RFC 3261 section 17.2.1).
        """
        transaction = self.make()
        transaction.respond(answer(transaction.request, 486))
        self.clock.pump([0.5] * 20)
        self.assertEqual([when for when, _, _ in self.wire.sent], [0, 0.5, 1.5, 3.5, 7.5])
        self.clock.pump([0.5] * 44)
        self.assertEqual(self.ended, [transaction])
        self.assertEqual(self.counters["unacknowledgedRejections"], 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_acknowledged(self) -> None:
        """
        The ACK ends the repetition, and the transaction ends T4 later; a
        second ACK is counted and dropped.
        """
        transaction = self.make()
        transaction.respond(answer(transaction.request, 486))
        transaction.acknowledge(request("ACK", toTag="srs1"))
        transaction.acknowledge(request("ACK", toTag="srs1"))
        self.assertEqual(self.counters["strayAcks"], 1)
        self.clock.advance(4.9)
        self.assertEqual((self.ended, len(self.wire.sent)), ([], 1))
        self.clock.advance(0.1)
        self.assertEqual(self.ended, [transaction])
        self.assertEqual(self.acks, [])

    def test_accepted(self) -> None:
        """
        After a 2xx, copies of the INVITE are absorbed, the user repeats the
        2xx, and the ACK goes to the user, for 64*T1 on TCP too.
        """
        transaction = self.make(flow=TCP)
        transaction.respond(answer(transaction.request, 200))
        transaction.again(transaction.received, TCP)
        self.assertEqual(self.wire.statuses(), [200])
        transaction.respond(answer(transaction.request, 200))
        self.assertEqual(self.wire.statuses(), [200])
        ack = request("ACK", toTag="srs1")
        transaction.acknowledge(ack)
        self.assertEqual(self.acks, [ack])
        self.clock.advance(31.9)
        self.assertEqual(self.ended, [])
        self.clock.advance(0.1)
        self.assertEqual(self.ended, [transaction])
        self.assertEqual(self.responses, Counter({"200": 2}))

    def test_sameBytesAgain(self) -> None:
        """
        A copy of another request is answered with the very same bytes.
        """
        transaction = self.make(request("BYE", toTag="srs1"))
        transaction.respond(answer(transaction.request, 200))
        transaction.again(transaction.received, UDP)
        (_, _, first), (_, _, second) = self.wire.sent
        self.assertIs(first, second)

    def test_lateResponse(self) -> None:
        """
        Of two different final responses, the second is counted and dropped:
        CANCEL and 200 do cross.
        """
        transaction = self.make()
        self.assertFalse(transaction.answered)
        transaction.respond(answer(transaction.request, 200))
        transaction.respond(answer(transaction.request, 487))
        self.assertEqual(self.wire.statuses(), [200])
        self.assertEqual(self.counters["lateResponses"], 1)
        self.assertEqual((transaction.answered, transaction.status), (True, 200))

    def test_toTag(self) -> None:
        """
        The tag is that of the request, else fresh until the user chooses one.
        """
        self.assertEqual(self.make(request(toTag="known")).toTag, "known")
        transaction = self.make()
        fresh = transaction.toTag
        self.assertGreaterEqual(len(fresh), 8)
        transaction.respond(makeResponse(transaction.request, 100))
        self.assertEqual(transaction.toTag, fresh)
        transaction.respond(answer(transaction.request, 180, "mine"))
        self.assertEqual(transaction.toTag, "mine")

    def test_D1_transportErrorKeepsState(self) -> None:
        """
        If a response cannot be sent, that is counted, and the transaction
        answers the next copy of the request (RFC 6026 section 7.1).
        """
        transaction = self.make(request("BYE", toTag="srs1"))
        self.wire.gone = True
        transaction.respond(answer(transaction.request, 200))
        self.assertEqual(self.counters["sendFailures"], 1)
        self.wire.gone = False
        transaction.again(transaction.received, UDP)
        self.assertEqual(self.wire.statuses(), [200])

    def test_copyFromElsewhere(self) -> None:
        """
        A copy that comes by another way does not change where the answer goes.
        """
        transaction = self.make(request("BYE", toTag="srs1"))
        transaction.respond(answer(transaction.request, 200))
        transaction.again(transaction.received, TCP)
        self.assertEqual([flow for _, flow, _ in self.wire.sent], [UDP, UDP])

    def test_restored(self) -> None:
        """
        One that another process has answered sends nothing by itself, neither
        the answer nor a 100; a copy gets the same bytes, by the way it came.
        """
        asked = request("BYE", toTag="srs1", via="SIP/2.0/TCP 192.0.2.7;rport;branch=z9hG4bKx")
        given = answer(asked, 200)
        transaction = self.make(asked, evolve(TCP, connection=0))
        transaction.restore(given, 20)
        self.clock.advance(5)
        self.assertEqual(self.wire.sent, [])
        transaction.again(asked, TCP)
        self.assertEqual(self.wire.sent, [(5, TCP, given.serialize())])
        self.assertEqual(transaction.request.via.param("rport"), "40000")
        self.clock.advance(14.9)
        self.assertEqual(self.ended, [])
        self.clock.advance(0.1)
        self.assertEqual(self.ended, [transaction])
        self.assertEqual(self.responses, Counter())

    def test_restoredAcceptance(self) -> None:
        """
        After a 2xx copies of the INVITE are absorbed, the user repeats the
        2xx, to where the last copy came from, and the ACK goes to the user.
        """
        transaction = self.make(flow=evolve(TCP, connection=0))
        given = answer(transaction.request, 200)
        transaction.restore(given, 7)
        self.assertEqual((transaction.status, transaction.toTag), (200, "srs1"))
        transaction.again(transaction.received, TCP)
        self.assertEqual(self.wire.sent, [])
        transaction.respond(given)
        self.assertEqual(self.wire.sent, [(0, TCP, given.serialize())])
        ack = request("ACK", toTag="srs1")
        transaction.acknowledge(ack)
        self.assertEqual(self.acks, [ack])
        self.clock.advance(7)
        self.assertEqual(self.ended, [transaction])

    def test_restoredRejection(self) -> None:
        """
        A rejection over UDP is repeated until its ACK, for the time that is
        left.
        """
        transaction = self.make()
        transaction.restore(answer(transaction.request, 488), 2.0)
        self.clock.pump([0.5] * 3)
        self.assertEqual([when for when, _, _ in self.wire.sent], [0.5, 1.5])
        self.clock.advance(0.5)
        self.assertEqual(self.ended, [transaction])
        acknowledged = self.make()
        acknowledged.restore(answer(acknowledged.request, 488), 2.0)
        acknowledged.acknowledge(request("ACK", toTag="srs1"))
        self.wire.sent.clear()
        self.clock.advance(5)
        self.assertEqual((self.ended[1:], self.wire.sent), ([acknowledged], []))

    def test_stopped(self) -> None:
        """
        A stopped transaction sends nothing, even if its user answers late.
        """
        transaction = self.make()
        transaction.stop()
        transaction.respond(answer(transaction.request, 486))
        self.assertEqual((self.wire.sent, self.clock.getDelayedCalls()), ([], []))
