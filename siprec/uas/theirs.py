"""
What a peer asks of a running call, taken up one after the other in the order of
the CSeq (CONFORMANCE J1), each answered once the store knows the answer.
"""

from __future__ import annotations

from typing import Protocol

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredLock
from twisted.python.failure import Failure

from siprec.metadata.relay import Pressed, readRelay
from siprec.session.live import LiveRecording
from siprec.sip.dialog import Dialog
from siprec.sip.interfaces import IServerTransaction
from siprec.sip.message import Request, Response
from siprec.sip.sessiontimer import TimerSettings, TooSmall, negotiate
from siprec.uas.around import RETRY_AFTER
from siprec.uas.bodies import BadBody, Bodies, readBodies, readLeniently
from siprec.uas.negotiation import Negotiation
from siprec.uas.ours import OwnRequests
from siprec.uas.responses import ok, refusal
from siprec.uas.sessionclock import SessionClock

_TIMER = TimerSettings()

# Seconds after which a re-INVITE is told 100: a save is waited for up to two.
_LONGEST_SILENCE = 2.5

# How many digits told by INFO are kept: each makes what is saved of the call longer.
_MOST_DIGITS = 1000


class Asked(Protocol):
    """
    What requests of the peer need of their call.
    """

    dialog: Dialog
    over: bool
    fenced: bool
    negotiation: Negotiation
    timer: SessionClock

    def noteAllowed(self, request: Request) -> None:
        """
        Remember which methods the peer takes.
        """

    async def promise(
        self, transaction: IServerTransaction, response: Response, offers: bool = False
    ) -> None:
        """
        Have the call in the store, and in it this final response, which is to
        be given next.
        """

    def accept(self, transaction: IServerTransaction, response: Response) -> None:
        """
        Send a 2xx to an INVITE, and repeat it until the ACK.
        """

    def passOn(self, transaction: IServerTransaction) -> None:
        """
        The call is another node's: that one is to answer.
        """

    def byeAnswered(self) -> None:
        """
        The peer has ended the call.
        """

    def broken(self, failure: Failure) -> None:
        """
        Log what nobody foresaw.
        """


