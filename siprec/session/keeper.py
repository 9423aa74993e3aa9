"""
The snapshots of this node's calls, on their way to the store.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.session.model import CallSnapshot
from siprec.store.interfaces import ISnapshotStore, NotOwner, SessionDeleted, StoreUnavailable

__all__ = ["SnapshotKeeper"]

log = Logger()

# Longest time between two attempts at a store that is away, in seconds.
_LONGEST_RETRY = 5.0

# Writes of what waited that are under way at once: enough to fill the
# connection, few enough that a store that has just come back can breathe.
_AT_ONCE = 32

# Longest time in seconds that a stop waits for the last writes.
_LAST_FLUSH = 5.0


@define(eq=False, repr=False)
class _Write:
    """
    What is to become of one key.

    @ivar snapshot: what is to be kept; C{None}: the key is to be deleted.
    @ivar waiters: who is told when it was made, or need not wait for it.
    """

    key: str
    snapshot: CallSnapshot | None
    waiters: list[Deferred[None]] = field(factory=list)

    def release(self) -> None:
        """
        Let go of who waits.
        """
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            waiter.callback(None)


@define(eq=False, repr=False, slots=False)
class SnapshotKeeper(Service):
    """
    Writes snapshots: one write at a time for each call, of the last that was
    wanted.  What the store does not take because it is away waits here, the
    last of each call, and is written when the store is back; no call ever fails
    or waits because of it.

    @ivar since: when the store was found to be away, by the clock, or C{None}.
    @ivar written: how many writes the store has taken.
    @ivar failed: how many were given up, as the store refused them for another
        reason than being away or the call being another node's.
    """

    _store: ISnapshotStore
    _clock: IReactorTime
    # Called with the key of a call that another node has taken over or ended,
    # each time a write shows that; before who waits for that write is told.
    _onFenced: Callable[[str], None]
    # Seconds until a store that is away is tried again; it doubles, up to 5.
    _retryInterval: float = 1.0
    # Longest time in seconds that a save or delete takes, whatever the store
    # does: a write behind another could wait for both.
    _patience: float = 2.0
    since: float | None = field(default=None, init=False)
    written: int = field(default=0, init=False)
    failed: int = field(default=0, init=False)
    # A key is in _underWay (and then perhaps with a later write in _later), or
    # in _backlog.  While the store is away, there is a backlog or a probe.
    _underWay: dict[str, _Write] = field(factory=dict, init=False)
    _later: dict[str, _Write] = field(factory=dict, init=False)
    _backlog: OrderedDict[str, _Write] = field(factory=OrderedDict, init=False)
    _probe: _Write | None = field(default=None, init=False)
    _retry: IDelayedCall | None = field(default=None, init=False)
    _pause: float = field(default=0.0, init=False)
    _flushing: bool = field(default=False, init=False)
    _idle: list[Deferred[None]] = field(factory=list, init=False)

    @property
    def away(self) -> bool:
        """
        Whether the store gave no answer when it was last asked.
        """
        return self.since is not None

    @property
    def waiting(self) -> int:
        """
        How many calls have a write that is not made yet.
        """
        return len(self._underWay) + len(self._backlog)

    def save(self, key: str, snapshot: CallSnapshot) -> Deferred[None]:
        """
        Keep a snapshot, in place of what was wanted for that key before.

        @return: fires with C{None} when this or a later write of the key is in
            the store, or there is no use in waiting: the store is away, or
            slow, or has refused.  It never fails.
        """
        return self._want(_Write(key, snapshot))

    def delete(self, key: str) -> Deferred[None]:
        """
        Forget a snapshot, and whatever of that key waits to be written.

        @return: as of L{save}.
        """
        return self._want(_Write(key, None))

    def startService(self) -> None:
        """
        See L{twisted.application.service.IService.startService}.
        """
        super().startService()
        self._tryLater()

    def stopService(self) -> Deferred[None]:
        """
        Try once more to write what waits.

        @return: fires when that is done, or cannot be, or took too long.
        """
        super().stopService()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self.away and self._probe is None:
            self._tryAgain()
        done: Deferred[None] = Deferred()
        self._idle.append(done)
        self._checkIdle()
        done.addTimeout(_LAST_FLUSH, self._clock, onTimeoutCancel=_enough)
        return done.addCallback(self._stopped)

    def _stopped(self, _: None) -> None:
        if self.waiting:
            log.error("{count} snapshots not written before the stop", count=self.waiting)

    def _want(self, write: _Write) -> Deferred[None]:
        if self.away:
            self._place(write)
            return succeed(None)
        done: Deferred[None] = Deferred()
        write.waiters.append(done)
        self._place(write)
        if done.called:  # by a store that answers at once
            return done
        return done.addTimeout(self._patience, self._clock, onTimeoutCancel=_enough)

    def _place(self, write: _Write) -> None:
        key = write.key
        if key in self._underWay:
            before = self._later.get(key)
            if before is not None:
                write.waiters = before.waiters + write.waiters
            self._later[key] = write
        elif self.away:
            self._backlog[key] = write
        else:
            # Ahead of all that waits: somebody waits for this one.
            self._backlog.pop(key, None)
            self._begin(write)

    def _begin(self, write: _Write) -> None:
        self._underWay[write.key] = write
        if write.snapshot is None:
            done = maybeDeferred(self._store.delete, write.key)
        else:
            done = maybeDeferred(self._store.save, write.key, write.snapshot)
        done.addCallbacks(
            self._made, self._refused, callbackArgs=(write,), errbackArgs=(write,)
        ).addErrback(lambda failure: log.failure("{key}: write not ended", failure, key=write.key))

    def _made(self, _: None, write: _Write) -> None:
        self.written += 1
        self._answered(write)

    def _refused(self, failure: Failure, write: _Write) -> None:
        if failure.check(StoreUnavailable):
            self._unanswered(write, failure)
            return
        if failure.check(NotOwner, SessionDeleted):
            log.warn("{key}: let go: {reason}", key=write.key, reason=failure.getErrorMessage())
            later = self._later.pop(write.key, None)
            if later is not None:
                write.waiters += later.waiters
            try:
                self._onFenced(write.key)
            except Exception:
                log.failure("{key}: not let go", key=write.key)
        else:
            self.failed += 1
            log.failure("{key}: snapshot not written", failure, key=write.key)
        self._answered(write)

    def _answered(self, write: _Write) -> None:
        """
        The store has taken a write, or said why it will not.
        """
        del self._underWay[write.key]
        later = self._later.pop(write.key, None)
        # An answer to what was asked before the store went away says nothing
        # of how it is now; the probe's does.
        if write is self._probe:
            self._probe = None
            self._isBack()
        if later is not None:
            self._place(later)
        write.release()
        self._flush()
        self._checkIdle()

    def _unanswered(self, write: _Write, failure: Failure) -> None:
        """
        The store is away.
        """
        del self._underWay[write.key]
        later = self._later.pop(write.key, write)
        self._backlog[write.key] = later  # at the end: the next probe is another
        if write is self._probe:
            self._probe = None
            self._pause = min(2 * self._pause, max(_LONGEST_RETRY, self._retryInterval))
        released = [write, later]
        if self.since is None:
            self.since = self._clock.seconds()
            self._pause = self._retryInterval
            released += [*self._underWay.values(), *self._later.values()]
            log.warn(
                "the store is away: {reason}; calls go on and writes wait",
                reason=failure.getErrorMessage(),
            )
        self._tryLater()
        for each in released:
            each.release()
        self._checkIdle()

    def _isBack(self) -> None:
        assert self.since is not None, "probes are for a store that is away"
        seconds = self._clock.seconds() - self.since
        self.since = None
        log.info(
            "the store is back after {seconds} s; {count} writes waited",
            seconds=round(seconds, 1),
            count=len(self._backlog) + 1,
        )

    def _tryLater(self) -> None:
        if self.running and self.away and self._probe is None and self._retry is None:
            self._retry = self._clock.callLater(self._pause, self._tryAgain)

    def _tryAgain(self) -> None:
        self._retry = None
        _, self._probe = self._backlog.popitem(last=False)
        self._begin(self._probe)

    def _flush(self) -> None:
        """
        Write what waits, as far as it may be under way at once.
        """
        if self._flushing:  # a store that answers at once: the loop below goes on
            return
        self._flushing = True
        try:
            while self._backlog and not self.away and len(self._underWay) < _AT_ONCE:
                _, write = self._backlog.popitem(last=False)
                self._begin(write)
        finally:
            self._flushing = False

    def _checkIdle(self) -> None:
        if not self._underWay and (self.away or not self._backlog):
            idle, self._idle = self._idle, []
            for done in idle:
                done.callback(None)


def _enough(result: object, timeout: float) -> None:
    """
    The waiting is over; what it was for goes on.
    """
