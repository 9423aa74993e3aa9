"""
Handing the manifests of running recordings to the disk, so that a power cut leaves
something to go on with.  The journals are the capture's own business.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from siprec.rounds import Rounds
from siprec.session.interfaces import IWorkers
from siprec.session.live import LiveRecording
from siprec.session.manifest import NAME, syncDirectory
from siprec.session.running import RunningRecordings

__all__ = ["Syncing", "syncRecordings"]

log = Logger()

_DEPTH = 3  # folders of the date between a recording's own and the root


def syncRecordings(directories: Sequence[str], running: RunningRecordings) -> list[str]:
    """
    Have manifests, documents and names of recordings survive a power cut.  Blocks.

    @return: those of which not all could be synced.
    """
    failed, parents = [], {}
    try:
        running.sync()
    except OSError as error:
        log.error("the markers of recordings cannot be synced: {why}", why=str(error))
        return list(directories)
    for directory in directories:
        try:
            for name in os.listdir(directory):
                if name == NAME or name.endswith(".xml"):
                    _syncFile(os.path.join(directory, name))
            syncDirectory(directory)
        except OSError as error:
            log.error("{directory}: cannot be synced: {why}", directory=directory, why=str(error))
            failed.append(directory)
            continue
        above = directory
        for _ in range(_DEPTH):
            above = os.path.dirname(above)
            parents[above] = directory
    for above, directory in parents.items():
        try:
            syncDirectory(above)
        except OSError as error:
            log.error("{directory}: cannot be synced: {why}", directory=above, why=str(error))
            failed.append(directory)
    return failed


def _syncFile(path: str) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # it has just been replaced, or a temporary one
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@define(eq=False, repr=False, slots=False)
class Syncing(Service):
    """
    Does it regularly to what has changed since, all at once; one time ends before
    the next begins, so a slow disk makes it rarer and nothing else.

    @ivar longest: seconds that the longest time has taken.
    """

    _clock: IReactorTime
    _workers: IWorkers
    _running: RunningRecordings
    # Gives what runs now.
    _recordings: Callable[[], Iterable[LiveRecording]]
    # Seconds between two times; 0: never.
    _period: float
    longest: float = field(default=0.0, init=False)
    _rounds: Rounds = field(init=False)

    @_rounds.default
    def _makeRounds(self) -> Rounds:
        return Rounds(self._clock, self._period, self._sync, "recordings were not synced")

    def startService(self) -> None:
        """
        See L{twisted.application.service.IService.startService}.
        """
        super().startService()
        if self._period:
            self._rounds.start(now=False)

    def stopService(self) -> Deferred[None]:
        """
        @return: fires when the time that is under way has ended.
        """
        super().stopService()
        return self._rounds.stop() if self._period else succeed(None)

    async def _sync(self) -> None:
        changed = {
            each.files.directory: each.files
            for each in self._recordings()
            if each.files is not None and each.files.unsynced
        }
        if not changed:
            return
        for files in changed.values():
            files.syncing()
        began = self._clock.seconds()
        for directory in await self._workers.run(syncRecordings, list(changed), self._running):
            changed[directory].unsynced = True
        self.longest = max(self.longest, self._clock.seconds() - began)
