"""
Tests for L{siprec.sip.layer}: transactions that another process has answered.
"""

from attrs import evolve

from siprec.sip.interfaces import IServerTransaction
from siprec.sip.message import Request, Response
from tests.sip.layercase import LayerTestCase
from tests.sip.traffic import TCP, UDP, answer, request

GONE = evolve(TCP, connection=0)
NEW = evolve(TCP, remote=("192.0.2.7", 40001), connection=2)


class AdoptTests(LayerTestCase):
    """
    Copies of requests are no news to a layer that never saw the first one.
    """

    def adopt(
        self, asked: Request, status: int = 200, seconds: float = 20.0
    ) -> tuple[IServerTransaction, Response]:
        """
        @return: the transaction and its response.
        """
        response = answer(asked, status)
        return self.layer.adopt(asked, UDP, response, seconds), response

    def test_G4_copy(self) -> None:
        """
        A copy is answered with the same bytes as long as the transaction would
        have lived, and is new after that.
        """
        asked = request("BYE", toTag="srs1")
        _, response = self.adopt(asked)
        self.clock.advance(19.9)
        self.receive(asked)
        self.assertEqual([data for _, _, data in self.wire.sent], [response.serialize()])
        self.assertEqual((self.user.requests, self.layer.requests), ([], {}))
        self.assertEqual(self.layer.counters["retransmissions"], 1)
        self.clock.advance(0.1)
        self.assertEqual(len(self.user.ended), 1)
        self.receive(asked)
        self.assertEqual(len(self.user.requests), 1)

    def test_newConnection(self) -> None:
        """
        Where the first connection is gone, a copy is answered on the one that
        it comes by; a reliable transport makes no copies of its own, but a
        peer whose connection broke does.
        """
        asked = request("UPDATE", via="SIP/2.0/TCP 192.0.2.7;branch=z9hG4bKt", toTag="srs1")
        self.layer.adopt(asked, GONE, answer(asked, 200), 20)
        self.clock.advance(1)
        self.receive(asked, flow=NEW)
        self.assertEqual([flow for _, flow, _ in self.wire.sent], [NEW])

    def test_otherRequest(self) -> None:
        """
        What differs in branch, number or method is another request.
        """
        self.adopt(request("UPDATE", toTag="srs1"))
        other = "SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKother"
        self.receive(
            request("UPDATE", toTag="srs1", via=other),
            request("UPDATE", toTag="srs1", number=3),
            request("BYE", toTag="srs1"),
        )
        self.assertEqual(len(self.user.requests), 3)

    def test_F_inv2543(self) -> None:
        """
        The rules of RFC 2543 hold where there is no magic cookie, also for the
        ACK to a rejection, whose tag must be that of the response.
        """
        asked = request(via="SIP/2.0/UDP 192.0.2.7:5060;branch=1")
        self.adopt(asked, 488)
        self.receive(asked)
        self.assertEqual(self.wire.statuses(), [488])
        ack = request("ACK", via="SIP/2.0/UDP 192.0.2.7:5060;branch=1", toTag="srs1")
        self.receive(ack)
        self.assertEqual(self.user.acks, [])
        self.clock.advance(10)
        self.assertEqual(self.wire.sent, [])

    def test_accepted(self) -> None:
        """
        A copy of an accepted INVITE is absorbed, its ACK goes to the user, and
        the user can repeat the 2xx.
        """
        asked = request()
        transaction, response = self.adopt(asked)
        self.receive(asked)
        self.assertEqual((self.wire.sent, self.user.requests), ([], []))
        transaction.respond(response)
        self.assertEqual([data for _, _, data in self.wire.sent], [response.serialize()])
        self.receive(request("ACK", toTag="srs1"))
        self.assertEqual(len(self.user.acks), 1)

    def test_cancel(self) -> None:
        """
        A CANCEL of it comes too late, and is answered (RFC 3261 section 9.2).
        """
        self.adopt(request())
        self.receive(request("CANCEL"))
        self.assertEqual(self.wire.statuses(), [200])
        self.assertEqual(self.user.cancelled, [])

    def test_merged(self) -> None:
        """
        The same INVITE by another way is seen to be that (RFC 3261 section
        8.2.2.2).
        """
        self.adopt(request())
        other = request(via="SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKother")
        self.receive(other)
        self.assertTrue(self.layer.merged(self.user.requests[0].request))

    def test_here(self) -> None:
        """
        A transaction that is here already stays as it is.
        """
        asked = request()
        self.receive(asked)
        transaction, _ = self.adopt(asked)
        self.assertIs(transaction, self.user.requests[0])
        self.assertFalse(transaction.answered)

    def test_nothingKept(self) -> None:
        """
        After its time nothing is left of it.
        """
        self.adopt(request())
        self.adopt(request("BYE", toTag="srs1"), seconds=1)
        self.clock.advance(20)
        self.assertEqual((self.layer._servers, self.layer._initial), ({}, {}))
