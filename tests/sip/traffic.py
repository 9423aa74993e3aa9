"""
Messages, and the two neighbours of the transaction layer, for the tests of it.
"""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from siprec.sip.flow import Flow
from siprec.sip.headers import Headers, Via
from siprec.sip.interfaces import (
    FlowGone,
    IServerTransaction,
    ISipTransport,
    ITransactionUser,
)
from siprec.sip.message import Request, Response, makeResponse, parseMessage

UDP = Flow("UDP", ("192.0.2.9", 5060), ("192.0.2.7", 5060))
TCP = Flow("TCP", ("192.0.2.9", 5060), ("192.0.2.7", 40000), 1)
BRANCH = "z9hG4bK776asdhds"


def request(
    method: str = "INVITE",
    via: str = f"SIP/2.0/UDP 192.0.2.7:5060;branch={BRANCH}",
    number: int = 2,
    toTag: str | None = None,
    uri: str = "sip:srs@192.0.2.9",
    more: tuple[tuple[str, str], ...] = (),
) -> Request:
    """
    A request of the peer at 192.0.2.7.
    """
    to = "<sip:srs@192.0.2.9>" + ("" if toTag is None else f";tag={toTag}")
    fields = [
        ("Via", via),
        ("Max-Forwards", "70"),
        ("From", "<sip:src@192.0.2.7>;tag=src1"),
        ("To", to),
        ("Call-ID", "call-1"),
        ("CSeq", f"{number} {method}"),
    ]
    return Request(method, uri, Headers([*fields, *more]))


def answer(asked: Request, status: int, toTag: str = "srs1") -> Response:
    """
    A response to this request.
    """
    return makeResponse(asked, status, toTag=toTag)


@implementer(ISipTransport)
@define(eq=False)
class Wire:
    """
    A transport that keeps what is sent.

    @ivar gone: nothing can be sent.
    @ivar broken: sending fails in a way it should not.
    @ivar seconds: the present time, noted with each message.
    """

    seconds: Callable[[], float] = float
    gone: bool = False
    broken: bool = False
    sent: list[tuple[float, Flow, bytes]] = field(factory=list)

    def take(self) -> list[Request | Response]:
        """
        @return: the messages sent since this was last asked.
        """
        messages = [parseMessage(data) for _, _, data in self.sent]
        self.sent.clear()
        return messages

    def statuses(self) -> list[int]:
        """
        @return: the status codes of the responses sent since this was last asked.
        """
        return [message.status for message in self.take() if isinstance(message, Response)]

    def methods(self) -> list[str]:
        """
        @return: the methods of the requests sent since this was last asked.
        """
        return [message.method for message in self.take() if isinstance(message, Request)]

    def send(self, flow: Flow, data: bytes) -> None:
        """
        See L{ISipTransport}.
        """
        if self.broken:
            raise ZeroDivisionError
        if self.gone:
            raise FlowGone("gone")
        self.sent.append((self.seconds(), flow, data))

    def connect(self, transport: str, host: str, port: int, name: str = "") -> Deferred[Flow]:
        """
        See L{ISipTransport}.
        """
        return succeed(Flow(transport, ("192.0.2.9", 5060), (host, port)))

    def reply(self, via: Via, flow: Flow) -> Deferred[Flow]:
        """
        See L{ISipTransport}.
        """
        return fail(FlowGone("gone")) if self.gone else succeed(flow)

    def advertised(self, flow: Flow) -> tuple[str, int]:
        """
        See L{ISipTransport}.
        """
        return flow.local


@implementer(ITransactionUser)
@define(eq=False)
class User:
    """
    A transaction user that keeps what it is told.

    @ivar raising: what each of its methods raises, if anything.
    """

    requests: list[IServerTransaction] = field(factory=list)
    acks: list[Request] = field(factory=list)
    cancelled: list[IServerTransaction] = field(factory=list)
    ended: list[IServerTransaction] = field(factory=list)
    raising: Exception | None = None

    def _raise(self) -> None:
        if self.raising is not None:
            raise self.raising

    def requestReceived(
        self, transaction: IServerTransaction, request: Request, flow: Flow
    ) -> None:
        """
        See L{ITransactionUser}.
        """
        self.requests.append(transaction)
        self._raise()

    def ackReceived(self, ack: Request, flow: Flow) -> None:
        """
        See L{ITransactionUser}.
        """
        self.acks.append(ack)
        self._raise()

    def cancelReceived(self, transaction: IServerTransaction, cancel: Request) -> None:
        """
        See L{ITransactionUser}.
        """
        self.cancelled.append(transaction)
        self._raise()

    def transactionEnded(self, transaction: IServerTransaction) -> None:
        """
        See L{ITransactionUser}.
        """
        self.ended.append(transaction)
        self._raise()
