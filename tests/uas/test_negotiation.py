"""
Tests for L{siprec.uas.negotiation}.
"""

from __future__ import annotations

import base64
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from siprec.ids import newRecordingID, nodeID
from siprec.media.ports import NoFreePorts
from siprec.sdp.choice import Policy
from siprec.sdp.crypto import SUITES, CryptoLine, ownLines, parseCrypto
from siprec.sdp.model import SessionDescription
from siprec.sdp.parse import parseSDP
from siprec.session.live import LiveRecording
from siprec.session.model import RecordingSession, Segment
from siprec.session.taps import Taps
from siprec.testing.fakes import FakeCapture, FakePortPool
from siprec.testing.offer import OfferedStream
from siprec.uas.bodies import BadBody
from siprec.uas.negotiation import Negotiation
from tests.uas.house import START
from tests.uas.kit import ONE, THREE, TWO, offer, renamed

SUITE = "AES_CM_128_HMAC_SHA1_80"
HELD = evolve(ONE, direction="inactive")
GONE = evolve(ONE, port=0)


def parsed(*streams: OfferedStream, version: int = 1) -> SessionDescription:
    """
    @return: an offer or answer of the client's.
    """
    return parseSDP(offer(*streams, version=version))


class _NegotiationCase(SynchronousTestCase):
    """
    A negotiation and its recording.
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


class NegotiationTests(_NegotiationCase):
    """
    Offers of a client, and the streams that follow from them.
    """

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


def _crypto(first: int = 0, suite: str = SUITE, tag: int = 3) -> str:
    """
    @return: a C{a=crypto} of the client's.
    """
    key = base64.b64encode(bytes([first]) * SUITES[suite]).decode()
    return f"{tag} {suite} inline:{key}|2^31"


class SecureTests(_NegotiationCase):
    """
    Keys of SRTP.
    """

    def setUp(self) -> None:
        super().setUp()
        self.one = evolve(ONE, crypto=_crypto(1))

    def _own(self, description: SessionDescription, index: int = 0) -> CryptoLine:
        """
        @return: the one line that we have written, with the key in it.
        """
        [value] = [text for name, text in description.media[index].attributes if name == "crypto"]
        assert value is not None
        return parseCrypto(value)

    def _keys(self, index: int = 0) -> list[tuple[str, int, bool]]:
        """
        @return: the keys of a stream: suite, first octet, whether it is in force.
        """
        keys = self.live.recording.streams[index].keys or ()
        return [(each.suite, each.key[0], each.until is None) for each in keys]

    def test_E8_answer(self) -> None:
        """
        The answer has the tag and suite of the line that is taken, and a key of our own,
        another one for each stream.
        """
        answer = self._begin(self.one, evolve(TWO, crypto=_crypto(1)))
        lines = [self._own(answer, index) for index in (0, 1)]
        self.assertEqual([(each.tag, each.suite) for each in lines], [(3, SUITE)] * 2)
        keys = {each.keys[0].key for each in lines} | {bytes([1]) * 30}
        self.assertEqual(len(keys), 3)
        self.assertEqual([each.protocol for each in answer.media], ["RTP/SAVP"] * 2)
        self.assertEqual(self._keys(), [(SUITE, 1, True)])
        self.assertIsNotNone(self.capture.attached[0].protection)

    def test_E8_sameOffer(self) -> None:
        """
        The same offer again has the same answer, our key included, and no event.
        """
        first = self._begin(self.one)
        again = self.negotiation.answer(parsed(self.one, version=2), self.live)
        self.assertEqual(again, first)
        self.assertEqual(self._events(), [])

    def test_E8_rekeyed(self) -> None:
        """
        A new key of the peer's holds at once, and the old one a while longer; ours stays.
        """
        first = self._begin(self.one)
        changed = evolve(ONE, crypto=_crypto(2))
        again = self.negotiation.answer(parsed(changed, version=2), self.live)
        self.assertEqual(self._own(again), self._own(first))
        self.assertEqual(self._keys(), [(SUITE, 2, True), (SUITE, 1, False)])
        self.assertEqual(self._events(), ["srtpChanged"])

    def test_E8_otherSuite(self) -> None:
        """
        For another suite we have another key.
        """
        first = self._begin(self.one)
        other = "AES_CM_128_HMAC_SHA1_32"
        changed = evolve(ONE, crypto=_crypto(2, other, 9))
        again = self._own(self.negotiation.answer(parsed(changed, version=2), self.live))
        self.assertEqual((again.tag, again.suite), (9, other))
        self.assertNotEqual(again.keys, self._own(first).keys)
        self.assertEqual(self._keys()[0], (other, 2, True))

    def test_E8_toClear(self) -> None:
        """
        A stream may be in the clear from some offer on.
        """
        self._begin(self.one)
        answer = self.negotiation.answer(parsed(ONE, version=2), self.live)
        self.assertIsNone(answer.media[0].attribute("crypto"))
        self.assertIsNone(self.live.recording.streams[0].keys)
        self.assertIsNone(self.capture.attached[0].protection)
        self.assertEqual(self._events(), ["srtpChanged", "sdpChanged"])

    def test_E8_ownOffer(self) -> None:
        """
        An offer of ours in mid-call has our key; the answer may bring another one of the
        peer's.
        """
        first = self._begin(self.one)
        offered = self.negotiation.offer(self.live)
        self.assertEqual(self._own(offered), self._own(first))
        answer = parsed(evolve(ONE, crypto=_crypto(7)), version=2)
        self.negotiation.peerAnswered(answer, self.live)
        self.assertEqual(self._keys()[0], (SUITE, 7, True))

    def test_E8_required(self) -> None:
        """
        Where SRTP is required, what comes without it is refused, also in mid-call.
        """
        self.negotiation = Negotiation(Policy(srtp="require"), 5)
        self.assertEqual(self.negotiation.begin(parsed(ONE)), [])
        self.assertIn("SRTP is required", self.negotiation.refusals())
        self._begin(self.one)
        error: BadBody = self.assertRaises(BadBody, self.negotiation.check, parsed(ONE, version=2))
        self.assertEqual(error.status, 488)

    def test_E8_offerless(self) -> None:
        """
        Where SRTP is required, an INVITE without an offer gets one with a line for each suite;
        until the peer has said its key nothing can be opened.
        """
        self.negotiation = Negotiation(Policy(srtp="require"), 5)
        for request in self.negotiation.propose(["1"]):
            self.live.bindStream(request)
        self.live.startCapture()
        offered = self.negotiation.firstAnswer(self.live)
        values = [text for name, text in offered.media[0].attributes if name == "crypto"]
        self.assertEqual([parseCrypto(each or "").suite for each in values], list(SUITES))
        self.assertEqual(self.live.recording.streams[0].keys, ())
        self.assertIsNotNone(self.capture.attached[0].protection)
        other = Negotiation(Policy(srtp="require"), 5)
        other.restore(offered, None, self.live)
        chosen = evolve(ONE, crypto=_crypto(4, "AES_CM_128_HMAC_SHA1_80", 4))
        for negotiation in (self.negotiation, other):
            negotiation.peerAnswered(parsed(chosen), self.live)
            self.assertEqual(self._keys(), [("AES_CM_128_HMAC_SHA1_80", 4, True)])
            [own] = ownLines(negotiation.offer(self.live).media[0])
            self.assertEqual(own.value, values[3])

    def test_E8_goesOn(self) -> None:
        """
        Another process goes on with the keys that were agreed, whatever is configured there.
        """
        local = self._begin(self.one, TWO)
        for srtp in ("allow", "require", "refuse"):
            other = Negotiation(Policy(srtp=srtp), 5)
            other.restore(local, parsed(self.one, TWO), self.live)
            again = other.offer(self.live)
            self.assertEqual(again, local)
            other.peerAnswered(parsed(self.one, TWO, version=2), self.live)
            self.assertEqual(self._keys(), [(SUITE, 1, True)])

    def test_E8_clearGoesOn(self) -> None:
        """
        Keys that were not taken before are not taken by another process either.
        """
        self.negotiation = Negotiation(Policy(srtp="refuse"), 5)
        optional = parseSDP(offer(self.one).replace(b"RTP/SAVP", b"RTP/AVP"))
        for request in self.negotiation.begin(optional):
            self.live.bindStream(request)
        local = self.negotiation.firstAnswer(self.live)
        self.assertIsNone(local.media[0].attribute("crypto"))
        other = Negotiation(Policy(), 5)
        other.restore(local, optional, self.live)
        self.assertEqual(other.offer(self.live), local)

    def test_E8_lineGivenUp(self) -> None:
        """
        A line that was given up and comes back has new keys on both sides.
        """
        first = self._begin(self.one, TWO)
        self._answer(evolve(self.one, port=0), TWO)
        again = self.negotiation.answer(
            parsed(evolve(ONE, crypto=_crypto(2)), TWO, version=3), self.live
        )
        self.assertNotEqual(self._own(again).keys, self._own(first).keys)
        self.assertEqual(self._keys()[0], (SUITE, 2, True))
