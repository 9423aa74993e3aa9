"""
Make the audio file of a recording, and find out all that its journals tell.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from attrs import define, field

from siprec.render.audio import AudioError, Samples, Track, Window
from siprec.render.clocks import corrections
from siprec.render.events import MAX_EVENTS, digitEvents, eventsOf, moment
from siprec.render.form import PLAIN, Form
from siprec.render.outputs import Outputs, channelOf, commonLaw
from siprec.render.pauses import Pause, holdsOf, isPaused, silences
from siprec.render.runs import MAX_GAPS
from siprec.render.seams import SegmentTimes, seams, uncaptured
from siprec.render.sessions import Span, spansOf
from siprec.render.stream import Stream
from siprec.render.timeline import gaps
from siprec.session.manifest import (
    HOLD,
    NODE_CHANGE,
    PAUSE,
    BadManifest,
    formatTime,
    parseTime,
    readManifest,
)
from siprec.session.pauses import pausesOf

__all__ = ["MAX_EVENTS", "MAX_SECONDS", "RenderError", "renderDirectory"]

#: No call is longer; what seems to be has a wrong time in it.
MAX_SECONDS = 31 * 86400

_RATE = 8000  # of a file in which nothing was decoded
_JOURNAL = re.compile(r"([0-9]{1,9})-([0-9]{1,9})\.rtpdump", re.ASCII)
_SECOND = 1_000_000_000

_Times = dict[int, list[tuple[float, float | None]]]


class RenderError(Exception):
    """
    A recording cannot be rendered; its journals are as they were.
    """


def renderDirectory(
    directory: str, form: Form = PLAIN, split: str = "none", maskDigits: bool = False
) -> dict[str, Any]:
    """
    Read C{recording.json} and the journals of a recording, and write its audio.

    @param directory: the recording's folder; its manifest is not changed.
    @param form: what the audio is to look like.
    @param split: C{"session"}: also write a file for each communication session, and
        list them as C{parts} of C{audio}; C{"none"}: do not.
    @param maskDigits: tell when digits were pressed, and not which.
    @return: the manifest's C{duration}, C{streams} (what was counted), C{gaps},
        C{events} (found in the journals) and C{audio}; plain values, ready for
        JSON.  C{packets} are all that came, C{duplicates} among them; times are
        RFC 3339, durations seconds.  And C{missing}: names of journals that the
        manifest lists, but that are not there.
    @raise RenderError: it cannot be done; an older audio file is still there.
    """
    try:
        return _Rendering.of(directory, split == "session", maskDigits).run("audio", form)
    except (AudioError, BadManifest, OSError) as error:
        raise RenderError(str(error)) from error


@define(eq=False, repr=False)
class _Rendering:
    """
    The rendering of one recording.

    @ivar start: the recording's begin, nanoseconds since the epoch; the zero of all
        places.
    @ivar zero: the place where the audio begins; below 0 with early media.
    @ivar end: the place where it ends.
    @ivar segments: start and end of each, in nanoseconds.
    @ivar lacking: names of the journals that are not there.
    @ivar clocks: what to add to the times of each segment, nanoseconds.
    @ivar pauses: of each stream, begin and end in seconds since the epoch; C{holds}:
        those that the peer had told by a null address.
    @ivar sessions: what is also to be written by itself.
    @ivar masked: do not tell which digits were pressed.
    @ivar omitted: how many gaps of each stream are not listed.
    @ivar unsent: how many missing packets of each stream were never sent.
    """

    directory: str
    start: int
    finish: int | None
    streams: list[Stream]
    segments: list[tuple[int, int | None]]
    lacking: list[str]
    pauses: _Times
    holds: _Times
    sessions: list[Span]
    masked: bool
    clocks: dict[int, int] = field(factory=dict, init=False)
    rate: int = field(default=_RATE, init=False)
    zero: int = field(default=0, init=False)
    end: int = field(default=0, init=False)
    omitted: dict[int, int] = field(factory=dict, init=False)
    unsent: dict[int, int] = field(factory=dict, init=False)

    @classmethod
    def of(cls, directory: str, split: bool, masked: bool) -> "_Rendering":
        manifest = readManifest(directory)
        try:
            start = _nanoseconds(manifest["startTime"])
            finish = manifest.get("endTime")
            listed = [str(name) for segment in manifest["segments"] for name in segment["files"]]
            there = os.listdir(directory)
            streams = [
                Stream(directory, entry, _journals((*listed, *there), int(entry["index"])))
                for entry in sorted(manifest["streams"], key=_channel)
            ]
            end = None if finish is None else _nanoseconds(finish)
            segments = [
                (_nanoseconds(each["start"]), each["end"] and _nanoseconds(each["end"]))
                for each in manifest["segments"]
            ]
            # Another node has them.
            lacking = [name for name in listed if name not in there]
            spans = spansOf(manifest) if split else []
            pauses = {each.index: pausesOf(manifest, each.index) for each in streams}
            holds = {each.index: holdsOf(manifest, each.index) for each in streams}
            times = segments, lacking, pauses, holds
            return cls(directory, start, end, streams, *times, spans, masked)
        except (KeyError, TypeError, ValueError) as error:
            raise RenderError(f"{directory}: the manifest is damaged: {error!r}") from error

    def run(self, stem: str, form: Form) -> dict[str, Any]:
        for stream in self.streams:
            stream.survey()
        self._place(form)
        audio = self._write(stem, form)
        duration = (self.end - self.zero) / self.rate
        found = [gap for stream in self.streams for gap in self._gaps(stream)]
        return {
            "duration": duration,
            "streams": [_describe(stream, self.unsent[stream.index]) for stream in self.streams],
            "gaps": sorted(found, key=lambda gap: (gap["start"], gap["stream"])),
            "events": sorted(self._events(), key=lambda event: str(event["time"])),
            "missing": self.lacking,
            "audio": audio,
        }

    def _place(self, form: Form) -> None:
        """
        Decide where everything belongs, and how long the audio is.
        """
        rates = [each.sampleRate for stream in self.streams for each in stream.decoders]
        self.rate = form.container.rate(max(rates, default=_RATE))
        if not any(stream.payloadTypes for stream in self.streams):
            return  # nothing came: a recording of length 0 (CONFORMANCE J7)
        surveys = [survey for stream in self.streams for survey in stream.surveys]
        own, self.clocks = corrections([survey.bins for survey in surveys])
        for survey, mine in zip(surveys, own, strict=True):
            survey.corrections = mine
        begins, ends = [0], []
        for stream in self.streams:
            stream.place(self.start, self.rate)
            segments = [part for each in stream.placements if each for part in each.segments]
            begins += [part.begin for part in segments]
            ends += [part.end for part in segments]
            if not segments and stream.lastArrival is not None:
                ends.append(self._sample(stream.lastArrival))
        if self.finish is not None:
            # It is the last segment's clock that tells the end.
            ends.append(self._sample(self.finish + self.clocks.get(len(self.segments), 0)))
        self.zero = min(begins)
        self.end = max(ends)
        if self.end - self.zero > MAX_SECONDS * self.rate:
            raise RenderError(
                f"{self.directory}: {(self.end - self.zero) // self.rate} seconds of audio from "
                f"{self._time(self.zero)} on cannot be right"
            )

    def _write(self, stem: str, form: Form) -> dict[str, Any]:
        """
        @return: the manifest's C{audio}.
        """
        frames = self.end - self.zero
        law = commonLaw(self.streams) if form.keepsCodes else None
        outputs = Outputs(
            self.directory,
            form,
            self.rate,
            law,
            tuple(stream.index for stream in self.streams),
            tuple(each.entry.get("participant") or each.index for each in self.streams),
        )
        with ExitStack() as held:
            place = self.directory, self.zero, frames, self.rate, law is not None, held
            tracks = [channelOf(stream, *place) for stream in self.streams]
            if not tracks:
                # A file has one channel at least.
                tracks.append(Track.create(self.directory, frames))
                held.callback(tracks[0].close)
            written = {
                **outputs.write(stem, tracks),
                "startTime": self._time(self.zero),
                "duration": frames / self.rate,
            }
            if self.sessions:
                written["parts"] = list(self._parts(outputs, tracks, stem))
            return written

    def _parts(
        self, outputs: Outputs, tracks: Sequence[Samples], stem: str
    ) -> Iterator[dict[str, Any]]:
        for number, span in enumerate(self.sessions, 1):
            begin = self._within(span.begin)
            end = self.end if span.end is None else self._within(span.end)
            windows = [Window(each, begin - self.zero, end - begin) for each in tracks]
            yield {
                "session": span.session,
                **outputs.write(f"{stem}-{number}", windows),
                "start": self._time(begin),
                "end": self._time(end),
                "duration": (end - begin) / self.rate,
            }

    def _within(self, moment: float) -> int:
        return min(max(self._sample(round(moment * _SECOND)), self.zero), self.end)

    def _gaps(self, stream: Stream) -> list[dict[str, Any]]:
        pauses = self._pauses(self.pauses[stream.index])
        holds = self._pauses(self.holds[stream.index])
        pairs = zip(stream.surveys, stream.placements, strict=False)
        found: list[tuple[int, int, str]] = []
        paused: list[tuple[int, int]] = []
        unsent = 0
        for begin, end, between, packets in (
            gap for one, at in pairs if at is not None for gap in gaps(one, at)
        ):
            if isPaused(begin, end, pauses, self.rate):
                unsent += packets
                paused.append((begin, end))
            else:
                found.append((begin, end, NODE_CHANGE if between else "loss"))
        found += [(begin, end, NODE_CHANGE) for begin, end in self._uncaptured(stream)]
        self.omitted[stream.index] = max(len(found) - MAX_GAPS, 0)
        self.unsent[stream.index] = unsent
        played = [
            times
            for each in stream.placements
            if each is not None
            for times in zip(*each.activity.tolist(), strict=True)
        ]
        silent = silences(played, pauses, self.zero, self.end, self.rate)
        # One of less than a second only its numbers may tell.
        silent += [
            one
            for one in paused
            if not any(one[0] < end and begin < one[1] for begin, end in silent)
        ]
        return [
            {
                "start": self._time(begin),
                "end": self._time(end),
                "stream": stream.index,
                "cause": cause,
            }
            for begin, end, cause in (
                *found[:MAX_GAPS],
                *((*each, HOLD if isPaused(*each, holds, 0) else PAUSE) for each in silent),
            )
        ]

    def _pauses(self, times: Sequence[tuple[float, float | None]]) -> list[Pause]:
        return [
            Pause(
                self._sample(round(begin * _SECOND)),
                self.end if end is None else self._sample(round(end * _SECOND)),
            )
            for begin, end in times
        ]

    def _uncaptured(self, stream: Stream) -> Iterator[tuple[int, int]]:
        times = []
        for number, (start, end) in enumerate(self.segments, 1):
            clock = self.clocks.get(number, 0)
            stop = None if end is None else self._sample(end + clock)
            times.append(SegmentTimes(self._sample(start + clock), stop))
        lacking = {number for number, name in stream.journals.items() if name in self.lacking}
        return uncaptured(list(seams(times, lacking)), stream.extents)

    def _events(self) -> Iterator[dict[str, Any]]:
        for stream in self.streams:
            for event in eventsOf(stream, self._time(0), self.omitted[stream.index]):
                yield {**event, "stream": stream.index}
            yield from digitEvents(stream, self._sample, self._time, self.masked)

    def _sample(self, moment: int) -> int:
        return round((moment - self.start) * self.rate / _SECOND)

    def _time(self, sample: int) -> str:
        return formatTime((self.start + sample * _SECOND // self.rate) / _SECOND)


def _describe(stream: Stream, unsent: int) -> dict[str, Any]:
    """
    @param unsent: how many of the packets that are missing were never sent.
    @return: what the manifest says of a stream once it is rendered.
    """
    runs, main = stream.runs, stream.mainFormat
    longest = max(stream.surveys, key=lambda survey: survey.run.packets, default=None)
    described = {
        "index": stream.index,
        "codec": stream.entry.get("codec"),
        "payloadType": stream.entry.get("payloadType"),
        "clockRate": stream.entry.get("clockRate"),
        "ssrcs": [f"{ssrc:#010x}" for ssrc in dict.fromkeys(run.ssrc for run in runs)],
        "packets": stream.payloadTypes.total(),
        "lost": sum(run.lost for run in runs) - unsent,
        "duplicates": sum(run.duplicates for run in runs),
        "reordered": sum(run.reordered for run in runs),
        "jitter": round(longest.jitter, 6) if longest else 0.0,
        "firstPacket": moment(stream.firstArrival),
        "lastPacket": moment(stream.lastArrival),
        "clock": stream.clock,
    }
    if main is not None:
        described["codec"] = main.codec
        described["payloadType"] = main.payloadType
        described["clockRate"] = main.clockRate
    return described


def _journals(names: Iterable[str], index: int) -> dict[int, str]:
    """
    @param names: of the manifest, and then of what is there: a crash may have kept some
        out of the manifest.
    @return: the journals of a stream, by and in the order of the segments.
    """
    found: dict[int, str] = {}
    for name in names:
        match = _JOURNAL.fullmatch(name)
        if match and int(match[2]) == index:
            found.setdefault(int(match[1]), name)
    return dict(sorted(found.items()))


def _channel(entry: Mapping[str, Any]) -> tuple[int, int]:
    channel = entry.get("channel")
    return (int(entry["index"]) if channel is None else int(channel)), int(entry["index"])


def _nanoseconds(text: str) -> int:
    return round(parseTime(text) * 1_000_000) * 1000
