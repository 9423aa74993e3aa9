"""
Tests for L{siprec.uas.call}: session timers, and calls that end from our side.
"""

from __future__ import annotations

from siprec.sip.interfaces import FlowGone
from tests.uas.house import START
from tests.uas.kit import RecorderTestCase, Src, lines, sdp
from tests.uas.timercase import TIMER, expires


class TimerTests(RecorderTestCase):
    """
    The session timer that the peer asks for (RFC 4028).
    """

    def test_D4_timer_agreed(self) -> None:
        """
        The interval is echoed, the peer refreshes, and both are in the
        snapshot before the 200 leaves (CONFORMANCE G.4).
        """
        response = self.src.call(TIMER, expires(1800))
        self.assertEqual(response.headers.get("Session-Expires"), "1800;refresher=uac")
        self.assertEqual(response.headers.get("Require"), "timer")
        dialog = self.house.store.saved[0].dialog
        self.assertEqual((dialog.sessionInterval, dialog.sessionRefresher), (1800, "uac"))
        self.assertEqual(dialog.sessionExpires, START + 1800)

    def test_none(self) -> None:
        """
        A peer that asks for no timer gets none.
        """
        response = self.src.call()
        self.assertIsNone(response.headers.get("Session-Expires"))
        self.assertEqual(self.house.wait(400), [])
        self.assertIsNone(self.house.store.saved[0].dialog.sessionExpires)

    def test_D3_422_tooSmall(self) -> None:
        """
        An interval below 90 s is refused with the least that would do; nothing
        is recorded.
        """
        response = self.src.invite(TIMER, expires(60))
        self.assertEqual((response.status, response.headers.get("Min-SE")), (422, "90"))
        self.assertEqual((self.house.files(), self.house.recorder.calls), ([], {}))

    def test_D3_422_tooSmallLater(self) -> None:
        """
        The same in a running call, which goes on; what came along is not
        taken, because it comes again.
        """
        self.src.call()
        response = self.src.update(TIMER, expires(60), metadata=b"x")
        self.assertEqual((response.status, response.headers.get("Min-SE")), (422, "90"))
        self.assertEqual(len(self.house.manifest["metadata"]), 1)

    def test_D4_timer_refreshedByPeer(self) -> None:
        """
        Each refresh begins the interval anew.
        """
        self.src.call(TIMER, expires(90, "uac"))
        for interval in (90, 100, 120):
            self.house.wait(50)
            response = self.src.update(TIMER, expires(interval, "uac"))
            agreed = f"{interval};refresher=uac"
            self.assertEqual(response.headers.get("Session-Expires"), agreed)
        self.assertEqual(self.house.store.saved[-1].dialog.sessionExpires, START + 150 + 120)
        self.assertEqual(self.house.manifest["state"], "recording")

    def test_D4_timer_turnedOff(self) -> None:
        """
        A refresh without an interval ends the timer.
        """
        self.src.call(TIMER, expires(90))
        self.src.update()
        self.assertEqual(self.house.wait(400), [])


