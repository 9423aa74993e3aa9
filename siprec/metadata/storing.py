"""
The state as plain values and back: dicts with text keys, tuples, text, booleans
and C{None}, for msgpack or JSON, which make lists of the tuples.

Each call keeps it as long as it lasts.  The garbage collector looks through lists again
and again, and not through tuples of text.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from siprec.metadata.model import Extension, Extensions, NameID, Reason
from siprec.metadata.state import (
    Association,
    GroupState,
    Interval,
    ParticipantState,
    Participation,
    RecordingMetadata,
    SessionState,
    StreamState,
    StreamUse,
    StreamUses,
)

__all__ = ["SCHEMA", "fromDict", "toDict"]

#: Raised whenever a reader of the one before could not cope.
SCHEMA = 1

_Plain = dict[str, Any]


def toDict(state: RecordingMetadata) -> _Plain:
    """
    @return: the state in a form that L{fromDict} takes.
    """
    return {
        "schema": SCHEMA,
        "based": state.based,
        "groups": tuple(
            (each.id, each.defined, _fromIntervals(each.intervals), _fromExtensions(each))
            for each in state.groups.values()
        ),
        "sessions": tuple(
            (
                each.id,
                _text(each.seen),
                each.defined,
                each.sipSessionIDs,
                tuple((reason.text, reason.cause, reason.protocol) for reason in each.reasons),
                each.groupRef,
                _text(each.startTime),
                _text(each.stopTime),
                _text(each.closed),
                each.cause,
                _fromExtensions(each),
            )
            for each in state.sessions.values()
        ),
        "participants": tuple(
            (
                each.id,
                each.defined,
                tuple((name.aor, name.name, name.language) for name in each.names),
                _fromExtensions(each),
            )
            for each in state.participants.values()
        ),
        "streams": tuple(
            (
                each.id,
                _text(each.seen),
                each.defined,
                each.sessionID,
                each.label,
                each.mode,
                _text(each.closed),
                _text(each.end),
                each.cause,
                _fromExtensions(each),
            )
            for each in state.streams.values()
        ),
        "recordings": tuple(
            (id, _fromIntervals(each.intervals), _fromExtensions(each))
            for id, each in state.recordings.items()
        ),
        "participations": tuple(
            (
                *pair,
                _fromIntervals(each.intervals),
                each.params,
                _fromExtensions(each),
            )
            for pair, each in state.participations.items()
        ),
        "uses": tuple(
            (id, tuple(map(_fromUse, each.uses)), _fromExtensions(each))
            for id, each in state.uses.items()
        ),
        "extensions": _fromExtensions(state),
        "notes": state.notes,
    }


def fromDict(plain: Mapping[str, Any]) -> RecordingMetadata:
    """
    @param plain: what L{toDict} gave, possibly after msgpack or JSON.

    @raise ValueError: it is of another schema, or no such thing at all.
    """
    if plain.get("schema") != SCHEMA:
        raise ValueError(f"metadata state of schema {plain.get('schema')!r}, not {SCHEMA}")
    try:
        return _state(plain)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"damaged metadata state: {error!r}") from error


def _state(plain: Mapping[str, Any]) -> RecordingMetadata:
    return RecordingMetadata(
        plain["based"],
        {row[0]: _group(row) for row in plain["groups"]},
        {row[0]: _session(row) for row in plain["sessions"]},
        {row[0]: _participant(row) for row in plain["participants"]},
        {row[0]: _stream(row) for row in plain["streams"]},
        {
            id: Association(_intervals(rows), _extensions(exts))
            for id, rows, exts in plain["recordings"]
        },
        {
            (participantID, sessionID): Participation(
                _intervals(rows), tuple((name, value) for name, value in params), _extensions(exts)
            )
            for participantID, sessionID, rows, params, exts in plain["participations"]
        },
        {
            id: StreamUses(tuple(_use(row) for row in rows), _extensions(exts))
            for id, rows, exts in plain["uses"]
        },
        _extensions(plain["extensions"]),
        tuple(plain["notes"]),
    )


def _group(row: Sequence[Any]) -> GroupState:
    id, defined, intervals, extensions = row
    return GroupState(id, defined, _intervals(intervals), _extensions(extensions))


def _session(row: Sequence[Any]) -> SessionState:
    id, seen, defined, sipSessionIDs, reasons, groupRef, *times, cause, extensions = row
    start, stop, closed = (_time(each) for each in times)
    return SessionState(
        id,
        _moment(seen),
        defined,
        tuple(sipSessionIDs),
        tuple(Reason(*reason) for reason in reasons),
        groupRef,
        start,
        stop,
        closed,
        cause,
        _extensions(extensions),
    )


def _participant(row: Sequence[Any]) -> ParticipantState:
    id, defined, names, extensions = row
    return ParticipantState(
        id, defined, tuple(NameID(*name) for name in names), _extensions(extensions)
    )


def _stream(row: Sequence[Any]) -> StreamState:
    id, seen, defined, sessionID, label, mode, closed, end, cause, extensions = row
    return StreamState(
        id,
        _moment(seen),
        defined,
        sessionID,
        label,
        mode,
        _time(closed),
        _time(end),
        cause,
        _extensions(extensions),
    )


def _fromIntervals(intervals: Sequence[Interval]) -> tuple[tuple[str | None, ...], ...]:
    return tuple(
        (_text(each.seen), _text(each.start), _text(each.closed), _text(each.end), each.cause)
        for each in intervals
    )


def _intervals(rows: Sequence[Any]) -> tuple[Interval, ...]:
    return tuple(
        Interval(_moment(seen), _time(start), _time(closed), _time(end), cause)
        for seen, start, closed, end, cause in rows
    )


def _fromUse(use: StreamUse) -> tuple[Any, ...]:
    times = _text(use.seen), _text(use.start), _text(use.closed), _text(use.end)
    return (use.send, use.recv, *times, use.cause)


def _use(row: Sequence[Any]) -> StreamUse:
    send, recv, seen, start, closed, end, cause = row
    return StreamUse(
        tuple(send), tuple(recv), _moment(seen), _time(start), _time(closed), _time(end), cause
    )


def _fromExtensions(parent: Any) -> tuple[tuple[Any, ...], ...]:
    return tuple(
        (each.namespace, each.name, each.xml, each.fields)
        for each in cast(Extensions, parent.extensions)
    )


def _extensions(rows: Sequence[Any]) -> Extensions:
    return tuple(
        Extension(namespace, name, xml, tuple((path, value) for path, value in fields))
        for namespace, name, xml, fields in rows
    )


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
