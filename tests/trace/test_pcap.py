"""
Tests of L{siprec.trace.pcap}; that Wireshark reads it is tested in
L{tests.functional.test_trace}.
"""

from __future__ import annotations

import struct

from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.flow import Flow
from siprec.trace import pcap as module
from siprec.trace.pcap import PcapWriter
from siprec.trace.wire import TracedMessage
from tests.trace.samples import NOON, OTHER, TCP, UDP, sip, traced


def total(data: bytes) -> int:
    """
    @return: the sum of RFC 1071, which is 0xffff where a checksum is right.
    """
    data += b"\0" * (len(data) % 2)
    found = sum(int.from_bytes(data[n : n + 2], "big") for n in range(0, len(data), 2))
    while found > 0xFFFF:
        found = (found & 0xFFFF) + (found >> 16)
    return found


class PcapTests(SynchronousTestCase):
    """
    Packets around messages.
    """

    def setUp(self) -> None:
        self.writer = PcapWriter()

    def packets(self, message: TracedMessage) -> list[bytes]:
        """
        @return: the IP packets of a message.
        """
        records, found = self.writer.packets(message), []
        while records:
            seconds, micros, kept, size = struct.unpack("<IIII", records[:16])
            self.assertEqual((seconds, micros, kept), (int(NOON), 250_000, size))
            found.append(records[16 : 16 + size])
            records = records[16 + size :]
        return found

    def v4(self, packet: bytes) -> tuple[int, bytes]:
        """
        @return: protocol and content of an IPv4 packet that is right.
        """
        self.assertEqual((packet[0], len(packet)), (0x45, int.from_bytes(packet[2:4], "big")))
        self.assertEqual(total(packet[:20]), 0xFFFF)
        length = struct.pack("!HH", packet[9], len(packet) - 20)
        self.assertEqual(total(packet[12:20] + length + packet[20:]), 0xFFFF)
        return packet[9], packet[20:]

    def test_head(self) -> None:
        """
        The file says that packets begin with their IP headers.
        """
        head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101)
        self.assertEqual(self.writer.head(), head)

    def test_udp(self) -> None:
        """
        A datagram is one packet, from who sent it.
        """
        data = sip(body=b"odd")
        for sent, ports in ((False, (5070, 5060)), (True, (5060, 5070))):
            [packet] = self.packets(traced(data, UDP, sent))
            protocol, content = self.v4(packet)
            self.assertEqual(protocol, 17)
            self.assertEqual(struct.unpack("!HHH", content[:6]), (*ports, len(content)))
            self.assertEqual(content[8:], data)
        self.assertEqual(packet[12:20], bytes((192, 0, 2, 9, 192, 0, 2, 7)))

    def test_zeroChecksum(self) -> None:
        """
        A checksum that would be 0 is written as its other form (RFC 768).
        """
        [packet] = self.packets(traced(b"\0\0"))
        rest = 0xFFFF - total(packet[12:20] + struct.pack("!HH", 17, 10) + packet[20:26])
        [packet] = self.packets(traced(rest.to_bytes(2, "big")))
        self.assertEqual(packet[26:28], b"\xff\xff")
        self.v4(packet)

    def test_v6(self) -> None:
        """
        Between IPv6 addresses it is an IPv6 packet; an address that is not known
        is that of none.
        """
        link = Flow("UDP", ("fe80::1%eth0", 5060), ("2001:db8::8", 5060))
        for flow, local in (
            (link, "fe800000000000000000000000000001"),
            (Flow("UDP", ("::", 5060), OTHER.remote), "0" * 32),
            (Flow("UDP", ("0.0.0.0", 5060), OTHER.remote), "0" * 32),
            (Flow("UDP", ("", 5060), OTHER.remote), "0" * 32),
            (OTHER, "00000000000000000000ffffc0000209"),
        ):
            [packet] = self.packets(traced(b"x", flow))
            self.assertEqual((packet[0], packet[4:7]), (0x60, b"\0\x09\x11"))
            self.assertEqual(packet[24:40].hex(), local)
            pseudo = struct.pack("!IHBB", 9, 0, 0, 17)
            self.assertEqual(total(packet[8:40] + pseudo + packet[40:]), 0xFFFF)
        [packet] = self.packets(traced(b"x", Flow("UDP", ("", 5060), ("nowhere", 5060))))
        self.assertEqual(packet[12:20], bytes(8))

    def test_tcp(self) -> None:
        """
        What goes by a stream is numbered on in its direction, and acknowledges
        the other one; a connection has its own numbers.
        """
        found = []
        for flow, data, sent in (
            (TCP, b"12345", False),
            (TCP, b"123", True),
            (TCP, b"1", False),
            (Flow("TLS", TCP.local, TCP.remote, 4), b"1", True),
        ):
            [packet] = self.packets(traced(data, flow, sent))
            protocol, content = self.v4(packet)
            self.assertEqual((protocol, content[12:14], content[20:]), (6, b"\x50\x18", data))
            found.append(struct.unpack("!HHII", content[:12]))
        self.assertEqual(
            found, [(5070, 5060, 1, 1), (5060, 5070, 1, 6), (5070, 5060, 6, 4), (5060, 5070, 1, 1)]
        )

    def test_long(self) -> None:
        """
        A message that is longer than a packet can be is in several segments.
        """
        data = bytes(range(256)) * 600
        packets = [self.v4(each)[1] for each in self.packets(traced(data, TCP))]
        self.assertEqual(b"".join(each[20:] for each in packets), data)
        starts = [struct.unpack("!I", each[4:8])[0] for each in packets]
        self.assertEqual(starts, [1, 60001, 120001])
        self.writer._next[(TCP.connection, TCP.local, TCP.remote)][False] = 0xFFFFFFFF
        packets = self.packets(traced(b"12", TCP)) + self.packets(traced(b"3", TCP))
        starts = [struct.unpack("!I", self.v4(each)[1][4:8])[0] for each in packets]
        self.assertEqual(starts, [0xFFFFFFFF, 1])

    def test_longDatagram(self) -> None:
        """
        A datagram is cut at what a packet can hold; none can be longer.
        """
        for flow in (UDP, OTHER):
            [packet] = self.packets(traced(b"x" * 70000, flow))
            self.assertEqual(len(packet), 65535 + (40 if flow is OTHER else 0))

    def test_bounded(self) -> None:
        """
        Not all connections that ever were are remembered.
        """
        self.patch(module, "_CONNECTIONS", 2)
        for number in range(5):
            self.packets(traced(b"x", Flow("TCP", TCP.local, TCP.remote, number)))
        self.assertEqual(len(self.writer._next), 2)
