"""
Has one call in the store as it is now.
"""

from __future__ import annotations

from typing import Protocol

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from siprec.session.live import LiveRecording
from siprec.session.model import DialogInfo
from siprec.sip.dialog import Dialog
from siprec.sip.flow import Flow
from siprec.sip.interfaces import IServerTransaction
from siprec.sip.message import Response
from siprec.uas.around import Surroundings
from siprec.uas.finals import Finals
from siprec.uas.negotiation import Negotiation
from siprec.uas.sessionclock import SessionClock
from siprec.uas.snapshot import dialogInfo
from siprec.uas.theirs import TheirRequests

__all__ = ["Saving"]


class Saved(Protocol):
    """
    What this needs of its call.
    """

    dialog: Dialog
    flow: Flow
    live: LiveRecording | None
    over: bool
    negotiation: Negotiation
    timer: SessionClock
    peerAllows: frozenset[str]

    def broken(self, failure: Failure) -> None:
        """
        Log what nobody foresaw.
        """


@define(eq=False, repr=False)
class Saving:
    """
    Saves one call.
    """

    _around: Surroundings
    _call: Saved
    _theirs: TheirRequests
    _finals: Finals
    _later: bool = field(default=False, init=False)

    def later(self) -> None:
        """
        L{start}, once others do not wait for an answer: no peer has been promised what is
        to be saved.
        """
        if not self._later:
            self._later = True
            self._around.service.equipment.postponed.turn().addCallback(self._its).addErrback(
                self._call.broken
            )

    def _its(self, _: None) -> None:
        self._later = False
        self.start()

    def start(self) -> None:
        """
        Save the call as it is now, unless it is over; nobody waits for it.
        """
        if not self._call.over:
            Deferred.fromCoroutine(self.save()).addErrback(self._call.broken)

    async def save(self) -> None:
        """
        Have the call as it is now in the store, or find out that another node
        has it.
        """
        live = self._call.live
        if live is not None:
            await self._around.service.save(live, self.dialog())

    def early(self, transaction: IServerTransaction, response: Response) -> DialogInfo:
        """
        The first INVITE is about to be told 100.

        @param response: for another process to give; see L{Finals.add}.
        @return: as of L{dialog}, with that.
        """
        self._finals.add(transaction, response, early=True)
        return self.dialog()

    def dialog(self) -> DialogInfo:
        """
        @return: all that another process needs to go on with the dialog.
        """
        call, number = self._call, self._theirs.takenUp
        return dialogInfo(
            call.dialog if number is None else evolve(call.dialog, remoteCSeq=number),
            call.flow,
            call.negotiation,
            call.timer.agreed,
            self._around.now() - call.timer.elapsed,
            call.peerAllows,
            self._finals.kept,
        )
