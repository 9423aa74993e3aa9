"""
Tests for L{siprec.uas.theirs}: nothing is answered before the store knows the
answer.
"""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred

from siprec.metadata.masking import Mask
from siprec.session.model import CallSnapshot, FinalResponse
from siprec.session.pausing import pause, resume
from siprec.sip.message import Response
from siprec.testing.offer import makeMetadata
from siprec.uas import theirs
from tests.uas.kit import ONE, TWO, RecorderTestCase, offer

LATER = makeMetadata(["Ann", "Carol"], ["1", "2"])
PACKAGE = ("Info-Package", "x")


class SavedBeforeTests(RecorderTestCase):
    """
    Each answer is in the store, as it will be given, before it is given.
    """

    def setUp(self) -> None:
        super().setUp()
        self.house.store.onSave = self._saved
        self.early: list[bytes] = []

    def _saved(self, snapshot: CallSnapshot) -> None:
        self.early += [data for _, data in self.house.wire.sent]

    def promised(self, response: Response) -> FinalResponse:
        """
        Assert that this response was saved before it was sent.

        @return: what was saved of it.
        """
        self.assertEqual(self.early, [])
        saved = self.house.store.saved[-1]
        final = saved.dialog.finals[-1]
        self.assertEqual(final.response, response.serialize())
        self.assertEqual((final.method, final.cseq), (response.cseq.method, response.cseq.number))
        self.assertEqual(final.until, self.house.now() + 32)
        return final

    def test_firstInvite(self) -> None:
        """
        The 200 to the first INVITE, and after the ACK that it has come.
        """
        final = self.promised(self.src.invite())
        self.assertEqual((final.awaitsACK, final.offers), (True, False))
        self.src.ack()
        [final] = self.house.store.saved[-1].dialog.finals
        self.assertFalse(final.awaitsACK)

    def test_reinvite(self) -> None:
        """
        The 200 to a re-INVITE; where that asked for our offer it is noted that
        the ACK will answer it.
        """
        self.src.call()
        response = self.src.ask(self.src.make("INVITE", body=(offer(version=2), LATER)))
        self.assertFalse(self.promised(response).offers)
        self.src.ack()
        self.assertFalse(self.house.store.saved[-1].dialog.finals[-1].awaitsACK)
        self.assertTrue(self.promised(self.src.ask(self.src.make("INVITE"))).offers)
        self.src.ack(body=(offer(version=3), None))

    def test_update(self) -> None:
        """
        The answer to an UPDATE.
        """
        self.src.call()
        final = self.promised(self.src.update(sdp=offer(ONE, TWO, version=2), metadata=LATER))
        self.assertFalse(final.awaitsACK)

    def test_refused(self) -> None:
        """
        Refusals of a change as well.
        """
        self.src.call()
        video = offer(version=2).replace(b"m=audio", b"m=video")
        refused = self.src.ask(self.src.make("INVITE", body=(video, None)))
        self.assertEqual(refused.status, 488)
        self.assertFalse(self.promised(refused).awaitsACK)
        expires = (("Supported", "timer"), ("Session-Expires", "60"))
        refused = self.src.update(*expires)
        self.assertEqual(refused.status, 422)
        self.promised(refused)

    def test_info(self) -> None:
        """
        The 200 to an INFO with metadata; one without changes nothing, and is
        not saved, nor is one of a package.
        """
        self.src.call()
        self.promised(self.src.ask(self.src.make("INFO", body=(None, LATER))))
        saves = len(self.house.store.saved)
        self.assertEqual(self.src.ask(self.src.make("INFO")).status, 200)
        self.assertEqual(self.src.ask(self.src.make("INFO", PACKAGE)).status, 469)
        self.assertEqual(len(self.house.store.saved), saves)

    def test_bye(self) -> None:
        """
        Before a BYE is answered the record says that the call is over; only
        then it is finished.
        """
        self.src.call()
        waiting: list[Deferred[None]] = []
        self.house.store.waiting = waiting
        self.assertEqual(self.src.send(self.src.make("BYE")), [])
        saved = self.house.store.saved[-1].recording
        self.assertEqual((saved.state, saved.endReason), ("finishing", "bye"))
        self.assertEqual(self.house.renderer.rendered, [])
        waiting[0].callback(None)
        [response] = self.house.wire.take()
        assert isinstance(response, Response)
        self.promised(response)
        self.assertEqual(self.house.manifest["state"], "complete")

    def test_stoppedDuringBye(self) -> None:
        """
        A BYE is answered 200 though the call was ended by us meanwhile.
        """
        self.src.call()
        waiting: list[Deferred[None]] = []
        self.house.store.waiting = waiting
        self.src.send(self.src.make("BYE"))
        self.house.recorder.stopCalls(503, "drained")
        self.only(self.house.wire.take(), "BYE")
        waiting[0].callback(None)
        [response] = self.house.wire.take()
        assert isinstance(response, Response)
        self.assertEqual(response.status, 200)
        self.assertEqual(self.house.manifest["endReason"], "drained")

    def test_stoppedDuringInfo(self) -> None:
        """
        What has no answer when the call is ended by us gets 487 (RFC 3261
        section 15.1.2).
        """
        self.src.call()
        waiting: list[Deferred[None]] = []
        self.house.store.waiting = waiting
        self.src.send(self.src.make("INFO", body=(None, LATER)))
        self.house.recorder.stopCalls(503, "drained")
        self.only(self.house.wire.take(), "BYE")
        waiting[0].callback(None)
        [response] = self.house.wire.take()
        assert isinstance(response, Response)
        self.assertEqual(response.status, 487)

    def test_few(self) -> None:
        """
        A busy call's record does not grow without end, and forgets what is old.
        """
        self.src.call()
        for _ in range(20):
            self.src.update(metadata=LATER)
        self.assertEqual(len(self.house.store.saved[-1].dialog.finals), 8)
        self.house.wait(33)
        response = self.src.update(metadata=LATER)
        self.assertEqual(len(self.house.store.saved[-1].dialog.finals), 1)
        self.promised(response)

    def test_received(self) -> None:
        """
        What is kept of a request is as it came: without what we noted in its
        Via.
        """
        request = self.src.make("INVITE", body=(offer(), None))
        via = request.headers.values("Via")[0]
        asked = evolve(request, headers=request.headers.replacing("Via", f"{via};rport"))
        response = self.src.ask(asked)
        self.src.toTag = response.toTag
        final = self.promised(response)
        self.assertIn(b";rport\r\n", final.request)
        self.assertIn("received", response.headers.get("Via") or "")


