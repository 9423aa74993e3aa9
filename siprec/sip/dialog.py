"""
Dialogs (RFC 3261 section 12): the state that two user agents share, and the requests and
responses that follow from it.  A dialog is a value; what changes it returns a new one, so
that it can be saved before anything is sent.
"""

from collections.abc import Iterable

from attrs import evolve, frozen

from siprec.sip.errors import BadHeader, SipError
from siprec.sip.headers import CSeq, Headers, NameAddr, parseContact, parseNameAddr
from siprec.sip.message import Request, Response, makeResponse
from siprec.sip.uri import URI, SipURI

MAX_CSEQ = 2**31 - 1
"""The highest number that a user agent may generate (RFC 3261 section 8.1.1.5)."""

Fields = Iterable[tuple[str, str]]

ENDING = frozenset((404, 410, 416, 481, 482, 483, 484, 485, 502, 604))
"""Answers to a request within a dialog that end the dialog (RFC 5057 section 5.1, table 2)."""

# The methods whose request and 2xx carry a Contact that replaces the remote target.
_REFRESHING = frozenset(("INVITE", "UPDATE"))

_OVER_TLS = frozenset(("TLS", "WSS"))

# ACK and CANCEL carry the number of the INVITE that they belong to.
_SAME_NUMBER = frozenset(("ACK", "CANCEL"))


class CSeqExhausted(SipError):
    """
    A dialog has no sequence number left for another request of ours.
    """


def glareDelay(fraction: float, owner: bool = False) -> float:
    """
    How long to wait after a 491 before a re-INVITE is tried again (RFC 3261 section 14.1).

    @param fraction: random, from 0 up to 1.
    @param owner: whether this side chose the Call-ID, so sent the first INVITE.
    @return: seconds, in steps of 10 ms: 2.1 to 4 for the owner, 0 to 2 for the other.
    """
    low, high = (210, 400) if owner else (0, 200)
    return (low + round(fraction * (high - low))) / 100


