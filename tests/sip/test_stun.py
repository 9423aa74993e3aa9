"""
Tests for L{siprec.sip.stun}.
"""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.stun import BadStun, answerTo, isStun

TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
HEADER = bytes.fromhex("2112a442") + TRANSACTION

# RFC 5769 section 2.1: a request with attributes of ICE.
SAMPLE = bytes.fromhex(
    "00010058" + HEADER.hex() + "802200105354554e207465737420636c69656e74"
    "002400046e0001ff"
    "80290008932ff9b151263b36"
    "000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004e57a3bcf"
)


def made(kind: int = 1, attributes: bytes = b"") -> bytes:
    """
    @return: a message of this type.
    """
    return struct.pack("!HH", kind, len(attributes)) + HEADER + attributes


class AnswerTests(SynchronousTestCase):
    """
    What is answered to what.
    """

    def test_D2_stun_IPv4(self) -> None:
        """
        A request is answered with the address that it came from (RFC 5769
        section 2.2 has this value).
        """
        answer = answerTo(made(), "192.0.2.1", 32853)
        expected = "0101000c" + HEADER.hex() + "002000080001a147e112a643"
        self.assertEqual(answer, bytes.fromhex(expected))

    def test_D2_stun_IPv6(self) -> None:
        """
        The same for an address of IPv6 (RFC 5769 section 2.3).
        """
        answer = answerTo(made(), "2001:db8:1234:5678:11:2233:4455:6677", 32853)
        value = "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
        self.assertEqual(answer, bytes.fromhex("01010018" + HEADER.hex() + value))
        self.assertEqual(len(answerTo(made(), "fe80::1%eth0", 1) or b""), 44)

    def test_D2_stun_unknown(self) -> None:
        """
        What must be understood and is not is named with 420, and a few of them
        only; a request with a fingerprint gets an answer with one, which
        another look finds right.
        """
        answer = answerTo(SAMPLE, "192.0.2.1", 32853) or b""
        value = "0009000400000414" + "000a000200240000"
        self.assertEqual(answer[:-8], bytes.fromhex("01110018" + HEADER.hex() + value))
        self.assertRaises(BadStun, answerTo, answer, "192.0.2.1", 1)

        many = made(1, b"".join(struct.pack("!HH", 0x7000 + n, 0) for n in range(100)))
        self.assertEqual(len(answerTo(many, "192.0.2.1", 1) or b""), 20 + 8 + 4 + 16)

    def test_D2_stun_fingerprint(self) -> None:
        """
        A wrong fingerprint is none of STUN: nothing is said.  The same goes
        for anything behind it.
        """
        for place in range(20, len(SAMPLE)):
            broken = bytearray(SAMPLE)
            broken[place] ^= 1
            if place not in (len(SAMPLE) - 7, len(SAMPLE) - 8):
                self.assertRaises(BadStun, answerTo, bytes(broken), "192.0.2.1", 1)
        printed = made(1, bytes.fromhex("8028000400000000"))
        self.assertRaises(BadStun, answerTo, printed, "192.0.2.1", 1)
        behind = made(1, bytes.fromhex("80280004000000000006000401020304"))
        self.assertRaises(BadStun, answerTo, behind, "192.0.2.1", 1)

    def test_D2_stun_others(self) -> None:
        """
        An indication has no answer; responses and other methods are none of
        ours.
        """
        self.assertIsNone(answerTo(made(0x0011), "192.0.2.1", 1))
        for kind in (0x0101, 0x0111, 0x0003, 0x0000):
            self.assertRaises(BadStun, answerTo, made(kind), "192.0.2.1", 1)

    def test_damaged(self) -> None:
        """
        What is short, long, without the cookie or with another length than it
        says is dropped.
        """
        for data in (
            made()[:19],
            made()[:4] + bytes(16),
            made() + b"\0\0\0\0",
            b"\0\1\0\2" + HEADER + b"ab",
            made(1, bytes.fromhex("0006000801020304")),
            made(1, b"\x80\x22\x02\x10" + bytes(0x210)),
        ):
            self.assertRaises(BadStun, answerTo, data, "192.0.2.1", 1)

    def test_isStun(self) -> None:
        """
        Its first octet tells it from SIP, and a keepalive of zeros is none.
        """
        self.assertTrue(isStun(made()) and isStun(made(0x0101)))
        for data in (b"", b"\0\0\0\0", b"\r\n\r\n", b"OPTIONS", b"\x02abc"):
            self.assertFalse(isStun(data))

    @given(st.binary(max_size=200), st.booleans())
    def test_small(self, data: bytes, whole: bool) -> None:
        """
        Whatever comes, nothing raises but what is promised, and no answer is
        more than 24 octets longer than its request: it is no means to send
        much to somebody else.
        """
        if whole:
            data = made(1, data[: len(data) // 4 * 4])
        try:
            answer = answerTo(data, "2001:db8::1", 5060)
        except BadStun:
            return
        self.assertLessEqual(len(answer or b""), len(data) + 24)
