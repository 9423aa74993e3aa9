"""
What the recorder itself asks of a peer while a call runs: a refresh of the
session (RFC 4028), and that the media come to other ports (RFC 3261 section
14.1; CONFORMANCE G.5).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Protocol

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.task import deferLater
from twisted.logger import Logger

from siprec.session.live import LiveRecording
from siprec.sip.dialog import Dialog, glareDelay
from siprec.sip.errors import SipError
from siprec.sip.flow import Flow
from siprec.sip.message import Request, Response
from siprec.sip.sessiontimer import refreshed
from siprec.uas.around import Surroundings
from siprec.uas.bodies import readLeniently
from siprec.uas.negotiation import Negotiation
from siprec.uas.outgoing import refreshRequest
from siprec.uas.sessionclock import SessionClock

log = Logger()

#: How long an INVITE of ours may be without a final response, in seconds: a
#: little longer than the transaction waits for a first one.  No INVITE of the
#: peer's can be taken meanwhile.
INVITE_LIMIT = 35.0

# How often a move is tried where the peer says "not now".
_ATTEMPTS = 10

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

    def peerGone(self) -> None:
        """
        The peer does not know the call any more.
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
    _pending: Deferred[Response] | None = field(default=None, init=False)
    _pause: Deferred[None] | None = field(default=None, init=False)

    @property
    def inviting(self) -> bool:
        return self._pending is not None

    def stop(self) -> None:
        """
        The call is over: wait for nothing more.
        """
        for each in (self._pending, self._pause):
            if each is not None:
                each.cancel()

    async def refresh(self) -> None:
        """
        Refresh the session as agreed (RFC 4028 section 7.4).
        """
        call = self._call
        if self.inviting:
            return  # that refreshes it, too
        dialog, request = refreshRequest(
            call.dialog,
            call.timer.agreed,
            call.negotiation.local,
            updates="UPDATE" in call.peerAllows,
        )
        try:
            response = await self._send(dialog, request)
        except (SipError, TimeoutError, CancelledError) as error:
            # The peer's own timer decides; media may well go on.
            log.warn("{callID}: no refresh: {why}", callID=dialog.callID, why=str(error))
            return
        if response.status == 481:
            call.peerGone()
        elif response.status < 300 and not call.over:
            self._accepted(response)
            call.saveSoon()

    async def move(self, live: LiveRecording) -> None:
        """
        Tell the peer where its media is received from now on.  It may refuse
        that (CONFORMANCE J4): then the recording goes on with what comes.
        """
        status: int | None = None
        try:
            for _ in range(_ATTEMPTS):
                if self._call.over or not self._call.negotiation.outdated(live):
                    return
                delay: float | None = glareDelay(self._random())
                if self._call.busy or self.inviting:
                    status = 491  # what a peer would say to it (RFC 3261 section 14.1)
                else:
                    response = await self._offer(live)
                    if response is None or self._call.over:
                        return
                    status = response.status
                    delay = self._again(response)
                if delay is None:
                    break
                await self._wait(delay)
        except (SipError, TimeoutError) as error:
            log.info("{callID}: {why}", callID=self._call.dialog.callID, why=str(error))
            status = 408
        except CancelledError:
            return  # the call is over
        live.event("mediaNotMoved", status=status)

    async def _offer(self, live: LiveRecording) -> Response | None:
        """
        @return: the peer's refusal, or C{None} if there is nothing more to do.
        """
        call, negotiation = self._call, self._call.negotiation
        before = negotiation.local
        body = negotiation.offer(live).serialize()
        # A re-INVITE that says nothing of the session timer would turn it off.
        dialog, request = call.dialog.request(
            "INVITE",
            headers=call.timer.agreed.refreshHeaders,
            body=body,
            contentType="application/sdp",
        )
        try:
            response = await self._send(dialog, request)
        except BaseException:
            negotiation.local = before
            raise
        if response.status >= 300:
            negotiation.local = before
            if response.status == 481:
                call.peerGone()
                return None
            return response
        if not call.over:
            self._accepted(response)
            bodies = readLeniently(response.headers, response.body)
            for note in bodies.notes:
                live.event("bodyIrregular", reason=note)
            if bodies.description is not None:
                negotiation.peerAnswered(bodies.description, live)
            live.event("mediaMoved", streams=list(live.moved))
            live.moved.clear()
            call.saveSoon()
        return None

    def _accepted(self, response: Response) -> None:
        call = self._call
        call.dialog = call.dialog.refreshed(response)
        call.timer.agree(refreshed(response))
        if "Allow" in response.headers:
            call.peerAllows = frozenset(response.headers.values("Allow"))

    async def _send(self, dialog: Dialog, request: Request) -> Response:
        call, around = self._call, self._around
        call.dialog = dialog
        call.saveSoon()
        sending = Deferred.fromCoroutine(around.outgoing.send(dialog, request, call.flow))
        if request.method != "INVITE":
            return await sending
        self._pending = sending.addTimeout(INVITE_LIMIT, around.clock)
        try:
            return await sending
        finally:
            self._pending = None

    def _again(self, response: Response) -> float | None:
        """
        @return: after how many seconds the peer may take what it refused.
        """
        if response.status == 491:
            return glareDelay(self._random())
        after = _SECONDS.match(response.headers.get("Retry-After") or "")
        if response.status != 500 or after is None:
            return None
        return min(int(after[1]), _LONGEST_WAIT)

    async def _wait(self, seconds: float) -> None:
        self._pause = deferLater(self._around.clock, seconds)
        try:
            await self._pause
        finally:
            self._pause = None
