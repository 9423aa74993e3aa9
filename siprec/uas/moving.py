"""
Has the media of a running call come to where it is received: other ports than
before (RFC 3261 section 14.1; CONFORMANCE G.5), or for the first time.
"""

from __future__ import annotations

from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from siprec.session.live import LiveRecording
from siprec.sip.dialog import ENDING
from siprec.sip.errors import SipError
from siprec.sip.interfaces import TransactionTimeout
from siprec.sip.message import Response
from siprec.uas.around import Surroundings
from siprec.uas.bodies import readLeniently
from siprec.uas.ours import ATTEMPTS, InCall, OwnRequests

log = Logger()

# Seconds until a move that was refused is tried again: by itself, and after the
# peer has spoken, when its own transaction is over.
_MUCH_LATER, _SOON = 60.0, 1.0


@frozen
class _Outcome:
    """
    What has come of an attempt to have media moved.

    @ivar status: of the peer's answer.  Where it gave none, it is the one that
        RFC 3261 section 8.1.3.1 puts in its place, or 0.
    @ivar reason: why it gave none; empty: it gave one.
    """

    status: int
    reason: str = ""

    @property
    def facts(self) -> dict[str, Any]:
        """
        For the manifest: a status only if the peer gave it.
        """
        return {"reason": self.reason} if self.reason else {"status": self.status}

    @property
    def tells(self) -> bool:
        """
        Whether it says what the peer takes: what it does not take now it may
        well take at another time.
        """
        return self.reason == "noAnswer" or not (self.reason or self.status in (491, 500))


