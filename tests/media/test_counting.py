"""
Tests of L{siprec.media.counting}.
"""

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.batch import Receiver
from siprec.media.counting import countIn
from siprec.media.layout import Runs
from siprec.media.stream import Cells
from tests.media.fakes import adopted


class CountInTests(SynchronousTestCase):
    """
    L{countIn}.
    """

    def setUp(self) -> None:
        self.cells, self.receiver = Cells(2), Receiver(256, 64, 64)
        self.streams = [adopted(self.cells), adopted(self.cells)]
        self.rows = np.array([each.cell[1] for each in self.streams], np.int64)

    def count(self, which: list[int], counts: list[int], split: int) -> None:
        """
        Count what was placed in the arena.

        @param which: the streams of the runs.
        @param split: how many of them are RTP.
        """
        taken, batch = np.array(counts, np.int64), self.receiver.batch()
        firsts = taken.cumsum() - taken
        octets = np.add.reduceat(batch.length, firsts)
        streams = [self.streams[each] for each in which]
        joins = [-1] * (len(which) - split)
        runs = Runs(streams, self.rows[which], firsts, taken, split, batch, octets, joins)
        countIn(self.cells, runs)
        self.receiver.reset()

    def test_runs(self) -> None:
        """
        Packets and octets of each stream are those of its RTP, in whatever slice they came;
        its RTCP is counted apart.
        """
        for arrival, size in ((5, 20), (6, 30), (7, 40), (8, 8)):
            self.receiver.place(arrival, bytes(size))
        self.count([0, 1, 0], [2, 1, 1], split=2)
        self.receiver.place(9, bytes(50))
        self.count([0], [1], split=1)
        first, second = self.streams
        self.assertEqual((first.packets, first.octets, first.controlPackets), (3, 100, 1))
        self.assertEqual((second.packets, second.octets, second.controlPackets), (1, 40, 0))

    def test_times(self) -> None:
        """
        The first and the last arrival are those of RTP and RTCP together, however they came.
        """
        for arrival in (7, 5, 9, 4):
            self.receiver.place(arrival, bytes(8))
        self.count([0, 0], [3, 1], split=1)
        stream = self.streams[0]
        self.assertEqual((stream.firstNs, stream.lastNs), (4, 9))

    def test_truncated(self) -> None:
        """
        Packets that are longer than a slot and what lies behind it are told.
        """
        self.receiver.place(1, bytes(20), wire=2000)
        self.receiver.place(2, bytes(20))
        self.count([0, 1], [1, 1], split=2)
        self.assertEqual([each.truncated for each in self.streams], [1, 0])

    def test_drops(self) -> None:
        """
        A socket's own count of what it dropped is never counted twice, nor back.
        """
        for drops in (4, 3):
            self.receiver.place(1, bytes(20), drops=drops)
            self.count([0], [1], split=1)
        self.assertEqual(self.cells.data["rtpDrops"][self.rows].tolist(), [4, 0])
