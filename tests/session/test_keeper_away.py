"""
Tests of L{siprec.session.keeper} with a store that goes away, and at the stop.
"""

from __future__ import annotations

from twisted.logger import LogLevel, capturedLogs

from siprec.store.interfaces import CorruptRecord, NotOwner
from tests.session.keepercase import AWAY, KeeperCase
from tests.store.samples import N2


class AwayTests(KeeperCase):
    """
    The store gives no answer.
    """

    def test_saveFires(self) -> None:
        """
        A save that finds the store away fires, with all others that wait; from
        then on each fires at once, and the store is not asked.
        """
        self.store.held = True
        self.clock.advance(7)
        done = [self.keeper.save(key, self.snapshot) for key in ("a", "b", "b")]
        with capturedLogs() as events:
            self.store.open[0].fail(AWAY)
        self.assertEqual([e["log_level"] for e in events], [LogLevel.warn])
        for each in done:
            self.successResultOf(each)
        self.assertEqual((self.keeper.away, self.keeper.since), (True, 7.0))
        self.successResultOf(self.keeper.save("c", self.snapshot))
        self.successResultOf(self.keeper.delete("d"))
        self.assertEqual(len(self.store.made), 2)
        self.assertEqual(self.keeper.waiting, 4)
        self.store.open[1].fail(AWAY)
        self.assertEqual(self.keeper.waiting, 4)

    def test_writtenWhenItIsBack(self) -> None:
        """
        When it is back, the last that was wanted of each call is written, once.
        """
        self.successResultOf(self.keeper.save("ended", self.snapshot))
        self.loseStore()
        for n in range(3):
            for key in ("a", "b"):
                self.successResultOf(self.keeper.save(key, self.version(n)))
        self.keeper.save("ended", self.snapshot)
        self.keeper.delete("ended")
        self.assertEqual(self.keeper.waiting, 4)
        self.store.away = False
        self.store.made.clear()
        with capturedLogs() as events:
            self.clock.advance(1)
        self.assertEqual([e["log_level"] for e in events], [LogLevel.info])
        self.assertEqual(events[0]["count"], 4)
        self.assertEqual(
            self.store.made,
            [("save", "lost"), ("save", "a"), ("save", "b"), ("delete", "ended")],
        )
        self.assertEqual((self.stored("a"), self.stored("b")), (2, 2))
        self.assertEqual(self.keys(), ["a", "b", "lost"])
        self.assertEqual((self.keeper.away, self.keeper.since), (False, None))
        self.assertEqual(self.keeper.waiting, 0)

    def test_backOff(self) -> None:
        """
        While it is away it is asked after 1, 2 and 4 s, then every 5 s, by one
        write at a time, each of another call.
        """
        self.loseStore("a")
        self.keeper.save("b", self.snapshot)
        asked = []
        self.store.made.clear()
        for second in range(1, 19):
            self.clock.advance(1)
            asked += [(second, key) for _, key in self.store.made]
            self.store.made.clear()
        self.assertEqual(asked, [(1, "a"), (3, "b"), (7, "a"), (12, "b"), (17, "a")])
        self.store.away = False
        self.clock.advance(5)
        self.loseStore()
        self.store.made.clear()
        self.clock.advance(1)
        self.assertEqual(len(self.store.made), 1)

    def test_oneProbe(self) -> None:
        """
        While a probe has no answer no other is made, and a save of the same
        call fires at once; its write follows the probe.
        """
        self.loseStore("a")
        self.store.away, self.store.held = False, True
        self.clock.advance(1)
        self.assertEqual(len(self.store.open), 1)
        self.clock.advance(60)
        self.assertEqual(len(self.store.open), 1)
        self.successResultOf(self.keeper.save("a", self.version(5)))
        self.assertEqual(self.keeper.waiting, 1)
        self.store.open[0].succeed()
        self.assertFalse(self.keeper.away)
        self.store.open[1].succeed()
        self.assertEqual(self.stored("a"), 5)

    def test_failedProbeKeepsTheLast(self) -> None:
        """
        What came during a probe takes its place when it fails.
        """
        self.loseStore("a")
        self.store.away, self.store.held = False, True
        self.clock.advance(1)
        self.keeper.save("a", self.version(5))
        self.store.open[0].fail(AWAY)
        self.store.held = False
        self.clock.advance(2)
        self.assertEqual(self.stored("a"), 5)
        self.assertEqual(self.store.made[1:], [("save", "a"), ("save", "a")])

    def test_oldAnswer(self) -> None:
        """
        An answer to what was asked before the store went away does not make it
        come back; what came behind that write waits.
        """
        self.store.held = True
        self.keeper.save("a", self.version(1))
        self.keeper.save("b", self.version(1))
        self.keeper.save("b", self.version(2))
        self.store.open[0].fail(AWAY)
        self.store.open[1].succeed()
        self.assertEqual((self.keeper.away, self.keeper.waiting), (True, 2))
        self.store.held = False
        self.clock.advance(1)
        self.assertEqual((self.stored("a"), self.stored("b")), (1, 2))

    def test_bounded(self) -> None:
        """
        What waited is written 32 at a time; a call that comes meanwhile does
        not stand in that queue.
        """
        self.loseStore()
        for n in range(100):
            self.keeper.save(f"k{n}", self.snapshot)
        self.store.away, self.store.held = False, True
        self.clock.advance(1)
        self.store.open.pop().succeed()
        self.assertEqual(len(self.store.open), 32)
        self.assertEqual(self.keeper.waiting, 100)
        new, waited = (
            self.keeper.save("new", self.version(1)),
            self.keeper.save("k99", self.snapshot),
        )
        self.assertEqual([call.key for call in self.store.open[32:]], ["new", "k99"])
        self.assertNoResult(new)
        while self.store.open:
            self.assertLessEqual(len(self.store.open), 34)
            self.store.open.pop(0).succeed()
        self.successResultOf(new)
        self.successResultOf(waited)
        self.assertEqual(len(self.successResultOf(self.store.list())), 102)
        self.assertEqual(self.store.made.count(("save", "k99")), 1)

    def test_manyAtOnce(self) -> None:
        """
        Thousands of writes that waited are no depth of calls, even where the
        store answers at once.
        """
        self.loseStore()
        for n in range(5000):
            self.keeper.save(f"k{n}", self.snapshot)
        self.store.away = False
        self.clock.advance(1)
        self.assertEqual((self.keeper.waiting, self.keeper.written), (0, 5001))

    def test_eachOnItsOwn(self) -> None:
        """
        A write that is refused, as a probe or among the others, costs only
        itself: the store has answered.
        """
        self.loseStore("corrupt")
        for key in ("a", "taken", "b"):
            self.keeper.save(key, self.snapshot)
        self.store.away = False
        self.store.errors["corrupt"] = CorruptRecord("corrupt", "damaged")
        self.store.errors["taken"] = NotOwner("taken", N2, 2)
        self.clock.advance(1)
        self.assertEqual(self.keys(), ["a", "b"])
        self.assertEqual((self.fenced, self.keeper.failed), (["taken"], 1))
        self.assertEqual((self.keeper.waiting, self.keeper.away), (0, False))
        self.assertEqual(len(self.flushLoggedErrors(CorruptRecord)), 1)

    def test_awayAgain(self) -> None:
        """
        A store that goes away while it gets what waited loses nothing of it.
        """
        self.loseStore()
        for n in range(100):
            self.keeper.save(f"k{n}", self.snapshot)
        self.store.away, self.store.held = False, True
        self.clock.advance(1)
        self.store.open.pop().succeed()
        self.clock.advance(3)
        while self.store.open:
            self.store.open.pop().fail(AWAY)
        self.assertEqual((self.keeper.waiting, self.keeper.since), (100, 4.0))
        self.store.held = False
        self.clock.advance(1)
        self.assertEqual(len(self.successResultOf(self.store.list())), 101)


