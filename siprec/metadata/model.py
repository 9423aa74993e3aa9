"""
One rs-metadata document as values (RFC 7865 section 5 and its XML schema).

These classes hold what B{one} document says, whatever dialect said it in; what
the recording session amounts to after several documents is
L{siprec.metadata.state}.  Every identifier is an opaque text: real senders use
base64, UUIDs, decimal numbers, and even the empty text.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal, Protocol

from siprec.metadata.value import value

__all__ = [
    "DRAFT_NAMESPACE",
    "NAMESPACE",
    "Extension",
    "Extensions",
    "Group",
    "MetadataDocument",
    "Mode",
    "NameID",
    "Participant",
    "ParticipantSession",
    "ParticipantStream",
    "Reason",
    "Session",
    "SessionRecording",
    "Status",
    "Stream",
    "Time",
]

NAMESPACE = "urn:ietf:params:xml:ns:recording:1"
#: The namespace of the drafts, which Oracle, Ribbon, Metaswitch and AudioCodes
#: still send.
DRAFT_NAMESPACE = "urn:ietf:params:xml:ns:recording"

Mode = Literal["complete", "partial"]
Status = Literal["ok", "recovered", "error"]


@value
class Time:
    """
    A point in time as the peer wrote it.

    @ivar raw: the text, without surrounding blanks.
    @ivar value: the same in UTC, or C{None} where the text is no time.
    @ivar naive: the text names no zone (Oracle, Avaya and AudioCodes omit it),
        so that C{value} rests on an assumption about the peer.
    """

    raw: str
    value: datetime | None
    naive: bool = False


@value
class Extension:
    """
    An element that the schema does not name (RFC 7865 section 5.3).

    @ivar namespace: the namespace name, or empty.
    @ivar name: the local name as received.
    @ivar xml: the element as XML that can be parsed by itself.
    @ivar fields: the same flattened: each text and attribute under its path of
        local names, such as C{header/value} and C{header@label}, in document
        order; the path begins with C{name}.
    """

    namespace: str
    name: str
    xml: str
    fields: tuple[tuple[str, str], ...] = ()


Extensions = tuple[Extension, ...]


@value
class NameID:
    """
    One identity of a participant (RFC 7865 section 6.5.1).

    @ivar aor: a sip, sips or tel URI, or what the peer sent in its place.
    """

    aor: str
    name: str | None = None
    language: str | None = None


@value
class Reason:
    """
    Why a communication session ended (RFC 7865 section 6.3.1, RFC 3326).

    @ivar cause: the code, or C{None} where it is missing or no number.
    """

    text: str
    cause: int | None = None
    protocol: str = "SIP"


@value
class Group:
    """
    A communication session group (RFC 7865 section 6.2).
    """

    id: str
    associated: Time | None = None
    disassociated: Time | None = None
    extensions: Extensions = ()


@value
class Session:
    """
    A communication session (RFC 7865 section 6.3).

    @ivar sipSessionIDs: each C{local;remote=...}, without any white space.
    """

    id: str
    sipSessionIDs: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    groupRef: str | None = None
    start: Time | None = None
    stop: Time | None = None
    extensions: Extensions = ()


@value
class Participant:
    """
    A participant (RFC 7865 section 6.5).
    """

    id: str
    names: tuple[NameID, ...] = ()
    extensions: Extensions = ()


@value
class Stream:
    """
    A media stream (RFC 7865 section 6.7).

    @ivar label: the C{a=label} of its m-line (RFC 4574), or C{None}.
    @ivar mode: C{separate} or C{mixed}; only the drafts have it, as they have
        the two times.
    """

    id: str
    sessionID: str | None = None
    label: str | None = None
    mode: str | None = None
    associated: Time | None = None
    disassociated: Time | None = None
    extensions: Extensions = ()


@value
class SessionRecording:
    """
    A communication session is part of this recording session (section 6.4).
    """

    sessionID: str
    associated: Time | None = None
    disassociated: Time | None = None
    extensions: Extensions = ()


@value
class ParticipantSession:
    """
    A participant takes part in a communication session (section 6.6).

    @ivar params: capabilities (RFC 3840) as name and value, such as
        C{("isfocus", "true")}.
    """

    participantID: str
    sessionID: str
    associated: Time | None = None
    disassociated: Time | None = None
    params: tuple[tuple[str, str], ...] = ()
    extensions: Extensions = ()


@value
class ParticipantStream:
    """
    The streams a participant sends and receives (section 6.8).
    """

    participantID: str
    send: tuple[str, ...] = ()
    recv: tuple[str, ...] = ()
    associated: Time | None = None
    disassociated: Time | None = None
    extensions: Extensions = ()


class _Extended(Protocol):
    @property
    def extensions(self) -> Extensions: ...


@value
class MetadataDocument:
    """
    All that one document says.

    @ivar status: C{ok}; C{recovered}: not well-formed, but read; C{error}: not
        read, everything else is empty and the last of C{notes} says why.
    @ivar notes: each leniency that was needed, in order, without repetition.
    @ivar mode: C{complete} also where the document does not say (the schema's
        minOccurs of datamode is 0).
    @ivar root: C{recording} or C{requestsnapshot}, whatever the root was called.
    @ivar namespace: of the root, or empty.
    @ivar recordingID: the identifier some drafts give to the root, or C{None}.
    @ivar requestReason: text and language of a snapshot request.
    """

    status: Status = "ok"
    notes: tuple[str, ...] = ()
    mode: Mode = "complete"
    groups: tuple[Group, ...] = ()
    sessions: tuple[Session, ...] = ()
    participants: tuple[Participant, ...] = ()
    streams: tuple[Stream, ...] = ()
    sessionRecordings: tuple[SessionRecording, ...] = ()
    participantSessions: tuple[ParticipantSession, ...] = ()
    participantStreams: tuple[ParticipantStream, ...] = ()
    extensions: Extensions = ()
    root: Literal["recording", "requestsnapshot"] = "recording"
    namespace: str = NAMESPACE
    recordingID: str | None = None
    requestReason: tuple[str, str | None] | None = None

    def allExtensions(self) -> Iterator[tuple[str, int, Extension]]:
        """
        @return: each extension with the kind of its parent and the parent's
            place among its kind, counted from 0; in document order by kind.
        """
        kinds: tuple[tuple[str, Sequence[_Extended]], ...] = (
            ("group", self.groups),
            ("session", self.sessions),
            ("participant", self.participants),
            ("stream", self.streams),
            ("recsession", self.sessionRecordings),
            ("participantsession", self.participantSessions),
            ("participantstream", self.participantStreams),
        )
        for extension in self.extensions:
            yield "recording", 0, extension
        for kind, parents in kinds:
            for index, parent in enumerate(parents):
                for extension in parent.extensions:
                    yield kind, index, extension