@frozen
class Dialog:
    """
    One side of a dialog.

    @ivar localTag: our tag.
    @ivar remoteTag: the peer's; empty if it has none (RFC 2543).
    @ivar localAddr: our address for From, as a name-addr without tag.
    @ivar remoteAddr: the peer's address for To, as a name-addr without tag.
    @ivar remoteTarget: URI of the peer's Contact.
    @ivar localContact: the whole value of our Contact, with its feature tags.
    @ivar localCSeq: of our last request; the next one has the next number.
    @ivar remoteCSeq: of the peer's last request; C{None} before the first.
    @ivar routeSet: Route values, the nearest first, as received.
    @ivar secure: whether only SIPS may be used (RFC 3261 section 12.1).
    @ivar confirmed: false while the dialog is early.
    """

    callID: str
    localTag: str
    remoteTag: str
    localAddr: str
    remoteAddr: str
    remoteTarget: str
    localContact: str
    localCSeq: int
    remoteCSeq: int | None
    routeSet: tuple[str, ...] = ()
    secure: bool = False
    confirmed: bool = False

    @classmethod
    def fromInvite(
        cls, request: Request, localTag: str, localContact: str, localCSeq: int = 0
    ) -> "Dialog":
        """
        The early dialog of the side that is called (RFC 3261 section 12.1.1).

        @param localTag: the tag that all our responses to C{request} carry.
        @param localCSeq: where our own numbers begin.
        """
        return cls(
            callID=request.callID,
            localTag=localTag,
            remoteTag=request.fromTag or "",
            localAddr=str(request.toAddr.withoutParam("tag")),
            remoteAddr=str(request.fromAddr.withoutParam("tag")),
            # RFC 2543 did not demand a Contact; its peers are reached at From.
            remoteTarget=_contact(request) or str(request.fromAddr.uri),
            localContact=localContact,
            localCSeq=localCSeq,
            remoteCSeq=request.cseq.number,
            routeSet=tuple(request.headers.values("Record-Route")),
            secure=_toSIPS(request) and request.via.transport in _OVER_TLS,
        )

    @classmethod
    def fromResponse(cls, request: Request, response: Response) -> "Dialog":
        """
        The dialog of the side that calls (RFC 3261 section 12.1.2).

        @param request: our INVITE as it was sent.
        @param response: a provisional response with a To tag, or a 2xx.
        """
        return cls(
            callID=request.callID,
            localTag=request.fromTag or "",
            remoteTag=response.toTag or "",
            localAddr=str(request.fromAddr.withoutParam("tag")),
            remoteAddr=str(response.toAddr.withoutParam("tag")),
            remoteTarget=_contact(response) or request.uri,
            localContact=request.headers.get("Contact") or "",
            localCSeq=request.cseq.number,
            remoteCSeq=None,
            routeSet=tuple(reversed(response.headers.values("Record-Route"))),
            # Such a request is sent over TLS or not at all.
            secure=_toSIPS(request),
            confirmed=200 <= response.status < 300,
        )

    def owns(self, message: Request) -> bool:
        """
        @return: whether a request that came in belongs to this dialog (RFC 3261 section
            12.2.2); a peer without a tag is one of RFC 2543.
        """
        return (message.callID, message.toTag, message.fromTag or "") == (
            self.callID,
            self.localTag,
            self.remoteTag,
        )

    def received(self, request: Request) -> tuple["Dialog", int | None]:
        """
        Check the order of a request that came in this dialog (RFC 3261 section 12.2.2).
        Gaps are legal: a proxy may have answered the request between.

        @return: the dialog, and the status to refuse the request with: 500 if its number
            is not above the last one, else C{None}.
        """
        number = request.cseq.number
        if request.method in _SAME_NUMBER:
            return self, None
        if self.remoteCSeq is not None and number <= self.remoteCSeq:
            return self, 500
        return evolve(self, remoteCSeq=number), None

    def refreshed(self, message: Request | Response) -> "Dialog":
        """
        Take up the peer's Contact, if C{message} is an INVITE or UPDATE or a 2xx to one
        (RFC 3261 section 12.2, RFC 6141 section 4: when the request is answered 2xx).  A
        Contact that is missing or cannot be read changes nothing.
        """
        if isinstance(message, Request):
            refreshing = message.method in _REFRESHING
        else:
            refreshing = message.cseq.method in _REFRESHING and 200 <= message.status < 300
        target = _contact(message) if refreshing else None
        return self if target is None else evolve(self, remoteTarget=target)

    def established(self) -> "Dialog":
        """
        @return: the dialog once a 2xx to its INVITE is on the way.
        """
        return evolve(self, confirmed=True)

    @property
    def nextHop(self) -> str:
        """
        The URI that the next request goes to: the first route, else the remote target.
        """
        route = self._firstRoute()
        return self.remoteTarget if route is None else str(route.uri)

    def request(
        self,
        method: str,
        *,
        headers: Fields = (),
        body: bytes = b"",
        contentType: str | None = None,
    ) -> tuple["Dialog", Request]:
        """
        Make a request within this dialog (RFC 3261 section 12.2.1.1).  It has no Via: the
        transaction layer adds that.

        @param headers: more of them, in order.
        @return: the dialog with the number used up, and the request.
        @raise CSeqExhausted: there is no number left below 2**31.
        """
        number = self.localCSeq + 1
        if number > MAX_CSEQ:
            raise CSeqExhausted(f"{self.callID}: no CSeq below 2**31 is left")
        contact = [("Contact", self.localContact)] if method in _REFRESHING else []
        made = self._make(CSeq(number, method), [*contact, *headers], body, contentType)
        return evolve(self, localCSeq=number), made

    def ack(self, invite: Request, *, body: bytes = b"", contentType: str | None = None) -> Request:
        """
        Make the ACK to a 2xx (RFC 3261 section 13.2.2.4), with the number and the
        credentials of C{invite}.
        """
        credentials = [
            (name, value)
            for name in ("Authorization", "Proxy-Authorization")
            for value in invite.headers.getAll(name)
        ]
        return self._make(CSeq(invite.cseq.number, "ACK"), credentials, body, contentType)

    def response(
        self,
        request: Request,
        status: int,
        reason: str | None = None,
        *,
        headers: Fields = (),
        body: bytes = b"",
        contentType: str | None = None,
    ) -> Response:
        """
        Answer a request of this dialog, or the one that makes it, with our tag.  Where
        the response makes the dialog it repeats every Record-Route as received (RFC 3261
        section 12.1.1); where it may refresh our target it has our Contact.

        @param headers: more of them, in order.
        """
        own: list[tuple[str, str]] = []
        if 100 < status < 300 and request.method in _REFRESHING:
            if request.method == "INVITE" and request.toTag is None:
                own.extend(
                    ("Record-Route", value) for value in request.headers.getAll("Record-Route")
                )
            own.append(("Contact", self.localContact))
        return makeResponse(
            request,
            status,
            reason,
            toTag=self.localTag,
            headers=[*own, *headers],
            body=body,
            contentType=contentType,
        )

    def _make(self, cseq: CSeq, headers: Fields, body: bytes, contentType: str | None) -> Request:
        uri, routes = self._routing()
        to = f"{self.remoteAddr};tag={self.remoteTag}" if self.remoteTag else self.remoteAddr
        fields = [
            ("Max-Forwards", "70"),
            *(("Route", route) for route in routes),
            ("From", f"{self.localAddr};tag={self.localTag}"),
            ("To", to),
            ("Call-ID", self.callID),
            ("CSeq", str(cseq)),
            *headers,
        ]
        if contentType is not None:
            fields.append(("Content-Type", contentType))
        return Request(cseq.method, uri, Headers(fields), body)

    def _routing(self) -> tuple[str, tuple[str, ...]]:
        """
        @return: Request-URI and Route values (RFC 3261 section 12.2.1.1).
        """
        first = self._firstRoute()
        if first is None or _loose(first):
            return self.remoteTarget, self.routeSet
        # A strict router (RFC 2543) wants to find itself in the Request-URI.
        return _asRequestURI(first.uri), (*self.routeSet[1:], f"<{self.remoteTarget}>")

    def _firstRoute(self) -> NameAddr | None:
        """
        @return: the first route; C{None} if there is none or it cannot be read, which
            the routers behind the connection in use may still understand.
        """
        try:
            return parseNameAddr(self.routeSet[0]) if self.routeSet else None
        except BadHeader:
            return None


def _loose(route: NameAddr) -> bool:
    """
    @return: whether C{route} is a loose router.  Without angle brackets the parameter
        counts as one of the header, which is how some routers write it.
    """
    return route.hasParam("lr") or (isinstance(route.uri, SipURI) and route.uri.hasParam("lr"))


def _asRequestURI(uri: URI) -> str:
    """
    @return: C{uri} without what no Request-URI may have (RFC 3261 section 19.1.1).
    """
    if not isinstance(uri, SipURI):
        return str(uri)
    params = tuple(param for param in uri.params if param[0].lower() != "method")
    return str(evolve(uri, params=params, headers=()))


def _toSIPS(request: Request) -> bool:
    return request.uri.lower().startswith("sips:")


def _contact(message: Request | Response) -> str | None:
    """
    @return: the URI of the first Contact, fit for a Request-URI; C{None} if there is none
        or it cannot be read.
    """
    contacts = message.headers.values("Contact")
    try:
        return _asRequestURI(parseContact(contacts[0]).uri) if contacts else None
    except BadHeader:
        return None
