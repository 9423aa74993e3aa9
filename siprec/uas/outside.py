"""
Answers to requests that are in no dialog of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from secrets import randbelow

from siprec.sip.interfaces import IServerTransaction
from siprec.sip.message import makeResponse
from siprec.uas.admission import ALLOW, SUPPORTED, Refusal
from siprec.uas.around import warning
from siprec.uas.bodies import ACCEPT

__all__ = ["answerOptions", "notKnown", "refuse"]

# Longest Retry-After, in seconds, for what goes on at another node in a moment.
_MOST_RETRY = 3


def refuse(transaction: IServerTransaction, refusal: Refusal) -> None:
    """
    Refuse a request, and tell people why.
    """
    _respond(transaction, refusal.status, [*refusal.headers, warning(refusal.why)])


def notKnown() -> Refusal:
    """
    @return: the answer where nobody can tell now whether there is such a call.
    """
    headers = (("Retry-After", str(1 + randbelow(_MOST_RETRY))),)
    return Refusal(500, "it is not known where this call is", headers)


def answerOptions(transaction: IServerTransaction, contact: str) -> None:
    """
    Tell what an INVITE may ask for (RFC 3261 section 11.2).

    @param contact: the value of our Contact.
    """
    headers = [
        ("Contact", contact),
        ("Allow", ALLOW),
        ("Accept", ACCEPT),
        ("Accept-Encoding", "identity"),
        ("Accept-Language", "en"),
        ("Supported", SUPPORTED),
    ]
    _respond(transaction, 200, headers)


def _respond(
    transaction: IServerTransaction, status: int, headers: Sequence[tuple[str, str]]
) -> None:
    transaction.respond(
        makeResponse(transaction.request, status, toTag=transaction.toTag, headers=headers)
    )
