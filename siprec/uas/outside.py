"""
Answers to requests that are in no dialog of ours.
"""

from __future__ import annotations

from collections.abc import Sequence

from siprec.sip.interfaces import IServerTransaction
from siprec.sip.message import makeResponse
from siprec.uas.admission import ALLOW, SUPPORTED, Refusal
from siprec.uas.around import warning
from siprec.uas.bodies import ACCEPT

__all__ = ["answerOptions", "refuse"]


def refuse(transaction: IServerTransaction, refusal: Refusal) -> None:
    """
    Refuse a request, and tell people why.
    """
    _respond(transaction, refusal.status, [*refusal.headers, warning(refusal.why)])


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
