"""
Tests for L{siprec.uas.snapshot}.
"""

from __future__ import annotations

from attrs import asdict
from twisted.trial.unittest import SynchronousTestCase

from siprec.sdp.choice import Policy
from siprec.sdp.parse import parseSDP
from siprec.sip.dialog import Dialog
from siprec.sip.flow import Flow
from siprec.sip.sessiontimer import Agreed
from siprec.uas.negotiation import Negotiation
from siprec.uas.snapshot import dialogInfo
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