class DigitTests(RecorderTestCase):
    """
    Digits that the client tells by INFO.
    """

    def press(self, signal: bytes) -> int:
        """
        @return: the status that is answered.
        """
        asked = self.src.make("INFO", ("Content-Type", "application/dtmf-relay"))
        body = b"Signal=" + signal + b"\r\nDuration=160\r\n"
        return self.src.ask(evolve(asked, body=body)).status

    def test_E3_info(self) -> None:
        """
        They are in the timeline, but not without end.
        """
        self.src.call()
        self.assertEqual(self.press(b"5"), 200)
        self.src.update(metadata=LATER)
        [entry] = [each for each in self.house.manifest["timeline"] if each["type"] == "dtmf"]
        self.assertEqual((entry["digit"], entry["durationMs"], entry["by"]), ("5", 160, "INFO"))
        self.patch(theirs, "_MOST_DIGITS", 2)
        self.assertEqual([self.press(b"6"), self.press(b"7")], [200, 200])
        self.src.bye()
        digits = [each["digit"] for each in self.house.manifest["events"] if "digit" in each]
        self.assertEqual(digits, ["5", "6"])

    def test_E3_infoMasked(self) -> None:
        """
        Which ones is not told where policy forbids it.
        """
        self.house.service.mask = Mask((), digits=True)
        self.src.call()
        self.press(b"5")
        self.src.bye()
        [event] = [each for each in self.house.manifest["events"] if each["type"] == "dtmf"]
        self.assertEqual((event["digit"], event["masked"]), (None, True))

    def test_paused(self) -> None:
        """
        While nothing is kept they are not told either.
        """
        self.src.call()
        [live] = self.house.service.recordings.values()
        self.successResultOf(pause(live, "x", None))
        self.assertEqual(self.press(b"5"), 200)
        self.successResultOf(resume(live, "x", None))
        self.press(b"6")
        self.src.bye()
        digits = [each["digit"] for each in self.house.manifest["events"] if "digit" in each]
        self.assertEqual(digits, ["6"])
