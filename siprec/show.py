"""
A recording as text for a terminal: who took part, what was recorded, what happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import define, field

from siprec.session.manifest import Manifest, parseTime
from siprec.shell.tables import Facts, Table, printable

__all__ = ["COLUMNS", "show"]

#: Columns of the picture of a channel.
COLUMNS = 60

_KEYS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_UNKNOWN, _PAUSED, _MISSING = "=", "-", "x"
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"

# Later than any time of a manifest, as text.
_FOREVER = "9999"
# What of an entry of the timeline is told in words, or not at all.
_TOLD = frozenset(
    (
        *("at", "time", "type", "source", "event", "stream", "participant", "from", "to"),
        *("cause", "duration", "digit", "durationMs", "channel", "masked"),
    )
)

_Entry = Mapping[str, Any]


def show(manifest: Manifest, emphasis: bool = False) -> str:
    """
    @param manifest: as it is on the disk; the recording may still run.
    @param emphasis: whether the terminal understands bold.
    @raise KeyError: the manifest lacks something.
    @raise ValueError: one of its times is none.
    """
    call = _Call.of(manifest)
    parts = [
        ("", str(call.head())),
        ("Participants", str(call.people())),
        ("Streams", str(call.streams())),
        ("Channels", "\n".join(call.channels())),
        ("Timeline", "\n".join(call.timeline())),
    ]
    begin, end = (_BOLD, _PLAIN) if emphasis else ("", "")
    return "\n\n".join(
        f"{begin}{title}{end}\n{printable(text)}" if title else printable(text)
        for title, text in parts
        if text
    )


def _clock(seconds: float) -> str:
    """
    @return: such as C{1:02:03.456}; short calls have no hours.
    """
    thousandths = round(abs(seconds) * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{minutes}:{rest / 1000:06.3f}"
    if hours:
        text = f"{hours}:{minutes:02}:{rest / 1000:06.3f}"
    return f"-{text}" if seconds < 0 and thousandths else text


@define(eq=False, repr=False)
class _Call:
    """
    A manifest that is being told.

    @ivar start: of the recording, seconds since the epoch.
    @ivar length: of the picture, in seconds.
    @ivar names: of the participants, by id.
    @ivar keys: one letter for each of them.
    """

    manifest: Manifest
    start: float
    length: float
    names: dict[str, str]
    keys: dict[str, str] = field(factory=dict)

    @classmethod
    def of(cls, manifest: Manifest) -> _Call:
        start = parseTime(manifest["startTime"])
        ends = [each.get("at", 0.0) for each in manifest.get("timeline", ())]
        ends += [parseTime(text) - start for text in _lasts(manifest)]
        people = manifest["participants"]
        names = {each["id"]: _oneLine(each["name"] or each["aor"] or each["id"]) for each in people}
        keys = {each["id"]: key for each, key in zip(people, _KEYS, strict=False)}
        return cls(manifest, start, max([*ends, manifest["duration"] or 0.0]), names, keys)

    def head(self) -> Facts:
        manifest = self.manifest
        sip, vendor = manifest["sip"], manifest["vendor"]
        state = manifest["state"]
        if manifest["endReason"]:
            state += f", {manifest['endReason']}"
        duration = manifest["duration"]
        audio = manifest["audio"]
        pairs = (
            ("recording", manifest["id"]),
            ("state", state),
            ("began", manifest["startTime"]),
            ("duration", None if duration is None else _clock(duration)),
            ("from", sip.get("from")),
            ("to", sip.get("to")),
            ("client", sip.get("userAgent")),
            ("address", sip.get("remoteAddress")),
            ("Call-ID", manifest["callID"]),
            ("sessions", manifest["sessions"]),
            ("vendor", vendor.get("type")),
            ("UCID", vendor.get("ucid")),
            ("nodes", manifest["nodes"]),
            ("audio", audio and audio["file"]),
        )
        return Facts(tuple((name, value) for name, value in pairs if value))

    def people(self) -> Table:
        rows = (
            (self.keys.get(each["id"], ""), each["name"], each["aor"], ", ".join(each["streams"]))
            for each in self.manifest["participants"]
        )
        return Table.of("|name|address|labels", rows, "nobody is known")

    def streams(self) -> Table:
        rows = (
            (
                each["index"],
                each["label"],
                each["codec"],
                each["packets"],
                each["lost"],
                ", ".join(each["ssrcs"]),
                ", ".join(dict.fromkeys(self._speakers(each))) or self._name(each["participant"]),
                each.get("confidence"),
            )
            for each in self.manifest["streams"]
        )
        return Table.of("stream|label|codec|packets|lost|SSRC|heard|by", rows, "no streams")

    def _speakers(self, stream: _Entry) -> Iterator[str]:
        for each in stream.get("speakers", ()):
            yield self._name(each["participant"])

    def channels(self) -> Iterator[str]:
        """
        One line for each channel: who was heard when, pauses and what is missing.
        """
        if not self.length:
            return
        for stream in self.manifest["streams"]:
            cells = [" "] * COLUMNS
            first, last = stream["firstPacket"], stream["lastPacket"]
            if first and last:
                self._fill(cells, first, last, _UNKNOWN)
                for each in stream.get("speakers", ()):
                    key = self.keys.get(each["participant"], _UNKNOWN)
                    begin, end = max(each["start"], first), min(each["end"] or last, last)
                    self._fill(cells, begin, end, key)
            for gap in self.manifest["gaps"]:
                if gap["stream"] == stream["index"]:
                    sign = _PAUSED if gap["cause"] == "pause" else _MISSING
                    self._fill(cells, gap["start"], gap["end"], sign)
            yield f"{stream['index']:>3} |{''.join(cells)}|"
        yield f"     0{_clock(self.length):>{COLUMNS - 1}}"
        yield f"     {_UNKNOWN} somebody  {_PAUSED} paused  {_MISSING} missing"

    def _fill(self, cells: list[str], begin: str, end: str, sign: str) -> None:
        # Times of one form and one zone sort as text, which the caller relies on, too.
        scale = COLUMNS / self.length
        first = max(int((parseTime(begin) - self.start) * scale), 0)
        last = int((parseTime(end) - self.start) * scale)
        for column in range(first, min(max(last, first + 1), COLUMNS)):
            cells[column] = sign

    def timeline(self) -> Iterator[str]:
        entries = self.manifest.get("timeline", ())
        width = max((len(_clock(each["at"])) for each in entries), default=0)
        for each in entries:
            told = _oneLine(" ".join(filter(None, self._facts(each))))
            yield f"{_clock(each['at']):>{width}}  {each['type']:8}  {told}".rstrip()

    def _facts(self, entry: _Entry) -> Iterator[str]:
        if entry.get("stream") is not None:
            yield f"stream {entry['stream']}"
        if "participant" in entry:
            yield self._name(entry["participant"])
        if "from" in entry and "to" in entry:
            yield f"{self._all(entry['from'])} -> {self._all(entry['to'])}"
        if entry["type"] == "gap":
            yield f"{entry['cause']}, {entry['duration']:.3f} s"
        elif entry["type"] == "dtmf":
            yield from self._pressed(entry)
        elif entry["type"] not in ("join", "leave", "transfer"):
            yield _plain(str(entry.get("event", "")))
        for name, value in entry.items():
            if name not in _TOLD and value not in (None, "", []):
                text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
                yield f"{name}={text}"

    def _pressed(self, entry: _Entry) -> Iterator[str]:
        for stream in self.manifest["streams"]:
            if stream["index"] == entry.get("stream"):
                yield ", ".join(
                    self._name(each["participant"])
                    for each in stream.get("speakers", ())
                    if each["start"] <= entry["time"] < (each["end"] or _FOREVER)
                )
        yield entry["digit"] or "a digit that is not told"
        if entry.get("durationMs") is not None:
            yield f"{entry['durationMs']} ms"

    def _all(self, people: Sequence[str]) -> str:
        return ", ".join(map(self._name, people))

    def _name(self, participant: str | None) -> str:
        return "" if participant is None else self.names.get(participant, participant)


def _lasts(manifest: Manifest) -> Iterator[str]:
    if manifest["endTime"]:
        yield manifest["endTime"]
    for each in manifest["streams"]:
        if each["lastPacket"]:
            yield each["lastPacket"]


def _plain(name: str) -> str:
    """
    @return: a name such as C{streamPaused} in words.
    """
    return "".join(f" {each.lower()}" if each.isupper() else each for each in name)


def _oneLine(text: str) -> str:
    return " ".join(text.split())
