"""
One recording session's dialog, seen from the recorder: SIP on the one side, a
live recording on the other.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.sdp.parse import parseSDP
from siprec.session.life import Answer, CallLife, Effects, Finish, Reject, SendBye, callLife
from siprec.session.live import LiveRecording
from siprec.session.model import DialogInfo
from siprec.sip.dialog import Dialog
from siprec.sip.flow import Flow
from siprec.sip.interfaces import IServerTransaction
from siprec.sip.message import Request, Response
from siprec.sip.sessiontimer import TimerSettings, TooSmall, negotiate
from siprec.uas.answers import Answers
from siprec.uas.around import RETRY_AFTER, Surroundings
from siprec.uas.bodies import BadBody, Bodies, readBodies, readLeniently
from siprec.uas.negotiation import Negotiation
from siprec.uas.opening import Opening
from siprec.uas.ours import OwnRequests
from siprec.uas.responses import ok, refusal
from siprec.uas.sessionclock import SessionClock
from siprec.uas.snapshot import dialogInfo, timerOf

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
    @ivar heard: when a SIP message of the dialog came last, seconds since the
        epoch.
    @ivar peerAllows: the methods that the peer takes, as far as it said.
    """

    _around: Surroundings
    dialog: Dialog
    flow: Flow
    _onEnd: Callable[[Call], None]
    live: LiveRecording | None = field(default=None, init=False)
    over: bool = field(default=False, init=False)
    heard: float = field(init=False)
    _life: CallLife = field(factory=callLife, init=False)
    negotiation: Negotiation = field(init=False)
    timer: SessionClock = field(init=False)
    peerAllows: frozenset[str] = field(default=frozenset(), init=False)
    _answers: Answers = field(init=False)
    _ours: OwnRequests = field(init=False)
    _opening: Opening | None = field(default=None, init=False)
    # CSeq of a request that an earlier process may have left without answer.
    _unsure: int | None = field(default=None, init=False)
    # Requests that change the session are taken up one after the other, in the
    # order of their CSeq (CONFORMANCE J1).
    _turn: DeferredLock = field(factory=DeferredLock, init=False)
    # CSeq of the INVITE whose 200 carried an offer of ours: its ACK has the
    # answer.
    _offered: int | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        clock = self._around.clock
        self.heard = self._around.now()
        self.negotiation = self._around.negotiation()
        self._answers = Answers(clock, lambda: self._run(self._life.unacknowledged()))
        self.timer = SessionClock(clock, self._refresh, self._expired)
        self._ours = OwnRequests(self._around, self)

    def begin(self, invite: IServerTransaction, bodies: Bodies) -> Deferred[None]:
        """
        Open the recording and answer the INVITE.

        @param bodies: what is in it.
        @return: fires when it has been answered.
        """
        self._opening = Opening(self._around, self, invite, bodies)
        return self._opening.begin()

    def goOn(self, info: DialogInfo, live: LiveRecording) -> None:
        """
        Instead of L{begin}: take up what another process had begun.

        @raise BadSDP: its descriptions cannot be read.
        """
        self.live = live
        self.negotiation.sessionID = info.sdpSession
        self.negotiation.restore(parseSDP(info.localSDP), parseSDP(info.remoteSDP), live)
        self.peerAllows = frozenset(info.peerAllows)
        # It was saved before it was answered: if it comes again, it is taken.
        self._unsure = info.remoteCSeq
        self._run([*self._life.opened(), *self._life.ack()])
        timer, elapsed = timerOf(info, self._around.now())
        self.timer.agree(timer, elapsed, _ALIVE)

    def opened(self) -> None:
        """
        All that the answer to the first INVITE promises is there.
        """
        self._run(self._life.opened())

    def failed(self, rejection: Reject) -> None:
        """
        There will be no recording.
        """
        self._run(self._life.failed(rejection))
        self.letGo()

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
        self.flow, self.heard = flow, self._around.now()
        number = ack.cseq.number
        # It comes again with each 200 that crossed it; its body counts once.
        awaited = self._answers.acknowledged(number)
        news = not self.dialog.confirmed
        self.dialog = evolve(self.dialog, confirmed=True)
        if self.live is not None and ack.body and awaited:
            self._takeAck(ack, number, self.live)
            news = True
        self._run(self._life.ack())
        if news:
            self.saveSoon()

    def _takeAck(self, ack: Request, number: int, live: LiveRecording) -> None:
        bodies = readLeniently(ack.headers, ack.body)
        self._receive(bodies, live)
        if bodies.description is not None and self._offered == number:
            self._offered = None
            self.negotiation.peerAnswered(bodies.description, live)

    def requestReceived(self, transaction: IServerTransaction, request: Request) -> None:
        """
        A request in this dialog came.
        """
        dialog, status = self.dialog.received(request)
        if status is not None and request.cseq.number == self._unsure:
            status = None
        self._unsure = None
        if status is not None:
            self._refuse(transaction, status, "CSeq is lower than the last one's")
            return
        if self.live is None:
            # Not answered yet (RFC 3261 section 14.2).
            self._refuse(transaction, 500, "the first INVITE is not answered yet", retryAfter=1)
            return
        self.dialog, self.flow, self.heard = dialog, transaction.flow, self._around.now()
        if request.method == "OPTIONS":
            transaction.respond(ok(self.dialog, request))
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
            await self.save()
        transaction.respond(ok(self.dialog, request))

    async def _modify(
        self, transaction: IServerTransaction, request: Request, live: LiveRecording
    ) -> None:
        try:
            bodies = readBodies(request.headers, request.body)
            if bodies.description is not None:
                self.negotiation.check(bodies.description)
        except BadBody as error:
            # The session goes on as it was (RFC 3261 section 14.2).
            self._refuse(transaction, error.status, error.why, error.headers)
            return
        if self._ours.inviting and (request.method == "INVITE" or bodies.description is not None):
            # RFC 3261 section 14.2, RFC 3311 section 5.2.
            self._refuse(transaction, 491, "our own INVITE is under way")
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
            body = self.negotiation.answer(bodies.description, live).serialize()
        elif request.method == "INVITE":
            # RFC 3261 section 14.2: an INVITE without an offer asks for ours.
            body = self.negotiation.offer(live).serialize()
            self._offered = request.cseq.number
        self.dialog = self.dialog.refreshed(request)
        self.noteAllowed(request)
        self.timer.agree(timer)
        await self.save()
        if self.over:
            # Ended by us meanwhile (RFC 3261 section 15.1.2).
            self._refuse(transaction, 487, "the call has ended")
            return
        response = ok(self.dialog, request, timer, body)
        if request.method == "INVITE":
            self.accept(transaction, response)
        else:
            transaction.respond(response)

    def _takeFailed(self, failure: Failure, transaction: IServerTransaction) -> None:
        self.broken(failure)
        if not transaction.answered:
            self._refuse(transaction, 500, "internal error", retryAfter=RETRY_AFTER)

    def _receive(self, bodies: Bodies, live: LiveRecording) -> None:
        for document in bodies.documents:
            live.receive(document)
        for note in bodies.notes:
            live.event("bodyIrregular", reason=note)

    def noteAllowed(self, request: Request) -> None:
        """
        Remember which methods the peer takes.
        """
        if "Allow" in request.headers:
            self.peerAllows = frozenset(request.headers.values("Allow"))

    # What we send.

    def accept(self, transaction: IServerTransaction, response: Response) -> None:
        """
        Answer an INVITE with a 2xx, and repeat it until the ACK comes.
        """
        self._answers.send(transaction, response)

    def _refuse(
        self,
        transaction: IServerTransaction,
        status: int,
        why: str,
        headers: tuple[tuple[str, str], ...] = (),
        retryAfter: int | None = None,
    ) -> None:
        request = transaction.request
        transaction.respond(refusal(self.dialog, request, status, why, headers, retryAfter))

    def _refresh(self) -> None:
        Deferred.fromCoroutine(self._ours.refresh()).addErrback(self.broken)

    def moveMedia(self) -> Deferred[None]:
        """
        If streams are received elsewhere than the peer was told, tell it.

        @return: fires when it has agreed, or refused, or cannot be asked; the
            manifest's events say which.
        """
        if self.live is None or self.over:
            return succeed(None)
        return Deferred.fromCoroutine(self._ours.move(self.live)).addErrback(self.broken)

    def _expired(self) -> None:
        last = None if self.live is None else self.live.lastArrival()
        if self.live is not None and last is not None and self._around.now() - last < _ALIVE:
            # It forgot its refresh, but sends media: the rest would be lost.
            self.live.event("sessionTimerExpired")
            self.timer.agree(self.timer.agreed)
        else:
            self._run(self._life.stop(408, "sessionExpired"))

    def stop(self, cause: int, reason: str) -> None:
        """
        End the call from our side.

        @param cause: SIP status for the peer (RFC 3326).
        @param reason: C{endReason} of the manifest.
        """
        self._run(self._life.stop(cause, reason))

    def _run(self, effects: Effects) -> None:
        for effect in effects:
            if isinstance(effect, Answer) and self._opening is not None:
                self._opening.answer()
            elif isinstance(effect, Reject) and self._opening is not None:
                self._opening.reject(effect)
            elif isinstance(effect, SendBye):
                send = self._around.outgoing.bye
                bye = send(self.dialog, self.flow, effect.cause, effect.text)
                Deferred.fromCoroutine(bye).addErrback(self.broken)
            elif isinstance(effect, Finish):
                self.letGo()
                if self.live is not None:
                    self._around.service.finish(self.live, effect.reason)

    def letGo(self) -> None:
        """
        The dialog is over, or another node has it: not a word to the peer.
        """
        self.over = True
        self._answers.stop()
        self.timer.stop()
        self._ours.stop()
        self._onEnd(self)

    @property
    def busy(self) -> bool:
        """
        Whether a change of the session is under way that the peer asked for.
        """
        return self._turn.locked or self._answers.waiting or self._offered is not None

    def peerGone(self) -> None:
        """
        The peer has answered that it does not know the call.
        """
        self._run(self._life.gone())

    def saveSoon(self) -> None:
        """
        Save the call as it is now; nobody waits for it.
        """
        if not self.over:
            Deferred.fromCoroutine(self.save()).addErrback(self.broken)

    async def save(self) -> None:
        """
        Have the snapshot of the call as it is now in the store.
        """
        if self.live is None:
            return
        agreed = self._around.now() - self.timer.elapsed
        info = dialogInfo(
            self.dialog, self.flow, self.negotiation, self.timer.agreed, agreed, self.peerAllows
        )
        await self._around.service.save(self.live, info)

    def broken(self, failure: Failure) -> None:
        """
        Log what nobody foresaw.
        """
        log.failure("{callID}: unforeseen", failure, callID=self.dialog.callID)
        self._around.metrics.unhandledErrors.inc()
