"""
Tests of L{siprec.render.clocks}.
"""

from collections.abc import Sequence

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from siprec.render.clocks import FURTHEST, Bins, corrections

_MS = 1_000_000
_S = 1000 * _MS


def _bins(*parts: tuple[int, int, int, Sequence[int]], clock: int = 8000) -> Bins:
    """
    @param parts: number of a journal, second of its begin, by how many milliseconds
        its clock is off, and the delays of its bins in milliseconds, one a second.
    """
    rows = [
        (file, (begin + at) * _S + off * _MS, 77 * _S + (delay + off) * _MS)
        for file, begin, off, delays in parts
        for at, delay in enumerate(delays)
    ]
    file, arrival, lowest = np.array(rows, np.int64).T
    return Bins(file, arrival, lowest, np.full(len(rows), clock))


class CorrectionsTests(SynchronousTestCase):
    """
    L{corrections}.
    """

    def test_one(self) -> None:
        """
        With one journal there is nothing to correct.
        """
        self.assertEqual(corrections([_bins((1, 0, 0, [5, 3]))]), ([{1: 0}], {1: 0}))
        self.assertEqual(corrections([]), ([], {}))

    def test_offset(self) -> None:
        """
        The least delays at the end of one journal and at the begin of the next are
        the same delay, told by two clocks.
        """
        for off in (50, -50, 2000, -4999):
            run = _bins((1, 0, 0, [5, 3, 9]), (2, 3, off, [3, 4, 8]))
            self.assertEqual(corrections([run])[0], [{1: 0, 2: -off * _MS}])

    def test_chain(self) -> None:
        """
        Each further clock is brought to the first one.
        """
        run = _bins((1, 0, 0, [0, 1]), (2, 2, 300, [0, 1]), (5, 4, -100, [0, 1]))
        self.assertEqual(corrections([run])[1], {1: 0, 2: -300 * _MS, 5: 100 * _MS})

    def test_near(self) -> None:
        """
        Only what is near the change counts: a sender's clock drifts.
        """
        run = _bins((1, 0, 0, [0] * 20 + [7] * 15), (2, 35, 50, [7] * 15 + [0] * 20))
        self.assertEqual(corrections([run])[1][2], -50 * _MS)

    def test_restart(self) -> None:
        """
        A timestamp that began anew shortly before the change, or after it, is none
        of the clocks' doing.
        """
        run = _bins(
            (1, 0, 0, [0, 0, 0, 900, 901, 900]), (2, 6, 50, [900, 900, 900, 5000, 5000, 5000])
        )
        self.assertEqual(corrections([run])[1][2], -50 * _MS)

    def test_absurd(self) -> None:
        """
        Nor is a single packet with a wrong timestamp.
        """
        run = _bins((1, 0, 0, [0, 0, 0, 9000]), (2, 4, 50, [0, 0, 0]))
        self.assertEqual(corrections([run])[1][2], -50 * _MS)

    def test_tooFar(self) -> None:
        """
        What is further off than any clock is the timestamp's doing, and so is
        another clock of timestamps; then it is as the other runs say.
        """
        far = FURTHEST // _MS + 1
        run = _bins((1, 0, 0, [0, 0]), (2, 2, far, [0, 0]))
        self.assertEqual(corrections([run])[0], [{1: 0, 2: 0}])
        other = _bins((1, 0, 0, [0, 0]), (2, 2, 40, [0, 0]))
        wanted = [{1: 0, 2: -40 * _MS}] * 2
        self.assertEqual(corrections([run, other])[0], wanted)
        one, two = _bins((1, 0, 0, [0])), _bins((2, 1, 30, [0]), clock=16000)
        columns = zip(
            (one.file, one.arrival, one.lowest, one.clock),
            (two.file, two.arrival, two.lowest, two.clock),
            strict=True,
        )
        changed = Bins(*(np.concatenate(column) for column in columns))
        self.assertEqual(corrections([changed, other])[0], wanted)

    def test_newSource(self) -> None:
        """
        A run that begins with a journal has the correction that most others have.
        """
        others = [_bins((1, 0, 0, [0]), (3, 1, off, [0])) for off in (40, 42, 900)]
        fresh = _bins((3, 1, 42, [0, 0]))
        own, common = corrections([*others, fresh])
        self.assertEqual((own[3], common[3]), ({3: -42 * _MS}, -42 * _MS))
