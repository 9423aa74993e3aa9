"""
Tests for L{siprec.testing.call}.
"""

from twisted.internet.defer import CancelledError, Deferred

from siprec.ids import newBranch
from siprec.sdp.parse import parseSDP
from siprec.sip.message import Request, Response
from siprec.testing.descriptions import sdpOf
from siprec.testing.offer import METADATA_TYPE
from tests.testing.recorder import ClientTestCase, sdp


class InviteTests(ClientTestCase):
    """
    The first INVITE.
    """

    def test_invite(self) -> None:
        """
        The INVITE is one of a recording session (CONFORMANCE A1); the 2xx is
        acknowledged, and the streams go where it says.
        """
        call = self.client.call()
        invited = Deferred.fromCoroutine(call.invite(b"<x/>", [("X-Test", "1")]))
        invite = self.taken()
        self.assertEqual((invite.method, invite.uri), ("INVITE", "sip:192.0.2.9:5060"))
        self.assertEqual(invite.headers.get("Require"), "siprec")
        self.assertEqual(invite.headers.get("X-Test"), "1")
        self.assertTrue(invite.contacts[0].hasParam("+sip.src"))
        self.assertEqual(str(invite.contacts[0].uri), "sip:src@192.0.2.1:5070")
        offer = sdpOf(invite)
        assert offer is not None
        self.assertEqual([media.port for media in parseSDP(offer).media], [30000, 30002])
        self.assertIn(b"<x/>", invite.body)
        self.answer(invite, 200, sdp(40000, 40002))
        self.assertEqual(self.successResultOf(invited).status, 200)
        ack = self.taken()
        self.assertEqual((ack.method, ack.cseq.number), ("ACK", 1))
        self.assertEqual(ack.uri, "sip:srs@192.0.2.9:5060")
        self.assertEqual(
            [leg.remote for leg in call.legs], [("192.0.2.9", 40000), ("192.0.2.9", 40002)]
        )

    def test_rejected(self) -> None:
        """
        Any final response is given as it is; the transaction acknowledges.
        """
        call = self.client.call()
        invited = Deferred.fromCoroutine(call.invite())
        invite = self.taken()
        self.answer(invite, 486)
        self.assertEqual(self.successResultOf(invited).status, 486)
        self.assertEqual(self.taken().method, "ACK")
        self.assertIsNone(call.dialog)
        self.failureResultOf(Deferred.fromCoroutine(call.bye()), ValueError)
        self.assertRaises(ValueError, call.ack)
        self.clock.advance(32)

    def test_repeatedAnswer(self) -> None:
        """
        A 2xx that comes again is acknowledged again, and noted.
        """
        call = self.client.call()
        invited = Deferred.fromCoroutine(call.invite())
        invite = self.taken()
        for _ in range(2):
            self.answer(invite, 200, sdp(40000, 40002))
            self.assertEqual(self.taken().method, "ACK")
        self.successResultOf(invited)
        self.assertEqual([response.status for response in call.responses], [200, 200])

    def test_lateACK(self) -> None:
        """
        A test may hold the ACK back.
        """
        call = self.client.call()
        invited = Deferred.fromCoroutine(call.invite(ack=False))
        self.answer(self.taken(), 200, sdp(40000, 40002))
        self.successResultOf(invited)
        self.assertEqual(self.sip.take(), [])
        call.ack()
        self.assertEqual(self.taken().method, "ACK")

    def test_cancel(self) -> None:
        """
        CANCEL is sent once a provisional response is there; the 487 is noted.
        """
        call = self.client.call()
        invited = Deferred.fromCoroutine(call.invite())
        invite = self.taken()
        self.answer(invite, 100)
        call.cancel()
        self.failureResultOf(invited, CancelledError)
        cancel = self.taken()
        self.assertEqual((cancel.method, cancel.cseq.number), ("CANCEL", 1))
        self.answer(cancel, 200)
        self.answer(invite, 487)
        self.assertEqual(self.taken().method, "ACK")
        self.assertEqual([response.status for response in call.responses], [487])
        call.cancel()

    def test_cancelTooLate(self) -> None:
        """
        If the 2xx was faster than the CANCEL, the call is acknowledged and
        ended (RFC 3261 section 9.1).
        """
        call = self.client.call()
        invited = Deferred.fromCoroutine(call.invite())
        invite = self.taken()
        self.answer(invite, 100)
        call.cancel()
        self.failureResultOf(invited, CancelledError)
        self.taken()
        self.answer(invite, 200, sdp(40000, 40002))
        ack, bye = self.sip.take()
        assert isinstance(ack, Request) and isinstance(bye, Request)
        self.assertEqual((ack.method, bye.method), ("ACK", "BYE"))
        self.answer(bye, 200)
        self.assertTrue(call.over)


