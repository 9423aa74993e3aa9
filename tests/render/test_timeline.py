"""
Tests of L{siprec.render.timeline}.
"""

from collections.abc import Sequence

import numpy as np
from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.rtp import RTPTable
from siprec.render.sequence import Sequencer
from siprec.render.timeline import Placement, Survey, gaps, place
from tests.render.journals import Packet, talk

_NS = 1_000_000_000


def _survey(
    packets: Sequence[Packet], clock: Sequence[int] = (), size: int = 100, files: bool = False
) -> Survey:
    """
    @param clock: of each packet; 0: not timed.
    @param files: whether each C{size} packets are in another journal.
    @return: of the first run.
    """
    sequencer = Sequencer()
    clocks = np.array(clock or [8000] * len(packets), np.int64)
    survey: Survey | None = None
    for at in range(0, len(packets), size):
        part = packets[at : at + size]
        count = len(part)
        table = RTPTable(
            arrival=np.array([round(each.arrival * _NS) for each in part], np.int64),
            payloadType=np.zeros(count, np.uint8),
            marker=np.zeros(count, np.bool_),
            sequence=np.array([each.sequence & 0xFFFF for each in part], np.uint16),
            timestamp=np.array([each.timestamp & 0xFFFFFFFF for each in part], np.uint32),
            ssrc=np.array([each.ssrc for each in part], np.uint32),
            payloadStart=np.zeros(count, np.int64),
            payloadLength=np.full(count, 160, np.int64),
            data=np.zeros(160, np.uint8),
        )
        ticks = np.array([len(each.payload) for each in part], np.int64)
        for found in sequencer.feed(table, ticks):
            survey = Survey(found.run) if survey is None else survey
            rows = found.rows
            survey.add(
                found,
                table.arrival[rows],
                ticks[rows],
                clocks[at : at + size][rows],
                at // size if files else 1,
            )
    assert survey is not None
    return survey


def _placed(packets: Sequence[Packet], clock: Sequence[int] = (), rate: int = 8000) -> Placement:
    placement = place(_survey(packets, clock), 0, rate)
    assert placement is not None
    return placement


def _positions(placement: Placement, packets: Sequence[Packet]) -> list[int]:
    """
    Only for packets whose numbers do not wrap.
    """
    numbers = np.array([each.sequence for each in packets])
    stamps = np.array([each.timestamp for each in packets])
    return [int(each) for each in placement.positions(numbers, stamps)]


class PlaceTests(SynchronousTestCase):
    """
    Packets find their places.
    """

    def test_contiguous(self) -> None:
        """
        Without loss the samples follow one another exactly, whatever the jitter; the
        begin is where the least delayed packet says.
        """
        packets = talk(500, begin=2.0, jitter=(0.031, 0.0, 0.013, 0.05))
        placement = _placed(packets)
        self.assertEqual(_positions(placement, packets), list(range(16000, 96000, 160)))
        (segment,) = placement.segments
        self.assertEqual((segment.begin, segment.end), (16000, 96000))
        self.assertEqual(segment.arrival, round(2.031 * _NS))

    def test_late(self) -> None:
        """
        The extent of a segment includes what came late, even from before its first
        packet.
        """
        packets = talk(300)
        packets[0], packets[1] = packets[1], packets[0]
        packets[120], packets[80] = packets[80], packets[120]
        (segment,) = _placed(packets).segments
        self.assertEqual(segment.end - segment.begin, 48000)

    def test_E4_pause(self) -> None:
        """
        A jump of the timestamp alone is a pause of that length (DTX).
        """
        before, after = talk(50), talk(50, sequence=1050, timestamp=50_000 + 24_000, begin=3.0)
        placement = _placed([*before, *after])
        self.assertEqual(_positions(placement, after)[0], 24_000)
        self.assertEqual(len(placement.segments), 1)
        self.assertEqual(placement.activity.tolist(), [[0, 24_000], [8000, 32_000]])

    def test_E13_restart(self) -> None:
        """
        A timestamp that begins anew with the sequence going on is placed by its
        arrival, from its first packet on.
        """
        before = talk(100)
        after = talk(100, sequence=1100, timestamp=3_000_000_000, begin=2.5)
        placement = _placed([*before, *after])
        self.assertEqual(len(placement.segments), 2)
        self.assertEqual([segment.aside for segment in placement.segments], [False, False])
        found = _positions(placement, before)
        self.assertEqual(found, list(range(0, 16000, 160)))
        self.assertEqual(placement.segments[1].begin, 20_000)
        self.assertEqual(placement.segments[1].end, 36_000)

    def test_absurd(self) -> None:
        """
        One packet with a wrong timestamp is placed by its arrival, and is no
        activity of its own.
        """
        packets = talk(200)
        wrong = packets[100]
        packets[100] = Packet(2.0, wrong.sequence, 77, wrong.payload)
        placement = _placed(packets)
        regular, aside = placement.segments
        self.assertEqual((regular.aside, aside.aside), (False, True))
        self.assertEqual((aside.begin, aside.end), (16000, 16160))
        self.assertEqual(placement.activity.tolist(), [[0], [32000]])
        self.assertEqual(_positions(placement, packets[101:])[0], 16160)

    def test_E13_clock(self) -> None:
        """
        After a change of the timestamp's clock the places are those of the new one.
        """
        before = talk(50)
        after = [
            Packet(1 + each * 0.02, 1050 + each, 900_000 + 320 * each, bytes(320))
            for each in range(50)
        ]
        placement = _placed([*before, *after], [8000] * 50 + [16000] * 50)
        self.assertEqual(_positions(placement, after)[:3], [8000, 8160, 8320])
        self.assertEqual(placement.segments[1].end, 16000)

    def test_rate(self) -> None:
        """
        Places are in samples of the file, whatever the clock of the timestamps.
        """
        packets = talk(10, begin=1.0)
        self.assertEqual(
            _positions(_placed(packets, rate=16000), packets), list(range(16000, 19200, 320))
        )

    def test_untimed(self) -> None:
        """
        Packets whose timestamp is no time of sending decide nothing: without others
        there is no place; with others they do not disturb.
        """
        packets = talk(10)
        self.assertIsNone(place(_survey(packets, [0] * 10), 0, 8000))
        event = [Packet(0.2 + each * 0.02, 1010 + each, 51_600, bytes(4)) for each in range(100)]
        after = talk(50, sequence=1110, timestamp=50_000 + 110 * 160, begin=2.2)
        placement = _placed([*packets, *event, *after], [8000] * 10 + [0] * 100 + [8000] * 50)
        self.assertEqual(len(placement.segments), 1)
        self.assertEqual(_positions(placement, after)[0], 110 * 160)


