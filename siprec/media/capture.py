"""
The capture: one thread that visits every media socket a few times a second and puts
what came into the journals (L{siprec.media.loop} says what it does there).
"""

import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from threading import Thread, current_thread

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorFromThreads, IReactorTime
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from siprec.media.batch import Receiver, askForControl
from siprec.media.discarding import Discards
from siprec.media.drain import Drain
from siprec.media.hearing import blocksOf, setRates
from siprec.media.interfaces import ICapture, ICapturedStream, IPortPair
from siprec.media.loop import CaptureCounters, CaptureLoop
from siprec.media.origin import ANYBODY, Expected
from siprec.media.reporting import Reports
from siprec.media.rtcp import Destination, ReportBlock
from siprec.media.srtp import Protection
from siprec.media.stream import CapturedStream, JournalFile
from siprec.media.syncing import Pace, Sync, syncJournals
from siprec.media.writing import WRITES, Writer, chooseWriter

__all__ = ["CaptureStopped", "CaptureThread", "CapturedStream", "ICaptureReactor"]

# Threads that sync journals, most of them those that are to be closed: it may take a
# disk's time; and threads that open and look for journals, which must not wait for that.
_CLOSERS, _OPENERS = 3, 2


class ICaptureReactor(IReactorTime, IReactorFromThreads):
    """
    What the capture needs of a reactor.
    """


class CaptureStopped(Exception):
    """
    The capture is not running.
    """


