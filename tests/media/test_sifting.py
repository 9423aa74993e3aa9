"""
Tests of L{siprec.media.sifting}, within the drain that uses it.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from siprec.media.drain import Drain
from siprec.media.keys import MasterKey
from siprec.media.libsrtp import CryptoSession
from siprec.media.origin import Expected
from siprec.media.srtp import Protection
from siprec.media.stream import CapturedStream, JournalFile
from tests.media.fakes import (
    CuttingWriter,
    LocalPair,
    NamedReceiver,
    closeJournal,
    packetsOf,
    visitAll,
)
from tests.media.reference import rtp
from tests.media.test_libsrtp import SENDER_REPORT, keyOf

SENDER, STRANGER = "192.0.2.7", "198.51.100.9"
LATCH, SDP = Expected("latch", SENDER), Expected("sdp", SENDER)
#: What strangers send is told by its payload.
_LOUD = b"\xa5" * 160
_GCM = "AEAD_AES_128_GCM"


def strange(sequence: int, ssrc: int = 9) -> bytes:
    """
    @return: a packet of a stranger.
    """
    return rtp(sequence, ssrc, _LOUD)


def _who(data: bytes) -> str:
    return STRANGER if _LOUD in data or data.startswith(b"\x80\xc9") else SENDER


class SiftingCase(SynchronousTestCase):
    """
    A drain with local sockets whose packets have addresses.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.receiver, self.now = NamedReceiver(1024), 0.0
        self.receiver.who = _who
        self.news: list[tuple[CapturedStream, str, str]] = []
        self.drain = Drain(
            self.receiver,
            CuttingWriter(),
            lambda stream, error: self.fail(str(error)),
            lambda: self.now,
            tell=lambda *news: self.news.append(news),
        )
        self.addCleanup(self.drain.close)

    def stream(
        self, expected: Expected, name: str = "1-0.rtpdump", protection: Protection | None = None
    ) -> tuple[CapturedStream, LocalPair]:
        """
        @return: a stream that is being visited, and its pair.
        """
        pair, path = LocalPair.make(self), str(self.directory / name)
        stream = CapturedStream(path, pair, JournalFile(path))
        stream.protect(protection)
        stream.expect(expected, 1)
        self.drain.add(stream)
        self.addCleanup(closeJournal, stream)
        return stream, pair

    def send(self, pair: LocalPair, *packets: bytes) -> None:
        """
        Have RTP come, and visit.
        """
        for each in packets:
            pair.toRTP.send(each)
        visitAll(self.drain)

    def kept(self, stream: CapturedStream) -> list[bytes]:
        """
        @return: all in its journal.
        """
        return [data for data, _ in packetsOf(stream.path)] if os.path.exists(stream.path) else []

    def told(self) -> list[tuple[str, str]]:
        """
        @return: what was told.
        """
        return [(kind, host) for _, kind, host in self.news]


