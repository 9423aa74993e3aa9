"""
Parts of a node that have calls and recordings, and only note what is done with
them.
"""

from __future__ import annotations

from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, succeed

from siprec.metadata.masking import NO_MASK, Mask
from siprec.session.manifest import Manifest
from siprec.session.model import CallSnapshot
from siprec.session.resume import MediaPlan
from siprec.session.taps import Taps
from siprec.testing.fakes import FakeCapture, FakePortPool


@define(eq=False)
class LivePart:
    """
    A recording that runs.
    """

    recording: Any
    events: list[dict[str, Any]] = field(factory=list)
    now: float = 0.0
    taps: Taps = field(factory=lambda: Taps(FakePortPool(), FakeCapture()))

    def event(self, type: str, **facts: Any) -> None:
        self.events.append({"type": type, **facts})
        known = (*self.recording.events, {"time": self.now, "type": type})
        self.recording = evolve(self.recording, events=known)

    def changed(self) -> None:
        pass

    def manifest(self) -> Manifest:
        return {"id": self.recording.id, "state": "finishing", "paused": self.recording.pause}


@define(eq=False)
class CallPart:
    """
    A call that runs.
    """

    live: LivePart | None
    stopped: list[tuple[int, str]] = field(factory=list)
    over: bool = False
    saving: Deferred[None] = field(factory=lambda: succeed(None))
    notes: list[str] = field(factory=list)

    def moveMedia(self) -> Deferred[None]:
        assert self.live is not None
        self.notes.append(f"move {self.live.recording.id}")
        return succeed(None)

    async def save(self) -> None:
        self.notes.append("save")
        await self.saving

    def stop(self, cause: int, reason: str) -> None:
        self.stopped.append((cause, reason))


@define(eq=False)
class RecorderPart:
    """
    Has calls.
    """

    notes: list[str]
    calls: dict[str, CallPart] = field(factory=dict)
    reasons: list[str] = field(factory=list)
    profile: str = "lenient"
    srtp: str = "allow"
    maxSessions: int = 0
    waits: bool = False

    def callOf(self, key: str) -> CallPart | None:
        found = (
            each
            for each in self.calls.values()
            if each.live is not None and each.live.recording.id == key
        )
        return next(found, None)

    def stopCalls(self, cause: int, reason: str) -> None:
        self.notes.append(f"calls {cause} {reason}")

    def notReady(self) -> list[str]:
        return self.reasons

    def remember(self, snapshot: CallSnapshot) -> None:
        self.notes.append(f"remember {snapshot.key}")

    async def resume(self, snapshot: CallSnapshot, live: LivePart) -> CallPart:
        return CallPart(live, notes=self.notes)


@define(eq=False, slots=False)
class SessionsPart:
    """
    Recordings that finish when they are told to.
    """

    notes: list[str]
    draining: bool = False
    minFree: int = 0
    exclude: tuple[str, ...] = ()
    mask: Mask = NO_MASK
    recordings: dict[str, Any] = field(factory=dict)
    ending: set[str] = field(factory=set)
    waiting: list[Deferred[None]] = field(factory=list)
    broken: set[str] = field(factory=set)

    async def resume(self, snapshot: CallSnapshot, epoch: int, plan: MediaPlan) -> LivePart:
        if snapshot.key in self.broken:
            raise ValueError("no")
        self.notes.append(f"resume {snapshot.key}")
        return LivePart(snapshot.recording)

    async def end(self, snapshot: CallSnapshot, epoch: int, reason: str) -> None:
        self.notes.append(f"end {snapshot.key} {reason}")
        self.recordings[snapshot.key] = LivePart(snapshot.recording)

    def drained(self) -> Deferred[None]:
        self.notes.append("drained?")
        if not self.recordings:
            return succeed(None)
        self.waiting.append(Deferred())
        return self.waiting[-1]
