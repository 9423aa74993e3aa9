"""
Tests for L{siprec.sip.layer}.
"""

from zope.interface.verify import verifyObject

from siprec.sip.errors import BadMessage
from siprec.sip.headers import Headers
from siprec.sip.interfaces import (
    FlowGone,
    IMessageReceiver,
    ISipTransport,
    ITransactionUser,
)
from siprec.sip.layer import SipLayer
from siprec.sip.message import Request, Response
from tests.sip.layercase import LayerTestCase
from tests.sip.traffic import BRANCH, UDP, User, answer, request

OTHER_WAY = "SIP/2.0/UDP 192.0.2.8:5060;branch=z9hG4bKotherway"
OLD = "SIP/2.0/UDP 192.0.2.7:5060"


class RequestTests(LayerTestCase):
    """
    Requests of peers.
    """

    def test_interfaces(self) -> None:
        """
        The layer provides what the transport needs; the test's neighbours
        provide what the layer needs.
        """
        verifyObject(IMessageReceiver, self.layer)
        verifyObject(ISipTransport, self.wire)
        verifyObject(ITransactionUser, self.user)

    def test_request(self) -> None:
        """
        A new request goes to the user, once; copies are absorbed and counted.
        """
        self.receive(request(), request(), request())
        (transaction,) = self.user.requests
        self.assertEqual((transaction.request, transaction.flow), (request(), UDP))
        self.assertEqual(self.layer.counters["retransmissions"], 2)
        self.assertEqual(self.layer.requests["INVITE"], 1)

    def test_stamped(self) -> None:
        """
        The user sees the Via with what is known of the source.
        """
        self.receive(request(via=f"SIP/2.0/UDP a.example.com;rport;branch={BRANCH}"))
        via = self.user.requests[0].request.via
        self.assertEqual((via.param("received"), via.param("rport")), ("192.0.2.7", "5060"))

    def test_copyAfterAnswer(self) -> None:
        """
        A copy of an answered request is answered the same; the end is told.
        """
        self.receive(request("BYE", toTag="t"))
        self.respond(200)
        self.receive(request("BYE", toTag="t"))
        self.assertEqual(self.wire.statuses(), [200, 200])
        self.clock.advance(32)
        self.assertEqual(self.user.ended, self.user.requests)
        self.receive(request("BYE", toTag="t"))
        self.assertEqual(len(self.user.requests), 2)

    def test_methodsDoNotMix(self) -> None:
        """
        A request of another method is another transaction, whatever its branch.
        """
        self.receive(request(), request("OPTIONS"))
        self.assertEqual([tx.request.method for tx in self.user.requests], ["INVITE", "OPTIONS"])

    def test_reusedBranch(self) -> None:
        """
        A peer that uses its branch again with a new CSeq sends a new request.
        """
        self.receive(request(), request(number=3, toTag="t"))
        self.assertEqual(len(self.user.requests), 2)

    def test_J1_overlappingInvites(self) -> None:
        """
        Two INVITEs of one dialog may be open at the same time; each has its own
        transaction.
        """
        other = "SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKsecond"
        self.receive(request(number=3, toTag="t"), request(number=4, toTag="t", via=other))
        self.respond(200, 0)
        self.respond(200, 1)
        sent = [message.cseq.number for message in self.wire.take()]
        self.assertEqual(sent, [3, 4])
        self.assertFalse(self.layer.merged(self.user.requests[1].request))

    def test_ackOfRejection(self) -> None:
        """
        The ACK to a rejection ends with its transaction.
        """
        self.receive(request())
        self.respond(486)
        self.receive(request("ACK", toTag="srs1"))
        self.assertEqual(self.user.acks, [])
        self.clock.advance(5)
        self.assertEqual(self.user.ended, self.user.requests)

    def test_ackOfAcceptance(self) -> None:
        """
        The ACK to a 2xx has a branch of its own and goes to the user, as does
        one that uses the branch of the INVITE.
        """
        self.receive(request())
        self.respond(200)
        own = request("ACK", via="SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKack", toTag="srs1")
        self.receive(own, request("ACK", toTag="srs1"))
        self.assertEqual(len(self.user.acks), 2)

    def test_F_inv2543(self) -> None:
        """
        Without a branch, a copy of the INVITE is found by the rules of RFC
        2543, and so is the ACK to a rejection, by our tag (RFC 3261 section 17.2.3).
        """
        self.receive(request(via=OLD), request(via=OLD))
        self.assertEqual(len(self.user.requests), 1)
        self.respond(486)
        self.receive(request("ACK", via=OLD, toTag="other"))
        self.assertEqual(len(self.user.acks), 1)
        self.receive(request("ACK", via=OLD, toTag="srs1"))
        self.assertEqual(len(self.user.acks), 1)
        self.clock.advance(5)
        self.assertEqual(self.user.ended, self.user.requests)

    def test_D1_trying(self) -> None:
        """
        An INVITE the user does not answer within 200 ms gets a 100 of the layer.
        """
        self.receive(request())
        self.clock.advance(0.2)
        self.assertEqual(self.wire.statuses(), [100])
        self.receive(request())
        self.assertEqual(self.wire.statuses(), [100])

    def test_unknownMethods(self) -> None:
        """
        A peer cannot fill the counters with methods it makes up.
        """
        self.receive(request("FOO"), request("BAR"))
        self.assertEqual(self.layer.requests, {"other": 2})

    def test_nothingKept(self) -> None:
        """
        When all transactions have ended, the layer remembers none of them.
        """
        for number in range(9):
            via = f"SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK{number}"
            self.receive(request(number=number, via=via), request("CANCEL", via, number))
            self.respond(487)
            self.receive(request("ACK", via, number, "srs1"))
            self.receive(request("OPTIONS", via, number))
            self.respond(200)
            asked = request("INFO", toTag="t")
            self.layer.sendRequest(asked, UDP).addErrback(lambda _: None)
        self.clock.advance(32)
        layer = self.layer
        self.assertEqual((layer._servers, len(layer._clients), layer._initial), ({}, 0, {}))

    def test_noUserYet(self) -> None:
        """
        While there is no user, requests are answered 503 and the rest is dropped.
        """
        layer = SipLayer(self.clock)
        self.addCleanup(layer.stop)
        layer.transport = self.wire
        self.assertIs(layer.transport, self.wire)
        layer.messageReceived(request("OPTIONS"), UDP)
        layer.messageReceived(request("ACK"), UDP)
        self.assertEqual(self.wire.statuses(), [503])
        self.assertEqual(layer.counters["withoutUser"], 1)
        self.clock.advance(32)

    def test_stop(self) -> None:
        """
        After the stop nothing is taken, nothing sent, and no timer runs.
        """
        self.receive(request(), request("OPTIONS"))
        waiting = self.layer.sendRequest(request("INFO", toTag="t"), UDP)
        self.wire.sent.clear()
        self.layer.stop()
        self.failureResultOf(waiting, FlowGone)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.receive(request("INFO"))
        self.layer.badMessage(BadMessage("x", request=request()), UDP)
        self.respond(486, 0)
        self.failureResultOf(self.layer.sendRequest(request("INFO", toTag="t"), UDP), FlowGone)
        self.assertEqual((len(self.user.requests), self.wire.sent), (2, []))
        self.assertEqual(self.layer.counters["afterStop"], 1)


