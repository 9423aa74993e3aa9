"""
The transaction layer (RFC 3261 section 17): finds or makes the transaction of
each message, and tells the transaction user what is new.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import ParamSpec

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from siprec.sip.clients import ClientTransactions
from siprec.sip.errors import BadMessage
from siprec.sip.flow import Flow
from siprec.sip.interfaces import (
    FlowGone,
    IMessageReceiver,
    IServerTransaction,
    ISipTransport,
    ITransactionUser,
)
from siprec.sip.livetransaction import ServerTransaction
from siprec.sip.matching import (
    MergeKey,
    ServerKey,
    legacy,
    mergeKey,
    serverKey,
    stamped,
)
from siprec.sip.message import Request, Response, makeResponse
from siprec.sip.runner import Surroundings, nothing
from siprec.sip.stateless import answerStatelessly, sayTrying

# A peer chooses the method's name; without this list it could make the counter
# as large as it likes.
_METHODS = frozenset(
    (
        *("ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS"),
        *("PRACK", "PUBLISH", "REFER", "REGISTER", "SUBSCRIBE", "UPDATE"),
    )
)

_P = ParamSpec("_P")


@implementer(IMessageReceiver)
class SipLayer:
    """
    All transactions of one node.

    @ivar user: who is told; may be set later.  Until then requests are
        answered 503.
    @ivar counters: how often something happened.  Dropped without an answer:
        C{badMessages}, C{strayAcks}, C{strayResponses}, C{lateResponses},
        C{retransmissions} (answered again where the rules say so),
        C{afterStop}.  Answered: C{badRequests}, C{strayCancels},
        C{withoutUser}.  Trouble: C{sendFailures}, C{unhandledErrors},
        C{unacknowledgedRejections}.
    @ivar requests: received, without retransmissions, by method; C{other} for
        methods that have no RFC.
    @ivar responses: sent, without retransmissions, by status.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        transport: ISipTransport | None = None,
        user: ITransactionUser | None = None,
        unforeseen: Callable[[], object] = nothing,
    ) -> None:
        """
        @param unforeseen: is called at each error that nothing had foreseen.
        """
        self.user = user
        self._unforeseen = unforeseen
        self.counters: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self.responses: Counter[str] = Counter()
        self._around = Surroundings(clock, transport, self.counters, self.responses)
        self._servers: dict[ServerKey, dict[str, ServerTransaction]] = {}
        self._clients = ClientTransactions(self._around)
        self._initial: dict[MergeKey, list[ServerTransaction]] = {}
        self._stopped = False

    @property
    def transport(self) -> ISipTransport:
        """
        What messages are sent by; may be set after creation.

        @raise RuntimeError: it is not set yet.
        """
        return self._around.transport

    @transport.setter
    def transport(self, transport: ISipTransport) -> None:
        self._around.use(transport)

    # What the transport gives

    def messageReceived(self, message: Request | Response, flow: Flow) -> None:
        """
        See L{IMessageReceiver.messageReceived}.
        """
        if self._stopped:
            self.counters["afterStop"] += 1
        elif isinstance(message, Request):
            self._guard(None, self._requestReceived, message, flow)
        else:
            self._guard(None, self._clients.received, message)

    def badMessage(self, error: BadMessage, flow: Flow) -> None:
        """
        See L{IMessageReceiver.badMessage}: answered without a transaction
        (RFC 3261 section 8.2.7), as its key may be what is bad.
        """
        request = error.request
        self._log.debug(
            "bad message from {peer}: {error}: {sample!r}",
            peer=flow.remote,
            error=str(error),
            sample=error.sample,
        )
        # An ACK is never answered, whatever is wrong with it.
        if self._stopped or error.status is None or request is None or request.method == "ACK":
            self.counters["badMessages"] += 1
        else:
            self._guard(None, self._refuseBad, request, flow, error.status, str(error))

    # What the user asks for

    def sendRequest(
        self,
        request: Request,
        flow: Flow,
        onResponse: Callable[[Response], None] | None = None,
    ) -> Deferred[Response]:
        """
        Send a request, which is neither ACK nor CANCEL, in a transaction of its own.

        @param request: without our Via, which is added here.
        @param onResponse: is called with each provisional response, and with
            each 2xx to an INVITE after the first; the user is to repeat its ACK.
        @return: fires with the first final response; fails with
            L{TransactionTimeout} or L{FlowGone}.  After a provisional response
            an INVITE waits without limit: use C{addTimeout}.  Cancelling the
            Deferred sends CANCEL for an INVITE, once that is allowed; a final
            response to it then goes to C{onResponse}.
        """
        if self._stopped:
            return fail(FlowGone("the recorder stops"))
        toUser = None if onResponse is None else self._guarded(onResponse)
        return self._clients.send(request, flow, toUser)

    def sendAck(self, ack: Request, flow: Flow) -> None:
        """
        Send the ACK to a 2xx.  If it cannot be sent, this is counted, and the
        peer will soon ask for it by repeating its 2xx.

        @param ack: without our Via, which is added here.
        """
        self._clients.sendAck(ack, flow)

    def has(self, received: Request) -> bool:
        """
        @param received: as it came.
        @return: whether there is a transaction that it is a copy of, or that it
            acknowledges or cancels.
        """
        return serverKey(received) in self._servers

    def repeats(self, received: Request) -> bool:
        """
        @param received: as it came.
        @return: whether it is a copy of a request that has a transaction.
        """
        return received.method in self._servers.get(serverKey(received), {})

    def cancelled(self, cancel: Request) -> Flow | None:
        """
        @param cancel: as it came.
        @return: what the request came by that it is to cancel; C{None} if
            there is none.
        """
        target = self._target(serverKey(cancel))
        return None if target is None else target.flow

    def refuse(
        self,
        received: Request,
        flow: Flow,
        status: int,
        why: str,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """
        See L{answerStatelessly}.
        """
        if not self._stopped:
            given = (self._around, received, flow, status, why, headers)
            self._guard(None, answerStatelessly, *given)

    def tell(self, received: Request, flow: Flow) -> None:
        """
        See L{sayTrying}.
        """
        if not self._stopped:
            self._guard(None, sayTrying, self._around, received, flow)

    def forget(self, received: Request) -> None:
        """
        Send nothing more in the transaction of a request, as somebody else
        answers it.

        @param received: as it came.
        """
        transaction = self._servers.get(serverKey(received), {}).get(received.method)
        if transaction is not None:
            transaction.stop()
            self._serverEnded(transaction)

    def forgetDialog(self, callID: str, ours: str, theirs: str) -> None:
        """
        Send nothing more in any transaction of a dialog, as another process
        goes on with it: neither responses, nor copies of our requests, nor a
        CANCEL or ACK of them.

        @param ours: our tag.
        @param theirs: the peer's tag; empty if it has none.
        """
        tags = (callID, ours, theirs)
        for transactions in list(self._servers.values()):
            for server in list(transactions.values()):
                asked = server.request
                if (asked.callID, server.toTag, asked.fromTag or "") == tags:
                    server.stop()
                    self._serverEnded(server)
        self._clients.abandonDialog(callID, ours, theirs)

    def merged(self, request: Request) -> bool:
        """
        Whether this request is here already, by another way (RFC 3261 section
        8.2.2.2: answer 482).  One that was refused does not count, since its
        peer may well try another of our addresses with a new branch and
        nothing else changed (RFC 3263 section 4.3).

        @param request: of a transaction of this layer.
        """
        if request.toTag is not None:
            return False
        return any(
            other.request.via.branch != request.via.branch and other.status < 300
            for other in self._initial.get(mergeKey(request), ())
        )

    def adopt(
        self, received: Request, flow: Flow, response: Response, seconds: float
    ) -> IServerTransaction:
        """
        Go on with a server transaction that had its final response, or was
        about to have it, in another process.  Nothing is sent before a copy of
        the request comes, or the user repeats a 2xx to an INVITE.

        @param received: the request as it came; its body does not matter.
        @param flow: what it came by, and what the response leaves by until a
            copy of the request has come by another.
        @param seconds: until no copy is to be expected any more.
        @return: the transaction; the one that is here if there is one already.
        """
        known = self._servers.get(serverKey(received), {}).get(received.method)
        if known is not None:
            return known
        transaction = self._add(received, flow)
        transaction.restore(response, seconds)
        return transaction

    def stop(self) -> None:
        """
        Forget all transactions and their timers; what is waited for fails with
        L{FlowGone}.  Later messages are dropped.
        """
        self._stopped = True
        for transactions in self._servers.values():
            for transaction in transactions.values():
                transaction.stop()
        self._servers.clear()
        self._initial.clear()
        self._clients.stop()

    # Requests

    def _requestReceived(self, received: Request, flow: Flow) -> None:
        key, method = serverKey(received), received.method
        if method == "ACK":
            self._ackReceived(stamped(received, flow), flow, key)
            return
        known = self._servers.get(key, {}).get(method)
        if known is not None:
            self.counters["retransmissions"] += 1
            known.again(received, flow)
            return
        self.requests[method if method in _METHODS else "other"] += 1
        transaction = self._add(received, flow)
        request = transaction.request
        if method == "CANCEL":
            self._cancelReceived(transaction, self._target(key))
        elif self.user is None:
            self.counters["withoutUser"] += 1
            transaction.respond(makeResponse(request, 503, toTag=transaction.toTag))
        else:
            self._guard(transaction, self.user.requestReceived, transaction, request, flow)

    def _add(self, received: Request, flow: Flow) -> ServerTransaction:
        transaction = ServerTransaction(
            received, flow, self._around, self._toUserAck, self._serverEnded
        )
        self._servers.setdefault(transaction.key, {})[received.method] = transaction
        if received.toTag is None and received.method != "CANCEL":
            self._initial.setdefault(mergeKey(received), []).append(transaction)
        return transaction

    def _ackReceived(self, ack: Request, flow: Flow, key: ServerKey) -> None:
        self.requests["ACK"] += 1
        invite = self._servers.get(key, {}).get("INVITE")
        # With RFC 2543's rules the tag is what tells it from another one's ACK.
        if invite is not None and not (legacy(key) and ack.toTag != invite.toTag):
            invite.acknowledge(ack)
        else:
            self._toUserAck(ack, flow)

    def _target(self, key: ServerKey) -> ServerTransaction | None:
        transactions = self._servers.get(key, {})
        others = [transactions[method] for method in transactions if method != "CANCEL"]
        return others[0] if others else None

    def _cancelReceived(
        self, transaction: ServerTransaction, target: ServerTransaction | None
    ) -> None:
        cancel = transaction.request
        if target is None:
            self.counters["strayCancels"] += 1
            transaction.respond(makeResponse(cancel, 481, toTag=transaction.toTag))
            return
        # RFC 3261 section 9.2: with the tag that the INVITE's answers have.
        transaction.respond(makeResponse(cancel, 200, toTag=target.toTag))
        if target.request.method == "INVITE" and not target.answered and self.user is not None:
            self._guard(target, self.user.cancelReceived, target, cancel)

    def _toUserAck(self, ack: Request, flow: Flow) -> None:
        if self.user is not None:
            self._guard(None, self.user.ackReceived, ack, flow)

    def _serverEnded(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        transactions = self._servers.get(transaction.key, {})
        transactions.pop(request.method, None)
        if not transactions:
            self._servers.pop(transaction.key, None)
        if request.toTag is None and request.method != "CANCEL":
            key = mergeKey(request)
            rest = [other for other in self._initial.get(key, ()) if other is not transaction]
            if rest:
                self._initial[key] = rest
            else:
                self._initial.pop(key, None)
        if request.method != "CANCEL" and self.user is not None:
            self._guard(None, self.user.transactionEnded, transaction)

    def _refuseBad(self, received: Request, flow: Flow, status: int, why: str) -> None:
        answered = answerStatelessly(self._around, received, flow, status, why)
        self.counters["badRequests" if answered else "badMessages"] += 1

    def _guarded(self, onResponse: Callable[[Response], None]) -> Callable[[Response], None]:
        return lambda response: self._guard(None, onResponse, response)

    def _guard(
        self,
        transaction: ServerTransaction | None,
        call: Callable[_P, object],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> None:
        """
        Call what may be wrong; a failure ends here, and concerns no other message.
        """
        try:
            call(*args, **kwargs)
        except Exception:
            self.counters["unhandledErrors"] += 1
            self._unforeseen()
            self._log.failure("unhandled error in {call}", call=call)
            if transaction is not None and not transaction.answered:
                response = makeResponse(transaction.request, 500, toTag=transaction.toTag)
                transaction.respond(response)