@implementer(ICapture)
@define(eq=False, repr=False)
class CaptureThread(Service):
    """
    The thread and its streams, as the reactor thread sees them.

    A journal is synced and closed in a small thread pool of its own, because fsync in
    the capture thread would keep it from the sockets and the reactor's pool is for
    name resolution.  Those that grow are synced there too, now and then.

    @ivar _interval: seconds between two visits to a socket.
    @ivar _slice: seconds after which what has come so far is written, though there is room
        for more.
    @ivar _check: seconds between two looks at whether the journals were removed.
    @ivar _sync: seconds between two times that journals are handed to the disk; 0: when
        they are closed, and before that when the system likes.
    @ivar _onError: called in the reactor thread at the first failure of each stream,
        which goes on being drained all the same.
    @ivar _onSender: called in the reactor thread with what is new of who sends a stream:
        C{"stranger"}, somebody does whose packets are not kept, or C{"latched"}, it is
        somebody else than before; and the address.
    @ivar _reportInterval: seconds between two reports on a stream, on average; 0: there
        are none.
    @ivar reports: those on what is being captured.
    """

    _reactor: ICaptureReactor
    _interval: float = 0.2
    _slice: float = 0.05
    _onError: Callable[[CapturedStream, OSError], None] = field(kw_only=True)
    _onSender: Callable[[CapturedStream, str, str], None] = field(
        default=lambda stream, kind, host: None, kw_only=True
    )
    _receiver: Receiver = field(factory=Receiver, kw_only=True)
    _makeWriter: Callable[[int], Writer] = field(default=chooseWriter, kw_only=True)
    _check: float = field(default=5.0, kw_only=True)
    _sync: float = field(default=0.0, kw_only=True)
    _reportInterval: float = field(default=0.0, kw_only=True)
    reports: Reports = field(init=False)
    counters: CaptureCounters = field(factory=CaptureCounters, init=False)
    _running: "_Running | None" = field(default=None, init=False)
    _attached: dict[CapturedStream, list[Deferred[ICapturedStream]]] = field(
        factory=dict, init=False
    )
    _timers: dict[CapturedStream, IDelayedCall] = field(factory=dict, init=False)
    _ends: list[Deferred[None]] = field(factory=list, init=False)

    @reports.default
    def _makeReports(self) -> Reports:
        return Reports(self._reactor, self._reportInterval, self.measure)

    def startService(self) -> None:
        """
        Start the thread.
        """
        super().startService()
        pool = ThreadPool(0, _CLOSERS, "journals")
        openers = ThreadPool(0, _OPENERS, "openings")
        pace = Pace(self._sync)
        drain = Drain(
            self._receiver,
            self._makeWriter(WRITES),
            self._report,
            tell=lambda *news: self._reactor.callFromThread(self._onSender, *news),
        )
        loop = CaptureLoop(
            drain,
            self._interval,
            self._slice,
            partial(self._gone, pool),
            partial(self._removed, pool),
            openers.callInThread,
            check=self._check,
            pace=pace,
            sync=lambda journals: pool.callInThread(self._syncAll, pace, journals),
            counters=self.counters,
        )
        # The kernel takes the time of packets while any socket wants it, and needs a
        # moment to begin: this one keeps it so for the first packets of each call.
        stamping = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        askForControl(stamping)
        thread = Thread(target=self._run, args=(loop,), name="capture", daemon=True)
        self._running = _Running(loop, pool, openers, thread, stamping)
        pool.start()
        openers.start()
        thread.start()

    def stopService(self) -> Deferred[None]:
        """
        Drain, sync and close everything.

        @return: fires when the threads have ended.
        """
        super().stopService()
        if self._running is None:
            return succeed(None)
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self.reports.stop()
        ended: Deferred[None] = Deferred()
        self._ends.append(ended)
        self._running.loop.post(self._running.loop.stop)
        return ended

    def attach(
        self,
        pair: IPortPair,
        path: str,
        protection: Protection | None = None,
        muted: bool = False,
        expected: Expected = ANYBODY,
    ) -> CapturedStream:
        """
        See L{ICapture}.
        """
        if self._running is None or self._ends:
            raise CaptureStopped()
        stream = CapturedStream(path, pair, JournalFile(path))
        stream.protect(protection)
        stream.expect(expected, time.time_ns())
        stream.discard(Discards() if muted else None)
        self._attached[stream] = []
        self._running.loop.post(partial(self._running.loop.add, stream))
        return stream

    def expect(self, stream: ICapturedStream, expected: Expected) -> None:
        """
        See L{ICapture}.
        """
        assert isinstance(stream, CapturedStream)
        if self._running is not None:
            self._running.loop.post(partial(self._running.loop.expect, stream, expected))

    def protect(self, stream: ICapturedStream, protection: Protection | None) -> None:
        """
        See L{ICapture}.
        """
        assert isinstance(stream, CapturedStream)
        if self._running is not None:
            self._running.loop.post(partial(stream.protect, protection))

    def mute(self, stream: ICapturedStream, muted: bool) -> Deferred[None]:
        """
        See L{ICapture}.
        """
        assert isinstance(stream, CapturedStream)
        if self._running is None or self._ends or stream not in self._attached:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._running.loop.post(partial(self._mute, self._running.loop, stream, muted, done))
        return done

    def withhold(self, nothing: bool) -> None:
        """
        See L{ICapture}.
        """
        if self._running is not None:
            self._running.loop.post(partial(self._running.loop.withhold, nothing))

    def report(self, stream: ICapturedStream, to: Destination | None) -> None:
        """
        See L{ICapture}.
        """
        assert isinstance(stream, CapturedStream)
        if stream not in self._attached or self._running is None or self._ends:
            return
        if to is not None:
            self._running.loop.post(partial(setRates, stream, to.rates))
        self.reports.aim(stream, to)

    def leave(self, stream: ICapturedStream) -> None:
        """
        See L{ICapture}.
        """
        self.reports.leave(stream)

    def measure(
        self, streams: Sequence[ICapturedStream]
    ) -> "Deferred[Sequence[tuple[ReportBlock, ...]]]":
        """
        @return: fires with what is to be said of the sources of each stream since this was
            last asked.
        """
        found: Deferred[Sequence[tuple[ReportBlock, ...]]] = Deferred()

        def look() -> None:
            now = time.time_ns()
            blocks = [blocksOf(each, now) for each in streams if isinstance(each, CapturedStream)]
            self._reactor.callFromThread(found.callback, blocks)

        assert self._running is not None
        self._running.loop.post(look)
        return found

    def detach(self, stream: ICapturedStream, linger: float = 0.3) -> Deferred[ICapturedStream]:
        """
        See L{ICapture}.
        """
        assert isinstance(stream, CapturedStream)
        return self._ending(stream, lambda: self._after(linger, stream, self._finish))

    def detachWhenQuiet(
        self, stream: ICapturedStream, quiet: float = 0.5, limit: float = 10.0
    ) -> Deferred[ICapturedStream]:
        """
        See L{ICapture}.
        """
        assert isinstance(stream, CapturedStream)
        until = self._reactor.seconds() + limit
        return self._ending(stream, lambda: self._listen(stream, quiet, until))

    def _ending(
        self, stream: CapturedStream, begin: Callable[[], None]
    ) -> Deferred[ICapturedStream]:
        """
        @param begin: called if nobody has ended it before.
        """
        self.reports.forget(stream)
        waiting = self._attached.get(stream)
        if waiting is None:
            return succeed(stream)
        if not (waiting or self._ends):
            begin()
        done: Deferred[ICapturedStream] = Deferred()
        waiting.append(done)
        return done

    def _after(
        self, seconds: float, stream: CapturedStream, step: Callable[[CapturedStream], None]
    ) -> None:
        self._timers[stream] = self._reactor.callLater(seconds, step, stream)

    def _listen(self, stream: CapturedStream, quiet: float, until: float) -> None:
        # The count is up to one visit behind the sockets.
        period = quiet + self._interval
        left = until - self._reactor.seconds()
        before = stream.packets + stream.controlPackets

        def listened(stream: CapturedStream) -> None:
            if stream.packets + stream.controlPackets == before:
                self._finish(stream)
            else:
                self._listen(stream, quiet, until)

        if left > period:
            self._after(period, stream, listened)
        else:
            self._after(max(left, 0.0), stream, self._finish)

    def _finish(self, stream: CapturedStream) -> None:
        del self._timers[stream]
        assert self._running is not None
        self._running.loop.post(partial(self._running.loop.finish, stream))

    def _streamEnded(self, stream: CapturedStream) -> None:
        for done in self._attached.pop(stream):
            done.callback(stream)
        self._endIfDone()

    def _threadEnded(self, thread: Thread) -> None:
        thread.join()
        self._endIfDone()  # unless it was seen to have ended before

    def _endIfDone(self) -> None:
        running = self._running
        if running is None or self._attached or running.thread.is_alive():
            return
        # What is being synced is synced by the closing, too: this waits for that at most.
        running.pool.stop()
        running.openers.stop()
        running.stamping.close()
        running.loop.drain.close()
        self._running = None
        ends, self._ends = self._ends, []
        for ended in ends:
            ended.callback(None)

    # What follows runs in the capture thread and in those of the pool.

    def _run(self, loop: CaptureLoop) -> None:
        try:
            loop.run()
        finally:
            self._reactor.callFromThread(self._threadEnded, current_thread())

    def _mute(
        self, loop: CaptureLoop, stream: CapturedStream, muted: bool, done: Deferred[None]
    ) -> None:
        try:
            loop.mute(stream, muted)
        finally:
            self._reactor.callFromThread(done.callback, None)

    def _report(self, stream: CapturedStream, error: OSError) -> None:
        self._reactor.callFromThread(self._onError, stream, error)

    def _removed(
        self, pool: ThreadPool, stream: CapturedStream, descriptor: int, error: OSError
    ) -> None:
        if stream.failed(error):
            self._report(stream, error)
        pool.callInThread(self._settle, stream, descriptor, False)

    def _syncAll(self, pace: Pace, journals: Sync) -> None:
        try:
            syncJournals(journals, self._notSynced)
        finally:
            pace.ended()
            self.counters.longestSync = pace.longest

    def _notSynced(self, stream: CapturedStream, error: OSError) -> None:
        if stream.failed(error):
            self._report(stream, error)

    def _gone(self, pool: ThreadPool, stream: CapturedStream, descriptor: int) -> None:
        if descriptor >= 0:
            pool.callInThread(self._settle, stream, descriptor, True)
        else:
            self._settle(stream, descriptor, True)  # nothing came: no disk to wait for

    def _settle(self, stream: CapturedStream, descriptor: int, last: bool) -> None:
        try:
            if descriptor >= 0:
                stream.journal.close(descriptor, last)
        except OSError as error:
            if stream.failed(error):
                self._report(stream, error)
        if last:
            self._reactor.callFromThread(self._streamEnded, stream)


@frozen
class _Running:
    """
    What there is only while the service runs.
    """

    loop: CaptureLoop
    pool: ThreadPool
    openers: ThreadPool
    thread: Thread
    stamping: socket.socket
