"""
Tests of L{siprec.store.mirror}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from siprec.store.interfaces import StoreUnavailable
from siprec.store.memory import MemorySessionStore
from siprec.store.memorysessions import SessionMemory
from siprec.store.mirror import LeaseMirror, ifThere
from tests.store.samples import N1, makeLease
from tests.store.shaky import ShakyStore


class LeaseMirrorTests(SynchronousTestCase):
    """
    The second store has the leases that the first has, as far as it can.
    """

    def setUp(self) -> None:
        clock = Clock()
        self.memory = SessionMemory(clock.seconds)
        self.second = ShakyStore(MemorySessionStore(clock, N1, self.memory))
        second: Any = self.second
        self.mirror = LeaseMirror(second)

    def holders(self) -> list[str]:
        """
        @return: the processes with a lease in the second store.
        """
        return [each.instance for each in self.memory.nodes()]

    def test_renew(self) -> None:
        """
        A lease is brought over; one of another process gives way only to what
        the first store has granted.
        """
        self.mirror.renew(makeLease(), 60.0, decided=False)
        self.assertEqual(self.holders(), ["i1"])
        self.mirror.renew(makeLease(instance="i2"), 60.0, decided=False)
        self.assertEqual(self.holders(), ["i1"])
        self.mirror.renew(makeLease(instance="i2"), 60.0, decided=True)
        self.assertEqual(self.holders(), ["i2"])

    def test_oneAtATime(self) -> None:
        """
        While one is on its way, others are left out.
        """
        self.second.held = []
        for _ in range(3):
            self.mirror.renew(makeLease(), 60.0, decided=True)
        self.assertEqual(len(self.second.held), 1)
        self.second.letGo()
        self.mirror.renew(makeLease(), 60.0, decided=True)
        self.assertEqual(self.second.calls, ["heartbeat"] * 2)

    def test_end(self) -> None:
        """
        A lease that was ended in the first store is ended here, if it is that
        of the process that is dead.
        """
        self.mirror.renew(makeLease(), 60.0, decided=True)
        self.mirror.end(N1, "other")
        self.assertEqual(self.holders(), ["i1"])
        self.mirror.end(N1, "i1")
        self.assertEqual(self.holders(), [])

    def test_away(self) -> None:
        """
        A second store that does not answer is no matter: leases expire.
        """
        self.second.away = True
        self.mirror.renew(makeLease(), 60.0, decided=True)
        self.mirror.end(N1, "i1")
        self.second.away = False
        self.mirror.renew(makeLease(), 60.0, decided=True)
        self.assertEqual(self.holders(), ["i1"])

    def test_refused(self) -> None:
        """
        Whatever else is wrong is reported.
        """
        self.second.errors = {"heartbeat": TypeError("x"), "release": TypeError("y")}
        self.mirror.renew(makeLease(), 60.0, decided=True)
        self.mirror.end(N1, "i1")
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 2)

    def test_ifThere(self) -> None:
        """
        No answer is C{None}; other failures are failures.
        """

        away: Deferred[str] = fail(StoreUnavailable("away"))
        wrong: Deferred[str] = fail(ValueError("x"))

        async def ask() -> None:
            there, gone = await ifThere(succeed("x")), await ifThere(away)
            self.assertEqual((there, gone), ("x", None))
            await ifThere(wrong)

        self.failureResultOf(Deferred.fromCoroutine(ask()), ValueError)
