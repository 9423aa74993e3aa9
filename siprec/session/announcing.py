"""
What the store is told of a call while it is being opened, if that takes long.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger

from siprec.session.keeper import SnapshotKeeper
from siprec.session.live import LiveRecording
from siprec.session.model import CallSnapshot, DialogInfo
from siprec.session.segments import withEnd
from siprec.store.interfaces import ISnapshotStore

__all__ = ["Announcement"]

log = Logger()


@define(eq=False, repr=False)
class Announcement:
    """
    Has a recording that is just being made in the store, as one that is over: so it is
    if this process ends before the call is answered.  The snapshot that is saved with
    the answer takes its place.

    @ivar onSaved: called once it is there, or the store is away.
    """

    _now: Callable[[], float]
    onSaved: Callable[[], object]
    _live: LiveRecording | None = field(default=None, init=False)
    _store: ISnapshotStore | SnapshotKeeper | None = field(default=None, init=False)
    _dialog: DialogInfo | None = field(default=None, init=False)

    def ask(self, dialog: DialogInfo) -> None:
        """
        It takes long.

        @param dialog: with what a process that finds the record is to answer.
        """
        self._dialog = dialog
        self._save()

    def made(self, live: LiveRecording, store: ISnapshotStore | SnapshotKeeper) -> None:
        """
        The recording has its id, and no files yet.
        """
        self._live, self._store = live, store
        self._save()

    async def withdraw(self) -> None:
        """
        There will be no recording.
        """
        if self._live is not None and self._store is not None and self._dialog is not None:
            try:
                await self._store.delete(self._live.recording.id)
            except Exception:
                log.failure("{recording}: snapshot not deleted", recording=self._live.recording.id)
        self._store = None

    def _save(self) -> None:
        live, store, dialog, now = self._live, self._store, self._dialog, self._now()
        if live is None or store is None or dialog is None:
            return
        recording = withEnd(live.recording, "nodeDied", now)
        snapshot = CallSnapshot(recording, dialog, lastActivity=now)
        saving: Deferred[object] = maybeDeferred(store.save, snapshot.key, snapshot)
        saving.addCallback(lambda _: self.onSaved())
        saving.addErrback(
            lambda failure: log.failure(
                "{recording}: snapshot not saved", failure, recording=recording.id
            )
        )