class StrangerTests(SiftingCase):
    """
    Packets that are not the sender's.
    """

    def test_E11_among(self) -> None:
        """
        Among those of the sender, and of another stream that takes all, a stranger's are
        counted, told of once, and not written.
        """
        stream, pair = self.stream(LATCH)
        other, second = self.stream(Expected("any"), "1-1.rtpdump")
        for number in range(3):
            second.toRTP.send(strange(number))
            mine, theirs = rtp(number), strange(number)
            self.send(pair, theirs, mine, theirs)
        self.assertEqual(self.kept(stream), [rtp(0), rtp(1), rtp(2)])
        self.assertEqual(self.kept(other), [strange(0), strange(1), strange(2)])
        self.assertEqual((stream.packets, stream.strangers, other.strangers), (3, 6, 0))
        self.assertEqual(self.told(), [("stranger", STRANGER)])
        self.assertIs(self.news[0][0], stream)

    def test_E11_sdp(self) -> None:
        """
        With C{sdp} a stranger's packets are not written though they are all that comes,
        and there is no file.
        """
        stream, pair = self.stream(SDP)
        self.send(pair, *map(strange, range(5)))
        self.drain.finish(stream)
        self.assertEqual((stream.packets, stream.strangers), (0, 5))
        self.assertEqual(list(self.directory.iterdir()), [])
        self.assertIsNone(stream.lastHeard)

    def test_E11_control(self) -> None:
        """
        What a stranger sends to the RTCP port is not written, and is no report of the
        sender's.
        """
        stream, pair = self.stream(LATCH)
        self.send(pair, rtp(1), rtp(2), rtp(3))
        pair.toRTCP.send(b"\x80\xc9" + SENDER_REPORT[2:])
        pair.toRTCP.send(SENDER_REPORT)
        visitAll(self.drain)
        visitAll(self.drain)
        self.assertEqual(packetsOf(stream.path)[3:], [(SENDER_REPORT, True)])
        self.assertEqual((stream.controlPackets, stream.strangers), (1, 1))

    def test_E11_multiplexed(self) -> None:
        """
        RTCP at the port of RTP is told apart by its address as well.
        """
        stream, pair = self.stream(LATCH)
        report = b"\x80\xc9" + SENDER_REPORT[2:]
        self.send(pair, rtp(1), report, SENDER_REPORT)
        self.assertEqual(self.kept(stream), [rtp(1), SENDER_REPORT])

    def test_E11_muted(self) -> None:
        """
        While a stream is muted all is discarded, whoever sends it, and nobody wins by
        that; who is held when it begins or ends is not recorded.
        """
        stream, pair = self.stream(LATCH)
        self.send(pair, *map(strange, range(5)))
        self.drain.mute(stream)
        pair.toRTCP.send(SENDER_REPORT)
        self.send(pair, *map(strange, range(5, 9)), rtp(1))
        self.assertEqual((stream.discarded, stream.strangers), (6, 5))
        self.drain.unmute(stream)
        self.send(pair, rtp(100))
        self.drain.finish(stream)
        self.assertEqual(self.kept(stream), [rtp(100)])


class LearningTests(SiftingCase):
    """
    Who sends is found out.
    """

    def test_E11_latched(self) -> None:
        """
        What was held is written with the times at which it came, before what comes next,
        and counted like all else.
        """
        stream, pair = self.stream(Expected("latch"))
        self.send(pair, rtp(1), rtp(2))
        pair.toRTCP.send(SENDER_REPORT)
        visitAll(self.drain)
        self.assertEqual((stream.packets, stream.firstArrival), (0, None))
        self.send(pair, rtp(3), rtp(4))
        self.send(pair, rtp(5), strange(1))
        visitAll(self.drain)
        packets = packetsOf(stream.path)
        self.assertEqual([data for data, rtcp in packets if not rtcp], list(map(rtp, range(1, 6))))
        self.assertIn((SENDER_REPORT, True), packets)
        self.assertEqual((stream.packets, stream.controlPackets, stream.strangers), (5, 1, 1))
        self.assertEqual(stream.octets, 5 * 172)
        self.assertEqual(self.told(), [("latched", SENDER), ("stranger", STRANGER)])

    def test_E11_decidedAtTheEnd(self) -> None:
        """
        What is held when a stream ends is written then, its RTCP too.
        """
        stream, pair = self.stream(Expected("latch", "192.0.2.99"))
        pair.toRTCP.send(SENDER_REPORT)
        self.send(pair, rtp(1), rtp(2), rtp(3))
        self.assertEqual(self.kept(stream), [])
        self.drain.finish(stream)
        self.assertEqual(sorted(self.kept(stream)), sorted([rtp(1), rtp(2), rtp(3), SENDER_REPORT]))

    def test_E11_said(self) -> None:
        """
        Once it is said who sends, what was held of it is written, and of others not.
        """
        stream, pair = self.stream(Expected("wait"))
        self.send(pair, rtp(1), strange(1), rtp(2))
        self.drain.expect(stream, SDP)
        self.assertEqual(self.kept(stream), [rtp(1), rtp(2)])
        self.assertEqual(stream.strangers, 1)

    def test_E11_saidTooLate(self) -> None:
        """
        For a stream that has ended, or is not visited yet, nothing is written.
        """
        stream, _ = self.stream(Expected("wait"))
        self.drain.finish(stream)
        self.drain.expect(stream, SDP)
        self.assertEqual(self.kept(stream), [])

    def test_E11_many(self) -> None:
        """
        More than one visit takes of a stream is written in several goes.
        """
        stream, pair = self.stream(Expected("wait"))
        assert stream.latch is not None
        for first in range(0, 600, 5):
            self.send(pair, *map(rtp, range(first, first + 5)))
            stream.latch.releaseAll()
        self.drain.expect(stream, Expected("any"))
        self.assertEqual(self.kept(stream), list(map(rtp, range(600))))

    def test_E11_moved(self) -> None:
        """
        The sender goes on at another address: what comes from there is held while the
        address before was heard lately, and written at the end at the latest.
        """
        stream, pair = self.stream(LATCH)
        self.send(pair, *map(rtp, range(1, 6)))
        self.send(pair, strange(6, ssrc=7), strange(7, ssrc=7), strange(8, ssrc=7))
        self.assertEqual((stream.packets, stream.strangers), (5, 0))
        self.drain.finish(stream)
        self.assertEqual(self.kept(stream)[5:], [strange(n, ssrc=7) for n in (6, 7, 8)])
        self.assertEqual(self.told(), [("latched", STRANGER)])

    def test_E6_collision(self) -> None:
        """
        While the sender goes on, the same source from another address is a stranger.
        """
        stream, pair = self.stream(LATCH)
        for number in range(1, 9):
            self.send(pair, rtp(number), strange(number + 1, ssrc=7))
        self.send(pair, rtp(9), b"\0\1\0\0stun")
        self.drain.finish(stream)
        self.assertEqual(self.kept(stream), [*map(rtp, range(1, 10)), b"\0\1\0\0stun"])
        self.assertEqual(stream.strangers, 8)


