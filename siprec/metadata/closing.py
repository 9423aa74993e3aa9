"""
What ends without being named: rules 2 and 6 of the merge.
"""

from datetime import datetime

from attrs import evolve

from siprec.metadata.intervals import close
from siprec.metadata.model import MetadataDocument
from siprec.metadata.state import Cause
from siprec.metadata.uses import closeUse, idleUse
from siprec.metadata.working import Working

__all__ = ["closeAbsent", "closeAbsentSessions", "idleStreams", "settle"]

#: When we learned that a session is over, and when it says it was.
_Stop = tuple[datetime, datetime | None]

_ABSENT: Cause = "absent-in-snapshot"
_STOPPED: Cause = "session-stopped"


def idleStreams(work: Working) -> set[str]:
    """
    @return: the streams of sessions that were stopped; one that names no
        session is among them once all sessions are over.
    """
    stopped: set[str | None] = {
        session.id for session in work.sessions.values() if session.cause == "stated"
    }
    if not stopped:
        return set()
    if all(session.closed for session in work.sessions.values()):
        stopped.add(None)
    return {id for id, stream in work.streams.items() if stream.sessionID in stopped}


def settle(work: Working) -> None:
    """
    Rule 6: after a stop-time nobody takes part in the session any more and its
    streams are idle, whichever document says so and in whatever order.
    """
    stops: dict[str | None, _Stop] = {
        session.id: (session.closed, session.stopTime)
        for session in work.sessions.values()
        if session.cause == "stated" and session.closed is not None
    }
    if not stops:
        return
    if all(session.closed for session in work.sessions.values()):
        stops[None] = max(stops.values(), key=lambda stop: stop[0])
    for pair, participation in work.participations.items():
        if pair[1] in stops and any(each.closed is None for each in participation.intervals):
            closed = close(participation.intervals, *stops[pair[1]], _STOPPED)
            work.participations[pair] = evolve(participation, intervals=closed)
    for id, association in work.recordings.items():
        if id in stops:
            closed = close(association.intervals, *stops[id], _STOPPED)
            work.recordings[id] = evolve(association, intervals=closed)
    _idle(work, stops)


def _idle(work: Working, stops: dict[str | None, _Stop]) -> None:
    for id, stream in work.streams.items():
        if stream.closed is None and stream.sessionID in stops:
            at, end = stops[stream.sessionID]
            work.streams[id] = evolve(stream, closed=at, end=end, cause=_STOPPED)
    for id, uses in work.uses.items():
        if (current := uses.current) is None:
            continue
        idle: dict[str | None, set[str]] = {}
        for streamID in current.send + current.recv:
            used = work.streams.get(streamID)
            if used is not None and (sessionID := used.sessionID) in stops:
                idle.setdefault(sessionID, set()).add(streamID)
        for sessionID, streams in idle.items():
            uses = evolve(uses, uses=idleUse(uses.uses, streams, *stops[sessionID]))
        work.uses[id] = uses


def closeAbsentSessions(work: Working, document: MetadataDocument) -> None:
    """
    Rule 2 for sessions, which has to come before anything that depends on which
    of them are over.
    """
    mentioned = _sessionsOf(document)
    for id, session in work.sessions.items():
        if id not in mentioned and session.closed is None:
            work.sessions[id] = evolve(session, closed=work.at, cause=_ABSENT)


def closeAbsent(work: Working, document: MetadataDocument) -> None:
    """
    Rule 2: a complete document is the whole truth about its recording session,
    so that what it does not mention is over since now.
    """
    at = work.at
    sessions = _sessionsOf(document)
    pairs = {(each.participantID, each.sessionID) for each in document.participantSessions}
    streams = {each.id for each in document.streams}
    for use in document.participantStreams:
        streams.update(use.send)
        streams.update(use.recv)
    groups = {each.id for each in document.groups}
    groups.update(each.groupRef for each in document.sessions if each.groupRef is not None)
    users = {each.participantID for each in document.participantStreams}
    for id, stream in work.streams.items():
        if id not in streams and stream.closed is None:
            work.streams[id] = evolve(stream, closed=at, cause=_ABSENT)
    for id, group in work.groups.items():
        if id not in groups:
            work.groups[id] = evolve(group, intervals=close(group.intervals, at, None, _ABSENT))
    for id, association in work.recordings.items():
        if id not in sessions:
            work.recordings[id] = evolve(
                association, intervals=close(association.intervals, at, None, _ABSENT)
            )
    for pair, participation in work.participations.items():
        if pair not in pairs:
            work.participations[pair] = evolve(
                participation, intervals=close(participation.intervals, at, None, _ABSENT)
            )
    for id, uses in work.uses.items():
        if id not in users:
            work.uses[id] = evolve(uses, uses=closeUse(uses.uses, at, _ABSENT))


def _sessionsOf(document: MetadataDocument) -> set[str | None]:
    """
    @return: the sessions that a document mentions.
    """
    sessions: set[str | None] = {each.id for each in document.sessions}
    sessions.update(each.sessionID for each in document.sessionRecordings)
    sessions.update(each.sessionID for each in document.participantSessions)
    sessions.update(each.sessionID for each in document.streams)
    return sessions
