"""
What is in the body of a SIP message from an SRC: a session description,
metadata, both or neither, in whatever order and wrapping (RFC 7866 section
9.1; CONFORMANCE A30 to A33).
"""

from __future__ import annotations

import re

from attrs import evolve, field, frozen

from siprec.metadata.parse import parseMetadata
from siprec.sdp.model import SessionDescription
from siprec.sdp.parse import BadSDP, parseSDP
from siprec.session.live import Document
from siprec.sip.headers import Headers, paramValue
from siprec.sip.multipart import BadMultipart, Part, leaves, parseBody
from siprec.sip.uri import Params

#: The media types that are understood, as a value of Accept.
ACCEPT = (
    "application/sdp, application/rs-metadata+xml, application/rs-metadata, "
    "multipart/mixed, multipart/alternative"
)

# RFC 9806 renamed application/rs-metadata; some send plain XML.
_METADATA_TYPES = frozenset(("application/rs-metadata+xml", "application/rs-metadata"))
_XML_TYPES = frozenset(("application/xml", "text/xml"))
_METADATA_ROOT = re.compile(rb"<(?:[\w.-]+:)?recording(?:_metadata)?[\s>]")
_HANDLING_REQUIRED = re.compile(r";\s*handling\s*=\s*\"?required", re.IGNORECASE)

# RFC 7866 section 9.1 knows one metadata document in a message.  Each costs the time of
# an XML parser and a file, so nobody gets more of them than any peer has a use for.
_MOST_DOCUMENTS = 8


class BadBody(Exception):
    """
    The body cannot be used.

    @ivar status: 400 or 415, and C{headers} to go with it.
    """

    def __init__(self, status: int, why: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.headers = headers


@frozen
class Bodies:
    """
    @ivar description: the session description, parsed, or C{None}.
    @ivar sdp: the same, byte for byte; empty if there was none.
    @ivar documents: rs-metadata documents, in order.
    @ivar notes: what was odd about the body but did no harm.
    """

    description: SessionDescription | None = None
    sdp: bytes = field(default=b"", repr=False)
    documents: tuple[Document, ...] = ()
    notes: tuple[str, ...] = ()

    def sendsOnly(self) -> bool:
        """
        @return: whether the peer would send on at least one line and receive
            on none.
        """
        if self.description is None:
            return False
        lines = [
            self.description.direction(index)
            for index, media in enumerate(self.description.media)
            if media.port
        ]
        return "sendonly" in lines and not {"sendrecv", "recvonly"}.intersection(lines)


def _isMetadata(part: Part, mediaType: str) -> bool:
    # Some leave the disposition out, some the right type (A32): any of the two
    # is enough, and of plain XML the root decides.
    if mediaType in _METADATA_TYPES:
        return True
    disposition = part.disposition
    if disposition is not None and disposition[0] == "recording-session":
        return mediaType != "application/sdp"
    return mediaType in _XML_TYPES and _METADATA_ROOT.search(part.body) is not None


def _guess(body: bytes) -> tuple[str, Params]:
    # RFC 5621 section 5.1 wants a type; a few leave it out.
    start = body.lstrip()[:2]
    if start == b"v=":
        return "application/sdp", ()
    return ("text/xml" if start[:1] == b"<" else "text/plain"), ()


def _mustBeUnderstood(part: Part) -> bool:
    # Handling is "required" where nothing is said (RFC 3204 section 6), but in
    # the field unknown parts come without a word.  Refusing a call costs its
    # recording, so only the peer's explicit word does that.
    return _HANDLING_REQUIRED.search(part.headers.get("Content-Disposition") or "") is not None


def readBodies(headers: Headers, body: bytes) -> Bodies:
    """
    @param headers: of the whole message.
    @raise BadBody: it is no multipart body, no session description, or of a
        type that nobody knows.  Metadata never raises: what cannot be read is
        kept and says so.
    """
    if not body:
        return Bodies()
    try:
        parts = leaves(parseBody(headers, body))
    except BadMultipart as error:
        raise BadBody(error.status, str(error), _accepted(error.status)) from error
    sdp: list[bytes] = []
    documents: list[Document] = []
    notes: list[str] = []
    tooMany = False
    for part in parts:
        mediaType, params = part.contentType or _guess(part.body)
        if mediaType == "application/sdp":
            sdp.append(part.body)
        elif _isMetadata(part, mediaType):
            if len(documents) == _MOST_DOCUMENTS:
                tooMany = True
                continue
            charset = paramValue(params, "charset")
            document = Document(part.body, parseMetadata(part.body, charset))
            if mediaType in _METADATA_TYPES:
                document = evolve(document, mediaType=mediaType)
            documents.append(document)
        elif _mustBeUnderstood(part) or (len(parts) == 1 and part.handlingRequired):
            raise BadBody(415, f"{mediaType} is not understood", _accepted(415))
        else:
            notes.append(f"a part of type {mediaType} was not used")
    if tooMany:
        notes.append(f"of metadata documents only the first {_MOST_DOCUMENTS} are read")
    if len(sdp) > 1:
        notes.append("more than one session description: the first counts")
    description = _description(sdp[0]) if sdp else None
    if description is not None:
        notes += description.warnings
    return Bodies(description, sdp[0] if sdp else b"", tuple(documents), tuple(notes))


def readLeniently(headers: Headers, body: bytes) -> Bodies:
    """
    Read a body where there is nothing to refuse any more.

    @return: what L{readBodies} would, or a note of why it would not.
    """
    try:
        return readBodies(headers, body)
    except BadBody as error:
        return Bodies(notes=(error.why,))


def _description(sdp: bytes) -> SessionDescription:
    try:
        return parseSDP(sdp)
    except BadSDP as error:
        raise BadBody(400, f"session description: {error}") from error


def _accepted(status: int) -> tuple[tuple[str, str], ...]:
    if status != 415:
        return ()
    # What would be understood (RFC 3261 section 21.4.13).
    return (("Accept", ACCEPT), ("Accept-Encoding", "identity"))
