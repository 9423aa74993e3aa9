"""
What the journals of a stream tell beside its audio, as events of the manifest.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from siprec.render.digits import DIGITS
from siprec.render.stream import Stream
from siprec.session.times import formatTime

__all__ = ["MAX_EVENTS", "digitEvents", "eventsOf", "moment"]

#: How many events of one type are listed for one stream; the rest is counted.
MAX_EVENTS = 100

_SECOND = 1_000_000_000
# A digit is where its timestamp says, unless that is more seconds from its arrival.
_FURTHEST = 2


def moment(nanoseconds: int | None) -> str | None:
    """
    @param nanoseconds: since the epoch.
    @return: the same as in a manifest.
    """
    return None if nanoseconds is None else formatTime(nanoseconds / _SECOND)


def eventsOf(stream: Stream, start: str, omitted: int) -> Iterator[dict[str, Any]]:
    """
    @param start: of the recording, which is the time of what has none.
    @param omitted: how many gaps are not listed.
    """
    yield from _journalEvents(stream, start)
    yield from _payloadEvents(stream)
    yield from _limited(_sourceEvents(stream))
    yield from _limited(_restartEvents(stream))
    yield from _countEvents(stream, start, omitted)


def digitEvents(
    stream: Stream,
    sampleOf: Callable[[int], int],
    timeOf: Callable[[int], str],
    masked: bool,
) -> Iterator[dict[str, Any]]:
    """
    @param stream: surveyed and placed.
    @param sampleOf: the place, in samples, of a time in nanoseconds since the epoch.
    @param timeOf: the time of a place, as in a manifest.
    @param masked: do not tell which digits they are.
    @return: an event for each digit, and one for those that are too many.
    """
    runs = stream.runs
    for digit in stream.digits.found:
        if not runs[digit.run].confirmed:
            continue
        place = sampleOf(digit.arrival)
        placement = stream.placements[digit.run]
        if placement is not None:
            sequence, timestamp = np.array([[digit.sequence], [digit.timestamp]], np.int64)
            begun = int(placement.positions(sequence, timestamp)[0])
            if abs(begun - place) <= _FURTHEST * placement.rate:
                place = begun
        event: dict[str, Any] = {
            "time": timeOf(place),
            "type": "dtmf",
            "stream": stream.index,
            "channel": stream.entry.get("channel"),
            "digit": None if masked else DIGITS[digit.event],
            "durationMs": digit.milliseconds,
        }
        if masked:
            event["masked"] = True
        if not digit.ended:
            event["endMissing"] = True
        yield event
    if stream.digits.omitted:
        count = stream.digits.omitted
        yield {"time": timeOf(0), "type": "digitsOmitted", "stream": stream.index, "count": count}


def _journalEvents(stream: Stream, time: str) -> Iterator[dict[str, Any]]:
    """
    Journals that could not be read.
    """
    for each in stream.unreadable:
        yield {
            "time": time,
            "type": "journalUnreadable",
            "file": each.file,
            "reason": each.reason,
        }


def _payloadEvents(stream: Stream) -> Iterator[dict[str, Any]]:
    """
    Payload types whose audio is missing.
    """
    for number, count in sorted(stream.payloadTypes.items()):
        known = stream.formats.get(number)
        if known is None or not known.known:
            yield {
                "time": moment(stream.firstSeen[number]),
                "type": "payloadNotDecoded",
                "payloadType": number,
                "codec": known.codec if known else None,
                "packets": count,
            }


def _countEvents(stream: Stream, time: str, omitted: int) -> Iterator[dict[str, Any]]:
    """
    Packets that are not rendered, holes that are in no gap, and corrections of a drifting clock.
    """
    counts = {
        "packetsIgnored": stream.ignored,
        "gapsOmitted": omitted + sum(run.omitted for run in stream.runs),
        "driftCorrected": sum(each.corrections for each in stream.placements if each),
    }
    for kind, count in counts.items():
        if count:
            yield {"time": time, "type": kind, "count": count}


def _sourceEvents(stream: Stream) -> Iterator[dict[str, Any]]:
    """
    Where another SSRC, or other sequence numbers of the same one, begin.
    """
    previous = None
    for run in stream.runs:
        if previous is not None and run.confirmed:
            yield {
                "time": moment(run.firstArrival),
                "type": "sequenceRestarted" if previous.ssrc == run.ssrc else "sourceChanged",
                "ssrc": f"{run.ssrc:#010x}",
                "previous": f"{previous.ssrc:#010x}",
            }
        previous = run


def _restartEvents(stream: Stream) -> Iterator[dict[str, Any]]:
    """
    Where the timestamps of one source begin anew.
    """
    for run, placement in zip(stream.runs, stream.placements, strict=False):
        for segment in placement.segments[1:] if placement is not None else ():
            if not segment.aside:
                yield {
                    "time": moment(segment.arrival),
                    "type": "timestampRestarted",
                    "ssrc": f"{run.ssrc:#010x}",
                }


def _limited(events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    count = 0
    last: dict[str, Any] = {}
    for count, last in enumerate(events, 1):
        if count <= MAX_EVENTS:
            yield last
    if count > MAX_EVENTS:
        yield {**last, "omitted": count - MAX_EVENTS - 1}
