"""
The timeline of a manifest: what happened in a call, in one list and on the
recording's own clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from siprec.session.pauses import PAUSED, RESUMED
from siprec.session.times import parseTime

__all__ = ["HOLD", "MOST_GAPS", "PAUSE", "metadataOf", "timelineOf"]

#: The causes of a gap in which the peer had nothing to send, as C{inactive} or a null
#: address told; the first is that of an operator's pause as well.
PAUSE, HOLD = "pause", "hold"

#: How many gaps of one stream are in the timeline, the longest ones; C{gaps} has all.
MOST_GAPS = 100

# What the metadata told, and events that a reader of the call wants to see.
_KINDS: Mapping[str, str] = {
    "participantJoined": "join",
    "participantLeft": "leave",
    "participantHeld": "hold",
    "participantResumed": "resume",
    "callTransferred": "transfer",
    "sessionStarted": "session",
    "sessionEnded": "session",
    PAUSED: PAUSE,
    RESUMED: "resume",
    "streamPaused": PAUSE,
    "streamResumed": "resume",
    "streamHeld": HOLD,
    "streamReleased": "resume",
    "streamAdded": "sdp",
    "streamRemoved": "sdp",
    "streamRestored": "sdp",
    "streamRefused": "sdp",
    "labelChanged": "sdp",
    "sdpChanged": "sdp",
    "sourceChanged": "ssrc",
    "sequenceRestarted": "ssrc",
    "timestampRestarted": "ssrc",
    "dtmf": "dtmf",
    "resumed": "node",
    "recovered": "node",
    "mediaMoved": "node",
    "mediaAtOldAddress": "node",
    "captureStopped": "disk",
    "captureResumed": "disk",
    "bye": "end",
}

# What an entry has beside time and facts of what it is made of.
_OWN = frozenset(("at", "type", "event", "source"))

_Entries = Iterator[dict[str, Any]]


def timelineOf(
    manifest: Mapping[str, Any], history: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """
    @param manifest: with C{startTime}, C{events} and C{gaps}, as they are written.
    @param history: what the metadata told, in the same form as C{events}.
    @return: entries in the order of time, each with C{at} (seconds from the recording's
        start; negative before it), C{time}, C{type} and C{source}.  Types are C{join},
        C{leave}, C{hold}, C{resume}, C{transfer}, C{session}, C{pause}, C{sdp}, C{ssrc},
        C{gap}, C{dtmf}, C{node}, C{disk} and C{end}; sources C{metadata}, C{event} and C{gap}.
        The first two say as C{event} what they are made of, and have its facts; a gap
        has C{stream}, C{cause} and C{duration}.
    """
    start = parseTime(manifest["startTime"])
    entries = [
        *_happened(history, "metadata"),
        *_happened(manifest["events"], "event"),
        *_gaps(manifest),
    ]
    timed = [{"at": round(parseTime(each["time"]) - start, 6), **each} for each in entries]
    return sorted(timed, key=lambda each: each["at"])


def metadataOf(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """
    @return: the C{history} that is in a manifest's timeline.
    """
    return [
        {**{name: each[name] for name in each if name not in _OWN}, "type": each["event"]}
        for each in manifest.get("timeline", ())
        if each["source"] == "metadata"
    ]


def _happened(events: Iterable[Mapping[str, Any]], source: str) -> _Entries:
    for event in events:
        kind = _KINDS.get(event["type"])
        if kind is not None and event.get("time"):
            facts = {name: event[name] for name in event if name not in ("time", *_OWN)}
            own = {"type": kind, "event": event["type"], "source": source}
            yield {"time": event["time"], **own, **facts}


def _gaps(manifest: Mapping[str, Any]) -> _Entries:
    byStream: dict[int, list[dict[str, Any]]] = {}
    for gap in manifest["gaps"]:
        length = round(parseTime(gap["end"]) - parseTime(gap["start"]), 6)
        entry = {
            "time": gap["start"],
            "type": "gap",
            "source": "gap",
            "stream": gap["stream"],
            "cause": gap["cause"],
            "duration": length,
        }
        byStream.setdefault(gap["stream"], []).append(entry)
    for entries in byStream.values():
        yield from sorted(entries, key=lambda each: each["duration"], reverse=True)[:MOST_GAPS]
