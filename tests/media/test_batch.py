"""
Tests of L{siprec.media.batch}.
"""

import ctypes
import errno
import socket
import struct
import time
from typing import cast

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.batch import HEADROOM, Receiver
from siprec.media.recvmmsg import RECVMMSG, Recvmmsg
from tests.media.fakes import LocalPair


class BatchedTests(SynchronousTestCase):
    """
    L{Receiver} with C{recvmmsg}.
    """

    recvmmsg: Recvmmsg | None = RECVMMSG

    def receiver(self, slotSize: int = 2048, overflow: int = 0x10000 - 2048) -> Receiver:
        """
        @return: a small one.
        """
        return Receiver(256, slotSize, overflow, self.recvmmsg)

    def setUp(self) -> None:
        if RECVMMSG is None:
            self.skipTest("no recvmmsg here")
        self.pair = LocalPair.make(self)

    def contents(self, receiver: Receiver) -> list[bytes]:
        """
        @return: the packets, as the vectors cover them.
        """
        batch, found = receiver.batch(), []
        for slot, length in enumerate(batch.length.tolist()):
            begin = int(receiver.iovecs["base"][slot, 0]) - receiver.memory.ctypes.data
            beyond = int(receiver.iovecs["base"][slot, 1]) - receiver.memory.ctypes.data
            inside = min(length, receiver.slotSize)
            data = receiver.memory[begin : begin + inside].tobytes()
            found.append(data + receiver.memory[beyond : beyond + length - inside].tobytes())
        return found

    def test_batch(self) -> None:
        """
        All that waits comes at once, in order, byte for byte, an empty datagram too,
        and each lies behind its headroom.
        """
        packets = [b"one", b"", b"three" * 30, b"four"]
        for packet in packets:
            self.pair.toRTP.send(packet)
        receiver = self.receiver()
        self.assertEqual(receiver.receive(self.pair.rtp, 100), 4)
        self.assertEqual(self.contents(receiver), packets)
        self.assertEqual(receiver.memory[HEADROOM : HEADROOM + 3].tobytes(), b"one")
        self.assertEqual(receiver.receive(self.pair.rtp, 100), 0)

    def test_limit(self) -> None:
        """
        No more are taken than asked for; the rest comes the next time.
        """
        for number in range(5):
            self.pair.toRTP.send(bytes([number]))
        receiver = self.receiver()
        self.assertEqual(receiver.receive(self.pair.rtp, 3), 3)
        receiver.reset()
        self.assertEqual(receiver.receive(self.pair.rtp, 3), 2)
        self.assertEqual(self.contents(receiver), [b"\3", b"\4"])

    def test_E13_kernelTime(self) -> None:
        """
        The arrival is when the kernel took the packet, in nanoseconds, not when it was
        read.
        """
        before = time.time_ns()
        self.pair.toRTP.send(b"packet")
        after = time.time_ns()
        receiver = self.receiver()
        receiver.receive(self.pair.rtp, 10)
        (arrival,) = receiver.batch().arrival.tolist()
        self.assertTrue(before <= arrival <= after, (before, arrival, after))
        self.assertEqual(receiver.arrivalOf(0), arrival)

    def test_unstamped(self) -> None:
        """
        A packet of a socket that was not asked for times has that of reading, even
        where a stamped one lay before.
        """
        plain, peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(plain.close)
        self.addCleanup(peer.close)
        plain.setblocking(False)
        receiver = Receiver(256, recvmmsg=self.recvmmsg, nanoseconds=lambda: 42)
        self.pair.toRTP.send(b"stamped")
        receiver.receive(self.pair.rtp, 10)
        receiver.reset()
        peer.send(b"packet")
        receiver.receive(plain, 10)
        self.assertEqual(receiver.batch().arrival.tolist(), [42])
        self.assertEqual(receiver.arrivalOf(0), 42)

    def test_large(self) -> None:
        """
        A packet longer than a slot is kept whole, up to the longest there is; its
        neighbours are not touched.
        """
        packets = [b"small", bytes(range(256)) * 36, b"x" * 2049, b"y" * 2048, b"z" * 65527, b"end"]
        receiver = self.receiver()
        for packet in packets:
            self.pair.toRTP.send(packet)
            receiver.receive(self.pair.rtp, 10)
        self.assertEqual(self.contents(receiver), packets)
        self.assertEqual(receiver.batch().wire.tolist(), receiver.batch().length.tolist())
        self.assertEqual([held.data for held in receiver.take(0)], packets)

    def test_truncated(self) -> None:
        """
        Where there is no room for it a packet is cut, and that shows.
        """
        receiver = self.receiver(slotSize=64, overflow=16)
        for size in (80, 81):
            self.pair.toRTP.send(b"x" * size)
        receiver.receive(self.pair.rtp, 10)
        batch = receiver.batch()
        self.assertEqual(batch.length.tolist(), [80, 80])
        self.assertEqual((batch.wire > batch.length).tolist(), [False, True])
        self.assertEqual([held.wire for held in receiver.take(0)], [80, 81])

    def test_takenAndPlaced(self) -> None:
        """
        A packet taken out of the arena can be put in again, with its arrival.
        """
        self.pair.toRTP.send(b"one")
        self.pair.toRTP.send(b"two" * 2000)
        receiver = self.receiver()
        receiver.receive(self.pair.rtp, 10)
        arrivals = receiver.batch().arrival.tolist()
        held = receiver.take(0)
        self.assertEqual((receiver.used, [one.arrival for one in held]), (0, arrivals))
        for one in reversed(held):
            receiver.place(one.arrival, one.data, 7)
        self.assertEqual(self.contents(receiver), [b"two" * 2000, b"one"])
        batch = receiver.batch()
        self.assertEqual(batch.arrival.tolist(), arrivals[::-1])
        assert batch.drops is not None
        self.assertEqual(batch.drops.tolist(), [7, 7])
        self.assertEqual([one.drops for one in receiver.take(0)], [7, 7])

    def test_error(self) -> None:
        """
        What is wrong with a socket is told by number.
        """
        self.pair.rtp.close()
        self.assertEqual(self.receiver().receive(self.pair.rtp, 10), -errno.EBADF)

    def test_sweep(self) -> None:
        """
        A sweep visits one socket after the other; one that may have more is named.
        """
        other = LocalPair.make(self)
        for number in range(3):
            self.pair.toRTP.send(bytes([number]))
        other.toRTCP.send(b"other")
        receiver = self.receiver()
        sockets = [self.pair.rtp, other.rtp, other.rtcp]
        counts, full = receiver.sweep(sockets, 3, 64, time.monotonic() + 5)
        self.assertEqual((counts, full), ([3, 0, 1], {0}))
        self.assertEqual(self.contents(receiver), [b"\0", b"\1", b"\2", b"other"])

    def test_sweepEndsInTime(self) -> None:
        """
        A sweep ends when its time is over, but not before the first socket.
        """
        receiver = Receiver(256, recvmmsg=self.recvmmsg, monotonic=lambda: 2.0)
        counts, _ = receiver.sweep([self.pair.rtp] * 100, 3, 64, 1.0)
        self.assertTrue(1 <= len(counts) < 10, counts)

    def test_sweepEndsForRoom(self) -> None:
        """
        A sweep ends when few slots are left, and goes on after the reset.
        """
        receiver = self.receiver()
        for _ in range(5):
            self.pair.toRTP.send(b"x")
            receiver.receive(self.pair.rtp, 1)
        for reserve, visited in ((256 - 5 - 127, 0), (256 - 5 - 128, 2)):
            counts, _ = receiver.sweep([self.pair.rtp] * 2, 3, reserve, time.monotonic() + 5)
            self.assertEqual(len(counts), visited)


