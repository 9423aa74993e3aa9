"""
Calls of which it is not clear yet who has them.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define, field
from twisted.internet.defer import Deferred

__all__ = ["UnderWay"]


@define(eq=False, repr=False)
class UnderWay:
    """
    The calls that are just going from one node to another, by recording, and who waits
    for each.
    """

    _waiting: dict[str, list[Deferred[None]]] = field(factory=dict, init=False)

    def __contains__(self, key: str) -> bool:
        return key in self._waiting

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._waiting))

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self, key: str) -> None:
        """
        A call is on its way, which it was not before.
        """
        self._waiting[key] = []

    def end(self, key: str) -> None:
        """
        It is clear who has it.
        """
        for waiter in self._waiting.pop(key, []):
            waiter.callback(None)

    def whenClear(self, key: str) -> Deferred[None] | None:
        """
        @return: fires when it is clear who has that call; C{None} if it is not on its
            way.  To cancel it is not in the way of others who wait.
        """
        waiters = self._waiting.get(key)
        if waiters is None:
            return None
        done: Deferred[None] = Deferred()
        waiters.append(done)
        return done
