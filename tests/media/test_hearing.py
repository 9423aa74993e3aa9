"""
Tests of L{siprec.media.hearing}.
"""

import random
import struct
from typing import cast

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.batch import Held, Receiver
from siprec.media.hearing import Hearing, blocksOf, hearAnew, hearControl, lastHeard, setRates
from siprec.media.interfaces import IPortPair
from siprec.media.latching import Heard
from siprec.media.layout import Runs
from siprec.media.reception import Sources
from siprec.media.stream import CapturedStream, Cells, JournalFile
from siprec.testing.fakes import FakePortPair
from tests.media.fakes import adopted
from tests.media.test_reception import FRAME, STEP, Packet, traffic
from tests.media.test_rtcp import REPORT

Arrived = tuple[int, bytes]


def octets(packet: Packet, ssrc: int = 7, payloadType: int = 0, marker: bool = False) -> bytes:
    """
    @return: the packet as it comes.
    """
    second = payloadType | (0x80 if marker else 0)
    head = struct.pack(">BBHII", 0x80, second, packet.sequence, packet.timestamp, ssrc)
    return head + bytes(20)


def inOrder(begin: int, count: int, ssrc: int = 7, payloadType: int = 0) -> list[Arrived]:
    """
    @return: packets that come as they should.
    """
    packets = (Packet(n & 0xFFFF, n * FRAME, n * STEP) for n in range(begin, begin + count))
    return [(each.arrival, octets(each, ssrc, payloadType)) for each in packets]


