"""
One recording session's dialog, seen from the recorder: SIP on the one side, a
live recording on the other.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.sdp.parse import parseSDP
from siprec.session.abandoned import ABANDONED
from siprec.session.life import Answer, CallLife, Effects, Finish, Reject, SendBye, callLife
from siprec.session.live import LiveRecording
from siprec.session.model import DialogInfo
from siprec.sip.dialog import Dialog
from siprec.sip.flow import Flow
from siprec.sip.interfaces import IServerTransaction
from siprec.sip.message import Request, Response
from siprec.uas.answers import Answers
from siprec.uas.around import Surroundings
from siprec.uas.bodies import Bodies
from siprec.uas.finals import Adopt, Finals, adopt
from siprec.uas.negotiation import Negotiation
from siprec.uas.opening import Opening
from siprec.uas.ours import OwnRequests
from siprec.uas.readiness import Readiness
from siprec.uas.replacing import Replacement
from siprec.uas.responses import ok
from siprec.uas.sessionclock import SessionClock
from siprec.uas.snapshot import dialogInfo, timerOf
from siprec.uas.snapshotrequests import SnapshotRequests
from siprec.uas.theirs import TheirRequests

log = Logger()

#: A call whose media came within so many seconds is alive, whatever the session
#: timer says.
_ALIVE = 30.0

# Seconds until a refresh is tried again that could not be sent.
_LATER = 1.0


@define(eq=False, repr=False)
class Call:
    """
    @ivar dialog: as it is now.
    @ivar flow: what the peer's last request came by.
    @ivar live: the recording, once it has begun.
    @ivar over: whether the dialog has ended, at least for this node.
    @ivar fenced: whether another node has it.
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
    fenced: bool = field(default=False, init=False)
    heard: float = field(init=False)
    _life: CallLife = field(factory=callLife, init=False)
    negotiation: Negotiation = field(init=False)
    timer: SessionClock = field(init=False)
    peerAllows: frozenset[str] = field(default=frozenset(), init=False)
    _answers: Answers = field(init=False)
    _ours: OwnRequests = field(init=False)
    _opening: Opening | None = field(default=None, init=False)
    _unanswered: bool = field(default=False, init=False)
    _trying: bool = field(default=False, init=False)
    # CSeq of a request that an earlier process may have left without answer.
    _unsure: int | None = field(default=None, init=False)
    _theirs: TheirRequests = field(init=False)
    _readiness: Readiness = field(init=False)
    _snapshots: SnapshotRequests = field(init=False)
    _finals: Finals = field(init=False)

    def __attrs_post_init__(self) -> None:
        clock = self._around.clock
        self.heard = self._around.now()
        self.negotiation = self._around.negotiation()
        self._answers = Answers(clock, lambda: self._end(self._life.unacknowledged))
        self.timer = SessionClock(clock, self._refresh, self._expired)
        self._ours = OwnRequests(self._around, self)
        self._theirs = TheirRequests(self, self._ours)
        self._readiness = Readiness(self._around, self, self._ours)
        self._snapshots = SnapshotRequests(self._around, self, self._ours)
        self._finals = Finals(self._around.now)

    def begin(self, invite: IServerTransaction, bodies: Bodies) -> Deferred[None]:
        """
        Open the recording and answer the INVITE.

        @param bodies: what is in it.
        @return: fires when it has been answered.
        """
        return self._open(Opening(self._around, self, invite, bodies))

    def takeOver(self, invite: IServerTransaction, bodies: Bodies, old: Call) -> Deferred[None]:
        """
        Instead of L{begin}: go on with the recording of another dialog, which
        is ended (RFC 3891).

        @return: fires when the INVITE has been answered.
        """
        # What is received already needs no further room.
        self.negotiation.policy = old.negotiation.policy
        return self._open(Replacement(self._around, self, invite, bodies, old))

    def _open(self, opening: Opening) -> Deferred[None]:
        self._opening, self._unanswered = opening, True

        def answered(result: None) -> None:
            self._unanswered = False

        return opening.begin().addCallback(answered)

    def handOver(self) -> LiveRecording:
        """
        Another dialog has the recording from now on.

        @return: what is recorded.
        """
        live, self.live = self.live, None
        assert live is not None, "only an answered call can be replaced"
        self.letGo()
        return live

    def endReplaced(self) -> None:
        """
        End the dialog, after L{handOver}.
        """
        self._run([SendBye(200, "replaced")])

    def goOn(self, info: DialogInfo, live: LiveRecording, put: Adopt) -> None:
        """
        Instead of L{begin}: take up what another process had begun.  Nothing
        is sent before L{moveMedia}.

        @param put: see L{Adopt}.
        @raise BadSDP: its descriptions cannot be read.
        """
        self.live = live
        self.negotiation.sessionID = info.sdpSession
        remote = parseSDP(info.remoteSDP) if info.remoteSDP else None
        self.negotiation.restore(parseSDP(info.localSDP), remote, live)
        self.peerAllows = frozenset(info.peerAllows)
        self._finals.restore(info.finals)
        if all(each.cseq != info.remoteCSeq for each in info.finals):
            # Saved, but not to be answered yet: if it comes again, it is taken.
            self._unsure = info.remoteCSeq
        self._run(self._life.opened())
        for final, transaction, response in adopt(info.finals, self._around.now(), put):
            if final.awaitsACK:
                self._answers.hold(transaction, response)
            if final.awaitsACK and final.offers:
                self._theirs.offered = final.cseq
        if not self._answers.waiting:
            self.dialog = evolve(self.dialog, confirmed=True)
            self._run(self._life.ack())
        timer, elapsed = timerOf(info, self._around.now())
        self.timer.agree(timer, elapsed, _ALIVE)

    def opened(self) -> None:
        """
        All that the answer to the first INVITE promises is there.
        """
        self._run(self._life.opened())
        if not self.over:
            self._readiness.watch()
            self._snapshots.begun()

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
        news = awaited or not self.dialog.confirmed
        self._finals.acknowledged(number)
        self.dialog = evolve(self.dialog, confirmed=True)
        if self.live is not None and awaited:
            self._theirs.ackReceived(ack, self.live)
        self._run(self._life.ack())
        if news:
            self.saveSoon()

    def requestReceived(self, transaction: IServerTransaction, request: Request) -> None:
        """
        A request in this dialog came.
        """
        dialog, status = self.dialog.received(request)
        if status is not None and request.cseq.number == self._unsure:
            status = None
        self._unsure = None
        if status is not None:
            self._theirs.refuse(transaction, status, "CSeq is lower than the last one's")
            return
        if self.live is None:
            # Not answered yet (RFC 3261 section 14.2).
            self._theirs.refuse(transaction, 500, "the first INVITE is not answered yet", 1)
            return
        self.dialog, self.flow, self.heard = dialog, transaction.flow, self._around.now()
        self.live.noteHeaders(request.method, list(request.headers))
        if request.method == "OPTIONS":
            transaction.respond(ok(self.dialog, request))
        elif request.method == "PRACK":
            # There is no 1xx of ours that it could be for (RFC 3262 section 3).
            self._theirs.refuse(transaction, 481, "no reliable 1xx was sent")
        else:
            self._theirs.received(transaction, request, self.live)
            self._ours.peerSpoke(self.live)

    def byeAnswered(self) -> None:
        """
        The peer has ended the call.
        """
        self._run(self._life.bye())

    def noteAllowed(self, request: Request) -> None:
        """
        Remember which methods the peer takes.
        """
        if "Allow" in request.headers:
            self.peerAllows = frozenset(request.headers.values("Allow"))

    # What we send.

    async def promise(
        self, transaction: IServerTransaction, response: Response, offers: bool = False
    ) -> None:
        """
        Have the call in the store, and in it a final response that is to be
        given next.

        @param offers: whether that carries an offer of ours.
        """
        if offers:
            self._theirs.offered = response.cseq.number
        self._finals.add(transaction, response, offers)
        await self.save()
        self._snapshots.look()

    def accept(self, transaction: IServerTransaction, response: Response) -> None:
        """
        Answer an INVITE with a 2xx, and repeat it until the ACK comes.
        """
        self._answers.send(transaction, response)

    def _refresh(self) -> None:
        if self._around.isCutOff():
            # Who has taken the call meanwhile refreshes it.
            self.timer.refreshLater(_LATER)
            return
        Deferred.fromCoroutine(self._ours.refresh()).addErrback(self.broken)

    def moveMedia(self) -> Deferred[None]:
        """
        Speak again, after another process has: repeat the 200s without an ACK,
        and if streams are received elsewhere than the peer was told, tell it.

        @return: fires when it has agreed, or refused, or cannot be asked; the
            manifest's events say which.
        """
        self._answers.release()
        if self.live is None or self.over:
            return succeed(None)
        self._readiness.watch()
        self._snapshots.look()
        return self._ours.startMove(self.live)

    def tryToMove(self) -> Deferred[int]:
        """
        As L{moveMedia}, but once, for those who have another way.

        @return: fires with what L{OwnRequests.move} gives.
        """
        self._answers.release()
        return Deferred.fromCoroutine(self._tryToMove())

    async def _tryToMove(self) -> int:
        assert self.live is not None, "only what is recorded can move"
        self._trying = True
        try:
            return await self._ours.move(self.live)
        finally:
            self._trying = False

    def suspend(self) -> None:
        """
        Do nothing by itself, as another node is about to have the call.
        """
        self.timer.stop()
        self._ours.suspend()

    def restore(self) -> None:
        """
        Undo L{suspend}: no other node has it.
        """
        self.timer.agree(self.timer.agreed, self.timer.elapsed)
        if self.live is not None:
            self._ours.restore(self.live)

    def _expired(self) -> None:
        if self._around.isCutOff():
            # It may have been refreshed where it is now.
            self.timer.agree(self.timer.agreed)
            return
        if self.live is not None and self._hears(self.live):
            # It forgot its refresh, but sends media: the rest would be lost.
            self.live.event("sessionTimerExpired")
            self.timer.agree(self.timer.agreed)
        else:
            self.timedOut("sessionExpired")

    def stop(self, cause: int, reason: str) -> None:
        """
        End the call from our side.

        @param cause: SIP status for the peer (RFC 3326).
        @param reason: C{endReason} of the manifest.
        """
        self._run(self._life.stop(cause, reason))

    def timedOut(self, reason: str) -> None:
        """
        End the call from our side, as nothing has come for too long; it may be
        this process that was held up, and the call another node's.

        @param reason: C{endReason} of the manifest.
        """
        self._end(lambda: self._life.stop(408, reason))

    def _end(self, take: Callable[[], Effects]) -> None:
        Deferred.fromCoroutine(self._endIfOurs(take)).addErrback(self.broken)

    async def _endIfOurs(self, take: Callable[[], Effects]) -> None:
        # A process that was frozen finds out here that the call is another's,
        # which a BYE would end.
        await self.save()
        if not self.over:
            self._run(take())

    def _run(self, effects: Effects) -> None:
        for effect in () if self.fenced else effects:
            if isinstance(effect, Answer) and self._opening is not None:
                self._opening.answer()
            elif isinstance(effect, Reject) and self._opening is not None:
                self._opening.reject(effect)
            elif isinstance(effect, SendBye):
                send = self._around.outgoing.bye
                bye = send(self.dialog, self.flow, effect.cause, effect.text)
                Deferred.fromCoroutine(bye).addErrback(self.broken)
            elif isinstance(effect, Finish):
                if self.live is not None and effect.reason in ABANDONED:
                    # Another node may go on with it if its peer comes back there.
                    self.live.ending(effect.reason)
                    self.saveSoon()
                self.letGo()
                if self.live is not None:
                    self._around.service.finish(self.live, effect.reason)

    def fence(self) -> None:
        """
        Another node has the call: not a word to the peer.
        """
        self.fenced = self.over = True
        self._around.outgoing.abandon(self.dialog)
        self.letGo()

    def passOn(self, transaction: IServerTransaction) -> None:
        """
        See L{Surroundings.passOn}.
        """
        self._around.passOn(transaction)

    def letGo(self) -> None:
        """
        The dialog is over.
        """
        self.over = True
        self._answers.stop()
        self.timer.stop()
        self._readiness.stop()
        self._snapshots.stop()
        self._ours.stop()
        self._onEnd(self)

    @property
    def busy(self) -> bool:
        """
        Whether a change of the session is under way that the peer asked for;
        the first INVITE is one until its 200 has been acknowledged.
        """
        return self._unanswered or self._theirs.busy or self._answers.waiting

    @property
    def asking(self) -> bool:
        """
        Whether a request of ours is under way, or is just being tried again.
        """
        return self._trying or self._ours.asking

    def peerGone(self, status: int = 481) -> None:
        """
        The peer, or a proxy, has answered that there is no such dialog.  Only
        the peer itself says 481; any other is not believed while media comes.
        """
        if status != 481 and self.live is not None and self._hears(self.live):
            self.live.event("dialogDenied", status=status)
        else:
            self._run(self._life.gone())

    def _hears(self, live: LiveRecording) -> bool:
        last = live.lastArrival()
        return last is not None and self._around.now() - last < _ALIVE

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
        number = self._theirs.takenUp
        info = dialogInfo(
            self.dialog if number is None else evolve(self.dialog, remoteCSeq=number),
            self.flow,
            self.negotiation,
            self.timer.agreed,
            agreed,
            self.peerAllows,
            self._finals.kept,
        )
        await self._around.service.save(self.live, info)

    def broken(self, failure: Failure) -> None:
        """
        Log what nobody foresaw.
        """
        log.failure("{callID}: unforeseen", failure, callID=self.dialog.callID)
        self._around.metrics.unhandledErrors.inc()
