"""
Tests of L{siprec.media.reporting}.
"""

import errno
import struct
from collections.abc import Sequence
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.interfaces import ICapturedStream
from siprec.media.keys import MasterKey
from siprec.media.libsrtp import CryptoSession
from siprec.media.reporting import Reports
from siprec.media.rtcp import Destination, ReportBlock, goodbye, receiverReport, sourceDescription
from siprec.testing.fakes import FakeCapturedStream, FakePortPair
from tests.media.test_libsrtp import keyOf

TO = Destination("192.0.2.7", 4001, "name")
SUITE = "AES_CM_128_HMAC_SHA1_80"
BLOCK = ReportBlock(7, 1, 2, 3, 4)

#: No interval of 5 s is longer.
LONGEST = 6.2


@define
class Socket:
    """
    Keeps what is sent.

    @ivar failure: what is raised instead.
    """

    failure: Exception | None = None
    sent: list[tuple[bytes, Any]] = field(factory=list)

    def sendto(self, data: bytes, address: Any) -> None:
        if self.failure is not None:
            raise self.failure
        self.sent.append((data, address))

    @property
    def packets(self) -> list[bytes]:
        return [data for data, _ in self.sent]


class ReportsTests(SynchronousTestCase):
    """
    L{Reports}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.blocks: tuple[ReportBlock, ...] = (BLOCK,)
        self.asked: list[int] = []
        self.sources = iter(range(100, 1000))
        self.reports = self.make()

    def make(self, interval: float = 5.0) -> Reports:
        """
        @return: reports whose every draw is in the middle.
        """
        return Reports(self.clock, interval, self.measure, lambda: 0.5, lambda: next(self.sources))

    def tearDown(self) -> None:
        self.reports.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def measure(
        self, streams: Sequence[ICapturedStream]
    ) -> Deferred[Sequence[tuple[ReportBlock, ...]]]:
        """
        What the capture would tell.
        """
        self.asked.append(len(streams))
        return succeed([self.blocks for _ in streams])

    def stream(self) -> tuple[FakeCapturedStream, Socket, Socket]:
        """
        @return: a stream and its sockets for RTP and RTCP.
        """
        rtp, rtcp = Socket(), Socket()
        return FakeCapturedStream("path", FakePortPair("192.0.2.1", 4000, rtp, rtcp)), rtp, rtcp

    def pass_(self, seconds: float) -> None:
        """
        Let time pass in small steps.
        """
        self.clock.pump([0.1] * round(seconds * 10))

    def test_E7_compound(self) -> None:
        """
        Each report is a compound packet of RR and SDES with the canonical name, sent from
        the RTCP port to the address given, and never from that of RTP.
        """
        stream, rtp, rtcp = self.stream()
        self.reports.aim(stream, TO)
        self.pass_(LONGEST)
        expected = receiverReport(100, [BLOCK]) + sourceDescription(100, "name")
        self.assertEqual(rtcp.sent[0], (expected, ("192.0.2.7", 4001)))
        self.assertEqual(rtp.sent, [])
        self.assertEqual(self.reports.counters["reports"], len(rtcp.sent))

    def test_E7_intervals(self) -> None:
        """
        The first comes after half the interval, the others after whole ones; each divided by
        e - 3/2, as every draw is the same here.
        """
        stream, _, rtcp = self.stream()
        self.reports.aim(stream, TO)
        times: list[float] = []
        for tenth in range(200):
            self.clock.advance(0.1)
            if len(rtcp.sent) > len(times):
                times.append((tenth + 1) / 10)
        steps = [after - before for before, after in zip([0.0, *times], times, strict=False)]
        self.assertApproximates(steps[0], 2.5 / 1.21828, 0.11)
        for step in steps[1:]:
            self.assertApproximates(step, 5 / 1.21828, 0.11)

    def test_E7_empty(self) -> None:
        """
        Where nothing has come, a report without blocks is sent: it keeps the way open.
        """
        self.blocks = ()
        stream, _, rtcp = self.stream()
        self.reports.aim(stream, TO)
        self.pass_(LONGEST)
        self.assertEqual(rtcp.packets[0], receiverReport(100, []) + sourceDescription(100, "name"))

    def test_E1_shared(self) -> None:
        """
        With rtcp-mux it leaves from the port of RTP (RFC 5761).
        """
        stream, rtp, rtcp = self.stream()
        self.reports.aim(stream, evolve(TO, port=4000, shared=True))
        self.pass_(3)
        self.assertEqual([address for _, address in rtp.sent], [("192.0.2.7", 4000)])
        self.assertEqual(rtcp.sent, [])

    def test_E7_goodbye(self) -> None:
        """
        Who leaves says so in a compound packet that ends in BYE, and is silent then.
        """
        stream, _, rtcp = self.stream()
        self.reports.aim(stream, TO)
        self.pass_(3)
        self.reports.leave(stream)
        expected = receiverReport(100, []) + sourceDescription(100, "name") + goodbye(100)
        self.assertEqual(rtcp.packets[1:], [expected])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.pass_(20)
        self.reports.leave(stream)
        self.assertEqual(len(rtcp.sent), 2)
        self.assertEqual(dict(self.reports.counters), {"reports": 1, "goodbyes": 1})

    def test_E7_neverHeard(self) -> None:
        """
        Who has said nothing says no BYE either (RFC 3550 section 6.3.7).
        """
        stream, _, rtcp = self.stream()
        self.reports.aim(stream, TO)
        self.reports.leave(stream)
        self.assertEqual(rtcp.sent, [])

    def test_forget(self) -> None:
        """
        A stream that is forgotten, or has nowhere to report to any more, gets not a word;
        not even if its numbers are under way.
        """
        (first, _, one), (second, _, other) = self.stream(), self.stream()
        waiting: list[Deferred[Sequence[tuple[ReportBlock, ...]]]] = []

        def later(
            streams: Sequence[ICapturedStream],
        ) -> Deferred[Sequence[tuple[ReportBlock, ...]]]:
            waiting.append(Deferred())
            return waiting[-1]

        self.reports = Reports(self.clock, 5.0, later, lambda: 0.5)
        self.reports.aim(first, TO)
        self.reports.aim(second, TO)
        self.pass_(3)
        self.reports.forget(first)
        self.reports.aim(second, None)
        waiting[0].callback([(), ()])
        self.pass_(20)
        self.assertEqual((one.sent, other.sent, len(waiting)), ([], [], 1))

    def test_E7_elsewhere(self) -> None:
        """
        Another address of the same peer is taken up at the next report, by the same source.
        """
        stream, _, rtcp = self.stream()
        self.reports.aim(stream, TO)
        self.pass_(3)
        self.reports.aim(stream, evolve(TO, host="2001:db8::7", port=5001))
        self.pass_(LONGEST)
        self.assertEqual(rtcp.sent[1], (rtcp.packets[0], ("2001:db8::7", 5001)))

    def test_nowhere(self) -> None:
        """
        Nothing is sent to what is no single host, and nothing at all with an interval of 0.
        """
        stream, _, rtcp = self.stream()
        self.reports.aim(stream, evolve(TO, host="host.example"))
        self.pass_(20)
        self.make(0.0).aim(stream, TO)
        self.pass_(20)
        self.assertEqual(rtcp.sent, [])

    def test_E7_failures(self) -> None:
        """
        What the kernel does not take is counted, and the next one is tried all the same;
        a goodbye needs one that was taken before.
        """
        stream, _, rtcp = self.stream()
        self.reports.aim(stream, TO)
        for code in (errno.ECONNREFUSED, errno.EAGAIN, errno.EHOSTUNREACH):
            rtcp.failure = OSError(code, "the test says so")
            before = self.reports.counters["failed"]
            self.pass_(4.5)
            self.assertEqual(self.reports.counters["failed"], before + 1)
        self.reports.leave(stream)
        self.assertEqual(self.reports.counters["failed"], 3)
        rtcp.failure = None
        self.reports.aim(stream, TO)
        self.pass_(3)
        self.assertEqual(len(rtcp.sent), 1)

    def test_notMeasured(self) -> None:
        """
        If there is something wrong with the numbers that is logged, and the next report is
        due as ever.
        """
        stream, _, rtcp = self.stream()
        self.reports = Reports(self.clock, 5.0, lambda streams: fail(ValueError("the test")))
        self.reports.aim(stream, TO)
        self.pass_(2 * LONGEST)
        self.assertGreater(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(rtcp.sent, [])

    def test_together(self) -> None:
        """
        Of streams that are due at about the same time the numbers are asked for once.
        """
        for _ in range(50):
            self.reports.aim(self.stream()[0], TO)
            self.clock.advance(0.001)
        self.clock.pump([0.01] * 250)
        self.assertEqual(sum(self.asked), 50)
        self.assertLessEqual(len(self.asked), 3)

    def test_E6_collision(self) -> None:
        """
        If the peer sends as our source, we leave as that and go on as another one (RFC 3550
        section 8.2).
        """
        stream, _, rtcp = self.stream()
        self.reports.aim(stream, TO)
        self.pass_(3)
        self.blocks = (ReportBlock(100),)
        self.pass_(LONGEST)
        self.assertEqual(rtcp.packets[1][-8:], goodbye(100))
        self.assertEqual(rtcp.packets[2][4:8], struct.pack(">I", 101))

    def secured(self, key: bytes = keyOf(SUITE)) -> Destination:
        """
        @return: where the stream is protected.
        """
        return evolve(TO, key=MasterKey(SUITE, key))

    def test_E8_protected(self) -> None:
        """
        On a protected stream it is SRTCP by our own key, the goodbye too.
        """
        stream, _, rtcp = self.stream()
        self.reports.aim(stream, self.secured())
        self.pass_(3)
        self.reports.leave(stream)
        peer = CryptoSession(SUITE, keyOf(SUITE))
        found = [peer.open(packet, control=True) for packet in rtcp.packets]
        common = sourceDescription(100, "name")
        self.assertEqual(
            found,
            [
                (0, receiverReport(100, [BLOCK]) + common),
                (0, receiverReport(100, []) + common + goodbye(100)),
            ],
        )

    def test_E8_indexes(self) -> None:
        """
        No index is used twice by one source under one key: not by another process that
        goes on with the same key, nor after the key was another one for a while.
        """
        stream, _, rtcp = self.stream()
        for key in (keyOf(SUITE), bytes(30), keyOf(SUITE)):
            self.reports.aim(stream, self.secured(key))
            self.pass_(2 * LONGEST)
        self.reports.stop()
        self.reports = self.make()
        self.reports.aim(stream, self.secured())
        self.pass_(2 * LONGEST)
        used = [packet[4:8] + packet[-14:-10] for packet in rtcp.packets]
        self.assertGreater(len(used), 8)
        self.assertEqual(len(set(used)), len(used))

    def test_E8_sameKey(self) -> None:
        """
        As long as the key is the same, source and count go on.
        """
        stream, _, rtcp = self.stream()
        self.reports.aim(stream, self.secured())
        self.pass_(3)
        self.reports.aim(stream, evolve(self.secured(), port=9))
        self.pass_(LONGEST)
        self.assertEqual(
            [packet[4:8] for packet in rtcp.packets], [struct.pack(">I", 100)] * len(rtcp.sent)
        )
        indexes = [packet[-14:-10].hex() for packet in rtcp.packets]
        self.assertEqual(indexes[:2], ["80000001", "80000002"])

    def test_unknownSuite(self) -> None:
        """
        A suite that the library here has not, as after a move from another host, means
        that nothing is reported.
        """
        stream, _, rtcp = self.stream()
        self.reports.aim(stream, evolve(TO, key=MasterKey("OTHER", b"")))
        self.pass_(20)
        self.assertEqual(rtcp.sent, [])
