"""
Recordings and fakes for the tests of the session service.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, execute, fail, succeed
from zope.interface import implementer

from siprec.ids import NodeID, RecordingID
from siprec.render.recording import renderDirectory
from siprec.session.interfaces import IRenderer, IWorkers, Silence
from siprec.session.model import (
    CallSnapshot,
    DialogInfo,
    Format,
    MetadataRecord,
    ParticipantInfo,
    RecordingSession,
    Segment,
    StreamInfo,
)
from siprec.store.interfaces import ISnapshotStore, StoreUnavailable
from siprec.store.memory import MemorySnapshotStore

_P = ParamSpec("_P")
_T = TypeVar("_T")

NODE = NodeID("node-a")
OTHER = NodeID("node-b")
PCMU = Format(0, "PCMU", 8000)
PCMA = Format(8, "PCMA", 8000)

#: 2026-01-05T09:00:00Z.
START = 1_767_603_600.0
START_TEXT = "2026-01-05T09:00:00.000000Z"


def identity(number: int = 0, seconds: float = START) -> RecordingID:
    """
    @return: a UUID of version 7 that was made at C{seconds}.
    """
    time = f"{round(seconds * 1000):012x}"
    return RecordingID(f"{time[:8]}-{time[8:]}-7000-8000-{number:012x}")


def session(root: str, number: int = 0, **changes: Any) -> RecordingSession:
    """
    @return: a recording of two streams, in progress.
    """
    made = identity(number)
    values: dict[str, Any] = {
        "id": made,
        "callID": f"call-{number}",
        "startTime": START,
        "directory": os.path.join(root, "2026", "01", "05", made),
        "sessions": ("communication-1",),
        "participants": (ParticipantInfo("p1", "Ann", "sip:ann@example.com", ("1",)),),
        "streams": tuple(
            StreamInfo(index, index, str(index + 1), (PCMU, PCMA), "192.0.2.1", 10000 + 2 * index)
            for index in range(2)
        ),
        "segments": (Segment(NODE, 1, START, files=("1-0.rtpdump", "1-1.rtpdump")),),
        "metadata": (MetadataRecord("metadata-1.xml", START, "complete", "ok"),),
        "sip": {"from": "<sip:src@example.com>", "headers": {}},
    }
    return RecordingSession(**{**values, **changes})


def dialog() -> DialogInfo:
    """
    @return: some dialog.
    """
    return DialogInfo("call-0", "a", "b", "<sip:a>", "<sip:b>", "sip:b", "<sip:a>", 1, 1)


@implementer(IWorkers)
@define(eq=False)
class HeldWorkers:
    """
    Does its work when it is told to.

    @ivar waiting: what was asked for and not done yet.
    """

    waiting: list[tuple[Deferred[Any], Callable[[], Any]]] = field(factory=list)

    def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        """
        See L{IWorkers.run}.
        """
        done: Deferred[_T] = Deferred()
        self.waiting.append((done, lambda: function(*args, **kwargs)))
        return done

    def work(self) -> int:
        """
        Do what is there now, but nothing that comes of it.

        @return: how much that was.
        """
        waiting, self.waiting = self.waiting, []
        for done, function in waiting:
            execute(function).chainDeferred(done)
        return len(waiting)


@implementer(IRenderer)
@define(eq=False)
class FakeRenderer:
    """
    Renders in the test's own process.

    @ivar failure: what it fails with, or C{None}.
    @ivar waiting: if a list, rendering ends when a test fires the Deferreds
        that are put here.
    @ivar directories: what it was asked to render.
    @ivar ofNothing: what it says of a recording without packets.
    """

    failure: Exception | None = None
    waiting: list[Deferred[dict[str, Any]]] | None = None
    directories: list[str] = field(factory=list)
    ofNothing: Silence | None = None

    def silence(self, manifest: Mapping[str, Any]) -> Silence | None:
        """
        See L{IRenderer.silence}.
        """
        return self.ofNothing

    def render(self, directory: str) -> Deferred[dict[str, Any]]:
        """
        See L{IRenderer.render}.
        """
        self.directories.append(directory)
        if self.failure is not None:
            return fail(self.failure)
        if self.waiting is not None:
            done: Deferred[dict[str, Any]] = Deferred()
            self.waiting.append(done)
            return done
        return execute(renderDirectory, directory)


@implementer(ISnapshotStore)
@define(eq=False)
class FakeStore:
    """
    A store that can be away.
    """

    away: bool = False
    _memory: MemorySnapshotStore = field(factory=MemorySnapshotStore)

    def _there(self, done: Callable[[], Deferred[_T]]) -> Deferred[_T]:
        return fail(StoreUnavailable("the test says so")) if self.away else done()

    def save(self, key: str, snapshot: CallSnapshot) -> Deferred[None]:
        """
        See L{ISnapshotStore.save}.
        """
        return self._there(lambda: self._memory.save(key, snapshot))

    def load(self, key: str) -> Deferred[CallSnapshot]:
        """
        See L{ISnapshotStore.load}.
        """
        return self._there(lambda: self._memory.load(key))

    def delete(self, key: str) -> Deferred[None]:
        """
        See L{ISnapshotStore.delete}.
        """
        return self._there(lambda: self._memory.delete(key))

    def list(self) -> Deferred[list[str]]:
        """
        See L{ISnapshotStore.list}.
        """
        return self._there(self._memory.list)


def nothing() -> Deferred[None]:
    """
    @return: has fired.
    """
    return succeed(None)
