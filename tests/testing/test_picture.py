"""
Tests for L{siprec.testing.picture}.
"""

import numpy as np
from numpy.typing import NDArray
from twisted.trial.unittest import SynchronousTestCase

from siprec.testing.picture import loudness, picture

RATE = 8000


def tone(amplitude: float, seconds: float) -> NDArray[np.float64]:
    """
    @return: a sine of this amplitude.
    """
    return amplitude * np.sin(2 * np.pi * 400 * np.arange(round(seconds * RATE)) / RATE)


class LoudnessTests(SynchronousTestCase):
    """
    Levels over time.
    """

    def test_levels(self) -> None:
        """
        A sine at full scale has -3 dB; a tenth of it 20 dB less; silence has
        no level at all.
        """
        samples = np.concatenate([tone(1, 1), tone(0.1, 1), np.zeros(RATE)])
        loud, quiet, silent = loudness(samples, 3)
        self.assertAlmostEqual(loud, -3.01, places=2)
        self.assertAlmostEqual(quiet, -23.01, places=2)
        self.assertEqual(silent, float("-inf"))

    def test_short(self) -> None:
        """
        Less samples than columns are no error; nor are none.
        """
        self.assertEqual(len(loudness(np.ones(2), 5)), 5)
        self.assertEqual(loudness(np.zeros(0), 2), [float("-inf")] * 2)


class PictureTests(SynchronousTestCase):
    """
    Lines for a terminal.
    """

    def setUp(self) -> None:
        ann = np.concatenate([tone(0.5, 1), np.zeros(RATE)])
        self.channels = [("Ann", ann), ("Robert", ann[::-1])]

    def test_blocks(self) -> None:
        """
        Each channel is a line of blocks, as high as it is loud; the names are
        of one width and the time stands below.
        """
        lines = picture(self.channels, RATE, "utf-8", 8)
        self.assertEqual(
            lines,
            [
                "Ann    |\u2588\u2588\u2588\u2588    |",
                "Robert |    \u2588\u2588\u2588\u2588|",
                "        0 s2.0 s",
            ],
        )

    def test_ASCII(self) -> None:
        """
        Where the terminal's encoding has no blocks, or is none that we know,
        plain ASCII is used.
        """
        for encoding in ("ascii", "latin-1", "nonsense"):
            lines = picture(self.channels, RATE, encoding, 8)
            self.assertEqual(lines[0], "Ann    |@@@@    |")

    def test_steps(self) -> None:
        """
        There are steps between silence and loud.
        """
        steps = [tone(10 ** (level / 20), 0.5) for level in (-60, -45, -30, -15, 0)]
        [line, _] = picture([("x", np.concatenate(steps))], RATE, "ascii", 5)
        drawn = line[3:-1]
        self.assertEqual((drawn[0], drawn[-1]), (" ", "@"))
        self.assertEqual(len(set(drawn)), 5)

    def test_alignment(self) -> None:
        """
        The end of the time stands under the end of the channels.
        """
        lines = picture(self.channels, RATE, "utf-8", 60)
        self.assertEqual(len(lines[2]), len(lines[0]) - 1)
        self.assertTrue(lines[2].endswith(" 2.0 s"))

    def test_empty(self) -> None:
        """
        A recording without channels or without samples can be shown.
        """
        self.assertEqual(len(picture([], RATE, "utf-8")), 1)
        self.assertEqual(len(picture([("x", np.zeros(0))], RATE, "utf-8")), 2)
