"""
Tests of L{siprec.session.taps}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.interfaces import ICapturedStream
from siprec.media.origin import WAITING, Expected
from siprec.media.rtcp import Destination
from siprec.media.srtp import Protection
from siprec.session.taps import Taps
from siprec.testing.fakes import FakeCapture, FakePortPool
from tests.session.recordings import START

HOST = "192.0.2.1"


class TapsCase(SynchronousTestCase):
    """
    Two streams that are captured.
    """

    def setUp(self) -> None:
        self.ports, self.capture = FakePortPool(), FakeCapture()
        self.taps = Taps(self.ports, self.capture)
        for index in range(2):
            self.taps.allocate(index, HOST)
            self.taps.attach(index, f"/r/1-{index}.rtpdump")

    def bound(self) -> list[int]:
        """
        @return: the ports that are in use.
        """
        return sorted(pair.rtpPort for pair in self.ports.taken)

    def states(self) -> list[str]:
        """
        @return: of each stream, whether its ports are shared.
        """
        return [pair.state for pair in self.ports.taken]


class SilentTests(TapsCase):
    """
    Whether nothing came at all.
    """

    def test_nothing(self) -> None:
        """
        Only where something was captured can that be told.
        """
        self.assertTrue(self.taps.silent)
        self.assertFalse(Taps(self.ports, self.capture).silent)

    def test_something(self) -> None:
        """
        Every sign counts that something came or may have come, kept or not, on any stream.
        """
        second = self.capture.attached[1]
        for name, value in (
            ("firstArrival", START),
            ("packets", 1),
            ("controlPackets", 1),
            ("unauthenticated", 1),
            ("strangers", 1),
            ("unwritten", 1),
            ("kernelDrops", 1),
            ("error", "disk full"),
        ):
            before = getattr(second, name)
            setattr(second, name, value)
            self.assertFalse(self.taps.silent, name)
            setattr(second, name, before)
        self.assertTrue(self.taps.silent)


class ExpectTests(TapsCase):
    """
    Who sends the streams.
    """

    def test_E11_expected(self) -> None:
        """
        Until it is said, what comes is to wait; what is said holds for captures that run,
        for those to come, and where the stream moves to other ports.
        """
        expected = Expected("sdp", "192.0.2.7")
        self.assertEqual(self.capture.attached[0].expected, WAITING)
        self.taps.allocate(2, HOST)
        for index in (0, 2, 9):
            self.taps.expect(index, expected)
        self.taps.attach(2, "/r/1-2.rtpdump")
        self.assertEqual(
            [each.expected for each in self.capture.attached], [expected, WAITING, expected]
        )
        found = [self.taps.expected(index) for index in (0, 1, 2, 9)]
        self.assertEqual(found, [expected, WAITING, expected, WAITING])
        self.successResultOf(Deferred.fromCoroutine(self.taps.replace(0, HOST, 20000)))
        self.assertEqual(self.capture.attached[-1].expected, expected)

    def test_E11_indexOf(self) -> None:
        """
        A capture is known, one that has ended as well; those of others are not.
        """
        first, second = self.capture.attached
        self.successResultOf(Deferred.fromCoroutine(self.taps.replace(0, HOST, 20000)))
        last = self.capture.attached[-1]
        self.assertEqual([self.taps.indexOf(each) for each in (first, second, last)], [0, 1, 0])
        self.assertIsNone(Taps(self.ports, self.capture).indexOf(first))


class ReplaceTests(TapsCase):
    """
    A stream comes in at other ports.
    """

    def replacing(self, port: int = 20000) -> Deferred[bool]:
        """
        @return: whether the first stream comes in there now.
        """
        return Deferred.fromCoroutine(self.taps.replace(0, HOST, port))

    def test_replaced(self) -> None:
        """
        Its journal goes on at the new ports, and the old ones are given back.
        """
        self.assertTrue(self.successResultOf(self.replacing()))
        self.assertEqual(self.bound(), [10002, 20000])
        captures = [(each.path, each.pair.rtpPort) for each in self.capture.attached]
        self.assertEqual(captures, [("/r/1-1.rtpdump", 10002), ("/r/1-0.rtpdump", 20000)])
        self.assertEqual(len(self.taps.captured), 3)

    def test_counted(self) -> None:
        """
        What has come before still counts, though nothing comes at the new ports.
        """
        before = self.capture.attached[0]
        before.packets, before.firstArrival, before.lastArrival = 50, START, START + 1
        self.successResultOf(self.replacing())
        self.assertEqual(self.taps.counted(0)["packets"], 50)
        after = self.capture.attached[-1]
        after.packets, after.firstArrival, after.lastArrival = 7, START + 2, START + 3
        self.successResultOf(self.replacing(20002))
        counted = self.taps.counted(0)
        self.assertEqual((counted["packets"], self.taps.used()), (57, {0}))
        self.assertEqual(counted["firstPacket"], "2026-01-05T09:00:00.000000Z")
        self.assertEqual(counted["lastPacket"], "2026-01-05T09:00:03.000000Z")

    def test_E8_protected(self) -> None:
        """
        What opens its packets goes along, with counts of its own.
        """
        first = Protection(())
        first.reject(7)
        self.taps.rekey(0, (), lambda: first)
        self.assertIs(self.capture.attached[0].protection, first)
        self.assertTrue(self.successResultOf(self.replacing()))
        [found] = [each.protection for each in self.capture.attached if each.protection]
        self.assertIsNot(found, first)
        self.assertEqual(found.unauthenticated, 0)
        self.assertEqual((self.taps.indexes(0), self.taps.indexes(1)), ({}, None))
        self.taps.rekey(0, (), lambda: None)
        self.assertIsNotNone(self.taps.indexes(0))

    def test_notToBeHad(self) -> None:
        """
        If the ports are not to be had, or are none, all stays as it is.
        """
        self.assertFalse(self.successResultOf(self.replacing(10002)))
        self.assertFalse(self.successResultOf(self.replacing(20001)))
        self.assertEqual((self.bound(), len(self.capture.attached)), ([10000, 10002], 2))

    def test_notCaptured(self) -> None:
        """
        A stream that is only bound stays so.
        """
        self.taps.allocate(2, HOST)
        replacing = Deferred.fromCoroutine(self.taps.replace(2, HOST, 20000))
        self.assertTrue(self.successResultOf(replacing))
        self.assertEqual((self.bound(), list(self.taps.waiting())), ([10000, 10002, 20000], [2]))

    def test_meanwhile(self) -> None:
        """
        While the old capture ends, nobody begins another one of that stream.
        """
        self.capture.waiting = []
        replacing = self.replacing()
        self.assertEqual((list(self.taps.waiting()), len(self.taps.handles())), ([], 2))
        self.capture.waiting[0].callback(self.taps.captured[0])
        self.assertTrue(self.successResultOf(replacing))

    def test_endsMeanwhile(self) -> None:
        """
        If the recording ends meanwhile, no capture is begun, what came counts, and all
        ports are given back.
        """
        waiting: list[Deferred[ICapturedStream]] = []
        self.capture.waiting = waiting
        self.capture.attached[0].firstArrival = START
        replacing = self.replacing()
        stopping = self.taps.stop(0)
        for done, stream in zip(waiting, self.taps.captured, strict=True):
            done.callback(stream)
        self.assertFalse(self.successResultOf(replacing))
        self.assertEqual(self.successResultOf(stopping), [])
        self.assertEqual((self.capture.attached, self.taps.used()), ([], {0}))
        self.taps.release()
        self.assertEqual(self.bound(), [])

    def test_releasedMeanwhile(self) -> None:
        """
        The same if all has been given back by then.
        """
        self.capture.waiting = []
        replacing = self.replacing()
        self.taps.release()
        self.capture.waiting[0].callback(self.taps.captured[0])
        self.assertFalse(self.successResultOf(replacing))
        self.assertEqual((self.bound(), len(self.capture.attached)), ([], 1))


class ShareTests(TapsCase):
    """
    Another process is to have the ports.
    """

    def test_share(self) -> None:
        """
        All streams are shared, diverted, or given back to this process.
        """
        self.taps.share()
        self.assertEqual(self.states(), ["shared", "shared"])
        self.taps.divert()
        self.assertEqual(self.states(), ["diverted", "diverted"])
        self.taps.unshare()
        self.assertEqual(self.states(), ["", ""])

    def test_refused(self) -> None:
        """
        If one of them cannot be, none is; and who asked hears of it.
        """
        for step in (self.taps.share, self.taps.divert):
            self.ports.refusal, self.ports.patience = OSError("the test says so"), 1
            self.assertRaises(OSError, step)
            self.assertEqual(self.states(), ["", ""])

    def test_undoFails(self) -> None:
        """
        What cannot be undone of one stream is undone of the others.
        """
        self.taps.share()
        self.ports.stuck = self.ports.taken[0]
        self.taps.unshare()
        self.assertEqual(self.states(), ["shared", ""])


class MuteTests(TapsCase):
    """
    Nothing is kept of any stream.
    """

    def test_mute(self) -> None:
        """
        All captures are muted, those to come too, until it is undone.
        """
        self.successResultOf(self.taps.mute(True))
        self.taps.allocate(2, HOST)
        self.taps.attach(2, "/r/1-2.rtpdump")
        self.assertEqual([each.muted for each in self.capture.attached], [True, True, True])
        self.successResultOf(self.taps.mute(False))
        self.taps.allocate(3, HOST)
        self.taps.attach(3, "/r/1-3.rtpdump")
        self.assertEqual([each.muted for each in self.capture.attached], [False] * 4)

    def test_nothing(self) -> None:
        """
        Where nothing is captured it holds at once.
        """
        self.successResultOf(Taps(self.ports, self.capture).mute(True))


class ReportTests(TapsCase):
    """
    What is told to the senders of the streams.
    """

    TO = Destination("192.0.2.7", 40001, "name")

    def told(self) -> list[Destination | None]:
        """
        @return: to whom is reported on each stream that is captured.
        """
        return [each.reportsTo for each in self.capture.attached]

    def test_E7_report(self) -> None:
        """
        It is said of each stream to whom to report, before it is captured or afterwards; of
        one that is not there that means nothing.
        """
        self.taps.report(1, self.TO)
        self.taps.allocate(2, HOST)
        self.taps.report(2, self.TO)
        self.taps.report(9, self.TO)
        self.taps.attach(2, "/r/1-2.rtpdump")
        self.assertEqual(self.told(), [None, self.TO, self.TO])
        self.taps.report(2, None)
        self.assertEqual(self.told(), [None, self.TO, None])

    def test_E7_leave(self) -> None:
        """
        A goodbye is for one stream or for all, and only where there were reports.
        """
        streams = list(self.capture.attached)
        self.taps.report(0, self.TO)
        self.taps.leave(1)
        self.assertEqual([each.left for each in streams], [False, False])
        self.taps.report(1, self.TO)
        self.taps.leave(1)
        self.assertEqual([each.left for each in streams], [False, True])
        streams[1].left = False
        self.taps.leave()
        self.assertEqual([each.left for each in streams], [True, False])

    def test_E7_replaced(self) -> None:
        """
        At other ports of ours the reports go on.
        """
        self.taps.report(0, self.TO)
        replaced = Deferred.fromCoroutine(self.taps.replace(0, HOST, 20000))
        self.assertTrue(self.successResultOf(replaced))
        self.assertEqual(self.told(), [None, self.TO])

    def test_E7_diverted(self) -> None:
        """
        Who has the ports from now on reports; without a word about the change.
        """
        self.taps.report(0, self.TO)
        self.taps.share()
        self.taps.divert()
        self.assertEqual(self.told(), [None, None])
        self.taps.unshare()
        self.assertEqual(self.told(), [self.TO, None])
        self.assertFalse(self.capture.attached[0].left)
