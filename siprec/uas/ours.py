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

from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.session.live import LiveRecording
from siprec.sip.dialog import ENDING, Dialog, glareDelay
from siprec.sip.errors import SipError
from siprec.sip.flow import Flow
from siprec.sip.message import Request, Response
from siprec.sip.sessiontimer import longer, refreshed
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

# Seconds until a move that was refused is tried again: by itself, and after the
# peer has spoken, when its own transaction is over.
_MUCH_LATER, _SOON = 60.0, 1.0

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
    _moving: bool = field(default=False, init=False)
    # When a move that was refused is tried again.
    _later: IDelayedCall | None = field(default=None, init=False)

    def stop(self) -> None:
        """
        The call is over: wait for nothing more.
        """
        if self._pending is not None:
            self._pending.cancel()
        for pause in list(self._pauses):
            pause.cancel()
        if self._later is not None:
            self._later.cancel()
            self._later = None

    async def refresh(self) -> None:
        """
        Refresh the session as agreed (RFC 4028 section 7.4).
        """
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
            self._accepted(response)
            call.saveSoon()

    async def _refreshed(self) -> Response | None:
        """
        @return: the peer's last word; C{None} if something else refreshes the
            session.
        """
        call, agreed, response = self._call, self._call.timer.agreed, None
        for _ in range(_ATTEMPTS):
            if self.inviting or call.over:
                return None
            updates = "UPDATE" in call.peerAllows
            dialog, request = refreshRequest(
                call.dialog, agreed, call.negotiation.local, updates=updates
            )
            response = await self._send(dialog, request)
            least = longer(response) if response.status == 422 else None
            if least is not None and least > (agreed.interval or 0):
                agreed = evolve(agreed, interval=least)  # RFC 4028 section 7.3
                continue
            delay = self._again(response)
            if delay is None:
                break
            await self._wait(delay)
        return response

    def startMove(self, live: LiveRecording) -> Deferred[None]:
        """
        Bring the media to where it is received, if the peer sends it to
        somewhere else: tell the peer, or be where it sends to, whatever of the
        two may be done.  What cannot be done now is tried again later, and when
        the peer speaks.

        @return: fires when that is done for now; it never fails.
        """
        return Deferred.fromCoroutine(self._moveOnce(live)).addErrback(self._call.broken)

    def peerSpoke(self, live: LiveRecording) -> None:
        """
        A request of the peer has come: it can be reached again, and may take
        now what it did not take before.
        """
        if self._later is not None:
            self._later.reset(_SOON)

    async def _moveOnce(self, live: LiveRecording) -> None:
        if self._moving:
            return
        self._moving = True
        try:
            status = await self.move(live)
        finally:
            self._moving = False
        if status < 300 or self._call.over:
            return
        if "address" in self._around.ways and await live.moveBack(self._around.keeps):
            live.event("mediaAtOldAddress")
            self._call.saveSoon()
        elif "reinvite" in self._around.ways and self._later is None:
            self._later = self._around.clock.callLater(_MUCH_LATER, self._moveAgain, live)

    def _moveAgain(self, live: LiveRecording) -> None:
        self._later = None
        self.startMove(live)

    async def move(self, live: LiveRecording) -> int:
        """
        Tell the peer where its media is received from now on.  It may refuse
        that (CONFORMANCE J4): then the recording goes on with what comes.

        @return: the status of its answer; 200 if it need not be told; 408 if it
            does not answer; 0 if the call is over.
        """
        if not self._call.negotiation.outdated(live):
            return 200
        status = 403
        if "reinvite" in self._around.ways:
            try:
                status = await self._tell(live)
            except (SipError, TimeoutError) as error:
                log.info("{callID}: {why}", callID=self._call.dialog.callID, why=str(error))
                status = 408
            except CancelledError:
                return 0  # the call is over
        if self._call.over:
            return 0
        if status >= 300:
            live.event("mediaNotMoved", status=status)
        if status not in (403, 491, 500):
            # What it says for now says nothing of what it takes.
            self._around.peers.answered(self._call.flow.remote[0], status < 300)
        return status

    async def _tell(self, live: LiveRecording) -> int:
        status = 200
        for _ in range(_ATTEMPTS):
            if self._call.over or not self._call.negotiation.outdated(live):
                return 200
            delay: float | None = glareDelay(self._random())
            if self._call.busy or self.inviting:
                status = 491  # what a peer would say to it (RFC 3261 section 14.1)
            else:
                response = await self._offer(live)
                if response is None or self._call.over:
                    return 200
                status = response.status
                delay = self._again(response)
            if delay is None:
                break
            await self._wait(delay)
        return status

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
            if response.status in ENDING:
                call.peerGone(response.status)
            return None if call.over else response
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
        pause: Deferred[None] = deferLater(self._around.clock, seconds)
        self._pauses.append(pause)
        try:
            await pause
        finally:
            self._pauses.remove(pause)
