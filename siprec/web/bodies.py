"""
What comes with a request of an operator.
"""

from __future__ import annotations

import json

from twisted.web.iweb import IRequest

from siprec.session.pausing import MOST_REASON, isReason
from siprec.web.resource import Refusal

__all__ = ["MOST_OCTETS", "readReason"]

#: The longest body that is read.
MOST_OCTETS = 4096


def readReason(request: IRequest) -> str | None:
    """
    @return: why something is asked for: C{reason} of the JSON object that is the body;
        C{None} if there is none.
    @raise Refusal: the body is something else.
    """
    body: bytes = request.content.read(MOST_OCTETS + 1)
    if len(body) > MOST_OCTETS:
        raise Refusal(413, "bad-body", f"The body has more than {MOST_OCTETS} octets.")
    if not body.strip():
        return None
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(400, "bad-body", "The body is not JSON.") from None
    if not isinstance(content, dict) or not content.keys() <= {"reason"}:
        raise Refusal(400, "bad-body", 'The body is a JSON object with "reason", or empty.')
    reason = content.get("reason")
    if reason is None:
        return None
    if not isinstance(reason, str) or not isReason(reason):
        detail = f"reason is 1 to {MOST_REASON} printable characters."
        raise Refusal(400, "bad-body", detail)
    return reason
