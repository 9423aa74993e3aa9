"""
A session store that can be made not to answer, at any call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from zope.interface import implementer

from siprec.store.interfaces import ISessionStore, StoreUnavailable


@implementer(ISessionStore)
class ShakyStore:
    """
    Another store, with its connection in the hands of the test.

    @ivar away: nothing reaches the store.
    @ivar failing: numbers of the calls, from 0, that do not reach the store.
    @ivar unanswered: numbers of the calls that do, but whose answer is lost.
    @ivar errors: by method, an error to fail with in its place.
    @ivar held: C{None}, or the calls that wait until the test makes them.
    @ivar calls: the names of all methods called.
    """

    def __init__(self, store: ISessionStore) -> None:
        self._store = store
        self.away = False
        self.failing: set[int] = set()
        self.unanswered: set[int] = set()
        self.errors: dict[str, Exception] = {}
        self.held: list[Callable[[], object]] | None = None
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name not in ISessionStore or not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Deferred[Any]:
            return self._call(name, lambda: found(*args, **kwargs))

        return call

    def _call(self, name: str, made: Callable[[], Deferred[Any]]) -> Deferred[Any]:
        number = len(self.calls)
        self.calls.append(name)
        if name == "close":
            return made()
        if self.away or number in self.failing:
            return fail(StoreUnavailable("away"))
        if name in self.errors:
            return fail(self.errors[name])
        if number in self.unanswered:
            made().addErrback(lambda failure: None)
            return fail(StoreUnavailable("no answer"))
        if self.held is None:
            return made()
        answer: Deferred[Any] = Deferred()
        self.held.append(lambda: made().chainDeferred(answer))
        return answer

    def letGo(self) -> None:
        """
        Make the calls that were held, and hold no more.
        """
        held, self.held = self.held or [], None
        for made in held:
            made()
