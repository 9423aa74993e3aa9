"""
Tests for L{siprec.sip.layer}: requests that another node answers.
"""

from attrs import evolve
from twisted.internet.defer import Deferred

from siprec.sip.interfaces import FlowGone
from siprec.sip.message import Request, Response, makeResponse
from tests.sip.layercase import LayerTestCase
from tests.sip.traffic import TCP, UDP, answer, request


class HasTests(LayerTestCase):
    """
    What there is a transaction of.
    """

    def test_has(self) -> None:
        """
        A copy of a request, its ACK and its CANCEL belong to its transaction, as
        long as that lasts; other requests do not.
        """
        self.assertFalse(self.layer.has(request()))
        self.receive(request())
        for method in ("INVITE", "ACK", "CANCEL"):
            self.assertTrue(self.layer.has(request(method)))
        self.assertFalse(self.layer.has(request(number=3)))
        self.assertFalse(self.layer.has(request(via="SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKx")))
        self.respond(486)
        self.receive(request("ACK", toTag="srs1"))
        self.assertTrue(self.layer.has(request()))
        self.clock.advance(5)
        self.assertFalse(self.layer.has(request()))


class ForgetTests(LayerTestCase):
    """
    One request is another node's to answer.
    """

    def test_forget(self) -> None:
        """
        Nothing more is sent, no timer runs, and a copy is new.
        """
        self.receive(request("BYE", toTag="srs1"))
        [transaction] = self.user.requests
        self.layer.forget(request("BYE", toTag="srs1"))
        self.assertFalse(self.layer.has(request("BYE")))
        self.assertEqual((self.clock.getDelayedCalls(), self.wire.sent), ([], []))
        self.assertEqual(self.user.ended, [transaction])
        self.receive(request("BYE", toTag="srs1"))
        self.assertEqual(len(self.user.requests), 2)

    def test_unknown(self) -> None:
        """
        What is not there need not be forgotten; nor is the INVITE with its CANCEL.
        """
        self.layer.forget(request("BYE"))
        self.receive(request(), request("CANCEL"))
        self.layer.forget(request("CANCEL"))
        self.assertTrue(self.layer.has(request()))
        self.layer.forget(request())
        self.assertFalse(self.layer.has(request()))
        self.assertEqual(self.user.ended, self.user.requests)


class ForgetDialogTests(LayerTestCase):
    """
    Another process has a dialog.
    """

    def ours(self, method: str) -> tuple[Request, Deferred[Response]]:
        """
        Send a request of our own in the dialog.

        @return: it, as it was sent, and its answer.
        """
        asked = request(method, toTag="src1")
        headers = asked.headers.replacing("From", "<sip:srs@192.0.2.9>;tag=srs1")
        sending = self.layer.sendRequest(evolve(asked, headers=headers.without("Via")), UDP)
        sent = self.wire.take()[-1]
        assert isinstance(sent, Request)
        return sent, sending

    def forget(self) -> None:
        """
        The dialog is another's.
        """
        self.layer.forgetDialog("call-1", "srs1", "src1")

    def test_responses(self) -> None:
        """
        No response is sent again, and a copy of a request is new here: it is for the
        other one, which knows what was answered.
        """
        self.receive(request(toTag="srs1"))
        self.respond(491)
        self.wire.take()
        self.forget()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertFalse(self.layer.has(request()))

    def test_firstInvite(self) -> None:
        """
        The INVITE that made the dialog belongs to it by the tag of its answer.
        """
        self.receive(request())
        self.respond(200)
        self.forget()
        self.assertFalse(self.layer.has(request()))

    def test_requests(self) -> None:
        """
        Requests of our own fail and are not repeated; neither CANCEL nor ACK is sent.
        """
        for method in ("INVITE", "UPDATE"):
            sent, sending = self.ours(method)
            self.receive(makeResponse(sent, 100))
            self.forget()
            self.failureResultOf(sending, FlowGone)
            self.receive(makeResponse(sent, 200))
            self.clock.advance(40)
            self.assertEqual(self.wire.take(), [])

    def test_others(self) -> None:
        """
        Other dialogs stay as they are.
        """
        self.receive(request("BYE", toTag="other"))
        self.receive(request("UPDATE", number=9))
        sent, sending = self.ours("UPDATE")
        self.layer.forgetDialog("call-1", "srs1", "somebody")
        self.layer.forgetDialog("call-2", "srs1", "src1")
        self.assertEqual(len(self.user.ended), 0)
        self.receive(makeResponse(sent, 200))
        self.assertEqual(self.successResultOf(sending).status, 200)


class OtherNodeTests(LayerTestCase):
    """
    Requests that came by way of other nodes.
    """

    def test_copyByAnother(self) -> None:
        """
        The answer goes where the last copy came from: the node that the first one came
        by may be dead.
        """
        via = "SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1"
        asked = request("UPDATE", via=via, toTag="srs1")
        self.receive(asked, flow=evolve(UDP, relay="a"))
        self.respond(200)
        self.receive(asked, flow=evolve(UDP, relay="c"))
        self.receive(asked)
        flows = [flow for _, flow, _ in self.wire.sent]
        self.assertEqual([flow.relay for flow in flows], ["a", "c", ""])
        self.wire.sent.clear()

    def test_own(self) -> None:
        """
        What came here itself is answered as it always was.
        """
        asked = request("UPDATE", via="SIP/2.0/TCP 192.0.2.7;branch=z9hG4bK1", toTag="srs1")
        self.receive(asked, flow=TCP)
        self.user.requests[0].respond(answer(asked, 200))
        self.assertEqual([flow for _, flow, _ in self.wire.sent], [TCP])