class JitterTests(SynchronousTestCase):
    """
    RFC 3550 section 6.4.1.
    """

    def _reference(self, delays: Sequence[float]) -> float:
        jitter, previous = 0.0, delays[0]
        for delay in delays:
            jitter += (abs(delay - previous) - jitter) / 16
            previous = delay
        return jitter

    def test_jitter(self) -> None:
        """
        The estimate is that of the formula, packet by packet, however the packets
        are cut into tables.
        """
        delays = [(each * 7919 % 31) / 1000 for each in range(3000)]
        packets = talk(3000, jitter=delays)
        wanted = self._reference(delays)
        for size in (7, 100, 3000):
            self.assertAlmostEqual(_survey(packets, size=size).jitter, wanted, 6)

    def test_journals(self) -> None:
        """
        The step from one node's clock to the next one's is no jitter.
        """
        packets = talk(100)
        packets[50:] = [evolve(each, arrival=each.arrival + 1.5) for each in packets[50:]]
        self.assertAlmostEqual(_survey(packets, size=50, files=True).jitter, 0.0, 6)

    def test_none(self) -> None:
        """
        A regular stream has none; nor has a timestamp that begins anew.
        """
        after = talk(10, sequence=1010, timestamp=9_000_000, begin=0.2)
        self.assertAlmostEqual(_survey([*talk(10), *after]).jitter, 0.0, 6)


class GapTests(SynchronousTestCase):
    """
    When something was lost.
    """

    def _gaps(self, packets: Sequence[Packet]) -> list[tuple[int, int]]:
        survey = _survey(packets)
        placement = place(survey, 0, 8000)
        assert placement is not None
        found = gaps(survey, placement)
        self.assertFalse(any(between for _, _, between, _ in found))
        return [(begin, end) for begin, end, _, _ in found]

    def test_betweenJournals(self) -> None:
        """
        It is told which gaps lie between two journals, and what is missing in each.
        """
        packets = [each for number, each in enumerate(talk(90)) if not 40 <= number < 50]
        del packets[60], packets[20]
        survey = _survey(packets, size=39, files=True)
        placement = place(survey, 0, 8000)
        assert placement is not None
        self.assertEqual(
            gaps(survey, placement),
            [(3200, 3360, False, 1), (6400, 8000, True, 10), (11_200, 11_360, False, 1)],
        )

    def test_E5_gaps(self) -> None:
        """
        A gap is as long as what is missing, and one for packets in a row.
        """
        packets = [each for number, each in enumerate(talk(50)) if number not in (5, 20, 21, 22)]
        self.assertEqual(self._gaps(packets), [(800, 960), (3200, 3680)])

    def test_E4_none(self) -> None:
        """
        A pause without a missing number is no gap, nor is anything before the first
        or after the last packet.
        """
        after = talk(5, sequence=1010, timestamp=70_000, begin=2.5)
        self.assertEqual(self._gaps([*talk(10), *after]), [])

    def test_lossInPause(self) -> None:
        """
        A packet lost within a pause is a gap of one packet, not of the whole pause.
        """
        after = talk(5, sequence=1011, timestamp=50_000 + 16_000, begin=2.0)
        self.assertEqual(self._gaps([*talk(10), *after]), [(1600, 1760)])

    def test_backwards(self) -> None:
        """
        Where the timestamp did not go on over a hole there is no time to name.
        """
        after = talk(80, sequence=1052, timestamp=50_000 + 50 * 160, begin=1.0)
        self.assertEqual(self._gaps([*talk(50), *after]), [])
