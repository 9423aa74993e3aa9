"""
The work that keeps a second store behind the first as little as can be.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.store.backlog import Backlog, Copy, Deletion, Extension, Step
from siprec.store.interfaces import (
    ISessionStore,
    NotOwner,
    SessionDeleted,
    SessionNotFound,
    StoreUnavailable,
)
from siprec.store.reconcile import Outcome, reconcile

__all__ = ["Follower"]

# Sessions that are under way at once: enough to hide the round trips, few
# enough for the calls of the living sessions to get in between.
_BATCH = 64

_log = Logger()

_Work = Coroutine[Deferred[Any], Any, None]


@define(eq=False, repr=False)
class Follower:
    """
    Takes the steps of a backlog in the second store, and compares both stores
    wherever it may have missed one.

    @ivar _remember: seconds for which the second store remembers deletions.
    @ivar _pause: seconds to wait after one of the stores did not answer.
    @ivar behind: both stores are still to be compared.
    @ivar away: one of them did not answer when last it was asked.
    @ivar counts: sessions since the start: C{followed}, C{restored} and
        C{buried} by comparing (L{Outcome}); C{failed}, those that a store
        refused.
    """

    _primary: ISessionStore
    _second: ISessionStore
    _clock: IReactorTime
    _remember: float
    _pause: float
    _backlog: Backlog
    # What an earlier process had still to tell was lost with it.
    behind: bool = field(default=True, init=False)
    away: bool = field(default=False, init=False)
    counts: dict[str, int] = field(init=False)
    _sleeping: IDelayedCall | None = field(default=None, init=False)
    _working: bool = field(default=False, init=False)
    _stopping: Deferred[None] | None = field(default=None, init=False)

    @counts.default
    def _none(self) -> dict[str, int]:
        return dict.fromkeys(("followed", "restored", "buried", "failed"), 0)

    def wake(self) -> None:
        """
        There may be something to do.
        """
        if not self._working and self._sleeping is None and self._stopping is None:
            self._start()

    def missed(self) -> None:
        """
        A store did not answer, or a step was dropped: compare both, later.
        """
        self.behind = True
        if not self._working:
            self._sleep()

    def stop(self) -> Deferred[None]:
        """
        @return: fires when what was left has been told, as far as the second
            store answers.
        """
        if self._stopping is not None:
            return succeed(None)
        stopped: Deferred[None] = Deferred()
        self._stopping = stopped
        if self._sleeping is not None:
            self._sleeping.cancel()
            self._sleeping = None
        if not self._working:
            self._start()
        return stopped

    def _start(self) -> None:
        self._working = True
        working = Deferred.fromCoroutine(self._work())
        working.addErrback(self._broken)
        working.addCallback(self._ended)

    def _broken(self, reason: Failure) -> bool:
        _log.failure("the second store does not follow for now", reason)
        return False

    def _ended(self, finished: bool) -> None:
        self._working = False
        if not finished:
            self._sleep()
        if self._stopping is not None:
            self._stopping.callback(None)

    def _sleep(self) -> None:
        if self._sleeping is None and self._stopping is None:
            self._sleeping = self._clock.callLater(self._pause, self._resume)

    def _resume(self) -> None:
        self._sleeping = None
        self._start()

    async def _work(self) -> bool:
        """
        @return: whether all is done.
        """
        try:
            while True:
                if steps := self._backlog.next(_BATCH):
                    await self._each(self._take(key, step) for key, step in steps)
                elif self.behind and self._stopping is None:
                    await self._compare()
                else:
                    break
        except StoreUnavailable as error:
            if not self.away:
                _log.warn("the second store does not follow for now: {reason}", reason=str(error))
            self.away = True
            return False
        if self.away:
            _log.info("the second store follows again")
        self.away = False
        return True

    async def _each(self, steps: Iterable[_Work]) -> None:
        """
        Take steps at once, and wait for all of them.
        """
        calls: list[Deferred[None]] = [Deferred.fromCoroutine(step) for step in steps]
        for _, result in await DeferredList(calls, consumeErrors=True):
            failure: object = result
            if isinstance(failure, Failure):
                failure.raiseException()

    async def _take(self, key: str, step: Step) -> None:
        if isinstance(step, Deletion):
            await self._guarded(key, lambda: self._delete(key))
        else:
            await self._guarded(key, lambda: self._change(key, step))
        self._backlog.done(key, step)

    async def _guarded(self, key: str, step: Callable[[], _Work]) -> None:
        """
        Take a step.  What is wrong with one session stops no other.

        @raise StoreUnavailable: nothing can be done for now.
        """
        try:
            await step()
        except StoreUnavailable:
            raise
        except Exception:
            self.counts["failed"] += 1
            _log.failure("{recording}: not brought into the second store", recording=key)

    async def _delete(self, key: str) -> None:
        await self._second.delete(key, None, self._remember)

    async def _change(self, key: str, step: Copy | Extension) -> None:
        left = step.until - self._clock.seconds()
        if left <= 0:
            return
        try:
            if isinstance(step, Extension):
                await self._second.extend(key, left, step.epoch)
                return
            if await self._second.replicate(step.data, left):
                return
        except (NotOwner, SessionDeleted, SessionNotFound):
            pass
        # The second store knows more than this step does, or less.
        await self._reconcile(key)

    async def _reconcile(self, key: str) -> None:
        outcome = await reconcile(key, self._primary, self._second, self._remember)
        if outcome is not Outcome.SAME:
            self.counts[outcome.value] += 1

    async def _compare(self) -> None:
        """
        Bring all sessions together, those of all nodes: a node that is dead
        does not do it.
        """
        self.behind = False
        try:
            keys = {*await self._primary.list(), *await self._second.list()}
            for batch in _batches(sorted(keys)):
                if self._stopping is not None:
                    self.behind = True
                    return
                await self._each(map(self._compareOne, batch))
        except StoreUnavailable:
            self.behind = True
            raise

    async def _compareOne(self, key: str) -> None:
        await self._guarded(key, lambda: self._reconcile(key))


def _batches(keys: list[str]) -> Iterable[list[str]]:
    return (keys[at : at + _BATCH] for at in range(0, len(keys), _BATCH))
