"""
Tests of L{siprec.media.rtcp}.
"""

import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.rtcp import (
    Destination,
    ReportBlock,
    SenderReport,
    canonicalName,
    goodbye,
    newSource,
    receiverReport,
    senderReports,
    sourceDescription,
)

#: A sender report of source 7.
REPORT = bytes.fromhex("80c80006 00000007 0102030405060708 0000aaaa 00000001 000000a0")


class EncodingTests(SynchronousTestCase):
    """
    What is sent.
    """

    def test_E7_receiverReport(self) -> None:
        """
        A receiver report has our source, and for each other one the fields of RFC 3550
        section 6.4.2 in their places.
        """
        block = ReportBlock(0x01020304, 64, 5, 0x2FFFE, 17, 0xAABBCCDD, 65536)
        self.assertEqual(
            receiverReport(0xDEADBEEF, [block]),
            bytes.fromhex("81c90007deadbeef 01020304 40000005 0002fffe 00000011 aabbccdd 00010000"),
        )

    def test_E7_empty(self) -> None:
        """
        One without blocks is the head alone.
        """
        self.assertEqual(receiverReport(1, []), bytes.fromhex("80c9000100000001"))

    def test_E7_lost(self) -> None:
        """
        The packets lost are a signed number of 24 bits, and stay at the largest or the
        least that there is.
        """
        found = [
            ReportBlock(1, 0, lost).serialize()[5:8].hex()
            for lost in (-1, 0x7FFFFF, 0x800000, -0x800000, -0x800001)
        ]
        self.assertEqual(found, ["ffffff", "7fffff", "7fffff", "800000", "800000"])

    def test_bounds(self) -> None:
        """
        What wraps does so; what cannot be told is the largest or least that can.
        """
        block = ReportBlock(1, 0, 0, 0x1_0000_0007, 1 << 40, 0, 1 << 40).serialize()
        self.assertEqual(struct.unpack(">6I", block)[2:], (7, 0xFFFFFFFF, 0, 0xFFFFFFFF))
        self.assertEqual(ReportBlock(1, delay=-3).serialize()[20:], bytes(4))

    def test_mostBlocks(self) -> None:
        """
        A report has 31 blocks at most.
        """
        packet = receiverReport(1, [ReportBlock(each) for each in range(40)])
        self.assertEqual((packet[0] & 0x1F, len(packet)), (31, 8 + 31 * 24))

    def test_E7_sourceDescription(self) -> None:
        """
        The chunk of SDES ends in one zero octet at least and is whole words.
        """
        for length in range(1, 20):
            packet = sourceDescription(0x01020304, "n" * length)
            self.assertEqual(packet[:2], b"\x81\xca")
            self.assertEqual(len(packet), 4 + 4 * int.from_bytes(packet[2:4], "big"))
            self.assertEqual(packet[4:8], bytes([1, 2, 3, 4]))
            self.assertEqual(packet[8 : 10 + length], bytes([1, length]) + b"n" * length)
            self.assertIn(len(packet) - 10 - length, (1, 2, 3, 4))
            self.assertEqual(packet[10 + length :].strip(b"\0"), b"")

    def test_E7_goodbye(self) -> None:
        """
        A BYE names our source alone.
        """
        self.assertEqual(goodbye(0x01020304), bytes.fromhex("81cb000101020304"))

    def test_E7_canonicalName(self) -> None:
        """
        The canonical name has 96 bits, is the same for the same seed, another one for
        another, and does not tell the seed.
        """
        name = canonicalName("0190-call")
        self.assertEqual(len(name), 16)
        self.assertEqual(name, canonicalName("0190-call"))
        self.assertNotEqual(name, canonicalName("0191-call"))
        self.assertNotIn("call", name)

    def test_newSource(self) -> None:
        """
        Sources are 32 bits, and differ.
        """
        found = {newSource() for _ in range(100)}
        self.assertGreater(len(found), 98)
        self.assertTrue(all(0 <= each < 1 << 32 for each in found))


class DestinationTests(SynchronousTestCase):
    """
    L{Destination}.
    """

    def test_usable(self) -> None:
        """
        Only a single host that is given as a number is written to.
        """
        hosts = ("192.0.2.7", "2001:db8::7", "host.example", "224.0.0.1", "0.0.0.0", "::", "")
        found = [Destination(host, 4001, "name").usable for host in hosts]
        self.assertEqual(found, [True, True, False, False, False, False, False])

    def test_secret(self) -> None:
        """
        What is shown of it has no key.
        """
        self.assertNotIn("key", repr(Destination("192.0.2.7", 4001, "name")))


class SenderReportTests(SynchronousTestCase):
    """
    L{senderReports}.
    """

    def test_compound(self) -> None:
        """
        The sender reports of a compound packet are found among its other parts.
        """
        packet = receiverReport(9, []) + REPORT + sourceDescription(7, "n") + REPORT
        expected = SenderReport(7, 0x0102030405060708, 0xAAAA)
        self.assertEqual(list(senderReports(packet)), [expected, expected])

    def test_cut(self) -> None:
        """
        What is cut short, or of another version, or too short to be one, is not read.
        """
        for packet in (REPORT[:-1], b"\x40" + REPORT[1:], bytes.fromhex("80c80000"), b""):
            self.assertEqual(list(senderReports(packet)), [])

    @given(st.binary(max_size=200))
    def test_anything(self, packet: bytes) -> None:
        """
        Whatever comes, it is read to its end.
        """
        for report in senderReports(packet):
            self.assertLess(report.ntp, 1 << 64)