class DialogTests(ClientTestCase):
    """
    What the client does in an established call.
    """

    def test_reinvite(self) -> None:
        """
        A re-INVITE offers all streams with the direction asked for, and its
        2xx is acknowledged.
        """
        call = self.established()
        done = Deferred.fromCoroutine(call.reinvite(direction="inactive"))
        request = self.taken()
        self.assertEqual((request.method, request.cseq.number), ("INVITE", 2))
        self.assertEqual(request.uri, "sip:srs@192.0.2.9:5060")
        description = parseSDP(request.body)
        self.assertEqual([description.direction(0), description.origin.version], ["inactive", 2])
        self.answer(request, 200, sdp(40000, 40002, direction="inactive"))
        self.assertEqual(self.successResultOf(done).status, 200)
        self.assertEqual((self.taken().cseq.number, call.legs[0].remote), (2, None))

    def test_offerless_A18(self) -> None:
        """
        A re-INVITE without an offer has the answer to the recorder's offer in
        its ACK.
        """
        call = self.established()
        done = Deferred.fromCoroutine(call.reinvite(b"<x/>", offer=False))
        request = self.taken()
        self.assertEqual(request.contentType, (METADATA_TYPE, ()))
        self.answer(request, 200, sdp(42000, 0))
        self.successResultOf(done)
        answer = parseSDP(self.taken().body)
        self.assertEqual([media.port for media in answer.media], [30000, 0])
        self.assertEqual(call.legs[0].remote, ("192.0.2.9", 42000))

    def test_update(self) -> None:
        """
        An UPDATE carries metadata alone, or a description with it whose
        answer is followed.
        """
        call = self.established()
        done = Deferred.fromCoroutine(call.update(b"<x/>"))
        request = self.taken()
        self.assertEqual((request.method, request.body), ("UPDATE", b"<x/>"))
        self.assertEqual(request.headers.get("Content-Disposition"), "recording-session")
        self.answer(request, 200)
        self.assertEqual(self.successResultOf(done).status, 200)
        done = Deferred.fromCoroutine(call.update(offer=True))
        self.answer(self.taken(), 200, sdp(43000, 43002))
        self.successResultOf(done)
        self.assertEqual(call.legs[1].remote, ("192.0.2.9", 43002))

    def test_otherRequests(self) -> None:
        """
        OPTIONS and others are sent within the dialog.
        """
        call = self.established()
        for method, asked in (("OPTIONS", call.options()), ("INFO", call.send("INFO"))):
            done = Deferred.fromCoroutine(asked)
            request = self.taken()
            self.assertEqual((request.method, request.toTag), (method, "srs"))
            self.answer(request, 200)
            self.assertEqual(self.successResultOf(done).status, 200)

    def test_bye_A34(self) -> None:
        """
        BYE ends the media at once, and may carry metadata.
        """
        call = self.established()
        over = call.whenOver()
        played = call.play([bytes(8000), None])
        done = Deferred.fromCoroutine(call.bye(b"<x/>"))
        self.successResultOf(played)
        self.successResultOf(over)
        request = self.taken()
        self.assertEqual((request.method, request.body), ("BYE", b"<x/>"))
        self.answer(request, 200)
        self.assertEqual(self.successResultOf(done).status, 200)
        self.successResultOf(call.whenOver())
        self.clock.advance(5)

    def test_play(self) -> None:
        """
        Every leg plays what is for it; it is over when all are.
        """
        call = self.established()
        played = call.play([bytes(320), bytes(160)])
        self.clock.advance(0.02 + 1e-9)
        self.successResultOf(played)
        self.assertEqual([len(leg.sent) for leg in call.legs], [2, 1])
        self.assertEqual(self.media[1].media[0][1], ("192.0.2.9", 40002))


