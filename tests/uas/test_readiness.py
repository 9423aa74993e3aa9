"""
Tests of L{siprec.uas.readiness}.
"""

from __future__ import annotations

from attrs import evolve

from siprec.sip.message import Request, Response
from tests.uas.again import AgainTestCase
from tests.uas.kit import METADATA, ONE, TWO, RecorderTestCase, lines, offer, sdp

INACTIVE = [(10000, "inactive", "1"), (10002, "inactive", "2")]
RECEIVED = [(10000, "recvonly", "1"), (10002, "recvonly", "2")]
MUCH = 1 << 62


class ReadinessTests(RecorderTestCase):
    """
    Calls that come while the disk is nearly full.
    """

    def setUp(self) -> None:
        super().setUp()
        self.house.service.minFree = MUCH
        self.house.recorder.waits = True

    def asked(self, seconds: float = 2.0) -> Request:
        """
        @return: the re-INVITE that comes within this time.
        """
        sent = [each for each in self.house.wait(seconds) if isinstance(each, Request)]
        first, *repeated = sent
        request = self.only([first], "INVITE")
        self.assertEqual({each.cseq for each in repeated} - {request.cseq}, set())
        return request

    def accept(self, request: Request) -> None:
        """
        Agree.
        """
        contact = ("Contact", self.src.contact)
        self.only(self.src.answer(request, 200, contact, body=offer(version=2)), "ACK")

    def test_A10_later(self) -> None:
        """
        A call is answered inactive, and when there is room the recorder offers to
        receive it (RFC 7866 section 7.2): the same lines with the same ports, the next
        version.
        """
        answered = self.src.call()
        self.assertEqual(lines(answered), INACTIVE)
        self.assertEqual(self.house.wait(6), [])
        self.house.service.minFree = 1
        request = self.asked()
        self.assertEqual(lines(request), RECEIVED)
        versions = sdp(answered).origin.version, sdp(request).origin.version
        self.assertEqual(versions, (1, 2))
        self.assertIn("+sip.srs", request.headers.get("Contact") or "")
        self.accept(request)
        self.assertEqual(
            self.house.events(),
            [
                *("captureStopped", "captureResumed"),
                *("streamResumed", "streamResumed", "receptionOffered"),
            ],
        )
        self.assertEqual(self.house.wait(10), [])
        self.assertEqual(lines(self.src.reinvite(sdp=offer(version=2))), RECEIVED)

    def test_glare(self) -> None:
        """
        A re-INVITE of the peer that crosses ours: both get 491, and ours comes again
        within two seconds.
        """
        self.src.call()
        self.house.service.minFree = 1
        request = self.asked()
        crossing = self.src.make("INVITE", body=(offer(version=2), None))
        refused = self.src.ask(crossing)
        self.assertEqual(refused.status, 491)
        self.only(self.src.answer(request, 491), "ACK")
        self.accept(self.asked(2.125))
        self.assertEqual(self.house.events()[-1], "receptionOffered")

    def test_refused(self) -> None:
        """
        A peer that refuses stays as it is; the next one from there is refused at once,
        so that it goes to another recorder.
        """
        self.src.call()
        self.house.service.minFree = 1
        self.only(self.src.answer(self.asked(), 488), "ACK")
        event = self.house.manifest["events"][-1]
        self.assertEqual((event["type"], event["status"]), ("receptionOffered", 488))
        self.assertEqual(self.house.wait(10), [])
        self.src.bye()
        self.house.service.minFree = MUCH
        self.src.toTag = None
        self.src.callID = "two@192.0.2.7"
        self.assertEqual(self.src.invite().status, 503)

    def test_unanswered(self) -> None:
        """
        One that does not answer at all is not asked again.
        """
        self.src.call()
        self.house.service.minFree = 1
        self.house.wait(40)
        event = self.house.manifest["events"][-1]
        self.assertEqual((event["type"], event["reason"]), ("receptionOffered", "noAnswer"))

    def test_peerOffersFirst(self) -> None:
        """
        A peer that offers anew while there is no room is answered inactive again; a line
        that it does not send on needs no offer of ours.
        """
        self.src.call()
        self.assertEqual(lines(self.src.reinvite(sdp=offer(version=2))), INACTIVE)
        paused = offer(*(evolve(each, direction="inactive") for each in (ONE, TWO)), version=3)
        self.src.reinvite(sdp=paused)
        self.house.service.minFree = 1
        self.assertEqual(self.house.wait(4), [])

    def test_options(self) -> None:
        """
        OPTIONS gets what an INVITE would get (RFC 3261 section 11.2).
        """
        request = self.src.make("OPTIONS")
        self.assertEqual(self.src.ask(request).status, 200)
        self.house.recorder.waits = False
        self.assertEqual(self.src.ask(self.src.make("OPTIONS")).status, 503)

    def test_otherReasons(self) -> None:
        """
        Without ports, or while draining, there is nothing to wait for.
        """
        self.house.service.draining = True
        self.assertEqual(self.src.invite().status, 503)

    def test_offerless(self) -> None:
        """
        Nor is there without an offer that says what the peer would send.
        """
        self.assertEqual(self.src.ask(self.src.make("INVITE", body=(None, METADATA))).status, 503)

    def test_over(self) -> None:
        """
        A call that ends while it waits needs nothing any more.
        """
        self.src.call()
        response: Response = self.src.bye()
        self.assertEqual(response.status, 200)
        self.house.service.minFree = 1
        self.assertEqual(self.house.wait(4), [])


class ReadinessAgainTests(AgainTestCase):
    """
    A call that waits, and whose recorder dies.
    """

    def test_resumed(self) -> None:
        """
        Another process offers to receive it.
        """
        self.house.service.minFree = MUCH
        self.house.recorder.waits = True
        self.src.call()
        call = self.again()
        self.successResultOf(call.moveMedia())
        request = self.only(self.house.wait(2), "INVITE")
        self.assertEqual(lines(request), RECEIVED)
