"""
Tests of L{siprec.media.drain}.
"""

import errno
import os
import shutil
import socket
from pathlib import Path
from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from siprec.media.batch import Receiver
from siprec.media.discarding import LATE
from siprec.media.drain import Drain
from siprec.media.journal import readJournal
from siprec.media.keys import MasterKey
from siprec.media.libsrtp import CryptoSession
from siprec.media.srtp import Protection
from siprec.media.stream import CapturedStream, JournalFile
from tests.media.fakes import CuttingWriter, LocalPair, closeJournal, packetsOf, visitAll
from tests.media.reference import rtp
from tests.media.test_libsrtp import SENDER_REPORT, keyOf


class DrainTests(SynchronousTestCase):
    """
    L{Drain} with local sockets and real files.
    """

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.writer, self.now = CuttingWriter(), 0.0
        self.failures: list[tuple[CapturedStream, OSError]] = []
        self.drain = Drain(
            Receiver(1024),
            self.writer,
            lambda *failure: self.failures.append(failure),
            lambda: self.now,
        )
        self.addCleanup(self.drain.close)

    def stream(self, name: str = "1-0.rtpdump") -> tuple[CapturedStream, LocalPair]:
        """
        @return: a stream that is being visited, and its pair.
        """
        pair, path = LocalPair.make(self), str(self.directory / name)
        stream = CapturedStream(path, pair, JournalFile(path))
        self.drain.add(stream)
        self.addCleanup(closeJournal, stream)
        return stream, pair

    def test_slots(self) -> None:
        """
        An arena in which not even one stream's packets have room is refused.
        """
        self.assertRaises(ValueError, Drain, Receiver(512), self.writer, self.failures.append)

    def test_unsynced(self) -> None:
        """
        Journals that have grown are told once, with their descriptors.
        """
        (first, pair), _ = self.stream(), self.stream("1-1.rtpdump")
        self.assertEqual(self.drain.unsynced(), [])
        for _ in range(2):
            pair.toRTP.send(rtp(1))
            visitAll(self.drain)
            self.assertEqual(self.drain.unsynced(), [(first, first.file)])
            self.assertEqual(self.drain.unsynced(), [])

    def test_withholding(self) -> None:
        """
        While nothing is to be written, what comes is counted as unwritten and makes no
        file; what comes later is written.
        """
        stream, pair = self.stream()
        self.drain.withholding = True
        pair.toRTP.send(rtp(1))
        pair.toRTCP.send(SENDER_REPORT)
        visitAll(self.drain)
        visitAll(self.drain)
        self.assertEqual((stream.packets, stream.controlPackets, stream.unwritten), (1, 1, 2))
        self.assertEqual(list(self.directory.iterdir()), [])
        self.drain.withholding = False
        pair.toRTP.send(rtp(2))
        visitAll(self.drain)
        self.assertEqual(packetsOf(stream.path), [(rtp(2), False)])
        self.assertIsNone(stream.error)

    def test_firstPacket(self) -> None:
        """
        There is no file before the first packet; then it has header and packets.
        """
        stream, pair = self.stream()
        visitAll(self.drain)
        self.assertEqual(list(self.directory.iterdir()), [])
        pair.toRTP.send(b"\x80\x00one")
        pair.toRTP.send(b"\x80\x00three")
        visitAll(self.drain)
        self.assertEqual(self.writer.calls, 1)
        self.assertEqual(
            packetsOf(stream.path), [(b"\x80\x00one", False), (b"\x80\x00three", False)]
        )
        (table,) = readJournal(stream.path)
        assert stream.firstArrival is not None
        self.assertEqual(int(table.arrival[0]), int(stream.firstArrival * 1000) * 1_000_000)

    def test_E1_arrivalOrder(self) -> None:
        """
        RTCP stands beside RTP in the order of arrival, in one batch and across batches;
        one that is newer than all RTP waits for what may still come before it, but no
        longer than one visit.
        """
        stream, pair = self.stream()
        for to, packet in (
            (pair.toRTP, b"\x80\x00a"),
            (pair.toRTCP, b"\x80\xc8b"),
            (pair.toRTP, b"\x80\x00c"),
            (pair.toRTCP, b"\x80\xc9d"),
        ):
            to.send(packet)
        visitAll(self.drain)
        self.assertEqual([packet[2:] for packet, _ in packetsOf(stream.path)], [b"a", b"b", b"c"])
        pair.toRTP.send(b"\x80\x00e")
        visitAll(self.drain)
        self.assertEqual(
            [(packet[2:], rtcp) for packet, rtcp in packetsOf(stream.path)],
            [(b"a", False), (b"b", True), (b"c", False), (b"d", True), (b"e", False)],
        )
        pair.toRTCP.send(b"\x80\xc9f")
        visitAll(self.drain)
        visitAll(self.drain)
        self.assertEqual(packetsOf(stream.path)[-1], (b"\x80\xc9f", True))
        self.assertEqual((stream.packets, stream.octets, stream.controlPackets), (3, 9, 3))

    def test_E1_controlInItsSlice(self) -> None:
        """
        RTCP is taken in the slice of its stream, when the RTP before it is in hand.
        """
        streams = [self.stream(f"1-{number}.rtpdump") for number in range(20)]
        stream, pair = streams[-1]
        pair.toRTP.send(b"\x80\x00a")
        pair.toRTCP.send(b"\x80\xc8b")
        pair.toRTP.send(b"\x80\x00c")
        index = self.drain.visit(0, 0.0)
        self.assertTrue(index < 19)
        self.assertEqual(stream.controlPackets, 0)
        while index < 20:
            index = self.drain.visit(index, 0.0)
        self.assertEqual([packet[2:] for packet, _ in packetsOf(stream.path)], [b"a", b"b", b"c"])

    def test_controlDrops(self) -> None:
        """
        The kernel's count of dropped RTCP is kept, whether the packet that tells it is
        written at once or held.
        """

        class Telling(Receiver):
            """
            In which each packet tells of as many drops as there are packets before it.
            """

            def dropsOf(self, slot: int) -> int:
                """
                As of L{Receiver}.
                """
                return slot

        self.drain = Drain(Telling(1024), self.writer, lambda *failure: None)
        self.addCleanup(self.drain.close)
        for before, after in ((2, 1), (2, 0)):
            stream, pair = self.stream(f"{before}-{after}.rtpdump")
            for to, count in ((pair.toRTP, before), (pair.toRTCP, 1), (pair.toRTP, after)):
                for _ in range(count):
                    to.send(b"\x80\xc8b")
            visitAll(self.drain)
            self.assertEqual(stream.rtcpDrops, before + after)
            self.assertEqual(stream.controlPackets, after)

    def test_controlFirst(self) -> None:
        """
        A journal may begin with RTCP, and may have nothing else.
        """
        stream, pair = self.stream()
        pair.toRTCP.send(b"\x80\xc9a")
        self.drain.finish(stream)
        self.assertEqual(packetsOf(stream.path), [(b"\x80\xc9a", True)])
        self.assertEqual((stream.packets, stream.controlPackets), (0, 1))
        self.assertEqual(stream.firstArrival, stream.lastArrival)
        self.assertIsNotNone(stream.firstArrival)

    def test_manyStreams(self) -> None:
        """
        Each stream's packets go to its own journal, whoever has some and whoever leaves.
        """
        streams = [self.stream(f"1-{number}.rtpdump") for number in range(70)]
        for turn in range(3):
            for number, (_, pair) in enumerate(streams):
                if number % 3:
                    pair.toRTP.send(b"\x80\x00%d/%d" % (turn, number))
                if number % 5 == 0:
                    pair.toRTCP.send(b"\x80\xc8%d/%d" % (turn, number))
            visitAll(self.drain)
            if turn == 1:
                self.drain.finish(streams[10][0])
                self.drain.finish(streams[69][0])
        self.assertEqual(len(self.drain.streams), 68)
        for number, (stream, _) in enumerate(streams):
            if number not in (10, 69):
                self.drain.finish(stream)
            turns = 2 if number in (10, 69) else 3
            found = packetsOf(stream.path) if number % 3 or number % 5 == 0 else []
            rtp = [packet for packet, rtcp in found if not rtcp]
            rtcp = [packet for packet, rtcp in found if rtcp]
            self.assertEqual(
                rtp, [b"\x80\x00%d/%d" % (t, number) for t in range(turns)] * (number % 3 > 0)
            )
            self.assertEqual(
                rtcp, [b"\x80\xc8%d/%d" % (t, number) for t in range(turns)] * (number % 5 == 0)
            )
        self.assertEqual(self.drain.streams, [])

    def test_largePackets(self) -> None:
        """
        A packet longer than a slot is in the journal whole.
        """
        stream, pair = self.stream()
        packets = [b"\x80\x00" + bytes(range(256)) * 36, b"\x80\x00small"]
        for packet in packets:
            pair.toRTP.send(packet)
        visitAll(self.drain)
        self.assertEqual([packet for packet, _ in packetsOf(stream.path)], packets)
        self.assertEqual(stream.truncated, 0)

    def test_truncatedCounted(self) -> None:
        """
        With too little room a packet is cut, counted, and the journal says how long it
        was; so is one of RTCP.
        """
        receiver = Receiver(1024, 32, 0)
        self.drain = Drain(receiver, self.writer, lambda *failure: self.failures.append(failure))
        self.addCleanup(self.drain.close)
        stream, pair = self.stream()
        pair.toRTP.send(b"\x80\x00" + bytes(31))
        pair.toRTCP.send(b"\x80\xc8" + bytes(31))
        self.drain.finish(stream)
        self.assertEqual([len(packet) for packet, _ in packetsOf(stream.path)], [32, 32])
        self.assertEqual(stream.truncated, 2)
        self.assertIn(b"\x00\x28\x00\x21", Path(stream.path).read_bytes())

    def test_directoryMissing(self) -> None:
        """
        A journal that cannot be opened is reported once; the stream is drained all the
        same and what is lost counted; a second later it is tried again.
        """
        stream, pair = self.stream("missing/1-0.rtpdump")
        other, otherPair = self.stream()
        for _ in range(2):
            pair.toRTP.send(b"\x80\x00lost")
            otherPair.toRTP.send(b"\x80\x00kept")
            visitAll(self.drain)
        ((failed, error),) = self.failures
        self.assertIs(failed, stream)
        self.assertEqual((error.errno, error.filename), (errno.ENOENT, stream.path))
        self.assertEqual((stream.packets, stream.unwritten, stream.error), (2, 2, str(error)))
        (self.directory / "missing").mkdir()
        pair.toRTP.send(b"\x80\x00lost")
        visitAll(self.drain)
        self.now = 1.0
        pair.toRTP.send(b"\x80\x00kept")
        visitAll(self.drain)
        self.assertEqual(packetsOf(stream.path), [(b"\x80\x00kept", False)])
        self.assertEqual(
            (stream.unwritten, len(packetsOf(other.path)), len(self.failures)), (3, 2, 1)
        )

    def test_diskFull(self) -> None:
        """
        When the disk is full in the middle of a record, the journal is taken back to
        the last whole one, the rest is counted, and it goes on when there is room.
        """
        stream, pair = self.stream()

        def full(descriptor: int, data: bytes, position: int) -> int:
            raise OSError(errno.ENOSPC, "full")

        stream.journal = JournalFile(stream.path, pwrite=full)
        self.writer.results = [None, 8 + 5 + 3, -errno.ENOSPC]
        pair.toRTP.send(b"\x80\x00one")
        visitAll(self.drain)
        for packets in ([b"\x80\x00two", b"\x80\x00cut"], [b"\x80\x00not"], [b"\x80\x00six"]):
            for packet in packets:
                pair.toRTP.send(packet)
            visitAll(self.drain)
            list(readJournal(stream.path))
        self.assertEqual(
            [packet for packet, _ in packetsOf(stream.path)],
            [b"\x80\x00one", b"\x80\x00two", b"\x80\x00six"],
        )
        self.assertEqual((stream.packets, stream.unwritten), (5, 2))
        self.assertEqual([error.errno for _, error in self.failures], [errno.ENOSPC])

    def test_headerNotWritten(self) -> None:
        """
        When not even the header found room, it is written with the next packets.
        """
        stream, pair = self.stream()

        def full(descriptor: int, data: bytes, position: int) -> int:
            raise OSError(errno.ENOSPC, "full")

        stream.journal = JournalFile(stream.path, pwrite=full)
        self.writer.results = [20]
        pair.toRTP.send(b"\x80\x00one")
        visitAll(self.drain)
        pair.toRTP.send(b"\x80\x00two")
        visitAll(self.drain)
        self.assertEqual(packetsOf(stream.path), [(b"\x80\x00two", False)])

    def test_shortWrite(self) -> None:
        """
        A short write is completed: nothing is lost, and nothing reported.
        """
        stream, pair = self.stream()
        self.writer.results = [60]
        for packet in (b"\x80\x00one", b"\x80\x00two"):
            pair.toRTP.send(packet)
        visitAll(self.drain)
        pair.toRTP.send(b"\x80\x00six")
        visitAll(self.drain)
        self.assertEqual(len(packetsOf(stream.path)), 3)
        self.assertEqual((stream.unwritten, self.failures), (0, []))

    def test_continued(self) -> None:
        """
        A journal that is there already is continued, with offsets from its own start.
        """
        stream, pair = self.stream()
        pair.toRTP.send(b"\x80\x00one")
        self.drain.finish(stream)
        closeJournal(stream)
        again, pair = self.stream()
        pair.toRTP.send(b"\x80\x00two")
        visitAll(self.drain)
        (table,) = readJournal(stream.path)
        self.assertEqual([table.packet(0), table.packet(1)], [b"\x80\x00one", b"\x80\x00two"])
        assert again.lastArrival is not None
        self.assertEqual(int(table.arrival[1]) // 1_000_000, int(again.lastArrival * 1000))

    def test_closedSockets(self) -> None:
        """
        A stream whose sockets are closed under it is reported, and harms no other; so
        is one whose sockets were closed from the beginning.
        """
        stream, pair = self.stream()
        other, otherPair = self.stream("1-1.rtpdump")
        pair.rtp.close()
        otherPair.toRTP.send(b"\x80\x00kept")
        visitAll(self.drain)
        self.assertEqual(
            [(failed, error.errno) for failed, error in self.failures], [(stream, errno.EBADF)]
        )
        self.assertEqual(len(packetsOf(other.path)), 1)
        pair.rtcp.close()
        late, latePair = self.stream("1-2.rtpdump")
        dead = CapturedStream("x", pair, JournalFile("x"))
        self.drain.add(dead)
        self.assertIs(self.failures[-1][0], dead)
        self.drain.finish(dead)
        self.drain.finish(stream)
        latePair.toRTP.send(b"\x80\x00kept")
        visitAll(self.drain)
        self.assertEqual(len(packetsOf(late.path)), 1)

    def test_closedControlSocket(self) -> None:
        """
        An RTCP socket that cannot be read is reported; the RTP goes on.
        """
        pair = LocalPair.make(self)
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        self.addCleanup(os.close, writer)

        class Pipe:
            """
            It can be watched, but is no socket.
            """

            def fileno(self) -> int:
                """
                @return: a descriptor.
                """
                return reader

        wrong = LocalPair(pair.rtp, cast(socket.socket, Pipe()), pair.toRTP, pair.toRTCP)
        path = str(self.directory / "1-0.rtpdump")
        stream = CapturedStream(path, wrong, JournalFile(path))
        self.drain.add(stream)
        self.addCleanup(closeJournal, stream)
        os.write(writer, b"x")
        pair.toRTP.send(b"\x80\x00kept")
        visitAll(self.drain)
        self.assertEqual([error.errno for _, error in self.failures], [errno.ENOTSOCK])
        self.assertEqual(len(packetsOf(stream.path)), 1)

    def test_budget(self) -> None:
        """
        A slice ends when its time is over, and the next one goes on from there.
        """
        streams = [self.stream(f"1-{number}.rtpdump") for number in range(40)]
        for _, pair in streams:
            pair.toRTP.send(b"\x80\x00x")
        ends = [self.drain.visit(0, 0.0)]
        self.assertTrue(1 <= ends[0] < 40)
        while ends[-1] < 40:
            ends.append(self.drain.visit(ends[-1], 0.0))
        self.assertTrue(all(len(packetsOf(stream.path)) == 1 for stream, _ in streams))

    def test_directoryRemoved(self) -> None:
        """
        A removed journal is written anew, header and all, once its file was released.
        """
        stream, pair = self.stream()
        pair.toRTP.send(b"\x80\x00gone")
        visitAll(self.drain)
        shutil.rmtree(self.directory)
        closeJournal(stream)
        self.directory.mkdir()
        pair.toRTP.send(b"\x80\x00kept")
        visitAll(self.drain)
        self.assertEqual(packetsOf(stream.path), [(b"\x80\x00kept", False)])

    def secured(self, name: str) -> tuple[CapturedStream, LocalPair, CryptoSession]:
        """
        @return: a stream whose packets come as SRTP, and what protects them.
        """
        stream, pair = self.stream(name)
        key = keyOf("AEAD_AES_128_GCM")
        stream.protect(Protection((MasterKey("AEAD_AES_128_GCM", key),)))
        return stream, pair, CryptoSession("AEAD_AES_128_GCM", key, inbound=False)

    def test_E8_secured(self) -> None:
        """
        SRTP and SRTCP are in the journal in the clear and in order; what does not open is
        not there, nor counted as come, and the streams beside it are as ever.
        """
        before, beforePair = self.stream("1-0.rtpdump")
        stream, pair, sender = self.secured("1-1.rtpdump")
        after, afterPair = self.stream("1-2.rtpdump")
        for number in range(3):
            beforePair.toRTP.send(rtp(number))
            pair.toRTP.send(sender.protect(rtp(number)))
            pair.toRTP.send(rtp(number + 10))
            afterPair.toRTP.send(rtp(number))
        pair.toRTCP.send(SENDER_REPORT)
        pair.toRTCP.send(sender.protect(SENDER_REPORT, control=True))
        visitAll(self.drain)
        visitAll(self.drain)
        plain = [(rtp(number), False) for number in range(3)]
        self.assertEqual(packetsOf(stream.path), [*plain, (SENDER_REPORT, True)])
        self.assertEqual((packetsOf(before.path), packetsOf(after.path)), (plain, plain))
        self.assertEqual((stream.packets, stream.octets), (3, 3 * 172))
        self.assertEqual((stream.controlPackets, stream.unauthenticated), (1, 4))

    def test_E8_nothingOpens(self) -> None:
        """
        Of a stream of which nothing opens there is no journal.
        """
        stream, pair, _ = self.secured("1-0.rtpdump")
        pair.toRTP.send(rtp(1))
        pair.toRTCP.send(SENDER_REPORT)
        visitAll(self.drain)
        self.drain.finish(stream)
        self.assertFalse(os.path.exists(stream.path))
        self.assertEqual((stream.packets, stream.unauthenticated), (0, 2))
        self.assertIsNone(stream.firstArrival)

    def test_E8_notAnyMore(self) -> None:
        """
        A stream can be in the clear from some time on.
        """
        stream, pair, sender = self.secured("1-0.rtpdump")
        pair.toRTP.send(sender.protect(rtp(1)))
        visitAll(self.drain)
        stream.protect(None)
        pair.toRTP.send(rtp(2))
        visitAll(self.drain)
        self.assertEqual([each for each, _ in packetsOf(stream.path)], [rtp(1), rtp(2)])

    def test_muted(self) -> None:
        """
        Nothing of a muted stream is kept, RTCP that was in hand neither, but its sockets are
        emptied; the stream beside it is whole.
        """
        stream, pair = self.stream()
        other, beside = self.stream("1-1.rtpdump")
        pair.toRTCP.send(b"\x80\xc8in hand")
        visitAll(self.drain)
        self.drain.mute(stream)
        for number in range(5):
            pair.toRTP.send(rtp(number))
            beside.toRTP.send(rtp(number, 9))
        pair.toRTCP.send(b"\x80\xc9secret")
        visitAll(self.drain)
        visitAll(self.drain)
        self.assertFalse(os.path.exists(stream.path))
        self.assertEqual([each for each, _ in packetsOf(other.path)], [rtp(n, 9) for n in range(5)])
        self.assertEqual((stream.packets, stream.controlPackets, stream.discarded), (0, 0, 6))
        self.assertRaises(BlockingIOError, pair.rtp.recv, 1)
        self.assertRaises(BlockingIOError, pair.rtcp.recv, 1)
        self.assertIsNone(stream.firstArrival)
        assert stream.lastHeard is not None

    def test_unmuted(self) -> None:
        """
        What waits when the stream is heard again had come before, and is discarded; what comes
        then is kept, but for what was sent before.
        """
        stream, pair = self.stream()
        pair.toRTP.send(rtp(1))
        visitAll(self.drain)
        self.drain.mute(stream)
        self.drain.mute(stream)
        pair.toRTP.send(rtp(2))
        visitAll(self.drain)
        pair.toRTP.send(rtp(3))
        pair.toRTCP.send(b"\x80\xc9secret")
        self.drain.unmute(stream)
        pair.toRTP.send(rtp(2))
        pair.toRTP.send(rtp(4))
        pair.toRTCP.send(b"\x80\xc9open")
        visitAll(self.drain)
        visitAll(self.drain)
        self.now = LATE
        pair.toRTP.send(rtp(3))
        visitAll(self.drain)
        self.assertEqual(
            [each for each, _ in packetsOf(stream.path)],
            [rtp(1), rtp(4), b"\x80\xc9open", rtp(3)],
        )
        self.assertEqual(stream.discarded, 4)
        self.drain.unmute(stream)

    def test_mutedAgain(self) -> None:
        """
        A stream that is muted again before all that was late has come is muted.
        """
        stream, pair = self.stream()
        self.drain.mute(stream)
        self.drain.unmute(stream)
        self.drain.mute(stream)
        pair.toRTP.send(rtp(9))
        visitAll(self.drain)
        self.assertEqual(stream.discarded, 1)
        self.assertFalse(os.path.exists(stream.path))

    def test_finishedMuted(self) -> None:
        """
        The last packets of a muted stream are not kept either.
        """
        stream, pair = self.stream()
        self.drain.mute(stream)
        pair.toRTP.send(rtp(1))
        pair.toRTCP.send(b"\x80\xc9secret")
        self.drain.finish(stream)
        self.drain.unmute(stream)
        self.assertEqual(list(self.directory.iterdir()), [])
        self.assertEqual(stream.discarded, 2)

    def test_E8_muted(self) -> None:
        """
        SRTP of a muted stream is opened all the same: its rollover counter goes on, and what is
        sent again afterwards is a replay.
        """
        suite = "AES_CM_128_HMAC_SHA1_80"
        sender = CryptoSession(suite, keyOf(suite), inbound=False)
        stream, pair = self.stream()
        stream.protect(Protection((MasterKey(suite, keyOf(suite)),)))
        self.drain.mute(stream)
        heard = sender.protect(rtp(0xFFFF))
        for each in (heard, sender.protect(rtp(0x10000))):
            pair.toRTP.send(each)
        visitAll(self.drain)
        self.drain.unmute(stream)
        pair.toRTP.send(heard)
        pair.toRTP.send(sender.protect(rtp(0x10001)))
        visitAll(self.drain)
        self.assertEqual(packetsOf(stream.path), [(rtp(0x10001), False)])
        self.assertEqual((stream.replayed, stream.unauthenticated), (1, 0))