class HearingTests(SynchronousTestCase):
    """
    L{Hearing}, against looking at one packet after the other.
    """

    def setUp(self) -> None:
        self.receiver = Receiver(1024)
        self.hearing, self.cells = Hearing(self.receiver), Cells(2)

    def hear(self, *runs: tuple[CapturedStream, list[Arrived]]) -> None:
        """
        Take in a slice: what has come on each stream.
        """
        self.receiver.reset()
        for _, packets in runs:
            for arrival, data in packets:
                self.receiver.place(arrival, data)
        counts = np.array([len(packets) for _, packets in runs], np.int64)
        streams = [stream for stream, _ in runs]
        rows = np.array([stream.cell[1] for stream in streams], np.int64)
        batch, firsts = self.receiver.batch(), counts.cumsum() - counts
        self.hearing.hear(
            self.cells, Runs(streams, rows, firsts, counts, len(runs), batch, counts, [])
        )

    def test_E7_batches(self) -> None:
        """
        Batches of whatever length, of several streams with all that a network does to
        them, give what their packets give one by one; payload types switch, and an RTCP
        packet or what is none of both is among them now and then.
        """
        draw = random.Random(5)
        streams = [adopted(self.cells) for _ in range(6)]
        singly = [Sources({0: 8000, 8: 8000, 101: 0}) for _ in streams]
        for stream in streams:
            setRates(stream, singly[0].rates)
        queues = [list(traffic(draw, 3000)) for _ in streams]
        compared = 0
        while any(queues):
            runs = []
            for stream, sources, queue in zip(streams, singly, queues, strict=True):
                taken, queue[:] = queue[: (size := draw.randrange(25))], queue[size:]
                payloadType = draw.choice((0, 0, 0, 0, 8, 101))
                ssrc = draw.choice((7, 7, 7, 7, 7, 9))
                packets = []
                for each in taken:
                    sources.take(ssrc, payloadType, each.sequence, each.timestamp, each.arrival)
                    marker = draw.random() < 0.1
                    packets.append((each.arrival, octets(each, ssrc, payloadType, marker)))
                    if draw.random() < 0.01:
                        sources.takeControl(REPORT, each.arrival)
                        packets.append((each.arrival, REPORT))
                        packets.append((each.arrival, b"\x80\0\0\1"))
                        packets.append((each.arrival, b"\x00" + octets(each)[1:]))
                if packets:
                    runs.append((stream, packets))
            if runs:
                self.hear(*runs)
            if draw.random() < 0.1:
                for stream, sources in zip(streams, singly, strict=True):
                    found, expected = blocksOf(stream, 1 << 61), sources.blocks(1 << 61)
                    self.assertEqual(
                        [(each.ssrc, each.fraction, each.lost, each.highest) for each in found],
                        [(each.ssrc, each.fraction, each.lost, each.highest) for each in expected],
                    )
                    for one, other in zip(found, expected, strict=True):
                        self.assertEqual(
                            (one.lastReport, one.delay), (other.lastReport, other.delay)
                        )
                        self.assertApproximates(one.jitter, other.jitter, 1)
                    compared += len(found)
        self.assertGreater(compared, 100)

    def test_E7_steady(self) -> None:
        """
        Packets in order need no look at each: the source itself is not asked.
        """
        stream = adopted(self.cells)
        self.hear((stream, inOrder(65_530, 3)))
        source = stream.sources.current
        assert source is not None
        self.hear((stream, inOrder(65_533, 10)))
        self.assertEqual(source.received, 2)
        (block,) = blocksOf(stream, 0)
        self.assertEqual((block.highest, block.lost, block.jitter), (65_542, 0, 0))
        self.assertEqual(source.received, 12)

    def test_moved(self) -> None:
        """
        What is known of a stream goes with it when it is released, and more streams than
        there were rows have theirs.
        """
        streams = [adopted(self.cells) for _ in range(5)]
        self.hear(*((stream, inOrder(10 * n, 9)) for n, stream in enumerate(streams)))
        self.hear((streams[0], inOrder(9, 4)))
        self.cells.release(streams[0])
        (block,) = blocksOf(streams[0], 0)
        self.assertEqual((block.highest, block.lost), (12, 0))
        fresh = adopted(self.cells)
        self.assertEqual(blocksOf(fresh, 0), ())
        self.hear((fresh, inOrder(50, 2)))
        self.assertEqual(blocksOf(fresh, 0)[0].highest, 51)

    def test_nothing(self) -> None:
        """
        A slice may have nothing but RTCP in it.
        """
        stream = adopted(self.cells)
        empty = np.zeros(0, np.int64)
        one = np.ones(1, np.int64)
        self.receiver.place(1, REPORT)
        self.hearing.hear(
            self.cells, Runs([stream], empty, one - 1, one, 0, self.receiver.batch(), one, [-1])
        )
        self.assertEqual(blocksOf(stream, 0), ())

    def test_control(self) -> None:
        """
        What comes at the RTCP port is read.
        """
        stream = adopted(self.cells)
        self.hear((stream, inOrder(1, 2)))
        hearControl(stream, [Held(5_000_000_000, REPORT, 0, len(REPORT))])
        (block,) = blocksOf(stream, 6_000_000_000)
        self.assertEqual((block.lastReport, block.delay), (0x03040506, 65536))

    def test_rates(self) -> None:
        """
        Where it is told what the clock is after packets have come, the jitter begins anew
        with that.
        """
        stream = adopted(self.cells)
        wide = [(n * STEP, octets(Packet(n, n * 960, 0), payloadType=96)) for n in range(200)]
        self.hear((stream, wide[:20]))
        self.assertGreater(blocksOf(stream, 0)[0].jitter, 400)
        setRates(stream, {96: 48_000})
        self.hear((stream, wide[20:22]))
        for begin in range(22, 200, 10):
            self.hear((stream, wide[begin : begin + 10]))
        self.assertEqual(blocksOf(stream, 0)[0].jitter, 0)

    def test_E11_lastHeard(self) -> None:
        """
        The last source, its highest number and when it came are told at any time.
        """
        stream = CapturedStream(
            "path", cast(IPortPair, FakePortPair("192.0.2.1", 4000)), JournalFile("path")
        )
        self.assertEqual(lastHeard(stream), Heard())
        for number in range(0xFFFF, 0x10003):
            stream.sources.take(7, 0, number & 0xFFFF, 160 * number, 1000 + number)
        self.assertEqual(lastHeard(stream), Heard(1000 + 0x10002, 7, 2))

    def test_anew(self) -> None:
        """
        What a stream sent while nobody listened is not missing: its sources are counted
        from here on, by the clocks that were told.
        """
        stream = adopted(self.cells)
        setRates(stream, {0: 16000})
        self.hear((stream, inOrder(0, 10)))
        hearAnew(stream)
        self.assertEqual(blocksOf(stream, 0), ())
        self.hear((stream, inOrder(500, 10)))
        [block] = blocksOf(stream, 0)
        self.assertEqual((block.lost, block.fraction, block.highest), (0, 0, 509))
        self.assertEqual(stream.sources.rates, {0: 16000})
