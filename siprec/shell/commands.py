"""
The commands of the shell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from attrs import define
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from siprec.session.live import LiveRecording
from siprec.session.pausing import MOST_REASON, isReason
from siprec.shell.command import Command
from siprec.shell.details import describeSession, stateOf
from siprec.shell.interfaces import IShellNode
from siprec.shell.tables import Facts, Note, Report, Table, ago, duration
from siprec.shell.views import NodeView, StoreView
from siprec.uas.call import Call
from siprec.web.interfaces import NoSuchRecording, NotRunning

__all__ = ["Commands", "namespace"]

#: Of the metrics, what is for machines only.
_UNREADABLE = ("_bucket", "_created")


@define(eq=False, repr=False)
class Commands:
    """
    Each public method is a command; its docstring is its help.

    @ivar _now: gives seconds since the Unix epoch.
    @ivar _who: types them.
    """

    _node: IShellNode
    _now: Callable[[], float]
    _who: str = ""

    def sessions(self) -> Table:
        """
        What is recorded now: id, state, duration, caller, streams, packets.

        "last" is how long ago the last packet came; a recording that is being
        finished has none any more.
        """
        now = self._now()
        rows = []
        for key, live in self._node.sessions.recordings.items():
            recording = live.recording
            rows.append(
                (
                    str(key),
                    stateOf(live),
                    duration((recording.endTime or now) - recording.startTime),
                    recording.sip.get("from"),
                    len(recording.streams),
                    sum(each.get("packets") or 0 for each in live.manifest()["streams"]),
                    ago(live.lastArrival(), now) if live.taps.handles() else "",
                )
            )
        return Table.of("id|state|for|from|streams|packets|last", rows, "nothing is recorded")

    def session(self, id: str) -> Report | Note:
        """
        All about one recording: its dialog, participants, streams, segments, events.

        The id may be the beginning or the end of a recording's id, or a
        Call-ID; TAB completes it.
        """
        found = self._only(str(id))
        if isinstance(found, Note):
            return found
        return describeSession(found, self._call(found), self._now())

    def nodes(self) -> Deferred[Table]:
        """
        The live nodes of the cluster, this one included.
        """
        return self._node.nodes().addCallback(_nodes)

    def stats(self) -> Any:
        """
        All that this node counts, and what its store says of itself.

        The names are those that GET /metrics has for Prometheus.
        """
        families = text_string_to_metric_families(self._node.metrics.exposition().decode())
        counted = Table.of(
            "metric|of|value",
            [
                (sample.name, ", ".join(sample.labels.values()), sample.value)
                for family in families
                for sample in family.samples
                if not sample.name.endswith(_UNREADABLE)
            ],
        )
        ask = getattr(self._node.store, "stats", None)
        if ask is None:
            return counted
        return ask().addCallback(
            lambda told: Report((("", counted), ("store", Facts(tuple(told.items())))))
        )

    def capture(self) -> Report:
        """
        The capture of media: how it fares, and every stream that is attached.

        "dropped" is what the kernel had no room for, "unwritten" what did not
        get into the journal.
        """
        now, counters = self._now(), self._node.capture.counters
        rows = []
        for key, live in self._node.sessions.recordings.items():
            for handle in live.taps.handles():
                address = f"{handle.pair.host}:{handle.pair.rtpPort}"
                drops = (handle.kernelDrops, handle.unwritten)
                counts = (handle.packets, handle.octets, handle.controlPackets, *drops)
                last = ago(handle.lastArrival, now)
                rows.append((str(key), address, *counts, last, handle.error))
        streams = Table.of(
            "id|port|packets|octets|RTCP|dropped|unwritten|last|error",
            rows,
            "no stream is attached",
        )
        fares = Facts(
            (
                ("visits to all streams", counters.cycles),
                ("visits that took too long", counters.overruns),
                ("failures", counters.failures),
                ("longest slice in ms", counters.longestSlice * 1000),
                ("longest sync in ms", counters.longestSync * 1000),
                ("nothing is written", "the disk is full" if counters.withholding else "no"),
            )
        )
        return Report((("", fares), ("", streams)))

    def drain(self) -> Deferred[Note]:
        """
        NOT read-only: take no new call, and end the running ones or move them.

        The process stays, and goes on refusing calls until it is started anew.
        """
        return self._node.drain().addCallback(
            lambda _: Note(f"draining; {len(self._node.sessions.recordings)} sessions are left")
        )

    def pause(self, id: str, why: str = "") -> Deferred[Note] | Note:
        """
        NOT read-only: keep nothing of a recording from now on, of any of its streams.

        The call goes on, and the recording in time; resume(id) ends it. The id is as of
        session(); why is told in the manifest.
        """
        return self._change(str(id), str(why), self._node.pauseRecording)

    def resume(self, id: str, why: str = "") -> Deferred[Note] | Note:
        """
        NOT read-only: keep what comes of a recording that was paused.
        """
        return self._change(str(id), str(why), self._node.resumeRecording)

    def _change(
        self,
        id: str,
        why: str,
        change: Callable[[str, str, str | None], Deferred[dict[str, Any]]],
    ) -> Deferred[Note] | Note:
        found = self._only(id)
        if isinstance(found, Note):
            return found
        if why and not isReason(why):
            return Note(f"why is at most {MOST_REASON} printable characters")
        key = found.recording.id
        who = f"manhole: {self._who}" if self._who else "manhole"

        def changed(manifest: dict[str, Any]) -> Note:
            paused = manifest["paused"]
            if paused is None:
                return Note(f"{key} is recorded")
            return Note(f"{key} is paused since {paused['since']} by {paused['who']}")

        def over(failure: Failure) -> Note:
            failure.trap(NotRunning, NoSuchRecording)
            return Note(f"{key} does not run here any more")

        return change(key, who, why or None).addCallbacks(changed, over)

    def _only(self, id: str) -> LiveRecording | Note:
        found = self._matching(id)
        if not found:
            return Note(f"no recording {id!r} runs here: sessions() lists those that do")
        if len(found) > 1:
            return Note("which of these? " + ", ".join(each.recording.id for each in found))
        return found[0]

    def _matching(self, text: str) -> list[LiveRecording]:
        live = self._node.sessions.recordings.values()
        exact = [each for each in live if text in (each.recording.id, each.recording.callID)]
        ids = [each for each in live if text and _isPartOf(text, each.recording.id)]
        return exact or ids

    def _call(self, live: LiveRecording) -> Call | None:
        calls = self._node.recorder.calls.values()
        return next((each for each in calls if each.live is live), None)


def _isPartOf(text: str, identity: str) -> bool:
    return identity.startswith(text) or identity.endswith(text)


def _nodes(found: list[dict[str, Any]]) -> Table:
    # Whatever a node says of itself is a column; those that all have come first.
    head = list(dict.fromkeys(name for each in found for name in each))
    return Table(tuple(head), tuple(tuple(each.get(name) for name in head) for each in found))


def namespace(node: IShellNode, now: Callable[[], float], who: str = "") -> dict[str, object]:
    """
    @param who: has logged in.
    @return: what a session of the shell begins with, by name.
    """
    commands = Commands(node, now, who)

    def running() -> Iterable[str]:
        return map(str, node.sessions.recordings)

    made = [
        Command("sessions", commands.sessions),
        Command("session", commands.session, running),
        Command("nodes", commands.nodes),
        Command("stats", commands.stats),
        Command("capture", commands.capture),
        Command("pause", commands.pause, running),
        Command("resume", commands.resume, running),
        Command("drain", commands.drain),
    ]
    names: dict[str, object] = {each.name: each for each in made}
    names |= {"node": NodeView(node), "store": StoreView(node.store)}

    def help(about: object = None) -> Note | Table:
        """
        This list, or, of one of them, all that there is to say: help(session).
        """
        if about is None:
            return Table.of("type|to see", [_helpLine(*each) for each in sorted(names.items())])
        return Note(about.text if isinstance(about, Command) else _documentation(about))

    names["help"] = Command("help", help)
    return names


def _helpLine(name: str, value: object) -> tuple[str, str]:
    if isinstance(value, Command):
        return value.usage, value.summary
    return name, _documentation(value).partition("\n")[0]


def _documentation(value: object) -> str:
    lines = (type(value).__doc__ or "").strip().splitlines()
    return "\n".join(line.strip() for line in lines) or "help() lists what there is here"
