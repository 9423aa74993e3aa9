"""
One recording session's dialog: SIP on the one side, a live recording on the other.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.sdp.parse import parseSDP
from siprec.session.life import CallLife, Reject, SendBye, callLife
from siprec.session.live import LiveRecording
from siprec.session.model import DialogInfo
from siprec.sip.dialog import Dialog
from siprec.sip.flow import Flow
from siprec.sip.interfaces import IServerTransaction
from siprec.sip.message import Request, Response
from siprec.uas.answers import Answers
from siprec.uas.around import Surroundings
from siprec.uas.bodies import Bodies
from siprec.uas.course import ALIVE, Course
from siprec.uas.finals import Adopt, Finals, adopt
from siprec.uas.moving import Moving
from siprec.uas.negotiation import Negotiation
from siprec.uas.opening import Opening
from siprec.uas.ours import OwnRequests
from siprec.uas.readiness import Readiness
from siprec.uas.replacing import Replacement
from siprec.uas.responses import ok
from siprec.uas.saving import Saving
from siprec.uas.sessionclock import SessionClock
from siprec.uas.snapshot import timerOf
from siprec.uas.snapshotrequests import SnapshotRequests
from siprec.uas.theirs import TheirRequests

log = Logger()


@define(eq=False, repr=False)
class Call:
    """
    @ivar dialog: as it is now.
    @ivar flow: what the peer's last request came by.
    @ivar live: the recording, once it has begun.
    @ivar over: whether the dialog has ended, at least for this node.
    @ivar fenced: whether another node has it.
    @ivar heard: when its last SIP message came, or else it itself, seconds since the epoch.
    @ivar takenUp: when it was taken up from another process; C{None}: it was not.
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
    takenUp: float | None = field(default=None, init=False)
    _life: CallLife = field(factory=callLife, init=False)
    negotiation: Negotiation = field(init=False)
    timer: SessionClock = field(init=False)
    peerAllows: frozenset[str] = field(default=frozenset(), init=False)
    _answers: Answers = field(init=False)
    _ours: OwnRequests = field(init=False)
    _moving: Moving = field(init=False)
    _course: Course = field(init=False)
    _unanswered: bool = field(default=False, init=False)
    # CSeq of a request that an earlier process may have left without answer.
    _unsure: int | None = field(default=None, init=False)
    _theirs: TheirRequests = field(init=False)
    _readiness: Readiness = field(init=False)
    _snapshots: SnapshotRequests = field(init=False)
    _finals: Finals = field(init=False)
    _saving: Saving = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.heard = self._around.now()
        self.negotiation = self._around.negotiationWith(self.flow)
        self._course = Course(self._around, self, self._life)
        clock, course = self._around.clock, self._course
        self._answers = Answers(clock, lambda: course.end(self._life.unacknowledged))
        self._ours = OwnRequests(self._around, self)
        self.timer = SessionClock(clock, self._ours.startRefresh, self._course.expired)
        self._moving = Moving(self._around, self, self._ours)
        self._theirs = TheirRequests(self, self._ours)
        self._readiness = Readiness(self._around, self, self._moving)
        self._snapshots = SnapshotRequests(self._around, self, self._ours)
        self._finals = Finals(self._around.now)
        self._saving = Saving(self._around, self, self._theirs, self._finals)

    def begin(self, invite: IServerTransaction, bodies: Bodies) -> Deferred[None]:
        """
        Open the recording and answer the INVITE.

        @param bodies: what is in it.
        @return: fires when it has been answered.
        """
        return self._open(Opening(self._around, self, invite, bodies, self._saving))

    def takeOver(self, invite: IServerTransaction, bodies: Bodies, old: Call) -> Deferred[None]:
        """
        Instead of L{begin}: go on with the recording of another dialog, which
        is ended (RFC 3891).

        @return: fires when the INVITE has been answered.
        """
        # What is received already needs no further room.
        self.negotiation.policy = old.negotiation.policy
        return self._open(Replacement(self._around, self, invite, bodies, self._saving, old))

    def _open(self, opening: Opening) -> Deferred[None]:
        self._course.opening, self._unanswered = opening, True

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
        self._course.run([SendBye(200, "replaced")])

    def goOn(self, info: DialogInfo, live: LiveRecording, put: Adopt) -> None:
        """
        Instead of L{begin}: take up what another process had begun.  Nothing
        is sent before L{moveMedia}.

        @param put: see L{Adopt}.
        @raise BadSDP: its descriptions cannot be read.
        """
        self.live, self.takenUp = live, self.heard
        self.negotiation.sessionID = info.sdpSession
        remote = parseSDP(info.remoteSDP) if info.remoteSDP else None
        self.negotiation.restore(parseSDP(info.localSDP), remote, live)
        self.peerAllows = frozenset(info.peerAllows)
        self._finals.restore(info.finals)
        if all(each.cseq != info.remoteCSeq for each in info.finals):
            # Saved, but not to be answered yet: if it comes again, it is taken.
            self._unsure = info.remoteCSeq
        self._course.run(self._life.opened())
        for final, transaction, response in adopt(info.finals, self._around.now(), put):
            if final.awaitsACK:
                self._answers.hold(transaction, response)
            if final.awaitsACK and final.offers:
                self._theirs.offered = final.cseq
        if not self._answers.waiting:
            self.dialog = evolve(self.dialog, confirmed=True)
            self._course.run(self._life.ack())
        timer, elapsed = timerOf(info, self._around.now())
        self.timer.agree(timer, elapsed, ALIVE)

    def opened(self) -> None:
        """
        All that the answer to the first INVITE promises is there.
        """
        self._course.run(self._life.opened())
        if not self.over:
            self._readiness.watch()
            self._snapshots.begun()

    def failed(self, rejection: Reject) -> None:
        """
        There will be no recording.
        """
        self._course.run(self._life.failed(rejection))
        self.letGo()

    def cancel(self) -> None:
        """
        A CANCEL for our INVITE came.
        """
        self._course.run(self._life.cancel())

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
        self._course.run(self._life.ack())
        if news:
            self._saving.later()

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
            self._moving.peerSpoke(self.live)

    def byeAnswered(self) -> None:
        """
        The peer has ended the call.
        """
        self._course.run(self._life.bye())

    def noteAllowed(self, request: Request) -> None:
        """
        Remember which methods the peer takes.
        """
        if "Allow" in request.headers:
            self.peerAllows = frozenset(request.headers.values("Allow"))

    async def promise(
        self, transaction: IServerTransaction, response: Response, offers: bool = False
    ) -> None:
        """
        Have the call in the store, with a final response that is to be given next.

        @param offers: whether that carries an offer of ours.
        """
        if offers:
            self._theirs.offered = response.cseq.number
        self._finals.add(transaction, response, offers)
        await self.save()
        if not self.over:
            self._snapshots.look()

    def accept(self, transaction: IServerTransaction, response: Response) -> None:
        """
        Answer an INVITE with a 2xx, and repeat it until the ACK comes.
        """
        self._answers.send(transaction, response)

    def moveMedia(self) -> Deferred[None]:
        """
        Speak again, after another process has: repeat the 200s without an ACK,
        and if streams are received elsewhere than the peer was told, tell it.

        @return: fires when that has ended; the manifest's events say how.
        """
        if self.live is None or self.over:
            return succeed(None)
        self._answers.release()
        self._readiness.watch()
        self._snapshots.look()
        return self._moving.startMove(self.live)

    def tryToMove(self) -> Deferred[int]:
        """
        As L{moveMedia}, but once, for those who have another way.

        @return: fires with what L{Moving.move} gives.
        """
        if self.over:
            return succeed(0)
        self._answers.release()
        assert self.live is not None, "only what is recorded can move"
        return Deferred.fromCoroutine(self._moving.tryOnce(self.live))

    def suspend(self) -> None:
        """
        Do nothing by itself: another node is about to have the call.
        """
        self.timer.stop()
        self._moving.suspend()

    def restore(self) -> None:
        """
        Undo L{suspend}: no other node has it.
        """
        self.timer.agree(self.timer.agreed, self.timer.elapsed)
        if self.live is not None:
            self._moving.restore(self.live)

    def stop(self, cause: int, reason: str) -> None:
        """
        End the call from our side.

        @param cause: SIP status for the peer (RFC 3326).
        @param reason: C{endReason} of the manifest.
        """
        if not self.over:
            self._course.run(self._life.stop(cause, reason))

    def timedOut(self, reason: str) -> None:
        """
        L{stop} it, as nothing has come for too long; it may be another node's by now.
        """
        self._course.end(lambda: self._life.stop(408, reason))

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
        self._moving.stop()
        self._ours.stop()
        self._onEnd(self)

    def takeApart(self) -> None:
        """
        Let go of its parts, which know it; if it is not ended, or they are at something,
        that is left to the garbage collector.
        """
        if self.over and self.live is not None and not (self.busy or self.asking):
            del self._course, self._answers, self._ours, self.timer, self._moving
            del self._theirs, self._readiness, self._snapshots, self._saving

    @property
    def busy(self) -> bool:
        """
        Whether a change that the peer asked for is under way, or its first INVITE.
        """
        return self._unanswered or self._theirs.busy or self._answers.waiting

    @property
    def asking(self) -> bool:
        """
        Whether a request of ours is under way, or is just being tried again.
        """
        return self._moving.busy or self._ours.asking

    def peerGone(self, status: int = 481) -> None:
        """
        The peer, or a proxy, has answered that there is no such dialog.
        """
        self._course.denied(status)

    def saveSoon(self) -> None:
        """
        Save the call as it is now; nobody waits for it.
        """
        self._saving.start()

    async def save(self) -> None:
        """
        Have the snapshot of the call as it is now in the store.
        """
        await self._saving.save()

    def broken(self, failure: Failure) -> None:
        """
        Log what nobody foresaw.
        """
        log.failure("{callID}: unforeseen", failure, callID=self.dialog.callID)
        self._around.metrics.unhandledErrors.inc()
