"""
Claims whose answer was lost: this node has sessions then that it does not know of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from siprec.cluster.pauses import Pauses
from siprec.ids import NodeID
from siprec.session.model import SessionData
from siprec.store.interfaces import ISessionStore, StoreError, StoreUnavailable

__all__ = ["LostClaims"]

log = Logger()

# Seconds after which a store that is away is asked again.
_AGAIN = 0.5

# It is looked twice for what a claim took, so many seconds apart: the claim may
# have been on its way for longer than its answer was waited for.
_SEARCHES, _LATER = 2, 5.0


@define(eq=False, repr=False)
class LostClaims:
    """
    Looks for sessions of this node that it does not know, once the store answers.
    """

    _store: ISessionStore
    _node: NodeID
    _pauses: Pauses
    # Held by each claim: the answer of one that is under way would seem to be lost.
    _turn: DeferredLock
    _mayClaim: Callable[[], bool]
    _known: Callable[[str], bool]
    _begin: Callable[[Iterable[SessionData]], None]
    _searches: int = field(default=0, init=False)
    _searching: Deferred[None] | None = field(default=None, init=False)

    @property
    def underWay(self) -> list[Deferred[None]]:
        """
        The search, if there is one.
        """
        return [] if self._searching is None else [self._searching]

    def search(self) -> None:
        """
        A claim had no answer.
        """
        self._searches = _SEARCHES
        if self._searching is None and self._mayClaim():
            done: Deferred[None] = Deferred()
            self._searching = done

            def ended(_: None) -> None:
                self._searching = None
                done.callback(None)

            Deferred.fromCoroutine(self._searchAll()).addErrback(
                lambda failure: log.failure("lost claims not looked for", failure)
            ).addCallback(ended)

    async def _searchAll(self) -> None:
        await self._pauses.wait(_AGAIN)
        while self._searches and self._mayClaim():
            self._searches -= 1
            try:
                await self._find()
            except StoreUnavailable as error:
                log.debug("lost claims not looked for yet: {why}", why=str(error))
                self._searches = _SEARCHES
                await self._pauses.wait(_AGAIN)
            else:
                if self._searches:
                    await self._pauses.wait(_LATER)

    async def _find(self) -> None:
        await self._turn.acquire()
        try:
            for key in await self._store.list(self._node):
                if not self._mayClaim():
                    break
                if not self._known(key):
                    await self._take(key)
        finally:
            self._turn.release()

    async def _take(self, key: str) -> None:
        try:
            record = await self._store.get(key)
        except StoreUnavailable:
            raise
        except StoreError as error:
            log.info("{recording}: not taken up: {why}", recording=key, why=str(error))
            return
        # In the first epoch a session is of who began it: nobody has claimed it.
        if record.nodeID == self._node and record.epoch > 1 and not self._known(key):
            self._begin([record])
