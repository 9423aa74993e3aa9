"""
Synthetic voices: nobody's, but with pitch, vowels and syllables like anyone's,
so that recordings can be told apart by ear and by spectrum.
"""

from collections.abc import Sequence

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

SAMPLE_RATE = 8000

_SYLLABLE = 0.22

# First two formants of some vowels, in hertz, for a grown man.
_VOWELS = ((730, 1090), (530, 1840), (270, 2290), (570, 840), (440, 1020))


@frozen
class Voice:
    """
    One speaker.

    @ivar pitch: fundamental frequency in hertz.
    @ivar tract: how much higher the formants are than a man's, as a factor.
    @ivar peak: largest sample.
    """

    name: str
    pitch: float
    tract: float
    peak: int = 12000

    def speak(self, seconds: float) -> NDArray[np.int16]:
        """
        @return: speech-like sound, the same for the same voice and length;
            shape C{(round(seconds * SAMPLE_RATE),)}.
        """
        time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        syllable = (time / _SYLLABLE).astype(np.int64)
        vowels = np.array(_VOWELS, np.float64)[syllable % len(_VOWELS)] * self.tract
        # Pitch falls over a phrase and trembles a little.
        pitch = self.pitch * (1.06 - 0.08 * (time % 1.5) + 0.02 * np.sin(2 * np.pi * 5 * time))
        phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
        sound = np.zeros_like(time)
        for harmonic in range(1, int(0.9 * SAMPLE_RATE / 2 / (1.1 * self.pitch))):
            frequency = (harmonic * pitch)[:, np.newaxis]
            weight = np.exp(-(((frequency - vowels) / 180) ** 2)).sum(axis=1) + 0.05 / harmonic
            sound += weight * np.sin(harmonic * phase)
        sound *= np.sin(np.pi * (time / _SYLLABLE % 1)) ** 0.7  # one swell a syllable
        loudest = np.abs(sound).max(initial=0)
        if loudest:
            sound *= self.peak / loudest
        return np.round(sound).astype(np.int16)


#: Two voices that nobody confuses.
ANN = Voice("Ann", 215.0, 1.18)
BOB = Voice("Bob", 112.0, 1.0)


def conversation(
    voices: Sequence[Voice], seconds: float, turn: float = 1.0
) -> list[NDArray[np.int16]]:
    """
    The voices speak in turn; who does not speak is silent.

    @param turn: how long each turn lasts, in seconds.
    @return: for each voice a channel of C{seconds}.
    """
    length = round(seconds * SAMPLE_RATE)
    speaking = np.arange(length) // round(turn * SAMPLE_RATE) % len(voices)
    return [
        np.where(speaking == number, voice.speak(seconds), 0).astype(np.int16)
        for number, voice in enumerate(voices)
    ]


__all__ = ["ANN", "BOB", "SAMPLE_RATE", "Voice", "conversation"]
