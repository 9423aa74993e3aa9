"""
Tests of L{siprec.render.mixing}.
"""

import os
from collections.abc import Sequence

import numpy as np
from attrs import define, field
from numpy.typing import NDArray
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.rtp import RTPTable
from siprec.render.audio import Track
from siprec.render.codec import Payloads
from siprec.render.decode import PayloadFormat, decoderFor
from siprec.render.mixing import Mixer
from siprec.render.sequence import Sequencer
from siprec.render.timeline import Placement


@define(eq=False)
class _Echo:
    """
    A codec of one octet per sample that conceals with -1, and notes what it is asked.
    """

    sampleRate: int = 8000
    opened: int = field(default=0, init=False)
    holes: list[int] = field(factory=list, init=False)

    def samples(self, payloads: Payloads) -> NDArray[np.int64]:
        return payloads.length

    def open(self) -> "_Echo":
        self.opened += 1
        return self

    def decode(
        self, payloads: Payloads, hole: NDArray[np.int64]
    ) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
        self.holes += hole.tolist()
        parts = [np.empty(0, np.int16)]
        for row, missing in enumerate(hole.tolist()):
            parts.append(np.full(missing, -1, np.int16))
            parts.append(np.frombuffer(payloads.payload(row), np.uint8).astype(np.int16))
        return np.concatenate(parts), hole


class MixerTests(SynchronousTestCase):
    """
    The samples of the packets of one stream, put at their places.
    """

    def setUp(self) -> None:
        """
        Make a mixer of a track of 40 samples, at which timestamps are places.
        """
        directory = self.mktemp()
        os.mkdir(directory)
        self.track = Track.create(directory, 40)
        self.addCleanup(self.track.close)
        self.codec = _Echo()
        self.formats = {
            96: PayloadFormat(96, "echo", 8000, self.codec),
            97: PayloadFormat(97, "other", 8000, _Echo(16_000)),
            101: PayloadFormat(101, "telephone-event", 8000, None),
        }
        zero = np.zeros(1, np.int64)
        parts = {"first": zero, "shift": zero, "clock": zero + 8000, "stamp": zero, "jumped": zero}
        placement = Placement(8000, (), 0, np.empty((2, 0), np.int64), **parts, step=160)
        self.mixer = Mixer(self.track, 0, 8000, self.formats, [placement], None)
        self.sequencer = Sequencer()

    def feed(self, *packets: tuple[int, int, bytes], kind: int = 96) -> None:
        """
        @param packets: sequence number, timestamp and payload of each.
        """
        for found in self.sequencer.feed(*self.table(packets, kind)):
            self.mixer.write(self.last, found)

    def table(
        self, packets: Sequence[tuple[int, int, bytes]], kind: int
    ) -> tuple[RTPTable, NDArray[np.int64]]:
        length = np.array([len(payload) for _, _, payload in packets], np.int64)
        self.last = RTPTable(
            arrival=np.arange(len(packets), dtype=np.int64),
            payloadType=np.full(len(packets), kind, np.uint8),
            marker=np.zeros(len(packets), np.bool_),
            sequence=np.array([number for number, _, _ in packets], np.uint16),
            timestamp=np.array([stamp for _, stamp, _ in packets], np.uint32),
            ssrc=np.ones(len(packets), np.uint32),
            payloadStart=np.cumsum(length) - length,
            payloadLength=length,
            data=np.frombuffer(b"".join(payload for _, _, payload in packets), np.uint8),
        )
        return self.last, length

    def heard(self) -> list[int]:
        """
        @return: what is in the track.
        """
        return list(self.track.read(0, 40).tolist())

    def test_places(self) -> None:
        """
        Packets are at their places, whatever their order; one decoder has them all.
        """
        self.feed((1, 0, b"\1\1"), (3, 4, b"\3\3"), (2, 2, b"\2\2"))
        self.feed((4, 10, b"\4"))
        self.assertEqual(self.heard()[:12], [1, 1, 2, 2, 3, 3, 0, 0, 0, 0, 4, 0])
        self.assertEqual((self.codec.opened, self.codec.holes), (1, [0, 0, 0, 0]))

    def test_concealed(self) -> None:
        """
        Where packets were lost the decoder is asked for as much as is missing, within a
        table and from one to the next.
        """
        self.feed((1, 0, b"\1\1"), (3, 4, b"\3\3"))
        self.feed((5, 8, b"\5\5"))
        self.assertEqual(self.heard()[:10], [1, 1, -1, -1, 3, 3, -1, -1, 5, 5])
        self.assertEqual(self.codec.holes, [0, 2, 2])

    def test_late(self) -> None:
        """
        What comes late takes the place of what concealed it, and is no begin of a hole.
        """
        self.feed((1, 0, b"\1\1"), (3, 4, b"\3\3"))
        self.feed((2, 2, b"\2\2"))
        self.feed((4, 6, b"\4\4"))
        self.assertEqual(self.heard()[:8], [1, 1, 2, 2, 3, 3, 4, 4])
        self.assertEqual(self.codec.holes, [0, 2, 0, 0])

    def test_event(self) -> None:
        """
        After packets of another kind nothing is concealed.
        """
        self.feed((1, 0, b"\1\1"))
        self.feed((2, 2, b"\0\0\0\0"), kind=101)
        self.feed((4, 8, b"\4\4"))
        self.assertEqual(self.codec.holes, [0, 0])

    def test_otherRate(self) -> None:
        """
        What is decoded to another rate is left out here.
        """
        self.feed((1, 0, b"\1\1"), kind=97)
        self.assertEqual(self.heard(), [0] * 40)

    def test_codes(self) -> None:
        """
        Octets of G.711 are written as they are, with the silence taken off, and nothing
        else is.
        """
        self.mixer.codes = True
        self.mixer.track = Track.create(self.mktemp(), 4, np.uint8)
        self.formats[0] = PayloadFormat(0, "PCMU", 8000, decoderFor("PCMU", 8000))
        self.feed((1, 0, b"\xff\xfe"), kind=0)
        self.feed((2, 2, b"\1\1"))
        self.assertEqual(self.mixer.track.read(0, 4).tolist(), [0, 1, 0, 0])
        self.assertEqual(self.codec.opened, 0)

    def test_noPlace(self) -> None:
        """
        Packets of a run without a place are not heard.
        """
        self.mixer.placements = [None]
        self.feed((1, 0, b"\1\1"))
        self.assertEqual(self.heard(), [0] * 40)
