"""
Tests for L{siprec.uas.negotiation}.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from siprec.ids import newRecordingID, nodeID
from siprec.media.ports import NoFreePorts
from siprec.sdp.choice import Policy
from siprec.sdp.model import SessionDescription
from siprec.sdp.parse import parseSDP
from siprec.session.live import LiveRecording
from siprec.session.model import RecordingSession, Segment
from siprec.session.taps import Taps
from siprec.testing.fakes import FakeCapture, FakePortPool
from siprec.testing.offer import OfferedStream
from siprec.uas.negotiation import Negotiation
from tests.uas.house import START
from tests.uas.kit import ONE, THREE, TWO, offer, renamed

HELD = evolve(ONE, direction="inactive")
GONE = evolve(ONE, port=0)


def parsed(*streams: OfferedStream, version: int = 1) -> SessionDescription:
    """
    @return: an offer or answer of the client's.
    """
    return parseSDP(offer(*streams, version=version))


class NegotiationTests(SynchronousTestCase):
    """
    Offers of a client, and the streams that follow from them.
    """

    def setUp(self) -> None:
        self.ports = FakePortPool(10000, 10, failure=NoFreePorts("none"))
        self.capture = FakeCapture()
        self.live = LiveRecording(
            recording=RecordingSession(
                id=newRecordingID(),
                callID="x",
                startTime=START,
                directory="/nowhere",
                segments=(Segment(nodeID("n1"), 1, START),),
            ),
            node=nodeID("n1"),
            advertise="192.0.2.1",
            bind="0.0.0.0",
            taps=Taps(self.ports, self.capture),
            now=lambda: START,
        )
        self.negotiation = Negotiation(Policy(), 5)

    def _begin(self, *streams: OfferedStream) -> SessionDescription:
        for request in self.negotiation.begin(parsed(*streams)):
            self.live.bindStream(request)
        self.live.startCapture()
        return self.negotiation.firstAnswer(self.live)

    def _answer(self, *streams: OfferedStream, version: int = 2) -> list[tuple[int, str]]:
        return self._lines(self.negotiation.answer(parsed(*streams, version=version), self.live))

    def _lines(self, description: SessionDescription) -> list[tuple[int, str]]:
        return [
            (media.port, description.direction(index))
            for index, media in enumerate(description.media)
        ]

    def _events(self) -> list[Any]:
        return [each["type"] for each in self.live.recording.events]

    def test_first(self) -> None:
        """
        Each line that can be recorded asks for a stream, with the formats that
        the answer takes.
        """
        requests = self.negotiation.begin(parsed(ONE, TWO))
        self.assertEqual(
            [(each.mediaIndex, each.label, each.direction) for each in requests],
            [(0, "1", "recvonly"), (1, "2", "recvonly")],
        )
        self.assertEqual([each.codec for each in requests[1].formats], ["PCMA"])
        answer = self._begin(ONE, TWO)
        self.assertEqual(answer.origin.sessionID, 5)
        self.assertEqual(self.negotiation.local, answer)

    def test_refusals(self) -> None:
        """
        Lines that cannot be recorded ask for nothing, and it is said why.
        """
        video = parseSDP(offer(ONE, TWO).replace(b"m=audio 40000", b"m=video 40000"))
        [request] = self.negotiation.begin(video)
        self.assertEqual(request.mediaIndex, 1)
        self.assertIn("line 1: video is not recorded", self.negotiation.refusals())

    def test_refusalsOnlyRefused(self) -> None:
        """
        A line that is taken needs no reason.
        """
        self.negotiation.begin(parsed(ONE, GONE))
        self.assertEqual(self.negotiation.refusals(), "line 2: port 0 in the offer")

    def test_own(self) -> None:
        """
        Each dialog has an C{o=} of its own.
        """
        self.assertNotEqual(Negotiation(Policy()).sessionID, Negotiation(Policy()).sessionID)

    def test_notReady(self) -> None:
        """
        A10: a recorder that is not ready answers inactive.
        """
        self.negotiation = Negotiation(Policy(receiving=False), 5)
        self.assertEqual(self._lines(self._begin(ONE)), [(10000, "inactive")])

    def test_unchanged(self) -> None:
        """
        The same offer again changes nothing.
        """
        first = self._begin(ONE, TWO)
        again = self.negotiation.answer(parsed(ONE, TWO), self.live)
        self.assertEqual(again.serialize(), first.serialize())
        self.assertEqual(self._events(), [])

    def test_changes(self) -> None:
        """
        Hold, resume, removal and reuse, one after the other.
        """
        self._begin(ONE, TWO)
        second = (10002, "recvonly")
        self.assertEqual(self._answer(HELD, TWO, version=2), [(10000, "inactive"), second])
        self.assertEqual(self._answer(ONE, TWO, version=3), [(10000, "recvonly"), second])
        self.assertEqual(self._answer(GONE, TWO, version=4), [(0, "inactive"), second])
        self.assertEqual(self._answer(THREE, TWO, version=5), [(10004, "recvonly"), second])
        self.assertEqual(
            self._events(), ["streamPaused", "streamResumed", "streamRemoved", "streamAdded"]
        )
        self.assertEqual(
            [each.path for each in self.capture.attached],
            [f"/nowhere/1-{index}.rtpdump" for index in range(3)],
        )

    def test_formats(self) -> None:
        """
        Payload types that a later offer brings are known from then on; those
        before stay known.
        """
        self._begin(ONE)
        self._answer(evolve(ONE, law=TWO.law))
        [stream] = self.live.recording.streams
        self.assertEqual([each.codec for each in stream.formats], ["PCMA", "PCMU"])

    def test_label(self) -> None:
        """
        A line that is relabelled stays the same stream.
        """
        self._begin(ONE)
        self._answer(renamed(ONE, "x"))
        [stream] = self.live.recording.streams
        self.assertEqual((stream.label, stream.port), ("x", 10000))
        [event] = self.live.recording.events
        self.assertEqual(
            (event["type"], event["stream"], event["label"], event["before"]),
            ("labelChanged", 0, "x", "1"),
        )

    def test_A17_hold(self) -> None:
        """
        A null address is a hold, whatever the direction says; it is answered like any
        other line.
        """
        self._begin(ONE, TWO)
        null = (b"c=IN IP4 192.0.2.7", b"c=IN IP4 0.0.0.0")
        held = parseSDP(offer(ONE, TWO, version=2).replace(*null))
        answer = self.negotiation.answer(held, self.live)
        self.assertEqual(self._lines(answer), [(10000, "recvonly"), (10002, "recvonly")])
        self._answer(ONE, TWO, version=3)
        self.assertEqual(self._events(), ["streamHeld"] * 2 + ["streamReleased"] * 2)

    def test_A17_heldFromTheBeginning(self) -> None:
        """
        So is one in the first offer.
        """
        held = parseSDP(offer(ONE).replace(b"c=IN IP4 192.0.2.7", b"c=IN IP4 0.0.0.0"))
        for request in self.negotiation.begin(held):
            self.live.bindStream(request)
        self.negotiation.firstAnswer(self.live)
        self.assertEqual(self._events(), ["streamHeld"])

    def test_moved(self) -> None:
        """
        Where the peer's media, or its codecs, change it is noted.
        """
        self._begin(ONE)
        self._answer(evolve(ONE, port=40100, law=TWO.law))
        [event] = self.live.recording.events
        self.assertEqual((event["type"], event["changed"]), ("sdpChanged", ["address", "codecs"]))

    def test_noPort(self) -> None:
        """
        A further line without a port is refused, the others go on.
        """
        self._begin(ONE)
        self.ports.free = 0
        self.assertEqual(self._answer(ONE, TWO), [(10000, "recvonly"), (0, "inactive")])
        self.assertEqual(self._events(), ["streamRefused"])
        self.ports.free = 1
        self.assertEqual(self._answer(ONE, TWO, version=3)[1], (10002, "recvonly"))

    def test_irregular(self) -> None:
        """
        A19: an odd C{o=} is noted and its content followed.
        """
        self._begin(ONE)
        self._answer(HELD, version=1)
        self.assertEqual(self._events(), ["sdpIrregular", "streamPaused"])

    def test_A18_offer(self) -> None:
        """
        Our own offer has what holds; the peer's answer to it may pause or
        refuse a line.
        """
        first = self._begin(ONE, TWO)
        self.assertEqual(self.negotiation.offer(self.live), first)
        self.negotiation.peerAnswered(parsed(HELD, evolve(TWO, port=0), version=2), self.live)
        self.assertEqual(self._events(), ["streamPaused", "streamRemoved"])
        offered = self.negotiation.offer(self.live)
        self.assertEqual(self._lines(offered), [(10000, "inactive"), (0, "inactive")])
        self.assertEqual(offered.origin.version, 2)
        self.assertEqual(self.negotiation.remote, parsed(HELD, evolve(TWO, port=0), version=2))

    def test_D4_offerless_proposed(self) -> None:
        """
        Without an offer ours comes first, and the peer's answer decides.
        """
        for stream in self.negotiation.propose(["1", "2"]):
            self.live.bindStream(stream)
        offered = self.negotiation.firstAnswer(self.live)
        self.assertEqual(self._lines(offered), [(10000, "recvonly"), (10002, "recvonly")])
        self.assertEqual((offered.origin.sessionID, offered.origin.version), (5, 1))
        self.negotiation.peerAnswered(parsed(ONE, evolve(TWO, port=0)), self.live)
        self.assertEqual(self._events(), ["streamRemoved"])

    def test_D4_replaces_takenOver(self) -> None:
        """
        Streams that another dialog had stay where they are; further lines get
        new ones.
        """
        self._begin(ONE)
        other = Negotiation(Policy(), 6)
        other.begin(parsed(ONE, THREE))
        taken = other.takeOver(self.live)
        self.assertEqual(self._lines(taken), [(10000, "recvonly"), (10002, "recvonly")])
        self.assertEqual((taken.origin.sessionID, taken.origin.version), (6, 1))
        self.assertEqual(self._events(), ["streamAdded"])
