"""
What a document changed: the state of a recording session before and after it, told
as what happened in the call.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from attrs import frozen

from siprec.metadata.state import RecordingMetadata, SessionState

__all__ = [
    "HELD",
    "JOINED",
    "LEFT",
    "RESUMED",
    "SESSION_ENDED",
    "SESSION_STARTED",
    "TRANSFERRED",
    "Change",
    "changes",
]

JOINED, LEFT = "participantJoined", "participantLeft"
HELD, RESUMED = "participantHeld", "participantResumed"
TRANSFERRED = "callTransferred"
SESSION_STARTED, SESSION_ENDED = "sessionStarted", "sessionEnded"


@frozen
class Change:
    """
    @ivar type: one of the names above.
    @ivar facts: C{participant} or C{session}, ids; of a transfer C{from} and C{to},
        lists of ids of participants; of a session also C{stated}, when it began or ended
        by the client's clock, and C{reason}, why it ended, where these are said.
    """

    type: str
    facts: dict[str, Any]


def changes(before: RecordingMetadata, after: RecordingMetadata) -> Iterator[Change]:
    """
    @return: what happened between two states, in an order that can be told.  A document
        that changes nothing tells nothing.
    """
    was, now = _present(before), _present(after)
    joined, left = _without(now, was), _without(was, now)
    yield from (Change(SESSION_STARTED, _beginning(each)) for each in _opened(before, after))
    # Somebody goes and somebody else comes: at once (RFC 8068 section 3.2.3), or by a
    # new session after all had left that of before.
    gone = left or (_without(_all(before), now) if _known(now, before) and not was else [])
    new = [each for each in joined if each not in before.participants]
    if gone and new:
        yield Change(TRANSFERRED, {"from": gone, "to": new})
    yield from (Change(LEFT, {"participant": each}) for each in left)
    yield from (Change(JOINED, {"participant": each}) for each in joined)
    for participant in now:
        if participant in was:
            sent, sends = _sends(before, participant), _sends(after, participant)
            if sent and not sends:
                yield Change(HELD, {"participant": participant})
            elif sends and not sent and _hasSent(before, participant):
                yield Change(RESUMED, {"participant": participant})
    for session in after.sessions.values():
        old = before.sessions.get(session.id)
        if session.closed is not None and (old is None or old.closed is None):
            yield Change(SESSION_ENDED, _ending(session))


def _present(state: RecordingMetadata) -> dict[str, None]:
    departed = state.departed()
    attending = {participant for participant, _ in state.participations}
    return dict.fromkeys(
        each
        for each in state.participants
        if each not in departed and (each in attending or _takesPart(state, each))
    )


def _takesPart(state: RecordingMetadata, participant: str) -> bool:
    # Of one that is in no session by any document its streams tell, if it has any.
    uses = state.uses.get(participant)
    return uses is None or uses.current is not None


def _without(these: dict[str, None], those: dict[str, None]) -> list[str]:
    return [each for each in these if each not in those]


def _all(state: RecordingMetadata) -> dict[str, None]:
    return dict.fromkeys(state.participants)


def _known(now: dict[str, None], before: RecordingMetadata) -> bool:
    return any(each in before.participants for each in now)


def _opened(before: RecordingMetadata, after: RecordingMetadata) -> Iterator[SessionState]:
    for session in after.sessions.values():
        old = before.sessions.get(session.id)
        if session.closed is None and (old is None or old.closed is not None):
            yield session


def _sends(state: RecordingMetadata, participant: str) -> bool:
    uses = state.uses.get(participant)
    return uses is not None and uses.current is not None and bool(uses.current.send)


def _hasSent(state: RecordingMetadata, participant: str) -> bool:
    uses = state.uses.get(participant)
    return uses is not None and any(each.send for each in uses.uses)


def _beginning(session: SessionState) -> dict[str, Any]:
    return {"session": session.id, **_stated(session.startTime)}


def _stated(time: datetime | None) -> dict[str, str]:
    return {} if time is None else {"stated": time.isoformat()}


def _ending(session: SessionState) -> dict[str, Any]:
    reasons = [
        each.text if each.cause is None else f"{each.protocol} {each.cause} {each.text}".strip()
        for each in session.reasons
    ]
    facts = {"session": session.id, **_stated(session.stopTime)}
    return {**facts, "reason": ", ".join(reasons)} if reasons else facts
