"""
Tests of L{siprec.render.decode}.
"""

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from siprec.render import decode
from siprec.render.codec import Payloads
from siprec.render.decode import G711, L16, decoderFor, formatsFor, unasked
from tests.render.payloads import payloadsOf
from tests.render.tones import SECONDS, decoded, encode


def _decode(codec: str, *payloads: bytes) -> list[int]:
    decoder = decoderFor(codec, 8000)
    assert isinstance(decoder, G711 | L16)
    length = np.array([len(payload) for payload in payloads], np.int64)
    start = np.cumsum(length) - length
    data = np.frombuffer(b"".join(payloads), np.uint8)
    return list(decoder.decode(Payloads(data, start, length)).tolist())


def _lengths(*length: int) -> Payloads:
    """
    @return: payloads that are that long, of zeros.
    """
    sizes = np.array(length, np.int64)
    return Payloads(np.zeros(sum(length), np.uint8), np.cumsum(sizes) - sizes, sizes)


class G711Tests(SynchronousTestCase):
    """
    ITU-T G.711 by table.
    """

    def test_mulaw(self) -> None:
        """
        Both zeros, the smallest and the largest steps of mu-law are those of
        G.711 table 2, times four.
        """
        codes = bytes([0xFF, 0x7F, 0xFE, 0x7E, 0x80, 0x00, 0xEF])
        self.assertEqual(_decode("PCMU", codes), [0, 0, 8, -8, 32124, -32124, 132])

    def test_alaw(self) -> None:
        """
        The smallest and the largest values of A-law, and the begin of the second
        segment, are those of G.711 table 1, times sixteen.
        """
        codes = bytes([0xD5, 0x55, 0xD4, 0xAA, 0x2A, 0xC5])
        self.assertEqual(_decode("pcma", codes), [8, -8, 24, 32256, -32256, 264])

    def test_lengths(self) -> None:
        """
        Payloads of one length and of different lengths, empty ones too, decode to
        the same samples one after the other.
        """
        data = bytes(range(60))
        whole = _decode("PCMU", data)
        self.assertEqual(_decode("PCMU", data[:20], data[20:40], data[40:]), whole)
        self.assertEqual(_decode("PCMU", data[:7], b"", data[7:40], data[40:]), whole)
        self.assertEqual(_decode("PCMU", data[:7], data[7:59]), whole[:59])
        self.assertEqual(_decode("PCMU"), [])

    def test_unknown(self) -> None:
        """
        What cannot be decoded has no decoder: another codec, or G.711 at another
        rate.
        """
        self.assertIsNone(decoderFor("EVS", 16000))
        self.assertIsNone(decoderFor("PCMU", 16000))

    def test_codes(self) -> None:
        """
        The octets can be had as they are, with the silence of the law taken off.
        """
        for codec, silence in (("PCMU", 0xFF), ("PCMA", 0xD5)):
            law = decoderFor(codec, 8000)
            assert isinstance(law, G711)
            codes = law.codes(payloadsOf(b"\x12\x34", b"", bytes([silence])))
            self.assertEqual(codes.tolist(), [0x12 ^ silence, 0x34 ^ silence, 0])
            self.assertLess(abs(int(law.table[silence])), 9)


class ForeignTests(SynchronousTestCase):
    """
    What FFmpeg has encoded.
    """

    def test_E2_plain(self) -> None:
        """
        PCMU, PCMA and linear samples become what FFmpeg itself makes of them again, to
        the sample: linear ones, and the values of the law next to what was spoken.
        """
        spoken = np.random.default_rng(1).integers(-32_000, 32_000, SECONDS * 8000)
        for codec, name, far in (
            ("PCMU", "pcm_mulaw", 1024),
            ("PCMA", "pcm_alaw", 1024),
            ("L16", "pcm_s16be", 0),
        ):
            payloads = encode(name, 8000, spoken.astype(np.int16))
            ours = np.array(_decode(codec, *payloads))
            np.testing.assert_array_equal(ours, decoded(name, 8000, payloads), codec)
            self.assertLessEqual(int(np.abs(ours - spoken).max()), far, codec)


class LinearTests(SynchronousTestCase):
    """
    L16.
    """

    def test_order(self) -> None:
        """
        The higher octet comes first; half a sample at the end is none.
        """
        self.assertEqual(_decode("L16", b"\x01\x02\xff", b"", b"\xff\xfe"), [0x0102, -2])
        decoder = decoderFor("L16", 8000)
        assert decoder is not None
        self.assertEqual(decoder.samples(payloadsOf(b"\1\2\3", b"")).tolist(), [1, 0])

    def test_rates(self) -> None:
        """
        It has any usual rate where streams can be brought to one.
        """
        for rate in (8000, 16_000, 44_100):
            found = decoderFor("l16", rate)
            assert found is not None
            self.assertEqual(found.sampleRate, rate)
        self.assertIsNone(decoderFor("L16", 12_345))
        self.patch(decode, "libav", lambda: None)
        self.assertIsNone(decoderFor("L16", 16_000))
        self.assertIsNotNone(decoderFor("L16", 8000))


class FormatTests(SynchronousTestCase):
    """
    What payload types stand for.
    """

    def test_static(self) -> None:
        """
        The static payload types of RFC 3551 that matter are known without having
        been negotiated.
        """
        found = formatsFor([])
        self.assertEqual(
            {number: each.codec for number, each in found.items()},
            {0: "PCMU", 8: "PCMA", 13: "CN", 19: "CN"},
        )
        self.assertTrue(all(each.known for each in found.values()))

    def test_unasked(self) -> None:
        """
        So are those of other codecs, when they come; what is dynamic means nothing.
        """
        found = {number: each.codec for number in range(128) if (each := unasked(number))}
        self.assertEqual(found, {3: "GSM", 9: "G722", 18: "G729"})

    def test_E4_silent(self) -> None:
        """
        Comfort noise and events are known, play nothing, and only the timestamp of
        an event is no time of sending.
        """
        found = formatsFor([{"payloadType": 101, "codec": "telephone-event", "clockRate": 8000}])
        for number in (13, 101):
            self.assertTrue(found[number].known)
            self.assertEqual(found[number].ticks(_lengths(1, 4)).tolist(), [0, 0])
        self.assertTrue(found[13].timed)
        self.assertFalse(found[101].timed)

    def test_dynamic(self) -> None:
        """
        A negotiated format is decoded by its name, wherever it lies; two channels
        in one stream are not decoded.
        """
        found = formatsFor(
            [
                {"payloadType": 96, "codec": "pcma", "clockRate": 8000, "channels": 1},
                {"payloadType": 97, "codec": "PCMU", "clockRate": 8000, "channels": 2},
                {"payloadType": 98, "codec": "EVS", "clockRate": 16000, "channels": 1},
                {"payloadType": 99, "codec": "opus", "clockRate": 48000, "channels": 2},
                {"payloadType": 128, "codec": "PCMU", "clockRate": 8000, "channels": 1},
            ]
        )
        self.assertNotIn(128, found)
        self.assertIsNotNone(found[96].decoder)
        self.assertEqual(found[96].ticks(_lengths(160)).tolist(), [160])
        self.assertFalse(found[97].known)
        self.assertTrue(found[99].known)
        self.assertFalse(found[98].known)
        self.assertEqual(found[98].clockRate, 16000)
