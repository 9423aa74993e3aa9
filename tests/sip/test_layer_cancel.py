"""
Tests for L{siprec.sip.layer}: CANCEL, and requests that come by two ways.
"""

from siprec.sip.message import Response
from tests.sip.layercase import LayerTestCase
from tests.sip.traffic import request

OTHER_WAY = "SIP/2.0/UDP 192.0.2.8:5060;branch=z9hG4bKotherway"
OLD = "SIP/2.0/UDP 192.0.2.7:5060"


class CancelTests(LayerTestCase):
    """
    CANCEL (RFC 3261 section 9.2).
    """

    def test_D3_cancel(self) -> None:
        """
        The CANCEL of an open INVITE is answered 200, with the tag of the
        INVITE's answers, and told to the user.
        """
        self.receive(request())
        self.respond(180)
        self.receive(request("CANCEL"), request("CANCEL"))
        _, *accepted = self.wire.take()
        self.assertEqual([message.toTag for message in accepted], ["srs1", "srs1"])
        self.assertEqual([str(message.cseq) for message in accepted], ["2 CANCEL"] * 2)
        self.assertEqual(self.user.cancelled, self.user.requests)
        self.respond(487)
        self.assertEqual(self.wire.statuses(), [487])

    def test_freshTag(self) -> None:
        """
        Before the user has chosen a tag, the CANCEL's answer has the one that
        the transaction proposes.
        """
        self.receive(request(), request("CANCEL"))
        (accepted,) = self.wire.take()
        self.assertEqual(accepted.toTag, self.user.requests[0].toTag)

    def test_D3_cancelTooLate(self) -> None:
        """
        After the final response CANCEL is answered 200 and has no effect.
        """
        self.receive(request())
        self.respond(200)
        self.receive(request("CANCEL"))
        self.assertEqual(self.wire.statuses(), [200, 200])
        self.assertEqual(self.user.cancelled, [])

    def test_cancelOfOther(self) -> None:
        """
        CANCEL of another request is answered 200 and has no effect.
        """
        self.receive(request("INFO", toTag="t"), request("CANCEL", toTag="t"))
        self.assertEqual(self.wire.statuses(), [200])
        self.assertEqual(self.user.cancelled, [])

    def test_D3_strayCancel(self) -> None:
        """
        A CANCEL that matches nothing is answered 481, each time the same.
        """
        self.receive(request("CANCEL"), request("CANCEL"))
        first, second = self.wire.take()
        self.assertEqual(first, second)
        assert isinstance(first, Response)
        self.assertEqual(first.status, 481)
        self.assertIsNotNone(first.toTag)
        self.assertEqual(self.layer.counters["strayCancels"], 1)
        self.assertEqual(self.user.requests, [])
        self.clock.advance(32)
        self.assertEqual(self.user.ended, [])

    def test_F_cancel2543(self) -> None:
        """
        CANCEL finds its INVITE without a branch too.
        """
        self.receive(request(via=OLD), request("CANCEL", via=OLD))
        self.assertEqual(self.user.cancelled, self.user.requests)


class MergedTests(LayerTestCase):
    """
    Merged requests (RFC 3261 section 8.2.2.2).
    """

    def test_D3_merged(self) -> None:
        """
        The same request by another way is merged, also after a 2xx.
        """
        self.receive(request())
        self.assertFalse(self.layer.merged(self.user.requests[0].request))
        self.respond(200)
        self.receive(request(via=OTHER_WAY))
        self.assertTrue(self.layer.merged(self.user.requests[1].request))

    def test_inDialog(self) -> None:
        """
        A request with a To tag is never merged.
        """
        self.receive(request(toTag="t"), request(via=OTHER_WAY, toTag="t"))
        self.assertFalse(self.layer.merged(self.user.requests[1].request))

    def test_afterRefusal(self) -> None:
        """
        After a refusal a peer may try the same request by another way (RFC
        3263 section 4.3).
        """
        self.receive(request())
        self.respond(503)
        self.receive(request(via=OTHER_WAY))
        self.assertFalse(self.layer.merged(self.user.requests[1].request))

    def test_afterTheEnd(self) -> None:
        """
        What has ended is merged with nothing.
        """
        third = "SIP/2.0/UDP 192.0.2.3:5060;branch=z9hG4bKthird"
        self.receive(request("OPTIONS"))
        self.respond(200)
        self.clock.advance(20)
        self.receive(request("OPTIONS", via=OTHER_WAY))
        self.assertTrue(self.layer.merged(self.user.requests[1].request))
        self.respond(200)
        self.clock.advance(12)
        self.assertEqual(len(self.user.ended), 1)
        self.receive(request("OPTIONS", via=third))
        self.assertTrue(self.layer.merged(self.user.requests[2].request))
        self.respond(200)
        self.clock.advance(32)
        self.receive(request("OPTIONS"))
        self.assertFalse(self.layer.merged(self.user.requests[3].request))
