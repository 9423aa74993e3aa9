"""
Tests of L{siprec.render.wav}.
"""

import io

import numpy as np
import soundfile
from twisted.trial.unittest import SynchronousTestCase

from siprec.render.wav import wavHeader


class WAVHeaderTests(SynchronousTestCase):
    """
    The begin of a WAV file.
    """

    def test_sameAsLibsndfile(self) -> None:
        """
        With the samples behind it, it is what libsndfile writes.
        """
        for frames, channels, rate in ((0, 1, 8000), (5, 1, 16_000), (7, 2, 8000), (3, 9, 48_000)):
            samples = np.arange(frames * channels, dtype="<i2").reshape(frames, channels)
            file = io.BytesIO()
            soundfile.write(file, samples, rate, "PCM_16", format="WAV")
            written = wavHeader(frames, channels, rate) + samples.tobytes()
            self.assertEqual(written, file.getvalue())
