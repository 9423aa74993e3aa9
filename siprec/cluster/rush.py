"""
The first moments after a node has died: media that nobody receives is lost, all else
can wait.
"""

from __future__ import annotations

from attrs import define, field
from twisted.internet.defer import Deferred, succeed

__all__ = ["Rush"]


@define(eq=False, repr=False)
class Rush:
    """
    As long as calls are being claimed, those that were claimed already have their
    ports bound and nothing more: the kernel keeps what comes for some seconds, and the
    last call has its ports as soon as can be.
    """

    _who: set[object] = field(factory=set, init=False)
    _waiting: list[Deferred[None]] = field(factory=list, init=False)

    def begin(self, who: object) -> None:
        """
        Somebody claims calls now.
        """
        self._who.add(who)

    def end(self, who: object) -> None:
        """
        That one has claimed all, or has to wait; it need not have begun.
        """
        self._who.discard(who)
        if not self._who:
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                each.callback(None)

    def whenOver(self) -> Deferred[None]:
        """
        @return: fires when nobody claims calls.
        """
        if not self._who:
            return succeed(None)
        over: Deferred[None] = Deferred()
        self._waiting.append(over)
        return over
