"""
One recording session's dialog, seen from the recorder: SIP on the one side, a
live recording on the other.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.media.ports import NoFreePorts
from siprec.session.life import Answer, CallLife, Effects, Finish, Reject, SendBye, callLife
from siprec.session.live import LiveRecording
from siprec.session.service import NoRoom
from siprec.sip.dialog import Dialog
from siprec.sip.errors import SipError
from siprec.sip.flow import Flow
from siprec.sip.interfaces import IServerTransaction
from siprec.sip.message import Request, Response
from siprec.sip.sessiontimer import Agreed, TimerSettings, TooSmall, negotiate, refreshed
from siprec.uas.admission import ALLOW
from siprec.uas.answers import Answers
from siprec.uas.around import RETRY_AFTER, Surroundings, warning
from siprec.uas.bodies import ACCEPT, BadBody, Bodies, readBodies, readLeniently
from siprec.uas.negotiation import Negotiation
from siprec.uas.outgoing import refreshRequest
from siprec.uas.sessionclock import SessionClock
from siprec.uas.snapshot import dialogInfo

log = Logger()

_TIMER = TimerSettings()

#: A call whose media came within so many seconds is alive, whatever the session
#: timer says.
_ALIVE = 30.0


@define(eq=False, repr=False)
class Call:
    """
    @ivar dialog: as it is now.
    @ivar flow: what the peer's last request came by.
    @ivar live: the recording, once it has begun.
    @ivar over: whether the dialog has ended.
    """

    _around: Surroundings
    _invite: IServerTransaction
    _bodies: Bodies
    dialog: Dialog
    flow: Flow
    _onEnd: Callable[[Call], None]
    live: LiveRecording | None = field(default=None, init=False)
    over: bool = field(default=False, init=False)
    _life: CallLife = field(factory=callLife, init=False)
    _negotiation: Negotiation = field(init=False)
    _answers: Answers = field(init=False)
    _clock: SessionClock = field(init=False)
    # Requests that change the session are taken up one after the other, in the
    # order of their CSeq (CONFORMANCE J1).
    _turn: DeferredLock = field(factory=DeferredLock, init=False)
    # CSeq of the INVITE whose 200 carried an offer of ours: its ACK has the
    # answer.
    _offered: int | None = field(default=None, init=False)
    _peerAllows: frozenset[str] = field(default=frozenset(), init=False)
    _received: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        clock = self._around.clock
        self._negotiation = self._around.negotiation()
        self._answers = Answers(clock, lambda: self._run(self._life.unacknowledged()))
        self._clock = SessionClock(clock, self._refresh, self._expired)
        self._received = clock.seconds()

    # The first INVITE.

    def begin(self) -> Deferred[None]:
        """
        Open the recording and answer the INVITE.

        @return: fires when it has been answered.
        """
        return Deferred.fromCoroutine(self._begin()).addErrback(self._beginFailed)

    async def _begin(self) -> None:
        around, request = self._around, self._invite.request
        timer = negotiate(request, _TIMER)
        if isinstance(timer, TooSmall):
            self._fail(Reject(422, "session interval", headers=timer.headers))
            return
        description = self._bodies.description
        streams = [] if description is None else self._negotiation.begin(description)
        if not streams:
            why = self._negotiation.refusals() or "no session description"
            self._fail(Reject(488, why))
            return
        advertise, bind = around.mediaHosts(self.flow)
        try:
            live = await around.service.begin(
                callID=request.callID,
                sip=around.describe(request, self.flow),
                headers=list(request.headers),
                streams=streams,
                documents=list(self._bodies.documents),
                advertise=advertise,
                bind=bind,
            )
        except (NoFreePorts, NoRoom) as error:
            log.error("{callID}: not recorded: {why}", callID=request.callID, why=str(error))
            self._fail(Reject(503, str(error), RETRY_AFTER))
            return
        self.live = live
        for note in self._bodies.notes:
            live.event("bodyIrregular", reason=note)
        answer = self._negotiation.firstAnswer(live).serialize()
        self._noteAllowed(request)
        self._clock.agree(timer)
        await self._save(live)
        effects = self._life.opened()
        if Answer() in effects:
            self._answers.send(self._invite, self._ok(request, timer, answer))
            self._count("accepted")
        self._run(effects)

    def _fail(self, rejection: Reject) -> None:
        self._run(self._life.failed(rejection))
        self._end()

    def _beginFailed(self, failure: Failure) -> None:
        """
        What nobody foresaw must leave neither an INVITE without an answer nor
        a recording that nobody ends.
        """
        self._broken(failure)
        self._fail(Reject(500, "internal error", RETRY_AFTER))
        if self.live is not None:
            self._around.service.finish(self.live, "internalError")

    def _reject(self, rejection: Reject) -> None:
        status, text = rejection.status, rejection.text
        self._refuse(self._invite, status, text, rejection.headers, rejection.retryAfter)
        self._count("cancelled" if status == 487 else "rejected")

    def _count(self, result: str) -> None:
        metrics = self._around.metrics
        metrics.invites.labels(result).inc()
        metrics.answerSeconds.observe(self._around.clock.seconds() - self._received)

    # What the peer sends in the dialog.

    def cancel(self) -> None:
        """
        A CANCEL for our INVITE came.
        """
        self._run(self._life.cancel())

    def ackReceived(self, ack: Request, flow: Flow) -> None:
        """
        The ACK to one of our 200s.
        """
        self.flow = flow
        number = ack.cseq.number
        # It comes again with each 200 that crossed it; its body counts once.
        awaited = self._answers.acknowledged(number)
        self.dialog = evolve(self.dialog, confirmed=True)
        if self.live is not None and ack.body and awaited:
            self._takeAck(ack, number, self.live)
        self._run(self._life.ack())

    def _takeAck(self, ack: Request, number: int, live: LiveRecording) -> None:
        bodies = readLeniently(ack.headers, ack.body)
        self._receive(bodies, live)
        if bodies.description is not None and self._offered == number:
            self._offered = None
            self._negotiation.peerAnswered(bodies.description, live)

    def requestReceived(self, transaction: IServerTransaction, request: Request) -> None:
        """
        A request in this dialog came.
        """
        dialog, status = self.dialog.received(request)
        if status is not None:
            self._refuse(transaction, status, "CSeq is lower than the last one's")
            return
        if self.live is None:
            # Not answered yet (RFC 3261 section 14.2).
            self._refuse(transaction, 500, "the first INVITE is not answered yet", retryAfter=1)
            return
        self.dialog, self.flow = dialog, transaction.flow
        if request.method == "OPTIONS":
            transaction.respond(self._ok(request))
        else:
            self._takeInTurn(transaction, request, self.live)

    def _takeInTurn(
        self, transaction: IServerTransaction, request: Request, live: LiveRecording
    ) -> None:
        def take() -> Deferred[None]:
            return Deferred.fromCoroutine(self._take(transaction, request, live))

        self._turn.run(take).addErrback(self._takeFailed, transaction)

    async def _take(
        self, transaction: IServerTransaction, request: Request, live: LiveRecording
    ) -> None:
        if self.over:
            self._refuse(transaction, 481, "the call has ended")
        elif request.method == "BYE":
            self._bye(transaction, request, live)
        elif request.method == "INFO":
            await self._info(transaction, request, live)
        else:
            await self._modify(transaction, request, live)

    def _bye(self, transaction: IServerTransaction, request: Request, live: LiveRecording) -> None:
        # RFC 8068 section 3.2.4: the last metadata may come in the BYE itself.
        self._receive(readLeniently(request.headers, request.body), live)
        reason = request.headers.get("Reason")
        live.event("bye", **({} if reason is None else {"reason": reason}))
        transaction.respond(self.dialog.response(request, 200))
        self._run(self._life.bye())

    async def _info(
        self, transaction: IServerTransaction, request: Request, live: LiveRecording
    ) -> None:
        if "Info-Package" in request.headers:
            # RFC 6086 section 4.2.2; the empty header says that there are none.
            headers = [("Recv-Info", "")]
            transaction.respond(self.dialog.response(request, 469, headers=headers))
            return
        # Else it is DTMF or a picture request: they concern the call, not us.
        bodies = readLeniently(request.headers, request.body)
        if bodies.documents:
            self._receive(bodies, live)
            await self._save(live)
        transaction.respond(self._ok(request))

    async def _modify(
        self, transaction: IServerTransaction, request: Request, live: LiveRecording
    ) -> None:
        try:
            bodies = readBodies(request.headers, request.body)
            if bodies.description is not None:
                self._negotiation.check(bodies.description)
        except BadBody as error:
            # The session goes on as it was (RFC 3261 section 14.2).
            self._refuse(transaction, error.status, error.why, error.headers)
            return
        timer = negotiate(request, _TIMER)
        if isinstance(timer, TooSmall):
            self._refuse(transaction, 422, "session interval", timer.headers)
            return
        if bodies.description is not None and self._offered is not None:
            if request.method == "UPDATE":
                # RFC 3311 section 5.2.
                self._refuse(transaction, 491, "our offer has not been answered yet")
                return
            self._offered = None
        for document in bodies.documents:
            live.receive(document)
        body = b""
        if bodies.description is not None:
            body = self._negotiation.answer(bodies.description, live).serialize()
        elif request.method == "INVITE":
            # RFC 3261 section 14.2: an INVITE without an offer asks for ours.
            body = self._negotiation.offer(live).serialize()
            self._offered = request.cseq.number
        self.dialog = self.dialog.refreshed(request)
        self._noteAllowed(request)
        self._clock.agree(timer)
        await self._save(live)
        if self.over:
            # Ended by us meanwhile (RFC 3261 section 15.1.2).
            self._refuse(transaction, 487, "the call has ended")
            return
        response = self._ok(request, timer, body)
        if request.method == "INVITE":
            self._answers.send(transaction, response)
        else:
            transaction.respond(response)

    def _takeFailed(self, failure: Failure, transaction: IServerTransaction) -> None:
        self._broken(failure)
        if not transaction.answered:
            self._refuse(transaction, 500, "internal error", retryAfter=RETRY_AFTER)

    def _receive(self, bodies: Bodies, live: LiveRecording) -> None:
        for document in bodies.documents:
            live.receive(document)
        for note in bodies.notes:
            live.event("bodyIrregular", reason=note)

    def _noteAllowed(self, request: Request) -> None:
        if "Allow" in request.headers:
            self._peerAllows = frozenset(request.headers.values("Allow"))

    # What we send.

    def _ok(self, request: Request, timer: Agreed | None = None, body: bytes = b"") -> Response:
        headers = [("Allow", ALLOW), ("Accept", ACCEPT)]
        if timer is not None:
            headers += [("Supported", "timer"), *timer.headers]
        contentType = "application/sdp" if body else None
        return self.dialog.response(
            request, 200, headers=headers, body=body, contentType=contentType
        )

    def _refuse(
        self,
        transaction: IServerTransaction,
        status: int,
        why: str | None,
        headers: tuple[tuple[str, str], ...] = (),
        retryAfter: int | None = None,
    ) -> None:
        extra = [*headers] if why is None else [*headers, warning(why)]
        if retryAfter is not None:
            extra.append(("Retry-After", str(retryAfter)))
        transaction.respond(self.dialog.response(transaction.request, status, headers=extra))

    def _refresh(self) -> None:
        Deferred.fromCoroutine(self._refreshSession()).addErrback(self._broken)

    async def _refreshSession(self) -> None:
        """
        Refresh the session as agreed (RFC 4028 section 7.4).
        """
        self.dialog, request = refreshRequest(
            self.dialog,
            self._clock.agreed,
            self._negotiation.local,
            updates="UPDATE" in self._peerAllows,
        )
        try:
            response = await self._around.outgoing.send(self.dialog, request, self.flow)
        except SipError as error:
            # The peer's own timer decides; media may well go on.
            log.warn("{callID}: no refresh: {why}", callID=self.dialog.callID, why=str(error))
            return
        if response.status == 481:
            self._run(self._life.gone())
        elif response.status < 300 and not self.over:
            self.dialog = self.dialog.refreshed(response)
            self._clock.agree(refreshed(response))

    def _expired(self) -> None:
        last = None if self.live is None else self.live.lastArrival()
        if self.live is not None and last is not None and self._around.now() - last < _ALIVE:
            # The peer forgot its refresh but sends media: to hang up now would
            # lose the rest of the call.
            self.live.event("sessionTimerExpired")
            self._clock.agree(self._clock.agreed)
        else:
            self._run(self._life.stop(408, "sessionExpired"))

    async def _sendBye(self, cause: int, text: str) -> None:
        self.dialog = await self._around.outgoing.bye(self.dialog, self.flow, cause, text)

    # The end.

    def stop(self, cause: int, reason: str) -> None:
        """
        End the call from our side.

        @param cause: SIP status for the peer (RFC 3326).
        @param reason: C{endReason} of the manifest.
        """
        self._run(self._life.stop(cause, reason))

    def _run(self, effects: Effects) -> None:
        for effect in effects:
            if isinstance(effect, Reject):
                self._reject(effect)
            elif isinstance(effect, SendBye):
                bye = self._sendBye(effect.cause, effect.text)
                Deferred.fromCoroutine(bye).addErrback(self._broken)
            elif isinstance(effect, Finish):
                self._end()
                if self.live is not None:
                    self._around.service.finish(self.live, effect.reason)

    def _end(self) -> None:
        self.over = True
        self._answers.stop()
        self._clock.stop()
        self._onEnd(self)

    async def _save(self, live: LiveRecording) -> None:
        now = self._around.now()
        info = dialogInfo(self.dialog, self.flow, self._negotiation, self._clock.agreed, now)
        await self._around.service.save(live, info)

    def _broken(self, failure: Failure) -> None:
        log.failure("{callID}: unforeseen", failure, callID=self.dialog.callID)
        self._around.metrics.unhandledErrors.inc()
