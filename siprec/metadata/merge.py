"""
How a recording session's metadata follows from its documents.

RFC 7865 leaves most of this to the reader; the rules here come from its
sections 6.8.1 and 8.2 and from the call flows of RFC 8068:

  1. State is kept by identifier, associations as intervals.
  2. A complete document closes what it does not mention; nothing is removed.
  3. A partial one changes what it mentions: texts where present, lists whole.
  4. A participantstreamassoc replaces both sets of its participant.
  5. A time of an association begins, ends, repairs or confirms an interval.
  6. A stop-time ends the part of everybody in the session and idles its streams.
  7. A stream that claims a label ends the stream that had it.
  8. What is referred to before it is defined gets a placeholder.
  9. Extension data is replaced by parent and expanded name.
 10. A document that is applied again changes nothing.
 11. An identifier of two things counts for the first; the rest is left out.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Protocol, TypeVar

from attrs import evolve

from siprec.metadata.closing import closeAbsent, closeAbsentSessions, idleStreams, settle
from siprec.metadata.intervals import Timed, associate, needsImplied
from siprec.metadata.model import (
    Extensions,
    Group,
    MetadataDocument,
    Participant,
    ParticipantStream,
    Session,
    Stream,
)
from siprec.metadata.state import (
    Association,
    GroupState,
    Interval,
    ParticipantState,
    Participation,
    RecordingMetadata,
    SessionState,
    StreamState,
    StreamUses,
)
from siprec.metadata.storing import fromDict, toDict
from siprec.metadata.uses import replaceUse
from siprec.metadata.working import Working, extended

__all__ = ["RecordingMetadata", "fromDict", "merge", "toDict"]

_T = TypeVar("_T")
_K = TypeVar("_K")


# What an element that is new adds to.
_NO_ASSOCIATION = Association()
_NO_PARTICIPANT = ParticipantState("")
_NO_PARTICIPATION = Participation()
_NO_USES = StreamUses()


class _Extended(Protocol):
    @property
    def extensions(self) -> Extensions: ...


def merge(state: RecordingMetadata, document: MetadataDocument, at: datetime) -> RecordingMetadata:
    """
    @param at: when the document arrived, aware; documents are to be merged in
        the CSeq order of their requests.
    @return: the new state; the same one if the document could not be read or is
        a request for a snapshot.
    """
    if document.status == "error" or document.root != "recording":
        return state
    work = Working.of(state, at)
    if document.mode == "partial" and not state.based:
        work.note("partial document before any complete one")
    for group in document.groups:
        _applyGroup(work, group)
    for session in document.sessions:
        _applySession(work, session)
    if document.mode == "complete":
        closeAbsentSessions(work, document)
    for participant in document.participants:
        _applyParticipant(work, participant)
    claims = _applyStreams(work, document.streams)
    _applyRecordings(work, document)
    _applyParticipations(work, document)
    _applyUses(work, document.participantStreams)
    _enforce(work, claims)
    settle(work)
    if document.mode == "complete":
        closeAbsent(work, document)
    return work.finished(state, document)


def _grouped(elements: Iterable[_T], key: Callable[[_T], _K]) -> dict[_K, list[_T]]:
    grouped: dict[_K, list[_T]] = {}
    for element in elements:
        grouped.setdefault(key(element), []).append(element)
    return grouped


def _extensionsOf(elements: Sequence[_Extended]) -> Extensions:
    if len(elements) == 1:
        return elements[0].extensions
    return tuple(extension for element in elements for extension in element.extensions)


def _applyGroup(work: Working, group: Group) -> None:
    if not work.mayDefine(group.id, work.groups):
        return
    old = work.groups.get(group.id) or GroupState(group.id)
    intervals = old.intervals
    if group.associated or group.disassociated:
        intervals = associate(intervals, [group], work.at)
    elif needsImplied(intervals):
        intervals = (*intervals, Interval(work.at))
    work.groups[group.id] = GroupState(
        group.id, True, intervals, extended(old.extensions, group.extensions)
    )


def _applySession(work: Working, session: Session) -> None:
    if not work.mayDefine(session.id, work.sessions):
        return
    # There before anything is referred to: that could be by the same identifier.
    old = work.sessions.setdefault(session.id, SessionState(session.id, work.at))
    closed, cause = old.closed, old.cause
    if session.stop and cause != "stated":
        closed, cause = work.at, "stated"
    elif not session.stop and cause == "absent-in-snapshot":
        closed, cause = None, ""
    groupRef = old.groupRef
    if session.groupRef and work.mayReferGroup(session.groupRef):
        groupRef = session.groupRef
    work.sessions[session.id] = SessionState(
        session.id,
        old.seen,
        True,
        session.sipSessionIDs or old.sipSessionIDs,
        session.reasons or old.reasons,
        groupRef,
        (session.start.value if session.start else None) or old.startTime,
        (session.stop.value if session.stop else None) or old.stopTime,
        closed,
        cause,
        extended(old.extensions, session.extensions),
    )


def _applyParticipant(work: Working, participant: Participant) -> None:
    if not work.mayDefine(participant.id, work.participants):
        return
    old = work.participants.get(participant.id, _NO_PARTICIPANT)
    work.participants[participant.id] = ParticipantState(
        participant.id,
        True,
        participant.names or old.names,
        extended(old.extensions, participant.extensions),
    )


def _applyStreams(work: Working, streams: Sequence[Stream]) -> dict[str, set[str]]:
    """
    @return: by label, the streams that the document gives it to.
    """
    ending = {stream.id for stream in streams if stream.disassociated}
    claims: dict[str, set[str]] = {}
    blank = StreamState("", work.at)
    for stream in streams:
        if work.mayDefine(stream.id, work.streams):
            old = work.streams.setdefault(stream.id, blank)
            _applyStream(work, old, stream, stream.id in ending)
            if stream.label:
                claims.setdefault(stream.label, set()).add(stream.id)
    return claims


def _enforce(work: Working, claims: dict[str, set[str]]) -> None:
    """
    Rule 7; two streams of one document may share a label, though.
    """
    if not claims:
        return
    for id, other in work.streams.items():
        claimants = claims.get(other.label) if other.label else None
        if claimants and other.closed is None and id not in claimants:
            work.streams[id] = evolve(other, closed=work.at, cause="label-taken")


def _applyStream(work: Working, old: StreamState, stream: Stream, ending: bool) -> None:
    """
    @param ending: the document has an end for this stream somewhere.
    """
    closed, end, cause = old.closed, old.end, old.cause
    if stream.disassociated and cause != "stated":
        closed, end, cause = work.at, stream.disassociated.value, "stated"
    elif not ending and (cause != "label-taken" or stream.label):
        closed, end, cause = None, None, ""
    sessionID = old.sessionID
    if stream.sessionID and work.mayReferSession(stream.sessionID):
        sessionID = stream.sessionID
    work.streams[stream.id] = StreamState(
        stream.id,
        old.seen,
        True,
        sessionID,
        stream.label or old.label,
        stream.mode or old.mode,
        closed,
        end,
        cause,
        extended(old.extensions, stream.extensions),
    )


def _applyRecordings(work: Working, document: MetadataDocument) -> None:
    grouped = _grouped(document.sessionRecordings, attrgetter("sessionID"))
    for sessionID, elements in grouped.items():
        if work.mayReferSession(sessionID):
            old = work.recordings.get(sessionID, _NO_ASSOCIATION)
            work.recordings[sessionID] = Association(
                _associate(work, old.intervals, elements, sessionID),
                extended(old.extensions, _extensionsOf(elements)),
            )
    for session in document.sessions:
        # Many never say that a session they describe is recorded.
        state = work.sessions.get(session.id)
        old = work.recordings.get(session.id, _NO_ASSOCIATION)
        if state and state.closed is None and needsImplied(old.intervals):
            intervals = (*old.intervals, Interval(work.at))
            work.recordings[session.id] = Association(intervals, old.extensions)


def _applyParticipations(work: Working, document: MetadataDocument) -> None:
    grouped = _grouped(document.participantSessions, attrgetter("participantID", "sessionID"))
    for pair, elements in grouped.items():
        if not (work.mayReferParticipant(pair[0]) and work.mayReferSession(pair[1])):
            continue
        old = work.participations.get(pair, _NO_PARTICIPATION)
        params = old.params
        for each in elements:
            params = each.params or params
        work.participations[pair] = Participation(
            _associate(work, old.intervals, elements, pair[1]),
            params,
            extended(old.extensions, _extensionsOf(elements)),
        )


def _associate(
    work: Working, intervals: tuple[Interval, ...], elements: Sequence[Timed], sessionID: str
) -> tuple[Interval, ...]:
    stopped = work.sessions[sessionID].cause == "stated"
    return associate(intervals, elements, work.at, stopped)


def _applyUses(work: Working, elements: Sequence[ParticipantStream]) -> None:
    idle = idleStreams(work)
    for participantID, mine in _grouped(elements, attrgetter("participantID")).items():
        if not work.mayReferParticipant(participantID):
            continue
        allowed = [_allowed(work, element) for element in mine]
        old = work.uses.get(participantID, _NO_USES)
        uses = replaceUse(old.uses, allowed, work.at, idle)
        extensions = extended(old.extensions, _extensionsOf(mine))
        if uses is not old.uses or extensions is not old.extensions:
            work.uses[participantID] = StreamUses(uses, extensions)


def _allowed(work: Working, element: ParticipantStream) -> ParticipantStream:
    """
    @return: the element without what is no stream.
    """
    mayRefer = work.mayReferStream
    refused = [id for id in element.send if not mayRefer(id)]
    refused += [id for id in element.recv if not mayRefer(id)]
    if not refused:
        return element
    return evolve(
        element,
        send=tuple(id for id in element.send if id not in refused),
        recv=tuple(id for id in element.recv if id not in refused),
    )
