"""
Which requests the recorder takes up, and what it answers to the others: the
checks of RFC 3261 section 8.2, in their order, and the question whether an
INVITE asks for a recording at all (RFC 7866 sections 6.1.1 and 6.2).
"""

from __future__ import annotations

import re
from typing import Literal

from attrs import frozen

from siprec.sip.errors import BadURI
from siprec.sip.message import Request
from siprec.sip.uri import SipURI
from siprec.uas.bodies import BadBody, Bodies, readBodies

#: How much an INVITE must say of itself.  C{strict}: what RFC 7866 demands.
#: C{lenient}: any one sign of SIPREC.  C{legacy}: also a description whose
#: media the peer only sends.
Profile = Literal["strict", "lenient", "legacy"]

#: Methods that do something here.
METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "UPDATE", "INFO", "PRACK")
ALLOW = ", ".join(METHODS)

# Methods of the IANA registry: known, though not for a recorder.
_KNOWN = frozenset((*METHODS, "REGISTER", "SUBSCRIBE", "NOTIFY", "REFER", "MESSAGE", "PUBLISH"))

#: Extensions that are told to peers.
SUPPORTED = "timer, replaces"

# "record-aware" is only ever in Supported (RFC 7866 section 11.1.2), and
# harmless here if somebody requires it.  What "100rel" asks for is kept by never
# sending a 1xx that it would be for (RFC 3262 section 3).
_OPTIONS = frozenset(("siprec", "timer", "replaces", "100rel", "record-aware"))

# The tag is a header parameter in RFC 7866, but some SBCs write it into the
# URI, some without "+sip.", and some lose the ">" (CONFORMANCE A2): so the
# text is searched as it stands.
_SRC_TAG = re.compile(r"[;<]\s*\+sip\.src(?=[\s;=>,?]|$)", re.IGNORECASE)
_SRC_PARAM = re.compile(r";\s*src(?=[\s;>,?]|$)", re.IGNORECASE)


@frozen
class Refusal:
    """
    A final answer other than 2xx.

    @ivar headers: to add to the response.
    @ivar why: for Warning (RFC 3261 section 20.43) and the log.
    """

    status: int
    why: str
    headers: tuple[tuple[str, str], ...] = ()


@frozen
class Admission:
    """
    The INVITE asks for a recording.

    @ivar rule: by which sign it was recognised.
    """

    rule: str


def _optionTags(request: Request, name: str) -> list[str]:
    return [value.strip().lower() for value in request.headers.values(name)]


def checkMethod(request: Request) -> Refusal | None:
    """
    RFC 3261 section 8.2.1.
    """
    if request.method in METHODS:
        return None
    status = 405 if request.method in _KNOWN else 501
    return Refusal(status, f"{request.method} is not for a recorder", (("Allow", ALLOW),))


def checkHeaders(request: Request) -> Refusal | None:
    """
    Request-URI and Require, RFC 3261 sections 8.2.2.1 and 8.2.2.3.
    """
    try:
        known = isinstance(request.requestURI, SipURI)
    except BadURI:
        return Refusal(400, "bad Request-URI")
    if not known:
        return Refusal(416, "only sip and sips URIs")
    unknown = [tag for tag in request.headers.values("Require") if tag.lower() not in _OPTIONS]
    if unknown:
        return Refusal(420, "unknown option", (("Unsupported", ", ".join(unknown)),))
    return None


def checkAccept(request: Request) -> Refusal | None:
    """
    The answer to an INVITE is SDP: a peer that accepts none gets 406.
    """
    accepted = [
        value.partition(";")[0].strip().lower() for value in request.headers.values("Accept")
    ]
    if accepted and not {"application/sdp", "application/*", "*/*"}.intersection(accepted):
        return Refusal(406, "the answer would be application/sdp")
    return None


def recognise(request: Request, bodies: Bodies, profile: Profile) -> Admission | Refusal:
    """
    Does this INVITE ask for a recording (CONFORMANCE A1 to A3)?

    @param bodies: what came in its body.
    """
    contacts = request.headers.getAll("Contact")
    tagged = any(_SRC_TAG.search(each) for each in contacts)
    required = "siprec" in _optionTags(request, "Require")
    supported = "siprec" in _optionTags(request, "Supported")
    if tagged and (required or supported):
        return Admission("sip.src and siprec")
    if profile == "strict":
        return Refusal(403, "no recording session: +sip.src and siprec are both needed")
    signs = (
        ("Require: siprec", required),
        ("Supported: siprec", supported),
        ("sip.src", tagged),
        ("src", any(_SRC_PARAM.search(each) for each in contacts)),
        ("metadata", bool(bodies.documents)),
        ("sendonly", profile == "legacy" and bodies.sendsOnly()),
    )
    for rule, seen in signs:
        if seen:
            return Admission(rule)
    return Refusal(403, "no recording session: nothing in the INVITE asks for one")


def _isProtected(request: Request) -> bool:
    return request.via.transport in ("TLS", "WSS")


def readInvite(request: Request, profile: Profile) -> tuple[Admission, Bodies] | Refusal:
    """
    @param request: a first INVITE.
    @return: how it was recognised, and what is in it, or what is wrong with it,
        by the order of RFC 3261 section 8.2.
    """
    if profile == "strict" and request.uri[:5].lower() == "sips:" and not _isProtected(request):
        # What it promises is broken already (RFC 5630 section 3.1.3); to lose the
        # recording for that is what only this profile asks for.
        return Refusal(480, "a SIPS URI is reached over TLS only")
    try:
        bodies = readBodies(request.headers, request.body)
    except BadBody as error:
        return Refusal(error.status, error.why, error.headers)
    refusal = checkAccept(request)
    if refusal is not None:
        return refusal
    admission = recognise(request, bodies, profile)
    return admission if isinstance(admission, Refusal) else (admission, bodies)
