"""
Transactions that run: the machines' effects, carried out by a transport and told
to the transaction user.
"""

from collections.abc import Callable

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from zope.interface import implementer

from siprec.ids import newTag
from siprec.sip.clienttransaction import Client, inviteClient, nonInviteClient
from siprec.sip.flow import Flow
from siprec.sip.interfaces import FlowGone, IServerTransaction, TransactionTimeout
from siprec.sip.matching import serverKey, stamped
from siprec.sip.message import Request, Response, makeResponse
from siprec.sip.runner import Surroundings, TransactionRunner, nothing, transmit
from siprec.sip.transaction import (
    LIFETIME,
    T1,
    Deliver,
    Effect,
    Finished,
    Send,
    Server,
    StartTimer,
    TimedOut,
    TransportFailed,
    inviteServer,
    nonInviteServer,
)

#: RFC 3261 section 17.2.1: the peer would send its INVITE again soon.
INVITE_TRYING = 0.2
#: When the peer's timer E has just reached T2 (RFC 4320 section 4.1: not before).
OTHER_TRYING = 7 * T1


# The timers that run to the end of a server transaction without an ACK.
_LAST = ("H", "J", "L")


def _serialized(message: Request | Response | bytes) -> bytes:
    return message if isinstance(message, bytes) else message.serialize()


@implementer(IServerTransaction)
class ServerTransaction:
    """
    One server transaction.

    @ivar key: see L{siprec.sip.matching.serverKey}.
    @ivar status: of the final response; 0 before there is one.
    """

    def __init__(
        self,
        received: Request,
        flow: Flow,
        around: Surroundings,
        onAck: Callable[[Request, Flow], None],
        onEnd: Callable[["ServerTransaction"], None],
    ) -> None:
        self.received = received
        self.request = request = stamped(received, flow)
        self.flow = flow
        self.key = serverKey(received)
        self.toTag = request.toTag or newTag()
        self.status = 0
        self._around = around
        self._onAck = onAck
        self._onEnd = onEnd
        self._latest, self._onSlow = 0.0, nothing
        self._restored = self._tried = False
        invite = request.method == "INVITE"
        make = inviteServer if invite else nonInviteServer
        self._machine: Server = make(flow.reliable)
        self._runner = TransactionRunner(around.clock, self._machine, self._perform)
        self._started = around.clock.seconds()
        self._runner.startTimer("100", INVITE_TRYING if invite else OTHER_TRYING, self._slow)

    @property
    def answered(self) -> bool:
        """
        Whether a final response was given.
        """
        return self.status != 0

    def restore(self, response: Response, seconds: float) -> None:
        """
        Instead of L{respond}: be as after this final response, which another
        process has given or was about to give; it is not sent.

        @param seconds: until no copy of the request is to be expected any more.
        """
        self._runner.stopTimer("100")
        self.toTag = response.toTag or self.toTag
        self.status, self._restored = response.status, True
        for effect in self._finally(response):
            if isinstance(effect, StartTimer):
                last = effect.name in _LAST
                self._runner.run([evolve(effect, seconds=seconds) if last else effect])

    def again(self, received: Request, flow: Flow) -> None:
        """
        A copy of the request came.

        @param flow: what it came by.
        """
        if self._restored or self.flow.relay or flow.relay:
            # By the way of the first one nothing may reach the peer any more.
            self.request, self.flow = stamped(received, flow), flow
        self._runner.run(self._machine.again())

    def acknowledge(self, ack: Request) -> None:
        """
        An ACK came that has the key of this INVITE.
        """
        effects = self._machine.ack(ack)
        if not effects:
            self._around.counters["strayAcks"] += 1
        self._runner.run(effects)

    def respond(self, response: Response) -> None:
        """
        See L{IServerTransaction.respond}.
        """
        status, method = response.status, self.request.method
        if method != "INVITE" and (status < 200 or status == 408):
            raise ValueError(f"{status} to {method}: RFC 4320 section 4 forbids it")
        if not self.answered:
            self.toTag = response.toTag or self.toTag
        self._answer(response)

    def defer(self, seconds: float, onSlow: Callable[[], None] | None = None) -> None:
        """
        See L{IServerTransaction.defer}.
        """
        if not self.flow.reliable:
            self._latest, self._onSlow = seconds, onSlow or nothing

    def trying(self) -> None:
        """
        See L{IServerTransaction.trying}.
        """
        if not (self._tried or self.answered):
            self._tried = True
            self._trying()

    def repeat(self) -> None:
        """
        See L{IServerTransaction.repeat}.
        """
        self._runner.run(self._machine.again())

    def stop(self) -> None:
        """
        Forget all timers, and send nothing more.
        """
        self._tried = True
        self._runner.stop()

    def _answer(self, response: Response) -> None:
        self._runner.stopTimer("100")
        status = response.status
        if status < 200:
            effects = self._machine.provisional(response.serialize())
        else:
            effects = self._finally(response)
        if not effects:
            self._around.counters["lateResponses"] += 1
        else:
            self._around.responses[str(status)] += 1
            if status >= 200:
                self.status, self._onSlow = status, nothing
        self._runner.run(effects)

    def _finally(self, response: Response) -> list[Effect]:
        give = self._machine.accepted if response.status < 300 else self._machine.rejected
        return give(response.serialize())

    def _slow(self) -> None:
        left = self._started + self._latest - self._around.clock.seconds()
        if left <= 0:
            self.trying()
        else:
            self._runner.startTimer("100", min(left, INVITE_TRYING), self._slow)
            self._onSlow()

    def _trying(self) -> None:
        response = makeResponse(self.request, 100)
        timestamp = response.headers.get("Timestamp")
        if timestamp is not None and " " not in timestamp.strip():
            # RFC 3261 section 8.2.6.1: the peer takes our delay off its round trip.
            delay = self._around.clock.seconds() - self._started
            headers = response.headers.replacing("Timestamp", f"{timestamp} {delay:.3f}")
            response = evolve(response, headers=headers)
        self._answer(response)

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Send):
            data = _serialized(effect.message)
            transport = self._around.transport
            flow = maybeDeferred(transport.reply, self.request.via, self.flow)
            sending = flow.addCallback(transport.send, data)
            transmit(self._around, sending, self._failed)
        elif isinstance(effect, Deliver) and isinstance(effect.message, Request):
            self._onAck(effect.message, self.flow)
        elif isinstance(effect, TimedOut):
            self._around.counters["unacknowledgedRejections"] += 1
        elif isinstance(effect, Finished):
            self._onEnd(self)

    def _failed(self) -> None:
        self._runner.run(self._machine.transportFailed())


