"""
What can be wrong with SIP text, said so that the caller knows whose fault it
is and what to answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from siprec.sip.model import Request

__all__ = ["BadHeader", "BadMessage", "BadURI", "SipError"]


class SipError(Exception):
    """
    Something about SIP went wrong; the base of all such errors.
    """


class BadURI(SipError, ValueError):
    """
    A text is not a URI (RFC 3261 section 19.1, RFC 3966, RFC 3986).
    """


class BadHeader(SipError, ValueError):
    """
    The value of a header field does not follow its grammar (RFC 3261 section 25).
    """


class BadMessage(SipError):
    """
    A peer sent bytes that are not a SIP message we may act on.

    @ivar status: the answer to send if C{request} is there (RFC 3261 section
        21.4), or C{None} to drop it in silence: responses, ACK, noise.
    @ivar sample: the first 80 bytes of the offending part, for the log.
    @ivar request: the request as far as it could be made out, if there is
        enough of it to send an answer: a start line and a top Via.  Headers
        beyond that may be missing, doubled or wrong.
    """

    def __init__(
        self,
        why: str,
        sample: bytes = b"",
        status: int | None = 400,
        request: Request | None = None,
    ) -> None:
        super().__init__(why)
        self.sample = sample[:80]
        self.status = status
        self.request = request
