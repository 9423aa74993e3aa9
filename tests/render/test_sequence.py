"""
Tests of L{siprec.render.sequence}.
"""

from twisted.trial.unittest import SynchronousTestCase

from siprec.render import sequence
from siprec.render.sequence import Sequencer
from tests.render.tables import A, B, feed, one, table


class RestartTests(SynchronousTestCase):
    """
    Sequences that end, begin and mix.
    """

    def test_E5_resync(self) -> None:
        """
        After a large jump two consecutive packets are a new sequence; both of them
        are kept, and the jump is no loss.
        """
        sequencer = Sequencer()
        feed(sequencer, table([1, 2, 3, 40000, 40001, 40003, 40004]))
        first, second = sequencer.runs
        self.assertEqual((first.packets, first.lost), (3, 0))
        self.assertEqual((second.packets, second.lost, second.low), (4, 1, 40000))
        self.assertTrue(second.confirmed)

    def test_E5_stray(self) -> None:
        """
        A single packet far away is kept as a run that is not confirmed, and the
        sequence goes on as if it had not come.
        """
        sequencer = Sequencer()
        feed(sequencer, table([1, 2, 40000, 3, 4]))
        first, stray = sequencer.runs
        self.assertEqual((first.packets, first.lost), (4, 0))
        self.assertEqual((stray.packets, stray.confirmed), (1, False))

    def test_E5_probation(self) -> None:
        """
        The very first packets are kept too; one alone is not confirmed.
        """
        run, fresh = one([7])
        self.assertEqual((fresh, run.confirmed), ([7], False))
        run, fresh = one([7, 8])
        self.assertEqual((fresh, run.confirmed), ([7, 8], True))

    def test_E6_sources(self) -> None:
        """
        Each SSRC has a run of its own, numbered by first appearance, and returning
        to an old one goes on with it.
        """
        sequencer = Sequencer()
        feed(sequencer, table([5, 6, 100, 101, 7], ssrcs=[B, B, A, A, B]))
        first, second = sequencer.runs
        self.assertEqual((first.ssrc, first.source, first.packets), (B, 0, 3))
        self.assertEqual((second.ssrc, second.source, second.packets), (A, 1, 2))

    def test_E6_collision(self) -> None:
        """
        Two senders with the same SSRC are told apart by their sequence numbers.
        """
        sequencer = Sequencer()
        mixed = [number for each in range(50) for number in (100 + each, 30000 + each)]
        feed(sequencer, table(mixed))
        self.assertEqual([run.packets for run in sequencer.runs], [50, 50])
        self.assertEqual([run.lost for run in sequencer.runs], [0, 0])

    def test_veryLate(self) -> None:
        """
        A packet that is later than MAX_MISORDER is taken if its timestamp proves
        where it belongs; else it is a stray.
        """
        sequencer = Sequencer()
        numbers = [number for number in range(1, 1001) if number != 500]
        feed(sequencer, table(numbers))
        feed(sequencer, table([500, 1001]))
        (run,) = sequencer.runs
        self.assertEqual((run.packets, run.lost, run.reordered), (1001, 0, 1))
        feed(sequencer, table([600, 1002], [123_456_789, 1002 * 160]))
        self.assertEqual(len(sequencer.runs), 2)
        self.assertEqual((run.packets, run.duplicates), (1002, 0))

    def test_beforeTheMarks(self) -> None:
        """
        A packet from long before the first one is no late packet.
        """
        sequencer = Sequencer()
        feed(sequencer, table([5000, 5001, 100, 5002]))
        self.assertEqual([run.packets for run in sequencer.runs], [3, 1])


class FloodTests(SynchronousTestCase):
    """
    More sources than any call has.
    """

    def setUp(self) -> None:
        """
        Lower the limit.
        """
        self.patch(sequence, "MAX_RUNS", 3)

    def test_strays(self) -> None:
        """
        Beyond the limit a single packet is ignored and counted, but two in a row
        still begin a run, and the runs there are go on.
        """
        sequencer = Sequencer()
        ssrcs = [A, *range(100, 150), B, 150, B, B, A]
        numbers = [1, *range(2000, 2050), 7, 9, 8, 9, 2]
        feed(sequencer, table(numbers, ssrcs=ssrcs))
        self.assertEqual([run.ssrc for run in sequencer.runs], [A, 100, 101, B])
        self.assertEqual([run.packets for run in sequencer.runs], [2, 1, 1, 2])
        self.assertEqual(sequencer.ignored, len(ssrcs) - 6)
        self.assertEqual([run.source for run in sequencer.runs], [0, 1, 2, 3])

    def test_sources(self) -> None:
        """
        From twice the limit on nothing begins a run any more.
        """
        sequencer = Sequencer()
        pairs = [(each, number) for each in range(50) for number in (7, 8)]
        numbers, ssrcs = [number for _, number in pairs], [each for each, _ in pairs]
        feed(sequencer, table(numbers, ssrcs=ssrcs))
        self.assertEqual(len(sequencer.runs), 6)
        self.assertEqual(sequencer.ignored, 100 - 3 * 2 - 3)
