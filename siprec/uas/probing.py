"""
Whether a dialog of which nothing is heard still is: the peer is asked by OPTIONS in it
(RFC 3261 section 11, RFC 5057 section 5.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.session.live import LiveRecording
from siprec.sip.dialog import ENDING, Dialog
from siprec.sip.errors import SipError
from siprec.sip.flow import Flow
from siprec.sip.interfaces import Abandoned
from siprec.uas.around import Surroundings

__all__ = ["ATTEMPTS", "Probing"]

log = Logger()

#: How often a peer is asked in a row before the call is taken for dead: a network may
#: be away for longer than one transaction lasts.
ATTEMPTS = 2

# The most peers that are asked at a time: after a sleep of this host all calls are quiet.
_AT_ONCE = 100


class Probed(Protocol):
    """
    What this needs of a call.
    """

    dialog: Dialog
    flow: Flow
    live: LiveRecording | None
    over: bool
    heard: float
    peerAllows: frozenset[str]

    async def save(self) -> None:
        """
        Have the call as it is now in the store, or find out that another node
        has it.
        """

    def peerGone(self, status: int) -> None:
        """
        The peer has given an answer that ends the dialog.
        """

    def timedOut(self, reason: str) -> None:
        """
        End the call, as nothing has come for too long.
        """

    def broken(self, failure: Failure) -> None:
        """
        Log what nobody foresaw.
        """


@define(eq=False, repr=False)
class Probing:
    """
    Asks in all dialogs in which nothing has come for C{_after} seconds, no media either.

    @ivar _unanswered: how often each has been asked in vain.
    @ivar _asking: those that are being asked.
    """

    _around: Surroundings
    _after: float
    _unanswered: dict[Probed, int] = field(factory=dict, init=False)
    _asking: set[Probed] = field(factory=set, init=False)

    def look(self, calls: Iterable[Probed]) -> None:
        """
        @param calls: all of this node that are recorded.
        """
        now = self._around.now()
        quiet = [each for each in calls if now - _lastSign(each) >= self._after]
        self._unanswered = {
            each: self._unanswered[each] for each in quiet if each in self._unanswered
        }
        for call in quiet:
            if call not in self._asking and len(self._asking) < _AT_ONCE and _mayBeAsked(call):
                self._asking.add(call)
                asking = Deferred.fromCoroutine(self._ask(call))
                asking.addErrback(call.broken).addCallback(self._asked, call)

    def _asked(self, _: None, call: Probed) -> None:
        self._asking.discard(call)

    async def _ask(self, call: Probed) -> None:
        call.dialog, request = call.dialog.request("OPTIONS")
        # The number is used up before anybody sees it; and whoever does not own the
        # call any more finds out here.
        await call.save()
        if call.over:
            return
        try:
            sending = self._around.outgoing.send(call.dialog, request, call.flow)
            status = (await sending).status
        except Abandoned:
            return
        except SipError as error:
            log.info("{callID}: OPTIONS: {why}", callID=call.dialog.callID, why=str(error))
            status = 408
        if not call.over and not self._around.isCutOff():
            self._answered(call, status)

    def _answered(self, call: Probed, status: int) -> None:
        if status in ENDING:
            call.peerGone(status)
            return
        if status != 408:
            call.heard = self._around.now()
            self._unanswered.pop(call, None)
            return
        count = self._unanswered[call] = self._unanswered.get(call, 0) + 1
        if count >= ATTEMPTS and call.live is not None:
            log.warn(
                "{recording}: its peer does not answer",
                recording=call.live.recording.id,
                callID=call.dialog.callID,
            )
            call.live.event("noSignOfLife", asked="OPTIONS")
            call.timedOut("timeout")


def _lastSign(call: Probed) -> float:
    media = None if call.live is None else call.live.lastArrival()
    return max(call.heard, media or 0.0)


def _mayBeAsked(call: Probed) -> bool:
    takes = not call.peerAllows or "OPTIONS" in call.peerAllows
    return takes and call.dialog.confirmed and not call.over
