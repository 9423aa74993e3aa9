"""
The removal of what has expired in the store.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from siprec.rounds import Rounds
from siprec.store.interfaces import ISessionStore, StoreUnavailable

__all__ = ["CleaningService"]

log = Logger()


@define(eq=False, repr=False, slots=False)
class CleaningService(Service):
    """
    Has the store remove expired records and orphaned index entries, now and
    then.  The first time is after a random part of the interval, as the nodes
    of a cluster may be started all at once.
    """

    _store: ISessionStore
    _clock: IReactorTime
    # Seconds between two times.
    _interval: float = 300.0
    # Gives a number from 0 to below 1.
    _random: Callable[[], float] = random.random
    _first: IDelayedCall | None = field(default=None, init=False)
    _rounds: Rounds = field(init=False)

    @_rounds.default
    def _makeRounds(self) -> Rounds:
        failed = "the store was not cleaned; it is tried again"
        return Rounds(self._clock, self._interval, self._clean, failed)

    def startService(self) -> None:
        """
        See L{twisted.application.service.IService.startService}.
        """
        super().startService()
        self._first = self._clock.callLater(self._random() * self._interval, self._begin)

    def stopService(self) -> Deferred[None]:
        """
        @return: fires when the cleaning that is under way has ended.
        """
        super().stopService()
        if self._first is not None:
            self._first.cancel()
            self._first = None
        return self._rounds.stop()

    def _begin(self) -> None:
        self._first = None
        self._rounds.start()

    async def _clean(self) -> None:
        try:
            removed = await self._store.cleanup()
        except StoreUnavailable as error:
            log.warn("the store was not cleaned: {reason}; it is tried again", reason=str(error))
            return
        if removed:
            log.info("{removed} expired entries removed from the store", removed=removed)