class ProtectedTests(SiftingCase):
    """
    Encrypted media.
    """

    def setUp(self) -> None:
        super().setUp()
        # Its packets look like those of another address.
        self.receiver.who = lambda data: STRANGER
        self.sender = CryptoSession(_GCM, keyOf(_GCM), inbound=False)
        self.protection = Protection((MasterKey(_GCM, keyOf(_GCM)),))

    def test_E11_keyed(self) -> None:
        """
        Who has the key is the sender, from wherever; what no key opens is nobody's.
        """
        stream, pair = self.stream(LATCH, protection=self.protection)
        self.send(pair, self.sender.protect(rtp(1)), rtp(2))
        pair.toRTCP.send(self.sender.protect(SENDER_REPORT, control=True))
        visitAll(self.drain)
        visitAll(self.drain)
        self.assertEqual(packetsOf(stream.path), [(rtp(1), False), (SENDER_REPORT, True)])
        self.assertEqual((stream.unauthenticated, stream.strangers), (1, 0))

    def test_E11_keyedAndDescribed(self) -> None:
        """
        With C{sdp} it must be the described address as well.
        """
        stream, pair = self.stream(SDP, protection=self.protection)
        self.send(pair, self.sender.protect(rtp(1)))
        self.assertEqual((self.kept(stream), stream.strangers), ([], 1))

    def test_E11_keyedAndSaid(self) -> None:
        """
        What was held until it was said that the key counts is opened then.
        """
        stream, pair = self.stream(Expected("wait"), protection=self.protection)
        pair.toRTCP.send(self.sender.protect(SENDER_REPORT, control=True))
        self.send(pair, self.sender.protect(rtp(1)), rtp(2))
        self.drain.expect(stream, LATCH)
        self.assertEqual(self.kept(stream), [rtp(1)])
        self.drain.finish(stream)
        self.assertEqual(packetsOf(stream.path), [(rtp(1), False), (SENDER_REPORT, True)])

    def test_E11_inTheClearAgain(self) -> None:
        """
        Without keys the address counts again.
        """
        stream, pair = self.stream(SDP, protection=self.protection)
        stream.protect(None)
        self.send(pair, rtp(1))
        self.drain.finish(stream)
        self.assertEqual((self.kept(stream), stream.strangers), ([], 1))