@define(eq=False, repr=False)
class TheirRequests:
    """
    @ivar offered: CSeq of the INVITE whose 200 carried an offer of ours: its
        ACK has the answer.
    """

    _call: Asked
    _ours: OwnRequests
    offered: int | None = field(default=None, init=False)
    _turn: DeferredLock = field(factory=DeferredLock, init=False)
    # CSeq of each request whose turn has not come.
    _waiting: list[int] = field(factory=list, init=False)

    @property
    def takenUp(self) -> int | None:
        """
        The highest CSeq that must not be taken again, should another process
        go on with the call; C{None}: that of the last request.
        """
        return min(self._waiting) - 1 if self._waiting else None

    @property
    def busy(self) -> bool:
        """
        Whether a change of the session is under way.
        """
        return self._turn.locked or self.offered is not None

    def refuse(
        self,
        transaction: IServerTransaction,
        status: int,
        why: str,
        retryAfter: int | None = None,
    ) -> None:
        """
        Refuse what changes nothing, and need not be remembered.

        @param retryAfter: seconds.
        """
        transaction.respond(
            refusal(self._call.dialog, transaction.request, status, why, retryAfter=retryAfter)
        )

    def received(
        self, transaction: IServerTransaction, request: Request, live: LiveRecording
    ) -> None:
        """
        Take up a request when its turn has come.
        """

        self._waiting.append(request.cseq.number)
        if request.method == "INVITE":
            # It waits for the store only.  Until that has the answer, another process has
            # to rely on a copy, and whoever is told 100 sends none.
            transaction.defer(_LONGEST_SILENCE)

        def take() -> Deferred[None]:
            self._waiting.remove(request.cseq.number)
            return Deferred.fromCoroutine(self._take(transaction, request, live))

        self._turn.run(take).addErrback(self._failed, transaction)

    def ackReceived(self, ack: Request, live: LiveRecording) -> None:
        """
        Take in the body of an ACK that was awaited.
        """
        bodies = readLeniently(ack.headers, ack.body)
        self._receive(bodies, live)
        if self.offered != ack.cseq.number:
            return
        self.offered = None
        if bodies.description is None:
            # What our offer says may come all the same.
            live.event("offerNotAnswered")
        else:
            self._call.negotiation.peerAnswered(bodies.description, live)

    async def _take(
        self, transaction: IServerTransaction, request: Request, live: LiveRecording
    ) -> None:
        if self._call.fenced:
            self._call.passOn(transaction)
        elif self._call.over:
            self.refuse(transaction, 481, "the call has ended")
        elif request.method == "BYE":
            await self._bye(transaction, request, live)
        elif request.method == "INFO":
            await self._info(transaction, request, live)
        else:
            await self._modify(transaction, request, live)

    async def _bye(
        self, transaction: IServerTransaction, request: Request, live: LiveRecording
    ) -> None:
        # RFC 8068 section 3.2.4: the last metadata may come in the BYE itself.
        self._receive(readLeniently(request.headers, request.body), live)
        reason = request.headers.get("Reason")
        # From here on nobody who has the record may go on with the call.
        live.ending("bye", {} if reason is None else {"reason": reason})
        response = self._call.dialog.response(request, 200)
        await self._call.promise(transaction, response)
        if self._call.fenced:
            self._call.passOn(transaction)
            return
        transaction.respond(response)
        self._call.byeAnswered()

    async def _info(
        self, transaction: IServerTransaction, request: Request, live: LiveRecording
    ) -> None:
        if "Info-Package" in request.headers:
            # RFC 6086 section 4.2.2; the empty header says that there are none.
            headers = [("Recv-Info", "")]
            transaction.respond(self._call.dialog.response(request, 469, headers=headers))
            return
        pressed = readRelay(request.headers.get("Content-Type") or "", request.body)
        if pressed is not None:
            self._pressed(pressed, live)
        # Else it is a picture request or the like: that concerns the call, not us.
        bodies = readLeniently(request.headers, request.body)
        response = ok(self._call.dialog, request)
        if bodies.documents:
            self._receive(bodies, live)
            await self._answer(transaction, response)
        else:
            transaction.respond(response)

    def _pressed(self, pressed: Pressed, live: LiveRecording) -> None:
        if live.recording.pause is not None:
            return
        if sum(each["type"] == "dtmf" for each in live.recording.events) < _MOST_DIGITS:
            facts = live.mask.pressed(pressed.digit)
            live.event("dtmf", **facts, durationMs=pressed.milliseconds, by="INFO")

    async def _modify(
        self, transaction: IServerTransaction, request: Request, live: LiveRecording
    ) -> None:
        call = self._call
        try:
            bodies = readBodies(request.headers, request.body)
            if bodies.description is not None:
                call.negotiation.check(bodies.description)
        except BadBody as error:
            # The session goes on as it was (RFC 3261 section 14.2).
            await self._refuse(transaction, error.status, error.why, error.headers)
            return
        if self._ours.inviting and (request.method == "INVITE" or bodies.description is not None):
            # RFC 3261 section 14.2, RFC 3311 section 5.2.
            await self._refuse(transaction, 491, "our own INVITE is under way")
            return
        timer = negotiate(request, _TIMER)
        if isinstance(timer, TooSmall):
            await self._refuse(transaction, 422, "session interval", timer.headers)
            return
        if bodies.description is not None and self.offered is not None:
            if request.method == "UPDATE":
                # RFC 3311 section 5.2.
                await self._refuse(transaction, 491, "our offer has not been answered yet")
                return
            self.offered = None
        for document in bodies.documents:
            live.receive(document)
        body = self._description(request, bodies, live)
        call.dialog = call.dialog.refreshed(request)
        call.noteAllowed(request)
        call.timer.agree(timer)
        offers = self.offered == request.cseq.number
        await self._answer(transaction, ok(call.dialog, request, timer, body), offers)

    def _description(self, request: Request, bodies: Bodies, live: LiveRecording) -> bytes:
        """
        @return: our side of the session, as the peer asks for it.
        """
        if bodies.description is not None:
            return self._call.negotiation.answer(bodies.description, live).serialize()
        if request.method != "INVITE":
            return b""
        # RFC 3261 section 14.2: an INVITE without an offer asks for ours.
        self.offered = request.cseq.number
        return self._call.negotiation.offer(live).serialize()

    async def _refuse(
        self,
        transaction: IServerTransaction,
        status: int,
        why: str,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        response = refusal(self._call.dialog, transaction.request, status, why, headers)
        await self._answer(transaction, response)

    async def _answer(
        self, transaction: IServerTransaction, response: Response, offers: bool = False
    ) -> None:
        call = self._call
        await call.promise(transaction, response, offers)
        if call.fenced:
            call.passOn(transaction)
        elif call.over:
            # Ended by us meanwhile (RFC 3261 section 15.1.2).
            self.refuse(transaction, 487, "the call has ended")
        elif response.cseq.method == "INVITE" and response.status < 300:
            call.accept(transaction, response)
        else:
            transaction.respond(response)

    def _failed(self, failure: Failure, transaction: IServerTransaction) -> None:
        self._call.broken(failure)
        if self._call.fenced:
            self._call.passOn(transaction)
        elif not transaction.answered:
            self.refuse(transaction, 500, "internal error", RETRY_AFTER)

    def _receive(self, bodies: Bodies, live: LiveRecording) -> None:
        for document in bodies.documents:
            live.receive(document)
        for note in bodies.notes:
            live.event("bodyIrregular", reason=note)