class ClientTransaction:
    """
    One client transaction.

    @ivar result: fires with the first final response; fails with
        L{TransactionTimeout} or L{FlowGone}.
    """

    def __init__(
        self,
        request: Request,
        flow: Flow,
        around: Surroundings,
        onResponse: Callable[[Response], None],
        onEnd: Callable[["ClientTransaction"], None],
        onCancel: Callable[["ClientTransaction"], None],
    ) -> None:
        self.request = request
        self.flow = flow
        self.result: Deferred[Response] = Deferred(self._cancelled)
        self._around = around
        self._onResponse = onResponse
        self._onEnd = onEnd
        self._onCancel = onCancel
        self._invite = request.method == "INVITE"
        make = inviteClient if self._invite else nonInviteClient
        self._machine: Client = make(request, flow.reliable)
        self._runner = TransactionRunner(around.clock, self._machine, self._perform)
        self._progressed = False
        self._unwanted = False

    def start(self) -> None:
        """
        Send the request.
        """
        self._runner.run(self._machine.start())

    def received(self, response: Response) -> None:
        """
        A response to this request came.
        """
        status = response.status
        if status < 200:
            effects = self._machine.provisional(response)
        elif status < 300:
            effects = self._machine.accepted(response)
        else:
            effects = self._machine.rejected(response)
        if not effects:
            self._around.counters["strayResponses"] += 1
        self._runner.run(effects)
        if status < 200 and not self._progressed:
            self._progressed = True
            if self._unwanted:
                self._sendCancel()

    def abandon(self, reason: Exception) -> None:
        """
        End this transaction at once; if it is still waited for, it fails.
        """
        self._runner.stop()
        self._onEnd(self)
        if not self.result.called:
            self.result.errback(reason)

    def _cancelled(self, result: Deferred[Response]) -> None:
        if not self._invite:
            self.abandon(CancelledError())
        elif self._progressed:
            self._sendCancel()
        else:
            # RFC 3261 section 9.1: not before a provisional response.
            self._unwanted = True

    def _sendCancel(self) -> None:
        # RFC 3261 section 9.1: a peer of RFC 2543 may never send the 487.
        self._runner.startTimer("487", LIFETIME, lambda: self.abandon(CancelledError()))
        self._onCancel(self)

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Send):
            data = _serialized(effect.message)
            sending = maybeDeferred(self._around.transport.send, self.flow, data)
            transmit(self._around, sending, self._failed)
        elif isinstance(effect, Deliver) and isinstance(effect.message, Response):
            self._deliver(effect.message)
        elif isinstance(effect, Finished):
            self._onEnd(self)
        elif not self.result.called:
            self.result.errback(self._why(effect))

    def _deliver(self, response: Response) -> None:
        if response.status >= 200:
            self._runner.stopTimer("487")
        if response.status < 200 or self.result.called:
            self._onResponse(response)
        else:
            self.result.callback(response)

    def _why(self, effect: Effect) -> Exception:
        what = f"{self.request.method} to {self.request.uri}"
        if isinstance(effect, TransportFailed):
            return FlowGone(f"{what}: not sent")
        return TransactionTimeout(f"{what}: no final response in {LIFETIME:.0f} s")

    def _failed(self) -> None:
        self._runner.run(self._machine.transportFailed())
