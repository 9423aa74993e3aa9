"""
Tests of L{siprec.media.reception}.
"""

import random
from collections.abc import Iterator

from attrs import define
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.reception import Source, Sources
from siprec.media.rtcp import ReportBlock
from tests.media.test_rtcp import REPORT

FRAME, RATE, STEP = 160, 8000, 20_000_000


@define
class Reference:
    """
    RFC 3550 appendix A, line by line; only that a sequence number that wraps is the next
    one in probation, too, and that the jitter begins anew with a restart.
    """

    maxSeq: int
    cycles: int = 0
    baseSeq: int = 0
    badSeq: int = 0
    probation: int = 2
    received: int = 0
    expectedPrior: int = 0
    receivedPrior: int = 0
    transit: int | None = None
    jitter: float = 0.0

    def initSeq(self, seq: int) -> None:
        self.baseSeq = self.maxSeq = seq
        self.badSeq = (1 << 16) + 1
        self.cycles = self.received = self.receivedPrior = self.expectedPrior = 0
        self.transit = None

    def updateSeq(self, seq: int) -> bool:
        delta = (seq - self.maxSeq) % 65536
        if self.probation:
            if seq == (self.maxSeq + 1) % 65536:
                self.probation -= 1
                self.maxSeq = seq
                if self.probation == 0:
                    self.initSeq(seq)
                    self.received += 1
                    return True
            else:
                self.probation = 1
                self.maxSeq = seq
            return False
        if delta < 3000:
            if seq < self.maxSeq:
                self.cycles += 65536
            self.maxSeq = seq
        elif delta <= 65536 - 100:
            if seq == self.badSeq:
                self.initSeq(seq)
            else:
                self.badSeq = (seq + 1) % 65536
                return False
        self.received += 1
        return True

    def take(self, seq: int, timestamp: int, arrival: int) -> None:
        if not self.updateSeq(seq):
            return
        transit = arrival * RATE // 1_000_000_000 - timestamp
        if self.transit is not None:
            d = (transit - self.transit + (1 << 31)) % (1 << 32) - (1 << 31)
            self.jitter += (1 / 16) * (abs(d) - self.jitter)
        self.transit = transit

    def report(self) -> tuple[int, int, int]:
        extended = self.cycles + self.maxSeq
        expected = extended - self.baseSeq + 1
        expectedInterval = expected - self.expectedPrior
        self.expectedPrior = expected
        receivedInterval = self.received - self.receivedPrior
        self.receivedPrior = self.received
        lostInterval = expectedInterval - receivedInterval
        if expectedInterval == 0 or lostInterval <= 0:
            fraction = 0
        else:
            fraction = (lostInterval << 8) // expectedInterval
        return fraction, expected - self.received, extended


@define(frozen=True)
class Packet:
    """
    One packet as it comes in.
    """

    sequence: int
    timestamp: int
    arrival: int


def traffic(draw: random.Random, count: int) -> Iterator[Packet]:
    """
    @return: packets of one source as no network treats them all at once: lost, late, twice,
        through wraps and jumps, with a clock that is anew after some of these.
    """
    sequence, timestamp = draw.randrange(0xFF00, 0x10000), draw.randrange(1 << 32)
    at = 1_700_000_000_000_000_000
    late: list[Packet] = []
    for _ in range(count):
        sequence, timestamp, at = sequence + 1, timestamp + FRAME, at + STEP
        chance = draw.random()
        if chance < 0.003:
            sequence += draw.choice((2000, 2998, 2999, 3000, 5000, 40_000, 65_000, 65_530))
            timestamp += draw.choice((0, draw.randrange(1 << 32)))
        packet = Packet(sequence & 0xFFFF, timestamp & 0xFFFFFFFF, at + draw.randrange(9_000_000))
        if chance < 0.05:
            continue
        if chance < 0.08:
            late.append(packet)
            continue
        yield packet
        if chance < 0.1:
            yield packet
        if late and draw.random() < 0.4:
            one = late.pop()
            yield Packet(one.sequence, one.timestamp, packet.arrival + 1)


