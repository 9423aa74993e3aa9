"""
Tests of L{siprec.uas.reports}.
"""

from __future__ import annotations

from attrs import evolve

from siprec.media.keys import MasterKey
from siprec.media.rtcp import Destination, canonicalName
from siprec.sdp.crypto import ownLines
from siprec.sdp.model import SessionDescription
from siprec.sdp.parse import parseSDP
from siprec.uas.negotiation import Negotiation
from tests.uas.kit import ONE, TWO, offer
from tests.uas.test_negotiation import GONE, HELD, SUITE, _NegotiationCase

CRYPTO = b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + b"A" * 40 + b"\r\n"


class AimReportsTests(_NegotiationCase):
    """
    L{siprec.uas.reports.aimReports}, as the negotiation uses it.
    """

    def begun(self, body: bytes) -> SessionDescription:
        """
        @return: our answer to the first offer.
        """
        for request in self.negotiation.begin(parseSDP(body)):
            self.live.bindStream(request)
        self.live.startCapture()
        return self.negotiation.firstAnswer(self.live)

    def told(self) -> list[Destination | None]:
        """
        @return: to whom is reported on each stream.
        """
        return [each.reportsTo for each in self.capture.attached]

    def single(self, extra: bytes = b"") -> Destination | None:
        """
        @return: to whom, by an offer of one line to which something is added.
        """
        self.begun(offer(ONE) + extra)
        return self.told()[0]

    def test_E7_next(self) -> None:
        """
        Reports go to the port after that of RTP, under a name that is the recording's.
        """
        self.begun(offer(ONE, TWO))
        name = canonicalName(self.live.recording.id)
        one, two = self.told()
        assert one is not None and two is not None
        self.assertEqual((one.host, one.port, one.shared), ("192.0.2.7", 40001, False))
        self.assertEqual((one.name, one.key, one.bandwidth), (name, None, None))
        self.assertEqual((two.port, two.name), (40003, name))
        self.assertEqual(dict(two.rates), {8: 8000})

    def test_E1_attribute(self) -> None:
        """
        They go where C{a=rtcp} says (RFC 3605).
        """
        to = self.single(b"a=rtcp:5009 IN IP4 192.0.2.9\r\n")
        assert to is not None
        self.assertEqual((to.host, to.port, to.shared), ("192.0.2.9", 5009, False))

    def test_E1_mux(self) -> None:
        """
        With rtcp-mux they go to the port of RTP, from ours (RFC 5761).
        """
        to = self.single(b"a=rtcp-mux\r\n")
        assert to is not None
        self.assertEqual((to.port, to.shared), (40000, True))

    def test_E7_nullAddress(self) -> None:
        """
        Nothing goes to a line that is on hold by a null address (RFC 3264 section 8.4), and
        nobody says goodbye for that.
        """
        self._begin(ONE)
        [stream] = self.capture.attached
        held = offer(ONE, version=2).replace(b"c=IN IP4 192.0.2.7", b"c=IN IP4 0.0.0.0")
        self.negotiation.answer(parseSDP(held), self.live)
        self.assertEqual((self.told(), stream.left), ([None], False))
        self._answer(ONE, version=3)
        self.assertNotEqual(self.told(), [None])

    def test_E7_inactive(self) -> None:
        """
        An inactive line is reported on: that keeps the way open.
        """
        self._begin(ONE)
        before = self.told()
        self._answer(HELD)
        self.assertEqual(self.told(), before)

    def test_E7_bandwidth(self) -> None:
        """
        C{b=RR} is what reports may take (RFC 3556), and 0 forbids them; without it that is a
        twentieth of C{b=AS}.
        """
        for extra, expected in ((b"b=RR:800\r\n", 100.0), (b"b=AS:64\r\n", 400.0)):
            self.setUp()
            to = self.single(extra)
            assert to is not None
            self.assertEqual(to.bandwidth, expected)
        self.setUp()
        self.assertIsNone(self.single(b"b=RS:800\r\nb=RR:0\r\n"))
        self.setUp()
        to = self.single(b"b=AS:0\r\n")
        assert to is not None
        self.assertIsNone(to.bandwidth)

    def test_E7_events(self) -> None:
        """
        The timestamps of telephone events do not count.
        """
        body = offer(ONE).replace(b"RTP/AVP 0", b"RTP/AVP 0 101")
        self.begun(body + b"a=rtpmap:101 telephone-event/8000\r\n")
        (to,) = self.told()
        assert to is not None
        self.assertEqual(dict(to.rates), {0: 8000, 101: 0})

    def test_E7_dropped(self) -> None:
        """
        Where a line is given up we say goodbye.
        """
        self._begin(ONE, TWO)
        first, second = self.capture.attached
        self._answer(GONE, TWO)
        self.assertEqual((first.left, second.left), (True, False))
        self.assertIsNone(first.reportsTo)
        self.assertIsNotNone(second.reportsTo)

    def test_E8_key(self) -> None:
        """
        On a protected line the reports are protected by the key of our own answer.
        """
        answer = self.begun(offer(ONE).replace(b"RTP/AVP", b"RTP/SAVP") + CRYPTO)
        (to,) = self.told()
        assert to is not None
        (ours,) = ownLines(answer.media[0])
        self.assertEqual(to.key, MasterKey(SUITE, ours.local))

    def test_E7_ourOffer(self) -> None:
        """
        Where the offer was ours there is nobody to report to before the answer.
        """
        for request in self.negotiation.propose(["1"]):
            self.live.bindStream(request)
        self.live.startCapture()
        self.negotiation.firstAnswer(self.live)
        self.assertEqual(self.told(), [None])
        self.negotiation.peerAnswered(parseSDP(offer(ONE)), self.live)
        (to,) = self.told()
        assert to is not None
        self.assertEqual(to.port, 40001)

    def test_E7_restored(self) -> None:
        """
        Another process that goes on with the call reports to the same place, under the
        same name and key.
        """
        body = offer(ONE).replace(b"RTP/AVP", b"RTP/SAVP") + CRYPTO + b"b=RR:400\r\n"
        self.begun(body)
        (before,) = self.told()
        local, remote = self.negotiation.local, self.negotiation.remote
        assert local is not None and remote is not None
        self.live.taps.report(0, None)
        other = Negotiation(evolve(self.negotiation.policy))
        other.restore(parseSDP(local.serialize()), parseSDP(remote.serialize()), self.live)
        self.assertEqual(self.told(), [before])
