"""
What a session recording client sends: its description of the media and its
metadata (RFC 7866 sections 7.1 and 9.1, RFC 7865).
"""

import uuid
from base64 import b64encode
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from attrs import field, frozen

from siprec.sdp.model import Connection, Media, Origin, SessionDescription
from siprec.sip.headers import Headers
from siprec.sip.multipart import Part, makeMultipart
from siprec.testing.wire import Law

METADATA_TYPE = "application/rs-metadata+xml"
_NAMESPACE = "urn:ietf:params:xml:ns:recording:1"


@frozen
class OfferedStream:
    """
    One m-line of ours.

    @ivar direction: C{"sendonly"} or C{"inactive"} (paused).
    @ivar port: our RTP port; 0 removes the stream.
    @ivar crypto: the value of its C{a=crypto} (SRTP); empty: it comes in the clear.
    """

    label: str
    port: int
    law: Law = Law.MU
    direction: str = "sendonly"
    crypto: str = field(default="", repr=False)

    def media(self) -> Media:
        """
        As a media line.
        """
        payloadType = self.law.payloadType
        return Media(
            "audio",
            self.port,
            "RTP/SAVP" if self.crypto else "RTP/AVP",
            (str(payloadType),),
            attributes=(
                ("rtpmap", f"{payloadType} {self.law.encodingName}/8000"),
                (self.direction, None),
                ("label", self.label),
                *((("crypto", self.crypto),) if self.crypto else ()),
            ),
        )


def describe(
    host: str, streams: Sequence[OfferedStream], sessionID: int, version: int
) -> SessionDescription:
    """
    @param host: the IP address that our streams come from.
    @return: an offer or an answer with one media line for each stream.
    """
    connection = Connection.to(host)
    origin = Origin("src", sessionID, version, connection.family, host)
    media = tuple(stream.media() for stream in streams)
    return SessionDescription(origin, media, connection=connection)


def newMetadataID() -> str:
    """
    @return: an identifier as RFC 7865 section 6.10 recommends it.
    """
    return b64encode(uuid.uuid4().bytes).decode("ascii")


def makeMetadata(
    participants: Sequence[str], labels: Sequence[str], startTime: str = "2026-01-05T09:00:00Z"
) -> bytes:
    """
    Make a complete document: one communication session, in which each
    participant sends the stream of the same position and receives the others.

    @param participants: their names; a text with C{@} or C{:} in it stands for
        an address without a name.
    @param labels: of the streams.  If there is but one stream, all send it.
    """
    session = newMetadataID()
    people = [newMetadataID() for _ in participants]
    streams = [newMetadataID() for _ in labels]
    lines = [f'<recording xmlns="{_NAMESPACE}">', "<datamode>complete</datamode>"]
    lines.append(
        f"<session session_id={quoteattr(session)}><start-time>{startTime}</start-time></session>"
    )
    for person, name in zip(people, participants, strict=True):
        lines.append(f"<participant participant_id={quoteattr(person)}>{_nameID(name)}")
        lines.append("</participant>")
    for stream, label in zip(streams, labels, strict=True):
        lines.append(f"<stream stream_id={quoteattr(stream)} session_id={quoteattr(session)}>")
        lines.append(f"<label>{escape(label)}</label></stream>")
    lines.append(f"<sessionrecordingassoc session_id={quoteattr(session)}>")
    lines.append(f"<associate-time>{startTime}</associate-time></sessionrecordingassoc>")
    for person in people:
        ids = f"participant_id={quoteattr(person)} session_id={quoteattr(session)}"
        lines.append(f"<participantsessionassoc {ids}>")
        lines.append(f"<associate-time>{startTime}</associate-time></participantsessionassoc>")
    for number, person in enumerate(people):
        lines.append(f"<participantstreamassoc participant_id={quoteattr(person)}>")
        own = streams if len(streams) == 1 else streams[number : number + 1]
        lines += [f"<send>{stream}</send>" for stream in own]
        lines += [f"<recv>{stream}</recv>" for stream in streams if stream not in own]
        lines.append("</participantstreamassoc>")
    lines.append("</recording>")
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + "\n".join(lines) + "\n").encode()


def _nameID(name: str) -> str:
    if "@" in name or ":" in name:
        return f"<nameID aor={quoteattr(name)}/>"
    user = "".join(character for character in name.lower() if character.isalnum()) or "unknown"
    return (
        f'<nameID aor="sip:{user}@example.com"><name xml:lang="en">{escape(name)}</name></nameID>'
    )


def makeBody(sdp: bytes | None, metadata: bytes | None) -> tuple[str | None, bytes, Headers]:
    """
    Put description and metadata into one body (RFC 7866 section 9.1).

    @return: Content-Type (C{None}: there is no body), the body, and further
        headers of the message.
    """
    disposition = ("Content-Disposition", "recording-session")
    if metadata is None:
        return (None, b"", Headers()) if sdp is None else ("application/sdp", sdp, Headers())
    if sdp is None:
        return METADATA_TYPE, metadata, Headers([disposition])
    contentType, body = makeMultipart(
        [
            Part(Headers([("Content-Type", "application/sdp")]), sdp),
            Part(Headers([("Content-Type", METADATA_TYPE), disposition]), metadata),
        ]
    )
    return contentType, body, Headers()


__all__ = [
    "METADATA_TYPE",
    "OfferedStream",
    "describe",
    "makeBody",
    "makeMetadata",
    "newMetadataID",
]
