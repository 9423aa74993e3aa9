"""
Tests of L{siprec.media.loop}.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

from attrs import define, field
from twisted.trial.unittest import SynchronousTestCase

from siprec.media.discarding import Discards
from siprec.media.drain import Drain
from siprec.media.loop import CaptureLoop
from siprec.media.stream import CapturedStream, JournalFile
from siprec.media.syncing import Pace, Sync
from tests.media.fakes import LocalPair


@define(eq=False)
class FakeDrain:
    """
    Visits ten streams a slice, and takes a while for it.

    @ivar broken: streams that cannot be visited, or finished.
    @ivar visited: all visits.
    @ivar grown: the journals to be synced.
    @ivar withholding: as of L{Drain}.
    """

    world: "World"
    streams: list[CapturedStream] = field(factory=list)
    broken: list[CapturedStream] = field(factory=list)
    visited: list[CapturedStream] = field(factory=list)
    budgets: list[float] = field(factory=list)
    grown: list[tuple[CapturedStream, int]] = field(factory=list)
    withholding: bool = False

    def unsynced(self) -> list[tuple[CapturedStream, int]]:
        """
        As of L{Drain}.
        """
        return self.grown

    def add(self, stream: CapturedStream) -> None:
        """
        As of L{Drain}.
        """
        stream.place = len(self.streams)
        self.streams.append(stream)

    def visit(self, begin: int, budget: float) -> int:
        """
        As of L{Drain}.
        """
        self.budgets.append(budget)
        self.world.now += 0.01
        slice = self.streams[begin : begin + (10 if budget else 1)]
        for stream in slice:
            if stream in self.broken:
                raise ZeroDivisionError(stream.path)
        self.visited += slice
        return begin + len(slice)

    def mute(self, stream: CapturedStream) -> None:
        """
        As of L{Drain}.
        """
        stream.discard(Discards())

    def unmute(self, stream: CapturedStream) -> None:
        """
        As of L{Drain}.
        """
        assert stream in self.streams, "only what is visited can be emptied"
        stream.discard(Discards(self.world.now))

    def finish(self, stream: CapturedStream) -> None:
        """
        As of L{Drain}.
        """
        self.streams.remove(stream)
        stream.place = -1
        if stream in self.broken:
            raise ZeroDivisionError(stream.path)


@define
class World:
    """
    What is around the loop.
    """

    now: float = 100.0
    gone: list[tuple[CapturedStream, int]] = field(factory=list)
    lost: list[tuple[CapturedStream, int, OSError]] = field(factory=list)
    jobs: list[Callable[[], None]] = field(factory=list)

    def letGo(self, stream: CapturedStream, file: int) -> None:
        """
        Take note of a finished stream and close its file.
        """
        self.gone.append((stream, file))
        if file >= 0:
            os.close(file)

    def lose(self, stream: CapturedStream, file: int, error: OSError) -> None:
        """
        Take note of a lost journal and close its file.
        """
        self.lost.append((stream, file, error))
        os.close(file)


class LoopTests(SynchronousTestCase):
    """
    L{CaptureLoop} without a thread.
    """

    def setUp(self) -> None:
        self.world = World()
        self.drain = FakeDrain(self.world)
        self.loop = CaptureLoop(
            cast(Drain, self.drain),
            0.2,
            0.003,
            self.world.letGo,
            self.world.lose,
            self.world.jobs.append,
            lambda: self.world.now,
        )

    def add(self, count: int) -> list[CapturedStream]:
        """
        @return: new streams that are visited.
        """
        streams = []
        for _ in range(count):
            path = self.mktemp()
            streams.append(CapturedStream(path, LocalPair.make(self), JournalFile(path)))
            self.loop.add(streams[-1])
            self.addCleanup(self.close, streams[-1])
            cast(LocalPair, streams[-1].pair).toRTP.send(b"x")
        self.loop.cycle(self.world.now)
        opening, self.world.jobs[:] = self.world.jobs[:count], self.world.jobs[count:]
        for job in opening:
            job()
        self.loop.obey()
        for job in self.world.jobs:
            job()  # the look at the journals
        self.world.jobs.clear()
        self.loop.obey()
        self.loop.counters = self.loop.counters.__class__()
        return streams

    def test_synced(self) -> None:
        """
        When it is time, the journals that have grown are handed over; a second time is
        not before the first has ended.
        """
        pace, synced = Pace(5.0), list[Sync]()
        self.loop._pace, self.loop._sync = pace, synced.append
        for _ in range(3):
            self.loop.cycle(self.world.now)
            self.world.now += 3.0
        self.assertEqual(len(synced), 1)
        pace.ended()
        self.loop.cycle(self.world.now)
        self.assertEqual(synced, [self.drain.grown] * 2)

    def test_withhold(self) -> None:
        """
        The drain is told to write nothing, and who looks at the counters sees it.
        """
        for nothing in (True, False):
            self.loop.withhold(nothing)
            self.assertEqual(
                (self.drain.withholding, self.loop.counters.withholding), (nothing, nothing)
            )

    def close(self, stream: CapturedStream) -> None:
        """
        Close the journal of C{stream}.
        """
        if (descriptor := stream.releaseFile()) >= 0:
            os.close(descriptor)

    def test_firstPacket(self) -> None:
        """
        A stream is visited once its first packet, RTP or RTCP, is there and its journal
        was opened, in the background.
        """
        pairs = [LocalPair.make(self) for _ in range(3)]
        streams = []
        for pair in pairs:
            path = self.mktemp()
            streams.append(CapturedStream(path, pair, JournalFile(path)))
            self.loop.add(streams[-1])
            self.addCleanup(self.close, streams[-1])
        self.loop.cycle(self.world.now)
        self.world.jobs.clear()
        pairs[0].toRTP.send(b"x")
        pairs[0].toRTCP.send(b"x")
        pairs[1].toRTCP.send(b"x")
        self.loop.cycle(self.world.now)
        self.loop.cycle(self.world.now)
        self.assertEqual((len(self.world.jobs), self.drain.streams), (2, []))
        for job in self.world.jobs:
            job()
        self.loop.obey()
        self.assertEqual(set(self.drain.streams), set(streams[:2]))
        self.assertEqual([stream.file >= 0 for stream in streams], [True, True, False])

    def test_notOpened(self) -> None:
        """
        A stream whose journal cannot be opened is visited all the same.
        """
        pair = LocalPair.make(self)
        stream = CapturedStream("x", pair, JournalFile("/nowhere/journal"))
        self.loop.add(stream)
        pair.toRTP.send(b"x")
        self.loop.cycle(self.world.now)
        for job in self.world.jobs:
            job()
        self.loop.obey()
        self.assertEqual((self.drain.streams, stream.file), ([stream], -1))

    def test_finishedBeforeOpened(self) -> None:
        """
        A stream that is finished while its journal is being opened is drained, and the
        file that nobody needs is closed.
        """
        pair, path = LocalPair.make(self), self.mktemp()
        stream = CapturedStream(path, pair, JournalFile(path))
        self.loop.add(stream)
        pair.toRTP.send(b"x")
        self.loop.cycle(self.world.now)
        self.loop.finish(stream)
        before = len(os.listdir("/proc/self/fd"))
        for job in self.world.jobs:
            job()
        self.loop.obey()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        self.assertEqual((self.world.gone, self.drain.streams), ([(stream, -1)], []))

    def test_closedFromTheBeginning(self) -> None:
        """
        A stream whose sockets are closed is left to the drain, which reports it.
        """
        pair = LocalPair.make(self)
        pair.rtcp.close()
        stream = CapturedStream("x", pair, JournalFile("x"))
        self.loop.add(stream)
        self.assertEqual(self.drain.streams, [stream])

    def test_everyStream(self) -> None:
        """
        A cycle visits every stream once, in slices within the budget.
        """
        streams = self.add(25)
        self.loop.cycle(self.world.now)
        self.assertEqual(self.drain.visited, streams)
        self.assertEqual(self.drain.budgets, [0.003] * 3)
        counters = self.loop.counters
        self.assertEqual((counters.cycles, counters.overruns, counters.failures), (1, 0, 0))
        self.assertAlmostEqual(counters.longestSlice, 0.01)

    def test_overrun(self) -> None:
        """
        A cycle that takes longer than the interval is counted.
        """
        self.add(1)
        self.loop.cycle(self.world.now - 0.3)
        self.assertEqual(self.loop.counters.overruns, 1)

    def test_oneBroken(self) -> None:
        """
        A stream that makes the unforeseen happen does not keep the others from being
        visited; it is in the log, once for itself.
        """
        streams = self.add(25)
        self.drain.broken = [streams[12]]
        self.loop.cycle(self.world.now)
        self.loop.cycle(self.world.now)
        self.assertEqual(set(streams) - set(self.drain.visited), {streams[12]})
        self.assertIsNotNone(streams[12].error)
        self.assertEqual(self.loop.counters.failures, 4)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)

    def test_commands(self) -> None:
        """
        What is posted runs in the loop, in order, and one that fails is logged and
        keeps nothing else from running.
        """
        (stream,) = self.add(1)
        file, ran = stream.file, list[int]()
        self.loop.post(lambda: ran.append(1))
        self.loop.post(lambda: ran.append(1 // 0))
        self.loop.post(lambda: ran.append(2))
        self.loop.post(self.loop.stop)
        self.loop.run()
        self.assertEqual((ran, self.world.gone), ([1, 2], [(stream, file)]))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.drain.visited, [stream])

    def test_survives(self) -> None:
        """
        The loop goes on after a failure that nobody foresaw.
        """
        self.add(1)

        def background(job: Callable[[], None]) -> None:
            self.loop.post(self.loop.stop)
            raise ZeroDivisionError

        loop = self.loop = CaptureLoop(
            cast(Drain, self.drain),
            0.2,
            0.003,
            lambda *gone: None,
            lambda *lost: None,
            background,
            lambda: self.world.now,
        )
        loop.run()
        self.assertEqual((loop.counters.cycles, loop.counters.failures), (1, 1))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_waits(self) -> None:
        """
        The next cycle begins an interval after the last one began; what is posted
        meanwhile runs at once.
        """
        self.add(1)

        def wait() -> None:
            self.world.now += 0.5
            self.loop.post(self.loop.stop)

        self.loop.post(wait)
        self.loop.run()
        self.assertEqual(self.loop.counters.cycles, 1)

    def test_finish(self) -> None:
        """
        A finished stream is let go with its file, even if draining it failed.
        """
        one, two = self.add(2)
        files = one.file, two.file
        self.drain.broken = [two]
        self.loop.finish(one)
        self.assertRaises(ZeroDivisionError, self.loop.finish, two)
        self.assertEqual(self.world.gone, [(one, files[0]), (two, files[1])])
        self.assertEqual(one.file, -1)

    def test_stopAll(self) -> None:
        """
        Stopping finishes all, whatever goes wrong with one.
        """
        streams = self.add(3)
        self.drain.broken = streams[:1]
        self.loop.stop()
        self.assertEqual([stream for stream, _ in self.world.gone], streams)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_removedJournal(self) -> None:
        """
        A journal that is gone from its path is found in the background and given up,
        so that it is written anew; others, and one that is finished by then, are left.
        """
        streams = self.add(3)
        file = streams[0].file
        self.world.now += 5
        self.loop.cycle(self.world.now)
        Path(streams[0].path).unlink()
        Path(streams[1].path).unlink()
        self.world.jobs.pop()()
        self.loop.finish(streams[1])
        self.loop.obey()
        ((stream, given, error),) = self.world.lost
        self.assertEqual((stream, given, error.filename), (streams[0], file, streams[0].path))

    def test_checkedNowAndThen(self) -> None:
        """
        There is one look at the journals every five seconds, and never two at a time.
        """
        for later, jobs in ((0.0, 1), (5.0, 1)):
            self.world.now += later
            self.loop.cycle(self.world.now)
            self.assertEqual(len(self.world.jobs), jobs)
        self.world.jobs.pop()()
        self.loop.obey()
        for later, jobs in ((0.0, 1), (4.9, 0), (0.1, 1)):
            self.world.now += later
            self.loop.cycle(self.world.now)
            self.assertEqual(len(self.world.jobs), jobs)
            for job in self.world.jobs:
                job()
            self.world.jobs.clear()
            self.loop.obey()

    def test_muted(self) -> None:
        """
        A muted stream has no file when its first packet comes, and is emptied at once when it
        is heard again.
        """
        pair, path = LocalPair.make(self), self.mktemp()
        stream = CapturedStream(path, pair, JournalFile(path))
        self.loop.add(stream)
        self.loop.mute(stream, True)
        self.assertEqual(self.drain.streams, [])
        pair.toRTP.send(b"x")
        self.loop.cycle(self.world.now)
        self.assertEqual(self.drain.streams, [stream])
        self.assertFalse(os.path.exists(path))
        self.loop.mute(stream, False)
        assert stream.discards is not None
        self.assertEqual(stream.discards.until, self.world.now)
        before = stream.discards
        self.loop.mute(stream, False)
        self.assertIs(stream.discards, before)

    def test_unmutedBeforeFirst(self) -> None:
        """
        What has come on a stream that no visit was paid to is discarded, too; one whose file
        is being opened meanwhile is not visited twice.
        """
        streams = []
        for _ in range(2):
            pair, path = LocalPair.make(self), self.mktemp()
            streams.append(CapturedStream(path, pair, JournalFile(path)))
            self.loop.add(streams[-1])
        first, second = streams
        cast(LocalPair, first.pair).toRTP.send(b"x")
        self.loop.cycle(self.world.now)
        opening = self.world.jobs[0]
        for each in streams:
            self.loop.mute(each, True)
            self.loop.mute(each, False)
        self.assertEqual(self.drain.streams, streams)
        opening()
        self.loop.obey()
        self.assertEqual(self.drain.streams, streams)
        self.assertEqual((first.file, second.file), (-1, -1))

    def test_mutedGone(self) -> None:
        """
        A stream that is finished is left alone.
        """
        [stream] = self.add(1)
        self.loop.finish(stream)
        self.loop.mute(stream, True)
        self.assertIsNone(stream.discards)
