"""
Tests of L{siprec.session.tally}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from siprec.session.tally import Tally
from siprec.session.taps import Taps
from siprec.testing.fakes import FakeCapture, FakePortPool
from tests.session.servicecase import ServiceTestCase


class TallyTests(SynchronousTestCase):
    """
    Counts of captures.
    """

    def setUp(self) -> None:
        self.capture, self.tally = FakeCapture(), Tally()
        self.taps = Taps(FakePortPool(), self.capture)
        for index in range(2):
            self.taps.allocate(index, "192.0.2.1")
            self.taps.attach(index, f"/r/1-{index}.rtpdump")
        for stream in self.capture.attached:
            stream.packets, stream.octets, stream.kernelDrops = 10, 1000, 1

    def totals(self, *running: Taps) -> list[int]:
        """
        @return: what was counted of everything.
        """
        return [self.tally.total(each, running) for each in ("packets", "octets", "kernelDrops")]

    def test_running(self) -> None:
        """
        What runs is counted as it is, and no more once it is let go.
        """
        self.assertEqual(self.totals(), [0, 0, 0])
        self.assertEqual(self.totals(self.taps), [20, 2000, 2])
        self.assertEqual(self.totals(), [0, 0, 0])

    def test_over(self) -> None:
        """
        What is over stays counted as it was then.
        """
        self.tally.add(self.taps)
        self.capture.attached[0].packets += 1
        self.assertEqual(self.totals(), [20, 2000, 2])
        self.tally.add(self.taps)
        self.assertEqual(self.totals(), [41, 4000, 4])


class RecordingsTests(ServiceTestCase):
    """
    Counts of recordings.
    """

    def test_mediaCounts(self) -> None:
        """
        What was captured is counted while a recording runs and goes on to
        count when it is over.
        """
        one, two = self.begin(), self.begin()
        for number, stream in enumerate(self.capture.attached):
            stream.packets, stream.octets, stream.controlPackets = 10, 1000, number
        self.capture.attached[0].unwritten = self.capture.attached[1].kernelDrops = 2

        def counted() -> list[int]:
            return [self.service.media(each) for each in ("packets", "octets", "kernelDrops")]

        self.assertEqual(counted(), [44, 4000, 2])
        self.finish(one)
        self.assertEqual(counted(), [44, 4000, 2])
        self.capture.attached[0].packets += 1
        self.assertEqual(counted(), [45, 4000, 2])
        self.finish(two)
        self.assertEqual(counted(), [45, 4000, 2])
