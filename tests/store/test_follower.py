"""
Tests of L{siprec.store.follower}, at work inside a backup store.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from siprec.session.model import SessionData
from siprec.store.interfaces import (
    NotOwner,
    SessionDeleted,
    SessionNotFound,
    StoreUnavailable,
    VersionConflict,
)
from tests.store.backupcase import BackupTestCase
from tests.store.contract import makeData
from tests.store.samples import N2


class FollowTests(BackupTestCase):
    """
    What the primary has decided, the second store has soon after.
    """

    def test_follows(self) -> None:
        """
        Every kind of change is in the second store at once when it answers.
        """
        a = self.create("a")
        self.create("b")
        self.assertSame("a", "b")
        self.change(a, callID="x", sessions=("s9",))
        self.assertSame("a", "b")
        self.successResultOf(self.store.extend("b", 900.0, 1))
        self.assertSame("a", "b")
        self.successResultOf(self.store.claim("a", N2, 1))
        self.assertSame("a", "b")
        self.assertEqual(self.secondMemory.list(N2), ["a"])
        self.assertTrue(self.successResultOf(self.store.delete("b", 1)))
        self.assertSame("a")
        copy = makeData("c", version=4, epoch=3)
        self.assertTrue(self.successResultOf(self.store.replicate(copy, 50.0)))
        self.assertFalse(self.successResultOf(self.store.replicate(copy, 50.0)))
        self.assertSame("a", "c")

    def test_doesNotWait(self) -> None:
        """
        A write has succeeded when the primary has made it; meanwhile, C{stats}
        tells how far behind the second store is.
        """
        self.create("a")
        self.second.held = []
        b = self.create("b")
        self.clock.advance(2)
        self.change(b)
        self.second.held, held = None, self.second.held
        stats = self.stats()
        self.assertEqual((stats["pending"], stats["lag"]), (1, 2.0))
        self.assertEqual((stats["primary"]["sessions"], stats["second"]["sessions"]), (2, 1))
        self.second.held = held
        self.second.letGo()
        self.assertSame("a", "b")

    def test_refusedFollowsNot(self) -> None:
        """
        What the primary refuses does not get to the second store.
        """
        a = self.create("a")
        self.change(a)
        self.second.calls.clear()
        self.failureResultOf(self.store.update(a, 500.0), VersionConflict)
        self.failureResultOf(self.store.store(a, 500.0), VersionConflict)
        self.failureResultOf(self.store.claim("a", N2, 9), NotOwner)
        self.failureResultOf(self.store.extend("b", 9.0, 1), SessionNotFound)
        self.failureResultOf(self.store.delete("a", 0), NotOwner)
        self.successResultOf(self.store.delete("b"))
        self.failureResultOf(self.store.replicate(makeData("b"), 9.0), SessionDeleted)
        self.assertEqual(self.second.calls, ["delete"])
        self.assertSame("a")

    def test_createdAgain(self) -> None:
        """
        A session that is created again after its deletion is in both.
        """
        self.change(self.create("a"))
        self.successResultOf(self.store.delete("a"))
        self.create("a", status="finishing")
        self.assertSame("a")
        self.second.away = True
        self.successResultOf(self.store.delete("a"))
        self.create("a", status="complete")
        self.second.away = False
        self.clock.advance(5)
        self.assertSame("a")

    def test_outOfStep(self) -> None:
        """
        More time for a record that the second store has not brings it there.
        """
        self.create("a")
        self.secondMemory.delete("a", None, 0.0)
        self.successResultOf(self.store.extend("a", 900.0, 1))
        self.assertSame("a")

    def test_extendedOnItsWay(self) -> None:
        """
        A record that gets more time while it is on its way has it there.
        """
        self.create("z")
        self.second.held = []
        self.create("a", ttl=50.0)
        self.successResultOf(self.store.extend("a", 900.0, 1))
        self.second.letGo()
        self.assertSame("a", "z")

    def test_tooLate(self) -> None:
        """
        What has run out of time before it could be told is not told.
        """
        self.create("z", ttl=900.0)
        self.second.away = True
        self.create("a", ttl=3.0)
        self.clock.advance(4)
        self.second.away = False
        self.second.calls.clear()
        self.clock.advance(1)
        self.assertEqual(self.second.calls, [])
        self.assertSame("z")

    def test_oneBadRecord(self) -> None:
        """
        What the second store refuses is reported and counted, and stops
        nothing else.
        """
        self.create("z")
        self.second.errors["replicate"] = TypeError("no plain value")
        self.create("a")
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.assertEqual((self.stats()["failed"], self.stats()["pending"]), (1, 0))
        del self.second.errors["replicate"]
        self.create("b")
        self.assertEqual(sorted(self.secondMemory.list(None)), ["b", "z"])

    def test_fault(self) -> None:
        """
        Even a fault of a store's program does not end the work for good.
        """
        self.primary.errors["list"] = RuntimeError("fault")
        self.create("a")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        del self.primary.errors["list"]
        self.clock.advance(5)
        self.assertSame("a")


class SecondAwayTests(BackupTestCase):
    """
    The second store may be away: nobody has to wait, nothing is missed.
    """

    def test_catchesUp(self) -> None:
        """
        What changed meanwhile is told once it is back, the latest of each.
        """
        a, b = self.create("a"), self.create("b")
        self.second.away = True
        for status in ("finishing", "complete"):
            a = self.change(a, status=status)
        self.successResultOf(self.store.extend("b", 900.0, b.epoch))
        self.create("c")
        self.successResultOf(self.store.delete("b"))
        self.clock.advance(30)
        stats = self.stats()
        self.assertEqual((stats["pending"], stats["lag"], stats["second"]), (3, 30.0, None))
        self.second.away = False
        self.clock.advance(5)
        self.assertSame("a", "c")
        self.assertEqual(self.secondMemory.get("a").status, "complete")

    def test_patient(self) -> None:
        """
        A store that does not answer is tried again after a pause, not at each
        change.
        """
        self.create("a")
        self.second.away = True
        self.create("b")
        tried = len(self.second.calls)
        for number in range(20):
            self.create(f"c{number}")
        self.assertEqual(len(self.second.calls), tried)
        self.clock.pump([1.0] * 5)
        self.assertGreater(len(self.second.calls), tried)

    def test_bounded(self) -> None:
        """
        A backlog that is full drops what is oldest, counts it, and finds it
        again by comparing.
        """
        self.create("z")
        followed = self.stats()["followed"]
        self.second.away = True
        for number in range(250):
            self.create(f"a{number}")
        self.successResultOf(self.store.delete("z"))
        for number in range(50):
            self.successResultOf(self.store.delete(f"a{number}"))
        stats = self.stats()
        self.assertEqual((stats["pending"], stats["dropped"]), (151, 150))
        self.assertTrue(stats["comparing"])
        self.second.away = False
        self.clock.advance(5)
        self.assertSame(*[f"a{number}" for number in range(50, 250)])
        self.assertEqual(self.stats()["followed"] - followed, 100)

    def test_droppedDeletions(self) -> None:
        """
        Even deletions that did not fit are found again: the primary remembers.
        """
        keys = [f"a{number}" for number in range(150)]
        for key in keys:
            self.create(key)
        self.second.away = True
        for key in keys:
            self.successResultOf(self.store.delete(key))
        self.assertEqual(self.stats()["dropped"], 50)
        self.second.away = False
        self.clock.advance(5)
        self.assertSame()
        self.assertEqual(self.stats()["buried"], 50)

    def test_newStart(self) -> None:
        """
        What a process had still to tell when it died is found by the next.
        """
        self.create("a")
        a = self.create("b")
        self.second.away = True
        self.change(a)
        self.create("c")
        self.successResultOf(self.store.delete("a"))
        self.connect(N2)
        self.assertTrue(self.successResultOf(self.store.exists("c")))
        self.assertSame("b", "c")


class AnyCallTests(BackupTestCase):
    """
    Whichever call of whichever store is not answered, the two agree in the
    end, and all that was promised is kept.
    """

    def run_(self) -> dict[str, SessionData | None]:
        """
        The life of four sessions, each step tried until it is answered.

        @return: what each is in the end, as it was promised.
        """
        promised: dict[str, SessionData | None] = {}
        for key in "abcd":
            promised[key] = self.insist(lambda key=key: self.store.store(makeData(key), 500.0), key)
        for key in "abc":
            known = promised[key]
            assert known is not None
            data = evolve(known, status="finishing")
            promised[key] = self.insist(lambda data=data: self.store.update(data, 500.0), key)
        for key in "bc":
            known = promised[key]
            assert known is not None
            epoch = known.epoch
            promised[key] = self.insist(
                lambda key=key, epoch=epoch: self.store.claim(key, N2, epoch), key
            )
        self.insist(lambda: self.store.extend("d", 900.0, 1), "d")
        for key in "ac":
            self.insist(lambda key=key: self.store.delete(key), key)
            promised[key] = None
        return promised

    def insist(self, call: Any, key: str) -> Any:
        """
        @return: what a call fires with, or the record if it had been made
            without an answer.
        """
        while True:
            results: list[Any] = []
            call().addBoth(results.append)
            (result,) = results
            error = getattr(result, "value", None)
            if isinstance(error, StoreUnavailable):
                self.clock.advance(1)
                continue
            if isinstance(error, VersionConflict | NotOwner):
                return self.successResultOf(self.store.get(key))
            return result

    def fine(self) -> int:
        """
        @return: how many calls each store gets if all are answered.
        """
        self.run_()
        return max(len(self.primary.calls), len(self.second.calls))

    def test_anyCall(self) -> None:
        """
        One call of one store fails, before or after it was made; or the next
        three do.
        """
        for number in range(self.fine()):
            for store in ("primary", "second"):
                for kind in ("failing", "unanswered"):
                    for length in (1, 3):
                        self.setUp()
                        setattr(getattr(self, store), kind, {*range(number, number + length)})
                        promised = self.run_()
                        self.clock.pump([5.0] * 3)
                        # A call that has not come up to now is let through.
                        self.primary.failing = self.second.failing = set()
                        self.primary.unanswered = self.second.unanswered = set()
                        alive = [key for key, data in promised.items() if data is not None]
                        self.assertSame(*alive)
                        for key in alive:
                            self.assertEqual(self.primaryMemory.get(key), promised[key])


class CloseTests(BackupTestCase):
    """
    The end of the work.
    """

    def test_closeTellsTheRest(self) -> None:
        """
        Closing tells the second store what it has still to be told, and waits
        for it.
        """
        self.create("a")
        self.second.away = True
        self.create("b")
        self.second.away = False
        self.second.held = []
        closing = self.store.close()
        self.assertNoResult(closing)
        self.second.letGo()
        self.successResultOf(closing)
        self.assertEqual(sorted(self.secondMemory.list(None)), ["a", "b"])
        self.successResultOf(self.store.close())

    def test_closeGoesOn(self) -> None:
        """
        Closing waits for work that is under way, and does not wait for a store
        that is away.
        """
        self.create("a")
        self.second.held = []
        self.create("b")
        closing = self.store.close()
        self.assertNoResult(closing)
        self.second.away = True
        self.second.letGo()
        self.successResultOf(closing)
        self.assertNoTimers(self.clock)

    def test_closeStopsComparing(self) -> None:
        """
        Comparing many sessions is not gone through with when closing.
        """
        for number in range(200):
            self.primaryMemory.store(makeData(f"a{number}"), 500.0)
        self.second.held = []
        self.assertTrue(self.successResultOf(self.store.health()))
        list_, self.second.held = self.second.held, []
        list_[0]()
        closing = self.store.close()
        while self.second.held:
            held, self.second.held = self.second.held, []
            for call in held:
                call()
        self.successResultOf(closing)
        self.assertEqual(len(self.secondMemory.list(None)), 64)

    def test_closeAway(self) -> None:
        """
        Closing with the second store away ends at once, and leaves no timer.
        """
        self.create("a")
        self.second.away = True
        self.create("b")
        self.successResultOf(self.store.close())
        self.assertNoTimers(self.clock)
