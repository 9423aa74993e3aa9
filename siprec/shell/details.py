"""
All about one recording that runs.
"""

from __future__ import annotations

from siprec.session.live import LiveRecording
from siprec.shell.tables import Facts, Report, Table, duration, moment
from siprec.uas.call import Call

__all__ = ["describeSession", "stateOf"]


def describeSession(live: LiveRecording, call: Call | None, now: float) -> Report:
    """
    @param call: its dialog, if that has not ended.
    @param now: seconds since the Unix epoch.
    """
    parts: list[tuple[str, object]] = [("", _recording(live, now))]
    if call is not None:
        parts.append(("dialog", _dialog(call)))
    parts += [
        ("participants", _participants(live)),
        ("streams", _streams(live)),
        ("segments", _segments(live)),
    ]
    if live.recording.metadata:
        parts.append(("metadata", _metadata(live)))
    if live.recording.events:
        parts.append(("events", _events(live)))
    return Report(tuple(parts))


def stateOf(live: LiveRecording) -> str:
    """
    @return: the state of a recording; C{paused} is none in its manifest, but what one
        wants to see.
    """
    recording = live.recording
    return "paused" if recording.state == "recording" and recording.pause else recording.state


def _paused(live: LiveRecording) -> str | None:
    pause = live.recording.pause
    if pause is None:
        return None
    return f"since {moment(pause.since)} by {pause.who}: {pause.reason or 'no reason given'}"


def _recording(live: LiveRecording, now: float) -> Facts:
    recording = live.recording
    vendor = [f"{name}={value}" for name, value in recording.vendor.items()]
    return Facts(
        (
            ("id", recording.id),
            ("state", stateOf(live)),
            ("paused", _paused(live)),
            ("Call-ID", recording.callID),
            ("communication sessions", recording.sessions),
            ("since", moment(recording.startTime)),
            ("for", duration((recording.endTime or now) - recording.startTime)),
            ("ended", recording.endReason),
            ("directory", recording.directory),
            ("vendor", vendor),
        )
    )


def _dialog(call: Call) -> Facts:
    dialog, flow = call.dialog, call.flow
    return Facts(
        (
            ("from", dialog.remoteAddr),
            ("to", dialog.localAddr),
            ("tags", (dialog.remoteTag, dialog.localTag)),
            ("target", dialog.remoteTarget),
            ("route", dialog.routeSet),
            ("CSeq of the peer", dialog.remoteCSeq),
            ("CSeq of ours", dialog.localCSeq),
            ("acknowledged", dialog.confirmed),
            ("last request by", f"{flow.transport} from {flow.remote[0]}:{flow.remote[1]}"),
        )
    )


def _participants(live: LiveRecording) -> Table:
    return Table.of(
        "id|name|address|streams",
        [(each.id, each.name, each.aor, each.streams) for each in live.recording.participants],
        "the metadata names none",
    )


def _streams(live: LiveRecording) -> Table:
    counts = {each["index"]: each for each in live.manifest()["streams"]}
    rows = []
    for stream in live.recording.streams:
        codecs = [f"{each.codec}/{each.clockRate}" for each in stream.formats]
        count = counts[stream.index]
        direction = stream.direction if stream.active else "ended"
        rows.append(
            (
                *(stream.index, stream.label, stream.participant, codecs, direction),
                *(f"{stream.host}:{stream.port}", count.get("packets"), count.get("lastPacket")),
            )
        )
    head = "index|label|participant|codecs|direction|port|packets|last packet"
    return Table.of(head, rows)


def _segments(live: LiveRecording) -> Table:
    return Table.of(
        "node|epoch|start|end|files",
        [
            (each.node, each.epoch, moment(each.start), moment(each.end), each.files)
            for each in live.recording.segments
        ],
    )


def _metadata(live: LiveRecording) -> Table:
    return Table.of(
        "file|time|mode|status|notes",
        [
            (each.file, moment(each.time), each.mode, each.status, each.notes)
            for each in live.recording.metadata
        ],
    )


def _events(live: LiveRecording) -> Table:
    rows = []
    for event in live.recording.events:
        facts = [f"{name}={value}" for name, value in event.items() if name not in _NAMED]
        rows.append((moment(event["time"]), event["type"], facts))
    return Table.of("time|type|facts", rows)


_NAMED = ("time", "type")
