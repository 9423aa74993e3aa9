"""
Tests of L{siprec.session.protecting}.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from siprec.ids import newRecordingID, nodeID
from siprec.media.keys import OVERLAP, MasterKey
from siprec.media.libsrtp import CryptoSession
from siprec.media.srtp import MOST_WRAPS
from siprec.session.manifest import describe
from siprec.session.model import (
    CallSnapshot,
    RecordingSession,
    Segment,
    SessionData,
    StreamInfo,
)
from siprec.session.protecting import protectionOf, rekey, withCounters
from siprec.session.taps import Taps
from siprec.store.codec import decode, encode
from siprec.testing.fakes import FakeCapture, FakePortPool
from tests.media.reference import protect, rtp
from tests.session.recordings import START, dialog

SUITE = "AES_CM_128_HMAC_SHA1_80"
ONE, TWO = (MasterKey(SUITE, bytes([each]) * 30) for each in (0x51, 0x52))
HOST = "192.0.2.1"


class _Live:
    """
    A recording that runs, as far as keys go.
    """

    def __init__(self, *keys: tuple[MasterKey, ...] | None) -> None:
        streams = tuple(
            StreamInfo(index, index, None, (), HOST, 4000, keys=each)
            for index, each in enumerate(keys)
        )
        self.recording = RecordingSession(
            id=newRecordingID(),
            callID="x",
            startTime=START,
            directory="/nowhere",
            segments=(Segment(nodeID("n1"), 1, START),),
            streams=streams,
        )
        self.capture = FakeCapture()
        self.taps = Taps(FakePortPool(), self.capture)
        self.events: list[dict[str, Any]] = []
        for index in range(len(streams)):
            self.taps.allocate(index, HOST)
            self.taps.attach(index, "/x", protectionOf(self.recording, index, START))

    def changeStream(self, index: int, **changes: Any) -> None:
        """
        As of a recording.
        """
        streams = list(self.recording.streams)
        streams[index] = evolve(streams[index], **changes)
        self.recording = evolve(self.recording, streams=tuple(streams))

    def event(self, type: str, **facts: Any) -> None:
        """
        As of a recording.
        """
        self.events.append({"type": type, **facts})


def closed(index: int, key: MasterKey = ONE) -> bytes:
    """
    @return: an SRTP packet.
    """
    return protect(SUITE, key.key, rtp(index), index >> 16)


class RekeyTests(SynchronousTestCase):
    """
    L{rekey}.
    """

    def test_E8_same(self) -> None:
        """
        The same keys, or none as before, are nothing to tell.
        """
        live = _Live((ONE,), None)
        rekey(live, 0, (ONE,), lambda: START)
        rekey(live, 1, None, lambda: START)
        self.assertEqual(live.events, [])

    def test_E8_others(self) -> None:
        """
        Other keys hold at once; those before are kept for a while. Nothing that is told
        has a key in it.
        """
        live = _Live((ONE,))
        protection = live.capture.attached[0].protection
        assert protection is not None
        protection.begin()
        self.assertEqual(protection.open(closed(1)), rtp(1))
        rekey(live, 0, (TWO,), lambda: START)
        wanted = (TWO, evolve(ONE, until=START + OVERLAP))
        self.assertEqual(live.recording.streams[0].keys, wanted)
        self.assertEqual(live.events, [{"type": "srtpChanged", "stream": 0, "suite": SUITE}])
        self.assertIs(live.capture.attached[0].protection, protection)
        self.assertNotIn("QQQ", repr(live.recording))

    def test_E8_begins(self) -> None:
        """
        A stream that came in the clear can be protected from some time on, and the other
        way round.
        """
        live = _Live(None)
        rekey(live, 0, (ONE,), lambda: START)
        protection = live.capture.attached[0].protection
        assert protection is not None
        protection.begin()
        self.assertEqual(protection.open(closed(1)), rtp(1))
        rekey(live, 0, None, lambda: START)
        self.assertIsNone(live.capture.attached[0].protection)
        self.assertEqual([each["suite"] for each in live.events], [SUITE, None])

    def test_notCaptured(self) -> None:
        """
        A stream that is not captured any more only has its keys changed.
        """
        live = _Live((ONE,))
        live.taps.release()
        rekey(live, 0, (TWO,), lambda: START)
        self.assertEqual(len(live.events), 1)


class ProtectionTests(SynchronousTestCase):
    """
    L{protectionOf}, and what a snapshot keeps.
    """

    def test_clear(self) -> None:
        """
        A stream in the clear has none.
        """
        self.assertIsNone(protectionOf(_Live(None).recording, 0, START))

    def test_E8_takeover(self) -> None:
        """
        Another process goes on from the snapshot: the index that the source had when it was
        saved and each that the time since allows.
        """
        live = _Live((ONE,), None)
        protection = live.capture.attached[0].protection
        assert protection is not None
        protection.begin()
        for index in (0xFFFE, 0x10003):
            self.assertEqual(protection.open(closed(index)), rtp(index))
        saved = withCounters(live.recording, live.taps)
        self.assertEqual([each.counters for each in saved.streams], [((7, 0x10003),), ()])
        data = SessionData(
            sessionID=saved.id,
            callID="x",
            status="recording",
            startTime=START,
            lastUpdate=START,
            recordingPath="/x",
            nodeID=nodeID("n1"),
            snapshot=CallSnapshot(saved, dialog(), START),
        )
        loaded = decode(encode(data)).snapshot
        assert loaded is not None
        self.assertEqual(loaded.recording, saved)
        more = (*saved.segments, Segment(nodeID("n2"), 2, START + 3600))
        other = protectionOf(evolve(loaded.recording, segments=more), 0, START + 3600)
        assert other is not None
        self.assertTrue(other.begin())
        self.assertEqual(other.open(closed(4 << 16 | 9)), rtp(4 << 16 | 9))

    def test_E8_firstSegment(self) -> None:
        """
        In the process in which a stream begins no other counter is tried.
        """
        protection = protectionOf(_Live((ONE,)).recording, 0, START + 1e9)
        assert protection is not None
        self.assertFalse(protection.begin())
        self.assertIsNone(protection.open(closed(1 << 16)))

    def test_E8_bounded(self) -> None:
        """
        However long a call has lasted, not all counters are tried.
        """
        recording = _Live((ONE,)).recording
        recording = evolve(recording, segments=recording.segments * 2)
        protection = protectionOf(recording, 0, START + 1e9)
        assert protection is not None
        protection.begin()
        self.assertIsNone(protection.open(closed(MOST_WRAPS + 1 << 16)))
        self.assertEqual(protection.open(closed(MOST_WRAPS << 16)), rtp(MOST_WRAPS << 16))

    def test_E8_manifest(self) -> None:
        """
        The manifest tells the suite and no key.
        """
        described = describe(_Live((ONE,), None, ()).recording)
        self.assertEqual([each["srtp"] for each in described["streams"]], [SUITE, None, None])
        self.assertNotIn("QQQ", str(described))

    def test_outgoing(self) -> None:
        """
        The keys of a stream open what a peer's own library protects.
        """
        protection = protectionOf(_Live((ONE,)).recording, 0, START)
        assert protection is not None
        protection.begin()
        sender = CryptoSession(SUITE, ONE.key, inbound=False)
        self.assertEqual(protection.open(sender.protect(rtp(3))), rtp(3))
