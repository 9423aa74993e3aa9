"""
C{recording.json}: what a recording is, told to people and programs.

The keys are a contract: they may be added to, never renamed or dropped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

from siprec.session.lacking import causeOf, tailOf
from siprec.session.model import RecordingSession, StreamInfo
from siprec.session.timeline import HOLD, PAUSE, metadataOf, timelineOf
from siprec.session.times import formatTime, parseTime

__all__ = [
    "HOLD",
    "JOURNAL_ERROR",
    "NAME",
    "NODE_CHANGE",
    "PAUSE",
    "RECOVERED",
    "SCHEMA",
    "UNFINISHED",
    "UNRENDERED",
    "BadManifest",
    "Manifest",
    "describe",
    "describeStream",
    "formatTime",
    "isFinished",
    "isWhole",
    "parseTime",
    "readManifest",
    "replaceFile",
    "suiteOf",
    "syncDirectory",
    "withRendering",
    "writeManifest",
]

#: The manifest's file name inside a recording's directory.
NAME = "recording.json"

#: What the name of a file ends in that is being written.
UNFINISHED = ".new"

#: Version of the layout below.
SCHEMA = 1

#: Types of events after which packets may be missing: a journal could not be
#: written; the node died before all was written.
JOURNAL_ERROR, RECOVERED = "journalError", "recovered"

#: The cause of a gap from one segment to the next.
NODE_CHANGE = "nodeChange"

# A segment ends with the last packet of any of its streams, in seconds.  The
# capture visits one stream after the other, so what a node had of the others
# when it died may end earlier by a visit; jitter is in it, too.
_VISIT = 0.5

Manifest = dict[str, Any]

_encode = json.JSONEncoder(ensure_ascii=False).encode

#: What the renderer finds out about a stream; a manifest without rendering has
#: the keys all the same, so that readers need no special case.
UNRENDERED: Mapping[str, object] = {
    "packets": 0,
    "lost": 0,
    "duplicates": 0,
    "reordered": 0,
    "jitter": 0.0,
    "firstPacket": None,
    "lastPacket": None,
    "clock": None,
}


class BadManifest(Exception):
    """
    C{recording.json} is there but is not one of ours.
    """


def _optionalTime(seconds: float | None) -> str | None:
    return None if seconds is None else formatTime(seconds)


def suiteOf(stream: StreamInfo) -> str | None:
    """
    @return: the crypto suite by which a stream is protected; C{None}: by none.
    """
    return stream.keys[0].suite if stream.keys else None


def describeStream(stream: StreamInfo, end: float | None = None) -> Manifest:
    """
    @param end: of the recording, seconds since the epoch; C{None} while it runs.
    @return: the manifest's entry of a stream before it is rendered.
    """
    first = stream.formats[0] if stream.formats else None
    return {
        "index": stream.index,
        "label": stream.label,
        "channel": stream.channel,
        "participant": stream.participant,
        "confidence": stream.confidence,
        "speakers": [
            {
                "participant": each.participant,
                "label": each.label,
                "start": formatTime(each.start),
                "end": _optionalTime(end if each.end is None else each.end),
                "confidence": each.confidence,
            }
            for each in stream.speakers
        ],
        "kind": stream.kind,
        "mediaIndex": stream.mediaIndex,
        "direction": stream.direction,
        "active": stream.active,
        "srtp": suiteOf(stream),
        "codec": first.codec if first else None,
        "payloadType": first.payloadType if first else None,
        "clockRate": first.clockRate if first else None,
        "formats": [
            {
                "payloadType": each.payloadType,
                "codec": each.codec,
                "clockRate": each.clockRate,
                "channels": each.channels,
                "fmtp": each.fmtp,
            }
            for each in stream.formats
        ],
        "ssrcs": [],
        **UNRENDERED,
    }


def _paused(recording: RecordingSession) -> Manifest | None:
    pause = recording.pause
    if pause is None or recording.state != "recording":
        return None
    return {"since": formatTime(pause.since), "who": pause.who, "reason": pause.reason}


def describe(recording: RecordingSession) -> Manifest:
    """
    @return: the manifest of a recording as the session knows it; what only
        the journals can tell (counts, gaps, audio) is empty until
        L{withRendering}.
    """
    described: Manifest = {
        "schema": SCHEMA,
        "id": recording.id,
        "state": recording.state,
        "callID": recording.callID,
        "sessions": list(recording.sessions),
        "startTime": formatTime(recording.startTime),
        "endTime": _optionalTime(recording.endTime),
        "duration": None,
        "nodes": list(recording.nodes),
        "participants": [
            {"id": each.id, "name": each.name, "aor": each.aor, "streams": list(each.streams)}
            for each in recording.participants
        ],
        "streams": [describeStream(each, recording.endTime) for each in recording.streams],
        "segments": [
            {
                "node": each.node,
                "epoch": each.epoch,
                "start": formatTime(each.start),
                "end": _optionalTime(each.end),
                "files": list(each.files),
            }
            for each in recording.segments
        ],
        "gaps": [],
        "events": [{**each, "time": formatTime(each["time"])} for each in recording.events],
        "paused": _paused(recording),
        "sip": dict(recording.sip),
        "vendor": dict(recording.vendor),
        "metadata": [
            {
                "file": each.file,
                "time": formatTime(each.time),
                "mode": each.mode,
                "status": each.status,
                "notes": list(each.notes),
            }
            for each in recording.metadata
        ],
        "audio": None,
        "endReason": recording.endReason,
    }
    history = [{**each, "time": formatTime(each["time"])} for each in recording.history]
    described["timeline"] = timelineOf(described, history)
    return described


def withRendering(
    manifest: Mapping[str, Any], rendering: Mapping[str, Any], state: str | None = None
) -> Manifest:
    """
    @param rendering: what C{siprec.render.recording.renderDirectory} gave.
    @param state: that of a recording of which all journals are here; C{None}: what
        L{isWhole} says.
    @return: the manifest with everything the journals told.  Journals that are with
        another node make it C{incomplete}; C{missing} says which they are, and is
        only there as long as some are.
    """
    missing = _missing(manifest["segments"], rendering.get("missing") or ())
    kept = {key: value for key, value in manifest.items() if key != "missing"}
    if missing:
        kept["missing"], state = missing, "incomplete"
    elif state is None:
        state = "complete" if isWhole(kept) else "incomplete"
    found = {each["index"]: each for each in rendering["streams"]}
    # What an earlier rendering had found is found again by this one.
    events = [each for each in manifest["events"] if each.get("source") != "journal"]
    events += [{**each, "source": "journal"} for each in rendering["events"]]
    rendered = {
        **kept,
        "state": state,
        "duration": rendering["duration"],
        "streams": [{**each, **found.get(each["index"], {})} for each in manifest["streams"]],
        "gaps": [
            *(_explained(each, manifest) for each in rendering["gaps"]),
            *tailOf(manifest),
        ],
        "events": sorted(events, key=lambda event: str(event["time"])),
        "audio": rendering["audio"],
    }
    return {**rendered, "timeline": timelineOf(rendered, metadataOf(rendered))}


def _missing(segments: Sequence[Mapping[str, Any]], names: Collection[str]) -> list[Manifest]:
    found = []
    for number, each in enumerate(segments, 1):
        files = [name for name in each["files"] if name in names]
        if files:
            found.append({"segment": number, "node": each["node"], "files": files})
    return found


def _explained(gap: Mapping[str, Any], manifest: Mapping[str, Any]) -> Manifest:
    """
    @return: the gap; its cause is C{nodeChange} if nobody captured then, or that of
        what came not being written.
    """
    if gap["cause"] in (PAUSE, HOLD):
        return dict(gap)
    begin, end = parseTime(gap["start"]), parseTime(gap["end"])
    cause = causeOf(manifest, begin, end)
    if cause is not None:
        return {**gap, "cause": cause}
    for before, after in pairwise(manifest["segments"]):
        if not before["end"]:
            continue
        left, taken = parseTime(before["end"]), parseTime(after["start"])
        if left - _VISIT <= begin < taken and end > left:
            return {**gap, "cause": NODE_CHANGE}
    return dict(gap)


def isFinished(manifest: Mapping[str, Any]) -> bool:
    """
    @return: whether it says that the recording is finished.
    """
    return manifest.get("state") in ("complete", "incomplete")


def isWhole(manifest: Mapping[str, Any]) -> bool:
    """
    @return: whether every packet that came until the end is in a journal that is
        here, as far as we know, so that nothing but the audio can be missing.
    """
    return (
        all(each["end"] for each in manifest["segments"])
        and not any(each["type"] in (JOURNAL_ERROR, RECOVERED) for each in manifest["events"])
        and not any(each.get("unwritten") for each in manifest["streams"])
        and not manifest.get("missing")
    )


def nodeChangeSeconds(manifest: Mapping[str, Any]) -> float:
    """
    @return: how long streams were without media because the call changed its
        node, summed over them.
    """
    return sum(
        max(parseTime(each["end"]) - parseTime(each["start"]), 0.0)
        for each in manifest["gaps"]
        if each.get("cause") == NODE_CHANGE
    )


def readManifest(directory: str, name: str = NAME) -> Manifest:
    """
    @param name: of the file.
    @raise OSError: there is none, or it cannot be read.
    @raise BadManifest: it is not JSON of our schema.
    """
    with open(os.path.join(directory, name), "rb") as file:
        raw = file.read()
    try:
        manifest = json.loads(raw)
    except ValueError as error:
        raise BadManifest(f"{directory}: {NAME} is not JSON: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise BadManifest(f"{directory}: {NAME} is not of schema {SCHEMA}")
    return manifest


def writeManifest(
    directory: str, manifest: Mapping[str, Any], *, durable: bool = True, whole: bool = False
) -> None:
    """
    Replace the manifest in one step: a reader sees the old or the new one.

    @param durable: also survive a power cut (fsync of file and directory).
    @param whole: only replace the old one by one that survives a power cut, so that
        one of both does.
    @raise OSError: it could not be written; the old one is still there.
    """
    path = os.path.join(directory, NAME)
    # In lines for people once it is finished; until then it is written over and over.
    text = _inLines(manifest) if isFinished(manifest) else _encode(manifest)
    # Bytes of a header that were no UTF-8 stand as surrogates in the text; JSON
    # has an escape for those, so that nothing is lost and the file stays valid.
    data = text.encode("utf-8", "backslashreplace")
    replaceFile(path, data + b"\n", durable or whole)
    if durable:
        syncDirectory(directory)


def replaceFile(path: str, data: bytes, sync: bool = False) -> None:
    """
    Have a file with this content, or the one that was there.  Blocks.

    @param sync: only replace that by one which survives a power cut.
    @raise OSError: it could not be written; the old one is still there.
    """
    temporary = f"{path}{UNFINISHED}"
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _inLines(manifest: Mapping[str, Any]) -> str:
    """
    @return: JSON with a line for each key and for each element of a list.  To indent all
        of it takes twenty times as long, as that is not done by the encoder in C.
    """
    lines = []
    for key, value in manifest.items():
        if isinstance(value, list | tuple) and value:
            elements = ",\n  ".join(map(_encode, value))
            lines.append(f"{_encode(key)}: [\n  {elements}\n ]")
        else:
            lines.append(f"{_encode(key)}: {_encode(value)}")
    return "{\n " + ",\n ".join(lines) + "\n}"


def syncDirectory(directory: str) -> None:
    """
    Make the names in a directory survive a power cut.

    @raise OSError: the directory is gone or its file system is broken.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
