"""
Tests for L{siprec.uas.snapshot}.
"""

from __future__ import annotations

from attrs import asdict, evolve
from twisted.trial.unittest import SynchronousTestCase

from siprec.sdp.choice import Policy
from siprec.sdp.parse import parseSDP
from siprec.sip.dialog import MAX_CSEQ, Dialog
from siprec.sip.flow import Flow
from siprec.sip.sessiontimer import Agreed
from siprec.uas.negotiation import Negotiation
from siprec.uas.snapshot import dialogInfo, dialogOf, flowOf, timerOf
from tests.uas.kit import ONE, offer

DIALOG = Dialog(
    callID="one",
    localTag="ours",
    remoteTag="theirs",
    localAddr="<sip:srs@192.0.2.1>",
    remoteAddr="<sip:src@192.0.2.7>",
    remoteTarget="sip:src@192.0.2.8:5080",
    localContact="<sip:192.0.2.1:5060>;+sip.srs",
    localCSeq=7,
    remoteCSeq=3,
    routeSet=("<sip:192.0.2.99;lr>",),
    secure=True,
    confirmed=True,
)
FLOW = Flow("TCP", ("192.0.2.1", 5060), ("192.0.2.7", 33000), 9)


class DialogInfoTests(SynchronousTestCase):
    """
    What another node needs (CONFORMANCE G.4).
    """

    def test_dialog(self) -> None:
        """
        All of the dialog is in it, under the same names, and the flow.
        """
        info = dialogInfo(DIALOG, FLOW, Negotiation(Policy(), 5), Agreed(), 1000.0)
        kept = asdict(info)
        for name, value in asdict(DIALOG).items():
            self.assertEqual(kept[name], value, name)
        self.assertEqual(info.flow, ("TCP", "192.0.2.1", 5060, "192.0.2.7", 33000, 9))

    def test_nothingAgreed(self) -> None:
        """
        Before an offer and without a timer there is nothing to tell of them.
        """
        info = dialogInfo(DIALOG, FLOW, Negotiation(Policy(), 5), Agreed(), 1000.0)
        self.assertEqual((info.localSDP, info.remoteSDP, info.sdpSession), (b"", b"", 5))
        self.assertEqual((info.sessionInterval, info.sessionExpires), (None, None))

    def test_agreed(self) -> None:
        """
        Both descriptions as they are sent; the expiry as a time, which means
        the same on another node.
        """
        negotiation = Negotiation(Policy(), 5)
        negotiation.begin(parseSDP(offer(ONE)))
        negotiation.local = parseSDP(offer(ONE, version=2))
        info = dialogInfo(DIALOG, FLOW, negotiation, Agreed(90, "uas", ours=True), 1000.0)
        self.assertEqual((info.remoteSDP, info.localSDP), (offer(ONE), offer(ONE, version=2)))
        self.assertEqual((info.sessionInterval, info.sessionRefresher), (90, "uas"))
        self.assertEqual(info.sessionExpires, 1090.0)

    def test_refresher(self) -> None:
        """
        Who refreshes is kept by the roles in the first INVITE, whoever sent the
        request that settled it.
        """
        for agreed, refresher in (
            (Agreed(90, "uac", ours=True), "uas"),
            (Agreed(90, "uas", ours=False), "uac"),
            (Agreed(90, "uac", ours=False), "uac"),
        ):
            info = dialogInfo(DIALOG, FLOW, Negotiation(Policy(), 5), agreed, 1000.0)
            self.assertEqual(info.sessionRefresher, refresher)
            again, elapsed = timerOf(info, 1030.0)
            self.assertEqual((again.interval, again.ours, elapsed), (90, agreed.ours, 30.0))


class AgainTests(SynchronousTestCase):
    """
    What another process makes of it.
    """

    info = dialogInfo(DIALOG, FLOW, Negotiation(Policy(), 5), Agreed(), 1000.0, {"BYE", "ACK"})

    def test_dialog(self) -> None:
        """
        The same dialog, our numbers far above those that were used.
        """
        self.assertEqual(dialogOf(self.info), evolve(DIALOG, localCSeq=107))
        early = evolve(self.info, confirmed=False)
        self.assertFalse(dialogOf(early).confirmed)

    def test_lastNumber(self) -> None:
        """
        No number is above what RFC 3261 section 8.1.1.5 allows.
        """
        last = evolve(self.info, localCSeq=MAX_CSEQ - 1)
        self.assertEqual(dialogOf(last).localCSeq, MAX_CSEQ)

    def test_flow(self) -> None:
        """
        The same addresses; the connection is none that there is.
        """
        self.assertEqual(flowOf(self.info), evolve(FLOW, connection=0))

    def test_timer(self) -> None:
        """
        Without a timer there is none; a clock that was set back makes no time
        from the future.
        """
        self.assertEqual(timerOf(self.info, 2000.0), (Agreed(), 0.0))
        timed = evolve(self.info, sessionInterval=90, sessionExpires=1090.0)
        self.assertEqual(timerOf(timed, 500.0)[1], 0.0)

    def test_allowed(self) -> None:
        """
        The methods are in an order of their own.
        """
        self.assertEqual(self.info.peerAllows, ("ACK", "BYE"))