class TroubleTests(LayerTestCase):
    """
    Bad messages, and users that fail.
    """

    def bad(self, status: int | None = 400, asked: Request | None = None) -> None:
        """
        A bad message comes.
        """
        self.layer.badMessage(BadMessage('bad "thing" \xe9', b"x", status, asked), UDP)

    def test_D3_badRequest(self) -> None:
        """
        A bad request is answered with the status of its error, the reason in a
        Warning, and the same tag each time (RFC 3261 section 8.2.7).
        """
        asked = request(via=f"SIP/2.0/UDP x.example.com;branch={BRANCH}")
        self.bad(505, asked)
        self.bad(505, asked)
        first, second = self.wire.take()
        self.assertEqual(first, second)
        assert isinstance(first, Response)
        self.assertEqual(first.status, 505)
        self.assertEqual(first.via.param("received"), "192.0.2.7")
        self.assertIsNotNone(first.toTag)
        self.assertEqual(first.headers.get("Warning"), r'399 siprec "bad \"thing\" ?"')
        self.assertEqual(self.layer.counters["badRequests"], 2)

    def test_noAnswer(self) -> None:
        """
        Responses, ACKs, noise, and what has no usable Via, are counted and dropped.
        """
        broken = Request("INVITE", "sip:x", Headers([("Via", "nonsense")]))
        self.bad(None, request())
        self.bad(400, None)
        self.bad(400, broken)
        self.bad(400, request("ACK"))
        self.assertEqual(self.wire.sent, [])
        self.assertEqual(self.layer.counters["badMessages"], 4)

    def test_badRequestNotSent(self) -> None:
        """
        If the answer to a bad request cannot be sent, that is counted.
        """
        self.wire.gone = True
        self.bad(400, request())
        self.assertEqual(self.layer.counters["sendFailures"], 1)

    def test_J12_ackWithoutCSeq(self) -> None:
        """
        An ACK without CSeq is dropped; the call goes on.
        """
        self.receive(request())
        self.respond(200)
        ack = request("ACK", toTag="srs1")
        self.bad(400, Request("ACK", ack.uri, ack.headers.without("CSeq")))
        self.receive(request("ACK", toTag="srs1"))
        self.assertEqual(self.wire.statuses(), [200])
        self.assertEqual(len(self.user.acks), 1)

    def test_userFails(self) -> None:
        """
        If the user fails, the request is answered 500, the failure is logged
        and counted, and the next request is served.
        """
        self.user.raising = ZeroDivisionError("user")
        self.receive(request("OPTIONS"))
        self.assertEqual(self.wire.statuses(), [500])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.layer.counters["unhandledErrors"], 1)
        self.user.raising = None
        self.receive(request("INFO"))
        self.assertEqual(len(self.user.requests), 2)

    def test_userFailsAfterAnswer(self) -> None:
        """
        A user that fails after its final answer gets no second one.
        """

        class Answering(User):
            def requestReceived(self, transaction, request, flow):  # type: ignore[no-untyped-def]
                transaction.respond(answer(request, 200))
                raise ZeroDivisionError

        self.layer.user = Answering()
        self.receive(request("OPTIONS"))
        self.assertEqual(self.wire.statuses(), [200])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_userFailsElsewhere(self) -> None:
        """
        A failure at an ACK or at the end concerns nothing else; at a CANCEL
        the INVITE is answered 500.
        """
        self.receive(request())
        self.user.raising = ZeroDivisionError("user")
        self.receive(request("CANCEL"), request("ACK", via=OTHER_WAY))
        self.assertEqual(self.wire.statuses(), [200, 500])
        self.receive(request("ACK"))
        self.clock.advance(5)
        self.assertEqual(len(self.user.ended), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)
        self.assertEqual(self.layer.counters["unhandledErrors"], 3)

    def test_brokenTransport(self) -> None:
        """
        A transport that fails in an unforeseen way is logged and counted.
        """
        self.wire.broken = True
        self.receive(request("OPTIONS"))
        self.respond(200)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.layer.counters["sendFailures"], 1)

    def test_unforeseenMessage(self) -> None:
        """
        A message that no parser should have let through is logged and dropped.
        """
        self.receive(Request("INVITE", "sip:x", Headers()), Response(200))
        self.assertEqual(self.layer.counters["unhandledErrors"], 1)
        self.assertEqual(self.layer.counters["strayResponses"], 1)
        self.assertEqual(len(self.flushLoggedErrors()), 1)
