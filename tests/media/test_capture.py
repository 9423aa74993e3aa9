"""
Tests of L{siprec.media.capture}.
"""

import errno
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from siprec.media import capture
from siprec.media.capture import CapturedStream, CaptureStopped, CaptureThread, ICaptureReactor
from siprec.media.interfaces import ICapture
from siprec.media.keys import MasterKey
from siprec.media.libsrtp import CryptoSession
from siprec.media.origin import Expected
from siprec.media.rtcp import ReportBlock
from siprec.media.srtp import Protection
from siprec.media.syncing import Sync
from tests.media.fakes import CuttingWriter, LocalPair, NamedReceiver, ThreadedClock, packetsOf
from tests.media.reference import rtp
from tests.media.test_libsrtp import keyOf
from tests.media.test_reporting import TO
from tests.media.test_rtcp import REPORT


class CaptureThreadTests(SynchronousTestCase):
    """
    L{CaptureThread} with a real thread and a clock for a reactor.
    """

    def setUp(self) -> None:
        self.reactor = ThreadedClock()
        self.writer = CuttingWriter()
        self.errors: list[tuple[CapturedStream, OSError]] = []
        self.news: list[tuple[CapturedStream, str, str]] = []
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.capture = self.make()

    def make(self, check: float = 60.0, sync: float = 0.0) -> CaptureThread:
        """
        @return: a capture that visits a hundred times a second.
        """
        return CaptureThread(
            self.reactor,
            0.01,
            onError=lambda *error: self.errors.append(error),
            onSender=lambda *news: self.news.append(news),
            receiver=NamedReceiver(1024),
            makeWriter=lambda capacity: self.writer,
            check=check,
            sync=sync,
            reportInterval=5.0,
        )

    def start(self) -> None:
        """
        Start, and stop when the test ends.
        """
        self.capture.startService()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        """
        Stop and see that nothing is left behind.
        """
        self.reactor.waitFor(self.capture.stopService())
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertTrue(self.writer.closed)

    def attach(self, name: str = "1-0.rtpdump") -> tuple[CapturedStream, LocalPair]:
        """
        @return: a stream and its pair.
        """
        pair = LocalPair.make(self)
        return self.capture.attach(pair, str(self.directory / name)), pair

    def test_interfaces(self) -> None:
        """
        The capture provides what it promises, and the reactor of these tests too.
        """
        verifyObject(ICapture, self.capture)
        verifyObject(ICaptureReactor, self.reactor)

    def test_detach(self) -> None:
        """
        The Deferred fires after the linger, when all that came is in the file and the
        file is closed; the sockets stay open.
        """
        self.start()
        stream, pair = self.attach()
        pair.toRTP.send(b"\x80\x00one")
        done = self.capture.detach(stream, 0.3)
        self.reactor.advance(0.29)
        self.assertNoResult(done)
        pair.toRTP.send(b"\x80\x00two")
        pair.toRTCP.send(b"\x80\xc9end")
        self.reactor.advance(0.01)
        self.assertIs(self.reactor.waitFor(done), stream)
        self.assertEqual(
            packetsOf(stream.path),
            [(b"\x80\x00one", False), (b"\x80\x00two", False), (b"\x80\xc9end", True)],
        )
        self.assertEqual((stream.packets, stream.controlPackets, stream.error), (2, 1, None))
        self.assertLess(stream.file, 0)
        self.assertGreaterEqual(pair.rtp.fileno(), 0)

    def test_E8_protected(self) -> None:
        """
        SRTP is opened from the first packet on, until it is said that it comes in the
        clear.
        """
        self.start()
        suite = "AEAD_AES_128_GCM"
        sender = CryptoSession(suite, keyOf(suite), inbound=False)
        pair = LocalPair.make(self)
        protection = Protection((MasterKey(suite, keyOf(suite)),))
        stream = self.capture.attach(pair, str(self.directory / "1-0.rtpdump"), protection)
        pair.toRTP.send(sender.protect(rtp(1)))
        pair.toRTP.send(rtp(9))
        done = self.capture.detach(stream, 0.3)
        self.reactor.advance(0.3)
        self.reactor.waitFor(done)
        self.assertEqual(packetsOf(stream.path), [(rtp(1), False)])
        self.assertEqual(stream.unauthenticated, 1)

    def test_E11_expected(self) -> None:
        """
        Who sends is said from the first packet on, and can be said anew; what is found out
        is told in the reactor thread.
        """
        self.start()
        pair = LocalPair.make(self)
        path = str(self.directory / "1-0.rtpdump")
        stream = self.capture.attach(pair, path, expected=Expected("sdp", "192.0.2.9"))
        pair.toRTP.send(rtp(1))
        self.reactor.runUntil(lambda: self.news)
        self.assertEqual(self.news, [(stream, "stranger", "192.0.2.7")])
        self.capture.expect(stream, Expected("any"))
        self.speak(stream, pair, rtp(2))
        done = self.capture.detach(stream, 0)
        self.reactor.advance(0)
        self.reactor.waitFor(done)
        self.assertEqual((packetsOf(path), stream.strangers), ([(rtp(2), False)], 1))

    def test_E11_nothing(self) -> None:
        """
        Where only strangers have sent there is no file in the end; before the start and
        after the end nothing is expected of anybody.
        """
        self.start()
        pair = LocalPair.make(self)
        path = str(self.directory / "1-0.rtpdump")
        stream = self.capture.attach(pair, path, expected=Expected("sdp"))
        pair.toRTP.send(rtp(1))
        self.reactor.runUntil(lambda: self.news)
        done = self.capture.detach(stream, 0)
        self.reactor.advance(0)
        self.reactor.waitFor(done)
        self.assertEqual((list(self.directory.iterdir()), stream.error), ([], None))
        self.reactor.waitFor(self.capture.stopService())
        self.capture.expect(stream, Expected("any"))

    def test_E7_measured(self) -> None:
        """
        What is to be reported of a stream is known in the thread, by the clock that it was
        told of; RTCP is looked at wherever it came.
        """
        self.start()
        stream, pair = self.attach()
        self.capture.report(stream, evolve(TO, rates={0: 0}))
        for number in (1, 2, 4):
            pair.toRTP.send(rtp(number))
        pair.toRTP.send(REPORT)
        pair.toRTCP.send(REPORT.replace(b"\1\2\3\4", bytes(4)))
        found: list[ReportBlock] = []
        while not found:
            (blocks,) = self.reactor.waitFor(self.capture.measure([stream]))
            found += blocks
        self.assertEqual((found[0].ssrc, found[0].jitter), (7, 0))
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)

    def test_E7_reportsEnd(self) -> None:
        """
        Nothing is reported on a stream that has been detached, or was never there, and
        nobody is told goodbye by that.
        """
        self.start()
        stream, _ = self.attach()
        self.capture.report(stream, TO)
        done = self.capture.detach(stream, 0.0)
        self.reactor.advance(0.0)
        self.reactor.waitFor(done)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.capture.report(stream, TO)
        self.capture.leave(stream)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(dict(self.capture.reports.counters), {})

    def test_E7_silenced(self) -> None:
        """
        It can be told to report no more.
        """
        self.start()
        stream, _ = self.attach()
        self.capture.report(stream, TO)
        self.capture.report(stream, None)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_E8_protectLater(self) -> None:
        """
        What opens the packets can change while they come, and it does no harm afterwards.
        """
        self.start()
        stream, pair = self.attach()
        suite = "AEAD_AES_128_GCM"
        sender = CryptoSession(suite, keyOf(suite), inbound=False)
        self.capture.protect(stream, Protection((MasterKey(suite, keyOf(suite)),)))
        pair.toRTP.send(sender.protect(rtp(1)))
        done = self.capture.detach(stream, 0.3)
        self.reactor.advance(0.3)
        self.reactor.waitFor(done)
        self.assertEqual(packetsOf(stream.path), [(rtp(1), False)])
        self.reactor.waitFor(self.capture.stopService())
        self.capture.protect(stream, None)

    def test_mute(self) -> None:
        """
        A stream is muted from the first packet on, or later, and heard again; the Deferred
        fires once that holds.
        """
        self.start()
        pair = LocalPair.make(self)
        stream = self.capture.attach(pair, str(self.directory / "1-0.rtpdump"), None, True)
        pair.toRTP.send(rtp(1))
        self.reactor.waitFor(self.capture.mute(stream, False))
        self.assertEqual(stream.discarded, 1)
        pair.toRTP.send(rtp(2))
        done = self.capture.detach(stream, 0.3)
        self.reactor.waitFor(self.capture.mute(stream, True))
        pair.toRTP.send(rtp(3))
        self.reactor.advance(0.3)
        self.reactor.waitFor(done)
        # Whether a visit came between them is chance.
        self.assertEqual(stream.packets + stream.discarded, 3)
        self.assertNotIn((rtp(3), False), packetsOf(stream.path) if stream.packets else [])
        self.successResultOf(self.capture.mute(stream, True))

    def test_muteStopped(self) -> None:
        """
        When the capture is stopping, or has stopped, nobody waits.
        """
        self.start()
        stream, _ = self.attach()
        ended = self.capture.stopService()
        self.successResultOf(self.capture.mute(stream, True))
        self.reactor.waitFor(ended)
        self.successResultOf(self.capture.mute(stream, False))

    def test_noPackets(self) -> None:
        """
        J7: a stream without a packet leaves no file, and that is no error.
        """
        self.start()
        stream, _ = self.attach()
        done = self.capture.detach(stream, 0)
        self.reactor.advance(0)
        self.reactor.waitFor(done)
        self.assertEqual((list(self.directory.iterdir()), stream.error), ([], None))

    def test_detachTwice(self) -> None:
        """
        Who detaches again is told with the first; when it is gone, at once.
        """
        self.start()
        stream, _ = self.attach()
        first, second = self.capture.detach(stream), self.capture.detach(stream, 5)
        self.reactor.advance(0.3)
        self.reactor.waitFor(first)
        self.assertIs(self.successResultOf(second), stream)
        self.assertIs(self.successResultOf(self.capture.detach(stream)), stream)

    def speak(self, stream: CapturedStream, pair: LocalPair, data: bytes) -> None:
        """
        Send a packet, and wait until it is captured.
        """
        before = stream.packets + stream.controlPackets
        (pair.toRTCP if data[1] == 0xC9 else pair.toRTP).send(data)
        while stream.packets + stream.controlPackets == before:
            os.sched_yield()

    def test_detachWhenQuiet(self) -> None:
        """
        It ends when for the time that was given, and one visit more, nothing came,
        neither RTP nor RTCP.
        """
        self.start()
        stream, pair = self.attach()
        self.speak(stream, pair, b"\x80\x00one")
        done = self.capture.detachWhenQuiet(stream, 0.49, 10.0)
        self.reactor.advance(0.3)
        self.speak(stream, pair, b"\x80\x00two")
        self.reactor.advance(0.2)
        self.reactor.advance(0.4)
        self.speak(stream, pair, b"\x80\xc9end")
        self.reactor.advance(0.1)
        self.reactor.advance(0.49)
        self.assertNoResult(done)
        self.reactor.advance(0.02)
        self.assertIs(self.reactor.waitFor(done), stream)
        self.assertEqual((stream.packets, stream.controlPackets), (2, 1))

    def test_neverQuiet(self) -> None:
        """
        It ends at the limit, even if somebody goes on sending.
        """
        self.start()
        stream, pair = self.attach()
        done = self.capture.detachWhenQuiet(stream, 0.5, 2.0)
        for _ in range(19):
            self.speak(stream, pair, b"\x80\x00more")
            self.reactor.advance(0.1)
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        self.reactor.advance(0.11)
        self.reactor.waitFor(done)
        self.assertEqual(len(packetsOf(stream.path)), 19)

    def test_limitBelowQuiet(self) -> None:
        """
        A limit shorter than the silence is what holds; even one of nothing.
        """
        self.start()
        for limit in (0.0, 0.2):
            stream, _ = self.attach(f"{limit}.rtpdump")
            done = self.capture.detachWhenQuiet(stream, 0.5, limit)
            self.reactor.advance(limit)
            self.reactor.waitFor(done)

    def test_stoppedWhileListening(self) -> None:
        """
        Stopping does not wait for silence, and whoever detaches once more is told
        with the first.
        """
        self.start()
        stream, _ = self.attach()
        first = self.capture.detachWhenQuiet(stream)
        second = self.capture.detachWhenQuiet(stream)
        self.reactor.waitFor(self.capture.stopService())
        self.assertIs(self.successResultOf(first), stream)
        self.assertIs(self.successResultOf(second), stream)
        self.assertIs(self.successResultOf(self.capture.detachWhenQuiet(stream)), stream)

    def test_endedBeforeItSaidSo(self) -> None:
        """
        The thread may have ended by the time the last stream is told of, and say so later.
        """
        self.capture.startService()
        stream, _ = self.attach()
        self.capture.detach(stream, 0)
        self.reactor.advance(0)
        told = self.reactor.take()
        stopping = self.capture.stopService()
        for each in threading.enumerate():
            if each.name == "capture":
                each.join(10)
        told()
        self.successResultOf(stopping)
        self.reactor.take()()

    def test_stop(self) -> None:
        """
        Stopping drains and closes all, those that linger and those that do not, before
        it is done; it may be asked twice.
        """
        self.capture.startService()
        stream, pair = self.attach()
        other, otherPair = self.attach("1-1.rtpdump")
        pair.toRTP.send(b"\x80\x00one")
        otherPair.toRTP.send(b"\x80\x00two")
        lingering = self.capture.detach(stream)
        stopping = self.capture.stopService()
        again = self.capture.stopService()
        late = self.capture.detach(other)
        self.assertRaises(CaptureStopped, self.attach)
        self.reactor.waitFor(stopping)
        self.successResultOf(lingering)
        self.successResultOf(late)
        self.successResultOf(again)
        self.assertEqual(
            packetsOf(stream.path) + packetsOf(other.path),
            [(b"\x80\x00one", False), (b"\x80\x00two", False)],
        )
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_notRunning(self) -> None:
        """
        Without its thread it takes no streams, and stopping it is done at once; it can
        be started again.
        """
        self.assertRaises(CaptureStopped, self.attach)
        self.successResultOf(self.capture.stopService())
        self.start()
        self.stop()
        self.capture.startService()
        stream, pair = self.attach()
        pair.toRTP.send(b"\x80\x00one")
        self.reactor.waitFor(self.capture.stopService())
        self.assertEqual(stream.packets, 1)

    def test_errorReported(self) -> None:
        """
        A failure is reported in the reactor thread, once, and harms no other stream.
        """
        self.start()
        stream, pair = self.attach("missing/1-0.rtpdump")
        other, otherPair = self.attach()
        pair.toRTP.send(b"\x80\x00lost")
        otherPair.toRTP.send(b"\x80\x00kept")
        self.reactor.runUntil(lambda: self.errors)
        done = self.capture.detach(stream, 0), self.capture.detach(other, 0)
        self.reactor.advance(0)
        for one in done:
            self.reactor.waitFor(one)
        self.assertEqual(
            [(failed, error.errno) for failed, error in self.errors], [(stream, errno.ENOENT)]
        )
        self.assertEqual((stream.unwritten, other.unwritten, len(packetsOf(other.path))), (1, 0, 1))

    def test_removedAndWrittenAnew(self) -> None:
        """
        A journal that was removed while it was written is reported while it goes on.
        """
        self.capture = self.make(0.05)
        self.start()
        stream, pair = self.attach()
        pair.toRTP.send(b"\x80\x00gone")
        while not Path(stream.path).exists():
            os.sched_yield()
        while stream.journal.identity is None:
            os.sched_yield()
        shutil.rmtree(self.directory)
        self.reactor.runUntil(lambda: self.errors)
        self.assertEqual(self.errors[0][1].errno, errno.ENOENT)

    def test_removedAtTheEnd(self) -> None:
        """
        It is reported at the end if nobody looked before.
        """
        self.start()
        stream, pair = self.attach()
        pair.toRTP.send(b"\x80\x00gone")
        while not stream.packets:
            os.sched_yield()
        while not Path(stream.path).exists():
            os.sched_yield()
        os.unlink(stream.path)
        done = self.capture.detach(stream, 0)
        self.reactor.advance(0)
        self.reactor.waitFor(done)
        self.assertEqual([error.filename for _, error in self.errors], [stream.path])
        self.assertIn("removed", stream.error or "")

    def test_synced(self) -> None:
        """
        What grows is handed to the disk while it grows; if that fails it is told, and the
        capture goes on.
        """
        failed = OSError(errno.EIO, "broken")

        def sync(journals: Sync, tell: Callable[[CapturedStream, OSError], None]) -> None:
            for stream, _ in journals:
                tell(stream, failed)
                tell(stream, failed)

        self.patch(capture, "syncJournals", sync)
        self.capture = self.make(sync=0.01)
        self.start()
        stream, pair = self.attach()
        pair.toRTP.send(b"\x80\x00one")
        self.reactor.runUntil(lambda: self.errors)
        while not self.capture.counters.longestSync:
            os.sched_yield()
        self.assertEqual(self.errors, [(stream, failed)])
        self.speak(stream, pair, b"\x80\x00two")

    def test_withhold(self) -> None:
        """
        What comes meanwhile is not written; before the start and after the end it means
        nothing.
        """
        self.capture.withhold(True)
        self.start()
        stream, pair = self.attach()
        self.capture.withhold(True)
        self.speak(stream, pair, b"\x80\x00one")
        while not stream.unwritten:
            os.sched_yield()  # it is counted just after the packet is
        self.assertEqual(stream.unwritten, 1)
        self.assertTrue(self.capture.counters.withholding)
        self.capture.withhold(False)
        while self.capture.counters.withholding:
            os.sched_yield()
        self.speak(stream, pair, b"\x80\x00two")
        done = self.capture.detach(stream, 0)
        self.reactor.advance(0)
        self.reactor.waitFor(done)
        self.assertEqual(packetsOf(stream.path), [(b"\x80\x00two", False)])

    def test_syncFails(self) -> None:
        """
        A file that cannot be synced is reported, and the stream ends all the same.
        """
        self.start()
        stream, _ = self.attach()
        reader, writer = os.pipe()  # fsync refuses pipes
        os.close(reader)
        done = self.capture.detach(stream, 0)
        stream.file = writer
        self.reactor.advance(0)
        self.reactor.waitFor(done)
        self.assertEqual([error.errno for _, error in self.errors], [errno.EINVAL])
