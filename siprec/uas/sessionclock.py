"""
The session timer of one dialog on a clock (RFC 4028): L{siprec.sip.sessiontimer}
says what was agreed, this says when it is time.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from siprec.sip.sessiontimer import Agreed


@define(eq=False, repr=False)
class SessionClock:
    """
    @ivar agreed: what holds now.
    @ivar onRefresh: called when this side has to refresh the session.
    @ivar onExpired: called when the peer has not refreshed it, in time for our
        BYE to be the one that ends it.
    """

    _clock: IReactorTime
    _onRefresh: Callable[[], None]
    _onExpired: Callable[[], None]
    agreed: Agreed = field(factory=Agreed, init=False)
    _since: float = field(default=0.0, init=False)
    _timers: list[IDelayedCall] = field(factory=list, init=False)

    @property
    def elapsed(self) -> float:
        """
        Seconds since L{agreed} was settled.
        """
        return self._clock.seconds() - self._since

    def agree(self, agreed: Agreed, elapsed: float = 0.0, grace: float = 0.0) -> None:
        """
        Begin anew with what a 2xx has settled.

        @param elapsed: seconds since that, if it was in another process.
        @param grace: seconds that are left in any case before the session has
            expired.
        """
        self.stop()
        self.agreed = agreed
        self._since = self._clock.seconds() - elapsed
        for seconds, least, call in (
            (agreed.refreshAfter, 0.0, self._onRefresh),
            (agreed.giveUpAfter, grace, self._onExpired),
        ):
            if seconds is not None:
                later = self._clock.callLater(max(seconds - elapsed, least), call)
                self._timers.append(later)

    def refreshLater(self, seconds: float) -> None:
        """
        It cannot be refreshed now.
        """
        self._timers.append(self._clock.callLater(seconds, self._onRefresh))

    def stop(self) -> None:
        """
        The dialog is over.
        """
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        self._timers.clear()
