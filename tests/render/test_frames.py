"""
Tests of L{siprec.render.frames}.
"""

from hypothesis import given
from hypothesis.strategies import binary, booleans, lists
from twisted.trial.unittest import SynchronousTestCase

from siprec.render.frames import (
    AMR_BITS,
    AMR_WB_BITS,
    MAX_FRAMES,
    Adaptive,
    Blocks,
    Cutter,
    Opus,
    Whole,
    parameters,
)
from tests.render.payloads import payloadsOf
from tests.render.tones import adaptive, aligned, packed


def _samples(cutter: Cutter, *payloads: bytes) -> list[int]:
    return list(cutter.samples(payloadsOf(*payloads)).tolist())


class BlockTests(SynchronousTestCase):
    """
    Frames of one size.
    """

    def test_frames(self) -> None:
        """
        A payload has any number of frames; what is left over is none: two octets of
        comfort noise behind speech, say.
        """
        cutter = Blocks(10, 80, bytes(10))
        payload = bytes(range(22))
        self.assertEqual(cutter.frames(payload), [payload[:10], payload[10:20]])
        self.assertEqual(_samples(cutter, payload, b"", b"\1\2", bytes(10)), [160, 0, 0, 80])
        self.assertEqual(cutter.erased(payload[:10]), bytes(10))

    def test_whole(self) -> None:
        """
        Where any length will do the payload is one piece.
        """
        cutter = Whole(2)
        self.assertEqual((cutter.frames(b"abc"), cutter.frames(b"")), ([b"abc"], []))
        self.assertEqual(_samples(cutter, b"abc", b""), [6, 0])
        self.assertIsNone(cutter.erased(b"abc"))


class OpusTests(SynchronousTestCase):
    """
    RFC 6716 section 3.
    """

    def test_lengths(self) -> None:
        """
        The first octet tells how long a frame is, and how many there are; with code 3
        it is the second.
        """
        for payload, samples in (
            (b"\x00", 480),  # SILK, 10 ms
            (b"\x18", 2880),  # SILK, 60 ms
            (b"\x68", 960),  # hybrid, 20 ms
            (b"\x80", 120),  # CELT, 2.5 ms
            (b"\xf8", 960),  # CELT, 20 ms
            (b"\xf9", 1920),  # two of the same size
            (b"\xfa\x01", 1920),  # two of different sizes
            (b"\xfb\x03", 2880),  # three
            (b"\xfb\x07", 0),  # 140 ms: there is no such packet
            (b"\xfb", 0),
            (b"", 0),
        ):
            self.assertEqual(_samples(Opus(), payload), [samples], payload)

    def test_erased(self) -> None:
        """
        A lost frame is one of the same kind without octets.
        """
        self.assertEqual(Opus().frames(b""), [])
        self.assertEqual(Opus().frames(b"\xfb\x02abc"), [b"\xfb\x02abc"])
        self.assertEqual(Opus().erased(b"\xfb\x02abc"), b"\xf8")


class AdaptiveTests(SynchronousTestCase):
    """
    RFC 4867 section 4.
    """

    def test_both(self) -> None:
        """
        Either packing gives back the very frames that went in, one or several in a
        payload.
        """
        for name, bits, each in (("tone.amr", AMR_BITS, 160), ("tone.awb", AMR_WB_BITS, 320)):
            frames = adaptive(name)[:5]
            for octets, pack in ((True, aligned), (False, lambda *f, b=bits: packed(*f, bits=b))):
                cutter = Adaptive(bits, each, octets)
                payloads = pack(frames[0]), pack(*frames[1:4]), pack(frames[4])
                found = [frame for payload in payloads for frame in cutter.frames(payload)]
                self.assertEqual(found, frames)
                self.assertEqual(_samples(cutter, *payloads), [each, 3 * each, each])

    def test_example(self) -> None:
        """
        The example of section 4.3.5.1: a frame of 7.4 kbit/s behind the request of mode
        6 and one entry, with the bits of speech from bit 10 on.
        """
        payload = bytes([0x62, 0x7F]) + bytes([0xFF] * 18) + b"\xfc"
        [frame] = Adaptive(AMR_BITS, 160, False).frames(payload)
        self.assertEqual(frame[0], 4 << 3 | 1 << 2)
        self.assertEqual(frame[1:], bytes([0xFF] * 18) + b"\xf0")

    def test_noData(self) -> None:
        """
        A frame that was not sent, or is damaged, goes on to the decoder as such.
        """
        cutter = Adaptive(AMR_BITS, 160, True)
        self.assertEqual(cutter.frames(b"\xf0\x7c"), [b"\x7c"])
        self.assertEqual(_samples(cutter, b"\xf0\x7c"), [160])
        damaged = b"\xf0\x00" + bytes(12)
        self.assertEqual(cutter.frames(damaged), [bytes(13)])
        self.assertIsNone(cutter.erased(b"\x7c"))

    def test_torn(self) -> None:
        """
        A frame that is not there to its end is none; nor is there one in a table
        without an end.
        """
        cutter = Adaptive(AMR_BITS, 160, True)
        self.assertEqual(cutter.frames(b"\xf0\x3c" + bytes(5)), [])
        self.assertEqual(cutter.frames(b"\xf0"), [])
        self.assertEqual(cutter.frames(b"\xff" * 9), [])
        self.assertEqual(_samples(cutter, b"\xff" * 9, b"\xf0", b""), [0, 0, 0])
        many = b"\xf0" + b"\xfc" * MAX_FRAMES + b"\x7c"
        self.assertEqual(cutter.frames(many), [])

    @given(lists(binary(max_size=70), max_size=5), booleans(), booleans())
    def test_anything(self, payloads: list[bytes], wide: bool, octets: bool) -> None:
        """
        Whatever comes, there are never more frames than there is time for.
        """
        cutter = Adaptive(AMR_WB_BITS if wide else AMR_BITS, 160, octets)
        counts = _samples(cutter, *payloads)
        for payload, samples in zip(payloads, counts, strict=True):
            self.assertLessEqual(160 * len(cutter.frames(payload)), samples)


class ParameterTests(SynchronousTestCase):
    """
    C{a=fmtp}.
    """

    def test_parameters(self) -> None:
        """
        Names are in lower case; spaces do not count, and the first of a name holds.
        """
        self.assertEqual(
            dict(parameters("Octet-Align=1; mode-set=0,2 ;octet-align=0;crc")),
            {"octet-align": "1", "mode-set": "0,2", "crc": ""},
        )
        self.assertEqual(dict(parameters(None)), {"": ""})
