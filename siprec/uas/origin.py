"""
Who has begun a call: what the manifest keeps of its first INVITE.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from siprec.metadata.masking import NO_MASK, Mask
from siprec.metadata.vendor import keptHeaders
from siprec.sip.flow import Flow
from siprec.sip.message import Request

__all__ = ["describeDialog"]


def describeDialog(
    request: Request, flow: Flow, exclude: Sequence[str], mask: Mask = NO_MASK
) -> dict[str, Any]:
    """
    @param exclude: patterns of header names that must not be kept.
    @param mask: for addresses and headers.
    @return: the manifest's C{sip}.
    """
    headers = mask.values(keptHeaders(list(request.headers), exclude))
    return {
        "from": mask.values(request.headers.get("From")),
        "to": mask.values(request.headers.get("To")),
        "userAgent": request.headers.get("User-Agent"),
        "remoteAddress": f"{flow.remote[0]}:{flow.remote[1]}",
        "transport": flow.transport,
        "headers": headers,
    }