class StopTests(KeeperCase):
    """
    The service stops.
    """

    def test_underWay(self) -> None:
        """
        The stop waits for the writes that are under way and behind them.
        """
        self.store.held = True
        self.keeper.save("a", self.version(1))
        self.keeper.save("a", self.version(2))
        stopped = self.keeper.stopService()
        self.store.open[0].succeed()
        self.assertNoResult(stopped)
        self.store.open[1].succeed()
        self.assertIsNone(self.successResultOf(stopped))

    def test_lastFlush(self) -> None:
        """
        A store that is back by then gets all that waited.
        """
        self.loseStore("a")
        self.keeper.save("b", self.version(2))
        self.store.away = False
        self.successResultOf(self.keeper.stopService())
        self.assertEqual(self.keys(), ["a", "b"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stillAway(self) -> None:
        """
        A store that is away is tried once; what is lost is logged.
        """
        self.loseStore("a")
        self.keeper.save("b", self.version(2))
        self.store.made.clear()
        with capturedLogs() as events:
            self.successResultOf(self.keeper.stopService())
        self.assertEqual(len(self.store.made), 1)
        self.assertEqual([(e["log_level"], e["count"]) for e in events], [(LogLevel.error, 2)])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.store.away = False
        self.keeper.startService()
        self.clock.advance(5)
        self.assertEqual(self.keeper.waiting, 0)

    def test_duringAProbe(self) -> None:
        """
        A probe that is under way is the last attempt.
        """
        self.loseStore("a")
        self.store.away, self.store.held = False, True
        self.clock.advance(1)
        stopped = self.keeper.stopService()
        self.assertEqual(len(self.store.open), 1)
        self.assertNoResult(stopped)
        self.store.open[0].fail(AWAY)
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bounded(self) -> None:
        """
        A stop takes no longer than 5 s, whatever the store does.
        """
        self.store.held = True
        self.keeper.save("a", self.version(1))
        stopped = self.keeper.stopService()
        self.clock.advance(4.9)
        self.assertNoResult(stopped)
        with capturedLogs() as events:
            self.clock.advance(0.1)
        self.successResultOf(stopped)
        self.assertEqual([e["count"] for e in events], [1])
        self.store.open[0].succeed()
        self.assertEqual(self.stored("a"), 1)
