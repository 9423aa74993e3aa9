"""
The course of one call: does what its life comes to, and ends it where the peer
does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from siprec.session.abandoned import ABANDONED
from siprec.session.life import Answer, CallLife, Effects, Finish, Reject, SendBye
from siprec.session.live import LiveRecording
from siprec.sip.dialog import Dialog
from siprec.sip.flow import Flow
from siprec.uas.around import Surroundings
from siprec.uas.opening import Opening
from siprec.uas.sessionclock import SessionClock

__all__ = ["ALIVE", "Course"]

#: A call whose media came within so many seconds is alive, whatever the session
#: timer says.
ALIVE = 30.0


class Living(Protocol):
    """
    What this needs of its call.
    """

    dialog: Dialog
    flow: Flow
    live: LiveRecording | None
    over: bool
    fenced: bool
    timer: SessionClock

    def letGo(self) -> None:
        """
        The dialog is over.
        """

    def saveSoon(self) -> None:
        """
        Save the call as it is now; nobody waits for it.
        """

    async def save(self) -> None:
        """
        Have the call as it is now in the store, or find out that another node
        has it.
        """

    def broken(self, failure: Failure) -> None:
        """
        Log what nobody foresaw.
        """


@define(eq=False, repr=False)
class Course:
    """
    @ivar opening: what answers the first INVITE.
    """

    _around: Surroundings
    _call: Living
    _life: CallLife
    opening: Opening | None = field(default=None, init=False)

    def run(self, effects: Effects) -> None:
        """
        Do what the life of the call asks for, unless another node has it.
        """
        for effect in () if self._call.fenced else effects:
            if isinstance(effect, Answer) and self.opening is not None:
                self.opening.answer()
            elif isinstance(effect, Reject) and self.opening is not None:
                self.opening.reject(effect)
            elif isinstance(effect, SendBye):
                self._bye(effect)
            elif isinstance(effect, Finish):
                self._finish(effect.reason)

    def _bye(self, effect: SendBye) -> None:
        call = self._call
        bye = self._around.outgoing.bye(call.dialog, call.flow, effect.cause, effect.text)
        Deferred.fromCoroutine(bye).addErrback(call.broken)

    def _finish(self, reason: str) -> None:
        call = self._call
        if call.live is not None and reason in ABANDONED:
            # Another node may go on with it if its peer comes back there.
            call.live.ending(reason)
            call.saveSoon()
        call.letGo()
        if call.live is not None:
            self._around.service.finish(call.live, reason)

    def end(self, take: Callable[[], Effects]) -> None:
        """
        End the call, if it is this node's.

        @param take: takes the step of the life that ends it.
        """
        Deferred.fromCoroutine(self._endIfOurs(take)).addErrback(self._call.broken)

    async def _endIfOurs(self, take: Callable[[], Effects]) -> None:
        # A process that was frozen finds out here that the call is another's,
        # which a BYE would end.
        await self._call.save()
        if not self._call.over:
            self.run(take())

    def expired(self) -> None:
        """
        The session timer has run out.
        """
        call = self._call
        if self._around.isCutOff():
            # It may have been refreshed where it is now.
            call.timer.agree(call.timer.agreed)
            return
        if call.live is not None and self._hears(call.live):
            # It forgot its refresh, but sends media: the rest would be lost.
            call.live.event("sessionTimerExpired")
            call.timer.agree(call.timer.agreed)
        else:
            self.end(lambda: self._life.stop(408, "sessionExpired"))

    def denied(self, status: int) -> None:
        """
        The peer, or a proxy, has answered that there is no such dialog.  Only
        the peer itself says 481; any other is not believed while media comes.
        """
        live = self._call.live
        if status != 481 and live is not None and self._hears(live):
            live.event("dialogDenied", status=status)
        else:
            self.run(self._life.gone())

    def _hears(self, live: LiveRecording) -> bool:
        last = live.lastArrival()
        return last is not None and self._around.now() - last < ALIVE
