"""
Tests of L{siprec.render.peaks}.
"""

import io
import json

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from siprec.render import peaks
from siprec.render.peaks import fillPeaks, peaksOf, samplesPerPixel
from tests.render.arrays import Channel


class PeaksTests(SynchronousTestCase):
    """
    The file that a waveform is drawn from.
    """

    def test_columns(self) -> None:
        """
        Each column has the lowest and the highest of its samples, the last one of those
        that are left.
        """
        samples = np.array([1, -5, 3, 7, 0, 0, -2], np.int16)
        found = peaksOf(Channel(samples), 3)
        self.assertEqual(found.tolist(), [[-5, 3], [0, 7], [-2, -2]])

    def test_blocks(self) -> None:
        """
        A long track is looked at in pieces, with the same result.
        """
        noise = np.random.default_rng(1).integers(-9000, 9000, 5000).astype(np.int16)
        whole = peaksOf(Channel(noise), 256)
        self.patch(peaks, "_BLOCK", 600)
        np.testing.assert_array_equal(peaksOf(Channel(noise), 256), whole)

    def test_size(self) -> None:
        """
        However long a call is, it has no more columns than it may have.
        """
        self.assertEqual(samplesPerPixel(0), 256)
        self.assertEqual(samplesPerPixel(256 * 16_384), 256)
        self.assertEqual(samplesPerPixel(256 * 16_384 + 1), 512)
        self.assertEqual(samplesPerPixel(24 * 3600 * 8000), 65_536)

    def test_file(self) -> None:
        """
        It is JSON as audiowaveform writes it: of each column, channel after channel, the
        lowest and the highest, with 8 bits.
        """
        left, right = np.zeros(300, np.int16), np.full(300, -256, np.int16)
        left[10], left[299] = 32767, -32768
        file = io.BytesIO()
        fillPeaks(file, [Channel(left), Channel(right)], 8000)
        self.assertEqual(
            json.loads(file.getvalue()),
            {
                "version": 2,
                "channels": 2,
                "sample_rate": 8000,
                "samples_per_pixel": 256,
                "bits": 8,
                "length": 2,
                "data": [0, 127, -1, -1, -128, 0, -1, -1],
            },
        )

    def test_nothing(self) -> None:
        """
        Audio without a sample has no columns.
        """
        file = io.BytesIO()
        fillPeaks(file, [Channel(np.empty(0, np.int16))], 8000)
        found = json.loads(file.getvalue())
        self.assertEqual((found["length"], found["data"]), (0, []))
