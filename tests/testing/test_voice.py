"""
Tests for L{siprec.testing.voice}.
"""

import numpy as np
from numpy.typing import NDArray
from twisted.trial.unittest import SynchronousTestCase

from siprec.testing.voice import ANN, BOB, SAMPLE_RATE, conversation


def loudest(samples: NDArray[np.int16]) -> float:
    """
    @return: the strongest frequency, in hertz.
    """
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * SAMPLE_RATE / len(samples))


class VoiceTests(SynchronousTestCase):
    """
    One speaker.
    """

    def test_shape(self) -> None:
        """
        Speech has the length asked for and uses the whole range given.
        """
        for voice in (ANN, BOB):
            sound = voice.speak(1.25)
            self.assertEqual((sound.shape, sound.dtype), ((10000,), np.int16))
            self.assertEqual(np.abs(sound).max(), voice.peak)
        self.assertEqual(ANN.speak(0).shape, (0,))

    def test_repeatable(self) -> None:
        """
        The same voice says the same thing again.
        """
        np.testing.assert_array_equal(ANN.speak(1), ANN.speak(1))

    def test_pitch(self) -> None:
        """
        The voices have clearly different spectra: within a syllable, energy
        lies at multiples of a voice's own pitch.
        """
        ann, bob = ANN.speak(0.2), BOB.speak(0.2)
        correlation = np.corrcoef(np.abs(np.fft.rfft(ann)), np.abs(np.fft.rfft(bob)))[0, 1]
        self.assertLess(abs(correlation), 0.5)
        self.assertGreater(loudest(ann), loudest(bob))

    def test_syllables(self) -> None:
        """
        Loudness swells and fades several times a second, as in speech.
        """
        sound = np.abs(BOB.speak(2).astype(np.float64))
        level = sound.reshape(-1, 80).mean(axis=1)  # each 10 ms
        quiet = level < level.max() / 4
        self.assertGreaterEqual(int((quiet[1:] & ~quiet[:-1]).sum()), 6)


class ConversationTests(SynchronousTestCase):
    """
    Several speakers.
    """

    def test_turns(self) -> None:
        """
        Who does not speak is silent, and somebody always speaks.
        """
        ann, bob = conversation([ANN, BOB], 3.0, 0.5)
        self.assertEqual((len(ann), len(bob)), (24000, 24000))
        for number, (one, two) in enumerate(
            zip(ann.reshape(6, -1), bob.reshape(6, -1), strict=True)
        ):
            speaker, listener = (one, two) if number % 2 == 0 else (two, one)
            self.assertGreater(np.abs(speaker).max(), 1000)
            self.assertEqual(np.abs(listener).max(), 0)
