"""
Tests for L{siprec.sip.layer}: requests of our own.
"""

from twisted.internet.defer import CancelledError

from siprec.sip.interfaces import FlowGone, TransactionTimeout
from siprec.sip.message import Request, Response, makeResponse
from tests.sip.layercase import LayerTestCase
from tests.sip.traffic import TCP, UDP, answer, request

OTHER_WAY = "SIP/2.0/UDP 192.0.2.8:5060;branch=z9hG4bKotherway"


class SendTests(LayerTestCase):
    """
    Requests of our own.
    """

    def ask(self, method: str = "UPDATE") -> Request:
        """
        @return: a request without Via, as a dialog makes it.
        """
        asked = request(method, toTag="t")
        return Request(method, asked.uri, asked.headers.without("Via"), b"body")

    def sent(self) -> Request:
        """
        @return: the only message sent since this was last asked.
        """
        (message,) = self.wire.take()
        assert isinstance(message, Request)
        return message

    def test_send(self) -> None:
        """
        A request goes out with a new Via of ours; the response ends the wait.
        """
        result = self.layer.sendRequest(self.ask(), UDP)
        sent = self.sent()
        self.assertEqual(
            (sent.via.transport, sent.via.host, sent.via.port), ("UDP", "192.0.2.9", 5060)
        )
        self.assertTrue(sent.via.hasParam("rport"))
        self.assertTrue(str(sent.via.branch).startswith("z9hG4bK"))
        self.assertEqual(sent.body, b"body")
        self.assertNoResult(result)
        self.receive(answer(sent, 200))
        self.assertEqual(self.successResultOf(result).status, 200)
        self.clock.advance(5)
        self.receive(answer(sent, 200))
        self.assertEqual(self.layer.counters["strayResponses"], 1)

    def test_branches(self) -> None:
        """
        Each request has a branch of its own.
        """
        self.layer.sendRequest(self.ask(), UDP).addErrback(lambda _: None)
        self.layer.sendRequest(self.ask(), UDP).addErrback(lambda _: None)
        first, second = self.wire.take()
        self.assertNotEqual(first.via.branch, second.via.branch)

    def test_invite(self) -> None:
        """
        Provisional responses and further 2xx go to the callback; the ACK to a
        2xx has its own branch and no transaction.
        """
        seen: list[Response] = []
        result = self.layer.sendRequest(self.ask("INVITE"), TCP, seen.append)
        invite = self.sent()
        ok = answer(invite, 200)
        self.receive(answer(invite, 180), ok, ok, flow=TCP)
        self.assertEqual([response.status for response in seen], [180, 200])
        self.successResultOf(result)
        self.layer.sendAck(self.ask("ACK"), TCP)
        ack = self.sent()
        self.assertEqual((ack.method, ack.via.transport), ("ACK", "TCP"))
        self.assertNotEqual(ack.via.branch, invite.via.branch)

    def test_ackNotSent(self) -> None:
        """
        An ACK that cannot be sent is counted.
        """
        self.wire.gone = True
        self.layer.sendAck(self.ask("ACK"), UDP)
        self.assertEqual(self.layer.counters["sendFailures"], 1)

    def test_callbackFails(self) -> None:
        """
        A callback that fails is logged; the request goes on.
        """

        def explode(response: Response) -> None:
            raise ZeroDivisionError

        result = self.layer.sendRequest(self.ask("INVITE"), UDP, explode)
        invite = self.sent()
        self.receive(answer(invite, 180), answer(invite, 486))
        self.assertEqual(self.successResultOf(result).status, 486)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_failures(self) -> None:
        """
        A request fails if nobody answers in 64*T1, or if it cannot be sent.
        """
        result = self.layer.sendRequest(self.ask(), TCP)
        self.clock.advance(32)
        self.failureResultOf(result, TransactionTimeout)
        self.wire.gone = True
        self.failureResultOf(self.layer.sendRequest(self.ask(), TCP), FlowGone)

    def test_F_bcast(self) -> None:
        """
        A response with more than our own Via is not for us (RFC 3261 section
        8.1.3.3, RFC 4475 section 3.3.10), nor is one of unknown branch.
        """
        result = self.layer.sendRequest(self.ask(), UDP)
        ok = answer(self.sent(), 200)
        two = Response(200, "OK", ok.headers.adding("Via", OTHER_WAY))
        self.receive(two, answer(request(), 200))
        self.assertNoResult(result)
        self.assertEqual(self.layer.counters["strayResponses"], 2)
        self.receive(ok)
        self.successResultOf(result)

    def test_cancel(self) -> None:
        """
        To cancel the Deferred of an INVITE sends a CANCEL of the same branch.
        """
        result = self.layer.sendRequest(self.ask("INVITE"), UDP)
        invite = self.sent()
        self.receive(answer(invite, 100))
        result.cancel()
        self.failureResultOf(result, CancelledError)
        cancel = self.sent()
        self.assertEqual((cancel.method, cancel.via), ("CANCEL", invite.via))
        self.receive(makeResponse(cancel, 200), answer(invite, 487))
        self.assertEqual(self.sent().method, "ACK")

    def test_cancelUnanswered(self) -> None:
        """
        A CANCEL that nobody answers is given up in silence.
        """
        result = self.layer.sendRequest(self.ask("INVITE"), TCP)
        invite = self.sent()
        self.receive(answer(invite, 100))
        result.cancel()
        self.failureResultOf(result, CancelledError)
        self.clock.advance(32)
        self.assertEqual(self.clock.getDelayedCalls(), [])
