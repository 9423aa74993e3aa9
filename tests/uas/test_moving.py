"""
Tests for L{siprec.uas.moving}: the media of a running call moves to other ports.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from siprec.sip.message import Request, Response
from siprec.testing.offer import makeMetadata
from tests.uas.again import AgainTestCase
from tests.uas.kit import ONE, TWO, Src, lines, offer, sdp

LATER = makeMetadata(["Ann", "Carol"], ["1", "2"])
TIMER = ("Supported", "timer")
OLD = [(10000, "recvonly", "1"), (10002, "recvonly", "2")]
MOVED = [(10004, "recvonly", "1"), (10002, "recvonly", "2")]


class MoveTestCase(AgainTestCase):
    """
    The first port of the call is another program's when its recorder is
    started again.
    """

    taken: tuple[int, ...] = (10000,)
    headers: tuple[tuple[str, str], ...] = ()

    def setUp(self) -> None:
        super().setUp()
        self.answered = self.src.call(*self.headers)
        self.call = self.again()
        self.moving: Deferred[None] = self.call.moveMedia()
        self.contact = ("Contact", self.src.contact)

    def asked(self, seconds: float = 0.0) -> Request:
        """
        @return: the re-INVITE that came within this time.
        """
        first, *repeated = self.house.wait(seconds)
        request = self.only([first], "INVITE")
        self.assertEqual({each.cseq for each in repeated} - {request.cseq}, set())
        return request

    def accept(self, request: Request) -> None:
        """
        Agree, and see the ACK.
        """
        allow = ("Allow", "INVITE, UPDATE, BYE")
        sent = self.src.answer(request, 200, self.contact, allow, body=offer(version=2))
        ack = self.only(sent, "ACK")
        self.assertEqual(ack.cseq.number, request.cseq.number)

    def noted(self) -> dict[str, object]:
        """
        @return: the last event.
        """
        event: dict[str, object] = self.house.manifest["events"][-1]
        return event


class MoveTests(MoveTestCase):
    """
    Four kinds of SRC, and what else they say (CONFORMANCE G.5, J4).
    """

    def test_offer(self) -> None:
        """
        All lines in their order, with labels and formats, the same C{o=} but
        for its version, and our Contact with its feature tag.
        """
        request = self.asked()
        self.assertEqual(lines(request), MOVED)
        before, now = sdp(self.answered), sdp(request)
        self.assertEqual(now.origin.sessionID, before.origin.sessionID)
        self.assertEqual(now.origin.version, 2)
        self.assertEqual(
            [each.formats for each in now.media], [each.formats for each in before.media]
        )
        self.assertEqual(request.headers.get("Contact"), "<sip:192.0.2.1:5060>;+sip.srs")
        self.accept(request)

    def test_accepts(self) -> None:
        """
        An SRC that agrees: the move is noted and saved, and what it answered
        holds.
        """
        self.accept(self.asked())
        self.successResultOf(self.moving)
        self.assertEqual((self.noted()["type"], self.noted()["streams"]), ("mediaMoved", [0]))
        saved = self.house.store.saved[-1].dialog
        self.assertEqual(saved.peerAllows, ("BYE", "INVITE", "UPDATE"))
        self.assertEqual(saved.remoteSDP, offer(version=2))
        self.assertIn(b"m=audio 10004", saved.localSDP)
        self.assertEqual(lines(self.src.reinvite(sdp=offer(version=3))), MOVED)
        self.assertIsNone(self.successResultOf(self.call.moveMedia()))
        self.assertEqual(self.house.wait(1), [])

    def test_D4_reinvite_glare(self) -> None:
        """
        491: again within two seconds, the same offer.
        """
        first = self.asked()
        self.only(self.src.answer(first, 491), "ACK")
        again = self.asked(2.125)
        self.assertEqual(again.body, first.body)
        self.assertEqual(again.cseq.number, first.cseq.number + 1)
        self.accept(again)
        self.assertEqual(self.noted()["type"], "mediaMoved")

    def test_glareWithoutEnd(self) -> None:
        """
        A peer that never has time is given up, and recorded on.
        """
        for _ in range(10):
            self.src.answer(self.asked(2.125), 491)
        self.house.wait(3)
        self.successResultOf(self.moving)
        self.assertEqual((self.noted()["type"], self.noted()["status"]), ("mediaNotMoved", 491))

    def test_D4_reinvite_later(self) -> None:
        """
        500 with Retry-After: again after that.
        """
        self.src.answer(self.asked(), 500, ("Retry-After", "5 (busy)"))
        self.assertEqual(self.house.wait(4.875), [])
        self.accept(self.asked(0.25))

    def test_J4_refuses(self) -> None:
        """
        An SRC that refuses (J4), or that failed: the recording goes on with
        what comes, on the old description.
        """
        for status in (488, 405, 500, 408):
            self.src.answer(self.asked(), status)
            self.successResultOf(self.moving)
            noted = self.noted()
            self.assertEqual((noted["type"], noted["status"]), ("mediaNotMoved", status))
            self.assertEqual(self.house.manifest["state"], "recording")
            self.moving = self.call.moveMedia()
        self.src.answer(self.asked(), 488)
        local = self.call.negotiation.local
        assert local is not None
        self.assertEqual(local.serialize(), self.answered.body)
        # What the SRC asks for itself moves the media after all.
        self.assertEqual(lines(self.src.reinvite(sdp=offer(version=2))), MOVED)
        live = self.call.live
        assert live is not None
        self.assertFalse(self.call.negotiation.outdated(live))

    def test_silent(self) -> None:
        """
        An SRC that does not answer: the same, after 32 seconds; no status is
        noted, as it gave none.
        """
        self.house.wait(33)
        self.successResultOf(self.moving)
        noted = self.noted()
        self.assertEqual((noted["type"], noted["reason"]), ("mediaNotMoved", "noAnswer"))
        self.assertNotIn("status", noted)
        self.assertEqual(self.src.update(metadata=LATER).status, 200)

    def test_undecided(self) -> None:
        """
        One that says 100 and nothing more is given up, too; a 200 that comes
        after all is acknowledged.
        """
        request = self.asked()
        self.src.answer(request, 180)
        sent = self.house.wait(36)
        self.only(sent[:1], "CANCEL")
        self.assertEqual(self.noted()["type"], "mediaNotMoved")
        late = self.src.answer(request, 200, self.contact, body=offer(version=2))
        self.only(late, "ACK")
        self.house.wait(40)

    def test_D4_effects_gone(self) -> None:
        """
        481: the peer has no such call any more.
        """
        self.src.answer(self.asked(), 481)
        self.successResultOf(self.moving)
        self.assertEqual(self.house.manifest["endReason"], "peerGone")
        self.assertEqual(self.house.recorder.calls, {})

    def test_noDescription(self) -> None:
        """
        A 200 without a description, or with one that cannot be read, has moved
        the media all the same; the latter is noted.
        """
        self.only(self.src.answer(self.asked(), 200, self.contact, body=b"v=0\r\n"), "ACK")
        self.assertEqual(self.house.events()[-2:], ["bodyIrregular", "mediaMoved"])
        self.first = self.house
        self.house.ports.taken.clear()
        self.taken = (10000, 10004)
        moving = self.again().moveMedia()
        self.only(self.src.answer(self.asked(), 200, self.contact), "ACK")
        self.successResultOf(moving)
        self.assertEqual(self.house.events()[-2:], ["resumed", "mediaMoved"])

    def test_refusesLine(self) -> None:
        """
        The answer may give a line up.
        """
        answer = offer(ONE, TWO, version=2).replace(b"m=audio 40000", b"m=audio 0")
        self.src.answer(self.asked(), 200, self.contact, body=answer)
        self.assertEqual(self.house.events()[-2:], ["streamRemoved", "mediaMoved"])

    def test_unreachable(self) -> None:
        """
        A peer that cannot be reached at all is like one that is silent.
        """
        self.src.answer(self.asked(), 488)
        self.house.wire.gone = True
        self.successResultOf(self.call.moveMedia())
        self.assertEqual(self.noted()["reason"], "unreachable")
        self.house.wire.gone = False


class GlareTests(MoveTestCase):
    """
    What the peer asks for while our re-INVITE has no answer.
    """

    def setUp(self) -> None:
        super().setUp()
        self.request = self.asked()

    def test_D3_491_invite(self) -> None:
        """
        Its own re-INVITE gets 491 (RFC 3261 section 14.2), and so does an
        UPDATE with an offer (RFC 3311 section 5.2); both are taken afterwards.
        """
        self.assertEqual(self.src.ask(self.src.make("INVITE")).status, 491)
        self.assertEqual(self.src.reinvite(sdp=offer(version=2)).status, 491)
        self.assertEqual(self.src.update(sdp=offer(version=2)).status, 491)
        self.accept(self.request)
        self.assertEqual(self.src.reinvite(sdp=offer(version=3)).status, 200)

    def test_D3_491_update(self) -> None:
        """
        Metadata is taken all the same.
        """
        self.assertEqual(self.src.update(metadata=LATER).status, 200)
        self.accept(self.request)

    def test_bye(self) -> None:
        """
        A BYE ends the call; nothing is asked any more, and an answer that
        comes later is only acknowledged.
        """
        self.assertEqual(self.src.bye().status, 200)
        self.successResultOf(self.moving)
        self.assertEqual(self.house.manifest["state"], "complete")
        self.accept(self.request)
        self.assertIsNone(self.successResultOf(self.call.moveMedia()))

    def test_byeWhileWaiting(self) -> None:
        """
        The same while we wait for the next attempt.
        """
        self.src.answer(self.request, 500, ("Retry-After", "5"))
        self.assertEqual(self.src.bye().status, 200)
        self.successResultOf(self.moving)
        self.assertEqual(self.house.wait(10), [])

    def test_movedByPeer(self) -> None:
        """
        An offer of the peer's, taken between two attempts, moves the media:
        there is nothing more to ask.
        """
        self.src.answer(self.request, 500, ("Retry-After", "5"))
        self.assertEqual(lines(self.src.reinvite(sdp=offer(version=2))), MOVED)
        self.assertEqual(self.house.wait(10), [])
        self.successResultOf(self.moving)
        self.assertNotIn("mediaNotMoved", self.house.events())


class BusyTests(AgainTestCase):
    """
    A change of the peer's is under way when our move is due.
    """

    taken: tuple[int, ...] = (10000,)

    def test_waits(self) -> None:
        """
        Our offer waits until that is answered (RFC 3261 section 14.1).
        """
        self.src.call()
        call = self.again()
        saving: list[Deferred[None]] = []
        self.house.store.waiting = saving
        self.src.send(self.src.make("UPDATE", body=(None, LATER)))
        moving = call.moveMedia()
        self.assertEqual(self.house.wait(0.5), [])
        self.house.store.waiting = None
        saving[0].callback(None)
        [response] = self.house.wire.take()
        assert isinstance(response, Response)
        self.assertEqual(response.status, 200)
        request, *_ = self.house.wait(2.125)
        assert isinstance(request, Request)
        self.assertEqual(lines(request), MOVED)
        self.src.answer(request, 488)
        self.successResultOf(moving)

    def test_nothingToMove(self) -> None:
        """
        A call that has its ports is left alone.
        """
        self.taken = ()
        self.src.call()
        self.assertIsNone(self.successResultOf(self.again().moveMedia()))
        self.assertEqual(self.house.wire.take(), [])


class TimerTests(MoveTestCase):
    """
    A move and the session timer (RFC 4028 section 7.4).
    """

    headers = (TIMER, ("Session-Expires", "90;refresher=uas"))

    def test_kept(self) -> None:
        """
        Our re-INVITE refreshes the session; else it would turn the timer off.
        """
        request = self.asked()
        self.assertEqual(request.headers.get("Session-Expires"), "90;refresher=uac")
        expires = ("Session-Expires", "90;refresher=uac")
        self.src.answer(request, 200, self.contact, TIMER, expires, body=offer(version=2))
        self.assertEqual(self.house.wait(44.875), [])
        again = self.asked(0.25)
        self.assertEqual(lines(again), MOVED)

    def test_refreshedByInvite(self) -> None:
        """
        While a refresh by re-INVITE has no answer, a re-INVITE of the peer's
        gets 491, too.
        """
        self.src.answer(self.asked(), 488)
        refresh = self.asked(45)
        self.assertEqual(lines(refresh), OLD)
        self.assertEqual(self.src.reinvite(sdp=offer(version=2)).status, 491)
        self.src.answer(refresh, 200, self.contact, body=offer())
        self.assertEqual(self.src.reinvite(sdp=offer(version=2)).status, 200)

    def test_onlyOne(self) -> None:
        """
        A refresh that falls due while the move has no answer is left out.
        """
        request = self.asked()
        self.src.answer(request, 180)
        self.house.wait(20)
        self.src.answer(request, 491)
        again = self.asked(2.125)
        self.src.answer(again, 180)
        self.assertEqual(self.house.wait(28), [])
        self.src.answer(again, 488)


class ConnectionTests(AgainTestCase):
    """
    A move where the peer's connection died with the process.
    """

    taken: tuple[int, ...] = (10000,)

    def test_connects(self) -> None:
        """
        The re-INVITE and its ACK take a new connection, to the peer's Contact.
        """
        self.src = Src.overTCP(self.house)
        self.src.call()
        call = self.again()
        self.house.wire.closed.add(call.flow)
        moving = call.moveMedia()
        [(flow, _)] = self.house.wire.sent
        self.assertEqual(flow.remote, ("192.0.2.7", 5060))
        request = self.only(self.house.wire.take(), "INVITE")
        contact = ("Contact", self.src.contact)
        sent = self.src.answer(request, 200, contact, body=offer(version=2))
        self.only(sent, "ACK")
        self.successResultOf(moving)