class SourceTests(SynchronousTestCase):
    """
    L{Source}.
    """

    def test_E7_reference(self) -> None:
        """
        Loss, highest sequence number and jitter are those of the algorithms of RFC 3550
        appendix A, whatever comes.
        """
        for seed in range(40):
            draw = random.Random(seed)
            packets = list(traffic(draw, 3000))
            source, reference = Source(7), Reference((packets[0].sequence - 1) % 65536)
            for number, each in enumerate(packets):
                source.take(each.sequence, each.timestamp, RATE, each.arrival)
                reference.take(each.sequence, each.timestamp, each.arrival)
                if number % 250 == 249:
                    block = source.block(each.arrival)
                    assert block is not None
                    found = block.fraction, block.lost, block.highest
                    self.assertEqual(found, reference.report(), (seed, number))
                    # The reference counts in whole units.
                    self.assertApproximates(block.jitter, reference.jitter, 2, (seed, number))

    def fed(self, *sequences: int) -> Source:
        """
        @return: a source whose packets came at the right time each.
        """
        source = Source(7)
        for each in sequences:
            source.take(each & 0xFFFF, each * FRAME & 0xFFFFFFFF, RATE, each * STEP)
        return source

    def block(self, source: Source) -> ReportBlock:
        """
        @return: what is said of it now.
        """
        block = source.block(0)
        assert block is not None
        return block

    def test_E7_probation(self) -> None:
        """
        Of a source nothing is said before two packets in a row.
        """
        self.assertIsNone(self.fed(5).block(0))
        self.assertIsNone(self.fed(5, 9, 20).block(0))
        block = self.block(self.fed(5, 9, 10))
        self.assertEqual((block.highest, block.lost), (10, 0))

    def test_E7_loss(self) -> None:
        """
        The fraction lost counts from one report to the next; the packets lost from the
        beginning.
        """
        source = self.fed(1, 2, 3, 5)
        self.assertEqual((self.block(source).fraction, self.block(self.fed(2, 3)).lost), (64, 0))
        for each in range(6, 10):
            source.take(each, each * FRAME, RATE, each * STEP)
        block = self.block(source)
        self.assertEqual((block.fraction, block.lost, block.highest), (0, 1, 9))

    def test_E7_duplicates(self) -> None:
        """
        More than were sent is a negative loss, and no fraction.
        """
        block = self.block(self.fed(1, 2, 3, 3, 3))
        self.assertEqual((block.fraction, block.lost), (0, -2))

    def test_E7_wrap(self) -> None:
        """
        The wraps stand above the 16 bits of the sequence number, and the timestamp may
        wrap as well.
        """
        begin = (1 << 32) // FRAME // 65536 * 65536 + 65530
        block = self.block(self.fed(*range(begin, begin + 20)))
        self.assertEqual((block.highest, block.lost, block.jitter), (65536 + 13, 0, 0))

    def test_E7_silence(self) -> None:
        """
        Of a source that has not been heard since the last report nothing is said.
        """
        source = self.fed(1, 2, 3)
        self.assertIsNotNone(source.block(0))
        self.assertIsNone(source.block(0))

    def test_E7_lastReport(self) -> None:
        """
        The middle of the last sender report's time is given back, with what has passed
        since; before one has come both are 0.
        """
        source = self.fed(1, 2)
        block = self.block(source)
        self.assertEqual((block.lastReport, block.delay), (0, 0))
        source.take(3, 3 * FRAME, RATE, 3 * STEP)
        source.reported(0x1111_2222_3333_4444, 5_000_000_000)
        found = source.block(6_500_000_000)
        assert found is not None
        self.assertEqual((found.lastReport, found.delay), (0x22223333, 98304))

    def test_otherClock(self) -> None:
        """
        Timestamps of two clocks are not compared, and those that do not say when a packet
        was sent with nothing.
        """
        source = self.fed(1, 2)
        source.take(3, 77_000_000, 48_000, 3 * STEP)
        source.take(4, 0, 0, 4 * STEP)
        source.take(5, 77_000_000 + 2 * 960, 48_000, 5 * STEP)
        self.assertEqual((source.jitter, source.received), (0.0, 4))


class SourcesTests(SynchronousTestCase):
    """
    L{Sources}.
    """

    def take(self, sources: Sources, ssrc: int, *sequences: int, payloadType: int = 0) -> None:
        """
        Have packets come.
        """
        for each in sequences:
            sources.take(ssrc, payloadType, each, each * FRAME, each * STEP)

    def test_E6_several(self) -> None:
        """
        Each source is counted for itself, in whatever order they come.
        """
        sources = Sources()
        self.take(sources, 1, 10, 11)
        self.take(sources, 2, 500, 501, 503)
        self.take(sources, 1, 12, 13)
        found = {each.ssrc: (each.highest, each.lost) for each in sources.blocks(0)}
        self.assertEqual(found, {1: (13, 0), 2: (503, 1)})
        self.take(sources, 2, 504)
        self.assertEqual([each.ssrc for each in sources.blocks(0)], [2])

    def test_many(self) -> None:
        """
        Those that were heard longest ago are forgotten for new ones.
        """
        sources = Sources()
        for ssrc in range(100):
            self.take(sources, ssrc, 1, 2)
        self.assertEqual([each.ssrc for each in sources.blocks(0)], list(range(92, 100)))

    def test_control(self) -> None:
        """
        A sender report counts for the source that it is of, if that is known.
        """
        sources = Sources()
        self.take(sources, 7, 1, 2)
        self.take(sources, 8, 1, 2)
        sources.takeControl(REPORT, 0)
        sources.takeControl(REPORT.replace(b"\0\0\0\7", b"\0\0\0\x63"), 0)
        found = {each.ssrc: each.lastReport for each in sources.blocks(0)}
        self.assertEqual(found, {7: 0x03040506, 8: 0})

    def test_steady(self) -> None:
        """
        Only a source that is past its probation, and whose clock is that of its payload
        type, needs no look at each packet.
        """
        sources = Sources({0: 8000, 96: 16_000, 101: 0})
        found = [sources.steady]
        for sequence, payloadType in ((1, 0), (2, 0), (3, 101), (4, 0), (5, 96), (6, 96)):
            self.take(sources, 7, sequence, payloadType=payloadType)
            found.append(sources.steady)
        self.assertEqual(found, [False, False, True, False, True, True, True])
