"""
A dialog and its messages, for tests.
"""

from siprec.sip.dialog import Dialog
from siprec.sip.headers import Headers
from siprec.sip.message import Request, Response, parseMessage

__all__ = ["CONTACT", "answer", "dialog", "request"]

CONTACT = "<sip:192.0.2.5:5060>;+sip.srs"


def request(method: str = "INVITE", *extra: tuple[str, str], **changed: str) -> Request:
    """
    @param extra: further headers.
    @param changed: headers of another value than usual, with C{_} for C{-}; empty: without.
    @return: a request as a peer would send it.
    """
    fields = {
        "Via": "SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKabc",
        "Max-Forwards": "70",
        "From": "Src <sip:src@192.0.2.7;x=y>;tag=theirs",
        "To": "<sip:srs@192.0.2.5>",
        "Call-ID": "one@192.0.2.7",
        "CSeq": f"10 {method}",
        "Contact": "<sip:src@192.0.2.7:5060;transport=udp>;+sip.src",
    }
    fields.update({name.replace("_", "-"): value for name, value in changed.items()})
    headers = [*((name, value) for name, value in fields.items() if value), *extra]
    uri = "sip:srs@192.0.2.5"
    parsed = parseMessage(Request(method, uri, Headers(headers)).serialize())
    assert isinstance(parsed, Request)
    return parsed


def dialog(*routes: str, **changed: str) -> Dialog:
    """
    @return: the dialog of an INVITE that came with these Record-Route lines.
    """
    extra = [("Record-Route", route) for route in routes]
    return Dialog.fromInvite(request("INVITE", *extra, **changed), "ours", CONTACT, 100)


def answer(invite: Request, status: int = 200, *extra: tuple[str, str]) -> Response:
    """
    @return: a response as a peer would send it to C{invite}.
    """
    kept = [(n, v) for n, v in invite.headers if n in ("Via", "From", "Call-ID", "CSeq")]
    to = ("To", f"{invite.headers.get('To')};tag=theirs")
    return Response(status, "", Headers([*kept, to, *extra]))
