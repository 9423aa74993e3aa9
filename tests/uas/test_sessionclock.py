"""
Tests for L{siprec.uas.sessionclock}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.sip.sessiontimer import Agreed
from siprec.uas.sessionclock import SessionClock


class SessionClockTests(SynchronousTestCase):
    """
    RFC 4028 on a clock.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[tuple[str, float]] = []
        self.session = SessionClock(
            self.clock,
            lambda: self.told.append(("refresh", self.clock.seconds())),
            lambda: self.told.append(("expired", self.clock.seconds())),
        )

    def _wait(self, seconds: int) -> None:
        self.clock.pump([1.0] * seconds)

    def test_nothing(self) -> None:
        """
        Before anything is agreed, and where no timer is, nothing happens.
        """
        self.session.agree(Agreed())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_peerRefreshes(self) -> None:
        """
        The end comes a third of a short interval, or 32 s of a long one,
        before the session expires (section 10).
        """
        self.session.agree(Agreed(90, "uac"))
        self._wait(90)
        self.session.agree(Agreed(1800, "uac"))
        self._wait(1800)
        self.assertEqual(self.told, [("expired", 60.0), ("expired", 90.0 + 1768.0)])

    def test_weRefresh(self) -> None:
        """
        After half of the interval, and the end comes as well if that fails
        (section 7.2).
        """
        self.session.agree(Agreed(90, "uas", ours=True))
        self._wait(90)
        self.assertEqual(self.told, [("refresh", 45.0), ("expired", 60.0)])

    def test_anew(self) -> None:
        """
        What is agreed later takes the place of what was before.
        """
        self.session.agree(Agreed(90, "uas", ours=True))
        self._wait(40)
        self.session.agree(Agreed(120, "uac"))
        self.assertEqual(self.session.agreed, Agreed(120, "uac"))
        self._wait(120)
        self.assertEqual(self.told, [("expired", 128.0)])

    def test_elapsed(self) -> None:
        """
        What another process agreed goes on: a refresh that is overdue is made
        at once, and the end leaves the time it is given.
        """
        self.session.agree(Agreed(90, "uas", ours=True), 20)
        self.assertEqual(self.session.elapsed, 20)
        self._wait(45)
        self.assertEqual(self.told, [("refresh", 25.0), ("expired", 40.0)])
        self.assertEqual(self.session.elapsed, 65)
        self.session.agree(Agreed(90, "uas", ours=True), 500, 30)
        self._wait(31)
        self.assertEqual(self.told[2:], [("refresh", 46.0), ("expired", 75.0)])

    def test_stop(self) -> None:
        """
        The end of the dialog ends all timers, those that have run out too.
        """
        self.session.agree(Agreed(90, "uas", ours=True))
        self._wait(50)
        self.session.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self._wait(90)
        self.assertEqual(self.told, [("refresh", 45.0)])
