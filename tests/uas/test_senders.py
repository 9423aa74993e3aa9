"""
Tests of L{siprec.uas.senders}.
"""

from __future__ import annotations

from attrs import evolve

from siprec.media.origin import WAITING, Expected, How
from siprec.sdp.choice import Policy
from siprec.sdp.parse import parseSDP
from siprec.uas.negotiation import Negotiation
from tests.uas.kit import ONE, TWO, offer
from tests.uas.test_negotiation import GONE, HELD, _NegotiationCase

_THERE = Expected("latch", "192.0.2.7", "192.0.2.7")


class ExpectSendersTests(_NegotiationCase):
    """
    L{siprec.uas.senders.expectSenders}, as the negotiation uses it.
    """

    def begun(self, body: bytes, source: str = "latch") -> None:
        """
        Answer the first offer.
        """
        self.negotiation = Negotiation(Policy(source=source), 5)
        for request in self.negotiation.begin(parseSDP(body)):
            self.live.bindStream(request)
        self.live.startCapture()
        self.negotiation.firstAnswer(self.live)

    def told(self) -> list[Expected]:
        """
        @return: who is said to send each stream.
        """
        return [each.expected for each in self.capture.attached]

    def test_E11_described(self) -> None:
        """
        Each stream comes from the address of its line, and its RTCP from that of C{a=rtcp}.
        """
        self.begun(offer(ONE, TWO) + b"a=rtcp:5009 IN IP4 192.0.2.9\r\n")
        self.assertEqual(self.told(), [_THERE, evolve(_THERE, control="192.0.2.9")])
        self.assertEqual(self._events(), [])

    def test_E11_before(self) -> None:
        """
        Before the answer is made nothing is taken from anybody for certain.
        """
        [request] = self.negotiation.begin(parseSDP(offer(ONE)))
        self.live.bindStream(request)
        self.live.startCapture()
        self.assertEqual(self.told(), [WAITING])

    def test_E11_how(self) -> None:
        """
        How it is told who sends is what was set.
        """
        for source in ("sdp", "any"):
            self.setUp()
            self.begun(offer(ONE), source)
            [found] = self.told()
            self.assertEqual((found.how, found.host), (source, "192.0.2.7"))

    def test_E11_null(self) -> None:
        """
        A null address names nobody; where only the described one counts, the manifest
        says so, once.
        """
        null = offer(ONE, version=2).replace(b"c=IN IP4 192.0.2.7", b"c=IN IP4 0.0.0.0")
        for source, said in (("latch", 0), ("sdp", 1)):
            self.setUp()
            self.begun(offer(ONE), source)
            for _ in range(2):
                self.negotiation.answer(parseSDP(null), self.live)
            self.assertEqual(self.told(), [Expected(source)])  # type: ignore[arg-type]
            self.assertEqual(self._events().count("senderUnknown"), said)
            self._answer(ONE, version=3)
            self.assertEqual([each.host for each in self.told()], ["192.0.2.7"])

    def test_E11_name(self) -> None:
        """
        A host name is kept as it is, so that a change of it is one; with C{sdp} that is
        said from the beginning.
        """
        self.begun(offer(ONE).replace(b"IN IP4 192.0.2.7", b"IN IP4 sbc.example.com"), "sdp")
        self.assertEqual(self.told()[0].host, "sbc.example.com")
        self.assertEqual(self._events(), ["senderUnknown"])

    def test_E11_ourOffer(self) -> None:
        """
        Where the offer was ours the address is known from the answer; until then the first
        sender is taken, or, where only the described one counts, what comes is held.
        """
        cases: tuple[tuple[How, Expected], ...] = (
            ("latch", Expected("latch")),
            ("sdp", WAITING),
        )
        for source, before in cases:
            self.setUp()
            self.negotiation = Negotiation(Policy(source=source), 5)
            for request in self.negotiation.propose(["1"]):
                self.live.bindStream(request)
            self.live.startCapture()
            self.negotiation.firstAnswer(self.live)
            self.assertEqual(self.told(), [before])
            self.negotiation.peerAnswered(parseSDP(offer(ONE)), self.live)
            self.assertEqual(self.told(), [evolve(_THERE, how=source)])
            self.assertEqual(self._events(), [])

    def test_E11_givenUp(self) -> None:
        """
        For a line that is inactive it is said, too; for one that is given up the last word
        stays.
        """
        self.begun(offer(ONE, TWO))
        self._answer(GONE, HELD)
        self.assertEqual(self.told(), [_THERE, _THERE])

    def test_E11_restored(self) -> None:
        """
        Another process that goes on with the call expects the same.
        """
        self.begun(offer(ONE))
        local, remote = self.negotiation.local, self.negotiation.remote
        assert local is not None and remote is not None
        self.live.taps.expect(0, WAITING)
        # What can be recorded may have become less by now; what was agreed goes on.
        other = Negotiation(evolve(self.negotiation.policy, codecs=()))
        other.restore(parseSDP(local.serialize()), parseSDP(remote.serialize()), self.live)
        self.assertEqual(self.told(), [evolve(_THERE, control="")])
        other = Negotiation(self.negotiation.policy)
        other.restore(parseSDP(local.serialize()), parseSDP(remote.serialize()), self.live)
        self.assertEqual(self.told(), [_THERE])
