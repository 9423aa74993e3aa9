"""
Tests for L{siprec.uas.doorway}: peers that send too much.
"""

from __future__ import annotations

from attrs import evolve

from siprec.ids import newBranch
from siprec.sip.flow import Flow
from siprec.sip.message import Response
from tests.uas.kit import PEER, RecorderTestCase, Src, offer

FORGER = Flow("UDP", ("192.0.2.1", 5060), ("198.51.100.9", 5060))


class RateTests(RecorderTestCase):
    """
    Too many calls at a time.
    """

    def invite(self, flow: Flow | None = None) -> Response:
        """
        @return: the answer to the first INVITE of another call.
        """
        src = Src(self.house, flow or self.src.flow, callID=newBranch())
        return src.invite()

    def test_D3_flood(self) -> None:
        """
        Of a flood from one source all that is above its rate is answered 503,
        without a transaction, and counted; other sources and running calls are
        served as ever.
        """
        self.house.doorway.throttle.sourceRate = 1
        self.src.call()
        self.assertEqual(self.invite().status, 200)
        calls = self.house.clock.getDelayedCalls()
        for _ in range(50):
            response = self.invite()
            self.assertEqual(response.status, 503)
            self.assertIn(int(response.headers.get("Retry-After") or 0), range(5, 16))
        self.assertEqual(self.house.clock.getDelayedCalls(), calls)
        self.assertEqual(self.house.doorway.refused["sourceRate"], 50)
        self.assertEqual(self.invite(FORGER).status, 200)
        self.assertEqual(self.src.update().status, 200)
        self.assertEqual(self.src.reinvite(sdp=offer(version=2)).status, 200)
        self.assertEqual(self.src.bye().status, 200)

    def test_node(self) -> None:
        """
        The same for all sources together; behind a shared address without
        Retry-After.
        """
        self.house.doorway.throttle.nodeRate = 1
        self.house.doorway.alone = lambda: False
        self.invite()
        self.invite(FORGER)
        response = self.invite()
        self.assertEqual((response.status, response.headers.get("Retry-After")), (503, None))
        self.assertEqual(self.house.doorway.refused["nodeRate"], 1)

    def test_D3_options(self) -> None:
        """
        OPTIONS gets what an INVITE would, and takes nothing (RFC 3261 section
        11.2); within a dialog it is answered.
        """
        self.house.doorway.throttle.sourceRate = 0.5
        statuses = [self.src.ask(self.src.make("OPTIONS")).status for _ in range(3)]
        self.assertEqual(statuses, [200] * 3)
        self.src.call()
        self.assertEqual(self.src.ask(self.src.make("OPTIONS")).status, 200)
        other = Src(self.house, callID="other")
        self.assertEqual(other.ask(other.make("OPTIONS")).status, 503)

    def test_copies(self) -> None:
        """
        A copy of an INVITE that was let in is no new call.
        """
        self.house.doorway.throttle.sourceRate = 0.5
        request = self.src.make("INVITE", body=(offer(), None))
        response = self.src.ask(request)
        self.assertEqual(response.status, 200)
        self.src.send(request)
        self.assertEqual(self.house.doorway.refused["sourceRate"], 0)

    def test_D4_overload_feedback(self) -> None:
        """
        A peer that asks for it is told how many of its calls to send
        elsewhere: none, or all while the node can take none (RFC 7339).
        """
        via = f'SIP/2.0/UDP {PEER}:5060;oc;oc-algo="loss";branch='
        for draining, expected in ((False, "0"), (True, "100")):
            self.house.service.draining = draining
            request = self.src.make("OPTIONS", ("Via", via + newBranch()))
            self.assertEqual(self.src.ask(request).via.param("oc"), expected)
        self.house.service.draining = False
        self.house.doorway.throttle.sourceRate = 0.5
        self.invite()
        request = self.src.make("INVITE", ("Via", via + newBranch()), body=(offer(), None))
        refused = Src(self.house, callID="x").ask(request)
        self.assertEqual((refused.status, refused.via.param("oc")), (503, "100"))

    def test_late(self) -> None:
        """
        A new call that there is no time for gets 503, if its peer is known, and is counted; a
        CANCEL of it and a copy of one that was taken are answered as ever.
        """
        doorway = self.house.doorway
        request = self.src.make("INVITE", body=(offer(), None))
        doorway.tooLate(request, self.src.flow)
        [response] = self.house.wire.take()
        assert isinstance(response, Response)
        self.assertEqual(response.status, 503)
        self.assertEqual(doorway.refused["late"], 1)
        self.assertEqual(self.house.recorder.calls, {})
        doorway.tooLate(evolve(request, method="CANCEL"), self.src.flow)
        [response] = self.house.wire.take()
        assert isinstance(response, Response)
        self.assertEqual(response.status, 481)
        self.src.ask(request)
        doorway.tooLate(request, self.src.flow)
        self.assertEqual((self.house.wire.take(), doorway.refused["late"]), ([], 1))

    def test_waits(self) -> None:
        """
        A peer whose new call has to wait is told 100, without a tag; a stranger nothing.
        """
        request = self.src.make("INVITE", body=(offer(), None))
        self.house.doorway.waits(request, self.src.flow)
        [response] = self.house.wire.take()
        assert isinstance(response, Response)
        self.assertEqual((response.status, response.toTag), (100, None))
        self.assertEqual(self.house.layer.responses["100"], 1)
        self.house.admit({"name": "other", "networks": ["203.0.113.0/24"]})
        self.house.doorway.waits(request, FORGER)
        self.house.layer.stop()
        self.house.doorway.waits(request, self.src.flow)
        self.assertEqual(self.house.wire.take(), [])
