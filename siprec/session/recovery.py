"""
What a process that died left behind: recordings without an end.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from siprec.media.journal import BadJournal
from siprec.media.tail import lastArrival as lastOf
from siprec.metrics import Metrics
from siprec.session.interfaces import IRenderer, IWorkers, RendererStopped, isFull
from siprec.session.leavings import (
    cutJournals,
    lastManifest,
    removeUnfinished,
    unlistedDocuments,
)
from siprec.session.manifest import (
    RECOVERED,
    BadManifest,
    Manifest,
    describe,
    describeStream,
    formatTime,
    parseTime,
    withRendering,
    writeManifest,
)
from siprec.session.model import RecordingSession, Segment, StreamInfo
from siprec.session.running import Orphan, RunningRecordings

log = Logger()

# Segment, from 1, and stream, from 0.
_JOURNAL = re.compile(r"([1-9][0-9]{0,3})-([0-9]{1,3})\.rtpdump", re.ASCII)


def lastArrival(directory: str, segment: int | None = None) -> float | None:
    """
    Read the ends of the journals for the time of the last packet.  Blocks.

    @param segment: the number, from 1, of the one segment to look at; C{None}:
        all of them.
    @return: seconds since the epoch, or C{None} if there is none.
    """
    last: float | None = None
    for name, (number, _) in journalsOf(directory).items():
        if segment not in (None, number):
            continue
        try:
            found = lastOf(os.path.join(directory, name))
        except (BadJournal, OSError) as error:
            log.error("{file}: not readable: {why}", file=name, why=str(error))
        else:
            last = last if found is None else max(last or 0.0, found / 1e9)
    return last


def startOf(orphan: Orphan) -> float:
    """
    @return: the time within the recording's id (RFC 9562 section 5.7).
    """
    return int(orphan.id.replace("-", "")[:12], 16) / 1000


def emptyManifest(orphan: Orphan) -> Manifest:
    """
    @return: the manifest of a recording that has lost its own.
    """
    start = startOf(orphan)
    numbers = (segment for segment, _ in journalsOf(orphan.directory).values())
    recording = RecordingSession(
        id=orphan.id,
        callID="",
        startTime=start,
        directory=orphan.directory,
        segments=(Segment(orphan.node, 1, start),) * max(numbers, default=1),
        events=({"time": start, "type": "manifestLost"},),
    )
    return {**describe(recording), "callID": None}


def journalsOf(directory: str) -> dict[str, tuple[int, int]]:
    """
    @return: segment number, from 1, and stream index of each journal, by name.
    """
    matches = (_JOURNAL.fullmatch(name) for name in sorted(os.listdir(directory)))
    return {match[0]: (int(match[1]), int(match[2])) for match in matches if match}


def _addUnlisted(manifest: Manifest, journals: Mapping[str, tuple[int, int]]) -> None:
    """
    Add the journals that the manifest does not know: it was written before
    they were, or is lost.  Streams are added without formats, so that their
    audio is made by guessing.
    """
    segments, streams = manifest["segments"], manifest["streams"]
    known = {each["index"] for each in streams}
    for name, (segment, stream) in journals.items():
        if segment <= len(segments) and name not in segments[segment - 1]["files"]:
            segments[segment - 1]["files"].append(name)
        if stream not in known:
            known.add(stream)
            streams.append(describeStream(StreamInfo(stream, stream, None, (), "", 0)))
    streams.sort(key=lambda each: int(each["index"]))


def _end(manifest: Manifest, orphan: Orphan, now: float) -> None:
    """
    Give a recording the end that its node could not give it.
    """
    journals = journalsOf(orphan.directory)
    _addUnlisted(manifest, journals)
    manifest["metadata"] += unlistedDocuments(orphan.directory, manifest)
    cut = _cut(manifest, orphan.directory, journals)
    # The id knows the time of the start to the millisecond only.
    start = parseTime(manifest["startTime"])
    end = formatTime(max(lastArrival(orphan.directory) or start, start))
    manifest["endTime"] = manifest["endTime"] or end
    manifest["endReason"] = manifest["endReason"] or "nodeDied"
    for segment in manifest["segments"]:
        if segment["end"] is None:
            # Of a stream on which nothing came there is no journal.  Those of a
            # segment that has an end were there, and may be with another node.
            segment["files"] = [name for name in segment["files"] if name in journals]
            segment["end"] = manifest["endTime"]
    died = {"time": formatTime(now), "type": RECOVERED, "node": orphan.node}
    manifest["events"].append(died)
    for each in cut:
        manifest["events"].append({"time": formatTime(now), "type": "journalCut", **each})
    manifest["state"] = "finishing"


def _cut(
    manifest: Manifest, directory: str, journals: Mapping[str, tuple[int, int]]
) -> list[dict[str, Any]]:
    """
    Cut the journals of the segments that nobody has closed.
    """
    unended = {number for number, each in enumerate(manifest["segments"], 1) if not each["end"]}
    return cutJournals(directory, [name for name, at in journals.items() if at[0] in unended])


def close(orphan: Orphan, now: float) -> Manifest | None:
    """
    Give a left recording an end and write its manifest.  Blocks.

    @return: the manifest, or C{None} if there is nothing of the recording.
    @raise OSError: it cannot be read or written.
    """
    if not os.path.isdir(orphan.directory):
        return None
    try:
        manifest = lastManifest(orphan.directory)
    except (FileNotFoundError, BadManifest) as error:
        log.error("{recording}: {why}", recording=orphan.id, why=str(error))
        manifest = emptyManifest(orphan)
    # One that is "finishing" may have died within its last packets.
    unended = manifest["state"] == "finishing" and not all(
        segment["end"] for segment in manifest["segments"]
    )
    if manifest["state"] == "recording" or unended:
        _end(manifest, orphan, now)
        writeManifest(orphan.directory, manifest)
    removeUnfinished(orphan.directory)
    return manifest


@define(eq=False, repr=False)
class Recovery:
    """
    Finishes, one after the other, what processes that died left behind.

    @ivar onFinished: as of L{siprec.session.recordings.Recordings}.
    """

    _running: RunningRecordings
    _renderer: IRenderer
    _workers: IWorkers
    _now: Callable[[], float]
    _metrics: Metrics
    onFinished: Callable[[str, Manifest], Deferred[None]] | None = field(default=None, init=False)

    async def run(self, orphans: list[Orphan]) -> None:
        """
        @param orphans: what L{RunningRecordings.orphans} found.
        """
        for orphan in orphans:
            try:
                await self._recover(orphan)
            except RendererStopped:
                return  # it is still marked; the next start finds it
            except Exception:
                # One that cannot be read must not keep the others waiting.
                log.failure("{recording}: not recovered", recording=orphan.id)

    async def _recover(self, orphan: Orphan) -> None:
        manifest = await self._workers.run(close, orphan, self._now())
        if manifest is not None and manifest["state"] == "finishing":
            manifest = await self._rendered(orphan, manifest)
            await self._workers.run(writeManifest, orphan.directory, manifest)
            self._metrics.recordings.labels(manifest["state"]).inc()
            log.info(
                "{recording}: recovered, {state}",
                recording=orphan.id,
                state=manifest["state"],
                node=orphan.node,
            )
        if manifest is not None and self.onFinished is not None:
            await self.onFinished(orphan.directory, manifest)
        await self._workers.run(self._running.remove, orphan.id)

    async def _rendered(self, orphan: Orphan, manifest: Manifest) -> dict[str, Any]:
        try:
            rendering = await self._renderer.render(orphan.directory)
        except RendererStopped:
            raise
        except Exception as error:
            if isFull(error):
                # What is marked still is tried again at the next start.
                raise
            log.failure("{recording}: not rendered", recording=orphan.id)
            self._metrics.renders.labels("failed").inc()
            now = formatTime(self._now())
            failed = {"time": now, "type": "renderFailed", "reason": str(error)}
            return {**manifest, "state": "incomplete", "events": [*manifest["events"], failed]}
        self._metrics.renders.labels("ok").inc()
        return withRendering(manifest, rendering)
