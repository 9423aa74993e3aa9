"""
Tests for L{siprec.uas.call}: a first INVITE without an offer (RFC 3261 section
13.3.1.4).
"""

from __future__ import annotations

from siprec.testing.offer import OfferedStream
from tests.uas.again import AgainTestCase
from tests.uas.kit import METADATA, ONE, TWO, RecorderTestCase, lines, offer, sdp

_UNLABELLED = offer().replace(b"a=label:1\r\n", b"").replace(b"a=label:2\r\n", b"")


class OfferlessTests(RecorderTestCase):
    """
    Our offer is in the 200, the peer's answer in its ACK.
    """

    def invited(self, metadata: bytes | None = METADATA) -> list[tuple[int, str, str | None]]:
        """
        @return: the lines of our offer.
        """
        self.response = self.src.ask(self.src.make("INVITE", body=(None, metadata)))
        self.assertEqual(self.response.status, 200)
        self.src.toTag = self.response.toTag
        return lines(self.response)

    def test_D4_offerless_byMetadata(self) -> None:
        """
        As many lines as the metadata has labels, each to receive on, with what
        can be recorded.
        """
        offered = self.invited()
        self.assertEqual([line[1:] for line in offered], [("recvonly", "1"), ("recvonly", "2")])
        self.assertEqual(len({line[0] for line in offered}), 2)
        names = [codec.encoding for codec in sdp(self.response).media[0].codecs]
        self.assertEqual(names, ["pcma", "pcmu", "cn", "telephone-event"])
        self.src.ack(body=(offer(ONE, TWO), None))
        self.assertEqual(self.house.events(), [])
        self.assertEqual(len(self.house.capture.attached), 2)
        self.src.bye()
        self.assertEqual(self.house.manifest["state"], "complete")

    def test_D4_offerless_withoutMetadata(self) -> None:
        """
        Without metadata two lines; the labels are those of the answer.
        """
        offered = self.invited(metadata=None)
        self.assertEqual([line[1:] for line in offered], [("recvonly", None)] * 2)
        self.src.ack(body=(offer(OfferedStream("a", 40000), OfferedStream("b", 40002)), METADATA))
        self.assertEqual([each["label"] for each in self.house.manifest["streams"]], ["a", "b"])

    def test_D4_offerless_refusedLine(self) -> None:
        """
        A line that the answer refuses is given up.
        """
        self.invited()
        self.src.ack(body=(offer(ONE, OfferedStream("2", 0)), None))
        self.assertEqual(self.house.events(), ["streamRemoved"])
        response = self.src.reinvite(sdp=None)
        self.assertEqual([line[0] > 0 for line in lines(response)], [True, False])

    def test_D4_offerless_notAnswered(self) -> None:
        """
        An ACK without an answer: what comes is recorded, and the peer may
        offer by itself.
        """
        self.invited()
        self.src.ack()
        self.assertEqual(self.house.events(), ["offerNotAnswered"])
        self.assertEqual(self.src.update(sdp=offer()).status, 200)

    def test_D4_offer_updateBeforeAck(self) -> None:
        """
        Before the ACK an UPDATE with an offer crosses ours: 491; one without
        is taken.
        """
        self.invited()
        self.assertEqual(self.src.update(sdp=offer()).status, 491)
        self.assertEqual(self.src.update().status, 200)
        self.src.last = self.src.make("INVITE", cseq=1)
        self.src.ack(body=(offer(), None))
        self.assertEqual(self.src.update(sdp=offer()).status, 200)

    def test_D4_offer_updateBeforeAckOfAnswer(self) -> None:
        """
        Where the 200 carried an answer, an UPDATE may bring a new offer before
        the ACK (RFC 3311 section 5.1).
        """
        self.src.invite()
        response = self.src.update(sdp=offer(ONE, version=2))
        self.assertEqual(response.status, 200)
        self.src.last = self.src.make("INVITE", cseq=1)
        self.src.ack()


class ResumedTests(AgainTestCase):
    """
    The process dies before the answer has come.
    """

    def test_D4_offerless_resumed(self) -> None:
        """
        The next one takes the answer to the offer that it has not made.
        """
        response = self.src.ask(self.src.make("INVITE", body=(None, METADATA)))
        self.src.toTag = response.toTag
        call = self.again()
        call.moveMedia()
        [again] = self.house.wire.take()
        self.assertEqual(again.body, response.body)
        self.src.ack(body=(offer(ONE, OfferedStream("2", 0)), None))
        self.assertIn("streamRemoved", self.house.events())
        self.assertEqual(self.src.bye().status, 200)
