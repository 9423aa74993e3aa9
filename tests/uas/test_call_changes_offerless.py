"""
Tests for L{siprec.uas.call}: re-INVITEs without an offer.
"""

from __future__ import annotations

from attrs import evolve

from siprec.testing.offer import makeMetadata
from tests.uas.kit import METADATA, ONE, TWO, RecorderTestCase, offer

HELD = (evolve(ONE, direction="inactive"), TWO)
LATER = makeMetadata(["Ann", "Carol"], ["1", "2"])


class OfferlessTests(RecorderTestCase):
    """
    A re-INVITE without a description asks for our offer (RFC 3261 section
    14.2, RFC 8068 section 3.4.1; CONFORMANCE A18).
    """

    def setUp(self) -> None:
        super().setUp()
        self.first = self.src.call()
        self.response = self.src.ask(self.src.make("INVITE", body=(None, LATER)))

    def test_D4_offerless_reinvite(self) -> None:
        """
        The 200 has the lines, ports and labels that hold, from the same origin.
        """
        self.assertEqual(self.response.status, 200)
        self.assertEqual(self.response.body, self.first.body)
        self.assertEqual(self.house.document(2), LATER)

    def test_D4_offerless_answerInAck(self) -> None:
        """
        The answer comes in the ACK, and metadata may come along; each counts
        once, however often the ACK comes.
        """
        for _ in range(3):
            self.src.ack(body=(offer(*HELD, version=2), METADATA))
        self.assertEqual(self.house.events(), ["streamPaused"])
        self.assertEqual(len(self.house.manifest["metadata"]), 3)
        self.assertEqual(self.house.manifest["streams"][0]["direction"], "inactive")

    def test_refusedInAck(self) -> None:
        """
        The peer's answer may refuse a line.
        """
        self.src.ack(body=(offer(evolve(ONE, port=0), TWO, version=2), None))
        self.assertEqual(self.house.events(), ["streamRemoved"])

    def test_unreadableAck(self) -> None:
        """
        An answer that cannot be read is noted; the lines stay as they were.
        """
        self.src.ack(body=(b"v=0\r\n", None))
        self.assertEqual(self.house.events(), ["bodyIrregular", "offerNotAnswered"])
        self.assertEqual(self.src.reinvite(sdp=offer()).body, self.first.body)

    def test_D3_491_glare(self) -> None:
        """
        An UPDATE with an offer, before ours is answered, gets 491 (RFC 3311
        section 5.2); one without is taken.
        """
        self.assertEqual(self.src.update(sdp=offer(version=2)).status, 491)
        self.assertEqual(self.src.update(metadata=LATER).status, 200)
        self.src.ack(body=(offer(version=2), None))
        self.assertEqual(self.src.update(sdp=offer(version=3)).status, 200)

    def test_D4_offer_superseded(self) -> None:
        """
        An offer of the peer's, in a further INVITE, takes the place of ours:
        a late answer to ours does nothing.
        """
        asked = self.src.last
        self.assertEqual(self.src.ask(self.src.make("INVITE", body=(offer(), None))).status, 200)
        self.src.last = asked
        self.src.ack(body=(offer(*HELD, version=2), None))
        self.assertEqual(self.house.events(), [])