class RecorderTests(ClientTestCase):
    """
    What the recorder asks for in an established call.
    """

    def test_bye(self) -> None:
        """
        BYE is accepted and ends the call.
        """
        call = self.established()
        over = call.whenOver()
        self.assertNoResult(over)
        self.ask(call, "BYE", 1)
        self.assertEqual(self.answered().status, 200)
        self.successResultOf(over)

    def test_optionsAndInfo(self) -> None:
        """
        OPTIONS says what we understand; INFO is accepted; the rest is not.
        """
        call = self.established()
        self.ask(call, "OPTIONS", 1)
        options = self.answered()
        self.assertEqual(options.status, 200)
        self.assertIn("UPDATE", options.headers.get("Allow") or "")
        self.ask(call, "INFO", 2)
        self.assertEqual(self.answered().status, 200)
        self.ask(call, "REFER", 3)
        self.assertEqual(self.answered().status, 405)
        self.assertEqual([each.method for each in call.requests], ["OPTIONS", "INFO", "REFER"])

    def test_mediaMoves(self) -> None:
        """
        A re-INVITE moves media and signalling to where it says.
        """
        call = self.established()
        self.ask(
            call, "INVITE", 1, sdp(41000, 41002, host="192.0.2.8"), Contact="<sip:srs@192.0.2.8>"
        )
        answer = self.answered()
        self.assertEqual(answer.status, 200)
        self.assertEqual(parseSDP(answer.body).direction(0), "sendonly")
        self.assertTrue(answer.contacts[0].hasParam("+sip.src"))
        self.assertEqual(call.legs[0].remote, ("192.0.2.8", 41000))
        self.ask(call, "ACK", 1)
        Deferred.fromCoroutine(call.options()).addErrback(lambda _: None)
        [(flow, _)] = self.sip.sent
        self.assertEqual(flow.remote, ("192.0.2.8", 5060))

    def test_offerless(self) -> None:
        """
        A re-INVITE without an offer is answered with ours; the answer in the
        ACK is followed.
        """
        call = self.established()
        self.ask(call, "INVITE", 1)
        offer = parseSDP(self.answered().body)
        self.assertEqual([media.port for media in offer.media], [30000, 30002])
        self.ask(call, "ACK", 1, sdp(44000, 44002))
        self.assertEqual(call.legs[0].remote, ("192.0.2.9", 44000))

    def test_update(self) -> None:
        """
        UPDATE without a description (a request for a snapshot, say) is
        answered without one.
        """
        call = self.established()
        self.ask(call, "UPDATE", 1)
        plain = self.answered()
        self.assertEqual((plain.status, plain.body), (200, b""))
        self.ask(call, "UPDATE", 2, sdp(45000, 45002))
        self.assertEqual(parseSDP(self.answered().body).direction(1), "sendonly")

    def test_refuse_J4(self) -> None:
        """
        The client can be one of those that refuse what a recorder asks.
        """
        call = self.established()
        call.refuse = {"INVITE": 488, "BYE": 405}
        self.ask(call, "INVITE", 1, sdp(41000, 41002))
        self.assertEqual(self.answered().status, 488)
        self.ask(call, "BYE", 2)
        self.assertEqual(self.answered().status, 405)
        self.assertFalse(call.over)
        self.assertEqual(call.legs[0].remote, ("192.0.2.9", 40000))
        self.clock.advance(32)

    def test_lowCSeq(self) -> None:
        """
        A request with a number that was there already gets 500.
        """
        call = self.established()
        self.ask(call, "OPTIONS", 5)
        self.answered()
        self.ask(call, "INFO", 5)
        self.assertEqual(self.answered().status, 500)

    def test_glare(self) -> None:
        """
        While a re-INVITE of ours is pending, the recorder's gets 491 (RFC 3261
        section 14.2).
        """
        call = self.established()
        done = Deferred.fromCoroutine(call.reinvite())
        request = self.taken()
        self.ask(call, "INVITE", 1, sdp(41000, 41002))
        self.assertEqual(self.answered().status, 491)
        self.answer(request, 200, sdp(40000, 40002))
        self.assertEqual(self.successResultOf(done).status, 200)
        self.clock.advance(32)

    def test_strangers(self) -> None:
        """
        What belongs to no call gets 481 and is kept.
        """
        call = self.established()
        self.ask(call, "BYE", 1, To="<sip:src@example.com>;tag=other")
        self.assertEqual(self.answered().status, 481)
        self.assertEqual([each.method for each in self.client.strangers], ["BYE"])
        self.ask(call, "ACK", 1, To="<sip:src@example.com>;tag=other")
        self.assertEqual(call.requests, [])

    def test_cancelFromRecorder(self) -> None:
        """
        A CANCEL finds every INVITE answered already, so it changes nothing.
        """
        call = self.established()
        via = f"SIP/2.0/UDP 192.0.2.9:5060;branch={newBranch()}"
        self.ask(call, "INVITE", 1, sdp(41000, 41002), Via=via)
        self.ask(call, "CANCEL", 1, Via=via)
        self.assertEqual([m.status for m in self.sip.take() if isinstance(m, Response)], [200, 200])
        self.ask(call, "ACK", 1)
        self.assertEqual(call.legs[0].remote, ("192.0.2.9", 41000))
