"""
What the capture thread does, over and over.
"""

import errno
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from threading import Event

from attrs import define, field
from twisted.logger import Logger

from siprec.media.drain import Drain
from siprec.media.origin import Expected
from siprec.media.stream import CapturedStream
from siprec.media.syncing import Pace, Sync
from siprec.media.watch import Watch

__all__ = ["CaptureCounters", "CaptureLoop"]

log = Logger()


@define(eq=False, repr=False)
class CaptureCounters:
    """
    How the capture fares.

    @ivar cycles: visits to all streams so far.
    @ivar overruns: cycles that took longer than the interval.
    @ivar failures: exceptions that should not have been; each is in the log.
    @ivar longestSlice: seconds, with the writing.
    @ivar longestSync: seconds until all journals that had grown were on the disk.
    @ivar withholding: nothing is written now, as there is no room for it.
    """

    cycles: int = 0
    overruns: int = 0
    failures: int = 0
    longestSlice: float = 0.0
    longestSync: float = 0.0
    withholding: bool = False


@define(eq=False, repr=False)
class CaptureLoop:
    """
    Everything here runs in the capture thread, but L{post}, which any thread may call.

    @ivar _gone: called with each stream that is finished and the descriptor of its
        journal, to be synced and closed; below 0: there is none.
    @ivar _check: seconds between two looks at whether the journals are still where
        they were.
    @ivar _background: runs a function in some thread that may block.
    @ivar _pace: when the journals are to be handed to the disk.
    @ivar _sync: has that done to some of them, in some other thread, and tells
        C{_pace} when it is; it must not block.
    """

    drain: Drain
    _interval: float
    _budget: float
    _gone: Callable[[CapturedStream, int], None]
    _lost: Callable[[CapturedStream, int, OSError], None]
    _background: Callable[[Callable[[], None]], None]
    _monotonic: Callable[[], float] = time.monotonic
    _check: float = 5.0
    _pace: Pace = field(factory=lambda: Pace(0.0))
    _sync: Callable[[Sync], None] = lambda journals: None
    counters: CaptureCounters = field(factory=CaptureCounters)
    _streams: dict[CapturedStream, None] = field(factory=dict, init=False)
    _waiting: dict[CapturedStream, list[int]] = field(factory=dict, init=False)
    _byDescriptor: dict[int, CapturedStream] = field(factory=dict, init=False)
    _first: Watch = field(factory=Watch, init=False)
    _posted: deque[Callable[[], None]] = field(factory=deque, init=False)
    _wake: Event = field(factory=Event, init=False)
    _stopping: bool = field(default=False, init=False)
    _checking: bool = field(default=False, init=False)
    _nextCheck: float = field(default=0.0, init=False)

    def post(self, command: Callable[[], None]) -> None:
        """
        Have C{command} run in the capture thread, soon.
        """
        self._posted.append(command)
        self._wake.set()

    def run(self) -> None:
        """
        Visit all streams every interval until L{stop} has run.
        """
        while not self._stopping:
            started = self._monotonic()
            try:
                self.cycle(started)
            except Exception:
                self._failed()
            self._idle(started + self._interval)
        self._first.close()

    def _failed(self) -> None:
        self.counters.failures += 1
        log.failure("capture: unexpected failure, going on")

    def _idle(self, until: float) -> None:
        while True:
            self.obey()
            left = until - self._monotonic()
            if left <= 0 or self._stopping:
                return
            self._wake.wait(left)
            # Cleared before the queue is looked at again: nothing posted is missed.
            self._wake.clear()

    def obey(self) -> None:
        """
        Run what was posted.
        """
        while self._posted:
            try:
                self._posted.popleft()()
            except Exception:
                self._failed()

    def cycle(self, started: float) -> None:
        """
        Visit every stream once.

        @param started: now.
        """
        self._awaitFirst()
        index = 0
        while index < len(self.drain.streams):
            before = self._monotonic()
            try:
                index = self.drain.visit(index, self._budget)
            except Exception:
                # One stream must not end the others: find it by going singly.
                self._failed()
                self._singly(index)
                break
            now = self._monotonic()
            self.counters.longestSlice = max(self.counters.longestSlice, now - before)
        now = self._monotonic()
        self.counters.cycles += 1
        self.counters.overruns += now - started > self._interval
        if now >= self._nextCheck and not self._checking:
            self._checking, self._nextCheck = True, now + self._check
            self._background(partial(self._findLost, list(self.drain.streams)))
        if self._pace.due(now):
            self._sync(self.drain.unsynced())

    def _awaitFirst(self) -> None:
        """
        Open the journals of streams whose first packet is there, in the background:
        many calls that begin at once must not hold up the others.  Until then the
        packets wait in the kernel.
        """
        for number in self._first.ready():
            stream = self._byDescriptor.get(number)
            if stream is not None:  # both its sockets may be ready
                self._unwatch(stream)
                if stream.muted:
                    self.drain.add(stream)  # without a file, as long as nothing is kept
                else:
                    self._background(partial(self._open, stream))

    def _unwatch(self, stream: CapturedStream) -> None:
        for sock, number in zip(
            (stream.pair.rtp, stream.pair.rtcp), self._waiting.pop(stream, ()), strict=False
        ):
            self._first.remove(sock)
            if self._byDescriptor.get(number) is stream:
                del self._byDescriptor[number]

    def _open(self, stream: CapturedStream) -> None:
        """
        (Runs in the background: it may block.)
        """
        try:
            opened = stream.journal.open()
        except OSError:
            # The drain will find the same, report it, and try again now and then.
            opened = -1, 0, 0
        self.post(partial(self._opened, stream, *opened))

    def _opened(self, stream: CapturedStream, file: int, position: int, startNs: int) -> None:
        if stream in self._streams and stream.place < 0:
            stream.file, stream.position, stream.startNs = file, position, startNs
            self.drain.add(stream)
        elif file >= 0:
            os.close(file)  # it was finished meanwhile, or is visited already

    def _singly(self, begin: int) -> None:
        for index, stream in enumerate(self.drain.streams[begin:], begin):
            try:
                self.drain.visit(index, 0.0)
            except Exception as error:
                self.counters.failures += 1
                if stream.failed(error):  # once: it may go on for hours
                    log.failure("{path}: cannot be captured", path=stream.path)

    def _findLost(self, streams: Sequence[CapturedStream]) -> None:
        """
        Look for journals that were removed or moved while they were written; writing
        to them goes on without an error.  (Runs in the background: it may block.)
        """
        lost = [stream for stream in streams if stream.file >= 0 and not stream.journal.isThere()]
        self.post(partial(self._lose, lost))

    def _lose(self, lost: Sequence[CapturedStream]) -> None:
        self._checking = False
        for stream in lost:
            # It may have been finished or opened anew since.
            if stream.place >= 0 and not stream.journal.isThere():
                error = OSError(errno.ENOENT, "the journal was removed", stream.path)
                self._lost(stream, stream.releaseFile(), error)

    def add(self, stream: CapturedStream) -> None:
        """
        Visit C{stream} from now on.
        """
        self._streams[stream] = None
        sockets = stream.pair.rtp, stream.pair.rtcp
        numbers = [sock.fileno() for sock in sockets]
        try:
            for sock in sockets:
                self._first.add(sock)
        except (OSError, ValueError):
            for sock in sockets:
                self._first.remove(sock)
            self.drain.add(stream)  # closed already: the drain tells
            return
        self._waiting[stream] = numbers
        self._byDescriptor.update(dict.fromkeys(numbers, stream))

    def mute(self, stream: CapturedStream, muted: bool) -> None:
        """
        See L{siprec.media.interfaces.ICapture.mute}.
        """
        if stream not in self._streams:
            return
        if muted:
            self.drain.mute(stream)
        elif stream.discards is not None and stream.discards.until is None:
            if stream.place < 0:
                # What waits for its first visit came while it was muted.
                self._unwatch(stream)
                self.drain.add(stream)
            self.drain.unmute(stream)

    def expect(self, stream: CapturedStream, expected: Expected) -> None:
        """
        See L{siprec.media.interfaces.ICapture.expect}.
        """
        self.drain.expect(stream, expected)

    def withhold(self, nothing: bool) -> None:
        """
        Write nothing of what comes from now on, or write again.
        """
        self.drain.withholding = self.counters.withholding = nothing

    def finish(self, stream: CapturedStream) -> None:
        """
        Drain C{stream} for the last time and let go of it.
        """
        del self._streams[stream]
        try:
            self._unwatch(stream)
            if stream.place < 0:
                self.drain.add(stream)  # it waits for its first packet or its file
            self.drain.finish(stream)
        finally:
            self._gone(stream, stream.releaseFile())

    def stop(self) -> None:
        """
        Finish all streams; L{run} returns then.
        """
        self._stopping = True
        for stream in list(self._streams):
            try:
                self.finish(stream)
            except Exception:
                self._failed()
