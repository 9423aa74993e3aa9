"""
Tests of L{siprec.render.masks}.
"""

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from siprec.render.masks import Masks
from siprec.render.runs import Run
from siprec.render.timeline import Placement


def _run(number: int, source: int, confirmed: bool = True) -> Run:
    return Run(
        ssrc=source,
        number=number,
        source=source,
        firstArrival=0,
        low=0,
        high=0,
        lowTimestamp=0,
        highEnd=0,
        timestamp=0,
        confirmed=confirmed,
    )


def _placed(*activity: tuple[int, int]) -> Placement:
    nothing = np.empty(0, np.int64)
    times = np.array(activity, np.int64).T
    parts = {"first": nothing, "shift": nothing, "clock": nothing}
    return Placement(8000, (), 0, times, **parts, stamp=nothing, jumped=nothing, step=160)


class MaskTests(SynchronousTestCase):
    """
    Which run is heard where several have packets at the same time.
    """

    def cut(
        self, masks: Masks | None, run: Run, begin: list[int], count: list[int]
    ) -> list[tuple[int, int]]:
        """
        @return: begin and end of what is heard of each packet.
        """
        assert masks is not None
        starts = np.array(begin, np.int64)
        cut, left = masks.cut(run, starts, np.array(count, np.int64))
        return list(zip((starts + cut).tolist(), (starts + cut + left).tolist(), strict=True))

    def test_one(self) -> None:
        """
        A single run is never masked.
        """
        self.assertIsNone(Masks.of([_run(0, 0)], [_placed((0, 100))]))

    def test_newSource(self) -> None:
        """
        A new source is heard in place of an older one, and not the other way round.
        """
        old, new = _run(0, 0), _run(1, 1)
        masks = Masks.of([old, new], [_placed((0, 1000)), _placed((300, 500))])
        packets = [0, 160, 320, 480, 640], [160] * 5
        self.assertEqual(
            self.cut(masks, old, *packets),
            [(0, 160), (160, 300), (480, 480), (500, 640), (640, 800)],
        )
        self.assertEqual(self.cut(masks, new, [320], [160]), [(320, 480)])

    def test_sameSource(self) -> None:
        """
        Of two runs of one source the older is heard.
        """
        first, second = _run(0, 0), _run(1, 0)
        masks = Masks.of([first, second], [_placed((0, 200)), _placed((100, 400))])
        self.assertEqual(self.cut(masks, first, [100], [100]), [(100, 200)])
        self.assertEqual(self.cut(masks, second, [100], [160]), [(200, 260)])

    def test_unconfirmed(self) -> None:
        """
        A run that was never confirmed gives way to all others, and masks nothing; nor
        does one without a place.
        """
        sure, stray, lost = _run(0, 0), _run(1, 1, confirmed=False), _run(2, 2)
        masks = Masks.of([sure, stray, lost], [_placed((0, 200)), _placed((100, 400)), None])
        self.assertEqual(self.cut(masks, sure, [100], [160]), [(100, 260)])
        self.assertEqual(self.cut(masks, stray, [100], [160]), [(200, 260)])
