"""
Capture of real UDP on the loopback interface, from the port pool to the journal.
"""

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from siprec.media.batch import Receiver
from siprec.media.capture import CapturedStream, CaptureThread
from siprec.media.journal import journalEnd, readJournal
from siprec.media.origin import Expected, hostOf, keysOf
from siprec.media.ports import NoFreePorts, PortPair, PortPool
from siprec.media.rtp import RTPPacket, parseTable
from tests.media.fakes import ThreadedClock, packetsOf

LOW, HIGH = 23000, 23999


def hasVersion6() -> bool:
    """
    @return: whether the loopback interface has an IPv6 address.
    """
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


class CaptureTests(SynchronousTestCase):
    """
    L{CaptureThread} and L{PortPool} together.
    """

    receiver: Receiver | None = None

    def setUp(self) -> None:
        self.reactor = ThreadedClock()
        self.errors: list[tuple[CapturedStream, OSError]] = []
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.pool = PortPool(LOW, HIGH, time.monotonic)
        self.capture = CaptureThread(
            self.reactor,
            0.02,
            onError=lambda *error: self.errors.append(error),
            receiver=self.receiver or Receiver(1024),
        )
        self.capture.startService()
        self.addCleanup(lambda: self.reactor.waitFor(self.capture.stopService()))

    def sender(self, family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
        """
        @return: a socket to send from.
        """
        sock = socket.socket(family, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        return sock

    def allocate(self, host: str = "127.0.0.1") -> PortPair:
        """
        @return: a pair that is released when the test ends.
        """
        pair = self.pool.allocate(host)
        self.addCleanup(self.pool.release, pair)
        return pair

    def finish(self, *streams: CapturedStream) -> None:
        """
        Detach all and wait for it.
        """
        ends = [self.capture.detach(stream, 0) for stream in streams]
        self.reactor.advance(0)
        for end in ends:
            self.reactor.waitFor(end)

    def record(self, packets: list[tuple[bool, bytes]], host: str = "127.0.0.1") -> CapturedStream:
        """
        @param packets: RTCP or not, and what to send.
        @return: the finished stream.
        """
        pair = self.allocate(host)
        sender = self.sender(pair.rtp.family)
        stream = self.capture.attach(pair, str(self.directory / "1-0.rtpdump"))
        for rtcp, packet in packets:
            sender.sendto(packet, (host, pair.rtcpPort if rtcp else pair.rtpPort))
        self.finish(stream)
        return stream

    def awaitStamps(self) -> None:
        """
        Wait until the kernel takes the time of arriving packets.  It begins to a
        moment after a socket first asks for it.
        """
        pair, sender = self.allocate(), self.sender()
        pair.rtp.setblocking(True)
        for _ in range(1000):
            sender.sendto(b"x", ("127.0.0.1", pair.rtpPort))
            sent = time.time_ns()
            _, ancillary, _, _ = pair.rtp.recvmsg(100, 100)
            seconds = int.from_bytes(ancillary[0][2][:8], "little")
            nanos = int.from_bytes(ancillary[0][2][8:16], "little")
            if seconds * 1_000_000_000 + nanos < sent:
                return
        raise SkipTest("the kernel does not take the time of packets on arrival")

    def test_E1_orderAndBytes(self) -> None:
        """
        Every packet of both ports is in the journal, byte for byte, in the order of
        arrival, with arrival times within the sending.
        """
        self.awaitStamps()
        packets = []
        for number in range(300):
            rtp = RTPPacket(0, number, 160 * number, 0x1A2B3C4D, os.urandom(number % 170))
            packets.append((False, rtp.serialize()))
            if number % 7 == 0:
                packets.append((True, b"\x81\xc9" + os.urandom(30)))
        before = time.time_ns() // 1_000_000 * 1_000_000
        stream = self.record(packets)
        after = time.time_ns()
        self.assertEqual(packetsOf(stream.path), [(data, rtcp) for rtcp, data in packets])
        self.assertEqual((stream.packets, stream.controlPackets), (300, 43))
        self.assertEqual(stream.octets, sum(len(data) for rtcp, data in packets if not rtcp))
        arrivals = [at for table in readJournal(stream.path) for at in table.arrival.tolist()]
        self.assertEqual(arrivals, sorted(arrivals))
        self.assertTrue(before <= arrivals[0] and arrivals[-1] <= after)
        parsed, invalid = parseTable(next(readJournal(stream.path)))
        self.assertEqual((parsed.sequence.tolist(), invalid), (list(range(300)), 0))

    def test_largePackets(self) -> None:
        """
        Packets of 9,000 octets, as L16 has them, and the longest there are come whole.
        """
        packets = [
            (False, b"\x80\x0a" + os.urandom(size)) for size in (9000, 100, 65505, 2046, 2047)
        ]
        stream = self.record(packets)
        self.assertEqual(
            [packet for packet, _ in packetsOf(stream.path)], [data for _, data in packets]
        )
        self.assertEqual(stream.truncated, 0)

    def test_version6(self) -> None:
        """
        IPv6 works like IPv4.
        """
        if not hasVersion6():
            raise SkipTest("no IPv6 on the loopback interface")
        stream = self.record([(False, b"\x80\x00one"), (True, b"\x80\xc8two")], "::1")
        self.assertEqual(len(packetsOf(stream.path)), 2)
        header, _ = journalEnd(stream.path)
        assert header is not None
        self.assertEqual((header.host, header.port), ("::1", stream.pair.rtpPort))

    def test_manyStreams(self) -> None:
        """
        Two hundred streams at once: each journal has its own packets, all of them.
        """
        sender, streams = self.sender(), []
        for number in range(200):
            path = str(self.directory / f"1-{number}.rtpdump")
            streams.append(self.capture.attach(self.allocate(), path))
        for turn in range(20):
            for number, stream in enumerate(streams):
                sender.sendto(b"\x80\x00%d/%d" % (number, turn), ("127.0.0.1", stream.pair.rtpPort))
        self.finish(*streams)
        for number, stream in enumerate(streams):
            self.assertEqual(
                [packet for packet, _ in packetsOf(stream.path)],
                [b"\x80\x00%d/%d" % (number, turn) for turn in range(20)],
            )
        self.assertEqual((self.capture.counters.failures, self.errors), (0, []))

    def test_stall(self) -> None:
        """
        A second of media, and more, that nobody fetched waits in the kernel; nothing is
        lost of it.
        """
        pair, sender = self.allocate(), self.sender()
        for number in range(150):
            sender.sendto(b"\x80\x00" + number.to_bytes(2, "big") * 85, ("127.0.0.1", pair.rtpPort))
        stream = self.capture.attach(pair, str(self.directory / "1-0.rtpdump"))
        self.finish(stream)
        self.assertEqual((stream.packets, stream.kernelDrops), (150, 0))

    def test_E11_names(self) -> None:
        """
        The address of each packet is known, of both families in turn in the same slots,
        and of IPv4 at a socket for IPv6.
        """
        if not hasVersion6():
            raise SkipTest("no IPv6 here")
        # The other one is the capture's.
        singly = self.receiver is not None
        receiver = Receiver(1024, recvmmsg=None) if singly else Receiver(1024)
        for host, target, sender in (
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("::1", "::1", "::1"),
            ("::", "127.0.0.1", "127.0.0.3"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.4"),
            ("::1", "::1", "::1"),
        ):
            pair = self.allocate(host)
            sock = self.sender(socket.AF_INET6 if ":" in target else socket.AF_INET)
            sock.bind((sender, 0))
            for _ in range(3):
                sock.sendto(b"x", (target, pair.rtpPort))
            receiver.reset()
            self.assertEqual(receiver.receive(pair.rtp, 10), 3)
            self.assertEqual([hostOf(each) for each in keysOf(receiver.names(0, 3))], [sender] * 3)

    def test_E11_stranger(self) -> None:
        """
        Only what the expected address sends is in the journal, by both families.
        """
        for number, (host, expected, kept) in enumerate(
            (
                ("127.0.0.1", "127.0.0.2", 1),
                ("127.0.0.1", "127.0.0.9", 0),
                ("::", "127.0.0.2", 1),
                ("::1", "::1", 2),
                ("::1", "::2", 0),
            )
        ):
            if ":" in host and not hasVersion6():
                continue
            pair, target = self.allocate(host), "::1" if "::" in expected else "127.0.0.1"
            path = str(self.directory / f"1-{number}.rtpdump")
            stream = self.capture.attach(pair, path, expected=Expected("sdp", expected))
            for source in ("127.0.0.1", "127.0.0.2") if "." in target else ("::1", "::1"):
                sender = self.sender(socket.AF_INET6 if ":" in target else socket.AF_INET)
                sender.bind((source, 0))
                sender.sendto(source.encode(), (target, pair.rtpPort))
            self.finish(stream)
            self.assertEqual((stream.packets, stream.strangers), (kept, 2 - kept), expected)
            found = [data for data, _ in packetsOf(path)] if kept else []
            self.assertEqual(found, [expected.encode()] * kept)

    def test_kernelDrops(self) -> None:
        """
        What the kernel had no room for is told by the next packet that it had room for.
        """
        pair, sender = self.allocate(), self.sender()
        pair.rtp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(200):
            sender.sendto(b"\x80\x00" + bytes(170), ("127.0.0.1", pair.rtpPort))
        stream = self.capture.attach(pair, str(self.directory / "1-0.rtpdump"))
        while not stream.packets:
            os.sched_yield()
        sender.sendto(b"\x80\x00last", ("127.0.0.1", pair.rtpPort))
        self.finish(stream)
        self.assertEqual(stream.packets + stream.kernelDrops, 201)
        self.assertGreater(stream.kernelDrops, 0)

    def test_diskFull(self) -> None:
        """
        With the disk full the stream goes on being drained; others are not touched.
        """
        (self.directory / "full.rtpdump").symlink_to("/dev/full")
        sender = self.sender()
        full = self.capture.attach(self.allocate(), str(self.directory / "full.rtpdump"))
        good = self.capture.attach(self.allocate(), str(self.directory / "good.rtpdump"))
        for _ in range(5):
            for stream in (full, good):
                sender.sendto(b"\x80\x00packet", ("127.0.0.1", stream.pair.rtpPort))
        self.finish(full, good)
        self.assertEqual((full.packets, full.unwritten), (5, 5))
        self.assertIs(self.errors[0][0], full)
        self.assertEqual((good.unwritten, len(packetsOf(good.path)), len(self.errors)), (0, 5, 1))

    def test_readByWireshark(self) -> None:
        """
        Wireshark reads the journal: all packets, with their times to the millisecond.
        """
        program = shutil.which("tshark")
        if program is None:
            raise SkipTest("NOT CHECKED against Wireshark: there is no tshark here")
        about = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stdout
        version = re.search(r"TShark \(Wireshark\) (\d+)\.(\d+)", about)
        if version is None or (int(version[1]), int(version[2])) < (4, 2):
            raise SkipTest(
                f"NOT CHECKED against Wireshark: {about.splitlines()[0]} is older than 4.2,"
                " the first that reads rtpdump files"
            )
        packets = [(False, RTPPacket(0, n, 160 * n, 7, bytes(160)).serialize()) for n in range(5)]
        stream = self.record(packets)
        output = subprocess.run(
            [program, "-r", stream.path, "-T", "fields", "-e", "rtp.seq", "-e", "frame.time_epoch"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        rows = [line.split("\t") for line in output.splitlines()]
        self.assertEqual([row[0] for row in rows], [str(number) for number in range(5)])
        (table,) = readJournal(stream.path)
        self.assertEqual(
            [round(float(row[1]) * 1000) for row in rows],
            [arrival // 1_000_000 for arrival in table.arrival.tolist()],
        )


class SingleCaptureTests(CaptureTests):
    """
    The same where there is no C{recvmmsg}.
    """

    def setUp(self) -> None:
        self.receiver = Receiver(1024, recvmmsg=None)
        super().setUp()


class PortTests(SynchronousTestCase):
    """
    L{PortPool} with real sockets.
    """

    def test_E1_bound(self) -> None:
        """
        Both sockets are bound, do not block, and have room for a second of media.
        """
        pool = PortPool(LOW, HIGH, time.monotonic)
        pair = pool.allocate("127.0.0.1")
        self.addCleanup(pool.release, pair)
        self.assertEqual(pair.rtp.getsockname(), ("127.0.0.1", pair.rtpPort))
        self.assertEqual(pair.rtcp.getsockname(), ("127.0.0.1", pair.rtpPort + 1))
        self.assertRaises(BlockingIOError, pair.rtp.recv, 100)
        self.assertRaises(BlockingIOError, pair.rtcp.recv, 100)
        self.assertGreaterEqual(
            pair.rtp.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF), 200 * 1024
        )

    def test_taken(self) -> None:
        """
        Ports that somebody else has are passed over; claiming them fails.
        """
        pool = PortPool(LOW, LOW + 3, time.monotonic)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", LOW + 1))
            pair = pool.allocate("127.0.0.1")
            self.addCleanup(pool.release, pair)
            self.assertEqual(pair.rtpPort, LOW + 2)
            self.assertRaises(NoFreePorts, pool.allocate, "127.0.0.1")
            self.assertRaises(OSError, pool.claim, "127.0.0.1", LOW)
        claimed = pool.claim("127.0.0.1", LOW)
        self.addCleanup(pool.release, claimed)
        self.assertEqual(claimed.rtpPort, LOW)

    def test_foreignAddress(self) -> None:
        """
        An address of another host, or a name, cannot be bound; no name server is asked.
        """
        pool = PortPool(LOW, HIGH, time.monotonic)
        for host in ("203.0.113.77", "sbc.example.com"):
            self.assertRaises(OSError, pool.allocate, host)
        self.assertEqual(pool.free, 500)
