"""
What the recorder itself asks of a peer while a call runs: a request at a time,
and by itself a refresh of the session (RFC 4028).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import Protocol

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.sip.dialog import ENDING, Dialog, glareDelay
from siprec.sip.errors import SipError
from siprec.sip.flow import Flow
from siprec.sip.interfaces import FlowGone
from siprec.sip.message import Request, Response
from siprec.sip.sessiontimer import longer, refreshed
from siprec.uas.around import Surroundings
from siprec.uas.negotiation import Negotiation
from siprec.uas.outgoing import refreshRequest
from siprec.uas.sessionclock import SessionClock

log = Logger()

#: How long an INVITE of ours may be without a final response, in seconds: a
#: little longer than the transaction waits for a first one.  No INVITE of the
#: peer's can be taken meanwhile.
INVITE_LIMIT = 35.0

#: How often a request is tried where the peer says "not now".
ATTEMPTS = 10

# Seconds until a refresh is tried again that could not be sent.
_LATER = 1.0

# The longest Retry-After that is waited for, in seconds.
_LONGEST_WAIT = 30

_SECONDS = re.compile(r"\s*([0-9]{1,4})(?![0-9])", re.ASCII)


class InCall(Protocol):
    """
    What requests of ours need of their call.
    """

    dialog: Dialog
    flow: Flow
    over: bool
    negotiation: Negotiation
    timer: SessionClock
    peerAllows: frozenset[str]

    @property
    def busy(self) -> bool:
        """
        Whether a change of the session is under way that the peer asked for.
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

    def peerGone(self, status: int) -> None:
        """
        The peer has given an answer that ends the dialog.
        """


@define(eq=False, repr=False)
class OwnRequests:
    """
    @ivar inviting: whether an INVITE of ours has no final response yet: then
        none of the peer's can be taken, nor any other offer.
    """

    _around: Surroundings
    _call: InCall
    _random: Callable[[], float] = random.random
    inviting: bool = field(default=False, init=False)
    _pending: Deferred[Response] | None = field(default=None, init=False)
    _pauses: list[Deferred[None]] = field(factory=list, init=False)
    _refreshing: bool = field(default=False, init=False)

    def stop(self) -> None:
        """
        The call is over: wait for nothing more.
        """
        if self._pending is not None:
            self._pending.cancel()
        for pause in list(self._pauses):
            pause.cancel()

    @property
    def asking(self) -> bool:
        """
        Whether an INVITE or a refresh of ours is under way, or is just being tried
        again.
        """
        return self.inviting or self._refreshing

    def startRefresh(self) -> None:
        """
        Refresh the session as agreed (RFC 4028 section 7.4).
        """
        if self._around.isCutOff():
            # Who has taken the call meanwhile refreshes it.
            self._call.timer.refreshLater(_LATER)
            return
        Deferred.fromCoroutine(self._refreshOnce()).addErrback(self._call.broken)

    async def _refreshOnce(self) -> None:
        self._refreshing = True
        try:
            await self._refresh()
        finally:
            self._refreshing = False

    async def _refresh(self) -> None:
        call = self._call
        try:
            response = await self._refreshed()
        except (SipError, TimeoutError, CancelledError) as error:
            # The peer's own timer decides; media may well go on.
            log.warn("{callID}: no refresh: {why}", callID=call.dialog.callID, why=str(error))
            return
        if response is None or call.over:
            return
        if response.status in ENDING:
            call.peerGone(response.status)
        elif response.status < 300:
            self.accepted(response)
            call.saveSoon()

    async def _refreshed(self) -> Response | None:
        """
        @return: the peer's last word; C{None} if something else refreshes the
            session.
        """
        call, agreed, response = self._call, self._call.timer.agreed, None
        for _ in range(ATTEMPTS):
            if self.inviting or call.over:
                return None
            updates = "UPDATE" in call.peerAllows
            dialog, request = refreshRequest(
                call.dialog, agreed, call.negotiation.local, updates=updates
            )
            response = await self.send(dialog, request)
            least = longer(response) if response.status == 422 else None
            if least is not None and least > (agreed.interval or 0):
                agreed = evolve(agreed, interval=least)  # RFC 4028 section 7.3
                continue
            delay = self.again(response)
            if delay is None:
                break
            await self.wait(delay)
        return response

    async def update(
        self, headers: Sequence[tuple[str, str]], body: bytes, contentType: str
    ) -> int:
        """
        Send an UPDATE that says something else than a description.

        @return: the status of its answer.
        @raise SipError: there is none.
        @raise CancelledError: the call is over.
        """
        call = self._call
        dialog, request = call.dialog.request(
            "UPDATE",
            headers=[*call.timer.agreed.refreshHeaders, *headers],
            body=body,
            contentType=contentType,
        )
        response = await self.send(dialog, request)
        if response.status < 300 and not call.over:
            self.accepted(response)
        return response.status

    def accepted(self, response: Response) -> None:
        """
        A request that refreshes the session has been answered with this 2xx.
        """
        call = self._call
        call.dialog = call.dialog.refreshed(response)
        call.timer.agree(refreshed(response))
        if "Allow" in response.headers:
            call.peerAllows = frozenset(response.headers.values("Allow"))

    async def send(self, dialog: Dialog, request: Request) -> Response:
        """
        Send a request, once the store knows that its number is used up.

        @param dialog: as it is after that.
        @return: the final response.
        @raise SipError: there is none.
        @raise TimeoutError: there is none to an INVITE.
        @raise CancelledError: the call is over.
        """
        call, around = self._call, self._around
        if around.isCutOff():
            raise FlowGone("others may have taken the call")
        call.dialog = dialog
        invite = request.method == "INVITE"
        self.inviting = self.inviting or invite
        try:
            # The number is used up before anybody sees it; and whoever does not
            # own the call any more finds out here.
            await call.save()
            if call.over:
                raise CancelledError()
            sending = Deferred.fromCoroutine(around.outgoing.send(dialog, request, call.flow))
            if not invite:
                return await sending
            self._pending = sending.addTimeout(INVITE_LIMIT, around.clock)
            return await sending
        finally:
            if invite:
                self._pending, self.inviting = None, False

    def glare(self) -> float:
        """
        @return: how many seconds to wait where both sides have asked at once.
        """
        return glareDelay(self._random())

    def again(self, response: Response) -> float | None:
        """
        @return: after how many seconds the peer may take what it refused.
        """
        if response.status == 491:
            return self.glare()
        after = _SECONDS.match(response.headers.get("Retry-After") or "")
        if response.status != 500 or after is None:
            return None
        return min(int(after[1]), _LONGEST_WAIT)

    async def wait(self, seconds: float) -> None:
        """
        Let time go by.

        @raise CancelledError: the call is over.
        """
        pause: Deferred[None] = deferLater(self._around.clock, seconds)
        self._pauses.append(pause)
        try:
            await pause
        finally:
            self._pauses.remove(pause)
