"""
Answers to requests that get no transaction (RFC 3261 section 8.2.7): they cost
no memory, whoever asks and however often.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import maybeDeferred

from siprec.sip.errors import BadHeader
from siprec.sip.flow import Flow
from siprec.sip.headers import quote
from siprec.sip.matching import stamped, statelessTag
from siprec.sip.message import Request, makeResponse
from siprec.sip.runner import Surroundings, nothing, transmit

__all__ = ["answerStatelessly", "sayTrying"]

# Most characters of a warning: much of it may be the peer's own text.
_WARNING = 200


def answerStatelessly(
    around: Surroundings,
    received: Request,
    flow: Flow,
    status: int,
    why: str,
    headers: Sequence[tuple[str, str]] = (),
) -> bool:
    """
    Refuse a request.  What happens to the answer is only counted.

    @param received: as it came; no ACK.
    @param why: for Warning (RFC 3261 section 20.43).
    @return: whether there was anybody to answer.
    """
    try:
        request = stamped(received, flow)
    except BadHeader:
        return False
    text = why.encode("ascii", "replace").decode("ascii")[:_WARNING]
    fields = [*headers, ("Warning", f"399 siprec {quote(text)}")]
    response = makeResponse(request, status, toTag=statelessTag(received), headers=fields)
    around.responses[str(status)] += 1
    finding = maybeDeferred(around.transport.reply, request.via, flow)
    sending = finding.addCallback(around.transport.send, response.serialize())
    transmit(around, sending, nothing)
    return True


def sayTrying(around: Surroundings, received: Request, flow: Flow) -> None:
    """
    Tell that a request has come and will be answered later, so that no copies of it are
    sent (RFC 3261 section 17.2.1).  What happens to that is only counted.

    @param received: an INVITE as it came.
    """
    try:
        request = stamped(received, flow)
    except BadHeader:
        return
    around.responses["100"] += 1
    finding = maybeDeferred(around.transport.reply, request.via, flow)
    sending = finding.addCallback(around.transport.send, makeResponse(request, 100).serialize())
    transmit(around, sending, nothing)
