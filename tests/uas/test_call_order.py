"""
Tests for L{siprec.uas.call}: requests that overlap, come late or come after the end.
"""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred

from siprec.sip.headers import Headers
from siprec.sip.message import Request, Response
from siprec.testing.offer import makeMetadata
from tests.uas.kit import METADATA, ONE, TWO, RecorderTestCase, Src, lines, offer, sdp

HELD = (evolve(ONE, direction="inactive"), TWO)
LATER = makeMetadata(["Ann", "Carol"], ["1", "2"])
BOTH = [(10000, "recvonly", "1"), (10002, "recvonly", "2")]


class OrderTests(RecorderTestCase):
    """
    Requests are taken one after the other, in the order of their CSeq.
    """

    def setUp(self) -> None:
        super().setUp()
        self.src.call()
        self.saving: list[Deferred[None]] = []
        self.house.store.waiting = self.saving

    def _statuses(self, messages: list[Request | Response]) -> list[tuple[int, int]]:
        return [(each.status, each.cseq.number) for each in messages if isinstance(each, Response)]

    def test_J1_overlapping(self) -> None:
        """
        The second of two re-INVITEs is answered after the first, from the
        state that this one left; that only the second is acknowledged does
        not end the call.
        """
        held, resumed = offer(*HELD, version=2), offer(version=3)
        self.assertEqual(self.src.send(self.src.make("INVITE", body=(held, None))), [])
        self.assertEqual(self.src.send(self.src.make("INVITE", body=(resumed, None))), [])
        self.saving[0].callback(None)
        [first] = self.house.wire.take()
        self.assertEqual(lines(first)[0], (10000, "inactive", "1"))
        self.assertEqual((first.cseq.number, sdp(first).origin.version), (2, 2))
        self.saving[1].callback(None)
        [second] = self.house.wire.take()
        self.assertEqual((second.cseq.number, sdp(second).origin.version), (3, 3))
        self.assertEqual(lines(second), BOTH)
        self.src.ack()
        self.assertEqual(self.house.wait(60), [])
        self.assertEqual(self.house.manifest["state"], "recording")

    def test_D1_trying(self) -> None:
        """
        A re-INVITE is not told 100 before the store has its answer: the process may end,
        and whoever was told 100 would not send it again.
        """
        self.src.send(self.src.make("INVITE", body=(offer(*HELD, version=2), None)))
        self.assertEqual(self.house.wait(2.0), [])
        self.assertEqual(len(self.saving), 1)
        self.saving[0].callback(None)
        self.assertEqual(self._statuses(self.house.wire.take()), [(200, 2)])
        self.src.ack()

    def test_D1_tryingAtLast(self) -> None:
        """
        It is all the same when it waits for longer than for one save.
        """
        self.src.send(self.src.make("UPDATE", body=(None, LATER)))
        self.src.send(self.src.make("INVITE", body=(offer(*HELD, version=2), None)))
        self.assertEqual(self._statuses(self.house.wait(2.625)), [(100, 3)])
        self.saving[0].callback(None)
        self.saving[1].callback(None)
        self.assertEqual(self._statuses(self.house.wire.take()), [(200, 2), (200, 3)])
        self.src.ack()

    def test_D1_tryingOthers(self) -> None:
        """
        Any other request is sent again whatever it is told (RFC 3261 section 17.1.2.2).
        """
        self.src.send(self.src.make("UPDATE", body=(None, LATER)))
        self.src.send(self.src.make("UPDATE", body=(None, LATER)))
        self.assertEqual(self._statuses(self.house.wait(3.5)), [(100, 2), (100, 3)])
        self.saving[0].callback(None)
        self.saving[1].callback(None)
        self.house.wire.take()

    def test_A37_order(self) -> None:
        """
        Metadata is applied in the order of the CSeq, though the one before is not saved
        yet; a request that is sent again is not applied again.
        """
        first = self.src.make("UPDATE", body=(None, LATER))
        second = self.src.make("UPDATE", body=(None, METADATA))
        for request in (first, second, first, second):
            self.src.send(request)
        for number in range(2):
            self.saving[number].callback(None)
        self.house.wait(0.1)
        metadata = self.house.manifest["metadata"]
        self.assertEqual(len(metadata), 3)
        self.assertEqual([self.house.document(2), self.house.document(3)], [LATER, METADATA])

    def test_byeWaits(self) -> None:
        """
        A BYE does not overtake what came before it: no metadata is lost.
        """
        self.src.send(self.src.make("UPDATE", body=(None, LATER)))
        self.src.send(self.src.make("INFO", body=(None, METADATA)))
        self.assertEqual(self.src.send(self.src.make("BYE")), [])
        self.saving[0].callback(None)
        self.saving[1].callback(None)
        self.assertEqual(self._statuses(self.house.wire.take()), [(200, 2), (200, 3)])
        self.saving[2].callback(None)
        self.assertEqual(self._statuses(self.house.wire.take()), [(200, 4)])
        self.assertEqual(self.house.document(3), METADATA)
        self.assertEqual(self.house.manifest["state"], "complete")

    def test_stoppedMeanwhile(self) -> None:
        """
        When the call is ended by us, what has no answer yet gets one (RFC 3261
        section 15.1.2); a 200 would be repeated for nobody.
        """
        self.src.send(self.src.make("INVITE", body=(offer(*HELD, version=2), None)))
        self.src.send(self.src.make("UPDATE", body=(None, LATER)))
        self.house.recorder.stopCalls(503, "drained")
        self.only(self.house.wire.take(), "BYE")
        self.saving[0].callback(None)
        self.assertEqual(self._statuses(self.house.wire.take()), [(487, 2), (481, 3)])

    def test_D3_500_lowerCSeq(self) -> None:
        """
        A request that comes too late is refused (RFC 3261 section 12.2.2).
        """
        self.house.store.waiting = None
        self.src.update(metadata=LATER)
        for number in (2, 1):
            response = self.src.ask(self.src.make("UPDATE", body=(None, METADATA), cseq=number))
            self.assertEqual((response.status, response.headers.get("Retry-After")), (500, None))
        self.assertEqual(len(self.house.manifest["metadata"]), 2)

    def test_D4_gap(self) -> None:
        """
        Numbers may be left out.
        """
        self.house.store.waiting = None
        self.src.cseq += 10
        self.assertEqual(self.src.bye().status, 200)

    def test_D3_500_beforeAnswer(self) -> None:
        """
        Nothing can be changed before the first INVITE is answered.
        """
        self.house.store.waiting = None
        self.house.workers.held = []
        self.src.callID, self.src.toTag = "two@192.0.2.7", None
        self.src.send(self.src.make("INVITE", body=(offer(), None)))
        [ok, _] = self.src.cancel()
        self.src.toTag = ok.toTag
        response = self.src.bye()
        self.assertEqual((response.status, response.headers.get("Retry-After")), (500, "1"))

    def test_D3_481_afterEnd(self) -> None:
        """
        After the end there is no dialog; an ACK is never answered.
        """
        self.house.store.waiting = None
        self.src.bye()
        for method in ("INVITE", "UPDATE", "INFO", "BYE", "OPTIONS"):
            self.assertEqual(self.src.ask(self.src.make(method)).status, 481)
        self.src.ack()

    def test_options(self) -> None:
        """
        An OPTIONS within the dialog shows that the call is there, and changes
        nothing.
        """
        response = self.src.ask(self.src.make("OPTIONS"))
        self.assertEqual(response.status, 200)
        self.assertIn("UPDATE", response.headers.get("Allow") or "")
        self.assertEqual(self.saving, [])

    def test_otherMethod(self) -> None:
        """
        What a recorder does not do it does not do within a dialog either, and
        the call goes on.
        """
        self.assertEqual(self.src.ask(self.src.make("REFER")).status, 405)
        unknown = Headers([("Require", "precondition")])
        response = self.src.ask(self.src.make("UPDATE", *unknown))
        self.assertEqual(
            (response.status, response.headers.get("Unsupported")), (420, "precondition")
        )
        self.assertEqual(len(self.house.recorder.calls), 1)

    def test_D4_100rel_prack(self) -> None:
        """
        No reliable 1xx is ever sent, so a PRACK fits none: 481, and the call goes
        on.  Before the first answer it has to wait, as all requests have to.
        """
        rack = ("RAck", "1 1 INVITE")
        self.assertEqual(self.src.ask(self.src.make("PRACK", rack)).status, 481)
        self.house.store.waiting = None
        self.assertEqual(self.src.update().status, 200)
        early = Src(self.house, callID="early")
        self.house.workers.held = []
        early.send(early.make("INVITE", body=(offer(), None)))
        [early.toTag] = [tag for callID, tag, _ in self.house.recorder.calls if callID == "early"]
        self.assertEqual(early.ask(early.make("PRACK", rack)).status, 500)

    def test_D4_100rel_required(self) -> None:
        """
        An INVITE that requires 100rel is answered with 200 at once: there is no
        1xx that would have to be reliable.
        """
        self.house.store.waiting = None
        required = Src(self.house, callID="required")
        response = required.call(("Require", "siprec, 100rel"))
        self.assertNotIn("100rel", response.headers.get("Require") or "")
        required.bye()
