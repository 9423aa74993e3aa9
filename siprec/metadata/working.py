"""
The maps of a recording session's metadata while one document is being merged,
and which identifier may stand for what (rules 8 and 11 of the merge).
"""

from datetime import datetime
from typing import Any

from attrs import Factory, define, evolve, field

from siprec.metadata.model import Extensions, MetadataDocument
from siprec.metadata.state import (
    Association,
    GroupState,
    ParticipantState,
    Participation,
    RecordingMetadata,
    SessionState,
    StreamState,
    StreamUses,
)

__all__ = ["Working", "extended"]

_MOST_NOTES = 100
# Why a stream ended that is referred to again.
_SEEMED_OVER = ("absent-in-snapshot", "session-stopped")


def extended(old: Extensions, new: Extensions) -> Extensions:
    """
    Rule 9: extension data is replaced by expanded name.
    """
    if not new:
        return old
    names = {(each.namespace, each.name) for each in new}
    return (*(each for each in old if (each.namespace, each.name) not in names), *new)


@define(eq=False, repr=False)
class Working:
    """
    @ivar at: when the document arrived.
    """

    at: datetime
    groups: dict[str, GroupState]
    sessions: dict[str, SessionState]
    participants: dict[str, ParticipantState]
    streams: dict[str, StreamState]
    recordings: dict[str, Association]
    participations: dict[tuple[str, str], Participation]
    uses: dict[str, StreamUses]
    notes: dict[str, None]
    _kinds: tuple[dict[str, Any], ...] = field(
        init=False,
        default=Factory(
            lambda self: (self.groups, self.sessions, self.participants, self.streams),
            takes_self=True,
        ),
    )

    @classmethod
    def of(cls, state: RecordingMetadata, at: datetime) -> "Working":
        """
        Copy the maps of a state.
        """
        return cls(
            at,
            dict(state.groups),
            dict(state.sessions),
            dict(state.participants),
            dict(state.streams),
            dict(state.recordings),
            dict(state.participations),
            dict(state.uses),
            dict.fromkeys(state.notes),
        )

    def finished(self, before: RecordingMetadata, document: MetadataDocument) -> RecordingMetadata:
        """
        @return: the state after C{document}.
        """
        return RecordingMetadata(
            before.based or document.mode == "complete",
            self.groups,
            self.sessions,
            self.participants,
            self.streams,
            self.recordings,
            self.participations,
            self.uses,
            extended(before.extensions, document.extensions),
            tuple(self.notes),
        )

    def note(self, text: str) -> None:
        """
        Note what cannot be followed: once, and not without end.
        """
        if len(self.notes) < _MOST_NOTES:
            self.notes[text] = None

    def mayDefine(self, id: str, kind: dict[str, Any]) -> bool:
        """
        May an element of this kind have this identifier?  One that was only
        referred to as something else gives way.
        """
        other = self._otherKind(id, kind)
        if other is not None:
            self.note(f"identifier {id[:80]!r} of two different elements")
            if other[id].defined:
                return False
            del other[id]
        return True

    def mayReferGroup(self, id: str) -> bool:
        """
        May this identifier be a group?  A new one gets a placeholder.
        """
        if id not in self.groups:
            if not self._isFree(id, self.groups):
                return False
            self.groups[id] = GroupState(id)
        return True

    def mayReferSession(self, id: str) -> bool:
        """
        May this identifier be a session?  A new one gets a placeholder.
        """
        if id not in self.sessions:
            if not self._isFree(id, self.sessions):
                return False
            self.sessions[id] = SessionState(id, self.at)
        return True

    def mayReferParticipant(self, id: str) -> bool:
        """
        May this identifier be a participant?  A new one gets a placeholder.
        """
        if id not in self.participants:
            if not self._isFree(id, self.participants):
                return False
            self.participants[id] = ParticipantState(id)
        return True

    def mayReferStream(self, id: str) -> bool:
        """
        May this identifier be a stream?  A new one gets a placeholder, and one
        that seemed to be over is back (it ends again if its session is over).
        """
        stream = self.streams.get(id)
        if stream is None:
            if not self._isFree(id, self.streams):
                return False
            self.streams[id] = StreamState(id, self.at)
        elif stream.cause in _SEEMED_OVER:
            self.streams[id] = evolve(stream, closed=None, end=None, cause="")
        return True

    def _isFree(self, id: str, kind: dict[str, Any]) -> bool:
        if self._otherKind(id, kind) is None:
            return True
        self.note(f"identifier {id[:80]!r} of two different elements")
        return False

    def _otherKind(self, id: str, kind: dict[str, Any]) -> dict[str, Any] | None:
        # One product leaves identifiers of several kinds empty.
        if id:
            for other in self._kinds:
                if id in other and other is not kind:
                    return other
        return None
