"""
Tests for L{siprec.uas.resume}: the peer's requests are answered as the process
that died would have answered them.
"""

from __future__ import annotations

from attrs import evolve

from siprec.sip.message import Request, Response
from siprec.testing.offer import makeMetadata
from siprec.uas.call import Call
from tests.uas.again import AgainTestCase
from tests.uas.kit import ONE, PEER, TWO, Src, lines, offer

HELD = (evolve(ONE, direction="inactive"), TWO)
LATER = makeMetadata(["Ann", "Carol"], ["1", "2"])


class AnswersAgainTests(AgainTestCase):
    """
    Copies of requests get the same answers, and have no other effect.
    """

    def sent(self) -> list[bytes]:
        """
        @return: what was sent since this was last asked.
        """
        messages = [data for _, data in self.house.wire.sent]
        self.house.wire.sent.clear()
        return messages

    def revive(self, later: float = 2.0) -> Call:
        """
        L{again}, and speak.
        """
        call = self.again(later)
        self.assertEqual(self.house.wire.sent, [])
        self.successResultOf(call.moveMedia())
        return call

    def copy(self, request: Request, response: Response) -> None:
        """
        Assert that a copy of this request gets this response, and nothing else
        happens.
        """
        saves = len(self.house.store.saved)
        self.assertEqual(self.src.send(request), [response])
        self.assertEqual(len(self.house.store.saved), saves)

    def test_notAcknowledged(self) -> None:
        """
        A 200 without an ACK is repeated at once, then as ever, until the ACK;
        a copy of the INVITE begins no second recording.
        """
        response = self.src.invite()
        call = self.revive()
        self.assertFalse(call.dialog.confirmed)
        self.assertFalse(self.house.store.saved[-1].dialog.confirmed)
        self.assertEqual(self.sent(), [response.serialize()])
        assert self.src.last is not None
        self.assertEqual(self.src.send(self.src.last), [])
        self.house.clock.pump([0.5, 1.0, 2.0, 4.0])
        self.assertEqual(self.sent(), [response.serialize()] * 4)
        self.src.ack()
        self.assertEqual(self.house.wait(60), [])
        self.assertTrue(self.house.store.saved[-1].dialog.confirmed)
        self.assertEqual(self.src.bye().status, 200)
        self.assertEqual(
            (self.house.manifest["state"], self.house.events()[-1]), ("complete", "bye")
        )

    def test_noACK(self) -> None:
        """
        Without an ACK within 64*T1 the call ends; what was captured is kept.
        """
        self.src.invite()
        self.revive(20.0)
        self.house.wait(31.875)
        self.assertEqual(self.house.manifest["state"], "recording")
        self.only(self.house.wait(0.25), "BYE")
        self.assertEqual(self.house.manifest["endReason"], "noAck")

    def test_noACKForLong(self) -> None:
        """
        When nobody was there for so long that the peer repeats nothing more,
        its ACK may be lost: the call goes on.
        """
        self.src.invite()
        self.revive(33.0)
        self.assertEqual(self.house.wait(60), [])
        self.assertEqual(self.src.bye().status, 200)

    def test_byeWithoutACK(self) -> None:
        """
        A peer may end what it has not acknowledged.
        """
        self.src.invite()
        self.revive()
        self.sent()
        self.assertEqual(self.src.bye().status, 200)
        self.assertEqual(self.house.wait(60), [])
        self.assertEqual(self.house.manifest["endReason"], "bye")

    def test_diedTwice(self) -> None:
        """
        A second death costs no more than the first.
        """
        response = self.src.invite()
        self.revive()
        self.first = self.house
        self.revive()
        self.assertEqual(self.sent(), [response.serialize()])
        self.src.ack()

    def test_acknowledged(self) -> None:
        """
        After the ACK nothing is repeated, and a copy of the INVITE is still no
        new call; it is one when the transaction is over.
        """
        self.src.call()
        self.revive()
        assert self.src.last is not None
        self.assertEqual(self.src.send(self.src.last), [])
        self.assertEqual(len(self.house.recorder.calls), 1)
        self.assertEqual(self.house.wait(29), [])
        self.assertEqual(self.src.send(self.src.last), [])
        self.house.wait(1)
        [response] = self.src.send(self.src.last)
        assert isinstance(response, Response)
        self.assertNotEqual(response.toTag, self.src.toTag)

    def test_merged(self) -> None:
        """
        The INVITE by another way is answered with 482, as before.
        """
        self.src.invite()
        self.revive()
        self.sent()
        assert self.src.last is not None
        other = f"SIP/2.0/UDP {PEER}:5060;branch=z9hG4bKother"
        headers = self.src.last.headers.replacing("Via", other)
        [response] = self.src.send(evolve(self.src.last, headers=headers))
        assert isinstance(response, Response)
        self.assertEqual(response.status, 482)
        self.src.ack()

    def test_reinvite(self) -> None:
        """
        A re-INVITE whose 200 was saved gets that 200, and changes nothing a
        second time.
        """
        self.src.call()
        request = self.src.make("INVITE", body=(offer(*HELD, version=2), LATER))
        response = self.src.ask(request)
        call = self.revive()
        self.assertTrue(call.dialog.confirmed)
        self.assertEqual(self.sent(), [response.serialize()])
        self.assertEqual(self.src.send(request), [])
        self.house.clock.advance(0.5)
        self.assertEqual(self.sent(), [response.serialize()])
        self.src.ack()
        self.assertEqual(self.house.wait(60), [])
        self.assertEqual(self.house.events().count("streamPaused"), 1)
        self.assertEqual(len(self.house.manifest["metadata"]), 2)

    def test_offered(self) -> None:
        """
        The answer in the ACK to a 200 with our offer is taken in, once.
        """
        self.src.call()
        request = self.src.make("INVITE")
        response = self.src.ask(request)
        call = self.revive()
        self.assertTrue(call.busy)
        self.assertEqual(self.sent(), [response.serialize()])
        self.src.ack(body=(offer(*HELD, version=2), None))
        self.assertEqual(self.house.events().count("streamPaused"), 1)
        self.assertFalse(call.busy)
        held, _ = lines(self.src.ask(self.src.make("INVITE")))
        self.assertEqual(held[1], "inactive")
        self.src.ack(body=(offer(*HELD, version=2), None))

    def test_others(self) -> None:
        """
        So do UPDATE and INFO, refusals too.
        """
        self.src.call()
        update = self.src.make("UPDATE", body=(offer(*HELD, version=2), LATER))
        info = self.src.make("INFO", body=(None, LATER))
        short = self.src.make("UPDATE", ("Supported", "timer"), ("Session-Expires", "60"))
        pairs = [(each, self.src.ask(each)) for each in (update, info, short)]
        self.assertEqual([response.status for _, response in pairs], [200, 200, 422])
        self.revive()
        for request, response in pairs:
            self.copy(request, response)
        self.assertEqual(len(self.house.manifest["metadata"]), 3)

    def test_rejectedInvite(self) -> None:
        """
        A refusal of a re-INVITE is repeated until its ACK.
        """
        self.src.call()
        video = offer(version=2).replace(b"m=audio", b"m=video")
        request = self.src.make("INVITE", body=(video, None))
        response = self.src.ask(request)
        self.revive()
        self.copy(request, response)
        self.assertEqual(self.house.wait(0.5), [response])
        kept = request.headers.replacing("CSeq", f"{request.cseq.number} ACK")
        self.assertEqual(self.src.send(Request("ACK", request.uri, kept)), [])
        self.assertEqual(self.house.wait(60), [])

    def test_otherBranch(self) -> None:
        """
        Another request with the number of one that was answered is refused, as
        it was before.
        """
        self.src.call()
        self.src.update(metadata=LATER)
        self.revive()
        other = self.src.make("UPDATE", body=(None, LATER), cseq=self.src.cseq)
        self.assertEqual(self.src.ask(other).status, 500)

    def test_notAnswered(self) -> None:
        """
        A request that came, and was to be answered when another one was saved,
        is taken when it comes again.
        """
        self.src.call()
        self.house.store.waiting = []
        update = self.src.make("UPDATE", body=(offer(*HELD, version=2), None))
        info = self.src.make("INFO", body=(None, LATER))
        self.assertEqual((self.src.send(update), self.src.send(info)), ([], []))
        [call] = self.house.recorder.calls.values()
        call.saveSoon()
        self.revive()
        self.assertEqual(self.src.ask(update).status, 200)
        self.assertEqual(self.src.ask(info).status, 200)

    def test_J1_severalWaiting(self) -> None:
        """
        Those that waited for their turn are all taken when they come again, in
        their order.
        """
        self.src.call()
        self.house.store.waiting = []
        requests = [self.src.make("UPDATE", body=(None, LATER)) for _ in range(4)]
        for each in requests:
            self.assertEqual(self.src.send(each), [])
        [call] = self.house.recorder.calls.values()
        call.saveSoon()
        self.revive()
        self.assertEqual([self.src.ask(each).status for each in requests], [200] * 4)
        self.assertEqual(len(self.house.manifest["metadata"]), 5)

    def test_newConnection(self) -> None:
        """
        A peer whose connection died with the process gets its answer on the
        one that its copy comes by.
        """
        self.src = Src.overTCP(self.house)
        self.src.call()
        update = self.src.make("UPDATE", body=(None, LATER))
        response = self.src.ask(update)
        snapshot = self.kill()
        self.start()
        self.resume(snapshot)
        self.src.flow = evolve(self.src.flow, remote=(PEER, 33001), connection=901)
        self.house.layer.messageReceived(update, self.src.flow)
        self.assertEqual(self.house.wire.sent, [(self.src.flow, response.serialize())])

    def test_connectBack(self) -> None:
        """
        Until then a 200 without an ACK goes by the addresses of the old
        connection, whatever comes of that, and then by the new one.
        """
        self.src = Src.overTCP(self.house)
        response = self.src.invite()
        call = self.again()
        gone = evolve(self.src.flow, connection=0)
        self.house.wire.closed.add(gone)
        self.successResultOf(call.moveMedia())
        self.assertEqual(self.house.layer.counters["sendFailures"], 1)
        self.src.flow = evolve(self.src.flow, remote=(PEER, 33001), connection=901)
        assert self.src.last is not None
        self.house.layer.messageReceived(self.src.last, self.src.flow)
        self.house.clock.advance(0.5)
        self.assertEqual(self.house.wire.sent, [(self.src.flow, response.serialize())])
        self.sent()
        self.src.ack()

    def test_acknowledgedBeforeSpeaking(self) -> None:
        """
        Where the ACK comes before this process speaks, nothing is repeated.
        """
        self.src.invite()
        call = self.again()
        self.src.ack()
        self.successResultOf(call.moveMedia())
        self.assertEqual(self.house.wait(60), [])

    def test_older(self) -> None:
        """
        Of a record without final responses the call goes on as established.
        """
        self.src.invite()
        snapshot = self.kill()
        self.start()
        call = self.resume(evolve(snapshot, dialog=evolve(snapshot.dialog, finals=())))
        self.successResultOf(call.moveMedia())
        self.assertTrue(call.dialog.confirmed)
        self.assertEqual(self.house.wait(60), [])


