"""
Tests for L{siprec.testing.wire}.
"""

import struct

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from siprec.testing.wire import (
    Law,
    RTPStream,
    decodeG711,
    encodeG711,
    packetize,
    senderReport,
)

# Output values of ITU-T G.711 tables 1 and 2: the ends of each segment, as
# character signals go out on the line, times 8 (A-law, table 1) and times 4
# (mu-law, table 2).
A_LAW = {
    0xAA: 32256, 0xA5: 16896, 0xBA: 16128, 0xB5: 8448, 0x8A: 8064, 0x85: 4224, 0x9A: 4032,
    0x95: 2112, 0xEA: 2016, 0xE5: 1056, 0xFA: 1008, 0xF5: 528, 0xCA: 504, 0xC5: 264, 0xDA: 248,
    0xD5: 8,
}  # fmt: skip
MU_LAW = {
    0x80: 32124, 0x8F: 16764, 0x90: 15996, 0x9F: 8316, 0xA0: 7932, 0xAF: 4092, 0xB0: 3900,
    0xBF: 1980, 0xC0: 1884, 0xCF: 924, 0xD0: 876, 0xDF: 396, 0xE0: 372, 0xEF: 132, 0xF0: 120,
    0xFE: 8, 0xFF: 0,
}  # fmt: skip
EVERY_CODE = bytes(range(256))


class G711Tests(SynchronousTestCase):
    """
    ITU-T G.711.
    """

    def test_decoderTables(self) -> None:
        """
        The decoders give the output values of the tables, for both signs.
        """
        for law, table in ((Law.A, A_LAW), (Law.MU, MU_LAW)):
            decoded = decodeG711(EVERY_CODE, law)
            for code, value in table.items():
                self.assertEqual(decoded[code], value)
                self.assertEqual(decoded[code ^ 0x80], -value)

    def test_roundTrip(self) -> None:
        """
        What a code stands for is coded as this code; only mu-law has a second
        one for zero.
        """
        again = encodeG711(decodeG711(EVERY_CODE, Law.A), Law.A)
        self.assertEqual(again, EVERY_CODE)
        again = encodeG711(decodeG711(EVERY_CODE, Law.MU), Law.MU)
        self.assertEqual(again, EVERY_CODE.replace(b"\x7f", b"\xff"))

    def test_monotonous(self) -> None:
        """
        A larger sample never becomes a smaller value.
        """
        samples = np.arange(-32768, 32768).astype(np.int16)
        for law in Law:
            decoded = decodeG711(encodeG711(samples, law), law).astype(np.int64)
            self.assertGreaterEqual(int(np.diff(decoded).min()), 0)

    def test_decisionValues(self) -> None:
        """
        The code changes exactly at the decision values of the tables: here
        the ends of the segments and those next to full scale and to zero.
        """
        for law, unit, values in (
            (
                Law.MU,
                4,
                [(7903, 0x80), (4063, 0x8F), (2015, 0x9F), (95, 0xDF), (31, 0xEF), (1, 0xFE)],
            ),
            (
                Law.A,
                8,
                [(3968, 0xAA), (2048, 0xA5), (1024, 0xB5), (128, 0xE5), (64, 0xF5), (2, 0xD4)],
            ),
        ):
            for value, code in values:
                at, below = encodeG711(np.array([value * unit, value * unit - 1], np.int16), law)
                self.assertEqual(at, code)
                self.assertNotEqual(below, code)

    def test_aroundZero(self) -> None:
        """
        Silence is coded as it is seen on most lines: 0xFF and 0xD5.
        """
        quiet = np.array([3, 0, -1], np.int16)
        self.assertEqual(encodeG711(quiet, Law.MU), b"\xff\xff\x7f")
        self.assertEqual(encodeG711(quiet, Law.A), b"\xd5\xd5\x55")

    def test_names(self) -> None:
        """
        Payload types and names are those of RFC 3551.
        """
        self.assertEqual((Law.MU.payloadType, Law.MU.encodingName), (0, "PCMU"))
        self.assertEqual((Law.A.payloadType, Law.A.encodingName), (8, "PCMA"))


class RTPTests(SynchronousTestCase):
    """
    RFC 3550.
    """

    def test_packetize(self) -> None:
        """
        Payloads are of the size asked for; the rest is in the last.
        """
        self.assertEqual(packetize(b"abcde", 2), [b"ab", b"cd", b"e"])

    def test_stream(self) -> None:
        """
        Sequence numbers and timestamps go up and wrap; the first packet of a
        talkspurt has the marker (RFC 3551 section 4.1).
        """
        first, second = RTPStream(0x01020304, 8, 0xFFFF, 0xFFFFFFFF, 160).packets([b"a", b"b"])
        self.assertEqual(first, b"\x80\x88\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04a")
        self.assertEqual(second, b"\x80\x08\x00\x00\x00\x00\x00\x9f\x01\x02\x03\x04b")

    def test_senderReport(self) -> None:
        """
        A compound packet begins with the report, holds a CNAME and is a whole
        number of words.
        """
        data = senderReport(7, 0.5, 160, 2, 320, "abc@x")
        self.assertEqual(data[:4], b"\x80\xc8\x00\x06")
        self.assertEqual(
            struct.unpack("!LLLLLL", data[4:28]), (7, 2208988800, 1 << 31, 160, 2, 320)
        )
        self.assertEqual(data[28:32], b"\x81\xca\x00\x03")
        self.assertEqual(data[32:], b"\0\0\0\7\x01\x05abc@x\0")
