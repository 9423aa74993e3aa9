"""
Tests of L{siprec.media.discarding}.
"""

from __future__ import annotations

import struct

from twisted.trial.unittest import SynchronousTestCase

from siprec.media.batch import Held, Receiver
from siprec.media.discarding import Discards, discard, discardControl
from siprec.media.stream import CapturedStream, JournalFile
from tests.media.fakes import LocalPair


def packet(stamp: int, ssrc: int = 7, first: int = 0x80, second: int = 0) -> bytes:
    """
    @return: a packet of G.711.
    """
    return struct.pack(">BBHII", first, second, 1, stamp & 0xFFFFFFFF, ssrc) + bytes(160)


class DiscardTests(SynchronousTestCase):
    """
    What of a stream is not kept.
    """

    def setUp(self) -> None:
        self.receiver = Receiver(1024)
        self.stream = CapturedStream("/r/1-0.rtpdump", LocalPair.make(self), JournalFile("/r"))
        self.discards = Discards()
        self.stream.discard(self.discards)

    def choose(self, *packets: bytes, now: float = 0.0) -> list[int]:
        """
        @return: the places, among these packets, of those that are not kept.
        """
        self.receiver.reset()
        self.receiver.place(1, b"of another stream")
        for number, each in enumerate(packets):
            self.receiver.place(2_000_000_000 + number, each)
        found = discard(self.receiver, self.stream, 1, len(packets), now)
        return [slot - 1 for slot in found]

    def test_all(self) -> None:
        """
        While a stream is muted all is discarded, whatever it is; it counts as heard.
        """
        self.assertEqual(self.choose(packet(160), b"", b"x", packet(0, second=200)), [0, 1, 2, 3])
        self.assertEqual((self.stream.discarded, self.stream.packets), (4, 0))
        self.assertEqual((self.stream.lastHeard, self.stream.lastArrival), (2.000000003, None))
        self.assertEqual(self.discards.newest, {7: 160})

    def test_late(self) -> None:
        """
        Afterwards that is discarded which was sent before: of the same source, with a
        timestamp that was reached already.  So a digit that was held down meanwhile is not
        told by its last packets.
        """
        self.choose(packet(320), packet(160), packet(800, ssrc=9))
        self.discards.until = 10.0
        found = self.choose(packet(160), packet(320), packet(480), packet(800), packet(800, ssrc=9))
        self.assertEqual(found, [0, 1, 4])
        self.assertEqual(self.stream.discarded, 6)

    def test_notLate(self) -> None:
        """
        RTCP, what is no RTP, other sources and timestamps that have begun anew are kept.
        """
        self.choose(packet(2_000_000))
        self.discards.until = 10.0
        for other in (
            packet(160, second=200),
            packet(160, first=0),
            packet(160)[:11],
            packet(160, ssrc=8),
            packet(100),
        ):
            self.assertEqual(self.choose(other), [])

    def test_wraps(self) -> None:
        """
        The newest timestamp is the newest after a wrap, too, from one batch to the next and
        within one.
        """
        self.choose(packet(2**32 - 160))
        self.choose(packet(160), packet(0), packet(2**32 - 320))
        self.choose(packet(80))
        self.assertEqual(self.discards.newest, {7: 160})
        self.discards.until = 10.0
        self.assertEqual(self.choose(packet(2**32 - 80), packet(320)), [0])

    def test_over(self) -> None:
        """
        When nothing late is expected any more all is kept, and nothing remembered.
        """
        self.choose(packet(320))
        self.discards.until = 10.0
        self.assertEqual(self.choose(packet(160), now=9.9), [0])
        self.assertEqual(self.choose(packet(160), now=10.0), [])
        self.assertEqual((self.stream.discards, self.stream.muted), (None, 0))
        self.assertEqual(self.choose(packet(160), now=10.0), [])

    def test_manySources(self) -> None:
        """
        Only the last sources are remembered: a peer cannot fill the memory.
        """
        self.choose(*(packet(160, ssrc=number) for number in range(40)))
        self.assertEqual(list(self.discards.newest), list(range(24, 40)))

    def test_control(self) -> None:
        """
        RTCP is discarded while the stream is muted, and kept before and after.
        """
        taken = [Held(3_000_000_000, b"\x80\xc8", 0, 2), Held(4_000_000_000, b"\x80\xc9", 0, 2)]
        self.assertEqual(discardControl(self.stream, taken), [])
        self.assertEqual((self.stream.discarded, self.stream.lastHeard), (2, 4.0))
        self.assertEqual(discardControl(self.stream, []), [])
        self.discards.until = 10.0
        self.assertEqual(discardControl(self.stream, taken), taken)
        self.stream.discard(None)
        self.assertEqual(discardControl(self.stream, taken), taken)