class ArenaTests(SynchronousTestCase):
    """
    What lies in the arena, changed there.
    """

    def setUp(self) -> None:
        self.receiver = Receiver(8, slotSize=8, overflow=8)
        for number, data in enumerate((b"one", b"two-two-twotwo", b"three", b"four-four-")):
            self.receiver.place(number, data, drops=number)

    def test_readAndWrite(self) -> None:
        """
        Slots are read and written, also where packets are longer than a slot.
        """
        self.assertEqual(self.receiver.read(1), b"two-two-twotwo")
        self.receiver.write(1, b"2")
        self.receiver.write(0, b"1-1-1-1-1-1-")
        self.assertEqual(self.receiver.read(1), b"2")
        self.assertEqual(self.receiver.read(0), b"1-1-1-1-1-1-")
        self.assertEqual(self.receiver.lengths(0, 3), [12, 1, 5])
        self.assertEqual(self.receiver.batch().wire.tolist(), [12, 1, 5, 10])

    def test_places(self) -> None:
        """
        Packets and their lengths can be changed at their addresses.
        """
        bases, lengths = self.receiver.places(2, 2)
        ctypes.memmove(bases[0], b"3333", 4)
        ctypes.c_uint.from_address(lengths[0]).value = 4
        self.assertEqual([self.receiver.read(each) for each in (2, 3)], [b"3333", b"four-four-"])

    def test_keep(self) -> None:
        """
        What is kept moves to the front, whole and with all that is known of it; the
        rest is free again.
        """
        self.receiver.keep(np.array([1, 3]))
        self.assertEqual(self.receiver.used, 2)
        self.assertEqual(
            [self.receiver.read(each) for each in (0, 1)], [b"two-two-twotwo", b"four-four-"]
        )
        batch = self.receiver.batch()
        assert batch.drops is not None
        self.assertEqual((batch.arrival.tolist(), batch.drops.tolist()), ([1, 3], [1, 3]))
        self.receiver.place(9, b"next")
        self.assertEqual(self.receiver.read(2), b"next")
        self.receiver.keep(np.array([], np.int64))
        self.assertEqual((self.receiver.used, self.receiver.batch().length.tolist()), (0, []))

    def test_keepThenReceive(self) -> None:
        """
        Slots that have become free take packets with their times.
        """
        pair = LocalPair.make(self)
        receiver = Receiver(8)
        for data in (b"a", b"b", b"c"):
            pair.toRTP.send(data)
        receiver.receive(pair.rtp, 8)
        receiver.keep(np.array([2]))
        pair.toRTP.send(b"d")
        before = time.time_ns()
        receiver.receive(pair.rtp, 8)
        self.assertEqual([receiver.read(0), receiver.read(1)], [b"c", b"d"])
        self.assertApproximates(receiver.arrivalOf(1) / 1e9, before / 1e9, 5.0)


class SingleTests(BatchedTests):
    """
    The same without C{recvmmsg}: one packet at a time.
    """

    recvmmsg = None

    def test_drops(self) -> None:
        """
        The kernel's count of dropped packets is taken from the control message.
        """

        class Dropping:
            """
            A socket that dropped five packets before the one it has.
            """

            packets = [b"packet"]

            def recvmsg(self, *arguments: int) -> tuple[bytes, list[object], int, None]:
                """
                As of a socket.
                """
                if not self.packets:
                    raise BlockingIOError(errno.EAGAIN, "none")
                drops = (socket.SOL_SOCKET, 40, struct.pack("@I", 5))
                return self.packets.pop(), [drops], 0, None

        receiver = self.receiver()
        receiver.receive(cast(socket.socket, Dropping()), 10)
        batch = receiver.batch()
        assert batch.drops is not None
        self.assertEqual(batch.drops.tolist(), [5])
        self.assertEqual(receiver.dropsOf(0), 5)
