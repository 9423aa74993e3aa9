"""
Tests of L{siprec.listen.playing}.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from twisted.trial.unittest import SynchronousTestCase

from siprec.listen.playing import Player, rateFor
from siprec.media.journal import cutRecords
from siprec.media.rtp import RTPPacket, parseTable
from tests.media.test_journal import START, record

_MS = 1_000_000
_LOUD = b"\x80"  # 32124 as mu-law
_PCMU = {"payloadType": 0, "codec": "PCMU", "clockRate": 8000, "channels": 1, "fmtp": None}
_L16 = {"payloadType": 96, "codec": "L16", "clockRate": 8000, "channels": 1, "fmtp": None}
_ODD = {"payloadType": 97, "codec": "speex", "clockRate": 8000, "channels": 1, "fmtp": None}


class PlayerTests(SynchronousTestCase):
    """
    A stream of G.711, unless it says something else.
    """

    def setUp(self) -> None:
        self.unknown: list[tuple[int, str]] = []
        self.player = self.make(8000, _PCMU)

    def make(self, rate: int, *formats: dict[str, Any]) -> Player:
        """
        @return: one that begins at the start.
        """
        entry = {"index": 0, "formats": list(formats)}
        return Player(entry, START, rate, lambda *told: self.unknown.append(told))

    def send(
        self,
        at: int,
        number: int,
        octet: bytes = _LOUD,
        timestamp: int | None = None,
        ssrc: int = 7,
        kind: int = 0,
        size: int = 160,
    ) -> None:
        """
        A packet comes.

        @param at: milliseconds after the start.
        """
        stamp = 160 * number if timestamp is None else timestamp
        packet = RTPPacket(kind, number % 65536, stamp % 2**32, ssrc, octet * size)
        table, _ = cutRecords(record(packet.serialize(), at), START)
        self.player.take(parseTable(table)[0])

    def play(self, milliseconds: int = 100, until: int = 10_000) -> NDArray[np.int16]:
        """
        @param until: what came so many milliseconds after the start.
        """
        return self.player.play(START + until * _MS, milliseconds * 8)

    def blocks(self, samples: NDArray[np.int16]) -> str:
        """
        @return: a letter for each 20 ms: loud or silent, or mixed.
        """
        rows = np.abs(samples.reshape(-1, 160)) > 1000
        return "".join("x" if row.all() else "?" if row.any() else "." for row in rows)

    def test_placed(self) -> None:
        """
        The first packet is where it came, the next where their timestamps say.
        """
        for at, number in ((20, 5), (45, 6), (90, 8)):
            self.send(at, number)
        self.assertEqual(self.blocks(self.play()), ".xx.x")
        self.assertEqual(self.blocks(self.play()), ".....")

    def test_ripe(self) -> None:
        """
        What came later than is asked for waits for its time.
        """
        self.send(0, 1)
        self.send(20, 2)
        self.assertEqual(self.blocks(self.play(20, until=10)), "x")
        self.assertEqual(self.blocks(self.play(20, until=30)), "x")

    def test_reordered(self) -> None:
        """
        What overtook another packet is behind it again; one that comes twice is played
        once, and one that comes when its time is over not at all.
        """
        for at, number in ((0, 65535), (40, 65538), (41, 65536), (42, 65537), (43, 65537)):
            self.send(at, number)
        self.assertEqual(self.blocks(self.play(80)), "xxxx")
        self.send(80, 65535)
        self.assertEqual(self.blocks(self.play(40)), "..")

    def test_late(self) -> None:
        """
        Of what comes late, that is heard which is still to come.
        """
        self.send(0, 1)
        self.play(30)
        self.send(40, 2)
        found = np.abs(self.play(20)) > 1000
        self.assertTrue(found[:80].all())
        self.assertFalse(found[80:].any())

    def test_jump(self) -> None:
        """
        Timestamps that have nothing to do with the time any more begin anew.
        """
        self.send(0, 1)
        self.send(40, 2, timestamp=1_000_000)
        self.send(60, 3, timestamp=1_000_160)
        self.assertEqual(self.blocks(self.play()), "x.xx.")

    def test_restart(self) -> None:
        """
        So do sequence numbers, and another source is placed by itself.
        """
        self.send(0, 40_000)
        self.send(20, 7, timestamp=160 * 40_001)
        self.send(60, 1, ssrc=8)
        self.assertEqual(self.blocks(self.play()), "xx.x.")

    def test_unknown(self) -> None:
        """
        What cannot be decoded is silence and told once; comfort noise and digits are
        silence and not told.
        """
        self.player = self.make(8000, _PCMU, _ODD)
        for number, kind in enumerate((97, 97, 98, 13, 0)):
            self.send(20 * number, number, kind=kind)
        self.assertEqual(self.blocks(self.play()), "....x")
        self.assertEqual(self.unknown, [(97, "speex"), (98, "unknown")])

    def test_unasked(self) -> None:
        """
        Static payload types need not have been negotiated.
        """
        self.player = self.make(16_000)
        self.send(0, 1, kind=9, octet=b"\xff")
        self.player.play(START + 10_000 * _MS, 320)
        self.assertEqual(self.unknown, [])

    def test_tooLong(self) -> None:
        """
        A packet that would last for longer than a second is left out.
        """
        self.send(0, 1, size=8001)
        self.assertFalse(self.play().any())

    def test_rates(self) -> None:
        """
        What has another rate than the sound is brought to it.
        """
        self.player = self.make(16_000, _PCMU)
        self.send(0, 1)
        self.send(20, 2)
        played = self.player.play(START + 10_000 * _MS, 800)
        self.assertTrue((np.abs(played[:640]) > 1000).all())
        self.assertFalse(played[640:].any())

    def test_learns(self) -> None:
        """
        Codecs that were negotiated later are known from then on.
        """
        self.player.learn({"index": 0, "formats": [_PCMU]})
        self.send(0, 1, kind=96, octet=b"\x40")
        self.assertFalse(self.play().any())
        self.player.learn({"index": 0, "formats": [_PCMU, _L16]})
        self.send(120, 2, kind=96, octet=b"\x40")
        self.assertTrue(self.play().any())

    def test_rateFor(self) -> None:
        """
        The sound has the rate of the best codec.
        """
        wide = {**_L16, "clockRate": 16_000}
        self.assertEqual(rateFor([]), 8000)
        self.assertEqual(rateFor([{"formats": [_PCMU, _ODD]}, {}]), 8000)
        self.assertEqual(rateFor([{"formats": [_PCMU]}, {"formats": [wide]}]), 16_000)
