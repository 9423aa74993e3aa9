"""
Before anything is remembered of a request: is its sender one to speak with?

The doorway stands right behind the transport, so before requests are passed on
to other nodes as well.  What it refuses costs no transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from attrs import define, evolve, field
from twisted.logger import Logger
from zope.interface import implementer

from siprec.sip.auth import Authenticated, Authenticator, Challenge, Elsewhere, Why
from siprec.sip.errors import BadMessage
from siprec.sip.flow import Flow
from siprec.sip.interfaces import IMessageReceiver
from siprec.sip.layer import SipLayer
from siprec.sip.message import Request, Response
from siprec.uas.asking import Asking
from siprec.uas.capacity import unavailable
from siprec.uas.peerlist import PeerList, Standing
from siprec.uas.throttle import Throttle, withFeedback

__all__ = ["Doorway"]

log = Logger()


@implementer(IMessageReceiver)
@define(eq=False, repr=False)
class Doorway:
    """
    @ivar peers: who is welcome; may be changed at any time.
    @ivar receiver: who gets what is let in.
    @ivar refused: how many messages were not let in, by the reason:
        C{stranger}; C{otherPeer}: a CANCEL of what another peer has sent;
        C{otherUser}: of no peer that it may be; what L{Challenge.why} may be;
        C{sourceRate} and C{nodeRate}: too many calls at a time; C{late}: there was no time.
    @ivar authenticator: knows the users.
    @ivar throttle: knows how many new calls are too many.
    @ivar now: gives seconds since the Unix epoch.
    @ivar notReady: gives the reasons why no call can be taken now.
    @ivar asking: asks other nodes about their nonces.
    @ivar alone: tells whether there is no other node that could take a call.
    """

    _layer: SipLayer
    receiver: IMessageReceiver
    authenticator: Authenticator
    throttle: Throttle
    now: Callable[[], float]
    notReady: Callable[[], list[str]] = list
    alone: Callable[[], bool] = lambda: True
    peers: PeerList = field(factory=PeerList)
    asking: Asking = field(factory=Asking)
    refused: Counter[str] = field(factory=Counter, init=False)

    def messageReceived(self, message: Request | Response, flow: Flow) -> None:
        """
        See L{IMessageReceiver.messageReceived}.
        """
        if isinstance(message, Response):
            # Nobody can guess the branch that it must have, and a peer may
            # answer from another address than it calls from.
            self.receiver.messageReceived(message, flow)
            return
        standing = self.peers.standing(flow)
        if standing is None:
            self._stranger(message, flow)
        else:
            if message.via.hasParam("oc"):
                loss = 100 if self.notReady() else self.throttle.loss(flow.remote[0])
                message = withFeedback(message, loss, self.now())
            if standing.names != flow.peers:
                flow = evolve(flow, peers=standing.names)
            self._requestReceived(message, flow, standing)

    def badMessage(self, error: BadMessage, flow: Flow) -> None:
        """
        See L{IMessageReceiver.badMessage}.
        """
        if self.peers.standing(flow) is None:
            self.refused["stranger"] += 1
        else:
            self.receiver.badMessage(error, flow)

    def waits(self, request: Request, flow: Flow) -> None:
        """
        An INVITE that would begin a call is to wait for its turn.
        """
        if self.peers.standing(flow) is not None:
            self._layer.tell(request, flow)

    def tooLate(self, request: Request, flow: Flow) -> None:
        """
        A request that would begin a call came, and there is no time for it.
        """
        if (
            request.method != "INVITE"
            or self.peers.standing(flow) is None
            or self._layer.repeats(request)
        ):
            self.messageReceived(request, flow)
            return
        self.refused["late"] += 1
        found = unavailable("too much to do", self.alone())
        self._layer.refuse(request, flow, found.status, found.why, found.headers)

    def _stranger(self, request: Request, flow: Flow) -> None:
        self.refused["stranger"] += 1
        if request.method != "ACK":
            # Somebody may have forgotten to configure a peer, and will want to
            # see why it is refused: so it gets an answer, an attacker too.
            log.debug(
                "{method} from a stranger, {host}", method=request.method, host=flow.remote[0]
            )
            self._layer.refuse(request, flow, 403, "unknown peer")

    def _requestReceived(self, request: Request, flow: Flow, standing: Standing) -> None:
        if self.asking.busy and self.asking.delays(
            request.callID, lambda: self._requestReceived(request, flow, standing)
        ):
            return
        if not standing.authenticates or self._mustNotBeChallenged(request):
            self._letIn(request, flow)
            return
        found = self.authenticator.check(request)
        if not isinstance(found, Elsewhere):
            self._judged(request, flow, standing, found)
            return
        proven = Authenticated(found.user)

        def decide(why: Why | None) -> None:
            judged = proven if why is None else self.authenticator.challenge(why)
            self._judged(request, flow, standing, judged)

        self.asking.begin(request.callID, found, decide)

    def _letIn(self, request: Request, flow: Flow) -> None:
        if self._isTooMuch(request, flow):
            return
        target = self._layer.cancelled(request) if request.method == "CANCEL" else None
        if target is not None and not target.samePeer(flow):
            # Without a transaction, or the peer's own CANCEL would be taken
            # for a copy of this one.
            self.refused["otherPeer"] += 1
            self._layer.refuse(request, flow, 481, "this INVITE is of another peer")
            return
        self.receiver.messageReceived(request, flow)

    def _isTooMuch(self, request: Request, flow: Flow) -> bool:
        """
        @return: whether too many calls are asked for; then it has been
            refused.
        """
        if request.toTag is not None or self._layer.repeats(request):
            return False
        if request.method == "INVITE":
            reason = self.throttle.take(flow.remote[0])
        elif request.method == "OPTIONS":
            # The answer that an INVITE would get (RFC 3261 section 11.2).
            reason = self.throttle.wouldRefuse(flow.remote[0])
        else:
            return False
        if reason is None:
            return False
        self.refused[reason] += 1
        found = unavailable("too many calls at a time", self.alone())
        self._layer.refuse(request, flow, found.status, found.why, found.headers)
        return True

    def _mustNotBeChallenged(self, request: Request) -> bool:
        """
        @return: whether it is an ACK or a CANCEL (RFC 3261 section 22.1), or a
            copy of what has been let in.
        """
        return request.method in ("ACK", "CANCEL") or self._layer.repeats(request)

    def _judged(
        self,
        request: Request,
        flow: Flow,
        standing: Standing,
        found: Authenticated | Challenge,
    ) -> None:
        if isinstance(found, Challenge):
            self.refused[found.why] += 1
            if found.why != "noCredentials":
                log.info(
                    "{method} from {host}: {why}",
                    method=request.method,
                    host=flow.remote[0],
                    why=found.why,
                )
            self._layer.refuse(request, flow, 401, "authentication is needed", found.headers)
            return
        names = standing.authenticated(found.user)
        if names is None:
            self.refused["otherUser"] += 1
            self._layer.refuse(request, flow, 403, "this user is another peer's")
            return
        self._letIn(request, evolve(flow, peers=names))
