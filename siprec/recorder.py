"""
The user agent server: takes the requests of SRCs and keeps their calls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import cast

from attrs import define, evolve, field
from twisted.logger import Logger
from zope.interface import implementer

from siprec.session.live import LiveRecording
from siprec.session.liveness import Signs
from siprec.session.model import CallSnapshot
from siprec.sip.dialog import Dialog
from siprec.sip.flow import Flow
from siprec.sip.interfaces import IServerTransaction, ISipTransport, ITransactionUser
from siprec.sip.layer import SipLayer
from siprec.sip.message import Request
from siprec.uas.admission import (
    Admission,
    Profile,
    Refusal,
    checkHeaders,
    checkMethod,
    readInvite,
)
from siprec.uas.around import Surroundings
from siprec.uas.bodies import Bodies
from siprec.uas.call import Call
from siprec.uas.capacity import Capacity, streamsAsked, unavailable
from siprec.uas.contact import contactOf
from siprec.uas.finals import remember
from siprec.uas.outside import answerOptions, notKnown, refuse
from siprec.uas.peerlist import PeerList
from siprec.uas.peers import Peers
from siprec.uas.replacing import DialogID, checkReplaces, replacesOf
from siprec.uas.resume import resumeCall
from siprec.uas.running import Running

log = Logger()


@implementer(ITransactionUser)
@define(eq=False, repr=False)
class Recorder:
    """
    @ivar transport: knows where a peer reaches this node.
    @ivar running: the calls.
    @ivar maxSessions: above so many calls new ones are refused; 0: no limit.
    @ivar waits: whether a call is taken, and answered inactive, while only room on the
        disk is lacking; else it is refused.
    @ivar peerList: who the peers are.
    @ivar capacity: how much is taken beside C{maxSessions}.
    @ivar alone: tells whether there is no other node that could take a call.
    @ivar refused: how many messages in dialogs were refused as they came from
        C{otherPeer}, and how many INVITEs as calls were C{unavailable}.
    @ivar isUncertain: tells of a request in a dialog that is not here, or that
        would replace one, whether there may be such a dialog all the same.
    """

    _around: Surroundings
    _layer: SipLayer
    transport: ISipTransport
    profile: Profile = "lenient"
    srtp: str = "allow"
    maxSessions: int = 0
    waits: bool = False
    isUncertain: Callable[[Request], bool] = lambda request: False
    peerList: PeerList = field(factory=PeerList)
    capacity: Capacity = field(factory=Capacity)
    alone: Callable[[], bool] = lambda: True
    refused: Counter[str] = field(factory=Counter, init=False)
    running: Running = field(factory=Running, init=False)
    _opening: dict[IServerTransaction, Call] = field(factory=dict, init=False)

    # What the transaction layer tells.

    def requestReceived(
        self, transaction: IServerTransaction, request: Request, flow: Flow
    ) -> None:
        """
        See L{ITransactionUser.requestReceived}.
        """
        refusal = checkMethod(request) or checkHeaders(request) or checkReplaces(request)
        if refusal is not None:
            refuse(transaction, refusal)
        elif request.toTag is not None:
            self._inDialog(transaction, request)
        elif request.method == "INVITE":
            self._invite(transaction, request, flow)
        elif request.method == "OPTIONS":
            self._options(transaction)
        else:
            # Outside a dialog these mean nothing (RFC 3261 section 15.1.2).
            refuse(transaction, Refusal(481, "no such dialog"))

    def ackReceived(self, ack: Request, flow: Flow) -> None:
        """
        See L{ITransactionUser.ackReceived}.
        """
        call = self.running.find(ack)
        if call is not None and self._isWith(call, flow):
            self.capacity.unacknowledged.pop(call, None)
            # An ACK need not show who exactly it is of; the call knows that.
            call.ackReceived(ack, evolve(flow, peers=call.flow.peers))

    def cancelReceived(self, transaction: IServerTransaction, cancel: Request) -> None:
        """
        See L{ITransactionUser.cancelReceived}.
        """
        call = self._opening.get(transaction)
        if call is not None:
            call.cancel()

    def transactionEnded(self, transaction: IServerTransaction) -> None:
        """
        See L{ITransactionUser.transactionEnded}.
        """

    # What the node asks for.

    def notReady(self, streams: int = 1) -> list[str]:
        """
        @param streams: that the call would have.
        @return: why no call can be taken now; empty when one can.
        """
        reasons = self._around.service.notReady()
        if self.maxSessions and len(self.calls) >= self.maxSessions:
            reasons.append(f"{len(self.calls)} calls are running, the limit")
        return reasons + self.capacity.reasons(self.calls.values(), streams)

    def stopCalls(self, cause: int, reason: str) -> None:
        """
        End every call from our side; those that others may have taken are let
        go of without a word.
        """
        for call in list(self.calls.values()):
            if self._around.isCutOff() and call.live is not None:
                self.letGo(call.live.recording.id)
            else:
                call.stop(cause, reason)

    def signs(self) -> list[Signs]:
        """
        @return: the signs of life of every call that is recorded.
        """
        return self.running.signs(self._around.now(), self._around.isCutOff())

    async def saveAll(self) -> None:
        """
        Save every call anew: the store may have lost what it had, and a record
        has a time to live, which a long and quiet call must not outlive.
        """
        for call in list(self.calls.values()):
            if not call.over:
                await call.save()

    def endDead(self, key: str) -> None:
        """
        End a call that has given no sign of life for too long.

        @param key: the recording's id.
        """
        call = self.running.ofRecording(key)
        if call is not None and call.live is not None:
            call.live.event("noSignOfLife")
            call.timedOut("timeout")

    def letGo(self, key: str) -> None:
        """
        Another node has this call: stop its capture, and say nothing to anyone.

        @param key: the recording's id.
        """
        call = self.running.ofRecording(key)
        if call is not None and call.live is not None:
            log.warn("{recording}: another node has it", recording=key, callID=call.dialog.callID)
            call.fence()
            self._around.service.letGo(call.live)

    def callOf(self, key: str) -> Call | None:
        """
        @param key: a recording's id.
        @return: the call that it is of, while that runs.
        """
        return self.running.ofRecording(key)

    @property
    def calls(self) -> dict[DialogID, Call]:
        """
        Every dialog that has not ended.
        """
        return self.running.calls

    @property
    def moves(self) -> Counter[str]:
        """
        See L{Surroundings.moves}.
        """
        return self._around.moves

    @property
    def peers(self) -> Peers:
        """
        See L{Surroundings.peers}.
        """
        return self._around.peers

    def suspend(self, call: Call) -> None:
        """
        Take no requests in a call's dialog, as another node is about to have it.
        """
        self._ended(call)
        call.suspend()

    def restore(self, call: Call) -> None:
        """
        Undo L{suspend}, unless the call has ended meanwhile.
        """
        if not call.over:
            self.running.add(call)
            call.restore()

    async def resume(self, snapshot: CallSnapshot, live: LiveRecording) -> Call:
        """
        Go on with a call that another process had: from here on requests in
        its dialog are taken.

        @param live: its recording, which goes on already.
        @return: the call, once its new state is saved; L{Call.moveMedia} is
            still to be called.
        @raise siprec.sdp.parse.BadSDP: the snapshot cannot be used; no call
            has come of it.
        """
        call = resumeCall(self._around, snapshot, live, self._ended, self._layer.adopt)
        self.running.add(call)
        log.info(
            "{callID}: goes on, recording {recording}",
            callID=call.dialog.callID,
            recording=live.recording.id,
        )
        await call.save()
        return call

    def remember(self, snapshot: CallSnapshot) -> None:
        """
        Answer copies of the last requests of a call that is over, or does not
        go on here, as another process would have.
        """
        remember(snapshot.dialog.finals, self._around.now(), self._layer.adopt)

    def has(self, request: Request) -> bool:
        """
        @return: whether the dialog of a request, or the INVITE that would make
            one, is one of this node's.
        """
        return self.running.has(request)

    def uses(self, connection: int) -> bool:
        """
        @return: whether a call would speak to its peer by that connection.
        """
        return self.running.uses(connection)

    def contact(self, flow: Flow, secure: bool = False) -> str:
        """
        @param secure: whether the peer has asked for a SIPS URI, which only
            one that comes over TLS can have.
        @return: the value of our Contact for a peer on this flow.
        """
        return contactOf(self.transport.advertised(flow), flow.transport, secure)

    # Requests.

    def _inDialog(self, transaction: IServerTransaction, request: Request) -> None:
        call = self.running.find(request)
        if call is not None and not self._isWith(call, transaction.flow):
            # It ends nothing, whoever gets this answer: 403 is about this one
            # request (RFC 5057 section 5.1), where 481 would be about the call.
            refuse(transaction, Refusal(403, "this call is with another peer"))
        elif call is not None:
            call.requestReceived(transaction, request)
        elif self.isUncertain(request):
            # 481 would end it (RFC 5057 section 5.1); this only this request.
            refuse(transaction, notKnown())
        else:
            refuse(transaction, Refusal(481, "no such dialog"))

    def _isWith(self, call: Call, flow: Flow) -> bool:
        """
        @return: whether a message may be one of the call's own peer.
        """
        if call.flow.samePeer(flow):
            return True
        self.refused["otherPeer"] += 1
        log.warn(
            "{callID}: a message of {host}, which is not the peer of this call",
            callID=call.dialog.callID,
            host=flow.remote[0],
        )
        return False

    def _options(self, transaction: IServerTransaction) -> None:
        # The same as an INVITE would get (RFC 3261 section 11.2).
        reasons = self._lacking(transaction.flow)
        if reasons:
            refuse(transaction, unavailable("; ".join(reasons), self.alone()))
            return
        answerOptions(transaction, self.contact(transaction.flow))

    def _invite(self, transaction: IServerTransaction, request: Request, flow: Flow) -> None:
        admitted = self._admit(request, flow)
        if isinstance(admitted, Refusal):
            self._around.metrics.invites.labels("rejected").inc()
            refuse(transaction, admitted)
            return
        admission, bodies, old = admitted
        # RFC 3261 section 12.1.1.
        secure = request.uri[:5].lower() == "sips:"
        call = Call(
            around=self._around,
            dialog=Dialog.fromInvite(request, transaction.toTag, self.contact(flow, secure)),
            flow=flow,
            onEnd=self._ended,
        )
        self.running.add(call)
        self.capacity.unacknowledged[call] = streamsAsked(bodies)
        log.info(
            "{callID}: INVITE from {host}, admitted by {rule}",
            callID=request.callID,
            host=flow.remote[0],
            rule=admission.rule,
        )
        if old is not None:
            # The old call has ended by now: this one cannot be cancelled any more.
            call.takeOver(transaction, bodies, old)
            return
        self._opening[transaction] = call
        beginning = call.begin(transaction, bodies)
        beginning.addCallback(lambda _: self._opening.pop(transaction, None))

    def _lacking(self, flow: Flow, streams: int = 1, offered: bool = True) -> list[str]:
        """
        @param offered: whether the peer makes the first offer; only that says what
            there is to be received later.
        @return: why a call of this peer cannot be taken, not even to be received later.
        """
        reasons = self.notReady(streams)
        onlyFull = len(reasons) == 1 and self._around.service.full
        # One that takes no re-INVITE would never send.
        takes = self._around.peers.takesReinvite(flow.remote[0]) is not False
        return [] if onlyFull and self.waits and takes and offered else reasons

    def _admit(
        self, request: Request, flow: Flow
    ) -> tuple[Admission, Bodies, Call | None] | Refusal:
        """
        The order of these checks is that of RFC 3261 section 8.2.

        @return: how it was recognised, what is in it, and the call that it
            takes the place of.
        """
        if self._layer.merged(request):
            return Refusal(482, "this INVITE came by another way already")
        if "Replaces" not in request.headers:
            # What cannot be taken whatever is in its body is not worth looking into
            # that, at a time when there is much to do.
            reasons = self._lacking(flow)
            if reasons:
                return self._unavailable(reasons)
        profile = cast(Profile, self.peerList.profile(flow) or self.profile)
        read = readInvite(request, profile)
        if isinstance(read, Refusal):
            return read
        admission, bodies = read
        wanted = replacesOf(request)
        old = None if wanted is None else self.running.replaced(wanted, flow)
        if isinstance(old, Refusal):
            unknown = old.status == 481 and self.isUncertain(request)
            return notKnown() if unknown else old
        if old is not None:
            if not self._isWith(old, flow):
                return Refusal(403, "this call is with another peer")
            return admission, bodies, old
        reasons = self._lacking(flow, streamsAsked(bodies), bodies.description is not None)
        if reasons:
            return self._unavailable(reasons)
        return admission, bodies, None

    def _unavailable(self, reasons: list[str]) -> Refusal:
        self.refused["unavailable"] += 1
        return unavailable("; ".join(reasons), self.alone())

    def _ended(self, call: Call) -> None:
        self.capacity.unacknowledged.pop(call, None)
        self.running.remove(call)