class RememberTests(AgainTestCase):
    """
    A call that is over is over, but copies of its last requests are answered.
    """

    def test_cancelled(self) -> None:
        """
        A CANCEL that comes when the 200 is saved already takes that back: the
        INVITE gets the 487, unasked and as a copy, until the ACK.
        """
        self.house.store.waiting = []
        request = self.src.make("INVITE", body=(offer(), None))
        self.assertEqual(self.src.send(request), [])
        [answer] = self.src.cancel()
        self.assertEqual(answer.cseq.method, "CANCEL")
        self.assertEqual(len(self.house.store.waiting), 2)
        snapshot = self.kill()
        self.assertEqual(
            (snapshot.recording.state, snapshot.recording.endReason), ("finishing", "cancelled")
        )
        self.start()
        self.house.recorder.remember(snapshot)
        [response] = self.house.wire.take()
        assert isinstance(response, Response)
        self.assertEqual((response.status, response.toTag), (487, snapshot.dialog.localTag))
        self.assertEqual(self.src.send(request), [response])
        kept = request.headers.replacing("CSeq", "1 ACK")
        self.assertEqual(self.src.send(Request("ACK", request.uri, kept)), [])
        self.assertEqual(self.house.wait(60), [])

    def test_opening(self) -> None:
        """
        A first INVITE that was told 100 and had no answer gets 500 with Retry-After,
        unasked, until its ACK; there is no call, and the next INVITE makes one.
        """
        self.house.workers.held = []
        request = self.src.make("INVITE", body=(offer(), None))
        self.src.send(request)
        self.assertEqual(len(self.house.wait(0.25)), 1)
        snapshot = self.kill()
        self.assertEqual(snapshot.recording.state, "finishing")
        self.start(60.0)
        self.house.recorder.remember(snapshot)
        [response] = self.house.wire.take()
        assert isinstance(response, Response)
        self.assertEqual((response.status, response.toTag), (500, snapshot.dialog.localTag))
        self.assertIsNotNone(response.headers.get("Retry-After"))
        self.assertEqual(self.house.wait(0.5), [response])
        kept = request.headers.replacing("CSeq", "1 ACK")
        self.assertEqual(self.src.send(Request("ACK", request.uri, kept)), [])
        self.assertEqual(self.house.recorder.calls, {})
        self.assertEqual(self.src.call().status, 200)

    def test_bye(self) -> None:
        """
        A copy of the BYE gets its 200, for 64*T1, and the INVITE is no new
        call.
        """
        self.src.call()
        self.house.workers.held = []
        bye = self.src.make("BYE")
        response = self.src.ask(bye)
        snapshot = self.kill()
        self.house.workers.held = []
        self.assertEqual(snapshot.recording.state, "finishing")
        self.start()
        self.house.recorder.remember(snapshot)
        self.assertEqual(self.src.send(bye), [response])
        assert self.src.last is not None
        self.assertEqual(self.src.send(self.src.last), [])
        self.assertEqual(self.src.ask(self.src.make("BYE")).status, 481)
        self.house.wait(29.875)
        self.assertEqual(self.src.send(bye), [response])
        self.house.wait(0.25)
        self.assertEqual(self.src.ask(bye).status, 481)
        self.assertEqual(self.house.recorder.calls, {})
