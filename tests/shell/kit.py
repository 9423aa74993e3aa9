"""
A node for the shell, without network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from siprec.config import Settings, loadSettings
from siprec.media.loop import CaptureCounters
from siprec.metrics import Metrics
from siprec.recorder import Recorder
from siprec.session.live import LiveRecording
from siprec.session.pausing import pause, resume
from siprec.session.recordings import Recordings
from siprec.shell.interfaces import ICaptureState, IShellNode
from siprec.web.interfaces import NotRunning
from tests.uas.house import House

__all__ = ["FakeCaptureState", "ShellNode"]


@implementer(ICaptureState)
@define(eq=False)
class FakeCaptureState:
    """
    A capture that has made 7 visits.
    """

    counters: CaptureCounters = field(factory=lambda: CaptureCounters(7, 1, 0, 0.0025))


@implementer(IShellNode)
@define(eq=False)
class ShellNode:
    """
    @ivar waiting: if a list, a test fires the Deferreds of L{nodes} that are
        put there.
    """

    _house: House
    settings: Settings = field(factory=lambda: loadSettings(None, {"node.id": "n1"}))
    capture: FakeCaptureState = field(factory=FakeCaptureState)
    store: Any = None
    sipAddresses: list[tuple[str, str, int]] = field(
        factory=lambda: [("UDP", "192.0.2.1", 5060), ("TCP", "2001:db8::1", 5060)]
    )
    httpAddress: tuple[str, int] | None = None
    waiting: list[Deferred[list[dict[str, Any]]]] | None = None

    def __attrs_post_init__(self) -> None:
        if self.store is None:
            self.store = self._house.store

    @property
    def metrics(self) -> Metrics:
        """
        See L{IShellNode}.
        """
        return self._house.metrics

    @property
    def sessions(self) -> Recordings:
        """
        See L{IShellNode}.
        """
        return self._house.service

    @property
    def recorder(self) -> Recorder:
        """
        See L{IShellNode}.
        """
        return self._house.recorder

    def notes(self) -> list[str]:
        """
        See L{IShellNode}.
        """
        return []

    def notReady(self) -> list[str]:
        """
        See L{IShellNode}.
        """
        return self.recorder.notReady()

    def nodes(self) -> Deferred[list[dict[str, Any]]]:
        """
        See L{IShellNode}.
        """
        if self.waiting is None:
            return succeed([{"id": "n1", "sessions": len(self.sessions.recordings)}])
        done: Deferred[list[dict[str, Any]]] = Deferred()
        self.waiting.append(done)
        return done

    def drain(self) -> Deferred[None]:
        """
        See L{IShellNode}.
        """
        self.sessions.draining = True
        return succeed(None)

    def stopRecording(self, recording: str, who: str) -> Deferred[dict[str, Any]]:
        """
        See L{IShellNode}.
        """
        raise NotRunning(recording)

    def pauseRecording(
        self, recording: str, who: str, reason: str | None
    ) -> Deferred[dict[str, Any]]:
        """
        See L{IShellNode}.
        """
        return self._change(recording, lambda live: pause(live, who, reason))

    def resumeRecording(
        self, recording: str, who: str, reason: str | None
    ) -> Deferred[dict[str, Any]]:
        """
        See L{IShellNode}.
        """
        return self._change(recording, lambda live: resume(live, who, reason))

    def _change(
        self, recording: str, step: Callable[[LiveRecording], Deferred[None]]
    ) -> Deferred[dict[str, Any]]:
        call = self.recorder.callOf(recording)
        if call is None or call.live is None:
            return fail(NotRunning(recording))
        live = call.live
        return step(live).addCallback(lambda _: live.manifest())
