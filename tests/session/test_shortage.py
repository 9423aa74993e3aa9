"""
Tests of L{siprec.session.shortage}.
"""

from __future__ import annotations

from siprec.session.disk import INTERVAL
from tests.session.servicecase import ServiceTestCase


class ShortageTests(ServiceTestCase):
    """
    The disk gets full, and empty again.
    """

    def events(self, number: int = 0) -> list[tuple[str, object]]:
        """
        @return: type and cause of the events of a recording.
        """
        live = list(self.service.recordings.values())[number]
        return [(each["type"], each.get("cause")) for each in live.recording.events]

    def look(self, free: int | None, reserve: int = 1000) -> None:
        """
        See so much room.
        """
        self.service.shortage.look(free, reserve)

    def test_stops(self) -> None:
        """
        Capture goes on in the first half of the reserve, stops in the second, and
        goes on when three quarters of it are free; each recording tells so.
        """
        self.begin()
        for free, withholding in (
            (999, False),
            (500, False),
            (499, True),
            (740, True),
            (None, True),
            (750, False),
            (749, False),
        ):
            self.look(free)
            self.assertEqual(self.capture.withholding, withholding, free)
        self.assertEqual(
            self.events(), [("captureStopped", "diskFull"), ("captureResumed", "diskFull")]
        )

    def test_noReserve(self) -> None:
        """
        Without a reserve it stops when nothing is left.
        """
        self.look(1, reserve=0)
        self.assertFalse(self.capture.withholding)
        self.look(0, reserve=0)
        self.assertTrue(self.capture.withholding)
        self.look(1, reserve=0)
        self.assertFalse(self.capture.withholding)

    def test_begunMeanwhile(self) -> None:
        """
        A recording that begins while nothing is written says so, too.
        """
        self.look(0)
        self.begin()
        self.assertEqual(self.events(), [("captureStopped", "diskFull")])

    def test_disk(self) -> None:
        """
        It is looked at with the disk, and with the reserve as it is configured now;
        the node says that it takes no call and why.
        """
        self.begin()
        self.service.minFree = 1 << 62
        self.clock.advance(INTERVAL)
        self.assertTrue(self.capture.withholding)
        [reason] = self.service.notReady()
        self.assertRegex(reason, r"only \d+ octets are free in .*: nothing is recorded$")
        self.service.minFree = 1
        self.clock.advance(INTERVAL)
        self.assertFalse(self.capture.withholding)
        self.assertEqual(self.service.notReady(), [])
