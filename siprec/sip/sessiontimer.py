"""
Session timers (RFC 4028): how long a session lives without a sign of its peer, and who
gives that sign.

The recorder takes part where the peer wants a timer and never asks for one, because
clients exist that do not answer a request of the recorder's; nor does it choose to be the
one that refreshes.
"""

from attrs import field, frozen
from attrs.validators import ge

from siprec.sip.headers import Headers, paramValue, parseParameterized
from siprec.sip.message import Request, Response

LEAST_INTERVAL = 90
"""Seconds below which no interval may be (RFC 4028 section 4)."""

# Session-Expires is delta-seconds, which RFC 3261 section 20.19 bounds.
_MOST_SECONDS = 2**32 - 1

Fields = tuple[tuple[str, str], ...]


@frozen
class TimerSettings:
    """
    @ivar minSE: the shortest interval that is agreed to, in seconds; at least 90.
    """

    minSE: int = field(default=LEAST_INTERVAL, validator=ge(LEAST_INTERVAL))


@frozen
class TooSmall:
    """
    The interval asked for is too short: answer 422 with C{headers}.

    @ivar minSE: the shortest interval that would be agreed to, in seconds.
    """

    minSE: int

    @property
    def headers(self) -> Fields:
        """
        What the 422 has to carry (RFC 4028 section 9).
        """
        return (("Min-SE", str(self.minSE)),)


@frozen
class Agreed:
    """
    What holds from now on: it replaces whatever was agreed before.

    @ivar interval: seconds from one refresh to the end of the session, or C{None} if the
        session ends only by a BYE.
    @ivar refresher: C{"uac"} or C{"uas"} of the request that settled it, else C{None}.
    @ivar headers: for our 2xx; empty where the request was ours.
    @ivar ours: whether this side refreshes.
    """

    interval: int | None = None
    refresher: str | None = None
    headers: Fields = ()
    ours: bool = False

    @property
    def refreshAfter(self) -> float | None:
        """
        Seconds after which this side has to refresh; C{None} if it does not have to (RFC
        4028 section 7.2).
        """
        return self.interval / 2 if self.ours and self.interval is not None else None

    @property
    def giveUpAfter(self) -> float | None:
        """
        Seconds without a refresh after which the session is ended with a BYE: 32 s, or a
        third of the interval, before it expires (RFC 4028 section 10).
        """
        return None if self.interval is None else self.interval - min(32, self.interval / 3)

    @property
    def refreshHeaders(self) -> Fields:
        """
        What a re-INVITE or UPDATE of ours has to carry for things to stay as they are
        (RFC 4028 section 7.4).  The client of that request is this side.
        """
        if self.interval is None:
            return (("Supported", "timer"),)
        refresher = "uac" if self.ours else "uas"
        return (
            ("Supported", "timer"),
            ("Session-Expires", f"{self.interval};refresher={refresher}"),
        )


def negotiate(request: Request, settings: TimerSettings) -> Agreed | TooSmall:
    """
    Answer what an INVITE or UPDATE of the peer says about the session timer (RFC 4028
    section 9, table 2).  One that says nothing, or says it in a way that cannot be read,
    or does not support the extension, wants none.

    @return: what to put into the 2xx, or why to refuse.
    """
    interval, refresher = _expires(request.headers)
    if interval is None or not _supported(request.headers):
        return Agreed()
    if interval < settings.minSE:
        return TooSmall(settings.minSE)
    refresher = refresher or "uac"
    headers: list[tuple[str, str]] = []
    if refresher == "uac":
        headers.append(("Require", "timer"))
    headers.append(("Session-Expires", f"{interval};refresher={refresher}"))
    return Agreed(interval, refresher, tuple(headers), ours=refresher == "uas")


def refreshed(response: Response) -> Agreed:
    """
    Read what a 2xx to an INVITE or UPDATE of ours settles (RFC 4028 section 7.2).

    @return: without Session-Expires in C{response}, a session that does not expire.
    """
    interval, refresher = _expires(response.headers)
    if interval is None:
        return Agreed()
    # Which of the two it is a 2xx must say; if it does not, the sender of the request is
    # the one that certainly knows of the timer.
    refresher = refresher or "uac"
    return Agreed(max(interval, LEAST_INTERVAL), refresher, ours=refresher == "uac")


def longer(response: Response) -> int | None:
    """
    @param response: a 422 to a refresh of ours.
    @return: the interval to try again with, in seconds; C{None} if it does not say (RFC
        4028 section 7.3).
    """
    return _seconds(response.headers.get("Min-SE"))


def _expires(headers: Headers) -> tuple[int | None, str | None]:
    """
    @return: interval and refresher of Session-Expires; C{None} for what is not there or
        cannot be read.
    """
    text = headers.get("Session-Expires")
    interval = _seconds(text)
    if text is None or interval is None:
        return None, None
    refresher = (paramValue(parseParameterized(text)[1], "refresher") or "").lower()
    return interval, refresher if refresher in ("uac", "uas") else None


def _seconds(text: str | None) -> int | None:
    digits = (text or "").partition(";")[0].strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10):
        return None
    return min(int(digits), _MOST_SECONDS)


def _supported(headers: Headers) -> bool:
    """
    @return: whether the sender knows of session timers; to require them says so as well.
    """
    tags = [*headers.values("Supported"), *headers.values("Require")]
    return any(tag.lower() == "timer" for tag in tags)
