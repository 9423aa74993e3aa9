"""
Tests of L{siprec.session.liveness}.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from siprec.session.liveness import LivenessService, Signs

_T0 = 1_767_600_000.0


class SignsTests(SynchronousTestCase):
    """
    What shows that a call is alive.
    """

    def test_E14_eachSignIsEnough(self) -> None:
        """
        One sign that is young enough is enough: media, SIP, or a session timer
        that has not run out.
        """
        old, young = 0.0, 6500.0
        self.assertTrue(Signs("a", old, old, old).isDead(7200, 3600))
        self.assertFalse(Signs("a", young, old, old).isDead(7200, 3600))
        self.assertFalse(Signs("a", old, young, old).isDead(7200, 3600))
        self.assertFalse(Signs("a", old, old, 7201).isDead(7200, 3600))

    def test_missingSigns(self) -> None:
        """
        Media that never came and a session timer that was not agreed on are no
        signs, of life or otherwise.
        """
        self.assertTrue(Signs("a", None, 0).isDead(3601, 3600))
        self.assertFalse(Signs("a", None, 2).isDead(3601, 3600))
        self.assertFalse(Signs("a", 2, 0).isDead(3601, 3600))

    def test_limit(self) -> None:
        """
        A sign is too old when it is older than the timeout; a session timer is
        none from the moment it runs out.
        """
        self.assertFalse(Signs("a", None, 0).isDead(3600, 3600))
        self.assertTrue(Signs("a", None, 0, 3600.5).isDead(3600.5, 3600))


class LivenessTests(SynchronousTestCase):
    """
    A service that looks every 30 s for calls without a sign for an hour.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.offset = _T0
        self.signs: dict[str, Signs] = {}
        self.dead: list[str] = []
        self.broken: Exception | None = None
        self.service = LivenessService(
            self.sessions, self.clock, lambda: self.clock.seconds() + self.offset, onDead=self.end
        )
        self.add("a")
        self.service.startService()
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(lambda: self.successResultOf(self.service.stopService()))

    def sessions(self) -> Iterable[Signs]:
        """
        @return: the signs of all calls.
        """
        return iter(self.signs.values())

    def end(self, key: str) -> None:
        """
        A call was found dead.
        """
        if self.broken is not None:
            raise self.broken
        self.dead.append(key)

    def add(self, key: str, media: float | None = None, signalling: float = 0) -> None:
        """
        @param media: when it came last, in seconds since the start.
        """
        self.signs[key] = Signs(key, None if media is None else _T0 + media, _T0 + signalling)

    def advance(self, seconds: int) -> None:
        """
        Let time pass.
        """
        self.clock.pump([10.0] * (seconds // 10))

    def test_E14_dead(self) -> None:
        """
        A call without a sign of life for longer than the timeout is reported,
        once, and the others are not.
        """
        self.add("b", signalling=3000)
        self.add("c", media=3000)
        self.advance(3600)
        self.assertEqual(self.dead, [])
        with capturedLogs() as events:
            self.advance(60)
        self.assertEqual(self.dead, ["a"])
        self.assertEqual([e["key"] for e in events], ["a"])
        self.advance(600)
        self.assertEqual(self.dead, ["a"])

    def test_E14_quietOnSIP(self) -> None:
        """
        A call without SIP for hours that has media is alive.
        """
        for hour in range(1, 6):
            self.add("a", media=3600 * hour - 5)
            self.advance(3600)
        self.assertEqual(self.dead, [])

    def test_timeWasSet(self) -> None:
        """
        After a jump of the time, or a long sleep of the machine, a call has
        until the next look to show a sign of life.
        """
        self.advance(60)
        self.offset += 86400
        self.advance(30)
        self.assertEqual(self.dead, [])
        self.add("a", media=86400 + 95)
        self.advance(600)
        self.assertEqual(self.dead, [])

    def test_deadAgain(self) -> None:
        """
        A call that was reported, came back to life and died again is reported
        again; so is another of the same name.
        """
        self.advance(3660)
        self.add("a", media=3650)
        self.advance(3600)
        self.assertEqual(self.dead, ["a"])
        self.advance(60)
        self.assertEqual(self.dead, ["a", "a"])
        del self.signs["a"]
        self.advance(30)
        self.add("a")
        self.advance(60)
        self.assertEqual(self.dead, ["a", "a", "a"])

    def test_onDeadFails(self) -> None:
        """
        Who is told may fail: it is told again at the next look, and of the
        other calls all the same.
        """
        self.add("b")
        self.broken = KeyError("a mistake")
        self.advance(3660)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 2)
        self.broken = None
        self.advance(600)
        self.assertEqual(self.dead, ["a", "b"])

    def test_signsFail(self) -> None:
        """
        Signs that cannot be read do not end the looking.
        """
        self.signs["bad"] = None  # type: ignore[assignment]
        self.advance(3660)
        self.assertEqual(self.dead, [])
        self.assertGreater(len(self.flushLoggedErrors(AttributeError)), 0)
        del self.signs["bad"]
        self.advance(60)
        self.assertEqual(self.dead, ["a"])

    def test_stop(self) -> None:
        """
        After a stop nothing is looked at, until it is started again.
        """
        self.successResultOf(self.service.stopService())
        self.advance(7200)
        self.assertEqual(self.dead, [])
        self.service.startService()
        self.advance(60)
        self.assertEqual(self.dead, ["a"])

    def test_settings(self) -> None:
        """
        Timeout and interval may be others.
        """
        clock, dead = Clock(), list[str]()
        service = LivenessService(
            lambda: [Signs("a", None, 0)], clock, clock.seconds, 5, onDead=dead.append, interval=2
        )
        service.startService()
        clock.pump([1.0] * 7)
        self.assertEqual(dead, [])
        clock.advance(1)
        self.assertEqual(dead, ["a"])
        self.successResultOf(service.stopService())
