"""
The requests of our own: sends each in a client transaction, and finds the one that
a response belongs to (RFC 3261 section 17.1.3).
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from siprec.ids import newBranch
from siprec.sip.clienttransaction import cancelFor
from siprec.sip.flow import Flow
from siprec.sip.headers import Via
from siprec.sip.interfaces import Abandoned, FlowGone
from siprec.sip.livetransaction import ClientTransaction
from siprec.sip.matching import ClientKey, clientKey
from siprec.sip.message import Request, Response
from siprec.sip.runner import Surroundings, nothing, transmit

__all__ = ["ClientTransactions"]


def _ignore(response: Response) -> None:
    """
    Nobody wants to see provisional or repeated responses.
    """


@define(eq=False, repr=False)
class ClientTransactions:
    """
    All client transactions of one node.
    """

    _log = Logger()

    _around: Surroundings
    _running: dict[ClientKey, ClientTransaction] = field(factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._running)

    def send(
        self, request: Request, flow: Flow, onResponse: Callable[[Response], None] | None = None
    ) -> Deferred[Response]:
        """
        See L{siprec.sip.layer.SipLayer.sendRequest}.

        @param onResponse: must not fail.
        """
        return self._start(self._withVia(request, flow), flow, onResponse or _ignore)

    def sendAck(self, ack: Request, flow: Flow) -> None:
        """
        See L{siprec.sip.layer.SipLayer.sendAck}.
        """
        data = self._withVia(ack, flow).serialize()
        sending = maybeDeferred(self._around.transport.send, flow, data)
        transmit(self._around, sending, nothing)

    def received(self, response: Response) -> None:
        """
        A response has come: it goes to its transaction, or is counted.
        """
        # RFC 3261 section 8.1.3.3: more than our own Via: not meant for us.
        own = len(response.vias) == 1
        client = self._running.get(clientKey(response)) if own else None
        if client is None:
            self._around.counters["strayResponses"] += 1
        else:
            client.received(response)

    def abandonDialog(self, callID: str, ours: str, theirs: str) -> None:
        """
        Send nothing more in the transactions of a dialog, as another process
        goes on with it; what is waited for fails with L{Abandoned}.

        @param ours: our tag.
        @param theirs: the peer's tag; empty if it has none.
        """
        for client in list(self._running.values()):
            sent = client.request
            if (sent.callID, sent.fromTag, sent.toTag or "") == (callID, ours, theirs):
                client.abandon(Abandoned("another process has the dialog"))

    def stop(self) -> None:
        """
        Forget all of them; what is waited for fails with L{FlowGone}.
        """
        for client in list(self._running.values()):
            client.abandon(FlowGone("the recorder stops"))

    def _withVia(self, request: Request, flow: Flow) -> Request:
        host, port = self._around.transport.advertised(flow)
        via = Via(flow.transport, host, port, (("branch", newBranch()), ("rport", None)))
        return evolve(request, headers=request.headers.prepending("Via", str(via)))

    def _start(
        self, request: Request, flow: Flow, onResponse: Callable[[Response], None]
    ) -> Deferred[Response]:
        key = clientKey(request)

        def ended(transaction: ClientTransaction) -> None:
            self._running.pop(key, None)

        def cancel(transaction: ClientTransaction) -> None:
            # Nobody needs its answer: what counts is the INVITE's (RFC 3261 section 9.1).
            self._start(cancelFor(request), flow, _ignore).addErrback(self._cancelFailed)

        client = ClientTransaction(request, flow, self._around, onResponse, ended, cancel)
        self._running[key] = client
        client.start()
        return client.result

    def _cancelFailed(self, reason: Failure) -> None:
        self._log.debug("CANCEL: {reason}", reason=reason.getErrorMessage())