class StopTests(RecorderTestCase):
    """
    Calls that end from our side.
    """

    def test_stop(self) -> None:
        """
        The peer gets a BYE with the reason (RFC 3326); the recording is
        complete without waiting for its answer.
        """
        self.src.call()
        self.house.recorder.stopCalls(503, "drained")
        bye = self.only(self.house.wire.take(), "BYE")
        self.assertEqual(bye.headers.get("Reason"), 'SIP;cause=503;text="drained"')
        self.assertEqual(bye.uri, "sip:src@192.0.2.7:5060")
        self.assertEqual(self.house.manifest["endReason"], "drained")
        self.assertEqual(self.house.manifest["state"], "complete")
        self.house.recorder.stopCalls(503, "drained")
        self.assertEqual(self.src.answer(bye), [])

    def test_notAcknowledged(self) -> None:
        """
        The same before the ACK: the 200 is not repeated any more.
        """
        self.src.invite()
        self.house.recorder.stopCalls(503, "drained")
        self.src.answer(self.only(self.house.wire.take(), "BYE"))
        self.assertEqual(self.house.wait(40), [])

    def test_J4_refusedBye(self) -> None:
        """
        J4: a peer that refuses our BYE has lost its call all the same.
        """
        self.src.call()
        self.house.recorder.stopCalls(200, "stopped")
        self.src.answer(self.only(self.house.wire.take(), "BYE"), 405)
        self.assertEqual(self.house.recorder.calls, {})

    def test_closedConnection(self) -> None:
        """
        Where the peer's connection is closed, the BYE takes a new one, to the
        peer's Contact.
        """
        src = Src.overTCP(self.house)
        src.call()
        self.house.wire.closed.add(src.flow)
        self.house.recorder.stopCalls(503, "drained")
        [(flow, _)] = self.house.wire.sent
        self.assertEqual((flow.transport, flow.remote), ("TCP", ("192.0.2.7", 5060)))
        self.only(self.house.wire.take(), "BYE")

    def test_openConnection(self) -> None:
        """
        While it is open, the peer's own connection is used, whatever the
        Contact says.
        """
        src = Src.overTCP(self.house)
        src.contact = "<sip:src@10.0.0.1>;+sip.src"
        src.call()
        self.house.recorder.stopCalls(503, "drained")
        [(flow, _)] = self.house.wire.sent
        self.assertEqual(flow, src.flow)

    def test_nobodyThere(self) -> None:
        """
        A peer that cannot be reached keeps no recording from its end.
        """
        self.src.call()
        self.house.wire.gone = True
        self.house.recorder.stopCalls(503, "drained")
        self.assertEqual(self.house.manifest["state"], "complete")
        self.assertEqual(self.flushLoggedErrors(FlowGone), [])

    def test_newFlow(self) -> None:
        """
        A peer that moves to another connection is spoken to on that one.
        """
        first = Src.overTCP(self.house)
        first.call()
        first.flow = Src.overTCP(self.house, 34000).flow
        self.assertEqual(first.update().status, 200)
        self.house.recorder.stopCalls(503, "drained")
        [(flow, _)] = self.house.wire.sent
        self.assertEqual(flow.remote, ("192.0.2.7", 34000))

    def test_D4_target_new(self) -> None:
        """
        A peer that moves says so in its Contact (RFC 3261 section 12.2); what
        was refused moves nobody.
        """
        self.src.call()
        self.src.contact = "<sip:src@192.0.2.8:5080>;+sip.src"
        self.assertEqual(self.src.update().status, 200)
        self.src.contact = "<sip:src@192.0.2.9>;+sip.src"
        self.assertEqual(self.src.update(TIMER, ("Session-Expires", "30")).status, 422)
        self.assertEqual(self.house.store.saved[-1].dialog.remoteTarget, "sip:src@192.0.2.8:5080")
        self.house.recorder.stopCalls(503, "drained")
        bye = self.only(self.house.wire.take(), "BYE")
        self.assertEqual(bye.uri, "sip:src@192.0.2.8:5080")

    def test_D4_route(self) -> None:
        """
        Our requests take the way that the INVITE came (RFC 3261 section 12.2).
        """
        response = self.src.call(("Record-Route", "<sip:192.0.2.99;lr>"))
        self.assertEqual(response.headers.getAll("Record-Route"), ["<sip:192.0.2.99;lr>"])
        self.house.recorder.stopCalls(503, "drained")
        [(flow, _)] = self.house.wire.sent
        self.assertEqual(flow.remote, ("192.0.2.99", 5060))
        bye = self.only(self.house.wire.take(), "BYE")
        self.assertEqual(bye.headers.getAll("Route"), ["<sip:192.0.2.99;lr>"])

    def test_twoCalls(self) -> None:
        """
        Each call has a recording and ports of its own.
        """
        other = Src(self.house, callID="two@192.0.2.7")
        first, second = self.src.call(), other.call()
        self.assertNotEqual(lines(first)[0][0], lines(second)[0][0])
        self.assertNotEqual(sdp(first).origin.sessionID, sdp(second).origin.sessionID)
        self.src.bye()
        states = sorted(each["state"] for each in self.house.manifests())
        self.assertEqual(states, ["complete", "recording"])
