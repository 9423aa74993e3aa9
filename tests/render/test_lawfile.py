"""
Tests of L{siprec.render.lawfile}.
"""

import io

import numpy as np
import soundfile
from twisted.trial.unittest import SynchronousTestCase

from siprec.render.decode import G711, decoderFor
from siprec.render.lawfile import Linear, fillLaw
from tests.render.arrays import Channel


def _law(name: str) -> G711:
    found = decoderFor(name, 8000)
    assert isinstance(found, G711)
    return found


class LawFileTests(SynchronousTestCase):
    """
    WAV files of G.711 as it came.
    """

    def test_octets(self) -> None:
        """
        Every octet is in the file as it was, one channel beside the other, and another
        program finds the same samples in it as we do.
        """
        for name, subtype in (("PCMU", "ULAW"), ("PCMA", "ALAW")):
            law, file = _law(name), io.BytesIO()
            octets = np.arange(256, dtype=np.uint8)
            channels = [Channel(each ^ law.silence) for each in (octets, octets[::-1])]
            fillLaw(file, channels, law)
            together = np.stack((octets, octets[::-1]), axis=1).tobytes()
            self.assertEqual(file.getvalue()[-512:], together)
            file.seek(0)
            info = soundfile.info(file)
            self.assertEqual(
                (info.format, info.subtype, info.samplerate, info.channels, info.frames),
                ("WAV", subtype, 8000, 2, 256),
            )
            file.seek(0)
            samples, _ = soundfile.read(file, dtype="int16")
            for channel, track in enumerate(channels):
                linear = Linear(track, law)
                self.assertEqual(linear.frames, 256)
                np.testing.assert_array_equal(samples[:, channel], linear.read(0, 256))

    def test_silence(self) -> None:
        """
        Where nothing was written is the silence of the law.
        """
        for name, silence in (("PCMU", 0xFF), ("PCMA", 0xD5)):
            file = io.BytesIO()
            fillLaw(file, [Channel(np.zeros(4, np.uint8))], _law(name))
            self.assertEqual(file.getvalue()[-4:], bytes([silence]) * 4)

    def test_odd(self) -> None:
        """
        Chunks have an even length; the octet that fills up is no sample.
        """
        file = io.BytesIO()
        fillLaw(file, [Channel(np.zeros(5, np.uint8))], _law("PCMU"))
        self.assertEqual(len(file.getvalue()) % 2, 0)
        self.assertEqual(int.from_bytes(file.getvalue()[4:8], "little") + 8, file.tell())
        file.seek(0)
        self.assertEqual(soundfile.info(file).frames, 5)

    def test_long(self) -> None:
        """
        What is too long for the 32-bit lengths of WAV is RF64.
        """
        file = io.BytesIO()
        codes = np.arange(1000, dtype=np.uint8)
        fillLaw(file, [Channel(codes), Channel(codes)], _law("PCMA"), limit=1999)
        self.assertEqual(file.getvalue()[:4], b"RF64")
        file.seek(0)
        samples, _ = soundfile.read(file, dtype="int16")
        expected = Linear(Channel(codes), _law("PCMA")).read(0, 1000)
        np.testing.assert_array_equal(samples[:, 1], expected)
