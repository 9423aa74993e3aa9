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
    _timers: list[IDelayedCall] = field(factory=list, init=False)

    def agree(self, agreed: Agreed) -> None:
        """
        Begin anew with what a 2xx has settled.
        """
        self.stop()
        self.agreed = agreed
        for seconds, call in (
            (agreed.refreshAfter, self._onRefresh),
            (agreed.giveUpAfter, self._onExpired),
        ):
            if seconds is not None:
                self._timers.append(self._clock.callLater(seconds, call))

    def stop(self) -> None:
        """
        The dialog is over.
        """
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        self._timers.clear()
