"""
The responses within a call's dialog.
"""

from __future__ import annotations

import random

from siprec.sip.dialog import Dialog
from siprec.sip.message import Request, Response
from siprec.sip.sessiontimer import Agreed
from siprec.uas.admission import ALLOW, SUPPORTED
from siprec.uas.around import warning
from siprec.uas.bodies import ACCEPT

# Seconds.
_LATEST = 10


def ok(
    dialog: Dialog, request: Request, timer: Agreed | None = None, body: bytes = b""
) -> Response:
    """
    Make a 200.

    @param timer: what was agreed of the session timer, if that was asked.
    @param body: our description, or nothing.
    """
    headers = [("Allow", ALLOW), ("Accept", ACCEPT), ("Supported", SUPPORTED)]
    if timer is not None:
        headers += timer.headers
    contentType = "application/sdp" if body else None
    return dialog.response(request, 200, headers=headers, body=body, contentType=contentType)


def interrupted(dialog: Dialog, request: Request) -> Response:
    """
    Make what a process answers to an INVITE that an earlier one had taken, and not
    answered: the peer may ask again.
    """
    # RFC 3261 section 21.5.1; those of one node must not come all at once.
    after = random.randint(0, _LATEST)
    return refusal(dialog, request, 500, "the node was restarted", retryAfter=after)


def refusal(
    dialog: Dialog,
    request: Request,
    status: int,
    why: str | None,
    headers: tuple[tuple[str, str], ...] = (),
    retryAfter: int | None = None,
) -> Response:
    """
    Make a response that is no 2xx.

    @param why: for the Warning, or C{None} where the status says it all.
    @param retryAfter: seconds.
    """
    extra = [*headers] if why is None else [*headers, warning(why)]
    if retryAfter is not None:
        extra.append(("Retry-After", str(retryAfter)))
    return dialog.response(request, status, headers=extra)
