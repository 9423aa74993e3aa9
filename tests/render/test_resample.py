"""
Tests of L{siprec.render.resample}.
"""

import os

import numpy as np
from numpy.typing import NDArray
from twisted.trial.unittest import SynchronousTestCase

from siprec.render import audio
from siprec.render.audio import Track
from siprec.render.resample import addResampled
from tests.render.arrays import Channel


def _chirp(rate: int, seconds: float = 2.0) -> NDArray[np.int16]:
    """
    @return: a tone that rises from 100 to 3,000 Hz.
    """
    times = np.arange(int(rate * seconds)) / rate
    return (8000 * np.sin(2 * np.pi * (100 * times + 725 * times**2))).astype(np.int16)


class ResampleTests(SynchronousTestCase):
    """
    Bring a track to another rate.
    """

    def setUp(self) -> None:
        """
        Make a folder for tracks.
        """
        self.directory = self.mktemp()
        os.mkdir(self.directory)

    def resample(self, samples: NDArray[np.int16], rate: int, wanted: int) -> NDArray[np.int16]:
        """
        @return: the same at the rate wanted.
        """
        track = Track.create(self.directory, len(samples) * wanted // rate)
        self.addCleanup(track.close)
        addResampled(Channel(samples), rate, track, wanted)
        found: NDArray[np.int16] = track.read(0, track.frames)
        return found

    def test_E2_inPlace(self) -> None:
        """
        What comes out is what would have been sampled at that rate, and at its place:
        a shift by one sample would be seen.
        """
        for rate, wanted in ((8000, 16_000), (8000, 48_000), (16_000, 48_000), (44_100, 48_000)):
            found = self.resample(_chirp(rate), rate, wanted).astype(np.float64)
            ideal = _chirp(wanted).astype(np.float64)
            self.assertEqual(len(found), len(ideal))
            error = np.abs(found - ideal)[wanted // 10 : -wanted // 10]
            self.assertLess(float(error.max()), 250, (rate, wanted))

    def test_blocks(self) -> None:
        """
        A long track goes through in pieces, without seams.
        """
        whole = self.resample(_chirp(8000), 8000, 16_000)
        self.patch(audio, "_BLOCK", 777)
        np.testing.assert_array_equal(self.resample(_chirp(8000), 8000, 16_000), whole)

    def test_added(self) -> None:
        """
        It is added to what is there, and what becomes too loud is cut off.
        """
        track = Track.create(self.directory, 3200)
        self.addCleanup(track.close)
        track.write(0, np.full(3200, 20_000, np.int16))
        addResampled(Channel(np.full(1600, 20_000, np.int16)), 8000, track, 16_000)
        self.assertEqual(set(track.read(200, 2800).tolist()), {32767})
        addResampled(Channel(np.zeros(1600, np.int16)), 8000, track, 16_000)
        self.assertEqual(set(track.read(200, 2800).tolist()), {32767})

    def test_nothing(self) -> None:
        """
        Nothing stays nothing.
        """
        self.assertEqual(len(self.resample(np.empty(0, np.int16), 8000, 16_000)), 0)
