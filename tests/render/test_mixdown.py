"""
Tests of L{siprec.render.mixdown}.
"""

import numpy as np
from numpy.typing import NDArray
from twisted.trial.unittest import SynchronousTestCase

from siprec.render.mixdown import MOST, mixdown
from tests.render.arrays import Channel


def _tone(level: float, count: int = 8000, hertz: int = 500) -> NDArray[np.int16]:
    return (level * np.sin(2 * np.pi * hertz * np.arange(count) / 8000)).astype(np.int16)


def _loudness(samples: NDArray[np.int16]) -> float:
    return float(np.sqrt((samples.astype(np.float64) ** 2).mean()))


class MixdownTests(SynchronousTestCase):
    """
    All streams in one channel.
    """

    def test_one(self) -> None:
        """
        A single stream stays as it is, to the sample.
        """
        tone = _tone(9000)
        mixed = mixdown([Channel(tone)], ["a"])
        self.assertEqual(mixed.frames, 8000)
        np.testing.assert_array_equal(mixed.read(0, 8000), tone)

    def test_balance(self) -> None:
        """
        Who is quiet is made as loud as who is loudest; pauses do not count.
        """
        loud, quiet = np.zeros(16_000, np.int16), np.zeros(16_000, np.int16)
        loud[:8000], quiet[12_000:] = _tone(8000), _tone(3000, 4000)
        mixed = mixdown([Channel(loud), Channel(quiet)], ["a", "b"])
        first, second = mixed.read(0, 8000), mixed.read(12_000, 4000)
        self.assertApproximates(_loudness(first) / _loudness(second), 1.0, 0.01)
        np.testing.assert_array_equal(first, loud[:8000])

    def test_most(self) -> None:
        """
        What is very quiet is not made louder without limit, and silence stays silence.
        """
        mixed = mixdown([Channel(_tone(8000)), Channel(_tone(500)), Channel(_tone(0))], "abc")
        self.assertEqual(mixed.gains, (1.0, MOST, 1.0))

    def test_owner(self) -> None:
        """
        The streams of one participant have one gain: that of the louder one.
        """
        streams = [Channel(_tone(level)) for level in (8000, 4000, 2000)]
        gains = mixdown(streams, ["a", "b", "b"]).gains
        self.assertEqual(gains[1], gains[2])
        self.assertApproximates(gains[1] / gains[0], 2.0, 0.01)

    def test_full(self) -> None:
        """
        Where the sum is too loud the whole call is turned down, and no sample is cut off.
        """
        loud = _tone(30_000)
        mixed = mixdown([Channel(loud), Channel(loud)], "ab")
        samples = mixed.read(0, 8000)
        self.assertEqual(int(samples.max()), 32767)
        expected = loud * (32767 / 30_000)
        self.assertLess(np.abs(samples - expected).max(), 2)

    def test_silence(self) -> None:
        """
        Nothing but silence is silence, and nothing at all is nothing.
        """
        mixed = mixdown([Channel(np.zeros(10, np.int16))], "a")
        self.assertEqual(mixed.read(0, 10).tolist(), [0] * 10)
        self.assertEqual(mixdown([Channel(np.empty(0, np.int16))], "a").frames, 0)
