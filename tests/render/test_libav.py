"""
Tests of L{siprec.render.libav}.
"""

import numpy as np
from hypothesis import given, settings
from hypothesis.strategies import binary, lists, sampled_from
from numpy.typing import NDArray
from twisted.trial.unittest import SynchronousTestCase

from siprec.render import libav as module
from siprec.render.codec import Decoder
from siprec.render.frames import AMR_BITS, AMR_WB_BITS
from siprec.render.libav import CODECS, MAX_CONCEALED, libavDecoder
from siprec.render.pyav import DECODERS
from tests.render.payloads import payloadsOf
from tests.render.tones import (
    SECONDS,
    adaptive,
    aligned,
    encode,
    packed,
    pitch,
    sample,
    tone,
)


def _decode(
    decoder: Decoder | None, payloads: list[bytes], holes: dict[int, int] | None = None
) -> tuple[NDArray[np.int16], list[int]]:
    """
    @param holes: how many samples are missing before which payload.
    """
    assert decoder is not None
    hole = np.zeros(len(payloads), np.int64)
    for row, missing in (holes or {}).items():
        hole[row] = missing
    samples, concealed = decoder.open().decode(payloadsOf(*payloads), hole)
    return samples, concealed.tolist()


class ToneTests(SynchronousTestCase):
    """
    What others have encoded.
    """

    def assertTone(self, codec: str, clock: int, payloads: list[bytes], fmtp: str = "") -> None:
        """
        The tone has its pitch, its length and about its level.
        """
        decoder = libavDecoder(codec, clock, fmtp)
        assert decoder is not None
        samples, concealed = _decode(decoder, payloads)
        rate = decoder.sampleRate
        self.assertEqual(len(samples), SECONDS * rate)
        self.assertEqual(sum(concealed), 0)
        self.assertEqual(int(decoder.samples(payloadsOf(*payloads)).sum()), len(samples))
        self.assertApproximates(pitch(samples, rate), 1000, 1)
        middle = samples[rate // 2 : rate].astype(np.float64)
        self.assertApproximates(float(np.sqrt((middle**2).mean())), 8192 / 2**0.5, 1500)

    def test_E2_G722(self) -> None:
        """
        G.722 has 16,000 samples a second, though its clock says 8,000.
        """
        payloads = encode("g722", 16_000, tone(16_000))
        self.assertEqual(len(payloads[0]), 160)
        self.assertTone("G722", 8000, payloads)
        self.assertTone("G722", 16_000, payloads)

    def test_E2_G729(self) -> None:
        """
        G.729, with two frames of 10 ms in a packet.
        """
        self.assertTone("G729", 8000, sample("tone.g729", 20))

    def test_E2_GSM(self) -> None:
        """
        GSM 06.10.
        """
        self.assertTone("GSM", 8000, sample("tone.gsm", 33))

    def test_E2_iLBC(self) -> None:
        """
        iLBC with frames of 30 ms, as PJSIP encodes a tone of 500 Hz.
        """
        frames = sample("tone.ilbc", 50)
        samples, _ = _decode(libavDecoder("ILBC", 8000), frames)
        self.assertEqual(len(samples), 240 * len(frames))
        self.assertApproximates(pitch(samples, 8000), 500, 1)
        self.assertGreater(float(np.sqrt((samples[2400:].astype(float) ** 2).mean())), 6000)

    def test_E2_opus(self) -> None:
        """
        Opus is decoded to one channel.
        """
        self.assertTone("OPUS", 48_000, encode("libopus", 48_000, tone(48_000)))

    def test_E2_AMR(self) -> None:
        """
        AMR in both packings.
        """
        frames = adaptive("tone.amr")
        self.assertTone("AMR", 8000, [aligned(each) for each in frames], "octet-align=1")
        self.assertTone("AMR", 8000, [packed(each, bits=AMR_BITS) for each in frames])

    def test_E2_AMRWB(self) -> None:
        """
        AMR-WB in both packings.
        """
        frames = adaptive("tone.awb")
        pairs = [aligned(*frames[at : at + 2]) for at in range(0, len(frames), 2)]
        self.assertTone("AMR-WB", 16_000, pairs, "octet-align=1; mode-set=8")
        self.assertTone("AMR-WB", 16_000, [packed(each, bits=AMR_WB_BITS) for each in frames])


class LossTests(SynchronousTestCase):
    """
    What is lost.
    """

    def test_E5_concealed(self) -> None:
        """
        G.729 and Opus go on with the tone over a lost packet, as long as it may take.
        """
        for codec, clock, frames, size in (
            ("G729", 8000, sample("tone.g729", 10), 80),
            ("OPUS", 48_000, encode("libopus", 48_000, tone(48_000)), 960),
        ):
            decoder = libavDecoder(codec, clock)
            whole, _ = _decode(decoder, frames)
            lost = [*frames[:50], *frames[52:]]
            samples, concealed = _decode(decoder, lost, {50: 2 * size})
            self.assertEqual(concealed, [0] * 50 + [2 * size] + [0] * (len(lost) - 51))
            self.assertEqual(len(samples), len(whole))
            cover = samples[50 * size : 52 * size].astype(np.float64)
            self.assertGreater(float(np.sqrt((cover**2).mean())), 2000)

    def test_E5_longLoss(self) -> None:
        """
        A long loss is concealed for a few frames; the rest is left as silence.
        """
        frames = sample("tone.g729", 10)
        _, concealed = _decode(libavDecoder("G729", 8000), frames[:20], {10: 80_000})
        self.assertEqual(concealed[10], 80 * MAX_CONCEALED)

    def test_short(self) -> None:
        """
        A hole that is shorter than a frame, or before anything was heard, is not
        concealed.
        """
        frames = sample("tone.g729", 10)
        _, concealed = _decode(libavDecoder("G729", 8000), frames[:20], {0: 800, 10: 79})
        self.assertEqual(sum(concealed), 0)

    def test_E5_notConcealed(self) -> None:
        """
        Where the decoder has no way to conceal there is silence.
        """
        frames = sample("tone.gsm", 33)
        _, concealed = _decode(libavDecoder("GSM", 8000), frames[:20], {10: 1600})
        self.assertEqual(sum(concealed), 0)

    def test_iLBC(self) -> None:
        """
        iLBC has frames of 30 ms, or of 20 ms if it says so; a lost one has the bit that
        says that it is empty.
        """
        for fmtp, octets, size in ((None, 50, 240), ("mode=30", 50, 240), ("mode=20", 38, 160)):
            frames = [bytes(octets)] * 4
            samples, concealed = _decode(libavDecoder("ILBC", 8000, fmtp), frames, {2: size})
            self.assertEqual((len(samples), concealed), (5 * size, [0, 0, size, 0]))


class DecoderTests(SynchronousTestCase):
    """
    Which codecs there are.
    """

    def test_codecs(self) -> None:
        """
        Of each codec for which there is a decoder it is known how it is used.
        """
        self.assertEqual(CODECS.keys(), DECODERS.keys())

    def test_without(self) -> None:
        """
        Without PyAV none is decoded, and that is no error.
        """
        self.patch(module, "available", lambda: None)
        self.assertIsNone(libavDecoder("G729", 8000))

    def test_unknown(self) -> None:
        """
        Another codec is not decoded, nor one with a clock that it cannot have.
        """
        self.assertIsNone(libavDecoder("EVS", 16_000))
        self.assertIsNone(libavDecoder("OPUS", 8000))

    def test_protected(self) -> None:
        """
        AMR that is interleaved, sorted or with checksums is not decoded.
        """
        for fmtp in ("octet-align=1; crc=1", "robust-sorting=1", "interleaving=4"):
            self.assertIsNone(libavDecoder("AMR", 8000, fmtp), fmtp)
        self.assertIsNotNone(libavDecoder("AMR", 8000, "octet-align=1; crc=0"))

    @settings(max_examples=50, deadline=None)
    @given(sampled_from(sorted(CODECS)), lists(binary(max_size=100), max_size=6))
    def test_anything(self, codec: str, payloads: list[bytes]) -> None:
        """
        Nothing that a peer sends makes a decoder fail, and the length is what was
        announced.
        """
        decoder = libavDecoder(codec, CODECS[codec].clocks[0])
        assert decoder is not None
        samples, _ = _decode(decoder, payloads)
        self.assertEqual(len(samples), int(decoder.samples(payloadsOf(*payloads)).sum()))
