"""
The final responses of one call, as they are saved before they are given: a
process that goes on with the call answers copies of the requests with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import define, evolve, field
from twisted.logger import Logger

from siprec.session.model import FinalResponse
from siprec.sip.errors import BadMessage
from siprec.sip.flow import Flow
from siprec.sip.headers import Headers
from siprec.sip.interfaces import IServerTransaction
from siprec.sip.message import Request, Response, parseMessage
from siprec.sip.transaction import LIFETIME

log = Logger()

#: Puts a transaction where copies of its request are answered; see
#: L{siprec.sip.layer.SipLayer.adopt}.
Adopt = Callable[[Request, Flow, Response, float], IServerTransaction]

# Seconds for which an INVITE that was told 100 is waited for by who sent it: a proxy does
# for three minutes (RFC 3261 section 16.6, timer C).
_PATIENCE = 180.0

# How many are kept: a record is written again with each change of the call.
_KEPT = 8

# What tells a copy of a request from another one, besides the topmost Via.
_HEADERS = ("From", "To", "Call-ID", "CSeq")


def _head(request: Request) -> bytes:
    fields = [("Via", request.headers.values("Via")[0])]
    fields += [(name, request.headers.get(name) or "") for name in _HEADERS]
    return Request(request.method, request.uri, Headers(fields)).serialize()


def plainFlow(flow: Flow) -> tuple[str, str, int, str, int, int]:
    """
    @return: the flow for the data model.
    """
    return (flow.transport, *flow.local, *flow.remote, flow.connection)


def deadFlow(plain: tuple[str, str, int, str, int, int]) -> Flow:
    """
    @return: a flow of another process: of a connection the addresses, since
        the connection itself died with that process.
    """
    transport, localHost, localPort, remoteHost, remotePort, _ = plain
    return Flow(transport, (localHost, localPort), (remoteHost, remotePort))


def adopt(
    finals: Iterable[FinalResponse], now: float, put: Adopt
) -> list[tuple[FinalResponse, IServerTransaction, Response]]:
    """
    Answer copies of requests as another process would have.

    @param now: seconds since the epoch.
    @return: those that copies may still come of.
    """
    adopted = []
    for final in finals:
        # A clock that was set back must not make them last.
        left = min(final.until - now, LIFETIME)
        if left <= 0:
            continue
        try:
            request, response = parseMessage(final.request), parseMessage(final.response)
        except BadMessage as error:
            log.error("a final response cannot be read: {why}", why=str(error))
            continue
        if isinstance(request, Request) and isinstance(response, Response):
            # What is repeated from now on is repeated for as long as ever.
            seconds = LIFETIME if final.awaitsACK else left
            transaction = put(request, deadFlow(final.flow), response, seconds)
            adopted.append((final, transaction, response))
    return adopted


def remember(finals: Iterable[FinalResponse], now: float, put: Adopt) -> None:
    """
    L{adopt} those of a call that does not go on.  A refusal of its first INVITE is given
    unasked: who was told 100 does not ask again.
    """
    for _, transaction, response in adopt(finals, now, put):
        if transaction.request.toTag is None and response.status >= 300:
            transaction.repeat()


@define(eq=False, repr=False)
class Finals:
    """
    @ivar now: gives seconds since the Unix epoch.
    """

    _now: Callable[[], float]
    _kept: tuple[FinalResponse, ...] = field(default=(), init=False)

    @property
    def kept(self) -> tuple[FinalResponse, ...]:
        """
        Those that copies of their requests may still come of, the newest last.
        """
        now = self._now()
        return tuple(each for each in self._kept if each.until > now)

    def add(
        self,
        transaction: IServerTransaction,
        response: Response,
        offers: bool = False,
        early: bool = False,
    ) -> None:
        """
        A request is about to be given this final response.

        @param offers: whether that carries an offer of ours.
        @param early: it is to be given by another process only, should this one end
            before it has an answer; the INVITE is about to be told 100.
        """
        cseq = response.cseq
        final = FinalResponse(
            method=cseq.method,
            cseq=cseq.number,
            request=_head(transaction.received),
            flow=plainFlow(transaction.flow),
            response=response.serialize(),
            until=self._now() + (_PATIENCE if early else LIFETIME),
            awaitsACK=cseq.method == "INVITE" and response.status < 300,
            offers=offers,
        )
        # It may have changed: a CANCEL has an INVITE refused that was to be accepted.
        others = [
            each for each in self.kept if (each.cseq, each.method) != (cseq.number, cseq.method)
        ]
        self._kept = (*others, final)[-_KEPT:]

    def acknowledged(self, number: int) -> None:
        """
        The ACK with this CSeq has come.
        """
        self._kept = tuple(
            evolve(each, awaitsACK=False) if each.cseq <= number else each for each in self._kept
        )

    def restore(self, finals: tuple[FinalResponse, ...]) -> None:
        """
        Go on with those of another process.
        """
        self._kept = finals
