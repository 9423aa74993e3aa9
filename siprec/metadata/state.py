"""
What a recording session amounts to after all metadata documents so far.

Two clocks are kept apart throughout: what the recording client I{stated}
(C{start}, C{end}: informational, and sometimes absurd) and when a document said
so by I{our} clock (C{seen}, C{closed}: what media is measured against).  All
times are aware and in UTC.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal

from attrs import Factory

from siprec.metadata.model import Extensions, NameID, Reason
from siprec.metadata.value import value

__all__ = [
    "Association",
    "Cause",
    "GroupState",
    "Interval",
    "ParticipantState",
    "Participation",
    "RecordingMetadata",
    "SessionState",
    "StreamState",
    "StreamUse",
    "StreamUses",
]

#: Why something ended: empty while it lasts; C{stated} in a document;
#: C{absent-in-snapshot}: a complete document no longer has it;
#: C{session-stopped}: its communication session ended; C{superseded}: a newer
#: statement took its place; C{label-taken}: another stream has the m-line now.
Cause = Literal["", "stated", "absent-in-snapshot", "session-stopped", "superseded", "label-taken"]


@value
class Interval:
    """
    How long an association held.

    @ivar seen: when we learned of its beginning.
    @ivar start: its beginning as stated, or C{None}.
    @ivar closed: when we learned of its end, or C{None} while it lasts.
    @ivar end: its end as stated, or C{None}.
    """

    seen: datetime
    start: datetime | None = None
    closed: datetime | None = None
    end: datetime | None = None
    cause: Cause = ""


@value
class Association:
    """
    Of a communication session with this recording session.
    """

    intervals: tuple[Interval, ...] = ()
    extensions: Extensions = ()


@value
class Participation:
    """
    Of a participant in a communication session.

    @ivar params: capabilities (RFC 3840) as name and value.
    """

    intervals: tuple[Interval, ...] = ()
    params: tuple[tuple[str, str], ...] = ()
    extensions: Extensions = ()


@value
class GroupState:
    """
    @ivar defined: C{False} while the group has only been referred to.
    """

    id: str
    defined: bool = False
    intervals: tuple[Interval, ...] = ()
    extensions: Extensions = ()


@value
class SessionState:
    """
    A communication session.

    @ivar startTime: as stated, or C{None}.
    @ivar stopTime: as stated, or C{None}.
    @ivar closed: when we learned that it is over, or C{None}.
    """

    id: str
    seen: datetime
    defined: bool = False
    sipSessionIDs: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    groupRef: str | None = None
    startTime: datetime | None = None
    stopTime: datetime | None = None
    closed: datetime | None = None
    cause: Cause = ""
    extensions: Extensions = ()


@value
class ParticipantState:
    """
    @ivar names: every identity, the preferred one first.
    """

    id: str
    defined: bool = False
    names: tuple[NameID, ...] = ()
    extensions: Extensions = ()


@value
class StreamState:
    """
    @ivar label: of its m-line; kept after the stream is over.
    @ivar end: its end as stated; by the drafts only.
    """

    id: str
    seen: datetime
    defined: bool = False
    sessionID: str | None = None
    label: str | None = None
    mode: str | None = None
    closed: datetime | None = None
    end: datetime | None = None
    cause: Cause = ""
    extensions: Extensions = ()


@value
class StreamUse:
    """
    The streams that a participant sent and received for a while.
    """

    send: tuple[str, ...]
    recv: tuple[str, ...]
    seen: datetime
    start: datetime | None = None
    closed: datetime | None = None
    end: datetime | None = None
    cause: Cause = ""


@value
class StreamUses:
    """
    Of one participant, the oldest first; only the last one can be open.
    """

    uses: tuple[StreamUse, ...] = ()
    extensions: Extensions = ()

    @property
    def current(self) -> StreamUse | None:
        """
        What holds now, or C{None}.
        """
        if self.uses and self.uses[-1].closed is None:
            return self.uses[-1]
        return None


@value
class RecordingMetadata:
    """
    The state of one recording session; nothing in it is ever removed.

    @ivar based: a complete document has been merged; before, partial ones rest
        on nothing, and a snapshot is worth asking for (RFC 7866 section 9.2).
    @ivar recordings: by session.
    @ivar participations: by participant and session.
    @ivar uses: by participant.
    @ivar notes: what documents said that could not be followed, each once.
    """

    based: bool = False
    groups: Mapping[str, GroupState] = Factory(dict)
    sessions: Mapping[str, SessionState] = Factory(dict)
    participants: Mapping[str, ParticipantState] = Factory(dict)
    streams: Mapping[str, StreamState] = Factory(dict)
    recordings: Mapping[str, Association] = Factory(dict)
    participations: Mapping[tuple[str, str], Participation] = Factory(dict)
    uses: Mapping[str, StreamUses] = Factory(dict)
    extensions: Extensions = ()
    notes: tuple[str, ...] = ()

    def departed(self) -> set[str]:
        """
        @return: the participants that have been in a session and are in none
            any more.
        """
        present, known = set(), set()
        for (participantID, _), participation in self.participations.items():
            known.add(participantID)
            if any(interval.closed is None for interval in participation.intervals):
                present.add(participantID)
        return known - present

    def senders(self) -> Iterator[tuple[str, str]]:
        """
        @return: stream and participant, for each that sends at this moment.
        """
        departed = self.departed()
        for participantID, uses in self.uses.items():
            if (current := uses.current) and participantID not in departed:
                for streamID in current.send:
                    yield streamID, participantID
