"""
Tests of L{siprec.media.layout}.
"""

import struct

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.batch import Receiver
from siprec.media.layout import Chosen, Layout, Runs
from siprec.media.stream import CapturedStream, JournalFile
from tests.media.fakes import LocalPair

MS = 1_000_000


class LayoutTests(SynchronousTestCase):
    """
    L{Layout} over packets that were put into the arena by hand.
    """

    def setUp(self) -> None:
        self.receiver = Receiver(1024)
        self.layout = Layout(self.receiver)
        self.streams = [
            CapturedStream(f"{number}", LocalPair.make(self), JournalFile(f"{number}"))
            for number in range(3)
        ]

    def runs(
        self, packets: list[list[tuple[int, bytes]]], joins: list[int], streams: list[int]
    ) -> Runs:
        """
        @param packets: of each run, RTP first, (arrival in ms, octets).
        @param joins: as of L{Runs}.
        """
        for run in packets:
            for arrival, data in run:
                self.receiver.place(arrival * MS, data)
        counts = np.array([len(run) for run in packets])
        firsts = np.cumsum(counts) - counts
        batch = self.receiver.batch()
        return Runs(
            [self.streams[number] for number in streams],
            np.array(streams),
            firsts,
            counts,
            len(packets) - len(joins),
            batch,
            np.add.reduceat(batch.length, firsts),
            joins,
        )

    def written(
        self, runs: Runs, starts: list[int]
    ) -> list[tuple[str, list[tuple[int, int, bytes]]]]:
        """
        @return: for each write the path and its records: plen, offset and packet.
        """
        self.layout.describe(runs, np.array(starts) * MS)
        plan = self.layout.plan(runs)
        found = []
        for row, stream in enumerate(plan.streams):
            data, ends = self.layout.content(plan, row)
            self.assertEqual((len(data), ends[-1]), (plan.sizes[row], len(data)))
            records, position = [], 0
            for end in ends.tolist():
                length, plen, offset = struct.unpack_from(">HHI", data, position)
                self.assertEqual(length, end - position)
                records.append((plen, offset, data[position + 8 : end]))
                position = end
            found.append((stream.path, records))
        return found

    def test_records(self) -> None:
        """
        Each packet gets a header with its length and its offset from the start of its
        stream's journal.
        """
        runs = self.runs([[(10, b"one"), (30, b"three")], [(25, b"x" * 9000)]], [], [0, 1])
        self.assertEqual(
            self.written(runs, [10, 5]),
            [("0", [(3, 0, b"one"), (5, 20, b"three")]), ("1", [(9000, 20, b"x" * 9000)])],
        )

    def test_merged(self) -> None:
        """
        RTCP goes between the RTP of its stream by arrival and has plen 0; a stream with
        RTCP alone has a write of its own, after the others.
        """
        runs = self.runs(
            [
                [(10, b"a"), (20, b"b"), (30, b"c")],
                [(10, b"d")],
                [(5, b"first"), (20, b"same"), (40, b"last")],
                [(7, b"alone")],
                [(15, b"e")],
            ],
            [0, -1, 1],
            [0, 1, 0, 2, 1],
        )
        self.assertEqual(
            self.written(runs, [0, 0, 0, 0, 0]),
            [
                (
                    "0",
                    [
                        (0, 5, b"first"),
                        (1, 10, b"a"),
                        (1, 20, b"b"),
                        (0, 20, b"same"),
                        (1, 30, b"c"),
                        (0, 40, b"last"),
                    ],
                ),
                ("1", [(1, 10, b"d"), (0, 15, b"e")]),
                ("2", [(0, 7, b"alone")]),
            ],
        )

    def test_together(self) -> None:
        """
        Runs whose packets are all as long as most are written from one piece each, but
        not those that RTCP or a file header goes into; others by two for each packet.
        """
        runs = self.runs(
            [
                [(10, b"abc"), (20, b"def")],
                [(10, b"ghi"), (20, b"longer")],
                [(10, b"jkl"), (20, b"mno")],
                [(15, b"rtcp")],
            ],
            [2],
            [0, 1, 2, 2],
        )
        self.assertEqual(
            self.written(runs, [0, 0, 0, 0]),
            [
                ("0", [(3, 10, b"abc"), (3, 20, b"def")]),
                ("1", [(3, 10, b"ghi"), (6, 20, b"longer")]),
                ("2", [(3, 10, b"jkl"), (0, 15, b"rtcp"), (3, 20, b"mno")]),
            ],
        )
        self.assertEqual(self.layout.plan(runs).pieces.tolist(), [1, 4, 6])
        plan = self.layout.plan(runs, {self.streams[0]: b"#head"})
        self.assertEqual(plan.pieces.tolist(), [4, 4, 6])
        data, ends = self.layout.content(plan, 0)
        self.assertEqual((data[:5], ends.tolist()), (b"#head", [5 + 11, 5 + 22]))

    def test_chosen(self) -> None:
        """
        Some of many streams are a sequence like any other.
        """
        chosen = Chosen(self.streams, np.array([2, 0, 1]))
        self.assertEqual(list(chosen), [self.streams[2], *self.streams[:2]])
        self.assertEqual(list(chosen[1:]), self.streams[:2])

    def test_clockSetBack(self) -> None:
        """
        When the clock is set back, offsets stop at zero instead of becoming huge, and
        each socket keeps its order.
        """
        runs = self.runs([[(50, b"a"), (5, b"b")], [(60, b"x"), (1, b"y")]], [0], [0, 0])
        ((_, records),) = self.written(runs, [40, 40])
        self.assertEqual(records, [(1, 10, b"a"), (1, 0, b"b"), (0, 20, b"x"), (0, 0, b"y")])

    def test_head(self) -> None:
        """
        A file header goes before the first record of its write, whatever that is.
        """
        runs = self.runs([[(10, b"a")], [(10, b"b")], [(5, b"c")]], [1], [0, 1, 1])
        self.layout.describe(runs, np.zeros(3, np.int64))
        before = self.layout.plan(runs).sizes.tolist()
        plan = self.layout.plan(runs, {self.streams[1]: b"#header"})
        data, ends = self.layout.content(plan, 1)
        self.assertEqual(data[:7] + data[15:16], b"#headerc")
        self.assertEqual((plan.sizes.tolist(), ends[0]), ([before[0], before[1] + 7], 7 + 9))
        self.assertEqual(self.layout.content(plan, 0)[0][8:], b"a")

    def test_without(self) -> None:
        """
        Streams that cannot be written are left out.
        """
        runs = self.runs([[(10, b"a")], [(10, b"b")]], [], [0, 1])
        self.layout.describe(runs, np.zeros(2, np.int64))
        plan = self.layout.plan(runs).without({self.streams[0]})
        self.assertEqual([stream.path for stream in plan.streams], ["1"])
        self.assertEqual(self.layout.content(plan, 0)[0][8:], b"b")
        self.assertEqual(len(self.layout.addresses(plan)), 1)