@define(eq=False, repr=False)
class Moving:
    """
    Looks after where one call's media is sent to.
    """

    _around: Surroundings
    _call: InCall
    _ours: OwnRequests
    _moving: bool = field(default=False, init=False)
    _trying: bool = field(default=False, init=False)
    # What has come of the last attempt, as the manifest says.
    _noted: _Outcome | None = field(default=None, init=False)
    # When a move that was refused is tried again.
    _later: IDelayedCall | None = field(default=None, init=False)
    # How many seconds were left until then when the call was suspended.
    _left: float | None = field(default=None, init=False)

    def stop(self) -> None:
        """
        The call is over: try nothing again.
        """
        if self._later is not None:
            self._later.cancel()
            self._later = None

    @property
    def busy(self) -> bool:
        """
        Whether a move is under way, or is just being tried again.
        """
        return self._moving or self._trying

    def suspend(self) -> None:
        """
        Begin nothing until L{restore}.
        """
        if self._later is not None:
            self._left = max(self._later.getTime() - self._around.clock.seconds(), 0.0)
            self._later.cancel()
            self._later = None

    def restore(self, live: LiveRecording) -> None:
        """
        Undo L{suspend}.
        """
        left, self._left = self._left, None
        if left is not None and self._later is None:
            self._later = self._around.clock.callLater(left, self._moveAgain, live)

    def startMove(self, live: LiveRecording) -> Deferred[None]:
        """
        Bring the media to where it is received, if the peer sends it to
        somewhere else: tell the peer, or be where it sends to, whatever of the
        two may be done.  What cannot be done now is tried again later, and when
        the peer speaks.

        @return: fires when that is done for now; it never fails.
        """
        return Deferred.fromCoroutine(self._moveOnce(live)).addErrback(self._call.broken)

    async def tryOnce(self, live: LiveRecording) -> int:
        """
        As L{startMove}, but once, for those who have another way.

        @return: what L{move} gives.
        """
        self._trying = True
        try:
            return await self.move(live)
        finally:
            self._trying = False

    def startReceiving(self, live: LiveRecording) -> Deferred[None]:
        """
        Offer to receive what was answered inactive before (RFC 7866 section 7.2).  A peer
        that refuses goes on as it is.

        @return: fires when that is done; it never fails.
        """
        return Deferred.fromCoroutine(self._receive(live)).addErrback(self._call.broken)

    async def _receive(self, live: LiveRecording) -> None:
        outcome = await self._tried(live)
        if not self._call.over:
            live.event("receptionOffered", **outcome.facts)
            self._learn(outcome)

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
            if not self._call.over and not 200 <= status < 300:
                await self._moveBack(live)
        finally:
            self._moving = False

    async def _moveBack(self, live: LiveRecording) -> None:
        """
        Be where the peer sends to; or try again later.
        """
        call, soon = self._call, _MUCH_LATER
        if "address" in self._around.ways:
            before = len(live.moved)
            await live.moveBack(self._around.keeps)
            if call.over:
                return
            if len(live.moved) < before:
                live.event("mediaAtOldAddress")
                call.saveSoon()
            if not live.moved:
                if not call.negotiation.outdated(live):
                    return
                soon = _SOON  # an offer of the peer's came in between
        if self._later is None:
            self._later = self._around.clock.callLater(soon, self._moveAgain, live)

    def _moveAgain(self, live: LiveRecording) -> None:
        self._later = None
        self.startMove(live)

    async def move(self, live: LiveRecording) -> int:
        """
        Tell the peer where its media is received from now on.  It may refuse
        that (CONFORMANCE J4): then the recording goes on with what comes.

        @return: the status of its answer; 200 if it need not be told; 408 if it
            does not answer; 0 if it could not be asked, or the call is over.
        """
        if not self._call.negotiation.outdated(live):
            return 200
        allowed = "reinvite" in self._around.ways
        outcome = await self._tried(live) if allowed else _Outcome(0, "notAllowed")
        if self._call.over:
            return 0
        if 200 <= outcome.status < 300:
            self._noted = None
        elif outcome != self._noted:
            # Each attempt has the same to say, for as long as the call lasts.
            self._noted = outcome
            live.event("mediaNotMoved", **outcome.facts)
        if self._learn(outcome):
            self._around.moves["moved" if outcome.status < 300 else "refused"] += 1
        return outcome.status

    def _learn(self, outcome: _Outcome) -> bool:
        """
        @return: whether it tells what the peer takes.
        """
        if outcome.tells:
            self._around.peers.answered(self._call.flow.remote[0], outcome.status < 300)
        return outcome.tells

    async def _tried(self, live: LiveRecording) -> _Outcome:
        try:
            return await self._tell(live)
        except CancelledError:
            return _Outcome(0, "over")
        except (TransactionTimeout, TimeoutError) as error:
            outcome, why = _Outcome(408, "noAnswer"), str(error)
        except SipError as error:
            outcome, why = _Outcome(0, "unreachable"), str(error)
        log.info("{callID}: {why}", callID=self._call.dialog.callID, why=why)
        return outcome

    async def _tell(self, live: LiveRecording) -> _Outcome:
        outcome = _Outcome(0, "busy")
        for _ in range(ATTEMPTS):
            if self._call.over or not self._call.negotiation.outdated(live):
                return _Outcome(200, "notNeeded")
            delay: float | None = self._ours.glare()
            # What a peer would answer with 491 (RFC 3261 section 14.1).
            if not self._call.busy and not self._ours.inviting:
                response = await self._offer(live)
                if response is None:
                    return _Outcome(0, "over")
                outcome = _Outcome(response.status)
                delay = self._ours.again(response)
            if delay is None:
                break
            await self._ours.wait(delay)
        return outcome

    async def _offer(self, live: LiveRecording) -> Response | None:
        """
        @return: the peer's answer, or C{None} if the call is over.
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
            response = await self._ours.send(dialog, request)
        except BaseException:
            negotiation.local = before
            raise
        if response.status >= 300:
            negotiation.local = before
            if response.status in ENDING:
                call.peerGone(response.status)
            return None if call.over else response
        if not call.over:
            self._ours.accepted(response)
            bodies = readLeniently(response.headers, response.body)
            for note in bodies.notes:
                live.event("bodyIrregular", reason=note)
            if bodies.description is not None:
                negotiation.peerAnswered(bodies.description, live)
            if live.moved:
                live.event("mediaMoved", streams=list(live.moved))
            live.moved.clear()
            call.saveSoon()
        return response
